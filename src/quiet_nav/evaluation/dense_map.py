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

"""The near-wall map of a densely recorded room: the mean probability of every cell (Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.predictors import Predictor
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.quiet_campus.folders import SUBSETS
from quiet_nav.quiet_campus.grids import CELL_M, footprint_of, grid_of
from quiet_nav.quiet_campus.lists import find_subset, load_splits, Row, SPLITS


@dataclass(frozen=True)
class DenseMap:
    """
    The map of a room.

    recordings: how many it is the mean of. walls: the room's corners, (n, 2) meters, None where
    they are not known.
    """

    room: str
    grid: GridMap
    recordings: int
    walls: np.ndarray | None = None

    @property
    def edge_and_inside(self) -> tuple[float, float]:
        """Mean probability of the cells at the edge of the grid, and of those inside; NaN: none."""
        p = self.grid.probability
        inside = np.zeros(p.shape, bool)
        inside[1:-1, 1:-1] = True
        told = (p[~inside & np.isfinite(p)], p[inside & np.isfinite(p)])
        edge, middle = (float(one.mean()) if one.size else float('nan') for one in told)
        return edge, middle


def dense_rooms(data: str | Path) -> dict[str, list[Row]]:
    """
    Return the recordings of every densely recorded room of a folder, all splits, by room.

    Raises QuietNavError where the folder has no SFS-Dense.
    """
    data = Path(data)
    root, _ = find_subset(data, None if (data / 'ProcessedData').is_dir() else SUBSETS['dense'])
    splits = load_splits(root, SUBSETS['dense'])
    rooms: dict[str, dict[Path, Row]] = {}
    for split in SPLITS:
        for row in splits[split]:
            rooms.setdefault(row.room, {}).setdefault(row.folder, row)
    return {room: list(rooms[room].values()) for room in sorted(rooms)}


def dense_map(rows: Sequence[Row], predictor: Predictor) -> DenseMap:
    """
    Return the map of one room's recordings: the mean over all headings in a cell.

    Raises QuietNavError as ``grid_of`` does.
    """
    if not rows:
        raise QuietNavError('a room without recordings has no map')
    grid = grid_of(list(rows))
    near = predictor.predict(rows).near
    total, count = np.zeros(grid.shape), np.zeros(grid.shape)
    at = (grid.cells[:, 1], grid.cells[:, 0])
    np.add.at(total, at, near)
    np.add.at(count, at, 1.0)
    means = np.divide(total, count, out=np.full(grid.shape, np.nan), where=count > 0)
    root = rows[0].folder.parent.parent.parent
    walls = footprint_of(root, rows[0].room)
    return DenseMap(rows[0].room, GridMap(means, grid.x, grid.y, CELL_M), len(rows), walls)
