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
Cell updates a second of the wave solver, beside slices of NumPy of the same scheme; a whole room.

The first part times single steps, several short runs of which the best counts, on one core. The
second solves a furnished-size room of 60 m2 with 3 sources to 700 Hz on all cores and prints time
and memory. Both start from nothing; the first call compiles for about 20 s.

    python benchmarks/bench_waves.py [--runs 12] [--threads 2]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import os
import resource
import time

import numba
import numpy as np

from quiet_nav.simulation.rooms.plan import ACOUSTIC_TILE, LINOLEUM, PLASTER, shoebox
from quiet_nav.simulation.sound.waves import kernel
from quiet_nav.simulation.sound.waves.scheme import Scheme
from quiet_nav.simulation.sound.waves.solver import WaveSettings, WaveSolver

SIZE_M = (10.0, 6.0, 3.0)
SOURCES = np.array([[1.3, 1.1, 2.8], [9.2, 3.3, 0.4], [5.1, 5.8, 1.5]])
EARS = 60


class Slices:
    """The same scheme, walls included, by slices and fancy indices of NumPy."""

    def __init__(self, scheme: Scheme) -> None:
        shape = scheme.air.shape
        self.p, self.q = (np.zeros(shape, np.float32) for _ in range(2))
        self.across, self.within, self.ahead, self.behind = scheme.grid[:4]
        self.ghosts, self.mirrors = scheme.grid[6:]
        before, memory, *self.walls = scheme.walls
        self.before, self.memory = before.copy(), memory.copy()
        cells, start = self.walls[:2]
        self.of_face = np.repeat(np.arange(len(cells)), np.diff(start))

    def step(self) -> None:
        """Advance by a step."""
        p, q = self.p, self.q
        p.ravel()[self.ghosts] = p.ravel()[self.mirrors]
        rows = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]
        n0, n1, _ = p.shape
        view = [p[1 + i : n0 - 1 + i, 1 + j : n1 - 1 + j] for i, j in rows]
        v, w = (a[1:-1, 1:-1, :, None] for a in (self.across, self.within))
        t = sum(v[:, :, n] * view[n] for n in range(5))
        r = sum(w[:, :, n] * view[n][..., 1:-1] for n in range(9))
        rise = np.diff(t, axis=-1)
        inner = q[1:-1, 1:-1, 1:-1]
        inner[...] = (
            r - inner + self.ahead[1:-1] * rise[..., 1:] - self.behind[1:-1] * rise[..., :-1]
        )
        cells, _, gain, keep, drive, own = self.walls
        flat = q.ravel()
        lost = np.bincount(self.of_face, gain * self.memory, len(cells)).astype(np.float32)
        new = (flat[cells] + own * self.before - lost) / (1.0 + own)
        change = (new - self.before)[self.of_face]
        self.memory = keep * self.memory + drive * change
        self.before = p.ravel()[cells]
        flat[cells] = new
        self.p, self.q = q, p


def numba_steps(scheme: Scheme, count: int) -> Callable[[], None]:
    """Return a function that runs so many steps of ours."""
    p, q = (np.zeros(scheme.air.shape, np.float32) for _ in range(2))
    before, memory, *walls = scheme.walls
    none = np.zeros((0, 1), np.int64)
    still = np.zeros(count, np.float32)

    def run() -> None:
        kernel.march(
            p,
            q,
            still,
            scheme.grid,
            (before.copy(), memory.copy(), *walls),
            scheme.edges,
            none[:, 0],
            still[:0],
            none,
            none.astype(np.float32),
            1,
            np.zeros((0, count), np.float32),
        )

    return run


def best(run: Callable[[], None], times: int) -> float:
    """Return the least seconds of CPU that a function took, so that others' work counts less."""
    run()
    spent = []
    for _ in range(times):
        begin = time.thread_time()
        run()
        spent.append(time.thread_time() - begin)
    return min(spent)


def same(scheme: Scheme) -> float:
    """Return the largest difference of both solvers after 50 steps, of the largest pressure."""
    slices = Slices(scheme)
    p, q = (np.zeros(scheme.air.shape, np.float32) for _ in range(2))
    before, memory, *walls = scheme.walls
    place = np.array([int(np.ravel_multi_index([n // 2 for n in p.shape], p.shape))])
    pulse = np.hanning(20).astype(np.float32)
    none = np.zeros((0, 1), np.int64)
    steps = np.zeros(50, np.float32)
    steps[: len(pulse)] = pulse
    kernel.march(
        p,
        q,
        steps,
        scheme.grid,
        (before.copy(), memory.copy(), *walls),
        scheme.edges,
        place,
        np.ones(1, np.float32),
        none,
        none.astype(np.float32),
        1,
        np.zeros((0, 50), np.float32),
    )
    for push in steps:
        slices.step()
        slices.p.ravel()[place] += push
    inside = scheme.air
    return float(np.abs(slices.p - p)[inside].max() / np.abs(p[inside]).max())


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument('--runs', type=int, default=12)
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    options = parser.parse_args()
    plan = shoebox('60 m2', SIZE_M, PLASTER, LINOLEUM, ACOUSTIC_TILE)
    solver = WaveSolver(plan, WaveSettings(threads=options.threads, length_s=1.0))
    scheme = solver.scheme
    numba.set_num_threads(1)
    steps = 20
    ours = scheme.cells * steps / best(numba_steps(scheme, steps), options.runs) / 1e6
    slices = Slices(scheme)
    theirs = scheme.cells / best(slices.step, max(options.runs // 3, 3)) / 1e6
    print(
        f'{scheme.cells / 1e6:.2f} million cells of {solver.settings.cell_m * 100:.1f} cm, 1 core'
    )
    for name, rate in (('NumPy slices, same scheme', theirs), ('quiet_nav', ours)):
        print(f'{name:28s} {rate:6.0f} million cell updates/s  {rate / theirs:6.1f} x')
    print(f'largest difference after 50 steps: {same(scheme):.1e} of the largest pressure')
    ears = np.random.default_rng(0).uniform([0.3, 0.3, 0.2], [9.7, 5.7, 1.2], (EARS, 3))
    cost = solver.cost(len(SOURCES), EARS)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin, busy = time.perf_counter(), time.process_time()
    solver.responses(SOURCES, ears)
    spent, cpu = time.perf_counter() - begin, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    updates = cost.cells * cost.steps * cost.runs
    print(
        f'60 m2, 3 sources, {EARS} ears, 1 s, to 700 Hz, {options.threads} threads: {spent:.1f} s '
        f'({cpu:.1f} s of CPU), {updates / cpu / 1e6:.0f} million updates a second of CPU, '
        f'{peak / 1e6:.2f} GB at most ({(peak - before) / 1e6:.2f} GB more than before)'
    )


if __name__ == '__main__':
    main()
