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

"""Pressure between cells: which cells a place is read from, and with what weights."""

from __future__ import annotations

import itertools
import math

import numpy as np

_TAPS = 4


def reading_weights(
    air: np.ndarray, centers: list[np.ndarray], edges: list[np.ndarray], place: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """
    Return the cells by which the pressure at a place is read, and their weights; 1 in all.

    air: padded by a cell on every side; cells count in its flat array. centers, edges: of the cells
    along each of its axes, without the padding. Cubic along each axis, with the room's flat walls
    as mirrors; near edges of solids linear, of the cells of air alone. None where there is no air.
    """
    home = [
        int(np.clip(np.searchsorted(e, v, side='right') - 1, 0, len(e) - 2))
        for e, v in zip(edges, place, strict=True)
    ]
    if any(not e[0] < v < e[-1] for e, v in zip(edges, place, strict=True)):
        return None
    beside = _nearest_air(air, centers, place, home)
    if beside is None:
        return None
    axes = [_along(air, beside, axis, centers[axis], place[axis]) for axis in range(3)]
    index = np.array(list(itertools.product(*(a[0] for a in axes))))
    weight = np.einsum('i,j,k->ijk', *(a[1] for a in axes)).ravel()
    cells = np.ravel_multi_index(tuple(index.T), air.shape)
    if not air.ravel()[cells].all():
        return _linear(air, beside, centers, place)
    used = np.abs(weight) > 1e-9
    return cells[used], weight[used]


def _nearest_air(
    air: np.ndarray, centers: list[np.ndarray], place: np.ndarray, home: list[int]
) -> list[int] | None:
    """Return the cell (padded index) of air that a place is in or beside, None where none is."""
    best, nearest = None, math.inf
    for step in itertools.product((0, -1, 1), repeat=3):
        cell = [h + s for h, s in zip(home, step, strict=True)]
        inside = all(0 <= c < len(e) for c, e in zip(cell, centers, strict=True))
        if not inside or not air[tuple(c + 1 for c in cell)]:
            continue
        if step == (0, 0, 0):
            return [c + 1 for c in cell]
        away = math.dist([e[c] for c, e in zip(cell, centers, strict=True)], place)
        if away < nearest:
            best, nearest = [c + 1 for c in cell], away
    return best


def _along(
    air: np.ndarray, home: list[int], axis: int, centers: np.ndarray, value: float
) -> tuple[list[int], np.ndarray]:
    """Return four padded indices along an axis and their cubic weights, folded at walls."""
    line = air[tuple(slice(None) if k == axis else h for k, h in enumerate(home))]
    low = high = home[axis]
    while line[low - 1]:
        low -= 1
    while line[high + 1]:
        high += 1
    begin = int(np.searchsorted(centers, value)) - 1 + 1
    wanted = [begin + k for k in (-1, 0, 1, 2)]
    size = centers[1] - centers[0] if len(centers) > 1 else 1.0
    index, at = [], []
    for k in wanted:
        folded = k
        for _ in range(2 * _TAPS):
            if folded < low:
                folded = 2 * low - 1 - folded
            elif folded > high:
                folded = 2 * high + 1 - folded
        index.append(folded)
        inner = min(max(k - 1, 0), len(centers) - 1)
        at.append(centers[inner] + (k - 1 - inner) * size)
    weight = np.ones(_TAPS)
    for a, b in itertools.permutations(range(_TAPS), 2):
        weight[a] *= (value - at[b]) / (at[a] - at[b])
    return index, weight


def _linear(
    air: np.ndarray, home: list[int], centers: list[np.ndarray], place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of air around a place and their weights, linear, adding to 1."""
    axes = []
    for axis in range(3):
        c = centers[axis]
        begin = int(np.clip(np.searchsorted(c, place[axis]) - 1, 0, len(c) - 2))
        share = np.clip((place[axis] - c[begin]) / (c[begin + 1] - c[begin]), 0.0, 1.0)
        axes.append(((begin + 1, 1.0 - share), (begin + 2, share)))
    cells, weights = [], []
    for corner in itertools.product(*axes):
        index = tuple(i for i, _ in corner)
        if air[index]:
            cells.append(np.ravel_multi_index(index, air.shape))
            weights.append(math.prod(w for _, w in corner))
    if sum(weights) < 1e-3:
        cells, weights = [np.ravel_multi_index(tuple(home), air.shape)], [1.0]
    total = np.array(weights)
    return np.array(cells), total / total.sum()
