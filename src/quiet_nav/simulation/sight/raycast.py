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

"""Ray casting of a floor plan: which surface each pixel of a level camera sees, and how far off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.plan import Furniture, Plan
from quiet_nav.simulation.rooms.polygons import points_inside, ray_hits


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera: pixels, focal lengths and center in pixels (center of pixel 0 is 0.0)."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def scaled(self, factor: float) -> Intrinsics:
        """Return the camera with ``factor`` times as many pixels across, same field of view."""
        return Intrinsics(
            round(self.width * factor),
            round(self.height * factor),
            self.fx * factor,
            self.fy * factor,
            (self.cx + 0.5) * factor - 0.5,
            (self.cy + 0.5) * factor - 0.5,
        )


@dataclass(frozen=True)
class View:
    """
    What the pixels of an image see, each array of shape (height, width).

    depth: meters along the optical axis, float32. surface: int16 index into ``surfaces(plan)``.
    u, v: meters on the surface, float32: along a wall from its start and down from its top; x and
    y in the room on level surfaces.
    """

    depth: np.ndarray
    surface: np.ndarray
    u: np.ndarray
    v: np.ndarray


def surfaces(plan: Plan) -> tuple[str, ...]:
    """Return what each surface index is: 'wall 0', ..., 'floor', 'ceiling', 'desk side 0', ..."""
    names = [f'wall {i}' for i in range(len(plan.footprint))] + ['floor', 'ceiling']
    for box in plan.furniture:
        names += [f'{box.name} side {i}' for i in range(len(box.footprint))] + [f'{box.name} top']
    return tuple(names)


def cast(plan: Plan, pose: Pose2D, z: float, camera: Intrinsics) -> View:
    """
    Return what a level camera sees from ``pose`` (optical axis along its yaw) at height z.

    Walls and sides of furniture are upright, so a column of pixels meets each at one depth and a
    row meets floor, ceiling and table tops at one depth: rays are cast for columns and rows, and
    only the comparison is made for every pixel.
    """
    ahead = np.array([np.cos(pose.yaw), np.sin(pose.yaw)])
    right = np.array([ahead[1], -ahead[0]])
    across = (np.arange(camera.width) - camera.cx) / camera.fx
    down = (np.arange(camera.height) - camera.cy) / camera.fy
    directions = ahead + across[:, None] * right
    origin = np.array([pose.x, pose.y])

    hits = _column_hits(origin, directions, *plan.wall_segments)
    wall = np.argmin(hits, axis=1)
    wall_depth = np.min(hits, axis=1)
    starts, ends = plan.wall_segments
    along = (ends - starts) / plan.wall_lengths[:, None]
    points = origin + wall_depth[:, None] * directions
    wall_u = np.sum((points - starts[wall]) * along[wall], axis=1)

    n = len(plan.footprint)
    level_depth = _level_depth(down, z, plan.height)
    is_wall = wall_depth.astype(np.float32) <= level_depth.astype(np.float32)[:, None]
    level = np.where(down > 0.0, n, n + 1).astype(np.int16)
    depth = np.minimum(*_outer(wall_depth, level_depth))
    surface = np.where(is_wall, wall.astype(np.int16), level[:, None])
    level_x, level_y = _level_points(origin, level_depth, directions)
    wall_v = plan.height - (z - _product(down, wall_depth))
    u = np.where(is_wall, wall_u.astype(np.float32), level_x)
    v = np.where(is_wall, wall_v, level_y)
    view = View(depth, surface, u, v)

    index = n + 2
    for box in plan.furniture:
        _draw_box(view, box, index, origin, directions, down, z)
        index += len(box.footprint) + 1
    return view


def _draw_box(
    view: View,
    box: Furniture,
    index: int,
    origin: np.ndarray,
    directions: np.ndarray,
    down: np.ndarray,
    z: float,
) -> None:
    """Draw a box over what is behind it."""
    starts = np.asarray(box.footprint, dtype=float)
    ends = np.roll(starts, -1, axis=0)
    hits = _column_hits(origin, directions, starts, ends)
    columns = np.flatnonzero(np.isfinite(hits).any(axis=1))
    if not len(columns):
        return
    span = slice(columns[0], columns[-1] + 1)
    hits, directions = hits[span], directions[span]
    depth, surface = view.depth[:, span], view.surface[:, span]
    u, v = view.u[:, span], view.v[:, span]
    sides = np.argsort(hits.min(axis=0))
    for side in sides[np.isfinite(hits.min(axis=0)[sides])]:
        along = (ends[side] - starts[side]) / np.linalg.norm(ends[side] - starts[side])
        met = np.flatnonzero(np.isfinite(hits[:, side]))
        part = slice(met[0], met[-1] + 1)
        at = hits[part, side]
        finite = np.where(np.isfinite(at), at, 0.0)
        drop = _product(down, finite)
        seen = (at.astype(np.float32) < depth[:, part]) & (drop <= z) & (drop >= z - box.height)
        points = origin + finite[:, None] * directions[part]
        side_u = ((points - starts[side]) @ along).astype(np.float32)
        np.copyto(depth[:, part], at.astype(np.float32), where=seen)
        np.copyto(surface[:, part], np.int16(index + side), where=seen)
        np.copyto(u[:, part], side_u, where=seen)
        np.copyto(v[:, part], box.height - z + drop, where=seen)
    if box.height >= z:
        return
    rows = down > 0.0
    top_depth = (z - box.height) / down[rows]
    passed = np.sum(hits[None] < top_depth[:, None, None], axis=2)
    odd = bool(points_inside(origin, starts))
    seen = (passed % 2 == int(not odd)) & (top_depth.astype(np.float32)[:, None] < depth[rows])
    x, y = _level_points(origin, top_depth, directions)
    top = slice(len(down) - len(top_depth), None)
    np.copyto(depth[top], top_depth.astype(np.float32)[:, None], where=seen)
    np.copyto(surface[top], np.int16(index + len(starts)), where=seen)
    np.copyto(u[top], x, where=seen)
    np.copyto(v[top], y, where=seen)


def _column_hits(
    origin: np.ndarray, directions: np.ndarray, starts: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    return ray_hits(np.broadcast_to(origin, directions.shape), directions, starts, ends)


def _level_depth(down: np.ndarray, z: float, height: float) -> np.ndarray:
    """Return for each row the depth at which its rays meet floor or ceiling."""
    drop = np.where(down > 0.0, z, height - z)
    slope = np.maximum(np.abs(down), 1e-9)
    return drop / slope


def _outer(columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return columns.astype(np.float32)[None, :], rows.astype(np.float32)[:, None]


def _product(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return rows.astype(np.float32)[:, None] * columns.astype(np.float32)


def _level_points(
    origin: np.ndarray, depth: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # Rows near the horizon meet the floor far outside; a wall hides it there.
    depth = np.minimum(depth, 1e3)
    x, y = (np.float32(origin[axis]) + _product(depth, directions[:, axis]) for axis in (0, 1))
    return x, y
