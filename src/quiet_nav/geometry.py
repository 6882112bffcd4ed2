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

"""Plane geometry that every layer shares: poses, sides and angles (REP-103)."""

from __future__ import annotations

from dataclasses import dataclass
import enum
import math

import numpy as np


def wrap_angle(angle_rad: float) -> float:
    """Return the same angle in (-pi, pi]."""
    wrapped = math.remainder(angle_rad, 2.0 * math.pi)
    return math.pi if wrapped == -math.pi else wrapped


def angle_between(one_rad: np.ndarray | float, other_rad: np.ndarray | float) -> np.ndarray:
    """Return how far two directions are apart, 0 to pi; arrays broadcast."""
    return np.abs(np.remainder(one_rad - other_rad + math.pi, 2.0 * math.pi) - math.pi)


def yaw_of_quaternion(x: float, y: float, z: float, w: float) -> float:
    """Return the yaw of a rotation in radians, -pi to pi; roll and pitch are dropped."""
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


class Side(enum.IntEnum):
    """The direction that an ear is asked about, in base_link axes; numbers as in NearWall.msg."""

    FRONT = 0
    LEFT = 1
    BACK = 2
    RIGHT = 3

    @property
    def yaw_rad(self) -> float:
        """Direction of the side from base_link x, counter-clockwise."""
        return wrap_angle(self.value * math.pi / 2.0)

    @property
    def opposite(self) -> Side:
        return Side((self.value + 2) % 4)

    @classmethod
    def nearest(cls, yaw_rad: float) -> Side:
        """Return the side whose direction is nearest to a yaw in base_link."""
        return cls(round(yaw_rad / (math.pi / 2.0)) % 4)


@dataclass(frozen=True)
class Pose2D:
    """Position in meters and yaw in radians, counter-clockwise."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0

    def transform(self, x: float, y: float) -> tuple[float, float]:
        """Return a point given in this pose's frame in the frame that the pose is given in."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return self.x + c * x - s * y, self.y + s * x + c * y

    def compose(self, other: Pose2D) -> Pose2D:
        """Return ``other``, given relative to this pose, in this pose's parent frame."""
        x, y = self.transform(other.x, other.y)
        return Pose2D(x, y, wrap_angle(self.yaw + other.yaw))

    def inverse(self) -> Pose2D:
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return Pose2D(-c * self.x - s * self.y, s * self.x - c * self.y, wrap_angle(-self.yaw))

    def relative_to(self, origin: Pose2D) -> Pose2D:
        """Return this pose as seen from ``origin``."""
        return origin.inverse().compose(self)

    def distance_to(self, other: Pose2D) -> float:
        return math.hypot(other.x - self.x, other.y - self.y)
