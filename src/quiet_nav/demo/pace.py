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

"""How fast simulated time may go on this machine: as fast as every node keeps up."""

from __future__ import annotations

from dataclasses import dataclass

#: A reading this old (simulated seconds after its window) makes the robot wait.
READING_LAG_S = 0.8
#: A velocity command this old (simulated seconds) makes it turn and drive too far.
COMMAND_LAG_S = 0.12


@dataclass(frozen=True)
class PaceSettings:
    """Limits of the time factor (simulated over real time), and how it changes."""

    #: What the demo begins with: most laptops keep up with it.
    begin: float = 1.5
    #: Never slower than this: the demo would seem to stand.
    slowest: float = 0.1
    #: Never faster than this: nobody could follow the robot.
    fastest: float = 4.0
    #: Factor of a raise, small so that nodes that keep up are not overrun at once.
    up: float = 1.15
    #: Factor where nodes lag, large so that they catch up.
    down: float = 0.7


class Pace:
    """The time factor of the simulation, raised while nodes keep up and lowered when they lag."""

    def __init__(self, settings: PaceSettings | None = None) -> None:
        self._settings = settings or PaceSettings()
        self.factor = self._settings.begin
        self._worst = 0.0
        self._ends_ns: dict[int, int] = {}

    def reading(self, now_ns: int, end_ns: int, side: int) -> bool:
        """
        Take that a reading of a side's window that ended at ``end_ns`` came at ``now_ns``.

        A window that comes again with more context says nothing of the pace: then False. Times in
        simulated nanoseconds.
        """
        if end_ns <= self._ends_ns.get(side, end_ns - 1):
            return False
        self._ends_ns[side] = end_ns
        self._worst = max(self._worst, (now_ns - end_ns) * 1e-9 / READING_LAG_S)
        return True

    def command(self, lag_s: float) -> None:
        """Take how late a velocity command came, in simulated seconds."""
        self._worst = max(self._worst, lag_s / COMMAND_LAG_S)

    def next(self, achieved: float) -> float:
        """Return the factor for the next interval; ``achieved`` is that of the last one."""
        s = self._settings
        if self._worst > 1.0:
            wanted = self.factor * s.down
        elif self._worst < 0.6 and achieved > 0.9 * self.factor:
            wanted = self.factor * s.up
        else:
            wanted = self.factor
        self._worst = 0.0
        self.factor = min(max(wanted, s.slowest), s.fastest)
        return self.factor


def patience(fastest: float) -> dict[str, float]:
    """
    Return parameters of a follower in simulated time that runs up to ``fastest`` times real time.

    A pause of the machine is so many times as long on the simulation's clock.
    """
    return {
        'odometry_timeout_s': min(0.2 * fastest, 1.0),
        'jump_margin_m': min(0.1 * fastest, 1.0),
        'jump_margin_rad': min(0.35 * fastest, 1.5),
        'motion_delay_s': min(0.2 * fastest, 2.0),
        'motion_margin_m': min(0.04 * fastest, 1.0),
        'motion_margin_rad': min(0.3 * fastest, 3.0),
        'budget_m': min(0.1 + 0.04 * fastest, 1.0),
        'budget_rad': min(0.5 + 0.3 * fastest, 3.0),
        'reading_ahead_s': min(0.5 * fastest, 10.0),
    }
