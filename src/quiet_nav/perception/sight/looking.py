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

"""Readings of a camera's images at a steady rate, as they come: what may be used, what may not."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.sight.image_detector import ImageDetector, LookedImage
from quiet_nav.perception.sight.image_validity import FrozenWatch
from quiet_nav.perception.transforms import Transform

#: A stamp further ahead of now is another clock's: whether the robot stood then nobody can say.
MAX_AHEAD_S = 0.1


@dataclass(frozen=True)
class LookingSettings:
    """How often a camera is looked at."""

    #: Images that are read a second.
    rate_hz: float = 2.0
    #: Older images give no valid reading.
    max_age_s: float = 1.0

    def __post_init__(self) -> None:
        if not (0.0 < self.rate_hz <= 100.0 and self.max_age_s > 0.0):
            raise QuietNavError(
                f'{self.rate_hz} images a second not older than {self.max_age_s} s; expected 0 to '
                '100 Hz and more than 0 s'
            )


@dataclass(frozen=True)
class Picture:
    """What came of an image message: uint8 RGB (h, w, 3), or None and why there is nothing."""

    pixels: np.ndarray | None
    stamp_ns: int
    fault: str = ''


class Looker:
    """
    One camera: pictures in, readings out; times are nanoseconds of the node's clock.

    The caller asks ``due`` before it decodes an image and passes what it decoded to ``look``;
    ``silence`` says what is to be said while no image comes.
    """

    def __init__(self, detector: ImageDetector, settings: LookingSettings | None = None) -> None:
        self.detector = detector
        self.settings = settings or LookingSettings()
        self._frozen = FrozenWatch(detector.limits)
        self._due_ns: int | None = None
        self._last_ns: int | None = None

    def due(self, now_ns: int) -> bool:
        """Return whether the image that came now is to be read; the rate is kept on average."""
        period_ns = round(1e9 / self.settings.rate_hz)
        due_ns = self._due_ns
        if due_ns is not None and 0 <= due_ns - now_ns <= period_ns:
            return False
        late_ns = 0 if due_ns is None else now_ns - due_ns
        self._due_ns = now_ns + period_ns - (late_ns if 0 < late_ns < period_ns else 0)
        return True

    def look(self, picture: Picture, side: Side, now_ns: int) -> NearWallReading:
        """Return the reading of a picture that came now, toward a side of the robot."""
        ahead_s = (picture.stamp_ns - now_ns) * 1e-9
        if ahead_s > MAX_AHEAD_S:
            fault = f'stamped {ahead_s:.2f} s in the future: the clocks of camera and node differ'
            # Its own time would make a camera that fails look alive for as long.
            return NearWallReading.invalid(side, now_ns, now_ns, fault, Modality.VISION)
        self._last_ns = picture.stamp_ns
        if picture.pixels is None:
            at_ns = picture.stamp_ns
            return NearWallReading.invalid(side, at_ns, at_ns, picture.fault, Modality.VISION)
        fault = self._frozen.fault(picture.pixels, picture.stamp_ns)
        image = LookedImage(picture.pixels, side, picture.stamp_ns, fault)
        (reading,) = self.detector.read([image], now_ns)
        return reading

    def silence(self, side: Side, now_ns: int) -> NearWallReading | None:
        """Return what is said where no image has come for too long, None where one has."""
        age_s = math.inf if self._last_ns is None else (now_ns - self._last_ns) * 1e-9
        if age_s <= self.settings.max_age_s:
            return None
        end_ns = now_ns if self._last_ns is None else self._last_ns
        reason = 'no image yet' if self._last_ns is None else f'no image for {age_s:.1f} s'
        return NearWallReading.invalid(side, end_ns, end_ns, reason, Modality.VISION)

    @property
    def last_ns(self) -> int | None:
        """Stamp of the newest image, None before the first."""
        return self._last_ns


def optical_axis(camera: Transform, frame: str) -> Transform:
    """
    Return where a camera is and, as x, where it looks in the plane. camera: in base_link.

    The axis of a frame whose name ends in optical_frame or optical is z, of others x (REP-103).
    """
    optical = frame.endswith(('optical_frame', 'optical'))
    x, y, _ = camera.rotate(0.0, 0.0, 1.0) if optical else camera.rotate(1.0, 0.0, 0.0)
    return Transform.of_pose(Pose2D(camera.x, camera.y, math.atan2(y, x)), camera.z)
