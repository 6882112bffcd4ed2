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

"""The step machine driven by a robot that follows commands exactly, on a clock of the test's."""

from dataclasses import replace
import math
from pathlib import Path

import pytest

from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.navigation.limits import SafetyLimits, STOP, Twist2D
from quiet_nav.navigation.policy import BOTH_SIDES, Look, Step
from quiet_nav.navigation.step_machine import (
    GoalLimits,
    Outcome,
    Phase,
    StepMachine,
    StepTiming,
)
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import load_rig

RIGS = Path(__file__).parents[2] / 'config' / 'rigs'
LIMITS = SafetyLimits()
TICK_NS = 50_000_000
WINDOW_NS = 3_000_000_000


class Script:
    """A policy that answers from a list and remembers what it was given."""

    name = 'script'
    wall_distance_m = math.nan

    def __init__(self, *answers, sides=BOTH_SIDES):
        self.answers, self.sides, self.asked = list(answers), sides, []

    def decide(self, readings, pose):
        self.asked.append((dict(readings), pose))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class World:
    """A robot that does what it is told, and ears that give a reading for every window of 3 s."""

    def __init__(self, policy, rig='pair', **kwargs):
        self.rig = load_rig(RIGS / f'{rig}.yaml')
        self.machine = StepMachine(policy, self.rig, LIMITS, **kwargs)
        self.now_ns, self.pose, self.twist = 10**9, Pose2D(), STOP
        self.deaf = self.stuck = False
        self.commands, self.phases = [], []

    def tick(self):
        self.now_ns += TICK_NS
        self.pose = Pose2D(
            self.pose.x + 0.05 * self.twist.linear_mps * math.cos(self.pose.yaw),
            self.pose.y + 0.05 * self.twist.linear_mps * math.sin(self.pose.yaw),
            wrap_angle(self.pose.yaw + 0.05 * self.twist.angular_rps),
        )
        if not self.deaf:
            for ear in self.rig.ears:
                self.machine.add_reading(
                    NearWallReading(ear.side, 0.5, self.now_ns - WINDOW_NS, self.now_ns)
                )
        command = self.machine.update(self.now_ns, self.pose, self.twist)
        self.twist = STOP if self.stuck else command
        self.commands.append(command)
        if not self.phases or self.phases[-1] != self.machine.phase:
            self.phases.append(self.machine.phase)

    def run(self, seconds=120.0, until=lambda world: not world.machine.running):
        for _ in range(int(seconds / 0.05)):
            self.tick()
            if until(self):
                return self
        return self


def test_a_pair_rests_listens_turns_and_drives():
    world = World(Script(Step(0.4, 0.3)), goal=GoalLimits(max_steps=1)).run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    assert world.phases == [Phase.SETTLE, Phase.LISTEN, Phase.TURN, Phase.DRIVE]
    assert world.pose.yaw == pytest.approx(0.4, abs=0.03)
    assert math.hypot(world.pose.x, world.pose.y) == pytest.approx(0.3, abs=0.02)
    assert world.machine.distance_m == pytest.approx(0.3, abs=0.02)


def test_a_single_ear_turns_left_then_right_then_drives_from_its_heading():
    world = World(Script(Step(0.0, 0.2)), 'single', goal=GoalLimits(max_steps=1))
    yaws = []

    def watch(w):
        if w.machine.phase == Phase.LISTEN:
            yaws.append(round(w.pose.yaw, 1))
        return not w.machine.running

    world.run(until=watch)
    assert list(dict.fromkeys(yaws)) == [1.6, -1.6]
    assert set(world.machine.policy.asked[0][0]) == {Side.LEFT, Side.RIGHT}
    assert world.pose.yaw == pytest.approx(0.0, abs=0.05)
    assert world.pose.x == pytest.approx(0.2, abs=0.02)


def test_a_look_ahead_turns_a_pair_and_hears_the_front():
    script = Script(Look(Side.FRONT), Step(0.0, 0.2))
    world = World(script, goal=GoalLimits(max_steps=1)).run()
    assert Side.FRONT not in script.asked[0][0]
    assert Side.FRONT in script.asked[1][0]
    assert script.asked[0][1] == script.asked[1][1]
    assert world.pose.yaw == pytest.approx(0.0, abs=0.05)


