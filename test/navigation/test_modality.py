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

"""What a robot drives by: the selector by tables, the machine and the guarded run on its word."""

import math

import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.navigation.fusion import fused
from quiet_nav.navigation.guarded_run import GuardedRun
from quiet_nav.navigation.limits import SafetyLimits, STOP
from quiet_nav.navigation.modality import ModalitySelector, ModalitySettings, Mode
from quiet_nav.navigation.policy import BOTH_SIDES, Step
from quiet_nav.navigation.step_machine import GoalLimits, Outcome, Phase, StepMachine
from quiet_nav.navigation.watch import Watch
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import CAMERA_RIG, find_rig

S = 10**9
A, V, F = Modality.AUDIO, Modality.VISION, Modality.FUSION
RIGS = {A: find_rig('pair'), V: CAMERA_RIG}


def reading(modality, end_s, valid=True, side=Side.FRONT, window_s=None, p=0.5):
    end_ns = round(end_s * S)
    length_s = window_s if window_s is not None else (3.0 if modality == A else 0.0)
    start_ns = end_ns - round(length_s * S)
    if valid:
        return NearWallReading(side, p, start_ns, end_ns, modality=modality)
    return NearWallReading.invalid(side, start_ns, end_ns, 'dark', modality)


def selector(mode, **settings):
    return ModalitySelector(mode, RIGS, ModalitySettings(**settings))


@pytest.mark.parametrize(
    ('mode', 'modality', 'used'),
    [
        (Mode.AUDIO, A, (A,)),
        (Mode.VISION, V, (V,)),
        (Mode.AUTO, V, (V,)),
        (Mode.FUSION, F, (A, V)),
    ],
)
def test_a_mode_begins_with_what_it_prefers(mode, modality, used):
    chosen = selector(mode)
    assert (chosen.modality, chosen.used, chosen.switches) == (modality, used, 0)


# (mode, readings as (modality, second, valid), listening since, now) -> modality, word of reason
GIVEN_UP = [
    # Valid images until now: vision stays.
    (Mode.AUTO, [(V, 10.0, True)], 9.0, 10.5, V, ''),
    # Just within the patience, and just beyond.
    (Mode.AUTO, [(V, 10.0, True)], 9.0, 11.4, V, ''),
    (Mode.AUTO, [(V, 10.0, True)], 9.0, 11.6, A, 'camera'),
    # Dark ones since 10: the reason is theirs.
    (Mode.AUTO, [(V, 10.0, True), (V, 10.5, False), (V, 11.5, False)], 9.0, 11.6, A, 'dark'),
    # One dark image among good ones is no reason.
    (Mode.AUTO, [(V, 10.0, True), (V, 10.5, False), (V, 11.0, True)], 9.0, 11.6, V, ''),
    # Nothing ever came; patience counts from when the robot began to look.
    (Mode.AUTO, [], 9.0, 10.4, V, ''),
    (Mode.AUTO, [], 9.0, 10.6, A, 'no valid reading'),
    # Alone there is nothing to change to.
    (Mode.VISION, [(V, 10.0, False)], 9.0, 20.0, V, ''),
    (Mode.AUDIO, [], 9.0, 20.0, A, ''),
    # Both used: each may fail, sound has a window more of patience.
    (Mode.FUSION, [(A, 12.5, True), (V, 10.0, True)], 9.0, 12.6, A, 'camera'),
    (Mode.FUSION, [(A, 10.0, False), (V, 13.0, True)], 9.0, 13.4, F, ''),
    (Mode.FUSION, [(A, 10.0, False), (V, 13.0, True)], 9.0, 13.6, V, 'sound: dark'),
]


@pytest.mark.parametrize(('mode', 'said', 'since_s', 'now_s', 'modality', 'word'), GIVEN_UP)
def test_what_gives_no_valid_reading_to_a_robot_that_looks_is_given_up(
    mode, said, since_s, now_s, modality, word
):
    chosen = selector(mode)
    for what, end_s, valid in said:
        chosen.add_reading(reading(what, end_s, valid))
    before = chosen.modality
    changed = chosen.judge(round(now_s * S), round(since_s * S))
    assert chosen.modality == modality
    assert changed == (modality != before) == (chosen.switches == 1)
    assert word in chosen.reason and bool(word) == bool(chosen.reason)


def fallen_back(**settings):
    chosen = selector(Mode.AUTO, **settings)
    assert chosen.lose(V, 10 * S, 'silent')
    return chosen


