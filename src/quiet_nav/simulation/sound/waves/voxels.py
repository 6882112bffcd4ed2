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

"""A floor plan on a grid: which cells are air, and what surfaces their walls are."""

from __future__ import annotations

from dataclasses import dataclass
import itertools

import numpy as np
from scipy import ndimage

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.rooms.absorption import Absorption
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.rooms.polygons import nearest_on_segments, points_inside

#: How far a cell's size may be from the one asked for, so that walls lie between cells.
_STRETCH = 0.2
_NEIGHBORS = [(axis, sign) for axis in range(3) for sign in (-1, 1)]


@dataclass(frozen=True)
class Faces:
    """
    Faces between air and solids: cell (n,), axis (n,) and the surface (n,) that each is of.

    cells count in the flat array of the grid; share (n,): how much of the face's area counts, less
    than 1 on slanted walls, whose steps are longer than they are.
    """

    cells: np.ndarray
    axes: np.ndarray
    surfaces: np.ndarray
    share: np.ndarray


@dataclass(frozen=True)
class Voxels:
    """Cells of a room: edges along x, y and z in meters, air (nx, ny, nz), faces and surfaces."""

    edges: tuple[np.ndarray, np.ndarray, np.ndarray]
    air: np.ndarray
    faces: Faces
    surfaces: tuple[Absorption, ...]
    cell_m: float

    @property
    def centers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centers of the cells along x, y and z, in meters."""
        x, y, z = ((e[1:] + e[:-1]) / 2.0 for e in self.edges)
        return x, y, z

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sizes of the cells along x, y and z, in meters."""
        x, y, z = (np.diff(e) for e in self.edges)
        return x, y, z


def voxels_of(plan: Plan, cell_m: float) -> Voxels:
    """
    Return a plan on a grid of cells of about ``cell_m`` meters.

    Walls along x and y, floor and ceiling lie exactly between cells, which are stretched by up to
    20 % for it; slanted walls and furniture are as near as half a cell. Furniture stands solid;
    panels cover their part of a wall.
    Raises QuietNavError where a room or a piece of furniture is too thin for the grid, or where
    furniture cuts the room in two.
    """
    edges = (*_plane_edges(plan, cell_m), _spaced([0.0, plan.height], cell_m))
    if min(len(e) for e in edges) < 4:
        raise QuietNavError(
            f"room '{plan.name}' is less than 3 cells of {cell_m:.3f} m across; "
            'choose smaller cells (a higher frequency) or image sources'
        )
    x, y, z = ((e[1:] + e[:-1]) / 2.0 for e in edges)
    points = np.stack(np.meshgrid(x, y, indexing='ij'), axis=-1)
    floor = points_inside(points, plan.corners)
    air = np.repeat(floor[:, :, None], len(z), axis=2)
    solid_of = np.full(air.shape, -1, np.int32)
    for number, box in enumerate(plan.furniture):
        covered = points_inside(points, np.asarray(box.footprint, float))
        filled = covered[:, :, None] & (z < box.height) & air
        if not filled.any():
            raise QuietNavError(
                f"room '{plan.name}': furniture '{box.name}' is too thin for cells of "
                f'{cell_m:.3f} m; make it at least as thick, leave it out, or solve to a '
                'higher frequency'
            )
        solid_of[filled] = number
    air &= solid_of < 0
    _require_whole(plan, air, cell_m)
    faces, surfaces = _faces(plan, edges, air, solid_of)
    return Voxels(edges, air, faces, surfaces, cell_m)


def _plane_edges(plan: Plan, cell_m: float) -> tuple[np.ndarray, np.ndarray]:
    starts, ends = plan.wall_segments
    edges = []
    for axis in range(2):
        along = np.abs(ends[:, axis] - starts[:, axis]) < 1e-6
        ends_of_room = [plan.corners[:, axis].min(), plan.corners[:, axis].max()]
        edges.append(_spaced(sorted({*ends_of_room, *starts[along, axis].tolist()}), cell_m))
    return edges[0], edges[1]


