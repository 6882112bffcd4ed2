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

"""The watch and the guarded run on a clock of the test's."""

import math
from pathlib import Path

import pytest

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.guarded_run import GuardedRun
from quiet_nav.navigation.limits import SafetyLimits, STOP, Twist2D
from quiet_nav.navigation.motion_watch import MotionWatch
from quiet_nav.navigation.policies.straight import StraightPolicy
from quiet_nav.navigation.step_machine import Outcome, StepMachine, StepTiming
from quiet_nav.navigation.watch import Fault, Watch
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import load_rig

RIG = load_rig(Path(__file__).parents[2] / 'config' / 'rigs' / 'pair.yaml')
S = 10**9


def reading(end_ns, valid=True):
    if valid:
        return NearWallReading(Side.LEFT, 0.5, end_ns - 3 * S, end_ns)
    return NearWallReading.invalid(Side.LEFT, end_ns - 3 * S, end_ns, 'clipped')


@pytest.fixture
def watch():
    return Watch(SafetyLimits(), odometry_timeout_s=0.2, sensor_timeout_s=1.0)


def test_odometry_that_never_came_is_a_fault(watch):
    assert watch.fault(S).outcome == Outcome.ODOMETRY_LOST


@pytest.mark.parametrize(('silent_s', 'lost'), [(0.1, False), (0.19, False), (0.25, True)])
def test_silent_odometry_is_a_fault_after_its_time(watch, silent_s, lost):
    watch.odometry(S, Pose2D())
    assert (watch.fault(S + int(silent_s * S)) is not None) is lost


