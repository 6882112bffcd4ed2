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

"""Velocity profiles closed on odometry: turn to a heading, drive a distance along it."""

from __future__ import annotations

from dataclasses import dataclass
import math

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.navigation.limits import SafetyLimits, STOP, Twist2D

HEADING_TOLERANCE_RAD = 0.02
DISTANCE_TOLERANCE_M = 0.005
#: Part of the acceleration limit that the braking ramp plans with; the rest is reserve.
BRAKING_SHARE = 0.4
CREEP_MPS = 0.02
CREEP_RPS = 0.05
HEADING_HOLD_GAIN = 1.5
HEADING_HOLD_MAX_RPS = 0.3
#: A motion may take so many times as long as its profile asks for, and this longer.
SLOWEST, SLOWEST_S = 1.5, 2.0


@dataclass(frozen=True)
class Turn:
    """Turn in place to a heading in odometry."""

    yaw_rad: float

    def command(self, pose: Pose2D, limits: SafetyLimits) -> Twist2D | None:
        """Return the velocity wanted now, None when the heading is reached."""
        error = wrap_angle(self.yaw_rad - pose.yaw)
        if abs(error) <= HEADING_TOLERANCE_RAD:
            return None
        rate = math.sqrt(2.0 * BRAKING_SHARE * limits.max_angular_accel_rps2 * abs(error))
        return Twist2D(0.0, math.copysign(max(rate, CREEP_RPS), error))

    def left(self, pose: Pose2D) -> float:
        """Return the angle to turn from a pose in radians, without sign."""
        return abs(wrap_angle(self.yaw_rad - pose.yaw))

    def longest_s(self, angle_rad: float, limits: SafetyLimits) -> float:
        """Return how long a turn by so much may take in seconds."""
        return _longest_s(angle_rad, limits.max_angular_rps, limits.max_angular_accel_rps2)


@dataclass(frozen=True)
class Drive:
    """Drive a distance from a pose in odometry along its heading."""

    start: Pose2D
    yaw_rad: float
    distance_m: float

    def driven_m(self, pose: Pose2D) -> float:
        dx, dy = pose.x - self.start.x, pose.y - self.start.y
        return dx * math.cos(self.yaw_rad) + dy * math.sin(self.yaw_rad)

    def command(self, pose: Pose2D, limits: SafetyLimits) -> Twist2D | None:
        """Return the velocity wanted now, None when the distance is driven."""
        left = self.distance_m - self.driven_m(pose)
        if left <= DISTANCE_TOLERANCE_M:
            return None
        speed = math.sqrt(2.0 * BRAKING_SHARE * limits.max_linear_accel_mps2 * left)
        error = wrap_angle(self.yaw_rad - pose.yaw)
        rate = max(-HEADING_HOLD_MAX_RPS, min(HEADING_HOLD_MAX_RPS, HEADING_HOLD_GAIN * error))
        return Twist2D(max(speed, CREEP_MPS), rate)

    def left(self, pose: Pose2D) -> float:
        """Return the way to drive from a pose in meters."""
        return max(self.distance_m - self.driven_m(pose), 0.0)

    def longest_s(self, way_m: float, limits: SafetyLimits) -> float:
        """Return how long a drive of so much may take in seconds."""
        return _longest_s(way_m, limits.max_linear_mps, limits.max_linear_accel_mps2)


def _longest_s(length: float, speed: float, accel: float) -> float:
    """Return a time that bounds ramp up, way at speed, and braking with reserve."""
    ramps_s = speed / accel * (0.5 + 0.5 / BRAKING_SHARE)
    return SLOWEST * (length / speed + ramps_s) + SLOWEST_S


Motion = Turn | Drive


def wanted_twist(motion: Motion | None, pose: Pose2D, limits: SafetyLimits) -> Twist2D | None:
    """Return the velocity that a motion wants, STOP for none, None when it is done."""
    return STOP if motion is None else motion.command(pose, limits)