def _spaced(lines: list[float], cell_m: float) -> np.ndarray:
    """Return edges of cells between the first and the last line, through as many as fit."""

    def fits(a: float, b: float) -> bool:
        cells = round((b - a) / cell_m)
        return cells > 0 and abs((b - a) / cells / cell_m - 1.0) <= _STRETCH

    kept = [lines[0]]
    for line in lines[1:-1]:
        if fits(kept[-1], line):
            kept.append(line)
    while len(kept) > 1 and not fits(kept[-1], lines[-1]):
        kept.pop()
    kept.append(lines[-1])
    pieces = [
        np.linspace(a, b, max(round((b - a) / cell_m), 1) + 1) for a, b in itertools.pairwise(kept)
    ]
    return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])


def _require_whole(plan: Plan, air: np.ndarray, cell_m: float) -> None:
    labels, count = ndimage.label(air)
    if count == 0:
        raise QuietNavError(f"room '{plan.name}': no air in it on cells of {cell_m:.3f} m")
    sizes = np.bincount(labels.ravel())[1:]
    if count > 1 and sizes.sum() - sizes.max() > 0.02 * sizes.sum():
        raise QuietNavError(
            f"room '{plan.name}' falls into {count} parts on cells of {cell_m:.3f} m: a passage is "
            'narrower than a cell; widen it or solve to a higher frequency'
        )
    air &= labels == 1 + int(np.argmax(sizes))


def _faces(
    plan: Plan, edges: tuple[np.ndarray, ...], air: np.ndarray, solid_of: np.ndarray
) -> tuple[Faces, tuple[Absorption, ...]]:
    surfaces = [
        plan.floor.absorption,
        plan.ceiling.absorption,
        *(wall.absorption for wall in plan.walls),
        *(panel.material.absorption for panel in plan.panels),
        *(box.material.absorption for box in plan.furniture),
    ]
    walls, panels = len(plan.walls), len(plan.panels)
    centers = [(e[1:] + e[:-1]) / 2.0 for e in edges]
    padded = np.pad(air, 1)
    inner = (slice(1, -1),) * 3
    parts = []
    for axis, sign in _NEIGHBORS:
        bare = air & ~np.roll(padded, -sign, axis=axis)[inner]
        cells = np.argwhere(bare)
        beyond = cells.copy()
        beyond[:, axis] += sign
        inside = ((beyond >= 0) & (beyond < air.shape)).all(axis=1)
        piece = np.full(len(cells), -1)
        piece[inside] = solid_of[tuple(beyond[inside].T)]
        surface = np.where(piece >= 0, 2 + walls + panels + piece, 0 if sign < 0 else 1)
        share = np.ones(len(cells))
        if axis < 2:
            places = np.stack([centers[k][cells[:, k]] for k in range(3)], axis=-1)
            places[:, axis] = edges[axis][cells[:, axis] + (sign > 0)]
            outer = piece < 0
            surface[outer], share[outer] = _walls_at(plan, places[outer], axis, sign)
        parts.append(
            (
                np.ravel_multi_index(tuple(cells.T), air.shape),
                np.full(len(cells), axis),
                surface,
                share,
            )
        )
    return Faces(*(np.concatenate(part) for part in zip(*parts, strict=True))), tuple(surfaces)


def _walls_at(
    plan: Plan, places: np.ndarray, axis: int, sign: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return surface and share of area of vertical faces at places (n, 3) that look along axis."""
    starts, ends = plan.wall_segments
    along = (ends - starts) / plan.wall_lengths[:, None]
    outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
    distance = nearest_on_segments(places[:, :2], starts, ends)[0]
    # A face looks out of the wall that it belongs to.
    distance = distance + np.where(outward[:, axis] * sign > 0.05, 0.0, 1e3)
    wall = np.argmin(distance, axis=1) if len(places) else np.zeros(0, int)
    surface = 2 + wall
    offset = ((places[:, :2] - starts[wall]) * along[wall]).sum(axis=1)
    for number, panel in enumerate(plan.panels):
        on = (wall == panel.wall) & (offset >= panel.offset) & (offset < panel.offset + panel.width)
        on &= (places[:, 2] >= panel.bottom) & (places[:, 2] < panel.bottom + panel.height)
        surface[on] = 2 + len(plan.walls) + number
    return surface, 1.0 / np.abs(outward[wall]).sum(axis=1)
