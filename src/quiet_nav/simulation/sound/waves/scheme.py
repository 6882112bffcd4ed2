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
The finite-difference scheme: time step, weights, mirrors and walls of a room on voxels.

A compact scheme of 19 points. Its second difference is the energy of the differences across the
faces between cells less a sixth of that of the mixed differences of four cells, which makes the
error the same in every direction (and so correctable: ``dispersion``). Both are taken of air alone,
so that walls of any shape reflect without loss, and the scheme is stable wherever its time step
keeps below the largest eigenvalue of any cube of eight cells in the room (``time_step``).
"""

from __future__ import annotations

from dataclasses import dataclass
import itertools

import numpy as np

from quiet_nav.simulation.sound.waves.admittance import fit_admittance
from quiet_nav.simulation.sound.waves.voxels import Voxels
from quiet_nav.sound.air import SPEED_OF_SOUND

_CUBE = list(itertools.product((0, 1), repeat=3))
_AXES = list(itertools.combinations(range(3), 2))
#: Restoring force that keeps a constant pressure from drifting by rounding: a resonance at about
#: 1.3 Hz, far below what is heard.
_RESTORE = 2e-6
_MARGIN = 0.999


@dataclass(frozen=True)
class Scheme:
    """
    A room ready to march: arrays in the order of ``order``, with one ghost cell around.

    order: which plan axis each array axis is; the last is the longest. grid, walls, edges: what
    ``kernel.march`` takes. volumes: of the cells, in m3, flat over the padded array. air: padded.
    """

    voxels: Voxels
    step_s: float
    order: tuple[int, int, int]
    air: np.ndarray
    volumes: np.ndarray
    grid: tuple[np.ndarray, ...]
    walls: tuple[np.ndarray, ...]
    edges: tuple[np.ndarray, ...]

    @property
    def cells(self) -> int:
        """How many cells hold air."""
        return int(self.air.sum())


def longest_last(voxels: Voxels) -> tuple[int, int, int]:
    """Return plan axes in the order of array axes: ascending in cells."""
    a, b, c = (int(n) for n in np.argsort(voxels.air.shape, kind='stable'))
    return a, b, c


def time_step(voxels: Voxels) -> float:
    """
    Return the largest stable time step in s.

    The scheme's energy is a sum over cubes of eight cells; the largest eigenvalue of any cube that
    occurs, with its cells of air alone, bounds that of the whole room.
    """
    sizes = [np.pad(s, 1, mode='edge') for s in voxels.sizes]
    pairs = [
        np.unique(np.stack([s[:-1], s[1:]], axis=1).round(9), axis=0, return_inverse=True)
        for s in sizes
    ]
    air = np.pad(voxels.air, 1)
    code = np.zeros([n - 1 for n in air.shape], np.int64)
    for bit, corner in enumerate(_CUBE):
        window = tuple(slice(c, c + n - 1) for c, n in zip(corner, air.shape, strict=True))
        code |= air[window].astype(np.int64) << bit
    for axis, (_, which) in enumerate(pairs):
        shape = [1, 1, 1]
        shape[axis] = -1
        code = code * 64 + which.reshape(shape)
    found = np.unique(code)
    found = found[found // 64**3 > 0]
    matrices = np.stack([_cube(int(n), [p for p, _ in pairs], voxels.cell_m) for n in found])
    largest = float(np.linalg.eigvalsh(matrices)[:, -1].max())
    return _MARGIN * 2.0 / (SPEED_OF_SOUND * np.sqrt(largest))


def _cube(code: int, pairs: list[np.ndarray], cell_m: float) -> np.ndarray:
    """Return the scaled energy matrix (8, 8) of a cube: which corners are air, and its sizes."""
    which = [(code // 64 ** (2 - axis)) % 64 for axis in range(3)]
    air = [bool(code // 64**3 >> bit & 1) for bit in range(8)]
    half = [pairs[axis][which[axis]] / 2.0 for axis in range(3)]
    apart = [h.sum() for h in half]
    energy = np.zeros((8, 8))
    mass = np.array([np.prod([half[k][c[k]] for k in range(3)]) for c in _CUBE])
    for a, corner in enumerate(_CUBE):
        if not air[a]:
            continue
        for axis in range(3):
            b = a + (4 >> axis)
            if corner[axis] or not air[b]:
                continue
            area = np.prod([half[k][corner[k]] for k in range(3) if k != axis])
            difference = np.zeros(8)
            difference[[a, b]] = 1.0, -1.0
            energy += area / apart[axis] * np.outer(difference, difference)
        for one, other in _AXES:
            b, c = a + (4 >> one), a + (4 >> other)
            if corner[one] or corner[other]:
                continue
            d = b + c - a
            if not (air[b] and air[c] and air[d]):
                continue
            third = 3 - one - other
            mixed = np.zeros(8)
            mixed[[a, b, c, d]] = 1.0, -1.0, -1.0, 1.0
            weight = cell_m**2 / 6.0 * half[third][corner[third]] / (apart[one] * apart[other])
            energy -= weight * np.outer(mixed, mixed)
    scale = np.where(air, 1.0 / np.sqrt(mass), 0.0)
    return energy * scale[:, None] * scale[None, :]


def make_scheme(voxels: Voxels) -> Scheme:
    """Return the scheme of a room on voxels."""
    order = longest_last(voxels)
    step_s = time_step(voxels)
    air = np.pad(np.transpose(voxels.air, order), 1)
    sizes = [np.pad(voxels.sizes[axis], 1, mode='edge') for axis in order]
    ahead, behind = zip(*(_differences(s, step_s) for s in sizes), strict=True)
    mixing = voxels.cell_m**2 / 6.0 / (SPEED_OF_SOUND * step_s) ** 2
    across, within = _row_weights(ahead, behind, mixing)
    row_start, spans = _spans(air)
    ghosts, mirrors, odd = _mirrors(air)
    volumes = np.einsum('i,j,k->ijk', *sizes).ravel()
    edges_rows = np.flatnonzero(odd)
    walls, cells = _walls(voxels, order, air, volumes, sizes, step_s, edges_rows)
    edges = _edge_rows(air, ahead, behind, mixing, edges_rows, cells)
    grid = (
        across,
        within,
        ahead[2].astype(np.float32),
        behind[2].astype(np.float32),
        row_start,
        spans,
        ghosts,
        mirrors,
    )
    return Scheme(voxels, step_s, order, air, volumes, grid, walls, edges)


def _differences(sizes: np.ndarray, step_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of the differences to the next and to the last cell along an axis."""
    apart = (sizes[1:] + sizes[:-1]) / 2.0
    between = np.concatenate([[sizes[0]], apart, [sizes[-1]]])
    scale = (SPEED_OF_SOUND * step_s) ** 2 / sizes
    return scale / between[1:], scale / between[:-1]