def test_a_trio_looks_ahead_for_free():
    script = Script(Step(0.0, 0.2))
    World(script, 'trio', goal=GoalLimits(max_steps=1)).run()
    assert set(script.asked[0][0]) == {Side.LEFT, Side.RIGHT, Side.FRONT}


def test_only_windows_that_start_after_the_robot_came_to_rest_count():
    world = World(Script(Step(0.0, 0.3)), goal=GoalLimits(max_steps=2))
    listening = []

    def watch(w):
        if w.machine.phase == Phase.LISTEN:
            listening.append(w.now_ns)
        return not w.machine.running

    world.run(until=watch)
    for readings, _ in world.machine.policy.asked:
        assert all(any(r.start_ns >= t - TICK_NS for t in listening) for r in readings.values())
    machine = StepMachine(Script(Step(0.0, 0.3)), world.rig, LIMITS)
    now = 10**9
    while machine.phase != Phase.LISTEN:
        now += TICK_NS
        machine.update(now, Pose2D(), STOP)
    since = machine.listening_since_ns
    early = NearWallReading(Side.LEFT, 0.5, since - 1, since + WINDOW_NS)
    assert not machine.add_reading(early)
    assert machine.add_reading(NearWallReading(Side.LEFT, 0.5, since, since + WINDOW_NS))


def test_the_robot_does_not_move_before_the_first_reading():
    world = World(Script(Step(0.5, 0.3)))
    world.deaf = True
    world.run(seconds=20.0)
    assert world.machine.outcome == Outcome.NO_READING
    assert all(command.is_zero for command in world.commands)


def test_readings_that_are_not_valid_do_not_count():
    world = World(Script(Step(0.5, 0.3)))
    world.deaf = True
    for _ in range(100):
        world.tick()
        assert not world.machine.add_reading(
            NearWallReading.invalid(Side.LEFT, world.now_ns, world.now_ns, 'clipped')
        )
    assert all(command.is_zero for command in world.commands)


def test_one_side_alone_is_passed_on_when_the_time_to_listen_is_over():
    world = World(Script(Step(0.0, 0.2)), goal=GoalLimits(max_steps=1))
    world.deaf = True

    def left_only(w):
        w.machine.add_reading(NearWallReading(Side.LEFT, 0.7, w.now_ns - WINDOW_NS, w.now_ns))
        return not w.machine.running

    world.run(until=left_only)
    assert set(world.machine.policy.asked[0][0]) == {Side.LEFT}
    assert world.machine.outcome == Outcome.LIMIT_REACHED


def test_a_policy_that_cannot_decide_listens_again_but_not_for_ever():
    script = Script(Step(reason='nothing'))
    world = World(script).run()
    assert world.machine.outcome == Outcome.NO_READING
    assert len(script.asked) == StepTiming().max_empty_listens
    assert world.machine.distance_m == 0.0


def test_a_policy_that_hears_a_silent_room_waits_longer_and_then_ends_the_run_at_rest():
    script = Script(Step(reason='silent', waits=True))
    world = World(script).run()
    assert world.machine.outcome == Outcome.NO_READING
    assert world.machine.reason == 'silent'
    waited_s = (world.now_ns - 10**9) * 1e-9
    assert StepTiming().silence_s <= waited_s < StepTiming().silence_s + 8.0
    assert all(command.is_zero for command in world.commands)


def test_waiting_is_forgotten_once_there_is_something_to_hear_again():
    waits = [Step(waits=True)] * 20
    script = Script(*waits, Step(0.0, 0.2), *waits, Step(0.0, 0.2))
    world = World(script, goal=GoalLimits(max_steps=2)).run(seconds=300.0)
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    assert len(script.asked) == 42


@pytest.mark.parametrize(('turn_rad', 'phase'), [(0.0, 'DRIVE'), (1.0, 'TURN')])
def test_a_robot_that_does_not_move_is_commanded_no_farther_than_its_budget(turn_rad, phase):
    world = World(Script(Step(turn_rad, 0.3)))
    world.stuck = True
    world.run()
    assert world.machine.outcome == Outcome.MOTION_MISMATCH
    assert phase in world.machine.reason
    assert world.machine.update(world.now_ns, world.pose, STOP) == STOP
    way_m = 0.05 * sum(c.linear_mps for c in world.commands)
    turn = 0.05 * sum(abs(c.angular_rps) for c in world.commands)
    # Two ticks more: what a command does is counted at the next.
    assert way_m <= 0.3 * 1.25 + 0.1 + 0.02 and turn <= 1.0 * 1.25 + 0.5 + 0.1


