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


"""What two channels of a recording of taps show together: clocks, copies, signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, signal, stats

from quiet_nav.perception.rig_check.taps import Taps

SPEED_OF_SOUND = 343.0
_COPY_BAND_HZ = 2000.0
#: Ambience that ears share, in pieces between taps, shows how clocks part.
_SHARED_HZ = (100.0, 1000.0)
_PIECE_S = 1.0
_AFTER_TAP_S = 0.6
_MOST_LAG_S = 0.002
_LEAST_SHARED = 0.3
_LEAST_PIECES = 8
_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Clocks:
    """
    How one channel's clock stands to the reference's.

    offset_s: how much later it hears all alike, less what sound takes. delays_s: later by so much
    for taps at each ear, in the middle of them, NaN where none was heard, (ears,).
    """

    offset_s: float
    delays_s: np.ndarray


def clocks(taps: Taps, channel: int, ears: int) -> Clocks | None:
    """Return the clock of a channel, None where it heard too few taps."""
    late = taps.onsets_s[:, channel] - taps.onsets_s[:, taps.reference]
    known = np.isfinite(late)
    heard = [ear for ear in range(ears) if np.any(known & taps.of(ear))]
    if known.sum() < 3 or not heard:
        return None
    late, times, which = late[known], taps.times_s[known], taps.ears[known]
    inside = _inliers(late, which)
    late, times, which = late[inside], times[inside], which[inside]
    # One delay an ear and one drift, by least squares.
    columns = [np.asarray(which == ear, float) for ear in heard] + [times - times.mean()]
    matrix = np.stack(columns, axis=1)
    spread = np.concatenate([times[which == e] - times[which == e].mean() for e in heard])
    if float(np.abs(spread).max(initial=0.0)) < 2.0:
        matrix = matrix[:, :-1]
    found, *_ = np.linalg.lstsq(matrix, late, rcond=None)
    delays = np.full(ears, np.nan)
    delays[heard] = found[: len(heard)]
    return Clocks(float(np.nanmean(delays)), delays)


@dataclass(frozen=True)
class Drift:
    """How fast two clocks part, parts in a million: the best guess and the interval of 99 %."""

    ppm: float
    low_ppm: float
    high_ppm: float

    def beyond(self, ppm: float) -> bool:
        """Return whether it is surely faster than so much, either way."""
        return self.low_ppm > ppm or self.high_ppm < -ppm


def drift(
    one: np.ndarray, other: np.ndarray, rate: int, times_s: np.ndarray, late_s: float
) -> Drift | None:
    """
    Return how two channels, (n,), part, by the ambience that both hear between taps.

    times_s: of taps on the first's clock, (K,). late_s: how much later the other is. A room's
    sources make the delay, and its change is the clocks'. None where they share too little.
    """
    sos = signal.butter(2, _SHARED_HZ, 'bandpass', fs=rate, output='sos')
    a, b = signal.sosfilt(sos, one), signal.sosfilt(sos, other)
    size, most = round(_PIECE_S * rate), round(_MOST_LAG_S * rate)
    shift = round(late_s * rate)
    at, lags = [], []
    for begin in range(0, min(len(a), len(b) - shift) - size, size // 2):
        middle = (begin + size / 2) / rate
        near = (times_s > middle - _PIECE_S / 2 - _AFTER_TAP_S) & (
            times_s < middle + _PIECE_S / 2 + 0.05
        )
        if near.any() or begin + shift < 0:
            continue
        found = _lag(a[begin : begin + size], b[begin + shift : begin + shift + size], most)
        if found is not None:
            at.append(middle)
            lags.append(found / rate)
    if len(lags) < _LEAST_PIECES:
        return None
    slope, _, low, high = stats.theilslopes(lags, at, _CONFIDENCE)
    half = len(lags) // 2
    parts = [stats.theilslopes(lags[p], at[p])[0] for p in (slice(half), slice(half, None))]
    if min(part * np.sign(slope) for part in parts) < 0.3 * abs(slope):
        # A source that came or went moves the delay once; clocks part all the time.
        low, high = min(low, 0.0), max(high, 0.0)
    return Drift(float(slope) * 1e6, float(low) * 1e6, float(high) * 1e6)


def _lag(one: np.ndarray, other: np.ndarray, most: int) -> float | None:
    """Return by how many samples one is ahead of the other, None where they hardly agree."""
    size = fft.next_fast_len(len(one) + most, real=True)
    across = fft.irfft(fft.rfft(other, size) * fft.rfft(one, size).conj(), size)
    lags = np.concatenate([across[-most:], across[: most + 1]])
    power = float(np.sqrt((one @ one) * (other @ other)))
    k = int(np.argmax(np.abs(lags)))
    if power <= 0.0 or abs(lags[k]) < _LEAST_SHARED * power or not 0 < k < 2 * most:
        return None
    left, middle, right = np.abs(lags[k - 1 : k + 2])
    return k - most + 0.5 * (left - right) / (left - 2 * middle + right)


def _inliers(late: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Return which delays are within 1 ms of their ear's median, or as the median strays."""
    center = np.array([np.median(late[which == ear]) for ear in which])
    away = np.abs(late - center)
    return away <= max(1e-3, 3.0 * float(np.median(away)))


def copy_share(one: np.ndarray, other: np.ndarray, rate: int) -> float:
    """
    Return the share of one channel's power above 2 kHz, (n,), that is not the other's.

    0 for a channel that is written twice, whatever its gain; microphones have noise of their own
    and hear a room each at its place.
    """
    sos = signal.butter(4, _COPY_BAND_HZ, 'highpass', fs=rate, output='sos')
    a, b = signal.sosfilt(sos, one), signal.sosfilt(sos, other)
    powers = float(a @ a), float(b @ b)
    if min(powers) < 1e-14 * len(a):
        # Digital silence is alike everywhere.
        return 1.0
    return 1.0 - float(a @ b) ** 2 / (powers[0] * powers[1])


def low_coherence(
    one: np.ndarray, other: np.ndarray, rate: int, apart_m: float, mains_hz: float
) -> float:
    """
    Return the mean real coherence of two channels, (n,), where they are near for the wavelength.

    About 1 for microphones that hear one room, -1 where one is connected the wrong way round, 0
    where each hears its own noise. Mains harmonics are left out.
    """
    most = float(np.clip(SPEED_OF_SOUND / (4.0 * max(apart_m, 0.02)), 200.0, 500.0))
    size = rate // 4
    frequencies, cross = signal.csd(one, other, rate, 'hann', size)
    _, first = signal.welch(one, rate, 'hann', size)
    _, second = signal.welch(other, rate, 'hann', size)
    coherence = np.real(cross) / np.sqrt(np.maximum(first * second, 1e-30))
    off_mains = np.abs((frequencies + mains_hz / 2) % mains_hz - mains_hz / 2) > 8.0
    band = (frequencies >= 60.0) & (frequencies <= most) & off_mains
    return float(coherence[band].mean()) if band.any() else 0.0
