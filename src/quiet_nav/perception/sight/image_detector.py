# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The vision detector: images of a camera in, near-wall readings out; the same wherever it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quiet_nav.geometry import Side
from quiet_nav.perception.model_file import ModelFile, open_model, refuse_other
from quiet_nav.perception.readings import finite, Modality, NearWallReading
from quiet_nav.perception.sight.image_validity import image_fault, ImageLimits


@dataclass(frozen=True)
class LookedImage:
    """
    An image with what it was asked about.

    pixels: uint8 RGB, shape (h, w, 3), of any size. side: where the optical axis pointed, in
    base_link as the robot asks. stamp_ns: of the exposure. fault: why it must not be used, where
    whoever took it knows already (another encoding, a stream that stands still), else ''.
    """

    pixels: np.ndarray
    side: Side
    stamp_ns: int
    fault: str = ''


class ImageDetector:
    """
    A vision model file ready to read images; it keeps nothing from one call to the next.

    The distances it says are along the optical axis, from the camera.
    """

    def __init__(self, model: ModelFile, limits: ImageLimits | None = None) -> None:
        refuse_other(model, 'vision')
        self.model, self.limits = model, limits or ImageLimits()

    @classmethod
    def load(
        cls, path: str | Path, threads: int = 2, limits: ImageLimits | None = None
    ) -> ImageDetector:
        """Open a model file; QuietNavError says what is wrong with one that cannot be used."""
        return cls(open_model(path, threads), limits)

    def read(
        self, images: Sequence[LookedImage], now_ns: int | None = None
    ) -> list[NearWallReading]:
        """
        Return a reading per image, in order.

        Images that must not be used give readings with valid=False and the reason. now_ns: to
        find images that are stale or stamped in the future.
        """
        return [self._read(image, images, now_ns) for image in images]

    def probabilities(self, pixels: np.ndarray) -> tuple[float, tuple[float, ...]]:
        """Return near-wall probability and distance distribution of an image, usable or not."""
        # One by one: sizes may differ, and two together take no less time than one after another.
        outputs = self.model.run({'image': np.ascontiguousarray(pixels[None])})
        distance = outputs[1][0] if len(outputs) > 1 else ()
        return float(outputs[0][0]), tuple(float(p) for p in distance)

    def _read(
        self, looked: LookedImage, images: Sequence[LookedImage], now_ns: int | None
    ) -> NearWallReading:
        fault = (
            looked.fault
            or image_fault(looked.pixels, self.limits, looked.stamp_ns, now_ns)
            or _same_fault(looked, images)
        )
        if fault:
            return NearWallReading.invalid(
                looked.side, looked.stamp_ns, looked.stamp_ns, fault, Modality.VISION
            )
        near, distance = self.probabilities(looked.pixels)
        reading = NearWallReading(
            looked.side,
            near,
            looked.stamp_ns,
            looked.stamp_ns,
            clips=1,
            distance_probabilities=distance,
            bins=self.model.metadata.bins,
            modality=Modality.VISION,
        )
        return finite(reading)


def _same_fault(looked: LookedImage, images: Sequence[LookedImage]) -> str:
    """Return the reason where the camera turned and its image did not change."""
    for other in images:
        if other.side != looked.side and np.array_equal(other.pixels, looked.pixels):
            return f'frozen: the same image to the last bit as toward {other.side.name}'
    return ''