def test_a_robot_that_crawls_has_no_more_time_than_its_step_is_worth():
    world = World(Script(Step(0.0, 0.2)))
    world.run(until=lambda w: w.machine.phase == Phase.DRIVE)
    begun_ns = world.now_ns
    world.machine.limits = replace(LIMITS, max_linear_mps=0.01)
    world.run()
    assert world.machine.outcome == Outcome.PHASE_TIMEOUT
    assert (world.now_ns - begun_ns) * 1e-9 < 6.0, 'not after the 15 s of any drive'


def test_a_robot_that_never_rests_runs_into_the_phase_limit():
    world = World(Script(Step(0.0, 0.3)))
    for _ in range(100):
        world.now_ns += TICK_NS
        world.machine.update(world.now_ns, world.pose, Twist2D(0.1, 0.0))
    assert world.machine.outcome == Outcome.PHASE_TIMEOUT
    assert 'STOP' in world.machine.reason


def test_a_push_while_listening_voids_what_was_heard():
    script = Script(Step(0.0, 0.2))
    world = World(script, goal=GoalLimits(max_steps=1))
    world.run(until=lambda w: w.machine.phase == Phase.LISTEN)
    for _ in range(20):
        world.tick()
    pushed_ns = world.now_ns
    world.twist = Twist2D(0.1, 0.0)
    world.run()
    assert all(r.start_ns > pushed_ns for r in script.asked[0][0].values())


@pytest.mark.parametrize('rig', ['single', 'pair', 'trio'])
def test_commands_keep_velocity_and_acceleration_limits(rig):
    world = World(
        Script(Step(1.2, 0.5), Look(Side.FRONT), Step(-2.0, 0.4), Step(0.1, 9.0)),
        rig,
        goal=GoalLimits(max_steps=3),
    ).run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    assert max(abs(c.linear_mps) for c in world.commands) <= LIMITS.max_linear_mps
    assert max(abs(c.angular_rps) for c in world.commands) <= LIMITS.max_angular_rps
    speeding_up = [
        b.linear_mps - a.linear_mps
        for a, b in zip(world.commands, world.commands[1:], strict=False)
    ]
    assert max(speeding_up) <= LIMITS.max_linear_accel_mps2 * 0.05 + 1e-9


def test_one_drive_is_never_longer_than_the_longest_step():
    world = World(Script(Step(0.0, 9.0)), goal=GoalLimits(max_steps=1)).run()
    assert world.machine.distance_m == pytest.approx(StepTiming().max_step_m, abs=0.02)


def test_the_way_of_the_goal_is_not_exceeded():
    world = World(Script(Step(0.0, 0.3)), goal=GoalLimits(max_distance_m=0.7)).run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    assert world.machine.distance_m == pytest.approx(0.7, abs=0.03)
    assert world.machine.steps == 3


def test_the_time_of_the_goal_ends_the_run_at_once():
    world = World(Script(Step(0.0, 0.3)), goal=GoalLimits(max_duration_s=5.0)).run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    assert (world.now_ns - 10**9) * 1e-9 == pytest.approx(5.05, abs=0.051)


def test_the_first_outcome_stays():
    world = World(Script(Step(0.0, 0.3)))
    world.machine.finish(Outcome.BUMP, 'a bump')
    world.machine.finish(Outcome.CANCELED, 'later')
    assert (world.machine.outcome, world.machine.reason) == (Outcome.BUMP, 'a bump')


def test_rest_again_begins_the_step_from_rest():
    script = Script(Step(0.0, 0.5))
    world = World(script, goal=GoalLimits(max_steps=1))
    world.run(until=lambda w: w.machine.distance_m > 0.1)
    world.machine.rest_again()
    world.run()
    assert len(script.asked) == 2
    assert script.asked[1][1].x > 0.09


def test_a_reading_named_in_the_axes_of_the_step_is_not_turned():
    world = World(Script(Step(0.0, 0.2)), 'single')
    world.deaf = True
    world.run(until=lambda w: w.machine.phase == Phase.LISTEN)
    since = world.machine.listening_since_ns
    world.machine.add_reading(
        NearWallReading(Side.LEFT, 0.5, since, since + WINDOW_NS), turned=False
    )
    assert set(world.machine.readings) == {Side.LEFT}
