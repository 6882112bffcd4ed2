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

"""When each sample was taken, worked out from chunk stamps that jitter, drift, jump and lie."""

from __future__ import annotations

from dataclasses import dataclass
import enum
import statistics

#: A jump ahead longer than this is taken for a set clock, a shorter one for lost sound.
CLOCK_JUMP_S = 60.0
_CORRECTION_NS = 500_000
_SPREAD_S = 1.0


class BreakKind(enum.Enum):
    """What happened between two samples that are not neighbors in time."""

    GAP = 'gap'
    OVERLAP = 'overlap'
    CLOCK_JUMP = 'clock jump'
    BACKWARDS = 'time running backwards'
    RESTART = 'restart'


@dataclass(frozen=True)
class Break:
    """
    Between sample ``index`` - 1 and ``index`` time jumps by ``shift_ns`` (negative: back).

    time_ns: time of sample ``index`` on the new side.
    """

    index: int
    kind: BreakKind
    shift_ns: int
    time_ns: int
    detail: str = ''

    def __str__(self) -> str:
        if self.kind is BreakKind.RESTART:
            return self.detail or 'the stream was restarted'
        amount = _amount(abs(self.shift_ns) / 1e9)
        return {
            BreakKind.GAP: f'a gap of {amount} in the sound',
            BreakKind.OVERLAP: f'sound overlapping by {amount}',
            BreakKind.CLOCK_JUMP: f'stamps jumping {amount} ahead',
            BreakKind.BACKWARDS: f'stamps running backwards by {amount}',
        }[self.kind]


@dataclass(frozen=True)
class StampTolerance:
    """
    How stamps are judged.

    A deviation from the stream so far is a break where it is large or stays in one direction:
    jitter comes back, lost samples do not. Smaller ones are followed slowly as clock drift.
    """

    #: Deviations below this are clock drift.
    jitter_s: float = 0.005
    #: The same where stamps are seen to jitter more, up to this.
    max_jitter_s: float = 0.05
    #: A chunk whose stamp is off by this or more breaks the stream at once.
    jump_s: float = 0.25
    #: A smaller deviation counts when it stays, in one direction, for so long ...
    confirm_s: float = 0.2
    #: ... and for so many chunks.
    confirm_chunks: int = 4
    #: Time constant with which drift is followed.
    drift_s: float = 2.0


