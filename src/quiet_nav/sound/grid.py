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

"""When windows are due: on whole multiples of a hop of absolute time, live and in replay alike."""

from __future__ import annotations

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.windows import Window


class WindowGrid:
    """
    Cut the windows of a stream that end on multiples of ``hop_s`` since time 0.

    What it yields depends on the sound and its stamps alone, not on when it is asked, so that a
    live node and a replay of its bag work on the same windows.
    """

    def __init__(self, hop_s: float) -> None:
        if hop_s <= 0.0:
            raise QuietNavError(f'a hop of {hop_s} s between windows; expected more than 0')
        self._hop_ns = round(hop_s * 1e9)
        self._done_ns: int | None = None

    def due(self, stream: AudioStream) -> list[tuple[Window, ...]]:
        """
        Return the windows due since the last call, oldest first, each as one a channel.

        Windows that are not valid (young, across a gap) are among them, with their reason. After
        time ran backwards the grid goes on from there.
        """
        if not stream.has_sound:
            return []
        end_ns, start_ns = stream.end_ns, stream.start_ns
        if self._done_ns is None or not start_ns <= self._done_ns <= end_ns:
            self._done_ns = start_ns
        ticks = range(self._done_ns // self._hop_ns + 1, end_ns // self._hop_ns + 1)
        self._done_ns = max(self._done_ns, end_ns // self._hop_ns * self._hop_ns)
        return [
            tuple(stream.ending_at(tick * self._hop_ns, c) for c in range(stream.channels))
            for tick in ticks
        ]