def test_a_jump_of_odometry_stays_a_fault_until_the_next_run(watch):
    watch.odometry(S, Pose2D())
    watch.odometry(S + S // 20, Pose2D(0.5, 0.0, 0.0))
    watch.odometry(S + S // 10, Pose2D(0.5, 0.0, 0.0))
    assert 'jumped 0.50 m' in watch.fault(S + S // 10).reason
    watch.start()
    assert watch.fault(S + S // 10) is None


def test_odometry_that_is_not_finite_is_a_fault(watch):
    watch.odometry(S, Pose2D())
    watch.odometry(S + 1, Pose2D(math.nan, 0.0, 0.0))
    assert watch.fault(S + 2).outcome == Outcome.ODOMETRY_LOST


@pytest.mark.parametrize('outcome', [Outcome.BUMP, Outcome.CLIFF])
def test_contact_is_a_fault_as_long_as_it_lasts(watch, outcome):
    watch.odometry(S, Pose2D())
    watch.pressed(outcome, True)
    assert watch.fault(S).outcome == outcome
    watch.pressed(outcome, False)
    assert watch.fault(S) is None


def test_the_sensor_is_judged_by_the_end_of_its_newest_window(watch):
    assert watch.sensor_lost(S)
    watch.reading(reading(10 * S))
    watch.reading(reading(9 * S))
    assert watch.sensor_age_s(10 * S + S // 2) == pytest.approx(0.5)
    assert not watch.sensor_lost(11 * S)
    assert watch.sensor_lost(11 * S + S // 10)


def test_a_newest_window_ahead_of_the_clock_is_named_so(watch):
    watch.reading(reading(30 * S))
    assert watch.silence(10 * S, 0) == 'the newest reading lies 20.0 s ahead of the clock'


def test_a_reading_that_is_not_valid_shows_that_the_sensor_lives_and_no_more(watch):
    watch.reading(reading(10 * S, valid=False))
    assert not watch.sensor_lost(10 * S)
    assert not watch.had_reading()


class Rider:
    """Ticks a guarded run of a straight line; odometry says what `says` makes of the true way."""

    def __init__(self, watch):
        self.watch, self.now_ns = watch, 100 * S
        machine = StepMachine(StraightPolicy(), RIG, timing=StepTiming(listen_timeout_s=2.0))
        self.run = GuardedRun(machine, watch, self.now_ns)
        self.hears = self.odometry = self.beats = True
        self.true_m, self.speed_mps = 0.0, 0.0
        self.says = lambda way_m: way_m

    def ride(self, seconds):
        commands = []
        for _ in range(int(seconds / 0.05)):
            self.now_ns += S // 20
            self.true_m += 0.05 * self.speed_mps
            pose, twist = Pose2D(self.says(self.true_m), 0.0, 0.0), Twist2D(self.speed_mps)
            if self.odometry:
                self.watch.odometry(self.now_ns, pose, twist)
            if self.hears:
                self.watch.reading(reading(self.now_ns))
            if self.beats:
                self.watch.life.beat(self.now_ns)
            command = self.run.update(self.now_ns, pose, twist)
            # A robot brakes and speeds up by 0.9 m/s^2.
            change = max(-0.045, min(0.045, command.linear_mps - self.speed_mps))
            self.speed_mps += change
            commands.append(command)
        return commands

    def ride_at_speed(self):
        """Ride until the robot drives as fast as it may."""
        for _ in range(200):
            if self.ride(0.05)[-1].linear_mps >= SafetyLimits().max_linear_mps - 1e-6:
                self.ride(0.2)
                return
        raise AssertionError('it never drove at speed')

    def rest(self, limit_s=20.0):
        """Ride until the robot stands for good; return seconds and meters from now to rest."""
        began_ns, began_m, moved_ns = self.now_ns, self.true_m, self.now_ns
        while (self.now_ns - began_ns) * 1e-9 < limit_s:
            self.ride(0.05)
            if self.speed_mps:
                moved_ns = self.now_ns
            if not self.run.machine.running and not self.speed_mps:
                break
        return (moved_ns - began_ns) * 1e-9, self.true_m - began_m


def test_a_run_stands_until_something_is_heard(watch):
    rider = Rider(watch)
    rider.hears = False
    assert all(c.is_zero for c in rider.ride(1.5))
    rider.hears = True
    assert rider.ride(1.0)[-1].linear_mps > 0.1


def test_a_run_that_never_hears_ends(watch):
    rider = Rider(watch)
    rider.hears = False
    assert all(c.is_zero for c in rider.ride(3.0))
    assert rider.run.machine.outcome == Outcome.SENSOR_LOST


def test_a_run_without_odometry_never_starts(watch):
    rider = Rider(watch)
    rider.odometry = False
    assert all(c.is_zero for c in rider.ride(3.0))
    assert rider.run.machine.outcome == Outcome.ODOMETRY_LOST


def test_a_run_holds_while_it_hears_nothing_and_goes_on_after(watch):
    rider = Rider(watch)
    rider.ride(1.0)
    rider.hears = False
    assert all(c.is_zero for c in rider.ride(2.0)[22:])
    assert rider.run.holds
    rider.hears = True
    assert rider.ride(1.0)[-1].linear_mps > 0.1
    assert not rider.run.holds


def test_a_run_that_hears_nothing_for_too_long_ends(watch):
    rider = Rider(watch)
    rider.ride(1.0)
    rider.hears = False
    rider.ride(3.5)
    assert rider.run.machine.outcome == Outcome.SENSOR_LOST


def test_a_run_ends_at_once_when_odometry_is_lost(watch):
    rider = Rider(watch)
    rider.ride(1.0)
    rider.odometry = False
    assert all(c.is_zero for c in rider.ride(0.5)[5:])
    assert rider.run.machine.outcome == Outcome.ODOMETRY_LOST


@pytest.mark.parametrize(
    ('says', 'most_s', 'most_m'),
    [
        pytest.param(lambda begun, way: begun, 1.0, 0.12, id='frozen'),
        pytest.param(lambda begun, way: begun + 0.2 * (way - begun), 2.0, 0.25, id='a fifth'),
        pytest.param(lambda begun, way: 2.0 * begun - way, 1.0, 0.12, id='backwards'),
    ],
)
def test_odometry_that_does_not_say_what_was_commanded_stops_the_robot(watch, says, most_s, most_m):
    rider = Rider(watch)
    rider.ride_at_speed()
    begun = rider.true_m
    rider.says = lambda way: says(begun, way)
    seconds, meters = rider.rest()
    assert rider.run.machine.outcome == Outcome.MOTION_MISMATCH
    assert 'commanded' in rider.run.machine.reason
    assert seconds <= most_s and meters <= most_m


def test_a_robot_whose_odometry_freezes_before_it_moves_goes_no_farther(watch):
    rider = Rider(watch)
    rider.says = lambda way: 0.0
    _, meters = rider.rest()
    assert rider.run.machine.outcome == Outcome.MOTION_MISMATCH
    assert meters <= 0.13


@pytest.mark.parametrize('slip', [0.85, 1.0, 1.2])
def test_a_robot_that_slips_a_little_is_not_stopped(watch, slip):
    rider = Rider(watch)
    rider.says = lambda way: slip * way
    rider.ride(20.0)
    assert rider.run.machine.running, rider.run.machine.reason
    assert rider.true_m > 1.0


def test_odometry_half_as_far_is_found_by_the_way_that_a_step_may_take(watch):
    rider = Rider(watch)
    rider.says = lambda way: 0.5 * way
    _, meters = rider.rest()
    assert rider.run.machine.outcome == Outcome.MOTION_MISMATCH
    assert meters <= 0.6 * 1.25 + 0.1 + 0.05


@pytest.mark.parametrize('speeds', [(math.nan, 0.0), (0.0, math.inf)])
def test_a_twist_that_is_not_finite_is_a_fault_at_once(watch, speeds):
    watch.odometry(S, Pose2D())
    watch.odometry(S + 1, Pose2D(), Twist2D(*speeds))
    assert watch.fault(S + 2) == Fault(Outcome.ODOMETRY_LOST, 'odometry is not finite')


def test_a_detector_without_heartbeat_stops_the_robot_within_half_a_second(watch):
    rider = Rider(watch)
    rider.ride_at_speed()
    # What it said last is still fresh: its life alone tells.
    rider.beats = False
    for _ in range(3):
        rider.ride(0.1)
    commands = rider.ride(0.1)
    assert commands[-1].is_zero and rider.run.holds
    assert 'no sign of life' in rider.run.hold_reason
    rider.beats = True
    again = max(command.linear_mps for command in rider.ride(2.0))
    assert again > 0.1, 'it does not go on when the detector is back'


def test_a_detector_that_stays_dead_ends_the_run(watch):
    rider = Rider(watch)
    rider.ride_at_speed()
    rider.beats = False
    seconds, meters = rider.rest()
    assert rider.run.machine.outcome == Outcome.SENSOR_LOST
    assert 'no sign of life' in rider.run.machine.reason
    assert seconds <= 0.5 and meters <= 0.08


def test_a_detector_that_never_beats_is_judged_by_its_own_period(watch):
    life = watch.life
    for i in range(5):
        life.message(i * S // 2)
        life.message(i * S // 2 + 1000)  # The other side's.
    last_ns = 4 * S // 2
    assert not life.silent(last_ns + S)
    assert 'one came every 0.50 s' in life.silent(last_ns + S + S // 5)


def test_odometry_that_is_refused_ends_the_run_with_its_reason(watch):
    rider = Rider(watch)
    rider.ride_at_speed()
    watch.odometry_refused('odometry is in frame map, expected odom: set odom_frame')
    assert rider.ride(0.1)[-1].is_zero
    assert rider.run.machine.outcome == Outcome.ODOMETRY_LOST
    assert 'frame map' in rider.run.machine.reason


@pytest.mark.parametrize('lag', [0, 4])
def test_a_robot_that_turns_to_and_fro_is_not_stopped(lag):
    """The robot does what it is told, at once or 0.2 s later; reversals are where both differ."""
    watch, told, yaw = MotionWatch(), [STOP] * lag, 0.0
    for i in range(400):
        command = Twist2D(0.0, 0.8 if i % 80 < 40 else -0.8)
        told.append(command)
        yaw += 0.05 * told.pop(0).angular_rps
        watch.odometry(Pose2D(0.0, 0.0, yaw))
        watch.commanded((i + 1) * S // 20, command)
        assert watch.fault() == ''
