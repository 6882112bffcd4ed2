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

"""Rooms solved once for every place that a robot's ears can be at, and kept in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import asdict, dataclass
import fcntl
import functools
import hashlib
import io
import json
import os
from pathlib import Path
import time

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.scenes import Scene
from quiet_nav.simulation.sound.waves.hybrid import HybridAcoustics
from quiet_nav.simulation.sound.waves.interpolation import reading_weights
from quiet_nav.simulation.sound.waves.solver import WaveSettings, WaveSolver
from quiet_nav.streams import generator

#: Of the files in the cache; others are solved anew.
_VERSION = 1
_SAME_HEIGHT_M = 2e-3
_FULL_SCALE = 32767.0
#: Where a scene's level is set: so many points, so far from everything, out of so many drawn.
_REFERENCE_POINTS, _CLEAR_M, _TRIES = 4, 0.3, 2000

#: What is told before and after a room is solved.
Told = Callable[[str], None]


@dataclass(frozen=True)
class SolvedRoom:
    """
    The low band everywhere at some heights: a ``LowBand``.

    responses (S, heights, cells, samples) int16 times scale (S, heights, cells), mapped from the
    cache; air (nx, ny): padded by a cell; cells in its order.
    """

    responses: np.ndarray
    scale: np.ndarray
    heights_m: np.ndarray
    air: np.ndarray
    edges: tuple[np.ndarray, np.ndarray]
    crossover_hz: float

    @property
    def samples(self) -> int:
        """Length of responses at LOW_RATE."""
        return int(self.responses.shape[-1])

    def at(self, place: np.ndarray) -> np.ndarray:
        """Return responses (S, samples) at a place (3,) at one of the heights."""
        level = np.flatnonzero(np.abs(self.heights_m - place[2]) < _SAME_HEIGHT_M)
        if not len(level):
            known = ', '.join(f'{z:g}' for z in self.heights_m)
            raise QuietNavError(f'the room was solved at heights {known} m, not {place[2]:.3f} m')
        edges = [*self.edges, np.array([0.0, 1.0])]
        centers = [(e[1:] + e[:-1]) / 2.0 for e in edges]
        air = np.pad(self.air[:, :, None], ((0, 0), (0, 0), (1, 1)))
        found = reading_weights(air, centers, edges, np.array([place[0], place[1], 0.5]))
        if found is None:
            raise QuietNavError(f'({place[0]:.2f}, {place[1]:.2f}) m is not in the air of the room')
        plane = np.full(self.air.shape, -1)
        plane[self.air] = np.arange(int(self.air.sum()))
        x, y, _ = np.unravel_index(found[0], air.shape)
        rows = plane[x, y]
        scale = self.scale[:, level[0], rows] * found[1].astype(np.float32)
        return np.einsum('sct,sc->st', self.responses[:, level[0], rows], scale, dtype=np.float32)


def cache_folder() -> Path:
    """Return where solved rooms are kept: QUIET_NAV_CACHE, or quiet_nav in the user's cache."""
    told = os.environ.get('QUIET_NAV_CACHE', '')
    base = os.environ.get('XDG_CACHE_HOME', '') or str(Path.home() / '.cache')
    return Path(told) if told else Path(base) / 'quiet_nav' / 'rooms'


def solved_room(
    plan: Plan,
    sources: np.ndarray,
    heights_m: tuple[float, ...],
    settings: WaveSettings | None = None,
    folder: Path | None = None,
    tell: Told | None = None,
) -> SolvedRoom:
    """
    Return a plan solved from sources (S, 3) on the grid at heights, from the cache or anew.

    folder: instead of ``cache_folder``. tell: told what is solved, its size and time.
    Raises QuietNavError as ``WaveSolver`` does, and where the folder cannot be written.
    """
    settings = settings or WaveSettings(memory_gb=3.0)
    tell = tell or (lambda text: None)
    folder = folder or cache_folder()
    heights = tuple(sorted({round(float(z), 3) for z in heights_m}))
    sources = np.round(np.atleast_2d(np.asarray(sources, float)), 4)
    asked = {
        'version': _VERSION,
        'room': _geometry(plan),
        'sources': sources.tolist(),
        'heights': heights,
        'settings': [settings.crossover_hz, settings.length_s, settings.cells_per_wavelength],
    }
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f'{plan.name}-{key}.npz'
    if not path.is_file():
        with _alone(path):
            if not path.is_file():
                _solve(path, plan, sources, heights, settings, tell)
    return _load(path, settings.crossover_hz)


