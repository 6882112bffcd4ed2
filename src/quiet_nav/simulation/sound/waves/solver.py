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

"""Responses of a room below a crossover, by waves: what is asked, what it costs, what returns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
import functools
from functools import cached_property
import math
import os
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, signal

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sound.acoustics import LATENCY
from quiet_nav.simulation.sound.waves.dispersion import grid_frequency, grid_gain
from quiet_nav.simulation.sound.waves.interpolation import reading_weights
from quiet_nav.simulation.sound.waves.scheme import make_scheme, Scheme
from quiet_nav.simulation.sound.waves.voxels import voxels_of
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

if TYPE_CHECKING:
    from quiet_nav.simulation.sound.waves.device import Device

CROSSOVER_HZ = 700.0
#: Cells in a wavelength at the crossover.
CELLS_PER_WAVELENGTH = 7.0
#: Responses are kept at a rate of their own.
LOW_RATE = 2000
DECIMATION = SAMPLE_RATE // LOW_RATE
#: Where waves give way to image sources: from this share of the crossover frequency on.
FADE = 0.85
#: What a core does in a second on the slowest machine that this is meant for.
NOMINAL_RATE = 250e6
_PULSE_DB = 80.0
_DEVICE = 'QUIET_NAV_WAVES_DEVICE'
#: Cells that a place is read from, and ears that are put right together.
_TAPS, _TOGETHER = 64, 128


@dataclass(frozen=True)
class WaveSettings:
    """How a room is solved."""

    #: Below it responses are by waves, 100 to 0.42 of LOW_RATE.
    crossover_hz: float = CROSSOVER_HZ
    #: Of responses; 0: until a decay of 45 dB, 0.3 to 2 s.
    length_s: float = 0.0
    #: 0: as OMP_NUM_THREADS says, or all cores.
    threads: int = 0
    #: A run that needs more is refused.
    memory_gb: float = 1.5
    #: A run that takes longer on cores of NOMINAL_RATE is refused.
    time_s: float = 3600.0
    #: Of the grid, at the crossover: fewer are faster and disperse more.
    cells_per_wavelength: float = CELLS_PER_WAVELENGTH
    #: cpu, gpu (CUDA, by numba) or auto: a GPU where there is one; what they give differs by
    #: rounding. '': as QUIET_NAV_WAVES_DEVICE says.
    device: str = ''

    def __post_init__(self) -> None:
        if not 100.0 <= self.crossover_hz <= 0.42 * LOW_RATE:
            raise QuietNavError(
                f'crossover {self.crossover_hz:g} Hz; expected 100 to {0.42 * LOW_RATE:g} Hz'
            )
        if not 0.0 <= self.length_s <= 60.0:
            raise QuietNavError(f'responses of {self.length_s:g} s; expected up to 60 s')
        if self.on not in ('auto', 'cpu', 'gpu'):
            raise QuietNavError(
                f"waves on '{self.on}'; expected auto, cpu or gpu, here or in {_DEVICE}"
            )

    @property
    def on(self) -> str:
        """Where it runs: auto, cpu or gpu."""
        return self.device or os.environ.get(_DEVICE, '') or 'auto'

    @property
    def cell_m(self) -> float:
        """Size of a cell in meters."""
        return SPEED_OF_SOUND / self.crossover_hz / self.cells_per_wavelength


@dataclass(frozen=True)
class Cost:
    """What a run takes: cells of air, steps, runs, memory in bytes, seconds on nominal cores."""

    cells: int
    steps: int
    runs: int
    memory: int
    seconds: float

    def __str__(self) -> str:
        return (
            f'{self.cells / 1e6:.2f} million cells x {self.steps} steps x {self.runs} runs, '
            f'{self.memory / 1e9:.2f} GB, about {self.seconds:.0f} s'
        )


class WaveSolver:
    """A room for the band below a crossover, by finite differences in time."""

    def __init__(self, plan: Plan, settings: WaveSettings | None = None) -> None:
        """Prepare a room; raises QuietNavError as ``voxels_of`` does."""
        self.plan = plan
        self.settings = settings or WaveSettings()
        self.scheme: Scheme = make_scheme(voxels_of(plan, self.settings.cell_m))
        self.length_s = self.settings.length_s or decay_length_s(plan)

    @cached_property
    def _device(self) -> Device | None:
        if self.settings.on == 'cpu':
            return None
        from quiet_nav.simulation.sound.waves import device

        if device.available():
            scheme = self.scheme
            return device.Device(scheme.air, scheme.grid, scheme.walls, scheme.edges)
        if self.settings.on == 'gpu':
            raise QuietNavError(
                'waves on gpu: Numba finds no CUDA device; install its driver and the package '
                f'numba-cuda, or set {_DEVICE}=auto'
            )
        return None

    @cached_property
    def pulse(self) -> np.ndarray:
        """Return what the sources emit on the grid: flat to the crossover, nothing far above it."""
        rate = 1.0 / self.scheme.step_s
        begin, end = 1.15 * self.settings.crossover_hz, 2.0 * self.settings.crossover_hz
        taps, beta = signal.kaiserord(_PULSE_DB, (end - begin) / (rate / 2.0))
        window = ('kaiser', beta)
        return np.asarray(signal.firwin(taps | 1, (begin + end) / 2.0, window=window, fs=rate))

    @property
    def steps(self) -> int:
        return math.ceil(self.length_s / self.scheme.step_s) + len(self.pulse)

    @property
    def every(self) -> int:
        """Return steps between recorded samples, without aliases below the crossover."""
        rate = 1.0 / self.scheme.step_s
        return max(1, int(rate / (3.15 * self.settings.crossover_hz)))

    @property
    def samples(self) -> int:
        """Length of responses at LOW_RATE."""
        return math.ceil((self.length_s + LATENCY / SAMPLE_RATE) * LOW_RATE) + 1

    def cost(self, sources: int, ears: int, shared: bool = True) -> Cost:
        """
        Return what responses from sources to ears take; by reciprocity the fewer are run.

        shared: every source is heard by every ear.
        """
        runs, heard = (sources, ears) if not shared or sources <= ears else (ears, sources)
        air = self.scheme.air.size
        lanes = min(self._threads, runs)
        recorded = heard * (self.steps // self.every + 1)
        work = 4 * (2 * air * lanes + 2 * runs * heard * self.samples + 2 * recorded * lanes)
        faces = len(self.scheme.voxels.faces.cells)
        memory = work + 40 * faces + heard * _TAPS * 12 + 12 * air
        updates = self.scheme.cells * self.steps * runs
        seconds = updates / NOMINAL_RATE / min(self._threads, max(runs, self._threads))
        return Cost(self.scheme.cells, self.steps, runs, memory, seconds)

    @property
    def _threads(self) -> int:
        told = os.environ.get('OMP_NUM_THREADS', '')
        return self.settings.threads or (int(told) if told.isdigit() else 0) or os.cpu_count() or 1

    def responses(
        self,
        sources: np.ndarray,
        ears: np.ndarray,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """
        Return float32 of shape (S, E, ``samples``) at LOW_RATE, faded out at the crossover.

        sources (S, 3), ears (E, 3): positions in meters. A point source of amplitude 1 gives 1/r at
        r meters; a wavefront arrives at LATENCY samples of 16 kHz plus its way, as with
        ``RoomAcoustics``. progress: called with (runs done, runs).
        Raises QuietNavError where a place is not in the air, and, with the numbers, where memory
        or time would exceed the limits; before anything is run.
        """
        sources = np.atleast_2d(np.asarray(sources, float))
        ears = np.atleast_2d(np.asarray(ears, float))
        self.require_within_limits(len(sources), len(ears))
        swapped = len(ears) < len(sources)
        starts, ends = (ears, sources) if swapped else (sources, ears)
        out = np.stack(list(self.runs(starts, ends, progress)))
        return np.ascontiguousarray(out.swapaxes(0, 1)) if swapped else out

    def require_within_limits(self, sources: int, ears: int) -> Cost:
        """Return the cost of a run; QuietNavError with the numbers where it is over the limits."""
        cost = self.cost(sources, ears)
        limits = self.settings
        if cost.memory > limits.memory_gb * 1e9 or cost.seconds > limits.time_s:
            raise QuietNavError(
                f"waves in room '{self.plan.name}': {cost}; the limits are "
                f'{limits.memory_gb:g} GB and {limits.time_s:g} s: fewer places, a lower '
                'crossover, shorter responses, or higher limits'
            )
        return cost

    def runs(
        self,
        starts: np.ndarray,
        ends: np.ndarray,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[np.ndarray]:
        """Return responses (E, samples) from each of ``starts`` to all of ``ends``."""
        import numba

        begun = [self.interpolation(start[None]) for start in starts]
        ear_cells, ear_weights = self.interpolation(ends)
        device = self._device
        lanes = min(self._threads, len(starts)) if device is None and _many_may_run() else 1
        done = 0

        def run(place: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
            nonlocal done
            numba.set_num_threads(max(1, self._threads // lanes))
            recorded = self._march(place[0][0], place[1][0], ear_cells, ear_weights)
            parts = range(0, len(recorded), _TOGETHER)
            response = np.concatenate([self._restored(recorded[n : n + _TOGETHER]) for n in parts])
            done += 1
            if progress is not None:
                progress(done, len(starts))
            return response

        with ThreadPoolExecutor(lanes) as pool:
            out = list(pool.map(run, begun))
        return out

    def interpolation(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Return cells and weights (n, taps) by which pressure at places (n, 3) is read.

        Raises QuietNavError where a place is not in the air.
        """
        scheme = self.scheme
        places = np.atleast_2d(np.asarray(places, float))
        centers = [scheme.voxels.centers[axis] for axis in scheme.order]
        edges = [scheme.voxels.edges[axis] for axis in scheme.order]
        read = []
        for place in places:
            found = reading_weights(scheme.air, centers, edges, place[list(scheme.order)])
            if found is None:
                where = ', '.join(f'{v:.2f}' for v in place)
                raise QuietNavError(
                    f"room '{self.plan.name}': ({where}) m is not in the air: in a wall, in "
                    'furniture or outside'
                )
            read.append(found)
        taps = max(len(weight) for _, weight in read)
        cells = np.zeros((len(places), taps), np.int64)
        weights = np.zeros((len(places), taps))
        for n, (cell, weight) in enumerate(read):
            cells[n, : len(cell)], weights[n, : len(cell)] = cell, weight
        return cells, weights

    def _march(
        self, cells: np.ndarray, weights: np.ndarray, ears: np.ndarray, ear_weights: np.ndarray
    ) -> np.ndarray:
        scheme = self.scheme
        drive = (SPEED_OF_SOUND * scheme.step_s) ** 2 * 4.0 * np.pi / scheme.volumes[cells]
        emitted = np.zeros(self.steps, np.float32)
        emitted[: len(self.pulse)] = self.pulse
        source = (cells, (weights * drive).astype(np.float32))
        heard = (ears, ear_weights.astype(np.float32))
        if self._device is not None:
            return self._device.march(emitted, *source, *heard, self.every)
        from quiet_nav.simulation.sound.waves import kernel

        p, q = (np.zeros(scheme.air.shape, np.float32) for _ in range(2))
        before, memory, *walls = scheme.walls
        out = np.zeros((len(ears), self.steps // self.every + 1), np.float32)
        kernel.march(
            p,
            q,
            emitted,
            scheme.grid,
            (np.zeros_like(before), np.zeros_like(memory), *walls),
            scheme.edges,
            *source,
            *heard,
            self.every,
            out,
        )
        return out

    def _restored(self, recorded: np.ndarray) -> np.ndarray:
        """
        Return responses at LOW_RATE of what ears recorded (E, n).

        The pulse is taken out, the grid's dispersion put right; they fade at the crossover.
        """
        step_s, cell_m = self.scheme.step_s, self.settings.cell_m
        size = 2 ** math.ceil(math.log2(2 * self.samples))
        frequency = np.fft.rfftfreq(size, 1.0 / LOW_RATE)
        frequency = frequency[frequency < self.settings.crossover_hz]
        warped = grid_frequency(frequency, cell_m, step_s)
        tail = np.ones(recorded.shape[1], np.float32)
        fade = recorded.shape[1] // 8
        tail[-fade:] = 0.5 + 0.5 * np.cos(np.pi * np.arange(fade) / fade)
        heard = _spectrum_at(recorded * tail, warped * self.every * step_s)
        # A wavefront on the grid is heard one step after it is emitted.
        heard *= np.exp(-2j * np.pi * warped * step_s).astype(np.complex64)
        emitted = np.exp(-2j * np.pi * np.outer(warped, np.arange(len(self.pulse)) * step_s))
        emitted = (emitted * self.pulse).sum(axis=1)
        spectrum = np.zeros((len(recorded), size // 2 + 1), np.complex64)
        spectrum[:, : len(frequency)] = heard * (self.every / emitted / DECIMATION)
        late = np.exp(-2j * np.pi * frequency * LATENCY / SAMPLE_RATE)
        gain = low_share(frequency, self.settings.crossover_hz) / grid_gain(frequency, cell_m)
        spectrum[:, : len(frequency)] *= (late * gain).astype(np.complex64)
        return np.asarray(fft.irfft(spectrum, size, axis=-1)[:, : self.samples])


def _spectrum_at(samples: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """
    Return the spectra (n, len(cycles)) of real samples (n, N) at frequencies in cycles a sample.

    By a padded transform, cubic between its bins with the middle of the samples as their origin:
    to 2e-4. The same whatever a machine's threads, which a product of matrices is not.
    """
    count = samples.shape[1]
    size = 2 ** math.ceil(math.log2(8 * count))
    middle = count // 2
    turned = np.zeros((len(samples), size), np.float32)
    turned[:, : count - middle] = samples[:, middle:]
    turned[:, size - middle :] = samples[:, :middle]
    bins = fft.rfft(turned, axis=-1)
    at = cycles * size
    low = np.floor(at).astype(int)
    share = at - low
    out = np.zeros((len(samples), len(cycles)), np.complex64)
    for step in (-1, 0, 1, 2):
        weight = np.ones_like(share)
        for other in {-1, 0, 1, 2} - {step}:
            weight *= (share - other) / (step - other)
        value = bins[:, np.abs(low + step)]
        value = np.where(low + step < 0, value.conj(), value)
        out += value * weight.astype(np.float32)
    return np.asarray(out * np.exp(-2j * np.pi * cycles * middle).astype(np.complex64))


@functools.cache
def _many_may_run() -> bool:
    """Whether several threads may run compiled code that is itself parallel."""
    import numba

    from quiet_nav.simulation.sound.waves import kernel

    kernel.mirror(np.zeros(1, np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64))
    return str(numba.threading_layer()) != 'workqueue'  # type: ignore[attr-defined]  # no stub


def low_share(frequency_hz: np.ndarray, crossover_hz: float) -> np.ndarray:
    """Return the share of a response that waves give, 1 below the crossover, 0 above it."""
    position = (np.asarray(frequency_hz) / crossover_hz - FADE) / (1.0 - FADE)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(position, 0.0, 1.0)))


def decay_length_s(plan: Plan) -> float:
    """Return how long the sound in a plan takes to decay by 45 dB in its longest band to 500 Hz."""
    from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom

    longest = float(AcousticRoom.of_plan(plan).eyring_rt60()[:3].max())
    return min(max(0.75 * longest, 0.3), 2.0)
