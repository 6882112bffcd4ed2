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

"""Figures of rooms' responses: decay times, levels over places, relative spectra, intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal

from quiet_nav.sound.windows import SAMPLE_RATE

OCTAVES_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)
#: Bands in which relative spectra are compared.
BANDS_HZ = ((40.0, 120.0), (120.0, 300.0), (300.0, 600.0), (600.0, 1000.0))
THIRDS_HZ = tuple(1000.0 * 2.0 ** (k / 3.0) for k in range(-13, 7))
_DECAY_DB = (-5.0, -25.0)
_SIZE = 16384


def decay_times(responses: np.ndarray, center_hz: float) -> np.ndarray:
    """
    Return reverberation times in s of responses (n, samples) in an octave (n,).

    From -5 to -25 dB of the backward integral (ISO 3382, T20); NaN where it does not fall so far.
    """
    edges = [center_hz / np.sqrt(2.0), center_hz * np.sqrt(2.0)]
    octave = signal.butter(4, edges, 'bandpass', fs=SAMPLE_RATE, output='sos')
    energy = signal.sosfiltfilt(octave, responses, axis=-1) ** 2
    left = np.cumsum(energy[:, ::-1], axis=-1)[:, ::-1]
    level = 10.0 * np.log10(np.maximum(left / left[:, :1], 1e-12))
    times = np.full(len(level), np.nan)
    for row, fall in enumerate(level):
        begin, end = (int(np.argmax(fall < limit)) for limit in _DECAY_DB)
        if end > begin + 16:
            slope = np.polyfit(np.arange(begin, end) / SAMPLE_RATE, fall[begin:end], 1)[0]
            times[row] = -60.0 / slope
    return times


def third_octave_levels(responses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies (F,) in Hz, 30 to 1100, and levels (n, F) in dB smoothed by a third."""
    power = np.abs(np.fft.rfft(responses, _SIZE, axis=-1)) ** 2
    frequency = np.fft.rfftfreq(_SIZE, 1.0 / SAMPLE_RATE)
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=-1)], axis=-1)
    kept = frequency[(frequency > 30.0) & (frequency < 1100.0)]
    low = np.searchsorted(frequency, kept * 2.0 ** (-1 / 6))
    high = np.searchsorted(frequency, kept * 2.0 ** (1 / 6), side='right')
    smooth = (total[:, high] - total[:, low]) / (high - low)
    return kept, 10.0 * np.log10(np.maximum(smooth, 1e-30))


def relative(levels: np.ndarray) -> np.ndarray:
    """Return levels (places, F) less their mean over places: what tells a place from another."""
    return np.asarray(levels - levels.mean(axis=0))


def band_correlation(
    one: np.ndarray, other: np.ndarray, frequency: np.ndarray, band: tuple[float, float]
) -> Callable[[np.ndarray], float]:
    """Return a function of places (indices) that correlates two sets of relative spectra there."""
    inside = (frequency >= band[0]) & (frequency < band[1])
    a, b = one[:, inside], other[:, inside]
    return lambda rows: float(np.corrcoef(a[rows].ravel(), b[rows].ravel())[0, 1])


def third_octave_spread(responses: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of places: standard deviation of level over them, dB, by third octave."""
    power = np.abs(np.fft.rfft(responses, _SIZE, axis=-1)) ** 2
    frequency = np.fft.rfftfreq(_SIZE, 1.0 / SAMPLE_RATE)
    levels = np.stack(
        [
            power[:, (frequency >= f * 2 ** (-1 / 6)) & (frequency < f * 2 ** (1 / 6))].sum(axis=1)
            for f in THIRDS_HZ
        ],
        axis=1,
    )
    decibels = 10.0 * np.log10(np.maximum(levels, 1e-30))
    return lambda rows: np.asarray(decibels[rows].std(axis=0, ddof=1))


def interval(
    figure: Callable[[np.ndarray], np.ndarray | float], places: int, seed: int = 0, times: int = 500
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a figure of all places and its 95 % interval, bootstrapped over places."""
    rng = np.random.default_rng(seed)
    value = np.asarray(figure(np.arange(places)))
    drawn = np.array([figure(rng.integers(places, size=places)) for _ in range(times)])
    low, high = np.nanpercentile(drawn, (2.5, 97.5), axis=0)
    return value, np.asarray(low), np.asarray(high)