def _row_weights(
    ahead: tuple[np.ndarray, ...], behind: tuple[np.ndarray, ...], mixing: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return weights of rows: of those differenced along the row, and of the others.

    In the order: here, first axis +1 and -1, second +1 and -1, and the four diagonals.
    """
    n0, n1 = len(ahead[0]), len(ahead[1])
    up, down = (np.broadcast_to(w[0][:, None], (n0, n1)) for w in (ahead, behind))
    left, right = (np.broadcast_to(w[1][None, :], (n0, n1)) for w in (ahead, behind))
    around = np.stack([-(up + down + left + right), up, down, left, right], axis=-1)
    across = mixing * around
    across[..., 0] += 1.0
    diagonal = mixing * np.stack([up * left, up * right, down * left, down * right], axis=-1)
    within = np.zeros((n0, n1, 9))
    within[..., :5] = around
    within[..., 5:] = diagonal
    # (up - here)(left - here) and so on, as differences of differences.
    within[..., 0] += mixing * (up + down) * (left + right)
    within[..., 1] -= mixing * up * (left + right)
    within[..., 2] -= mixing * down * (left + right)
    within[..., 3] -= mixing * left * (up + down)
    within[..., 4] -= mixing * right * (up + down)
    within[..., 0] += 2.0 - _RESTORE
    return across.astype(np.float32), within.astype(np.float32)


def _spans(air: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return runs of air along the last axis (spans, 2) and where each row's begin in them."""
    change = np.diff(air.astype(np.int8), axis=2)
    begins, ends = np.argwhere(change == 1), np.argwhere(change == -1)
    count = np.zeros(air.shape[:2], np.int64)
    np.add.at(count, (begins[:, 0], begins[:, 1]), 1)
    start = np.zeros((air.shape[0], air.shape[1] + 1), np.int64)
    flat = np.concatenate([[0], np.cumsum(count.ravel())])
    start[:, :-1] = flat[:-1].reshape(count.shape)
    start[:, -1] = flat[air.shape[1] :: air.shape[1]]
    return start, np.stack([begins[:, 2] + 1, ends[:, 2] + 1], axis=1)


def _steps(shape: tuple[int, ...]) -> list[int]:
    return [shape[1] * shape[2], shape[2], 1]


def _mirrors(air: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return ghosts, what each mirrors, and which cells of air no mirrors serve.

    Flat walls, and corners that the room does not turn around, reflect as a mirror does: their
    solid cells take the pressure of the cell in front. Around edges of solids one solid cell would
    have to mirror several; the cells beside them are told apart (``odd``).
    """
    steps = _steps(air.shape)
    flat = air.ravel()
    cells = np.flatnonzero(flat)
    mirror = np.full(flat.size, -1, np.int64)
    seen = np.zeros(flat.size, np.int8)
    for axis, sign in itertools.product(range(3), (-1, 1)):
        beyond = cells + sign * steps[axis]
        solid = ~flat[beyond]
        mirror[beyond[solid]] = cells[solid]
        seen[beyond[solid]] += 1
    mirror[seen > 1] = -1
    for (one, other), s, t in itertools.product(_AXES, (-1, 1), (-1, 1)):
        beyond = cells + s * steps[one] + t * steps[other]
        corner = ~flat[beyond] & (seen[beyond] == 0)
        mirror[beyond[corner]] = cells[corner]
    odd = np.zeros(flat.size, bool)
    for axis, sign in itertools.product(range(3), (-1, 1)):
        beyond = cells + sign * steps[axis]
        odd[cells] |= ~flat[beyond] & (mirror[beyond] != cells)
    for (one, other), s, t in itertools.product(_AXES, (-1, 1), (-1, 1)):
        b, c = cells + s * steps[one], cells + t * steps[other]
        d = b + t * steps[other]
        wanted = np.where(flat[b], b, np.where(flat[c], c, cells))
        both = flat[b] & flat[c]
        odd[cells] |= np.where(flat[d], ~both, both | (mirror[d] != wanted))
    ghosts = np.flatnonzero(mirror >= 0)
    return ghosts, mirror[ghosts], odd


def _edge_rows(
    air: np.ndarray,
    ahead: tuple[np.ndarray, ...],
    behind: tuple[np.ndarray, ...],
    mixing: float,
    odd: np.ndarray,
    cells: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows of ``odd`` cells in compressed form, counted in ``cells``."""
    flat, steps = air.ravel(), _steps(air.shape)
    place = np.unravel_index(odd, air.shape)
    offsets: dict[int, np.ndarray] = {0: np.full(len(odd), 2.0 - _RESTORE)}

    def add(offset: int, weight: np.ndarray) -> None:
        offsets[offset] = offsets.get(offset, 0.0) + weight

    def weight_of(axis: int, sign: int) -> np.ndarray:
        return (ahead if sign > 0 else behind)[axis][place[axis]]

    for axis, sign in itertools.product(range(3), (-1, 1)):
        weight = weight_of(axis, sign) * flat[odd + sign * steps[axis]]
        add(sign * steps[axis], weight)
        add(0, -weight)
    for (one, other), s, t in itertools.product(_AXES, (-1, 1), (-1, 1)):
        b, c = s * steps[one], t * steps[other]
        weight = mixing * weight_of(one, s) * weight_of(other, t)
        weight = weight * (flat[odd + b] & flat[odd + c] & flat[odd + b + c])
        for offset, factor in ((0, 1.0), (b, -1.0), (c, -1.0), (b + c, 1.0)):
            add(offset, factor * weight)
    columns = odd[:, None] + np.array(list(offsets))[None, :]
    weights = np.stack(list(offsets.values()), axis=1)
    used = (weights != 0.0) & flat[columns]
    start = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    rows = np.searchsorted(cells, odd)
    return rows, start, columns[used], weights[used].astype(np.float32)


def _walls(
    voxels: Voxels,
    order: tuple[int, int, int],
    air: np.ndarray,
    volumes: np.ndarray,
    sizes: list[np.ndarray],
    step_s: float,
    odd: np.ndarray,
) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """
    Return the arrays of cells beside walls and of their faces, faces in the order of cells.

    Each face is a resistance with a spring or mass behind it; its memory is a one-pole filter of
    the change of pressure by the trapezoidal rule, which keeps it passive at any time step.
    """
    faces = voxels.faces
    index = np.stack(np.unravel_index(faces.cells, voxels.air.shape))[list(order)] + 1
    cell = np.ravel_multi_index(tuple(index), air.shape)
    axis = np.argsort(order)[faces.axes]
    depth = np.choose(axis, [sizes[k][index[k]] for k in range(3)])
    fitted = [fit_admittance(tuple(surface)) for surface in voxels.surfaces]
    high = np.array([a.high for a in fitted])[faces.surfaces]
    low = np.array([a.low for a in fitted])[faces.surfaces]
    delay = np.array([a.delay_s for a in fitted])[faces.surfaces]
    scale = 0.5 * SPEED_OF_SOUND * step_s / depth * faces.share
    drive = 1.0 / (2.0 * delay + step_s)
    keep = (2.0 * delay - step_s) * drive
    slow = (low - high) * step_s
    gain = scale * slow * (1.0 + keep)
    own = scale * (high + slow * drive)
    by_cell = np.argsort(cell, kind='stable')
    cells = np.unique(np.concatenate([cell, odd]))
    start = np.searchsorted(cell[by_cell], np.append(cells, cells[-1] + 1))
    total = np.bincount(np.searchsorted(cells, cell), own, len(cells))
    single = [a[by_cell].astype(np.float32) for a in (gain, keep, drive)]
    before = np.zeros(len(cells), np.float32)
    memory = np.zeros(len(cell), np.float32)
    return (before, memory, cells, start, *single, total.astype(np.float32)), cells
