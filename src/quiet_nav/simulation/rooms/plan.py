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

"""Floor plans: what stands where in a room, and the distances that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import angle_between, Pose2D, wrap_angle
from quiet_nav.simulation.rooms.absorption import Absorption, BANDS_HZ, MATERIALS
from quiet_nav.simulation.rooms.polygons import (
    nearest_on_segments,
    points_inside,
    ray_hits,
    signed_area,
)
from quiet_nav.simulation.rooms.tracks import Track

#: Radius of a TurtleBot 4 (Create 3 base: 0.34 m across).
ROBOT_RADIUS_M = 0.17
PANEL_KINDS = ('door', 'window', 'board')
SOURCE_KINDS = ('ceiling_vent', 'wall_vent', 'window', 'machine')

Point = tuple[float, float]


@dataclass(frozen=True)
class Material:
    """A surface: its name and its energy absorption, one per band of BANDS_HZ."""

    name: str
    absorption: Absorption

    @classmethod
    def named(cls, name: str) -> Material:
        """Return one of the materials that ``simulation.absorption`` knows."""
        return cls(name, MATERIALS[name])


WOOD, PLASTER = Material.named('wood'), Material.named('plaster')
LINOLEUM, ACOUSTIC_TILE = Material.named('linoleum'), Material.named('acoustic_tile')


@dataclass(frozen=True)
class Panel:
    """
    A patch of a wall with a material of its own: a door, a window, a board.

    wall: index of the wall; offset: meters from the wall's start; bottom: meters above the floor.
    """

    kind: str
    wall: int
    offset: float
    width: float
    height: float
    bottom: float = 0.0
    material: Material = WOOD


@dataclass(frozen=True)
class Furniture:
    """
    A box on the floor: counter-clockwise footprint in meters, height in meters.

    The robot and the camera meet its faces; room acoustics takes only its absorption area.
    """

    name: str
    footprint: tuple[Point, ...]
    height: float
    material: Material = WOOD

    @property
    def exposed_area_m2(self) -> float:
        """Area of the top and of the sides in m2."""
        corners = np.asarray(self.footprint)
        around = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1).sum()
        return abs(signed_area(corners)) + float(around) * self.height


@dataclass(frozen=True)
class Source:
    """Where ambient sound comes from: position in meters, kind, level in dB beside the others."""

    name: str
    position: tuple[float, float, float]
    kind: str
    level_db: float = 0.0


@dataclass(frozen=True)
class WallHit:
    """The nearest wall: its index, how far it is, and in which direction of the room (radians)."""

    wall: int
    distance_m: float
    yaw_rad: float


@dataclass(frozen=True)
class Plan:
    """
    A room: counter-clockwise footprint (m), height (m), materials and what stands in it.

    Wall i runs from corner i to corner i + 1, with the room on its left. ``Plan`` takes what it is
    given; ``plan_files.load_plan`` reads and checks YAML, ``plan_check.check_plan`` any plan.
    """

    name: str
    footprint: tuple[Point, ...]
    height: float
    walls: tuple[Material, ...]
    floor: Material
    ceiling: Material
    panels: tuple[Panel, ...] = ()
    furniture: tuple[Furniture, ...] = ()
    sources: tuple[Source, ...] = ()
    tracks: tuple[Track, ...] = ()
    description: str = ''

    @cached_property
    def corners(self) -> np.ndarray:
        """Corners of the room, shape (n, 2)."""
        return np.asarray(self.footprint, dtype=float)

    @cached_property
    def wall_segments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return starts and ends of the walls, each of shape (n, 2)."""
        return self.corners, np.roll(self.corners, -1, axis=0)

    @cached_property
    def obstacle_segments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return starts (s, 2), ends (s, 2), tops (s,) of walls, then of furniture's sides."""
        starts, ends = [self.corners], [self.wall_segments[1]]
        tops = [np.full(len(self.corners), self.height)]
        for box in self.furniture:
            corners = np.asarray(box.footprint, dtype=float)
            starts.append(corners)
            ends.append(np.roll(corners, -1, axis=0))
            tops.append(np.full(len(corners), box.height))
        return np.concatenate(starts), np.concatenate(ends), np.concatenate(tops)

    @property
    def doors(self) -> tuple[Panel, ...]:
        return tuple(panel for panel in self.panels if panel.kind == 'door')

    @property
    def floor_area_m2(self) -> float:
        return signed_area(self.corners)

    @property
    def volume_m3(self) -> float:
        return self.floor_area_m2 * self.height

    @cached_property
    def wall_lengths(self) -> np.ndarray:
        """Lengths of the walls in meters, shape (n,)."""
        starts, ends = self.wall_segments
        return np.linalg.norm(ends - starts, axis=1)

    @property
    def is_shoebox(self) -> bool:
        """Whether the room is a box whose walls run along x and y."""
        starts, ends = self.wall_segments
        straight = np.any(np.abs(ends - starts) < 1e-9, axis=1)
        return len(self.corners) == 4 and bool(np.all(straight))

    def inside(self, points: np.ndarray, z: float | None = None) -> np.ndarray:
        """
        Return for points (..., 2) whether they are in the room and not in furniture.

        z: height of the points in meters; furniture below it does not count. Without z all does.
        """
        points = np.asarray(points, dtype=float)
        free = points_inside(points, self.corners)
        if z is not None and not 0.0 <= z <= self.height:
            return np.zeros_like(free)
        for box in self.furniture:
            if z is None or z <= box.height:
                free &= ~points_inside(points, np.asarray(box.footprint, dtype=float))
        return free

    def clearance(self, points: np.ndarray, z: float | None = None) -> np.ndarray:
        """
        Return the distance in meters from points (..., 2) to the nearest wall or furniture.

        Negative where the point is outside the room or in furniture. z as in ``inside``.
        """
        points = np.asarray(points, dtype=float)
        starts, ends = self._obstacles(z)
        distance = nearest_on_segments(points.reshape(-1, 2), starts, ends)[0].min(axis=1)
        distance = distance.reshape(points.shape[:-1])
        return np.where(self.inside(points, z), distance, -distance)

    def collides(self, pose: Pose2D, radius_m: float = ROBOT_RADIUS_M) -> bool:
        """Return whether a round robot at ``pose`` touches a wall or furniture."""
        return float(self.clearance(np.array([pose.x, pose.y]))) <= radius_m

    def wall_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance in meters from points (..., 2) to the nearest wall."""
        points = np.asarray(points, dtype=float)
        distance = nearest_on_segments(points.reshape(-1, 2), *self.wall_segments)[0]
        return distance.min(axis=1).reshape(points.shape[:-1])

    def nearest_wall(self, x: float, y: float) -> WallHit:
        """Return the nearest wall of a point in the room."""
        distance, feet = nearest_on_segments(np.array([[x, y]]), *self.wall_segments)
        wall = int(np.argmin(distance[0]))
        foot = feet[0, wall]
        return WallHit(wall, float(distance[0, wall]), math.atan2(foot[1] - y, foot[0] - x))

    def ray_distances(
        self,
        origins: np.ndarray,
        yaws_rad: np.ndarray | float,
        z: float | None = None,
        furniture: bool = True,
    ) -> np.ndarray:
        """
        Return how far level rays go before they meet a wall (or furniture), in meters.

        origins: (..., 2); yaws_rad: directions in the room, any shape that broadcasts with the
        origins'. z: height of the ray; furniture lower than it is not met. Infinite outside.
        """
        yaws = np.asarray(yaws_rad, dtype=float)
        origins = np.asarray(origins, dtype=float)
        shape = np.broadcast_shapes(yaws.shape, origins.shape[:-1])
        points = np.broadcast_to(origins, (*shape, 2)).reshape(-1, 2)
        yaws = np.broadcast_to(yaws, shape).reshape(-1)
        directions = np.stack([np.cos(yaws), np.sin(yaws)], axis=1)
        starts, ends = self._obstacles(z) if furniture else self.wall_segments
        return ray_hits(points, directions, starts, ends).min(axis=1).reshape(shape)

    def sector_distance(
        self, x: float, y: float, yaw_rad: float, half_width_rad: float = math.radians(30.0)
    ) -> float:
        """Return the distance to the nearest wall within a sector around a direction, in meters."""
        point = np.array([[x, y]])
        distance, feet = nearest_on_segments(point, *self.wall_segments)
        offset = feet[0] - point
        toward = np.arctan2(offset[:, 1], offset[:, 0])
        within = angle_between(toward, yaw_rad) <= half_width_rad
        edges = yaw_rad + np.array([-half_width_rad, 0.0, half_width_rad])
        rays = self.ray_distances(point[0], edges, furniture=False)
        return float(np.min(np.concatenate([distance[0][within], rays])))

    def wall_absorption(self) -> np.ndarray:
        """Return absorption of walls with their panels, weighted by area, shape (n walls, 7)."""
        areas = self.wall_lengths * self.height
        absorbed = np.array([material.absorption for material in self.walls]) * areas[:, None]
        for panel in self.panels:
            change = np.subtract(panel.material.absorption, self.walls[panel.wall].absorption)
            absorbed[panel.wall] += panel.width * panel.height * change
        return absorbed / areas[:, None]

    def furniture_absorption_m2(self) -> np.ndarray:
        """Return the absorption area that the furniture adds, in m2, one per octave band, (7,)."""
        areas = [box.exposed_area_m2 * np.array(box.material.absorption) for box in self.furniture]
        return np.sum(areas, axis=0) if areas else np.zeros(len(BANDS_HZ))

    def track(self, name: str | None = None) -> Track:
        """Return a track by name, the first without one; QuietNavError names those there are."""
        for track in self.tracks:
            if name is None or track.name == name:
                return track
        known = ', '.join(track.name for track in self.tracks) or 'none'
        raise QuietNavError(f"room '{self.name}': no track '{name or ''}'; tracks: {known}")

    def mirrored(self) -> Plan:
        """Return the room seen in a mirror across x: a wall on the left is then on the right."""
        axis = float(self.corners[:, 0].min() + self.corners[:, 0].max())
        n = len(self.footprint)

        def flip(points: tuple[Point, ...]) -> tuple[Point, ...]:
            return tuple((axis - x, y) for x, y in reversed(points))

        panels = tuple(
            replace(
                panel,
                wall=(n - 2 - panel.wall) % n,
                offset=float(self.wall_lengths[panel.wall]) - panel.offset - panel.width,
            )
            for panel in self.panels
        )
        return replace(
            self,
            name=f'{self.name}_mirrored',
            footprint=flip(self.footprint),
            walls=tuple(self.walls[(n - 2 - i) % n] for i in range(n)),
            panels=panels,
            furniture=tuple(replace(f, footprint=flip(f.footprint)) for f in self.furniture),
            sources=tuple(
                replace(s, position=(axis - s.position[0], *s.position[1:])) for s in self.sources
            ),
            tracks=tuple(track.mirrored(axis) for track in self.tracks),
        )

    def _obstacles(self, z: float | None) -> tuple[np.ndarray, np.ndarray]:
        starts, ends, tops = self.obstacle_segments
        if z is None:
            return starts, ends
        met = tops >= z
        met[: len(self.corners)] = True
        return starts[met], ends[met]


def shoebox(
    name: str,
    size: tuple[float, float, float],
    walls: Material | tuple[Material, Material, Material, Material] = PLASTER,
    floor: Material = LINOLEUM,
    ceiling: Material = ACOUSTIC_TILE,
    furniture: tuple[Furniture, ...] = (),
    sources: tuple[Source, ...] = (),
) -> Plan:
    """
    Return a box-shaped room with a corner at the origin; size: x, y and height in meters.

    Walls are numbered from the one at y = 0: 0 at y = 0, 1 at x = size, 2 at y = size, 3 at x = 0.
    """
    x, y, height = size
    footprint = ((0.0, 0.0), (x, 0.0), (x, y), (0.0, y))
    each = (walls,) * 4 if isinstance(walls, Material) else walls
    return Plan(name, footprint, height, each, floor, ceiling, furniture=furniture, sources=sources)


def rectangle(
    center: Point, length: float, width: float, yaw_rad: float = 0.0
) -> tuple[Point, Point, Point, Point]:
    """Return the counter-clockwise footprint of a box; length runs along ``yaw_rad``."""
    frame = Pose2D(*center, wrap_angle(yaw_rad))
    ahead, aside = 0.5 * length, 0.5 * width
    return (
        frame.transform(-ahead, -aside),
        frame.transform(ahead, -aside),
        frame.transform(ahead, aside),
        frame.transform(-ahead, aside),
    )
