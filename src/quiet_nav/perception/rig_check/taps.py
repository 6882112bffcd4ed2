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


"""Finding taps in a recording: when and how loud each channel heard them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, signal

from quiet_nav.perception.rig_check.script import Script

#: Taps are heard above this frequency; rooms are quiet there and reverberate less.
BRIGHT_HZ = 1000.0
#: A tap stands so far above the room's level in 1 ms frames.
LEAST_RISE_DB = 12.0
_HOP_S = 0.001
_APART_S = 0.15
_BELOW_LOUDEST_DB = 20.0
_PROMINENCE_DB = 10.0
#: Two sound cards that are read as one device are no farther apart than this.
_MOST_OFFSET_S = 0.5
#: A person taps late, and the sound arrives late: a slot is meant this much later.
_LATE_S = 0.15
#: Taps that follow each other evenly look alike a tap later: clocks are one where that fits, too.
_NEAR_FRAMES, _SURELY_APART, _LEAST_ALIKE = 5, 1.3, 0.25
_SEARCH_S = 0.008
_BEFORE_S, _AFTER_S = 0.001, 0.005
_ABOUT_AS_HIGH = 0.7
_CLEAR = 3.0
_ONSET_SHARE = 0.25
#: What of a tap its level is taken of: the direct sound, before the room's.
_DIRECT_S = 0.004


@dataclass(frozen=True)
class Taps:
    """
    Every tap that was found.

    ears: at which ear it was asked for, (K,). times_s: on the clock of ``reference``, (K,).
    onsets_s: when each channel heard it, (K, C); NaN where it did not. levels_db: how loud, dB
    over full scale in 4 ms, (K, C). floors_db: of each channel's quiet in 1 ms, (C,).
    offsets_s: by how much each channel is later, to a few ms, (C,). reference: the channel that
    the others are held against.
    """

    ears: np.ndarray
    times_s: np.ndarray
    onsets_s: np.ndarray
    levels_db: np.ndarray
    floors_db: np.ndarray
    offsets_s: np.ndarray
    reference: int

    def of(self, ear: int) -> np.ndarray:
        """Return which taps were asked for at an ear, bool (K,)."""
        return self.ears == ear

    def at(self, channel: int) -> np.ndarray:
        """Return when taps reached a channel on its own clock, to a few ms, (K,)."""
        return self.times_s + self.offsets_s[channel]


def bright(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return what is above 1 kHz, the same shape (n, C)."""
    sos = signal.butter(4, BRIGHT_HZ, 'highpass', fs=rate, output='sos')
    return signal.sosfiltfilt(sos, samples, axis=0)


def levels(sound: np.ndarray, rate: int, frame_s: float) -> np.ndarray:
    """Return the level of consecutive frames in dB over full scale, (frames, C)."""
    size = max(1, round(frame_s * rate))
    whole = len(sound) // size
    power = (sound[: whole * size].reshape(whole, size, -1) ** 2).mean(axis=1)
    return 10.0 * np.log10(np.maximum(power, 1e-20))


def find_taps(heard: np.ndarray, rate: int, script: Script, live: np.ndarray) -> Taps:
    """
    Return the taps of a recording.

    heard: what is above 1 kHz, (n, C). live: which channels are not silent, bool (C,).
    """
    course = levels(heard, rate, _HOP_S)
    quiet = course[round(0.5 / _HOP_S) : round(script.quiet_s / _HOP_S)]
    floors = np.median(quiet, axis=0)
    rise = np.clip(course - floors - 6.0, 0.0, 40.0) * live
    reference = int(np.argmax(rise.sum(axis=0)))
    offsets_s = _offsets(rise, reference)
    loudest = np.max(_aligned(course - floors, offsets_s)[:, live], axis=1, initial=0.0)
    found = [
        (slot.ear, time_s)
        for slot in script.slots
        for time_s in _in_slot(loudest, slot.start_s, slot.end_s)
    ]
    count, channels = len(found), heard.shape[1]
    onsets, loud = np.full((count, channels), np.nan), np.full((count, channels), -200.0)
    for k, (_, time_s) in enumerate(found):
        begins = [_onset(heard[:, c], rate, time_s + offsets_s[c]) for c in range(channels)]
        loud[k] = [level for _, level in begins]
        nearest = int(np.argmax(np.where(live, loud[k] - floors, -np.inf)))
        onset_s = begins[nearest][0]
        template = heard[_window(onset_s, rate, -_BEFORE_S, _AFTER_S), nearest]
        for c in np.flatnonzero(live):
            moved_s = offsets_s[c] - offsets_s[nearest]
            onsets[k, c] = onset_s + _later(template, heard[:, c], rate, onset_s, moved_s)
    return Taps(
        np.array([ear for ear, _ in found], int),
        np.array([time_s for _, time_s in found], float),
        onsets,
        loud,
        floors,
        offsets_s,
        reference,
    )


