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

"""Windows and clips: the pieces of audio that a detector looks at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quiet_nav.errors import QuietNavError

SAMPLE_RATE = 16_000
WINDOW_S = 3.0
CLIP_S = 0.96
WINDOW_SAMPLES = 48_000
CLIP_SAMPLES = 15_360
CLIPS_PER_WINDOW = 20
#: Samples of 10 ms: clips that are evenly spaced begin on these.
_CLIP_STEP = 160


@dataclass(frozen=True)
class Window:
    """
    The last 3.0 s of one microphone.

    samples: float32, shape (48000,), full scale 1.0, 16 kHz; fewer where the stream is younger or
    was interrupted: what was heard without a break up to the end.
    start_ns, end_ns: time of the first sample and of the end of the last, integer nanoseconds.
    valid: False where the samples must not be used as a reading; ``reason`` then says why.
    clipped: share of the microphone's own samples at full scale (before any resampling); NaN where
    nobody counted.
    """

    samples: np.ndarray
    start_ns: int
    end_ns: int
    channel: int = 0
    valid: bool = True
    reason: str = ''
    clipped: float = float('nan')

    @classmethod
    def from_samples(cls, samples: np.ndarray, start_ns: int = 0, channel: int = 0) -> Window:
        """Return samples at 16 kHz, shape (n,), as a window; invalid where shorter than 3 s."""
        samples = np.ascontiguousarray(samples, np.float32)
        end_ns = start_ns + samples_ns(len(samples))
        if len(samples) < WINDOW_SAMPLES:
            reason = too_short(len(samples))
            return cls(samples, start_ns, end_ns, channel, valid=False, reason=reason)
        return cls(samples, start_ns, end_ns, channel)


@dataclass(frozen=True)
class Clip:
    """0.96 s of a window: float32, shape (15360,), with its start and end in nanoseconds."""

    samples: np.ndarray
    start_ns: int
    end_ns: int


def samples_ns(count: float) -> int:
    """Return how long so many samples at 16 kHz last, in nanoseconds."""
    return round(count * 1e9 / SAMPLE_RATE)


def too_short(samples: int, wanted: int = WINDOW_SAMPLES) -> str:
    """Return the reason for which a window of so few samples is not valid."""
    heard_s = samples * 100 // SAMPLE_RATE / 100
    return f'only {heard_s:.2f} s of {wanted / SAMPLE_RATE:.2f} s of sound heard yet'


def clip_starts(
    samples: int,
    count: int = CLIPS_PER_WINDOW,
    rng: np.random.Generator | None = None,
    start_ns: int = 0,
) -> np.ndarray:
    """
    Return the first sample of each clip within a window, int64, shape (count,).

    Evenly spaced, in steps of whole 10 ms (20 clips of 3 s: 100 ms) and at times that are multiples
    of the step, so that windows that overlap have clips in common: ``start_ns`` is the time of the
    window's first sample. The last are taken: sound before the first or after the last clip is
    shorter than a step, or than 0.14 s. With ``rng`` drawn uniformly at random as in training (the
    paper, section 4), in the order drawn.
    Raises QuietNavError where the window is shorter than a clip.
    """
    room = samples - CLIP_SAMPLES
    if room < 0 or count < 1:
        raise QuietNavError(
            f'{count} clips of {CLIP_SAMPLES} samples cannot be cut from {samples} samples; '
            f'give at least {CLIP_S} s at 16 kHz and ask for one clip or more'
        )
    if rng is not None:
        return rng.integers(0, room + 1, count)
    step = (room + 1) // count // _CLIP_STEP * _CLIP_STEP
    if not step:
        return np.rint(np.linspace(0, room, count)).astype(np.int64)
    last = room - (sample_at(start_ns) + room) % step
    return last + step * np.arange(1 - count, 1)


def sample_at(time_ns: int) -> int:
    """Return the number of the sample at 16 kHz nearest to a time, of those since time 0."""
    return (time_ns * SAMPLE_RATE + 500_000_000) // 1_000_000_000


def cut_clips(
    window: Window, count: int = CLIPS_PER_WINDOW, rng: np.random.Generator | None = None
) -> tuple[Clip, ...]:
    """Cut clips from a window, with times; places and errors as in ``clip_starts``."""
    starts = clip_starts(len(window.samples), count, rng, window.start_ns)
    return tuple(
        Clip(
            window.samples[start : start + CLIP_SAMPLES],
            window.start_ns + samples_ns(start),
            window.start_ns + samples_ns(start + CLIP_SAMPLES),
        )
        for start in starts.tolist()
    )


def clip_batch(samples: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the clips at ``starts`` as one float32 array of shape (count, 15360)."""
    views = np.lib.stride_tricks.sliding_window_view(samples, CLIP_SAMPLES)
    return np.ascontiguousarray(views[starts], np.float32)
