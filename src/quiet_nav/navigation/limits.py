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

"""Safety limits: the one place where velocities are bounded, and the watch over odometry."""

from __future__ import annotations

from dataclasses import dataclass
import math

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle


@dataclass(frozen=True)
class Twist2D:
    """Forward velocity in m/s and yaw rate in rad/s, counter-clockwise."""

    linear_mps: float = 0.0
    angular_rps: float = 0.0

    @property
    def is_zero(self) -> bool:
        return self.linear_mps == 0.0 and self.angular_rps == 0.0


STOP = Twist2D()


@dataclass(frozen=True)
class SafetyLimits:
    """
    What the robot may never exceed, and what counts as standing still or as a jump.

    Raises QuietNavError where a value is not positive.
    """

    #: Fastest drive: slow enough to stop before what a bumper finds.
    max_linear_mps: float = 0.15
    #: Fastest turn.
    max_angular_rps: float = 0.8
    #: Most change of speed a second.
    max_linear_accel_mps2: float = 0.4
    #: Most change of the rate of a turn a second.
    max_angular_accel_rps2: float = 2.0
    #: The robot stands below this: odometry at rest has noise.
    rest_linear_mps: float = 0.01
    #: ... and below this.
    rest_angular_rps: float = 0.03
    #: Odometry may go farther between two messages than the fastest motion by this ...
    jump_margin_m: float = 0.1
    #: ... and by this, as stamps jitter.
    jump_margin_rad: float = 0.35

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0.0):
                raise QuietNavError(f'{name} is {value}; expected a positive number')

    def bound(self, wanted: Twist2D, last: Twist2D, dt_s: float) -> Twist2D:
        """
        Return ``wanted`` within the velocity limits and the accelerations from ``last``.

        A velocity that is not finite stops that axis. Zero is reached by the same accelerations;
        where the robot must stand at once, send ``STOP`` unbounded.
        """
        return Twist2D(
            _bound(
                wanted.linear_mps,
                last.linear_mps,
                self.max_linear_mps,
                self.max_linear_accel_mps2 * dt_s,
            ),
            _bound(
                wanted.angular_rps,
                last.angular_rps,
                self.max_angular_rps,
                self.max_angular_accel_rps2 * dt_s,
            ),
        )

    def at_rest(self, twist: Twist2D) -> bool:
        """Return whether a measured twist is small enough to count as standing still."""
        return (
            abs(twist.linear_mps) <= self.rest_linear_mps
            and abs(twist.angular_rps) <= self.rest_angular_rps
        )

    def jumped(self, before: Pose2D, after: Pose2D, dt_s: float) -> bool:
        """Return whether odometry went farther in ``dt_s`` than the robot can, or is not finite."""
        if not all(map(math.isfinite, (after.x, after.y, after.yaw))):
            return True
        dt_s = max(dt_s, 0.0)
        way = before.distance_to(after)
        turn = abs(wrap_angle(after.yaw - before.yaw))
        return (
            way > self.max_linear_mps * dt_s + self.jump_margin_m
            or turn > self.max_angular_rps * dt_s + self.jump_margin_rad
        )


def _bound(wanted: float, last: float, limit: float, change: float) -> float:
    if not math.isfinite(wanted):
        return 0.0
    wanted = max(-limit, min(limit, wanted))
    last = max(-limit, min(limit, last))
    return max(last - change, min(last + change, wanted))
