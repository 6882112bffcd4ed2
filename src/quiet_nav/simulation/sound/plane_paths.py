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

"""
Reflected paths in the plane of a polygon's walls, from one point to another, found by beams.

pyroomacoustics finds the same images, but tries every sequence of walls for every source, which a
source that moves with a robot would pay at each place; here a sequence ends where its beam does.
"""

from __future__ import annotations

import math

import numba
import numpy as np

_EDGE = 1e-9


@numba.njit(cache=True, fastmath=False, nogil=True)
def trace(
    starts: np.ndarray,
    ends: np.ndarray,
    factors: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    order: int,
    positions: np.ndarray,
    amplitudes: np.ndarray,
    orders: np.ndarray,
) -> int:
    """
    Find the images of ``source`` (2,) that ``target`` (2,) sees, up to ``order`` reflections.

    starts, ends: walls (n, 2) of a counter-clockwise polygon, wall i from start i to end i.
    factors: pressure that a wall reflects, (n, bands). Written: positions (k, 2), amplitudes
    (k, bands), orders (k,). Returns how many there are; those beyond k are counted alone.
    """
    walls, bands = factors.shape
    along = ends - starts
    inward = np.empty((walls, 2))
    for w in range(walls):
        length = math.hypot(along[w, 0], along[w, 1])
        inward[w, 0], inward[w, 1] = -along[w, 1] / length, along[w, 0] / length
    image = np.empty((order + 1, 2))
    lit = np.empty((order + 1, 2, 2))
    wall = np.full(order + 1, -1)
    tried = np.zeros(order + 1, np.int64)
    gain = np.ones((order + 1, bands))
    image[0, 0], image[0, 1] = source[0], source[1]
    count, depth = 0, 0
    count = _keep(
        starts, ends, image, wall, gain, depth, target, positions, amplitudes, orders, count
    )
    while depth >= 0:
        w = tried[depth]
        if w == walls or depth == order:
            tried[depth] = 0
            depth -= 1
            continue
        tried[depth] += 1
        if w == wall[depth]:
            continue
        x, y = image[depth, 0], image[depth, 1]
        away = (x - starts[w, 0]) * inward[w, 0] + (y - starts[w, 1]) * inward[w, 1]
        if away <= _EDGE:
            continue
        low, high = 0.0, 1.0
        if depth > 0:
            last = wall[depth]
            # The lit part of a wall lies beyond the last one, between the edges of the beam.
            low, high = _clip(
                low, high, starts[w], along[w], starts[last], inward[last, 0], inward[last, 1]
            )
            for side in range(2):
                dx, dy = lit[depth, side, 0] - x, lit[depth, side, 1] - y
                sign = 1.0 if side == 0 else -1.0
                low, high = _clip(
                    low, high, starts[w], along[w], image[depth], sign * dy, -sign * dx
                )
            if high - low <= _EDGE:
                continue
        depth += 1
        wall[depth] = w
        image[depth, 0] = x - 2.0 * away * inward[w, 0]
        image[depth, 1] = y - 2.0 * away * inward[w, 1]
        for k in range(2):
            lit[depth, 0, k] = starts[w, k] + low * along[w, k]
            lit[depth, 1, k] = starts[w, k] + high * along[w, k]
        for b in range(bands):
            gain[depth, b] = gain[depth - 1, b] * factors[w, b]
        count = _keep(
            starts, ends, image, wall, gain, depth, target, positions, amplitudes, orders, count
        )
    return count


@numba.njit(cache=True, nogil=True)
def _clip(
    low: float,
    high: float,
    start: np.ndarray,
    along: np.ndarray,
    on: np.ndarray,
    nx: float,
    ny: float,
) -> tuple[float, float]:
    """Cut the stretch low..high of a wall to where (p - on) . n >= 0."""
    here = (start[0] - on[0]) * nx + (start[1] - on[1]) * ny
    slope = along[0] * nx + along[1] * ny
    if abs(slope) < 1e-15:
        return (low, high) if here >= -_EDGE else (1.0, 0.0)
    at = -here / slope
    return (max(low, at), high) if slope > 0.0 else (low, min(high, at))


@numba.njit(cache=True, nogil=True)
def _keep(
    starts: np.ndarray,
    ends: np.ndarray,
    image: np.ndarray,
    wall: np.ndarray,
    gain: np.ndarray,
    depth: int,
    target: np.ndarray,
    positions: np.ndarray,
    amplitudes: np.ndarray,
    orders: np.ndarray,
    count: int,
) -> int:
    """Write the image at ``depth`` down where the target sees it; return how many there are."""
    px, py, leaving = target[0], target[1], -1
    for k in range(depth, 0, -1):
        w = wall[k]
        ux, uy = image[k, 0] - px, image[k, 1] - py
        ax, ay = ends[w, 0] - starts[w, 0], ends[w, 1] - starts[w, 1]
        across = ux * ay - uy * ax
        if abs(across) < 1e-15:
            return count
        sx, sy = starts[w, 0] - px, starts[w, 1] - py
        share = (sx * uy - sy * ux) / across
        travel = (sx * ay - sy * ax) / across
        # A path through a corner belongs to one of its walls.
        if share < 0.0 or share >= 1.0 or travel <= 0.0 or travel > 1.0:
            return count
        hx, hy = px + travel * ux, py + travel * uy
        if _blocked(starts, ends, px, py, hx, hy, leaving, w):
            return count
        px, py, leaving = hx, hy, w
    if _blocked(starts, ends, px, py, image[0, 0], image[0, 1], leaving, -1):
        return count
    if count < len(orders):
        positions[count, 0], positions[count, 1] = image[depth, 0], image[depth, 1]
        for b in range(gain.shape[1]):
            amplitudes[count, b] = gain[depth, b]
        orders[count] = depth
    return count + 1


@numba.njit(cache=True, nogil=True)
def _blocked(
    starts: np.ndarray,
    ends: np.ndarray,
    px: float,
    py: float,
    qx: float,
    qy: float,
    one: int,
    other: int,
) -> bool:
    """Return whether a wall stands between two points, other than those that they lie on."""
    for w in range(len(starts)):
        if w == one or w == other:  # noqa: SIM109 (a tuple is slower in Numba)
            continue
        ux, uy = qx - px, qy - py
        ax, ay = ends[w, 0] - starts[w, 0], ends[w, 1] - starts[w, 1]
        across = ux * ay - uy * ax
        if abs(across) < 1e-15:
            continue
        sx, sy = starts[w, 0] - px, starts[w, 1] - py
        share = (sx * uy - sy * ux) / across
        travel = (sx * ay - sy * ax) / across
        if 0.0 <= share <= 1.0 and 1e-9 < travel < 1.0 - 1e-9:
            return True
    return False
