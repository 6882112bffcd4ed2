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

"""The step machine on a robot that hears its commands late, as over Wi-Fi."""

from collections import deque
import math

import pytest

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.limits import Twist2D
from quiet_nav.navigation.policy import Look, Step
from quiet_nav.navigation.step_machine import Phase, StepMachine
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import find_rig

TICK_S = 0.05
WINDOW_S = 3.0


class LooksAhead:
    """Hears left and right, turns to hear what is ahead, then drives."""

    name, wall_distance_m, sides = 'looks ahead', math.nan, (Side.LEFT, Side.RIGHT)

    def decide(self, readings, pose):
        return Step(0.0, 0.2) if Side.FRONT in readings else Look(Side.FRONT, turned=True)


@pytest.mark.parametrize('late_s', [0.0, 0.1, 0.2, 0.3])
def test_late_commands_do_not_make_it_turn_to_listen_for_ever(late_s):
    machine = StepMachine(LooksAhead(), find_rig('pair'))
    queue = deque([Twist2D()] * round(late_s / TICK_S))
    yaw, now_ns, turns = 0.0, 0, 0
    phase, twist = machine.phase, Twist2D()
    while machine.steps == 0 and now_ns < 60e9:
        now_ns += round(TICK_S * 1e9)
        queue.append(machine.update(now_ns, Pose2D(0.0, 0.0, yaw), twist))
        twist = queue.popleft()
        yaw += twist.angular_rps * TICK_S
        turns += machine.phase == Phase.TURN_TO_LISTEN != phase
        phase = machine.phase
        if phase == Phase.DRIVE:
            break
        since = machine.listening_since_ns
        if since is not None and now_ns - since >= WINDOW_S * 1e9:
            for side in (Side.LEFT, Side.RIGHT):
                machine.add_reading(
                    NearWallReading(side, 0.1, now_ns - round(WINDOW_S * 1e9), now_ns)
                )
    assert phase == Phase.DRIVE, f'after {now_ns * 1e-9:.0f} s and {turns} turns: {phase.name}'
    assert turns <= 2
