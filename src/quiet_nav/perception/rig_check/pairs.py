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
from scipy import signal

from quiet_nav.perception.rig_check.taps import Taps

SPEED_OF_SOUND = 343.0
_COPY_BAND_HZ = 2000.0


@dataclass(frozen=True)
class Clocks:
    """
    How one channel's clock stands to the reference's.

    offset_s: how much later it hears all alike, less what sound takes. drift_ppm: how fast that
    grows, parts in a million, with its standard error. delays_s: later by so much for taps at each
    ear, without the drift, NaN where none was heard, (ears,).
    """

    offset_s: float
    drift_ppm: float
    error_ppm: float
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
    rest = late - matrix @ found
    free = max(len(late) - matrix.shape[1], 1)
    drift, error = 0.0, np.inf
    if matrix.shape[1] > len(heard):
        drift = float(found[-1])
        # Onsets are read to a fraction of a sample: never trust them to less than 20 us.
        variance = max(float(rest @ rest) / free, 2e-5**2)
        error = float(np.sqrt(variance / np.sum(spread**2)))
    delays = np.full(ears, np.nan)
    delays[heard] = found[: len(heard)]
    return Clocks(float(np.nanmean(delays)), drift * 1e6, error * 1e6, delays)


def _inliers(late: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Return which delays are within 1 ms of their ear's median, or as the median strays."""
    centre = np.array([np.median(late[which == ear]) for ear in which])
    away = np.abs(late - centre)
    return away <= max(1e-3, 3.0 * float(np.median(away)))


def copy_share(one: np.ndarray, other: np.ndarray, rate: int) -> float:
    """
    Return the share of one channel's power above 2 kHz, (n,), that is not the other's.

    0 for a channel that is written twice, whatever its gain; microphones have noise of their own
    and hear a room each at its place.
    """
    sos = signal.butter(4, _COPY_BAND_HZ, 'highpass', fs=rate, output='sos')
    a, b = signal.sosfilt(sos, one), signal.sosfilt(sos, other)
    power = float(a @ a) * float(b @ b)
    return 1.0 - float(a @ b) ** 2 / power if power > 0.0 else 1.0


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