class Timeline:
    """
    Map sample numbers to integer nanoseconds and back, from one stamp a chunk.

    The stamp of a chunk is the time of its first sample. Between breaks the map follows the
    stamps' mean to 1 ms, whatever their jitter.
    """

    def __init__(self, sample_rate: int, tolerance: StampTolerance | None = None) -> None:
        self.sample_rate = sample_rate
        self.tolerance = tolerance or StampTolerance()
        self.frames = 0
        self.breaks: list[Break] = []
        self._anchors: list[tuple[int, int]] = []
        self._last_stamp_ns = 0
        self._start_of_following()

    def _start_of_following(self) -> None:
        self._offset_ns = 0.0
        self._spread_ns = 0.0
        self._followed = 0
        self._suspects: list[tuple[int, float]] = []

    @property
    def suspicion(self) -> tuple[int, float] | None:
        """First sample number and deviation (s) of stamps off but not yet known to stay off."""
        if not self._suspects:
            return None
        return self._suspects[0][0], self._suspects[-1][1] / 1e9

    def append(self, frames: int, stamp_ns: int) -> Break | None:
        """Take a chunk of so many frames with the stamp of its first; return a break if found."""
        if not self._anchors:
            self._anchors.append((self.frames, stamp_ns))
        duration_s = frames / self.sample_rate
        expected_ns = self.time_ns(self.frames) + self._offset_ns
        deviation_ns = stamp_ns - expected_ns
        found = None
        if abs(deviation_ns) >= self.tolerance.jump_s * 1e9:
            found = self._break(self.frames, deviation_ns, stamp_ns < self._last_stamp_ns)
        elif abs(deviation_ns) > self._threshold_ns():
            found = self._suspect(deviation_ns, duration_s)
        else:
            self._suspects.clear()
            self._follow(deviation_ns, duration_s)
        limited = min(abs(deviation_ns), self.tolerance.max_jitter_s * 1e9)
        # Slow enough that a lasting shift is confirmed before it passes for jitter.
        gain = min(0.05, duration_s / _SPREAD_S)
        self._spread_ns += gain * (limited - self._spread_ns)
        self._last_stamp_ns = stamp_ns
        self.frames += frames
        return found

    def restart(self, stamp_ns: int, detail: str) -> Break:
        """Let the next sample be at ``stamp_ns``, whatever was expected; ``detail`` says why."""
        shift = stamp_ns - self.time_ns(self.frames) if self._anchors else 0
        self._anchors.append((self.frames, stamp_ns))
        self._start_of_following()
        self._last_stamp_ns = stamp_ns
        self.breaks.append(Break(self.frames, BreakKind.RESTART, shift, stamp_ns, detail))
        return self.breaks[-1]

    def time_ns(self, index: float) -> int:
        """Return the time of a sample number, fractions and numbers not yet there included."""
        first, first_ns = self._anchors[0]
        for anchor, anchor_ns in reversed(self._anchors):
            if anchor <= index:
                first, first_ns = anchor, anchor_ns
                break
        return first_ns + round((index - first) * 1e9 / self.sample_rate)

    def position(self, time_ns: int) -> float:
        """
        Return the sample number, with fraction, of a time; in a gap that of the sample after it.

        Where time was seen twice (an overlap, a clock set back) the newer sample is meant.
        """
        following = None
        for anchor, anchor_ns in reversed(self._anchors):
            if anchor_ns <= time_ns or anchor == self._anchors[0][0]:
                position = anchor + (time_ns - anchor_ns) * self.sample_rate / 1e9
                return position if following is None else min(position, following)
            following = anchor
        raise ValueError('no sample has a time yet')

    def forget_before(self, index: float) -> None:
        """Drop what is needed only for samples before ``index``."""
        while len(self._anchors) > 1 and self._anchors[1][0] <= index:
            self._anchors.pop(0)
        while self.breaks and self.breaks[0].index < index:
            self.breaks.pop(0)

    def _threshold_ns(self) -> float:
        low, high = self.tolerance.jitter_s * 1e9, self.tolerance.max_jitter_s * 1e9
        return min(max(low, 3.0 * self._spread_ns), high)

    def _follow(self, deviation_ns: float, duration_s: float) -> None:
        self._followed += 1
        # A mean at first, so that one odd stamp at the start does not stay; then a slow filter.
        gain = max(1.0 / self._followed, min(1.0, duration_s / self.tolerance.drift_s))
        self._offset_ns += gain * deviation_ns
        if abs(self._offset_ns) > _CORRECTION_NS:
            self._anchors.append((self.frames, self.time_ns(self.frames) + round(self._offset_ns)))
            self._offset_ns = 0.0

    def _suspect(self, deviation_ns: float, duration_s: float) -> Break | None:
        if self._suspects and (self._suspects[-1][1] > 0.0) != (deviation_ns > 0.0):
            self._suspects.clear()
        self._suspects.append((self.frames, deviation_ns))
        first = self._suspects[0][0]
        lasted_s = (self.frames - first) / self.sample_rate + duration_s
        enough = len(self._suspects) >= self.tolerance.confirm_chunks
        if not enough or lasted_s < self.tolerance.confirm_s:
            return None
        return self._break(first, statistics.median(d for _, d in self._suspects), False)

    def _break(self, index: int, deviation_ns: float, backwards: bool) -> Break:
        shift_ns = round(deviation_ns + self._offset_ns)
        time_ns = self.time_ns(index) + shift_ns
        while self._anchors and self._anchors[-1][0] >= index:
            self._anchors.pop()
        self._anchors.append((index, time_ns))
        if backwards:
            kind = BreakKind.BACKWARDS
        elif shift_ns < 0:
            kind = BreakKind.OVERLAP
        else:
            kind = BreakKind.GAP if shift_ns <= CLOCK_JUMP_S * 1e9 else BreakKind.CLOCK_JUMP
        self._start_of_following()
        self.breaks.append(Break(index, kind, shift_ns, time_ns))
        return self.breaks[-1]


def _amount(seconds: float) -> str:
    return f'{seconds:.1f} s' if seconds >= 1.0 else f'{1e3 * seconds:.0f} ms'
