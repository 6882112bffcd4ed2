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

"""How well a stream of images runs: rate, losses, and how much of a depth image says nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quiet_nav.perception.sight.realsense.camera import DEPTH, Frame


@dataclass(frozen=True)
class StreamReport:
    """
    A stream since the report before.

    lost: images since then that the camera numbered and that never came; lost_in_all: since the
    stream began. unread: share of the newest depth image without a reading, NaN for color.
    """

    frames: int = 0
    lost: int = 0
    lost_in_all: int = 0
    unread: float = float('nan')


class StreamMeter:
    """Counts the frames of one stream; a number that goes back is a stream that began again."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._frames = self._lost = self._in_all = 0
        self._unread = float('nan')

    def add(self, frame: Frame) -> None:
        """Take note of a frame."""
        if self._number is not None:
            lost = max(0, frame.number - self._number - 1)
            self._lost += lost
            self._in_all += lost
        self._number = frame.number
        self._frames += 1
        if frame.stream == DEPTH:
            self._unread = 1.0 - np.count_nonzero(frame.pixels) / max(frame.pixels.size, 1)

    def begin_again(self) -> None:
        """Forget the last number: the camera was opened anew."""
        self._number = None

    def report(self) -> StreamReport:
        """Return what was counted since the report before."""
        report = StreamReport(self._frames, self._lost, self._in_all, self._unread)
        self._frames = self._lost = 0
        return report
