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

"""Rooms recorded on a grid (SFS-Dense): which cell a place is in, and where the walls are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field

from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.quiet_campus.annotation import read_annotation
from quiet_nav.quiet_campus.lists import Row

#: Side of a cell, as in the paper's recordings.
CELL_M = 1.5

_Coordinate = Annotated[float, Field(ge=-1000, le=1000)]


class _Part(Schema):
    model_config = ConfigDict(extra='ignore')


class _AcousticRoom(_Part):
    footprint: tuple[tuple[_Coordinate, _Coordinate], ...]


class _Scene(_Part):
    room: _AcousticRoom


class _Room(_Part):
    scene: _Scene


class _Manifest(_Part):
    rooms: dict[Name, _Room]


@dataclass(frozen=True)
class RoomGrid:
    """
    The cells of a room's recordings.

    cells: column and row of each recording, (N, 2) from 0 on. x, y: the outer corner of cell (0, 0)
    in the room's frame, meters.
    """

    cells: np.ndarray
    x: float
    y: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        columns, rows = self.cells.max(axis=0) + 1
        return int(rows), int(columns)


def grid_of(rows: list[Row]) -> RoomGrid:
    """
    Return the grid of one room's recordings.

    Where it lies follows from their poses: each is in its cell. Raises QuietNavError where an
    annotation has neither cell nor pose, or a pose is outside its cell whatever the grid's place.
    """
    said = [read_annotation(row.folder, 'cell', 'pose') for row in rows]
    cells = np.array([(*one.cell, 0, 0)[:2] for one in said if one.cell], int)
    places = np.array([(one.pose.x, one.pose.y) for one in said if one.pose])
    if (cells < 0).any() or (cells > 1000).any():
        raise QuietNavError(f'{rows[0].folder.parent}: cells {cells.min()} to {cells.max()}')
    inside = places - CELL_M * cells
    low, high = inside.max(axis=0) - CELL_M, inside.min(axis=0)
    if (low > high + 1e-6).any():
        raise QuietNavError(
            f'{rows[0].folder.parent}: poses do not lie in their cells of {CELL_M} m; '
            'expected cells [column, row] along x and y'
        )
    x, y = (low + high) / 2.0
    return RoomGrid(cells, float(x), float(y))


def footprint_of(root: Path, room: str) -> np.ndarray | None:
    """
    Return a simulated room's corners, (n, 2) meters, from the manifest; None where there is none.

    Raises QuietNavError where the manifest cannot be read.
    """
    path = root / 'manifest.json'
    if not path.is_file():
        return None
    rooms = checked(_Manifest, read_json(path, finite=False), str(path)).rooms
    return np.array(rooms[room].scene.room.footprint) if room in rooms else None
