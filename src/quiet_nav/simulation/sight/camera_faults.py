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

"""What befalls a camera: the light goes out, something covers the lens, its driver stops."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.sight.camera import RoomCamera

#: back: killed, and started again after a while.
CAMERA_FAULTS = ('none', 'dark', 'covered', 'killed', 'back')
#: A cloth over the lens: gray that gets through, how uneven it is, and the noise of the gain.
_COVERED_GRAY, _COVERED_UNEVEN, _COVERED_NOISE = 30.0, 0.01, 6.0


@dataclass(frozen=True)
class CameraFault:
    """
    One fault from a time on; times as the simulation's.

    Raises QuietNavError for a kind that is not one of CAMERA_FAULTS.
    """

    #: One of CAMERA_FAULTS.
    kind: str = 'none'
    #: When it begins.
    at_s: float = 0.0
    #: When the camera is back; inf for never.
    back_s: float = math.inf

    def __post_init__(self) -> None:
        if self.kind not in CAMERA_FAULTS:
            known = ', '.join(CAMERA_FAULTS)
            raise QuietNavError(f'no camera fault {self.kind!r}; there are: {known}')

    def now(self, time_s: float) -> str:
        """Return what is wrong at a time: none, dark, covered or killed."""
        if not self.at_s <= time_s < self.back_s:
            return 'none'
        return 'killed' if self.kind == 'back' else self.kind


def color_image(
    camera: RoomCamera, pose: Pose2D, rng: np.random.Generator, wrong: str, light: float = 1.0
) -> np.ndarray | None:
    """
    Return the color image of a camera with which something is ``wrong`` (CameraFault.now).

    None where none comes. light: share of the room's light that is on.
    """
    if wrong == 'killed':
        return None
    if wrong == 'covered':
        color = camera.color_intrinsics
        return covered_image((color.height, color.width, 3), rng)
    return camera.color(pose, rng, 0.0 if wrong == 'dark' else light)


def covered_image(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return what a camera sees through a cloth on its lens: uint8 of a shape (h, w, 3)."""
    tilt = np.linspace(-0.5, 0.5, shape[0])[:, None] + np.linspace(-0.5, 0.5, shape[1])
    gray = _COVERED_GRAY * (1.0 + _COVERED_UNEVEN * tilt)
    image = gray[..., None] + _COVERED_NOISE * rng.standard_normal(shape)
    return np.clip(np.rint(image), 0.0, 255.0).astype(np.uint8)
