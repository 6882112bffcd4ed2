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

"""The near-wall map: mean probability of all readings over the floor (paper, Fig. 6)."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.readings import NEAR_WALL_M

#: Cells that the grid grows by at once, so that it does so seldom.
_GROWTH = 64
#: No robot drives so far from where its odometry began, in meters.
FARTHEST_M = 1e6


@dataclass(frozen=True)
class GridMap:
    """
    What is known of the floor: mean probability, and where its cells are.

    probability: (rows, columns), row 0 at the smallest y, NaN where nothing was asked. x, y: the
    outer corner of cell (0, 0) in meters.
    """

    probability: np.ndarray
    x: float
    y: float
    resolution_m: float

    def occupancy(self) -> np.ndarray:
        """Return the cells (rows, columns) as an OccupancyGrid has them: 0 to 100, -1 unknown."""
        known = np.isfinite(self.probability)
        percent = np.round(100.0 * np.where(known, self.probability, -0.01))
        return percent.astype(np.int8)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top in meters."""
        rows, columns = self.probability.shape
        step = self.resolution_m
        return self.x, self.x + columns * step, self.y, self.y + rows * step


class ProbabilityGrid:
    """
    Means over a grid that grows with where readings come from, up to a bound.

    A reading is about the sector that a near wall would be in: from the ear ``reach_m`` far,
    ``opening_rad`` wide, around the direction asked about; every cell whose center is in it gets
    it, and the ear's own cell always does. Cells are multiples of ``resolution_m``, at most
    ``max_side_m`` along x and y; memory is 16 bytes a cell.
    """

    def __init__(
        self,
        resolution_m: float = 0.05,
        reach_m: float = NEAR_WALL_M,
        opening_rad: float = math.pi / 3.0,
        max_side_m: float = 100.0,
    ) -> None:
        if not 0.0 < resolution_m <= max_side_m:
            raise QuietNavError(f'cells of {resolution_m} m; expected up to {max_side_m} m')
        self.resolution_m = resolution_m
        self._reach, self._half = reach_m, opening_rad / 2.0
        self._most = int(max_side_m / resolution_m)
        self._column = self._row = 0
        self._sum = np.zeros((0, 0))
        self._count = np.zeros((0, 0), np.int64)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the memory that is held."""
        return self._sum.shape

    @property
    def empty(self) -> bool:
        return not self._count.any()

    def cells(self, ear: Pose2D) -> np.ndarray:
        """Return row and column of a reading's cells, (n, 2); the yaw is the direction asked."""
        step = self.resolution_m
        own = np.array([[math.floor(ear.y / step), math.floor(ear.x / step)]])
        low_row, low_column = np.floor(np.array([ear.y, ear.x]) / step - self._reach / step)
        span = np.arange(math.ceil(2.0 * self._reach / step) + 2)
        rows, columns = (a.ravel() for a in np.meshgrid(low_row + span, low_column + span))
        dx, dy = (columns + 0.5) * step - ear.x, (rows + 0.5) * step - ear.y
        ahead = dx * math.cos(ear.yaw) + dy * math.sin(ear.yaw)
        across = dy * math.cos(ear.yaw) - dx * math.sin(ear.yaw)
        # A hair's breadth, so that rounding does not make the two halves of a fan differ.
        inside = np.hypot(dx, dy) <= self._reach + 1e-9
        inside &= np.abs(np.arctan2(across, ahead)) <= self._half + 1e-9
        sector = np.stack([rows[inside], columns[inside]], axis=1).astype(int)
        return np.unique(np.concatenate([own, sector]), axis=0)

    def add(self, ear: Pose2D, probability: float) -> bool:
        """
        Take a reading of an ear that looked along the pose's yaw.

        Returns False, and takes nothing, where that would make the grid larger than it may be.
        Raises QuietNavError where the probability is not one, or the pose not finite.
        """
        if not 0.0 <= probability <= 1.0:
            raise QuietNavError(f'probability {probability}; expected 0 to 1')
        if not all(map(math.isfinite, (ear.x, ear.y, ear.yaw))):
            raise QuietNavError(f'ear at {ear}; expected finite numbers')
        if max(abs(ear.x), abs(ear.y)) > FARTHEST_M:
            return False
        cells = self.cells(ear)
        if not self._grow(cells):
            return False
        at = tuple((cells - (self._row, self._column)).T)
        self._sum[at] += probability
        self._count[at] += 1
        return True

    def replace(self, ear: Pose2D, before: float, after: float) -> None:
        """Let a reading that was added at the same pose say something else."""
        cells = self.cells(ear)
        self._sum[tuple((cells - (self._row, self._column)).T)] += after - before

    def map(self) -> GridMap:
        """Return what is known, cut to the cells that any reading was about."""
        rows, columns = (np.flatnonzero(self._count.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return GridMap(np.full((0, 0), np.nan), 0.0, 0.0, self.resolution_m)
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        count = self._count[part]
        mean = np.full(count.shape, np.nan)
        # What replacing rounds may leave a mean just outside.
        np.divide(self._sum[part], count, out=mean, where=count > 0)
        mean = np.clip(mean, 0.0, 1.0)
        step = self.resolution_m
        x, y = (self._column + columns[0]) * step, (self._row + rows[0]) * step
        return GridMap(mean, float(x), float(y), step)

    def _grow(self, cells: np.ndarray) -> bool:
        low, high = cells.min(axis=0), cells.max(axis=0) + 1
        begin = np.array([self._row, self._column])
        end = begin + self._sum.shape
        if self._sum.size and (low >= begin).all() and (high <= end).all():
            return True
        if not self._sum.size:
            begin, end = low, high
        new_begin = np.where(low < begin, low - _GROWTH, begin)
        new_end = np.where(high > end, high + _GROWTH, end)
        size = new_end - new_begin
        if (np.maximum(end, high) - np.minimum(begin, low) > self._most).any():
            return False
        if (size > self._most).any():
            new_begin, new_end = np.minimum(begin, low), np.maximum(end, high)
            size = new_end - new_begin
        for name, kind in (('_sum', float), ('_count', np.int64)):
            old = getattr(self, name)
            new = np.zeros(size, kind)
            if old.size:
                row, column = begin - new_begin
                new[row : row + old.shape[0], column : column + old.shape[1]] = old
            setattr(self, name, new)
        self._row, self._column = (int(v) for v in new_begin)
        return True