TAKEN_UP = [
    # Sound for two seconds: back. A moment less, a gap or a dark image meanwhile: not yet.
    ([(20.0, True), (21.0, True), (22.0, True)], 22.1, V),
    ([(20.0, True), (21.0, True)], 21.9, A),
    ([(20.0, True), (20.5, True), (22.5, True)], 22.6, A),
    ([(20.0, True), (21.0, False), (22.0, True)], 22.6, A),
    # Stale by now.
    ([(20.0, True), (21.0, True), (22.0, True)], 24.0, A),
    ([], 100.0, A),
]


@pytest.mark.parametrize(('said', 'now_s', 'modality'), TAKEN_UP)
def test_vision_is_taken_up_again_once_it_has_been_sound_for_a_while(said, now_s, modality):
    chosen = fallen_back()
    for end_s, valid in said:
        chosen.add_reading(reading(V, end_s, valid))
    assert chosen.prefer(round(now_s * S)) == (modality == V)
    assert chosen.modality == modality
    assert chosen.switches == (2 if modality == V else 1)
    assert bool(chosen.reason) == (modality == A)


def test_images_blurred_by_motion_neither_fail_vision_nor_hold_it_up():
    chosen = fallen_back()
    for i in range(5):
        chosen.add_reading(reading(V, 20.0 + 0.5 * i, valid=i != 2), at_rest=i != 2)
    assert chosen.prefer(round(22.1 * S))


def test_a_camera_that_flickers_does_not_make_the_robot_change_all_the_time():
    chosen = fallen_back()
    for i in range(200):
        now_s = 20.0 + 0.5 * i
        chosen.add_reading(reading(V, now_s, valid=i % 4 != 0))
        chosen.prefer(round(now_s * S))
    assert chosen.switches == 1


def test_where_sound_fails_too_vision_is_taken_as_soon_as_it_shows_anything():
    chosen = fallen_back()
    assert not chosen.lose(A, 20 * S, 'silent'), 'there is nothing to change to'
    chosen.add_reading(reading(V, 21.0))
    assert chosen.lose(A, 21 * S, 'silent') and chosen.modality == V


def test_settings_are_positive():
    with pytest.raises(QuietNavError, match='patience_s'):
        ModalitySettings(patience_s=0.0)


# The machine


class Script:
    name, sides, wall_distance_m = 'script', BOTH_SIDES, math.nan

    def __init__(self, step):
        self.step, self.asked = step, []

    def decide(self, readings, pose):
        self.asked.append((dict(readings), pose))
        return self.step


class World:
    """A robot that does what it is told, with ears and a camera; either may fail."""

    def __init__(self, mode, step=None, rig='pair', goal=None):
        rigs = {A: find_rig(rig), V: CAMERA_RIG}
        self.policy = Script(step or Step(0.0, 0.2))
        self.machine = StepMachine(
            self.policy, ModalitySelector(mode, rigs), goal=goal or GoalLimits(max_steps=4)
        )
        self.now_ns, self.pose, self.twist = 100 * S, Pose2D(), STOP
        self.watch = Watch(SafetyLimits(), 0.2, 2.0)
        self.run_ = GuardedRun(self.machine, self.watch, self.now_ns)
        self.camera, self.ears, self.rigs = 'works', 'work', rigs
        self.ticks = 0

    def readings(self):
        end_s = self.now_ns / S
        if self.camera != 'killed' and self.ticks % 10 == 0:
            yield reading(V, end_s, self.camera == 'works')
        if self.ears != 'dead' and self.ticks % 10 == 5:
            for ear in self.rigs[A].ears:
                yield reading(A, end_s, self.ears == 'work', ear.side)

    def tick(self):
        self.ticks += 1
        self.now_ns += S // 20
        x, y, yaw = self.pose.x, self.pose.y, self.pose.yaw
        v, w = self.twist.linear_mps, self.twist.angular_rps
        self.pose = Pose2D(
            x + 0.05 * v * math.cos(yaw), y + 0.05 * v * math.sin(yaw), wrap_angle(yaw + 0.05 * w)
        )
        self.watch.odometry(self.now_ns, self.pose)
        for said in self.readings():
            self.watch.reading(said)
            self.machine.add_reading(said)
        self.twist = self.run_.update(self.now_ns, self.pose, self.twist)

    def run(self, until=lambda world: not world.machine.running, seconds=300.0):
        for _ in range(int(seconds * 20)):
            self.tick()
            if until(self):
                return self
        raise AssertionError('never came to that')


def listens_turned(world):
    return world.machine.phase == Phase.LISTEN and abs(world.pose.yaw) > 1.0


def drives(world):
    return world.twist.linear_mps > 0.1


def test_a_camera_looks_ahead_left_and_right_and_drives_on_at_its_heading():
    world = World(Mode.VISION, goal=GoalLimits(max_steps=1)).run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    ((said, pose),) = world.policy.asked
    assert set(said) == {Side.FRONT, Side.LEFT, Side.RIGHT} and pose.yaw == 0.0
    assert {r.modality for r in said.values()} == {V}
    assert world.pose.x == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize('failure', ['dark', 'killed'])
