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

"""The acoustic side of a room: footprint, height and absorption, with its plane geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TYPE_CHECKING

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.rooms.absorption import Absorption, absorption, BANDS_HZ
from quiet_nav.simulation.rooms.polygons import (
    first_crossing,
    nearest_on_segments,
    points_inside,
    ray_hits,
    signed_area,
)
from quiet_nav.simulation.rooms.wall_patches import clear_of, Patch, surface_distance

if TYPE_CHECKING:
    from quiet_nav.simulation.rooms.plan import Plan

#: Energy absorption of air per meter and band at 20 degrees C and 30-50 % humidity (ISO 9613).
AIR_20C = (0.1e-3, 0.3e-3, 0.6e-3, 1.0e-3, 1.9e-3, 5.8e-3, 20.3e-3)
#: Image-source orders used unless told otherwise. A polygon's images are searched for, not counted
#: out: for six walls, two sources and three microphones 0.05 s at order 8, 0.13 s at 10, 1 s at 12.
SHOEBOX_ORDER, POLYGON_ORDER = 12, 9
NO_AIR = (0.0,) * len(BANDS_HZ)


@dataclass(frozen=True)
class AcousticRoom:
    """
    A prism: a simple polygon with vertical walls, a floor at z = 0 and a flat ceiling.

    footprint: corners in meters, counter-clockwise, wall i from corner i to corner i + 1.
    walls: absorption of each wall; floor, ceiling, air: absorption per band (air: per meter).
    order: highest reflection order of the image sources. patches: what is on parts of the walls;
    ``walls`` is then what each is on average over its area.
    Raises QuietNavError for crossing walls, impossible materials and sizes.
    """

    footprint: tuple[tuple[float, float], ...]
    height: float
    walls: tuple[Absorption, ...]
    floor: Absorption
    ceiling: Absorption
    order: int = SHOEBOX_ORDER
    air: Absorption = AIR_20C
    patches: tuple[Patch, ...] = ()

    def __post_init__(self) -> None:
        corners = np.asarray(self.footprint, float)
        if corners.ndim != 2 or corners.shape[0] < 3 or corners.shape[1] != 2:
            raise QuietNavError('footprint needs at least three corners of two coordinates')
        if not np.isfinite(corners).all() or not 0.5 <= self.height <= 100:
            raise QuietNavError(
                f'room height {self.height} m; expected 0.5 to 100 m and finite corners'
            )
        if len(self.walls) != len(corners):
            raise QuietNavError(f'{len(self.walls)} wall materials for {len(corners)} walls')
        for surface in (*self.walls, self.floor, self.ceiling):
            absorption(surface)
        if not 0 <= self.order <= 200:
            raise QuietNavError(f'image-source order {self.order}; expected 0 to 200')
        crossing = first_crossing(corners)
        if crossing:
            raise QuietNavError(
                'room with crossing walls: wall {} and wall {} (counted from 0) '
                'meet; give the corners in order around the room'.format(*crossing)
            )
        if signed_area(corners) <= 0:
            raise QuietNavError('footprint corners run clockwise; expected counter-clockwise')

    @classmethod
    def shoebox(
        cls,
        length: float,
        width: float,
        height: float,
        walls: Absorption | Sequence[Absorption] | float = 0.1,
        floor: Absorption | float = 0.1,
        ceiling: Absorption | float = 0.1,
        *,
        order: int = SHOEBOX_ORDER,
        air: Absorption = AIR_20C,
    ) -> AcousticRoom:
        """
        Return a room from (0, 0, 0) to (length, width, height), in meters.

        walls: of y = 0, x = length, y = width, x = 0 in this order, or one for all four.
        """
        each: Sequence[Any] = (walls,) * 4
        if isinstance(walls, (list, tuple)) and len(walls) == 4:
            each = walls
        corners = (
            (0.0, 0.0),
            (float(length), 0.0),
            (float(length), float(width)),
            (0.0, float(width)),
        )
        return cls(
            corners,
            float(height),
            tuple(absorption(w) for w in each),
            absorption(floor),
            absorption(ceiling),
            order,
            tuple(air),
        )

    @classmethod
    def of_plan(
        cls, plan: Plan, order: int | None = None, air: Absorption = AIR_20C
    ) -> AcousticRoom:
        """
        Return what a floor plan is to sound.

        Panels (doors, windows) count by their share of their wall's area, furniture as absorption
        area spread over the floor. order: 12 for a box and POLYGON_ORDER otherwise by default.
        """
        corners = np.asarray(plan.footprint, float)
        first = int(np.lexsort((corners[:, 0], corners[:, 1]))[0])
        added = plan.furniture_absorption_m2() / plan.floor_area_m2
        floor = np.clip(np.asarray(plan.floor.absorption) + added, 0.0, 1.0)
        room = cls(
            tuple(map(tuple, np.roll(corners, -first, axis=0).tolist())),
            plan.height,
            tuple(map(tuple, np.roll(plan.wall_absorption(), -first, axis=0).tolist())),
            tuple(floor.tolist()),
            tuple(plan.ceiling.absorption),
            0,
            tuple(air),
        )
        if order is None:
            order = SHOEBOX_ORDER if room.is_shoebox else POLYGON_ORDER
        return replace(room, order=order)

    @property
    def is_shoebox(self) -> bool:
        """Return whether its corners are an axis-aligned rectangle that begins lower left."""
        c = self.footprint
        return (
            len(c) == 4
            and c[0][1] == c[1][1]
            and c[1][0] == c[2][0]
            and c[2][1] == c[3][1]
            and c[3][0] == c[0][0]
        )

    @property
    def volume(self) -> float:
        """Volume in cubic meters."""
        return signed_area(np.asarray(self.footprint)) * self.height

    @property
    def surfaces(self) -> list[tuple[float, Absorption]]:
        """Area in square meters and absorption of every surface."""
        corners = np.asarray(self.footprint)
        lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
        ground = signed_area(corners)
        return [(float(n * self.height), a) for n, a in zip(lengths, self.walls, strict=True)] + [
            (ground, self.floor),
            (ground, self.ceiling),
        ]

    def contains(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """
        Return for points (..., 2 or 3) whether each is inside, ``margin`` m from surfaces.

        And as far from what stands out from the walls; at every height, for points (..., 2).
        """
        points = np.asarray(points, float)
        inside = points_inside(points[..., :2], np.asarray(self.footprint))
        inside = inside & (self.nearest_wall(points)[0] > margin)
        if self.patches:
            inside &= clear_of(self.footprint, self.patches, points, margin)
        if points.shape[-1] == 3:
            inside &= (points[..., 2] > margin) & (points[..., 2] < self.height - margin)
        return inside

    def require_inside(self, points: np.ndarray, what: str) -> None:
        """Raise QuietNavError that names the first of points (n, 3) outside or in a wall."""
        points = np.atleast_2d(points)
        if points.shape[-1] != 3 or not np.isfinite(points).all():
            raise QuietNavError(f'{what}: expected finite positions of shape (n, 3)')
        bad = np.flatnonzero(~self.contains(points, 1e-3))
        if bad.size:
            place = ', '.join(f'{v:.3f}' for v in points[bad[0]])
            raise QuietNavError(
                f'{what} {bad[0]} at ({place}) m is outside the room or inside a '
                'wall; move it at least 1 mm into the room'
            )

    def nearest_wall(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return distance (m) and direction (yaw, rad) to the nearest wall for points (..., 2)."""
        points = np.asarray(points, float)[..., :2]
        flat = points.reshape(-1, 2)
        distance, feet = nearest_on_segments(flat, *self._walls)
        nearest = np.argmin(distance, axis=1)
        row = np.arange(len(flat))
        to_wall = feet[row, nearest] - flat
        yaw = np.arctan2(to_wall[:, 1], to_wall[:, 0])
        shape = points.shape[:-1]
        return distance[row, nearest].reshape(shape), yaw.reshape(shape)

    def distance_along(self, points: np.ndarray, yaw_rad: np.ndarray | float) -> np.ndarray:
        """Return the distance (m) from points (..., 2) to the first wall in a direction."""
        points = np.asarray(points, float)[..., :2]
        shape = np.broadcast_shapes(points.shape[:-1], np.shape(yaw_rad))
        origins = np.broadcast_to(points, (*shape, 2)).reshape(-1, 2)
        yaw = np.broadcast_to(np.asarray(yaw_rad, float), shape).reshape(-1)
        rays = np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
        return ray_hits(origins, rays, *self._walls).min(axis=1).reshape(shape)

    def surface_along(self, point: np.ndarray, yaw_rad: float) -> float:
        """
        Return the distance (m) from a point (3,) to the first surface in a level direction.

        The wall's, or that of what stands at it there; beyond an open door that of the next wall.
        """
        point = np.asarray(point, float)
        to_wall = float(self.distance_along(point, yaw_rad))
        return surface_distance(self.footprint, self.patches, point, yaw_rad, to_wall)

    @property
    def _walls(self) -> tuple[np.ndarray, np.ndarray]:
        corners = np.asarray(self.footprint, float)
        return corners, np.roll(corners, -1, axis=0)

    def eyring_rt60(self) -> np.ndarray:
        """Return Eyring's reverberation time in s per band, air included (Kuttruff, eq. 5.24)."""
        area = np.array([s for s, _ in self.surfaces])
        alpha = np.array([a for _, a in self.surfaces])
        mean = (area[:, None] * alpha).sum(0) / area.sum()
        damping = -area.sum() * np.log1p(-np.minimum(mean, 1 - 1e-9))
        return (
            24.0
            * np.log(10.0)
            / 343.0
            * self.volume
            / (damping + 4.0 * np.asarray(self.air) * self.volume)
        )
