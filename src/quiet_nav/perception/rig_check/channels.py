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


"""What one channel of a recording of taps shows: its gain, its noise, its level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import signal

from quiet_nav.perception.rig_check.script import Script
from quiet_nav.perception.rig_check.taps import levels, Taps

#: Frames in which levels are followed after a tap.
_FRAME_S = 0.02
#: A room's reverberation has died away, or nearly, so long after a tap.
_AFTER_S = 0.3
_LONGEST_AFTER_S = 2.0
_LEAST_AFTER_S = 0.4
_DIGITAL_SILENCE_DB = -96.0
_SETTLED_S = 0.5
_CELL_S = 0.032
_FAR_BELOW_DB, _FAR_ABOVE_DB = -20.0, 10.0
_CELL_BAND_HZ = (300.0, 7000.0)
_HUM_BAND_HZ = (30.0, 1000.0)
_HUM_HARMONICS = 8
MAINS_HZ = (50.0, 60.0)


@dataclass(frozen=True)
class Quiet:
    """The parts of a recording in which nobody taps: begin and end, seconds."""

    first: tuple[float, float]
    last: tuple[float, float]

    @classmethod
    def of(cls, script: Script, taps: Taps) -> Quiet:
        """Return them, the last one from 2.5 s after the last tap on."""
        last_tap = float(taps.times_s.max()) if len(taps.times_s) else script.ending_start_s
        begin = min(max(script.ending_start_s, last_tap + 2.5), script.duration_s - 2.0)
        return cls((_SETTLED_S, script.quiet_s), (begin, script.duration_s))

    def cut(self, sound: np.ndarray, rate: int) -> list[np.ndarray]:
        """Return both parts of a recording (n, ...)."""
        return [sound[round(a * rate) : round(b * rate)] for a, b in (self.first, self.last)]


@dataclass(frozen=True)
class GainRide:
    """
    How a channel's noise dips after taps, dB.

    dip: below the lower of the quiet before and after, in the median of the taps. rise: from there
    until the next tap. stays: how much lower the quiet after all taps is than before.
    """

    dip: float
    rise: float
    stays: float

    @property
    def rides(self) -> bool:
        """Whether noise comes back between taps; what falls silent by itself stays so."""
        return self.rise > 0.7 + 0.1 * self.dip


def gain_ride(heard: np.ndarray, rate: int, times_s: np.ndarray, quiet: Quiet) -> GainRide:
    """
    Return how one channel's level above 1 kHz, (n,), follows taps at times_s, (K,).

    A room gets quieter after a tap until it is as quiet as before, never quieter; a gain that a
    loud sound has turned down is heard as noise that is lower first and comes back.
    """
    course = levels(heard[:, None], rate, 0.1)[:, 0]
    before, after = (float(np.median(course[round(a * 10) : round(b * 10)]))
                     for a, b in (quiet.first, quiet.last))  # fmt: skip
    pairs = np.convolve(course, [0.5, 0.5], 'valid')
    lowest, rises = [], []
    ends = np.append(times_s, quiet.last[1])[1:]
    for time_s, next_s in zip(times_s, ends, strict=True):
        begin_s, end_s = time_s + _AFTER_S, min(next_s - 0.1, time_s + _LONGEST_AFTER_S)
        if end_s - begin_s >= _LEAST_AFTER_S:
            part = pairs[int(np.ceil(begin_s * 10)) : int(end_s * 10) - 1]
            if len(part):
                lowest.append(float(part.min()))
                back = part[int(np.argmin(part)) :]
                third = max(1, len(back) // 3)
                rises.append(float(back[-third:].mean() - back[:third].mean()))
    if not lowest:
        return GainRide(0.0, 0.0, 0.0)
    dip = min(before, after) - float(np.median(lowest))
    return GainRide(dip, float(np.median(rises)), before - after)


@dataclass(frozen=True)
class Gate:
    """
    Signs that something removes noise between sounds.

    silent: share of the quiet that is digital silence. ragged: share of time-frequency cells of the
    quiet more than 20 dB below or 10 dB above their like; 0.008 for noise as it is. drop_db: by how
    much the level falls at once, some time after taps, after it had stood still.
    """

    silent: float
    ragged: float
    drop_db: float


def gate(
    samples: np.ndarray, heard: np.ndarray, rate: int, times_s: np.ndarray, quiet: Quiet
) -> Gate:
    """
    Return what one channel shows of suppression.

    samples: (n,). heard: what of it is above 1 kHz, (n,). times_s: of taps, (K,).
    """
    parts = quiet.cut(samples, rate)
    short = np.concatenate([levels(part[:, None], rate, 0.01)[:, 0] for part in parts])
    silent = float(np.mean(short < _DIGITAL_SILENCE_DB)) if len(short) else 0.0
    return Gate(silent, _ragged(parts, rate), _drop(heard, rate, times_s))


def _ragged(parts: list[np.ndarray], rate: int) -> float:
    """Return the share of cells of spectrograms far from the median of their band and moment."""
    size = round(_CELL_S * rate)
    far = cells = 0
    for part in parts:
        frequencies, _, power = signal.spectrogram(part, rate, 'hann', size, 0)
        band = (frequencies >= _CELL_BAND_HZ[0]) & (
            frequencies <= min(_CELL_BAND_HZ[1], 0.45 * rate)
        )
        level = 10.0 * np.log10(np.maximum(power[band], 1e-24))
        level -= np.median(level, axis=1, keepdims=True)
        level -= np.median(level, axis=0, keepdims=True)
        far += int(np.sum((level < _FAR_BELOW_DB) | (level > _FAR_ABOVE_DB)))
        cells += level.size
    return far / max(cells, 1)


def _drop(heard: np.ndarray, rate: int, times_s: np.ndarray) -> float:
    """Return the largest fall within 40 ms that follows 60 ms without one, mean of taps, dB."""
    course = levels(heard[:, None], rate, _FRAME_S)[:, 0]
    count = round(1.5 / _FRAME_S)
    ends = np.append(times_s, len(heard) / rate)[1:]
    after = []
    for time_s, next_s in zip(times_s, ends, strict=True):
        first = int(time_s / _FRAME_S) + 2
        if next_s - time_s > 1.6 and first + count <= len(course):
            after.append(course[first : first + count])
    if len(after) < 2:
        return 0.0
    mean = np.mean(after, axis=0)
    floor = mean[-10:].mean()
    fall = mean[3:-2] - mean[5:]
    stood = mean[:-5] - mean[3:-2]
    ends_at_floor = mean[5:] < floor + 6.0
    sharp = (stood < 3.0) & ends_at_floor
    return float(np.max(fall[sharp], initial=0.0))


@dataclass(frozen=True)
class Hum:
    """Mains hum of a channel: frequency (Hz), share of 30-1000 Hz, level over that band's rest."""

    mains_hz: float
    share: float
    over_db: float


