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

"""The update of the wave equation on voxels, compiled: one step of every cell, walls included."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_FAST: dict[str, Any] = {
    'error_model': 'numpy',
    'boundscheck': False,
    'fastmath': True,
    'cache': True,
}


@numba.njit(parallel=True, nogil=True, **_FAST)
def mirror(p, ghosts, mirrors):  # type: ignore[no-untyped-def]
    """Give solid cells beside flat walls the pressure of the cell in front of the wall."""
    for n in numba.prange(len(ghosts)):
        p[ghosts[n]] = p[mirrors[n]]


@numba.njit(parallel=True, nogil=True, **_FAST)
def _interior(p, q, across, within, ahead, behind, row_start, spans):  # type: ignore[no-untyped-def]
    """
    Replace ``q``, the pressure a step ago, by that of the next step in every fluid cell.

    The tensor product along the last axis: ``t`` is what its second difference is taken of, ``r``
    all the rest; rows are plain loops over a few arrays each, which compilers vectorise.
    """
    n0, n1, n2 = p.shape
    for i in numba.prange(1, n0 - 1):
        t = np.empty(n2, np.float32)
        r = np.empty(n2, np.float32)
        for j in range(1, n1 - 1):
            first, last = row_start[i, j], row_start[i, j + 1]
            if first == last:
                continue
            v0, v1, v2, v3, v4 = (
                across[i, j, 0],
                across[i, j, 1],
                across[i, j, 2],
                across[i, j, 3],
                across[i, j, 4],
            )
            w0, w1, w2, w3, w4 = (
                within[i, j, 0],
                within[i, j, 1],
                within[i, j, 2],
                within[i, j, 3],
                within[i, j, 4],
            )
            w5, w6, w7, w8 = within[i, j, 5], within[i, j, 6], within[i, j, 7], within[i, j, 8]
            for s in range(first, last):
                # Views that begin at 0: an index that might be negative is not vectorized.
                begin, end = spans[s, 0] - 1, spans[s, 1] + 1
                c, up, down = p[i, j, begin:end], p[i + 1, j, begin:end], p[i - 1, j, begin:end]
                left, right = p[i, j + 1, begin:end], p[i, j - 1, begin:end]
                a, b = p[i + 1, j + 1, begin:end], p[i + 1, j - 1, begin:end]
                d, e = p[i - 1, j + 1, begin:end], p[i - 1, j - 1, begin:end]
                out, f, g = q[i, j, begin:end], ahead[begin:end], behind[begin:end]
                for k in range(end - begin):
                    t[k] = v0 * c[k] + v1 * up[k] + v2 * down[k] + v3 * left[k] + v4 * right[k]
                for k in range(end - begin):
                    r[k] = w0 * c[k] + w1 * up[k] + w2 * down[k] + w3 * left[k] + w4 * right[k]
                for k in range(end - begin):
                    r[k] += w5 * a[k] + w6 * b[k] + w7 * d[k] + w8 * e[k]
                for k in range(1, end - begin - 1):
                    here = t[k]
                    out[k] = r[k] - out[k] + f[k] * (t[k + 1] - here) - g[k] * (here - t[k - 1])


@numba.njit(parallel=True, nogil=True, **_FAST)
def _edges(p, q, before, cells, rows, start, columns, weights):  # type: ignore[no-untyped-def]
    """Update the cells beside edges of solids, whose neighbors differ from cell to cell."""
    for n in numba.prange(len(rows)):
        b = rows[n]
        total = np.float32(0.0)
        for m in range(start[n], start[n + 1]):
            total += weights[m] * p[columns[m]]
        q[cells[b]] = total - before[b]


@numba.njit(parallel=True, nogil=True, **_FAST)
def _absorb(p, q, before, memory, cells, start, gain, keep, drive, own):  # type: ignore[no-untyped-def]
    """
    Let what the walls swallow out of the cells beside them.

    memory: of every face's admittance; own (cells,): sum of the gains of a cell's faces.
    """
    for b in numba.prange(len(cells)):
        cell = cells[b]
        past, g, lost = before[b], own[b], np.float32(0.0)
        for f in range(start[b], start[b + 1]):
            lost += gain[f] * memory[f]
        new = (q[cell] + g * past - lost) / (np.float32(1.0) + g)
        q[cell] = new
        change = new - past
        for f in range(start[b], start[b + 1]):
            memory[f] = keep[f] * memory[f] + drive[f] * change
        before[b] = p[cell]


@numba.njit(nogil=True, **_FAST)
def _step(p, q, flat_p, flat_q, push, grid, walls, edges, source, weights):  # type: ignore[no-untyped-def]
    across, within, ahead, behind, row_start, spans, ghosts, mirrors = grid
    before, memory, cells, start, gain, keep, drive, own = walls
    rows, first, columns, row_weights = edges
    mirror(flat_p, ghosts, mirrors)
    _interior(p, q, across, within, ahead, behind, row_start, spans)
    _edges(flat_p, flat_q, before, cells, rows, first, columns, row_weights)
    if push != 0.0:
        for m in range(len(source)):
            flat_q[source[m]] += weights[m] * push
    _absorb(flat_p, flat_q, before, memory, cells, start, gain, keep, drive, own)


@numba.njit(nogil=True, **_FAST)
def march(p, q, pulse, grid, walls, edges, source, source_weights, ears, ear_weights, every, out):  # type: ignore[no-untyped-def]
    """
    Run ``len(pulse)`` steps; p and q are the pressure now and a step ago, both overwritten.

    The newest pressure is in q after an odd number of steps and in p after an even one.
    out: (ears, samples) of every ``every``-th step, the first included.
    """
    flat_p, flat_q = p.reshape(-1), q.reshape(-1)
    for n in range(len(pulse)):
        # Never exchanged as variables: their owners would be counted wrongly.
        newest = flat_q
        if n % 2 == 0:
            _step(p, q, flat_p, flat_q, pulse[n], grid, walls, edges, source, source_weights)
        else:
            _step(q, p, flat_q, flat_p, pulse[n], grid, walls, edges, source, source_weights)
            newest = flat_p
        if n % every == 0:
            for e in range(len(ears)):
                heard = np.float32(0.0)
                for m in range(ears.shape[1]):
                    heard += ear_weights[e, m] * newest[ears[e, m]]
                out[e, n // every] = heard
