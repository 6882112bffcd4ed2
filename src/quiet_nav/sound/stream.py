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

"""From chunks of audio with stamps to timed windows of every channel."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import overload

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.levels import CLIP_LEVEL, is_clipped
from quiet_nav.sound.pcm import PcmDecoder, PcmFormat
from quiet_nav.sound.resampling import StreamResampler
from quiet_nav.sound.ring import RingBuffer, SampleMarks
from quiet_nav.sound.timeline import Break, BreakKind, StampTolerance, Timeline
from quiet_nav.sound.windows import SAMPLE_RATE, too_short, Window, WINDOW_SAMPLES

_EPSILON = 1e-3
_PRUNE_S = 1.0
#: More than this of a window that was heard before, to the bit, is no accident of a quiet room.
_MOST_REPEATED_S = 0.15
#: A frozen driver repeats a buffer of its own, shorter than this; who loops a file loops more.
_REPEAT_S = 0.5
#: Shorter chunks may be equal by chance.
_SHORTEST_REPEAT = 32


class AudioStream:
    """
    The sound of one publisher at 16 kHz, as far back as ``buffer_s``, cut into windows by time.

    Nothing is lost unnoticed: a window that crosses a gap, an overlap or a clock jump, holds
    samples that were not finite numbers, or bytes that came before, is not valid and says so. While
    stamps are off but may come back (``StampTolerance``) windows that reach so far are not valid
    either. All depends on the chunks and stamps alone, so that a replay gives the same windows.
    """

    def __init__(
        self,
        pcm_format: PcmFormat,
        buffer_s: float = 30.0,
        tolerance: StampTolerance | None = None,
    ) -> None:
        if buffer_s * SAMPLE_RATE < WINDOW_SAMPLES:
            raise QuietNavError(f'a buffer of {buffer_s} s cannot hold a window of 3 s; set 3 s+')
        self.format = pcm_format
        self.timeline = Timeline(pcm_format.sample_rate, tolerance)
        self.break_count = 0
        self.last_break: Break | None = None
        self._decoder = PcmDecoder(pcm_format)
        self._resampler = StreamResampler(pcm_format.sample_rate, pcm_format.channels)
        self._ring = RingBuffer(round(buffer_s * SAMPLE_RATE), pcm_format.channels)
        self._clipped = SampleMarks(pcm_format.channels)
        self._not_finite = SampleMarks(pcm_format.channels)
        self._repeated = SampleMarks(pcm_format.channels)
        self._heard = _Chunks(round(_REPEAT_S * pcm_format.sample_rate))
        self._floor = 0
        self._floor_break: Break | None = None
        self._pruned = 0

    @property
    def channels(self) -> int:
        return self.format.channels

    @property
    def has_sound(self) -> bool:
        return self._ring.newest > self._oldest

    @property
    def start_ns(self) -> int:
        """Time of the oldest sample held; raises ValueError before the first."""
        return self._time_ns(self._oldest)

    @property
    def end_ns(self) -> int:
        """Time at which the newest sample ends; raises ValueError before the first."""
        return self._end_ns(self._ring.newest)

    @property
    def pending_bytes(self) -> int:
        """Bytes of a begun frame; not 0 where chunks do not fill whole frames."""
        return self._decoder.pending_bytes

    @property
    def not_finite_count(self) -> int:
        """Return samples so far that were not finite numbers."""
        return self._not_finite.total

    def push_bytes(self, data: bytes | memoryview, stamp_ns: int) -> Break | None:
        """Add PCM bytes, ``stamp_ns`` the time of their first sample; return a break if found."""
        frames = self._decoder.decode(data)
        if self._heard.repeats(data, self.timeline.frames, len(frames)):
            at = self._output(self.timeline.frames + np.arange(len(frames)))
            self._repeated.add(np.ones_like(frames, bool), at)
        found = self.push(frames, stamp_ns)
        if found is not None and self._decoder.pending_bytes:
            # The rest of a frame begun before lost bytes never comes: a chunk begins a frame.
            self._decoder.drop_pending()
        return found

    def push(self, frames: np.ndarray, stamp_ns: int) -> Break | None:
        """
        Add float samples of shape (frames, channels) or (frames,), full scale 1.0.

        Raises QuietNavError where the number of channels is not that of the format.
        """
        frames = np.asarray(frames, np.float32)
        frames = frames[:, None] if frames.ndim == 1 else frames
        if frames.shape[1] != self.channels:
            raise QuietNavError(
                f'{frames.shape[1]} channels pushed into a stream of {self.channels} channels'
            )
        if not len(frames):
            return None
        first = self.timeline.frames
        found = self.timeline.append(len(frames), stamp_ns)
        if found is not None:
            self._note(found)
        self._ring.append(self._resampler.process(self._marked(frames, first)))
        self._prune()
        return found

    def restart(self, stamp_ns: int, detail: str) -> Break:
        """Begin anew at ``stamp_ns``: no window reaches back across; ``detail`` says why."""
        self._decoder.drop_pending()
        found = self.timeline.restart(stamp_ns, detail)
        self._note(found)
        return found

    def latest(self, channel: int = 0) -> Window:
        """Return the newest window of a channel; not valid, with the reason, before 3 s."""
        self._check(channel)
        return self._window(channel, self._ring.newest)

    def ending_at(self, time_ns: int, channel: int = 0, samples: int = WINDOW_SAMPLES) -> Window:
        """
        Return the window whose last sample ends at ``time_ns`` or less than a sample before.

        samples: its length, 3 s by default; no more than the buffer holds. Not valid, with the
        reason, where that time is not heard yet or no longer held.
        """
        self._check(channel)
        if not self.has_sound:
            return self._nothing(channel, time_ns, 'no sound heard yet')
        stop = int(np.floor(self._position(time_ns) + _EPSILON))
        if stop > self._ring.newest:
            late_s = (time_ns - self.end_ns) / 1e9
            why = f'the sound of that time is not heard yet ({late_s:.2f} s to come)'
            return self._nothing(channel, time_ns, why)
        forgotten = stop - samples < self._ring.oldest and self._floor <= self._ring.oldest
        if stop <= self._oldest or (forgotten and self._ring.oldest > 0):
            return self._nothing(channel, time_ns, 'the sound of that time is not held any more')
        silence_s = (time_ns - self._end_ns(stop)) / 1e9
        if silence_s > 2.0 / SAMPLE_RATE:
            why = f'no sound at that time: it broke off {silence_s:.2f} s before'
            return self._nothing(channel, time_ns, why)
        return self._window(channel, stop, samples)

    def starting_at_or_after(self, time_ns: int, channel: int = 0) -> Window | None:
        """
        Return the first unbroken window that starts at or after ``time_ns``.

        None while none is heard to its end: keep listening. Breaks and samples that were not
        finite are stepped over: the window then starts after them.
        """
        self._check(channel)
        if not self.has_sound:
            return None
        start = max(int(np.ceil(self._position(time_ns) - _EPSILON)), self._oldest)
        margin = self._resampler.ringing_samples
        for _, at in self._inner_breaks():
            if start < at + margin and start + WINDOW_SAMPLES > at - margin:
                start = at + margin
        if start + WINDOW_SAMPLES > self._ring.newest:
            return None
        window = self._window(channel, start + WINDOW_SAMPLES)
        return window if window.valid else self._after_fault(start, channel)

    @property
    def _oldest(self) -> int:
        return max(self._ring.oldest, self._floor)

    def _check(self, channel: int) -> None:
        if not 0 <= channel < self.channels:
            raise QuietNavError(
                f'channel {channel} asked of audio with {self.channels} channels '
                f'(0 to {self.channels - 1}): does the rig fit the microphone?'
            )

    def _marked(self, frames: np.ndarray, first: int) -> np.ndarray:
        """Note clipped and non-finite samples; return the frames with the latter as 0."""
        # Two reductions settle nearly every chunk; with NaN both comparisons are false.
        if frames.max() < CLIP_LEVEL and frames.min() > -CLIP_LEVEL:
            return frames
        finite = np.isfinite(frames)
        clipped = is_clipped(frames)
        if not finite.all():
            self._not_finite.add(~finite, self._output(first + np.arange(len(frames))))
            frames = np.where(finite, frames, np.float32(0.0))
        if clipped.any():
            self._clipped.add(clipped, self._output(first + np.arange(len(frames))))
        return frames

    @overload
    def _output(self, index: float) -> float: ...

    @overload
    def _output(self, index: np.ndarray) -> np.ndarray: ...

    def _output(self, index: float | np.ndarray) -> float | np.ndarray:
        """Return where a sample of the input lies among those of the output rate."""
        return index * (SAMPLE_RATE / self.format.sample_rate)

    def _time_ns(self, sample: float) -> int:
        if not self.timeline.frames:
            raise ValueError('no sound heard yet')
        return self.timeline.time_ns(sample * self.format.sample_rate / SAMPLE_RATE)

    def _end_ns(self, stop: int) -> int:
        """Return when sample stop - 1 ends: not the time of ``stop`` where a break lies between."""
        return self._time_ns(stop - 1) + round(1e9 / SAMPLE_RATE)

    def _position(self, time_ns: int) -> float:
        return float(self._output(self.timeline.position(time_ns)))

    def _inner_breaks(self) -> Iterator[tuple[Break, int]]:
        """Yield the breaks that lie within the sound held, with their place in it."""
        for found in self.timeline.breaks:
            at = int(np.ceil(self._output(found.index)))
            if at > self._floor:
                yield found, at

    def _note(self, found: Break) -> None:
        self.break_count += 1
        self.last_break = found
        if found.kind in (BreakKind.BACKWARDS, BreakKind.CLOCK_JUMP, BreakKind.RESTART):
            # Times before such a break mean nothing on the clock after it.
            tail = self._resampler.flush()
            missing = int(np.ceil(self._output(found.index))) - self._ring.newest
            self._ring.append(_fitted(tail, missing))
            self._floor = self._ring.newest
            self._floor_break = found

    def _window(self, channel: int, stop: int, samples: int = WINDOW_SAMPLES) -> Window:
        """Return the window up to sample ``stop``, cut short and marked where it is not sound."""
        if stop <= self._oldest:
            return self._nothing(channel, 0, 'no sound heard yet')
        start, reason = max(self._oldest, stop - samples), ''
        end_ns = self._end_ns(stop)
        margin = self._resampler.ringing_samples
        for found, at in self._inner_breaks():
            if start < at + margin and stop > at - margin:
                start = min(max(at + margin, start), stop)
                ago_s = max(0.0, (end_ns - self._time_ns(at)) / 1e9)
                reason = f'{found}, {ago_s:.2f} s before the end of the window'
        if not reason and stop - start < samples:
            reason = too_short(stop - start, samples)
            if self._floor and start == self._floor:
                reason += f' since {self._floor_break}'
        reason = reason or self._suspicion(stop)
        wrong = self._not_finite.count(channel, start, stop)
        if wrong and not reason:
            reason = f'{wrong} samples are not finite numbers'
        again_s = self._repeated.count(channel, start, stop) / self.format.sample_rate
        if again_s > _MOST_REPEATED_S and not reason:
            reason = (
                f'the same sound came again, to the bit, for {again_s:.1f} s of the window: '
                'the driver of the microphone is frozen'
            )
        count = max(1.0, (stop - start) * self.format.sample_rate / SAMPLE_RATE)
        return Window(
            self._ring.read(channel, start, stop),
            self._time_ns(start) if start < stop else end_ns,
            end_ns,
            channel,
            not reason,
            reason,
            self._clipped.count(channel, start, stop) / count,
        )

    def _suspicion(self, stop: int) -> str:
        suspicion = self.timeline.suspicion
        margin = self._resampler.ringing_samples
        if suspicion is None or stop <= self._output(suspicion[0]) - margin:
            return ''
        return f'stamps are {1e3 * suspicion[1]:.0f} ms off: a gap, or jitter not over yet'

    def _after_fault(self, start: int, channel: int) -> Window | None:
        """Return the first valid window that starts later than ``start``, in steps of 0.1 s."""
        step = SAMPLE_RATE // 10
        for stop in range(start + WINDOW_SAMPLES + step, self._ring.newest + 1, step):
            window = self._window(channel, stop)
            if window.valid:
                return window
        return None

    def _nothing(self, channel: int, time_ns: int, reason: str) -> Window:
        return Window(np.zeros(0, np.float32), time_ns, time_ns, channel, False, reason)

    def _prune(self) -> None:
        if self._ring.oldest - self._pruned < _PRUNE_S * SAMPLE_RATE:
            return
        self._pruned = self._ring.oldest
        self.timeline.forget_before(self._pruned * self.format.sample_rate / SAMPLE_RATE)
        self._clipped.forget_before(self._pruned)
        self._not_finite.forget_before(self._pruned)
        self._repeated.forget_before(self._pruned)


class _Chunks:
    """The chunks of the last moment: no microphone says the same twice, to the bit."""

    def __init__(self, memory_frames: int) -> None:
        self._memory = memory_frames
        self._seen: OrderedDict[int, int] = OrderedDict()

    def repeats(self, data: bytes | memoryview, at: int, frames: int) -> bool:
        """Take a chunk that begins at a frame; return whether its bytes came before."""
        content = bytes(data)
        if frames < _SHORTEST_REPEAT or content == content[:1] * len(content):
            return False
        while self._seen and at - next(iter(self._seen.values())) > self._memory:
            self._seen.popitem(last=False)
        key = hash(content)
        again = key in self._seen
        self._seen[key] = at
        self._seen.move_to_end(key)
        return again


def _fitted(frames: np.ndarray, count: int) -> np.ndarray:
    """Return exactly ``count`` frames: cut, or filled up with silence at the end."""
    count = max(0, count)
    fitted = np.zeros((count, frames.shape[1]), np.float32)
    fitted[: min(count, len(frames))] = frames[:count]
    return fitted
