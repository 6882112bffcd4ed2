"""Velocity profiles closed on odometry: turn to a heading, drive a distance along it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.navigation.limits import STOP, SafetyLimits, Twist2D

HEADING_TOLERANCE_RAD = 0.02
DISTANCE_TOLERANCE_M = 0.005
#: Part of the acceleration limit that the braking ramp plans with; the rest is reserve.
BRAKING_SHARE = 0.4
CREEP_MPS = 0.02
CREEP_RPS = 0.05
HEADING_HOLD_GAIN = 1.5
HEADING_HOLD_MAX_RPS = 0.3


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


Motion = Turn | Drive


def wanted_twist(motion: Motion | None, pose: Pose2D, limits: SafetyLimits) -> Twist2D | None:
    """Return the velocity that a motion wants, STOP for none, None when it is done."""
    return STOP if motion is None else motion.command(pose, limits)
