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

"""The place where a robot listens: its latest windows at every heading, each other's context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math

from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.perception.detector import HeardWindow
from quiet_nav.perception.rig import Rig
from quiet_nav.sound.windows import Window

#: Headings nearer to each other than this are one: the newer windows take the older ones' place.
SAME_HEADING_RAD = math.pi / 4.0
#: A detector is given ears at right angles: windows of headings farther than this from one are
#: no context, as after a turn by half a right angle.
RIGHT_ANGLE_RAD = math.radians(30.0)


@dataclass(frozen=True)
class Heard:
    """
    What a detector is given: the newest windows, those of before at other headings.

    turned: the robot has not listened at this heading in this place before.
    """

    newest: tuple[HeardWindow, ...]
    earlier: tuple[HeardWindow, ...] = ()
    turned: bool = False


class ListeningPlace:
    """
    Remembers the windows of a rig that turns (or looks about) while it stays where it is.

    max_distance_m: the robot has left the place when it stands farther from where it began.
    max_age_s: older windows are forgotten, as the room's sound changes.
    """

    def __init__(self, rig: Rig, max_distance_m: float = 0.1, max_age_s: float = 30.0) -> None:
        self._rig = rig
        self._max_distance_m = max_distance_m
        self._max_age_ns = round(max_age_s * 1e9)
        self._origin: Pose2D | None = None
        self._stands: list[tuple[float, tuple[HeardWindow, ...]]] = []

    def forget(self) -> None:
        """Leave the place."""
        self._origin, self._stands = None, []

    def hear(
        self, windows: Sequence[Window], pose: Pose2D, sides: Sequence[Side] | None = None
    ) -> Heard:
        """
        Take the windows of all ears, in the rig's order, heard while standing at ``pose``.

        sides: what the windows are asked about, the ears' own sides by default.
        """
        if self._origin is None or pose.distance_to(self._origin) > self._max_distance_m:
            self.forget()
            self._origin = pose
        newest = tuple(
            replace(h, pose=pose) for h in heard_windows(self._rig, windows, pose.yaw, sides)
        )
        now_ns = max(window.end_ns for window in windows)
        away = [(wrap_angle(yaw - pose.yaw), yaw, heard) for yaw, heard in self._stands]
        again = any(abs(angle) < SAME_HEADING_RAD for angle, _, _ in away)
        kept = [
            (yaw, heard)
            for angle, yaw, heard in away
            if abs(angle) >= SAME_HEADING_RAD
            and _off_right_angle(angle) <= RIGHT_ANGLE_RAD
            and abs(now_ns - heard[0].window.end_ns) <= self._max_age_ns
        ]
        turned = bool(kept) and not again
        self._stands = [*kept, (pose.yaw, newest)]
        # A window is taught to the room's reference once, when it is the newest.
        earlier = tuple(replace(h, learn=False) for _, heard in kept for h in heard)
        return Heard(newest, earlier, turned)


def _off_right_angle(angle_rad: float) -> float:
    quarter = math.pi / 2.0
    return abs(angle_rad - quarter * round(angle_rad / quarter))


def heard_windows(
    rig: Rig, windows: Sequence[Window], yaw_rad: float = 0.0, sides: Sequence[Side] | None = None
) -> tuple[HeardWindow, ...]:
    """Return one window an ear with its bearing, the robot turned by ``yaw_rad``."""
    asked = sides or [ear.side for ear in rig.ears]
    return tuple(
        HeardWindow(window, side, wrap_angle(ear.yaw_rad + yaw_rad), ear.channel)
        for ear, window, side in zip(rig.ears, windows, asked, strict=True)
    )
