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

"""Where a rig must turn to so that its ears hear the sides that a policy asks about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import math

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side, wrap_angle
from quiet_nav.perception.rig import Rig

#: Turns tried in this order: standing as it is, then left, right (the paper's order), back.
TURNS_RAD = (0.0, math.pi / 2.0, -math.pi / 2.0, math.pi)


@dataclass(frozen=True)
class ListenStop:
    """
    Stand turned by ``turn_rad`` from the heading of the step and hear ``sides``.

    sides: every side that an ear faces there, asked in the robot's unturned axes.
    """

    turn_rad: float
    sides: frozenset[Side]

    def side_of(self, ear_side: Side) -> Side:
        """Return the side of the unturned robot that ``ear_side`` of the turned one faces."""
        return Side.nearest(wrap_angle(ear_side.yaw_rad + self.turn_rad))


def listen_stops(rig: Rig, wanted: Iterable[Side], turned: bool = False) -> tuple[ListenStop, ...]:
    """
    Return the fewest stops, in order, at which the rig hears every wanted side.

    turned: not as it stands, so that it hears with other ears. Nothing wanted needs no stop.
    Raises QuietNavError for a rig that cannot hear a side so.
    """
    missing = set(wanted)
    stops = []
    for turn in TURNS_RAD[1:] if turned else TURNS_RAD:
        stop = ListenStop(
            turn, frozenset(Side.nearest(wrap_angle(ear.side.yaw_rad + turn)) for ear in rig.ears)
        )
        if missing & stop.sides:
            stops.append(stop)
            missing -= stop.sides
    if missing:
        names = ', '.join(sorted(side.name for side in missing))
        raise QuietNavError(f'rig {rig.name} has no ear that could hear {names}')
    return tuple(stops)
