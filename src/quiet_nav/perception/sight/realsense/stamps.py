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

"""From a camera's time to the robot's: stamps of frames as realsense2_camera makes them."""

from __future__ import annotations

from collections import deque
import enum

_S = 1_000_000_000
#: The least delay of so many seconds tells the clocks' difference.
_SECONDS = 10
#: A difference that grows by more at once is another clock: the camera's began again, or the
#: robot's was set.
_JUMP_NS = 1 * _S


class FrameClock(enum.Enum):
    """Whose time a frame bears."""

    #: The computer's: librealsense's global time, or the time of arrival.
    HOST = 'host'
    #: The camera's own, which begins anywhere and begins again.
    DEVICE = 'device'


class FrameStamps:
    """
    Stamps (ns) of one camera's frames.

    Times of the computer's clock stay as they are. To times of the camera's own clock the
    difference of the clocks is added: the first frame is stamped with its arrival, later ones by
    what the camera's clock says has passed since (realsense2_camera, ``frameSystemTimeSec``).
    Unlike there, the difference is that of the least delayed frame of the last ten seconds, so
    that drift is followed, and it is taken anew where a clock was set or began again. follow_host
    False treats every time as the camera's own: the frames of a file are played now.
    """

    def __init__(self, follow_host: bool = True) -> None:
        self._follow_host = follow_host
        self._least: deque[tuple[int, int]] = deque(maxlen=_SECONDS)
        self._last: dict[str, tuple[int, int]] = {}

    def stamp_ns(self, stream: str, time_ns: int, clock: FrameClock, now_ns: int) -> int:
        """Return the stamp of a stream's frame that bears a time and arrived now."""
        if clock is FrameClock.HOST and self._follow_host:
            return time_ns
        before_ns, stamped_ns = self._last.get(stream, (time_ns, now_ns - _JUMP_NS))
        difference = now_ns - time_ns
        if time_ns < before_ns or abs(difference - self._difference(difference)) > _JUMP_NS:
            self._least.clear()
            self._last.clear()
            stamped_ns = now_ns - _JUMP_NS
        self._remember(now_ns // _S, difference)
        # Where the difference shrank two stamps must not change places; none is ahead of now.
        stamp_ns = min(max(time_ns + self._difference(difference), stamped_ns + 1), now_ns)
        self._last[stream] = time_ns, stamp_ns
        return stamp_ns

    def _difference(self, otherwise: int) -> int:
        return min((least for _, least in self._least), default=otherwise)

    def _remember(self, second: int, difference: int) -> None:
        if self._least and self._least[-1][0] == second:
            difference = min(difference, self._least.pop()[1])
        self._least.append((second, difference))