@pytest.mark.parametrize('when', [listens_turned, drives])
def test_auto_goes_on_by_sound_within_the_step_in_which_the_camera_fails(failure, when):
    world = World(Mode.AUTO).run(until=when)
    steps = world.machine.steps
    world.camera = failure
    world.run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    assert world.machine.senses.switches == 1 and world.machine.senses.reason
    decided = world.policy.asked
    assert [{r.modality for r in said.values()} for said, _ in decided] == [{V}] * (
        steps + (when is drives)
    ) + [{A}] * (len(decided) - steps - (when is drives))
    # The step begun with the camera turned away is finished at its own heading.
    assert all(abs(pose.yaw) < 0.05 for _, pose in decided)


def test_auto_takes_the_camera_back_when_it_has_worked_for_a_while():
    world = World(Mode.AUTO)
    world.camera = 'dark'
    world.run(until=lambda w: w.machine.steps == 2)
    assert world.machine.senses.modality == A
    world.camera = 'works'
    world.run()
    assert [next(iter(said.values())).modality for said, _ in world.policy.asked] == [A, A, A, V]
    assert world.machine.senses.switches == 2


def test_auto_without_a_camera_starts_by_sound():
    world = World(Mode.AUTO)
    world.camera = 'killed'
    world.run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED and world.machine.senses.modality == A


@pytest.mark.parametrize('failure', ['dark', 'killed'])
@pytest.mark.parametrize('when', [listens_turned, drives])
@pytest.mark.parametrize('mode', [Mode.AUTO, Mode.FUSION])
def test_nothing_moves_where_both_fail(mode, when, failure):
    world = World(mode)
    if mode == Mode.AUTO or when is drives:
        world.run(until=when)
    world.camera, world.ears = failure, 'invalid' if failure == 'dark' else 'dead'
    steps = world.machine.steps
    world.run()
    assert world.machine.outcome in (Outcome.NO_READING, Outcome.SENSOR_LOST)
    assert world.machine.steps <= steps + (when is drives)


def test_a_silent_camera_stops_the_drive_that_was_begun_by_it():
    world = World(Mode.VISION, step=Step(0.0, 0.5)).run(until=drives)
    x, world.camera = world.pose.x, 'killed'
    world.run()
    assert world.machine.outcome == Outcome.SENSOR_LOST
    assert world.pose.x - x < 0.15 * 2.6


def test_fusion_hears_the_sides_and_sees_the_front_without_a_turn():
    world = World(Mode.FUSION, goal=GoalLimits(max_steps=1)).run()
    ((said, _),) = world.policy.asked
    assert {side: r.modality for side, r in said.items()} == {
        Side.FRONT: V, Side.LEFT: A, Side.RIGHT: A,
    }  # fmt: skip


@pytest.mark.parametrize(
    ('camera', 'ears', 'left'), [('dark', 'work', A), ('works', 'invalid', V), ('works', 'dead', V)]
)
def test_fusion_goes_on_with_what_is_left(camera, ears, left):
    world = World(Mode.FUSION).run(until=lambda w: w.machine.steps == 1)
    world.camera, world.ears = camera, ears
    world.run()
    assert world.machine.outcome == Outcome.LIMIT_REACHED
    assert world.machine.senses.modality == left


def test_a_front_both_heard_and_seen_is_one_reading():
    world = World(Mode.FUSION, rig='trio', goal=GoalLimits(max_steps=1)).run()
    ((said, _),) = world.policy.asked
    assert said[Side.FRONT].modality == F


# Both together


def bins(near):
    """Return a distribution with a share within 0.5 m."""
    return (near / 4,) * 4 + ((1.0 - near) / (STANDARD_BINS.count - 4),) * (STANDARD_BINS.count - 4)


def told(modality, p):
    return NearWallReading(
        Side.FRONT, p, 0, S, clips=1, distance_probabilities=bins(p), modality=modality
    )


def test_two_that_agree_are_surer_together_and_one_is_left_as_it_is():
    one = told(A, 0.8)
    assert fused([one]) is one
    both = fused([one, told(V, 0.8)])
    assert both.probability > 0.95 and sum(both.distance_probabilities[:4]) > 0.9
    assert sum(both.distance_probabilities) == pytest.approx(1.0)


def test_a_reading_that_says_what_was_to_be_expected_adds_nothing():
    both = fused([told(A, 0.11), told(V, 0.8)])
    assert both.probability == pytest.approx(0.8, abs=0.01)
