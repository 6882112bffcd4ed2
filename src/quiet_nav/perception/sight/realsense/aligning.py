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

"""Depth in the pixels of the color image: which two images belong together, put into one frame."""

from __future__ import annotations

from typing import Any

from quiet_nav.errors import QuietNavError

#: librealsense answers within milliseconds, or never.
_ANSWER_MS = 1000


class DepthAligner:
    """
    Aligns every depth frame with the color frame of its moment.

    rs: the library. apart_ms: frames further apart are of two moments. librealsense's own syncer
    finds few pairs in files: what plays them offers it no matcher.
    """

    def __init__(self, rs: Any, apart_ms: float) -> None:
        self._apart_ms = apart_ms
        self._align = rs.align(rs.stream.color)
        self._joined = rs.frame_queue(1)
        self._join = rs.processing_block(self._composite)
        self._join.start(self._joined)
        self._color: Any = None
        self._depth: Any = None

    def add(self, frame: Any, is_depth: bool) -> Any:
        """Take a frame; return the depth frame that can be aligned with it now, or None."""
        if is_depth:
            self._depth = frame
        else:
            self._color = frame
        if self._depth is None or self._color is None:
            return None
        if abs(self._depth.get_timestamp() - self._color.get_timestamp()) > self._apart_ms:
            return None
        self._join.invoke(self._depth)
        self._depth = None
        came, both = self._joined.try_wait_for_frame(_ANSWER_MS)
        if not came:
            raise QuietNavError('librealsense does not join depth and color: switch alignment off')
        return self._align.process(both.as_frameset()).get_depth_frame()

    def _composite(self, frame: Any, source: Any) -> None:
        source.frame_ready(source.allocate_composite_frame([frame, self._color]))
