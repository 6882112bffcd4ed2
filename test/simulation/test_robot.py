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

"""The simulated robot: motion against closed forms, time-out, contact, drift, determinism."""

import math

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.robot.drive import RobotSettings, SimulatedRobot
from quiet_nav.simulation.rooms.plan import Furniture, rectangle, shoebox

BOX = Furniture('box', rectangle((4.0, 2.0), 0.4, 0.4), 0.3)
ROOM = shoebox('room', (6.0, 4.0, 2.8), furniture=(BOX,))
PERFECT = RobotSettings.perfect()


def robot_at(x, y, yaw=0.0, settings=PERFECT, seed=0):
    return SimulatedRobot(ROOM, Pose2D(x, y, yaw), np.random.default_rng(seed), settings)


def drive(robot, linear, angular, seconds, dt=0.02):
    states = []
    for _ in range(round(seconds / dt)):
        robot.command(linear, angular)
        states.append(robot.step(dt))
    return states


def test_speed_rises_and_falls_with_the_acceleration_limit():
    robot = robot_at(1.0, 1.0)
    states = drive(robot, 0.3, 0.0, 1.0)
    gains = np.diff([0.0, *(state.linear_mps for state in states)])
    assert gains.max() <= 0.9 * 0.02 + 1e-12
    assert states[-1].linear_mps == pytest.approx(0.3)
    ramp_s = 0.3 / 0.9
    assert states[-1].pose.x == pytest.approx(1.0 + 0.3 * (1.0 - 0.5 * ramp_s), abs=1e-3)


def test_commands_are_cut_to_the_robots_limits():
    states = drive(robot_at(1.0, 1.0), 5.0, 9.0, 1.5)
    assert max(state.linear_mps for state in states) == pytest.approx(0.46)
    assert max(state.angular_rps for state in states) == pytest.approx(1.9)


def test_a_circle_closes():
    robot = robot_at(2.0, 1.0)
    drive(robot, 0.2, 0.5, 2.0)
    start = robot.state.pose
    around = 2.0 * math.pi / 0.5
    drive(robot, 0.2, 0.5, around, dt=around / 500)
    assert robot.state.pose.distance_to(start) < 1e-6
    assert math.cos(robot.state.pose.yaw - start.yaw) == pytest.approx(1.0)


def test_the_robot_stops_after_the_time_out():
    robot = robot_at(1.0, 1.0)
    drive(robot, 0.3, 0.0, 1.0)
    assert robot.step(0.48).linear_mps == pytest.approx(0.3)
    stopping = robot.step(0.36)
    assert stopping.linear_mps < 0.01
    rest = robot.step(0.1)
    assert rest.at_rest
    assert robot.step(1.0).pose == rest.pose


def test_a_wall_stops_the_robot_at_its_radius_and_bumps():
    robot = robot_at(5.0, 1.0)
    states = drive(robot, 0.3, 0.0, 4.0)
    assert any(state.bump for state in states)
    assert not states[0].bump
    assert robot.state.pose.x == pytest.approx(6.0 - 0.17, abs=2e-3)
    assert robot.state.pose.x <= 6.0 - 0.17
    assert robot.state.bump


def test_furniture_stops_the_robot_too():
    robot = robot_at(3.0, 2.0)
    drive(robot, 0.3, 0.0, 4.0)
    assert robot.state.pose.x == pytest.approx(3.8 - 0.17, abs=2e-3)
    assert robot.state.bump


def test_the_robot_turns_and_leaves_a_wall_that_it_touched():
    robot = robot_at(5.0, 1.0)
    drive(robot, 0.3, 0.0, 4.0)
    drive(robot, -0.2, 0.0, 1.5)
    assert not robot.state.bump
    assert robot.state.pose.x < 5.7
    drive(robot, 0.0, 1.0, 1.0)
    assert robot.state.pose.yaw == pytest.approx(1.0, abs=0.1)


