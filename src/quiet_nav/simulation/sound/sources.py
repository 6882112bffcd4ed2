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

"""Ambient sources: shaped noise, hum and recordings that drift, start and stop over time."""

from __future__ import annotations

from dataclasses import dataclass
import functools
from pathlib import Path

import numpy as np
from scipy import fft

from quiet_nav.simulation.sound.ambient_kinds import AMBIENT_KINDS, ambient_loop
from quiet_nav.simulation.sound.clips import load_clip, recorded_loop, repeated
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator, stream_key, white_noise

KINDS = ('ceiling_vent', 'wall_vent', 'window', 'machine')
#: Frequencies (Hz) at which the smooth equalizer of a source is drawn.
EQUALIZER_HZ = (31.25, 62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
LOWEST_HZ = 30.0
_HALF = 2048


@dataclass(frozen=True)
class Drift:
    """A slow change: a sum of sinusoids, each with amplitude, period (s) and phase (rad)."""

    amplitudes: tuple[float, ...] = ()
    periods_s: tuple[float, ...] = ()
    phases_rad: tuple[float, ...] = ()

    def at(self, time_s: np.ndarray) -> np.ndarray:
        """Return the value at times of any shape."""
        parts = zip(self.amplitudes, self.periods_s, self.phases_rad, strict=True)
        return sum(
            (a * np.sin(2 * np.pi * time_s / p + f) for a, p, f in parts), np.zeros_like(time_s)
        )


@dataclass(frozen=True)
class Schedule:
    """On for on_s, off for off_s, again and again; ramp_s is how long a change takes."""

    on_s: float
    off_s: float
    phase_s: float = 0.0
    ramp_s: float = 0.5

    def at(self, time_s: np.ndarray) -> np.ndarray:
        """Return the gate, 0 to 1, at times of any shape."""
        t = np.mod(time_s + self.phase_s, self.on_s + self.off_s)
        return np.clip(t / self.ramp_s, 0, 1) * np.clip((self.on_s - t) / self.ramp_s + 1, 0, 1)


@dataclass(frozen=True)
class Source:
    """
    A point source of unit RMS at 1 m, before ``level_db`` and what changes over time.

    position: meters. slope: power falls as 1/f^slope. equalizer_db: at EQUALIZER_HZ.
    drifting_db: a second equalizer, added in the share that ``spectral`` says (-1 to 1).
    hum: amplitudes and phases of the harmonics of hum_hz. recording: a clip instead of noise; a
    kind of AMBIENT_KINDS is a sound of that kind, synthesized, instead.
    """

    kind: str
    position: tuple[float, float, float]
    stream: int
    level_db: float = 0.0
    slope: float = 1.0
    equalizer_db: tuple[float, ...] = (0.0,) * len(EQUALIZER_HZ)
    drifting_db: tuple[float, ...] = ()
    hum_hz: float = 0.0
    hum_amplitudes: tuple[float, ...] = ()
    hum_phases_rad: tuple[float, ...] = ()
    gain_db: Drift = Drift()
    spectral: Drift = Drift()
    schedule: Schedule | None = None
    recording: str = ''


def source_samples(
    source: Source, seed: int, start: int, count: int, sounds: str = ''
) -> np.ndarray:
    """
    Return what a source emits from sample ``start``, float32, shape (count,), 16 kHz.

    The value at a sample depends on (source, seed, sample) alone, so intervals join seamlessly.
    sounds: the folder of the recordings.
    """
    time = np.arange(start, start + count) / SAMPLE_RATE
    if source.recording or source.kind in AMBIENT_KINDS:
        offset = int(generator(seed, 'clip', source.stream).integers(1 << 20))
        out = repeated(_loop(source, seed, sounds), start + offset, count)
    else:
        out = noise_samples(source, seed, start, count, time)
        if source.hum_amplitudes:
            out += _hum(source, time)
    return (out * course_of_gain(source, time)).astype(np.float32)


def _loop(source: Source, seed: int, sounds: str) -> np.ndarray:
    if source.recording:
        return recorded_loop(str(Path(sounds) / source.recording))
    return ambient_loop(source.kind, seed, source.stream)


def course_of_gain(source: Source, time_s: np.ndarray) -> np.ndarray:
    """Return a source's linear gain over an interval: its level, drift and schedule, (n,)."""
    slow = np.linspace(time_s[0], time_s[-1], 2 + len(time_s) // 800)
    gain = source.level_db + source.gain_db.at(slow)
    gate = 10 ** (np.interp(time_s, slow, gain) / 20)
    if source.schedule is not None:
        gate = gate * source.schedule.at(time_s)
    return gate


def source_spectrum(
    source: Source, frequency_hz: np.ndarray, sounds: str = '', seed: int = 0
) -> np.ndarray:
    """
    Return the share of a source's power near each of evenly spaced frequencies; sums to 1.

    seed: of the scene, for kinds that are synthesized.
    """
    if source.recording or source.kind in AMBIENT_KINDS:
        from scipy import signal

        if source.recording:
            clip = load_clip(str(Path(sounds) / source.recording))
        else:
            clip = ambient_loop(source.kind, seed, source.stream)
        at, power = signal.welch(clip, SAMPLE_RATE, nperseg=min(2048, len(clip)))
        power = np.interp(frequency_hz, at, power)
    else:
        power = _magnitude(source.slope, source.equalizer_db, frequency_hz) ** 2
        power /= power.sum()
        if source.hum_amplitudes:
            step = frequency_hz[1] - frequency_hz[0]
            for k, amplitude in enumerate(source.hum_amplitudes, 1):
                power[round(k * source.hum_hz / step)] += amplitude**2 / 2
    return power / power.sum()


def _magnitude(slope: float, equalizer_db: tuple[float, ...], frequency: np.ndarray) -> np.ndarray:
    f = np.maximum(frequency, 1.0)
    shape = np.interp(np.log(f), np.log(EQUALIZER_HZ), equalizer_db)
    low = 1.0 / (1.0 + (LOWEST_HZ / f) ** 8)
    return low * f ** (-slope / 2) * 10 ** (shape / 20)


@functools.lru_cache(maxsize=128)
def _filter(
    slope: float, equalizer_db: tuple[float, ...], norm_db: tuple[float, ...], size: int
) -> np.ndarray:
    """Spectrum on ``size`` points of the zero-phase filter, at unit gain for white noise."""
    frequency = np.fft.rfftfreq(2 * _HALF, 1.0 / SAMPLE_RATE)
    window = np.hanning(2 * _HALF + 1)[:-1]

    def taps(curve: tuple[float, ...]) -> np.ndarray:
        return np.roll(np.fft.irfft(_magnitude(slope, curve, frequency)), _HALF) * window

    response = taps(equalizer_db) / np.linalg.norm(taps(norm_db))
    padded = np.zeros(size)
    padded[: len(response)] = response
    return fft.rfft(padded).astype(np.complex64)


def noise_samples(
    source: Source, seed: int, start: int, count: int, time_s: np.ndarray
) -> np.ndarray:
    """Return a source's shaped noise alone, unit RMS, (count,); time_s: of its samples."""
    size = fft.next_fast_len(count + 2 * _HALF, real=True)
    white = white_noise(stream_key(seed, 'noise', source.stream), start - _HALF, count + 2 * _HALF)
    spectrum = fft.rfft(white, size)

    def shaped(curve: tuple[float, ...]) -> np.ndarray:
        response = _filter(source.slope, curve, source.equalizer_db, size)
        return fft.irfft(spectrum * response, size)[2 * _HALF :][:count]

    out = shaped(source.equalizer_db)
    if source.drifting_db:
        moved = tuple(a + b for a, b in zip(source.equalizer_db, source.drifting_db, strict=True))
        share = source.spectral.at(time_s).astype(np.float32)
        out = out + share * (shaped(moved) - out)
    return out


def _hum(source: Source, time: np.ndarray) -> np.ndarray:
    turn = np.exp(2j * np.pi * np.mod(source.hum_hz * time, 1.0)).astype(np.complex64)
    power, out = np.ones_like(turn), np.zeros(len(time), np.float32)
    parts = zip(source.hum_amplitudes, source.hum_phases_rad, strict=True)
    for amplitude, phase in parts:
        power = power * turn
        out += (power * np.complex64(amplitude * np.exp(1j * phase))).real
    return out
