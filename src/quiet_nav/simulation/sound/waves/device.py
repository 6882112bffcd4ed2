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

"""The same update of the wave equation on a CUDA device, a thread a cell, by numba.cuda."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

from numba import cuda as _cuda
import numpy as np

#: Its stubs know little of what is in it.
cuda: Any = _cuda

_THREADS = 256
#: Neighbors along the last axis lie side by side in memory: they are the first of a block.
_BLOCK = (32, 4, 2)


@functools.cache
def available() -> bool:
    """Return whether there is a device, and what it takes to compile for it."""
    with contextlib.suppress(Exception):
        return bool(cuda.is_available())
    return False


@cuda.jit
def _mirror(p, ghosts, mirrors):  # type: ignore[no-untyped-def]
    n = cuda.grid(1)
    if n < ghosts.size:
        p[ghosts[n]] = p[mirrors[n]]


@cuda.jit(device=True)
def _across(p, v, i, j, k):  # type: ignore[no-untyped-def]
    return (
        v[i, j, 0] * p[i, j, k]
        + v[i, j, 1] * p[i + 1, j, k]
        + v[i, j, 2] * p[i - 1, j, k]
        + v[i, j, 3] * p[i, j + 1, k]
        + v[i, j, 4] * p[i, j - 1, k]
    )


@cuda.jit
def _interior(p, q, air, across, within, ahead, behind):  # type: ignore[no-untyped-def]
    k, j, i = cuda.grid(3)
    if i >= p.shape[0] or j >= p.shape[1] or k >= p.shape[2] or not air[i, j, k]:
        return
    w = within
    here = _across(p, across, i, j, k)
    rest = (
        w[i, j, 0] * p[i, j, k]
        + w[i, j, 1] * p[i + 1, j, k]
        + w[i, j, 2] * p[i - 1, j, k]
        + w[i, j, 3] * p[i, j + 1, k]
        + w[i, j, 4] * p[i, j - 1, k]
        + w[i, j, 5] * p[i + 1, j + 1, k]
        + w[i, j, 6] * p[i + 1, j - 1, k]
        + w[i, j, 7] * p[i - 1, j + 1, k]
        + w[i, j, 8] * p[i - 1, j - 1, k]
    )
    rise = ahead[k] * (_across(p, across, i, j, k + 1) - here)
    fall = behind[k] * (here - _across(p, across, i, j, k - 1))
    q[i, j, k] = rest - q[i, j, k] + rise - fall


@cuda.jit
def _edges(p, q, before, cells, rows, start, columns, weights):  # type: ignore[no-untyped-def]
    n = cuda.grid(1)
    if n >= rows.size:
        return
    total = np.float32(0.0)
    for m in range(start[n], start[n + 1]):
        total += weights[m] * p[columns[m]]
    q[cells[rows[n]]] = total - before[rows[n]]


@cuda.jit
def _push(q, source, weights, push):  # type: ignore[no-untyped-def]
    n = cuda.grid(1)
    if n < source.size:
        cuda.atomic.add(q, source[n], weights[n] * push)


@cuda.jit
def _absorb(p, q, before, memory, cells, start, gain, keep, drive, own):  # type: ignore[no-untyped-def]
    b = cuda.grid(1)
    if b >= cells.size:
        return
    past, g, lost = before[b], own[b], np.float32(0.0)
    for f in range(start[b], start[b + 1]):
        lost += gain[f] * memory[f]
    new = (q[cells[b]] + g * past - lost) / (np.float32(1.0) + g)
    q[cells[b]] = new
    for f in range(start[b], start[b + 1]):
        memory[f] = keep[f] * memory[f] + drive[f] * (new - past)
    before[b] = p[cells[b]]


@cuda.jit
def _hear(newest, ears, weights, out, column):  # type: ignore[no-untyped-def]
    e = cuda.grid(1)
    if e >= ears.shape[0]:
        return
    heard = np.float32(0.0)
    for m in range(ears.shape[1]):
        heard += weights[e, m] * newest[ears[e, m]]
    out[e, column] = heard


def _run(kernel: Any, count: int, *arguments: Any) -> None:
    if count:
        kernel[-(-count // _THREADS), _THREADS](*arguments)


class Device:
    """
    A room's scheme on the device, to march in it as often as asked.

    grid, walls, edges: as ``kernel.march`` takes them; air: padded, as in ``Scheme``.
    """

    def __init__(
        self,
        air: np.ndarray,
        grid: tuple[np.ndarray, ...],
        walls: tuple[np.ndarray, ...],
        edges: tuple[np.ndarray, ...],
    ) -> None:
        across, within, ahead, behind, _, _, ghosts, mirrors = grid
        self._shape = air.shape
        self._grid = [
            cuda.to_device(a) for a in (air.astype(np.uint8), across, within, ahead, behind)
        ]
        self._mirrors = [cuda.to_device(a) for a in (ghosts, mirrors)]
        self._state = walls[:2]
        self._walls = [cuda.to_device(a) for a in walls[2:]]
        self._edges = [cuda.to_device(a) for a in edges]
        self._blocks = tuple(-(-n // b) for n, b in zip(air.shape[::-1], _BLOCK, strict=True))

    def march(
        self,
        pulse: np.ndarray,
        source: np.ndarray,
        source_weights: np.ndarray,
        ears: np.ndarray,
        ear_weights: np.ndarray,
        every: int,
    ) -> np.ndarray:
        """
        Run ``len(pulse)`` steps from silence and return what ears hear, (ears, samples).

        As ``kernel.march``, to rounding.
        """
        size = int(np.prod(self._shape))
        flat = [cuda.to_device(np.zeros(size, np.float32)) for _ in range(2)]
        box = [a.reshape(self._shape) for a in flat]
        before, memory = (cuda.to_device(np.zeros_like(a)) for a in self._state)
        place, weights = cuda.to_device(source), cuda.to_device(source_weights)
        heard_at, heard_by = cuda.to_device(ears), cuda.to_device(ear_weights)
        out = cuda.to_device(np.zeros((len(ears), (len(pulse) - 1) // every + 1), np.float32))
        cells, rows = self._walls[0], self._edges[0]
        for n, push in enumerate(pulse):
            now, new = n % 2, (n + 1) % 2
            p, q = flat[now], flat[new]
            _run(_mirror, self._mirrors[0].size, p, *self._mirrors)
            _interior[self._blocks, _BLOCK](box[now], box[new], *self._grid)
            _run(_edges, rows.size, p, q, before, cells, *self._edges)
            if push != 0.0:
                _run(_push, len(source), q, place, weights, np.float32(push))
            _run(_absorb, cells.size, p, q, before, memory, *self._walls)
            if n % every == 0:
                _run(_hear, len(ears), q, heard_at, heard_by, out, n // every)
        return np.asarray(out.copy_to_host())