def _offsets(rise: np.ndarray, reference: int) -> np.ndarray:
    """Return by how much each channel is later than the reference, to a few ms, (C,)."""
    most = round(_MOST_OFFSET_S / _HOP_S)
    size = fft.next_fast_len(len(rise) + most, real=True)
    spectra = fft.rfft(rise, size, axis=0)
    across = fft.irfft(spectra * spectra[:, [reference]].conj(), size, axis=0)
    lags = np.concatenate([across[-most:], across[: most + 1]])
    best = np.argmax(lags, axis=0) - most
    together = lags[most - _NEAR_FRAMES : most + _NEAR_FRAMES + 1].max(axis=0)
    most_alike = np.sqrt((rise**2).sum(axis=0) * (rise[:, reference] ** 2).sum())
    alike = lags.max(axis=0) > _LEAST_ALIKE * np.maximum(most_alike, 1e-12)
    apart = lags.max(axis=0) > _SURELY_APART * together
    return np.where(alike & apart, best * _HOP_S, 0.0)


def _aligned(course: np.ndarray, offsets_s: np.ndarray) -> np.ndarray:
    """Return levels (frames, C) on the clock of the reference."""
    at = np.arange(len(course))[:, None] + np.round(offsets_s / _HOP_S).astype(int)
    return np.take_along_axis(course, np.clip(at, 0, len(course) - 1), axis=0)


def _in_slot(over: np.ndarray, start_s: float, end_s: float) -> list[float]:
    """Return when taps begin in one slot, of levels over the floor in 1 ms frames."""
    first = round((start_s + _LATE_S) / _HOP_S)
    part = over[first : round((end_s + _LATE_S) / _HOP_S)]
    if not len(part):
        return []
    smooth = np.convolve(part, np.ones(3) / 3.0, 'same')
    least = max(LEAST_RISE_DB, float(smooth.max()) - _BELOW_LOUDEST_DB)
    peaks, _ = signal.find_peaks(
        smooth, height=least, distance=round(_APART_S / _HOP_S), prominence=_PROMINENCE_DB
    )
    return [(first + int(peak)) * _HOP_S for peak in peaks]


def _window(at_s: float, rate: int, low_s: float, high_s: float) -> slice:
    """Return the samples from low to high seconds around a time."""
    return slice(max(0, round((at_s + low_s) * rate)), max(0, round((at_s + high_s) * rate)))


def _onset(heard: np.ndarray, rate: int, around_s: float) -> tuple[float, float]:
    """Return when a tap near a time begins in one channel (s), and how loud it is (dB)."""
    window = _window(around_s, rate, -_SEARCH_S, _SEARCH_S)
    part = np.abs(heard[window])
    if len(part) < 4:
        return np.nan, -200.0
    size = max(1, round(0.0002 * rate))
    smooth = np.convolve(part, np.ones(size) / size, 'same')
    at = int(np.argmax(smooth >= _ONSET_SHARE * smooth.max()))
    direct = part[at : at + max(2, round(_DIRECT_S * rate))]
    level = 10.0 * np.log10(np.maximum(np.mean(direct**2), 1e-20))
    return (window.start + at) / rate, float(level)


def _later(
    template: np.ndarray, heard: np.ndarray, rate: int, onset_s: float, moved_s: float
) -> float:
    """
    Return by how much later (s) a channel hears what another heard at a time; NaN where unclear.

    template: what the other heard, from 1 ms before on, (n,). moved_s: what is known of it. Found
    by correlation, which needs less than an onset in noise; the first of several peaks that are
    about as high is the direct sound.
    """
    part = heard[_window(onset_s + moved_s, rate, -_BEFORE_S - _SEARCH_S, _AFTER_S + _SEARCH_S)]
    if len(part) <= len(template) or not len(template):
        return np.nan
    across = np.abs(signal.hilbert(signal.correlate(part, template, 'valid')))
    least = _ABOUT_AS_HIGH * across.max()
    peaks, _ = signal.find_peaks(across, height=least)
    if not len(peaks) or across.max() < _CLEAR * np.median(across):
        return np.nan
    k = int(peaks[0])
    left, middle, right = across[k - 1 : k + 2]
    share = 0.5 * (left - right) / min(left - 2 * middle + right, -1e-30)
    return (k + share) / rate - _SEARCH_S + moved_s
