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

"""The wall follower over real DDS: goals, readings and velocities; see follower_bench."""

import math

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the action is not built (make setup does)')

from action_msgs.msg import GoalStatus
from follower_bench import Bench, QUICK

from quiet_nav.action import FollowWall
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.readings import Modality

pytestmark = pytest.mark.realtime


def test_a_goal_is_followed_to_its_limit(bench, follower):
    handle = bench.drive(max_distance=0.25)
    result = bench.result(handle)
    assert result.status == GoalStatus.STATUS_SUCCEEDED
    assert result.result.outcome == FollowWall.Result.OUTCOME_LIMIT_REACHED
    assert result.result.distance == pytest.approx(0.25, abs=0.03)
    assert bench.robot.state.odometry.x == pytest.approx(0.25, abs=0.03)
    assert {f.phase for f in bench.feedback} >= {FollowWall.Feedback.PHASE_DRIVE}


def test_listening_gives_feedback_of_both_sides_and_drives_on_it(bench, follower):
    handle = bench.drive(algorithm='algorithm1', max_steps=1)
    assert bench.result(handle).result.steps == 1
    assert any(f.probability_left == 0.5 == f.probability_right for f in bench.feedback)
    assert math.isnan(bench.feedback[0].probability_left)


def test_velocities_keep_the_limits_and_are_stamped(bench, follower):
    bench.result(bench.drive(algorithm='random', max_steps=2))
    assert max(abs(v) for _, v, _ in bench.commands) <= 0.15
    assert max(abs(w) for _, _, w in bench.commands) <= 0.8


def test_unstamped_velocities_by_parameter(ros, space, stalls, node_process):
    node_process(
        'wall_follower', {**QUICK, 'enable_stamped_cmd_vel': False}, '-r', f'__ns:={space}'
    )
    bench = Bench(ros, space, stalls, stamped=False)
    bench.drive(max_distance=0.2)
    assert bench.robot.state.linear_mps > 0.0


def test_nothing_moves_before_the_first_valid_reading(bench, follower):
    bench.valid = False
    result = bench.result(bench.send())
    assert result.status == GoalStatus.STATUS_ABORTED
    assert result.result.outcome == FollowWall.Result.OUTCOME_NO_READING
    assert all(v == 0.0 and w == 0.0 for _, v, w in bench.commands)
    assert bench.robot.state.odometry == Pose2D()


def test_nothing_moves_where_no_audio_comes_at_all(bench, follower):
    bench.hears = False
    result = bench.result(bench.send())
    assert result.result.outcome == FollowWall.Result.OUTCOME_SENSOR_LOST
    assert bench.robot.state.odometry == Pose2D()


def test_lost_audio_ends_a_run_that_listens(bench, follower):
    handle = bench.drive(algorithm='algorithm1')
    bench.hears = False
    result = bench.result(handle)
    assert result.result.outcome == FollowWall.Result.OUTCOME_SENSOR_LOST


def test_a_second_goal_is_refused_while_one_is_followed(bench, follower):
    handle = bench.drive()
    assert not bench.send().accepted
    assert bench.moving()
    bench.ros.result_of(handle.cancel_goal_async())
    assert 'another goal' in follower.log


@pytest.mark.parametrize(
    'bad',
    [
        {'algorithm': 'nonsense'},
        {'side': 0},
        {'modality': 9},
        {'max_distance': -1.0},
        {'max_duration': math.nan},
    ],
)
def test_a_goal_that_makes_no_sense_is_refused(bench, follower, bad):
    assert not bench.send(**bad).accepted
    assert 'goal refused' in follower.log


def test_readings_of_another_modality_do_not_count(bench, follower):
    result = bench.result(bench.send(modality=int(Modality.VISION), algorithm='algorithm2'))
    assert result.result.outcome == FollowWall.Result.OUTCOME_SENSOR_LOST
    assert bench.robot.state.odometry == Pose2D()
