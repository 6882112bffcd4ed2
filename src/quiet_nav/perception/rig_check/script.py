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


"""What the person who checks a rig does when: the script that a recording follows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """A time (s from the recording's start) in which one ear is tapped: its index in the rig."""

    ear: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Script:
    """
    Quiet, then a few taps at each ear in the rig's order, all of that again, then quiet.

    Twice, because the clocks of two sound cards part only with time; quiet at the end, because a
    gain that rides comes back there.
    """

    #: How many there are to tap.
    ears: int
    #: At the beginning: the floor that everything is held against.
    quiet_s: float = 5.0
    #: For one ear; a person needs this to reach it.
    slot_s: float = 4.0
    #: How often each ear has its turn.
    rounds: int = 2
    #: Quiet at the end.
    ending_s: float = 6.0
    #: How often to tap in a slot.
    taps: int = 3

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return the slots in their order."""
        return tuple(
            Slot(
                k % self.ears, self.quiet_s + k * self.slot_s, self.quiet_s + (k + 1) * self.slot_s
            )
            for k in range(self.ears * self.rounds)
        )

    @property
    def ending_start_s(self) -> float:
        return self.quiet_s + self.ears * self.rounds * self.slot_s

    @property
    def duration_s(self) -> float:
        return self.ending_start_s + self.ending_s
