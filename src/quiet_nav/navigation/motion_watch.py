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

"""Motion commanded held against motion measured: odometry that is frozen, scaled, reversed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import math

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.navigation.limits import STOP, Twist2D

#: The way back that is looked at: less finds faults late, more hides them behind good way.
_WINDOW_M, _WINDOW_RAD = 0.12, 0.6
#: What was longer ago says nothing of now, however little was commanded since.
_LONGEST_S = 10.0
#: A pause between two samples counts as no longer than this: what was not commanded is no way.
_LONGEST_GAP_S = 0.5


@dataclass(frozen=True)
class MotionSettings:
    """
    How far measured motion may stay behind what was commanded.

    A robot that does not move at 0.15 m/s is found after some 0.5 s; one that slips by a fifth
    never. Raises QuietNavError where a value is negative or not finite.
    """

    #: From a command to odometry that shows it.
    motion_delay_s: float = 0.2
    #: Way that may always be missing, as bases start late.
    motion_margin_m: float = 0.03
    #: Turn that may always be missing.
    motion_margin_rad: float = 0.3
    #: May be missing of what was commanded: wheels slip.
    motion_share: float = 0.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0.0):
                raise QuietNavError(f'{name} is {value}; expected a number from 0 up')


@dataclass(frozen=True)
class _Sample:
    """
    Sums since the start at a time of way (m) or angle (rad), signed.

    told: commanded until now. due: commanded so long ago that odometry must show it by now.
    measured: what odometry says.
    """

    time_ns: int
    told: tuple[float, float]
    due: tuple[float, float]
    measured: tuple[float, float]


class MotionWatch:
    """
    Takes commands and poses of odometry; says where the robot does not do what it is told.

    Way is counted along the robot's heading, so that one that goes backwards loses twice.
    """

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self.settings = settings or MotionSettings()
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new run begins, or the robot was stopped by something else."""
        self._pose: Pose2D | None = None
        self._command, self._command_ns = STOP, 0
        self._told = self._due = self._measured = (0.0, 0.0)
        #: Commands that odometry need not show yet: until when, way and angle.
        self._coming: deque[tuple[int, tuple[float, float]]] = deque()
        self._samples: deque[_Sample] = deque()

    def odometry(self, pose: Pose2D) -> None:
        """Take a finite pose of odometry."""
        before, self._pose = self._pose, pose
        if before is not None:
            dx, dy = pose.x - before.x, pose.y - before.y
            way = dx * math.cos(pose.yaw) + dy * math.sin(pose.yaw)
            self._measured = _sum(self._measured, (way, wrap_angle(pose.yaw - before.yaw)))

    def commanded(self, now_ns: int, command: Twist2D) -> None:
        """Take the command that is sent now; to be called with every one."""
        if self._command_ns:
            dt_s = min(max(now_ns - self._command_ns, 0) * 1e-9, _LONGEST_GAP_S)
            moved = self._command.linear_mps * dt_s, self._command.angular_rps * dt_s
            self._told = _sum(self._told, moved)
            self._coming.append((now_ns + round(self.settings.motion_delay_s * 1e9), moved))
        self._command, self._command_ns = command, now_ns
        while self._coming and self._coming[0][0] <= now_ns:
            self._due = _sum(self._due, self._coming.popleft()[1])
        self._samples.append(_Sample(now_ns, self._told, self._due, self._measured))
        while now_ns - self._samples[0].time_ns > _LONGEST_S * 1e9:
            self._samples.popleft()

    def fault(self) -> str:
        """Return in words how far the robot stays behind, '' where it does what it is told."""
        if not self._samples:
            return ''
        s = self.settings
        for axis, window, margin, words in (
            (0, _WINDOW_M, s.motion_margin_m, 'commanded {:.2f} m, odometry says {:.2f} m'),
            (
                1,
                _WINDOW_RAD,
                s.motion_margin_rad,
                'commanded a turn of {:.2f} rad, odometry says {:.2f} rad',
            ),
        ):
            due, told, went = self._window(axis, window)
            # A robot may be as quick as its commands or as late as the delay: it does neither.
            if all(_behind(wanted, went, margin, s.motion_share) for wanted in (due, told)):
                said = words.format(due, went)
                return f'{said}: odometry is wrong, or the robot is stuck'
        return ''

    def _window(self, axis: int, window: float) -> tuple[float, float, float]:
        """Return what was due, told and measured since the newest window of motion began."""
        newest = self._samples[-1]
        since = next(
            (x for x in reversed(self._samples) if abs(newest.due[axis] - x.due[axis]) >= window),
            self._samples[0],
        )
        return (
            newest.due[axis] - since.due[axis],
            newest.told[axis] - since.told[axis],
            newest.measured[axis] - since.measured[axis],
        )


def _sum(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return a[0] + b[0], a[1] + b[1]


def _behind(told: float, measured: float, margin: float, share: float) -> bool:
    if told < 0.0:
        told, measured = -told, -measured
    return told - measured > margin + share * told
