"""The watch and the guarded run on a clock of the test's."""

import math
from pathlib import Path

import pytest

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.guarded_run import GuardedRun
from quiet_nav.navigation.limits import STOP, SafetyLimits
from quiet_nav.navigation.policies.straight import StraightPolicy
from quiet_nav.navigation.step_machine import Outcome, StepMachine, StepTiming
from quiet_nav.navigation.watch import Watch
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


def test_a_reading_that_is_not_valid_shows_that_the_sensor_lives_and_no_more(watch):
    watch.reading(reading(10 * S, valid=False))
    assert not watch.sensor_lost(10 * S)
    assert not watch.had_reading()


class Rider:
    """Ticks a guarded run of a straight line; odometry stands still unless told."""

    def __init__(self, watch):
        self.watch, self.now_ns = watch, 100 * S
        machine = StepMachine(StraightPolicy(), RIG, timing=StepTiming(listen_timeout_s=2.0))
        self.run = GuardedRun(machine, watch, self.now_ns)
        self.hears = self.odometry = True

    def ride(self, seconds):
        commands = []
        for _ in range(int(seconds / 0.05)):
            self.now_ns += S // 20
            if self.odometry:
                self.watch.odometry(self.now_ns, Pose2D())
            if self.hears:
                self.watch.reading(reading(self.now_ns))
            commands.append(self.run.update(self.now_ns, Pose2D(), STOP))
        return commands


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
