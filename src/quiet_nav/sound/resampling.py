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

"""Streaming resampling to the rate that everything else works at."""

from __future__ import annotations

import numpy as np
import soxr

from quiet_nav.sound.windows import SAMPLE_RATE

#: How far either side of a discontinuity soxr's filter rings, in seconds of sound (quality HQ,
#: 22 kHz to 96 kHz; below that the filter is longer in proportion).
RINGING_S = 0.02


class StreamResampler:
    """
    Resample a stream of any rate to 16 kHz, chunk by chunk (soxr, quality HQ).

    Output sample k stands for the time of input sample k * rate / 16000: the filter's delay shows
    only as samples that come later (at most 0.12 s of sound), never as a shift in time.
    to_rate: another rate than 16 kHz (Hz).
    """

    def __init__(self, sample_rate: int, channels: int, to_rate: int = SAMPLE_RATE) -> None:
        self.sample_rate = sample_rate
        self.channels = channels
        self._soxr = None
        if sample_rate != to_rate:
            self._soxr = soxr.ResampleStream(sample_rate, to_rate, channels, 'float32', 'HQ')

    @property
    def ringing_samples(self) -> int:
        """Output samples either side of a splice that the filter smears; 0 at 16 kHz."""
        if self._soxr is None:
            return 0
        return round(RINGING_S * SAMPLE_RATE * max(1.0, 22_050 / self.sample_rate))

    def process(self, frames: np.ndarray) -> np.ndarray:
        """Return what samples are ready: float32, shape (frames, channels)."""
        if self._soxr is None:
            return frames
        return self._soxr.resample_chunk(np.ascontiguousarray(frames, np.float32))

    def flush(self) -> np.ndarray:
        """Return the samples still held back and begin afresh."""
        if self._soxr is None:
            return np.zeros((0, self.channels), np.float32)
        tail = self._soxr.resample_chunk(np.zeros((0, self.channels), np.float32), last=True)
        self._soxr.clear()
        return tail