def hum(parts: list[np.ndarray], rate: int) -> Hum:
    """Return the stronger of 50 Hz and 60 Hz, with harmonics, in the quiet of one channel."""
    size = rate
    spectra = [signal.welch(part, rate, 'blackman', size)[1] for part in parts if len(part) >= size]
    if not spectra:
        return Hum(MAINS_HZ[0], 0.0, -100.0)
    power = np.mean(spectra, axis=0)
    band = power[round(_HUM_BAND_HZ[0]) : round(_HUM_BAND_HZ[1])].sum()
    found = []
    for mains in MAINS_HZ:
        lines = 0.0
        for k in range(1, _HUM_HARMONICS + 1):
            at = round(k * mains)
            rest = float(np.median(np.r_[power[at - 9 : at - 3], power[at + 4 : at + 10]]))
            lines += max(float(power[at - 2 : at + 3].sum()) - 5.0 * rest, 0.0)
        share = lines / max(float(band), 1e-20)
        found.append(Hum(mains, share, 10.0 * np.log10(max(share, 1e-10) / max(1 - share, 1e-10))))
    return max(found, key=lambda h: h.share)


def longest_top(samples: np.ndarray) -> int:
    """Return how many samples in a row are equal and the largest of all, of (n,): a flat top."""
    magnitude = np.abs(samples)
    top = np.flatnonzero(magnitude == magnitude.max())
    if len(top) < 2 or magnitude[top[0]] == 0.0:
        return len(top)
    breaks = np.flatnonzero(np.diff(top) != 1)
    edges = np.concatenate([[-1], breaks, [len(top) - 1]])
    return int(np.diff(edges).max())
