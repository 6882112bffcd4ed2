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

"""What covers, stands at or opens a part of a wall: curtains, glass, shelves, radiators, doors."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.simulation.rooms.absorption import Absorption


@dataclass(frozen=True)
class Patch:
    """
    A rectangle of a wall that is not as the wall beside it.

    wall: its index. start, end: meters along it. bottom, top: heights. absorption: of its surface.
    beside: of the bare wall. depth: how far it stands out into the room. beyond_m: how far behind
    the opening the next wall is; 0 where it is closed.
    """

    kind: str
    wall: int
    start: float
    end: float
    bottom: float
    top: float
    absorption: Absorption
    beside: Absorption
    depth: float = 0.0
    beyond_m: float = 0.0

    @property
    def area_m2(self) -> float:
        return (self.end - self.start) * (self.top - self.bottom)


@dataclass(frozen=True)
class WallFrame:
    """A wall as axes: ``along`` it from its start and ``inward`` from it, unit vectors (2,)."""

    start: np.ndarray
    along: np.ndarray
    inward: np.ndarray
    length: float

    @classmethod
    def of(cls, footprint: tuple[tuple[float, float], ...], wall: int) -> WallFrame:
        """Return the frame of a wall of a counter-clockwise footprint."""
        start = np.asarray(footprint[wall], float)
        end = np.asarray(footprint[(wall + 1) % len(footprint)], float)
        length = float(np.linalg.norm(end - start))
        along = (end - start) / length
        return cls(start, along, np.array([-along[1], along[0]]), length)

    def seen(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far along the wall and how far from it points (..., 2) are, in meters."""
        offset = np.asarray(points, float) - self.start
        return offset @ self.along, offset @ self.inward


def clear_of(
    footprint: tuple[tuple[float, float], ...],
    patches: tuple[Patch, ...],
    points: np.ndarray,
    margin: float,
) -> np.ndarray:
    """
    Return for points (..., 2 or 3) whether each is at least ``margin`` m from what stands out.

    Points without a height count as being at every height.
    """
    points = np.asarray(points, float)
    clear = np.ones(points.shape[:-1], bool)
    for patch in patches:
        if patch.depth == 0.0:
            continue
        u, v = WallFrame.of(footprint, patch.wall).seen(points[..., :2])
        beside = np.maximum(np.maximum(patch.start - u, u - patch.end), 0.0)
        away = np.hypot(beside, np.maximum(v - patch.depth, 0.0))
        if points.shape[-1] == 3:
            z = points[..., 2]
            above = np.maximum(np.maximum(patch.bottom - z, z - patch.top), 0.0)
            away = np.hypot(away, above)
        clear &= (away > margin) | (v < 0.0)
    return clear


def surface_distance(
    footprint: tuple[tuple[float, float], ...],
    patches: tuple[Patch, ...],
    point: np.ndarray,
    yaw_rad: float,
    to_wall_m: float,
) -> float:
    """
    Return how far from a point (3,) the surface is that a level ray meets, in meters.

    to_wall_m: to the wall that it meets. Less where something stands out from that wall there, more
    where it goes through an open door. Sides of what stands out are not met, its front is.
    """
    direction = np.array([math.cos(yaw_rad), math.sin(yaw_rad)])
    hit = np.asarray(point[:2], float) + to_wall_m * direction
    distance = to_wall_m
    for patch in patches:
        if not patch.bottom <= point[2] <= patch.top:
            continue
        frame = WallFrame.of(footprint, patch.wall)
        _, off = frame.seen(hit)
        facing = -float(direction @ frame.inward)
        if abs(off) > 1e-6 or facing <= 1e-6:
            continue
        sooner = patch.depth / facing
        u, _ = frame.seen(hit - sooner * direction)
        if patch.start <= u <= patch.end:
            distance = min(distance, to_wall_m - sooner)
            if patch.beyond_m:
                distance = to_wall_m + patch.beyond_m / facing
    return distance
