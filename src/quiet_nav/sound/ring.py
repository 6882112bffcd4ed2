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

"""The last seconds of sound in memory, addressed by sample number since the stream began."""

from __future__ import annotations

from collections import deque

import numpy as np


class RingBuffer:
    """Keep the newest ``capacity`` samples of every channel; older ones are overwritten."""

    def __init__(self, capacity: int, channels: int) -> None:
        self._data = np.zeros((channels, capacity), np.float32)
        self.capacity = capacity
        self.newest = 0

    @property
    def oldest(self) -> int:
        """Return the number of the oldest sample still held; ``newest`` is one past the last."""
        return max(0, self.newest - self.capacity)

    def append(self, frames: np.ndarray) -> None:
        """Add float32 samples of shape (frames, channels)."""
        count = len(frames)
        kept = frames[-self.capacity :]
        begin = (self.newest + count - len(kept)) % self.capacity
        first = min(len(kept), self.capacity - begin)
        self._data[:, begin : begin + first] = kept[:first].T
        self._data[:, : len(kept) - first] = kept[first:].T
        self.newest += count

    def read(self, channel: int, start: int, stop: int) -> np.ndarray:
        """
        Return a copy of samples start (included) to stop (not), float32, shape (stop - start,).

        Raises IndexError where they are not held.
        """
        if not self.oldest <= start <= stop <= self.newest:
            raise IndexError(
                f'samples {start} to {stop} asked, {self.oldest} to {self.newest} held'
            )
        begin, count = start % self.capacity, stop - start
        first = min(count, self.capacity - begin)
        row = self._data[channel]
        return np.concatenate((row[begin : begin + first], row[: count - first]))


class SampleMarks:
    """Remember which samples had something wrong, counted by channel and range."""

    def __init__(self, channels: int) -> None:
        self._marks: list[deque[np.ndarray]] = [deque() for _ in range(channels)]
        self.total = 0

    def add(self, wrong: np.ndarray, positions: np.ndarray) -> None:
        """Mark where ``wrong``, bool of shape (frames, channels), at ``positions`` (frames,)."""
        for channel in np.flatnonzero(wrong.any(axis=0)):
            marked = positions[wrong[:, channel]]
            self._marks[channel].append(marked)
            self.total += len(marked)

    def count(self, channel: int, start: float, stop: float) -> int:
        """Return how many marks of the channel lie from start (included) to stop (not)."""
        return sum(
            int(np.searchsorted(marked, stop) - np.searchsorted(marked, start))
            for marked in self._marks[channel]
        )

    def forget_before(self, position: float) -> None:
        for marks in self._marks:
            while marks and marks[0][-1] < position:
                marks.popleft()
