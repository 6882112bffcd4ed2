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

"""The time of control: steady whatever is done to the clock, and what befalls simulated time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import statistics

#: Smaller changes of the clock are adjustments (NTP slews it), larger ones were made at a stroke.
JUMP_S = 0.25
#: Simulated time that has not moved for so long, and for so many of its own periods, stands still.
STANDS_S, _PERIODS = 0.2, 4.0
#: Simulated time is taken for a jump where it goes ahead so far between two looks, and so much
#: faster than the steady clock.
_AHEAD_S, _AHEAD_FACTOR = 5.0, 100.0


@dataclass(frozen=True)
class Clocks:
    """Two clocks read at the same moment (ns): the steady one and the node's (ROS time)."""

    steady_ns: int
    ros_ns: int


class ControlClock:
    """
    Makes the time that control and watches go by from the steady clock and ROS time.

    On a robot it is the steady clock, begun at ROS time, so that setting the system's clock
    neither stops nor hastens anything; ``of_stamp`` brings stamps to it. In simulated time it is
    ROS time. ``jump`` says what happened to the clock since ``begin``, ``stands`` that simulated
    time does not move. No clock is read here: ``update`` is given both.
    """

    def __init__(self, simulated: bool = False) -> None:
        self.simulated = simulated
        self.jump = ''
        #: By how much the clock was set at a stroke, all in all (ns); not in simulated time.
        self.set_ns = 0
        self._now: Clocks | None = None
        self._anchor_ns = 0
        self._moved_ns = 0
        #: How long simulated time stood between its last moves, by the steady clock (ns).
        self._gaps_ns: deque[int] = deque(maxlen=9)

    def begin(self) -> None:
        """Forget jumps of before; a new run begins."""
        self.jump = ''

    def update(self, clocks: Clocks) -> int:
        """Take what both clocks say now; return the time of control in integer nanoseconds."""
        before, self._now = self._now, clocks
        if before is None:
            self._anchor_ns = clocks.ros_ns - clocks.steady_ns
            self._moved_ns = clocks.steady_ns
        else:
            self._compare(before, clocks)
        return self.now_ns

    @property
    def now_ns(self) -> int:
        """Return the time of control at the last update."""
        if self._now is None:
            return 0
        return self._now.ros_ns if self.simulated else self._now.steady_ns + self._anchor_ns

    def of_stamp(self, stamp_ns: int) -> int:
        """Return a stamp (ROS time) as a time of control."""
        if self.simulated or self._now is None:
            return stamp_ns
        return stamp_ns + self._anchor_ns - (self._now.ros_ns - self._now.steady_ns)

    def stands(self, steady_ns: int) -> str:
        """Return that simulated time stands still, and for how long; '' where it goes on."""
        if not self.simulated or self._now is None:
            return ''
        still_s = (steady_ns - self._moved_ns) * 1e-9
        period_s = statistics.median(self._gaps_ns) * 1e-9 if self._gaps_ns else 0.0
        if still_s <= max(STANDS_S, _PERIODS * period_s):
            return ''
        return f'simulated time has stood still for {still_s:.1f} s'

    def _compare(self, before: Clocks, now: Clocks) -> None:
        steady_s = (now.steady_ns - before.steady_ns) * 1e-9
        ros_s = (now.ros_ns - before.ros_ns) * 1e-9
        if now.ros_ns != before.ros_ns:
            self._gaps_ns.append(now.steady_ns - self._moved_ns)
            self._moved_ns = now.steady_ns
        if not self.simulated:
            set_s = ros_s - steady_s
            if abs(set_s) > JUMP_S:
                self.set_ns += round(set_s * 1e9)
                way = 'back' if set_s < 0.0 else 'forward'
                self.jump = self.jump or f'the clock was set {way} by {round(abs(set_s), 2):g} s'
        elif ros_s < 0.0:
            self.jump = self.jump or (
                f'simulated time went back by {-ros_s:.3g} s: was the simulation begun again, '
                'or do two publish /clock?'
            )
        elif before.ros_ns and ros_s > max(_AHEAD_S, _AHEAD_FACTOR * steady_s):
            self.jump = self.jump or f'simulated time jumped ahead by {ros_s:.3g} s'