def test_wheels_that_turn_at_a_wall_move_odometry_but_not_the_robot():
    settings = RobotSettings(
        slip=0.0, turn_slip=0.0, heading_noise_rad=0.0, odometry_drift_rad_m=0.0, blocked_wheels=1.0
    )
    robot = robot_at(5.7, 1.0, settings=settings)
    drive(robot, 0.3, 0.0, 4.0)
    assert robot.state.odometry.x > robot.state.pose.x - 5.7 + 0.01


def test_a_perfect_robot_knows_where_it_is():
    robot = robot_at(1.0, 1.0, 0.3)
    drive(robot, 0.2, 0.1, 3.0)
    seen = robot.state.pose.relative_to(Pose2D(1.0, 1.0, 0.3))
    odometry = robot.state.odometry
    assert (odometry.x, odometry.y, odometry.yaw) == pytest.approx((seen.x, seen.y, seen.yaw))


@pytest.mark.slow
def test_odometry_of_robots_drifts_as_much_as_asked():
    errors, headings = [], []
    for seed in range(200):
        robot = robot_at(0.5, 1.0, settings=RobotSettings(), seed=seed)
        drive(robot, 0.4, 0.0, 7.5, dt=0.05)
        state = robot.state
        traveled = math.hypot(state.pose.x - 0.5, state.pose.y - 1.0)
        errors.append(traveled / math.hypot(state.odometry.x, state.odometry.y) - 1.0)
        headings.append(state.odometry.yaw - state.pose.yaw)
    assert np.std(errors) == pytest.approx(0.02, rel=0.25)
    meters = 2.9
    expected = math.hypot(0.01 * meters, 0.02 * math.sqrt(meters))
    assert np.std(headings) == pytest.approx(expected, rel=0.25)


def test_the_same_seed_gives_the_same_run_and_another_does_not():
    runs = []
    for seed in (3, 3, 4):
        robot = robot_at(1.0, 1.0, settings=RobotSettings(), seed=seed)
        runs.append(drive(robot, 0.3, 0.2, 3.0)[-1])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_long_steps_do_not_tunnel_through_a_wall():
    robot = robot_at(5.0, 1.0)
    robot.command(0.46, 0.0)
    for _ in range(10):
        robot.command(0.46, 0.0)
        robot.step(1.0)
    assert robot.state.pose.x <= 6.0 - 0.17


def test_a_command_that_is_not_finite_is_refused_and_stops_the_robot():
    robot = robot_at(1.0, 1.0)
    drive(robot, 0.3, 0.0, 1.0)
    with pytest.raises(QuietNavError, match='not finite'):
        robot.command(math.nan, 0.0)
    assert robot.step(0.45).at_rest


def test_a_start_in_a_wall_is_refused():
    with pytest.raises(QuietNavError, match=r'\(0\.10, 1\.00\).*nearer than 0\.17 m to a wall'):
        robot_at(0.1, 1.0)


@pytest.mark.parametrize('change', [{'slip': -0.1}, {'radius_m': math.nan}])
def test_impossible_settings_are_refused_by_name(change):
    with pytest.raises(QuietNavError, match=next(iter(change))):
        RobotSettings(**change)


def test_wherever_it_is_driven_it_never_comes_nearer_than_its_radius_and_touches_at_it():
    """What it knows of free room without looking is never more than there is."""
    rng = np.random.default_rng(4)
    robot = SimulatedRobot(ROOM, Pose2D(1.0, 1.0, 0.0), rng)
    touched = []
    for _ in range(120):
        robot.command(0.3, float(rng.uniform(-0.6, 0.6)))
        for _ in range(10):
            state = robot.step(0.05)
            clear = float(ROOM.clearance(np.array([state.pose.x, state.pose.y])))
            assert clear >= robot.settings.radius_m - 1e-6
            if state.bump:
                touched.append(clear)
        if state.bump:
            robot.place(Pose2D(1.0, 1.0, float(rng.uniform(-3.0, 3.0))))
    assert len(touched) > 3
    assert max(touched) < robot.settings.radius_m + 0.01