def hearing_in_plan(
    plan: Plan,
    scene: Scene,
    heights_m: tuple[float, ...],
    settings: WaveSettings | None = None,
    folder: Path | None = None,
    tell: Told | None = None,
) -> Hearing:
    """
    Return ears in a scene of a plan whose low band is solved everywhere at heights, in meters.

    The scene's level is set at the lowest of them, off walls and furniture. Errors as
    ``solved_room``.
    """
    if not scene.sources:
        return Hearing(scene)
    sources = np.array([source.position for source in scene.sources])
    low = solved_room(plan, sources, heights_m, settings, folder, tell)
    height = float(low.heights_m[0])
    corners = plan.corners
    rng = generator(scene.seed, 'reference')
    points = rng.uniform(corners.min(axis=0), corners.max(axis=0), (_TRIES, 2))
    points = points[plan.clearance(points, height) > _CLEAR_M][:_REFERENCE_POINTS]
    reference = np.column_stack([points, np.full(len(points), height)])
    return Hearing(scene, HybridAcoustics(scene.room, sources, low), reference)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let no other process solve the same room meanwhile; it waits and finds it solved."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix('.lock').open('w')
    except OSError as error:
        raise QuietNavError(
            f'solved rooms cannot be kept in {path.parent} ({error.strerror}); name a folder in '
            'QUIET_NAV_CACHE'
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _geometry(plan: Plan) -> dict[str, object]:
    said = asdict(plan)
    for name in ('name', 'description', 'sources', 'tracks'):
        said.pop(name)
    return said


def _solve(
    path: Path,
    plan: Plan,
    sources: np.ndarray,
    heights: tuple[float, ...],
    settings: WaveSettings,
    tell: Told,
) -> None:
    solver = WaveSolver(plan, settings)
    x, y, z = solver.scheme.voxels.centers
    layers = [int(np.clip(np.searchsorted(z, h), 0, len(z) - 1)) for h in heights]
    # A cell whose column is solid at any of the heights is left out at all of them.
    air = np.all([solver.scheme.voxels.air[:, :, layer] for layer in layers], axis=0)
    cells = np.argwhere(air)
    places = np.concatenate(
        [np.column_stack([x[cells[:, 0]], y[cells[:, 1]], np.full(len(cells), h)]) for h in heights]
    )
    cost = solver.require_within_limits(len(sources), len(places))
    tell(f"room '{plan.name}': waves to {settings.crossover_hz:g} Hz, {cost}, kept in {path}")
    began = time.monotonic()
    responses = solver.responses(sources, places)
    shaped = responses.reshape(len(sources), len(heights), len(cells), -1)
    peak = np.maximum(np.abs(shaped).max(axis=-1), 1e-12)
    whole = np.round(shaped * (_FULL_SCALE / peak)[..., None]).astype(np.int16)
    arrays = {
        'responses': whole,
        'scale': (peak / _FULL_SCALE).astype(np.float32),
        'heights': np.array(heights),
        'air': np.pad(air, 1),
        'x': solver.scheme.voxels.edges[0],
        'y': solver.scheme.voxels.edges[1],
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    with whole_file(path, overwrite=True) as part:
        part.write_bytes(buffer.getbuffer())
    took = time.monotonic() - began
    tell(f"room '{plan.name}': solved in {took:.0f} s, {path.stat().st_size / 1e6:.0f} MB")


@functools.lru_cache(maxsize=2)
def _load(path: Path, crossover_hz: float) -> SolvedRoom:
    try:
        with np.load(path, allow_pickle=False) as held:
            return SolvedRoom(
                held['responses'],
                held['scale'],
                held['heights'],
                held['air'],
                (held['x'], held['y']),
                crossover_hz,
            )
    except (OSError, ValueError, KeyError) as error:
        raise QuietNavError(f'{path}: no solved room ({error}); remove it') from error
