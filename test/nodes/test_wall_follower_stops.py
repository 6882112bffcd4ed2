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

"""
The wall follower over real DDS: every promise about stopping, read off cmd_vel itself.

Nothing but zero later than 0.3 s after the event.
"""

import math
import os
import signal
import threading
import time

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the action is not built (make setup does)')

from action_msgs.msg import GoalStatus
from follower_bench import Bench, QUICK
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from quiet_nav.action import FollowWall

pytestmark = pytest.mark.realtime


def test_no_valid_reading_in_time_ends_the_run_at_rest(bench, node_process, space):
    # A machine that stands still for half a second must not pass for a sensor that is lost.
    patient = {**QUICK, 'sensor_timeout_s': 5.0}
    node_process('wall_follower', patient, '-r', f'__ns:={space}')
    handle = bench.drive(algorithm='algorithm1')
    bench.valid = False
    result = bench.result(handle)
    assert result.result.outcome == FollowWall.Result.OUTCOME_NO_READING
    bench.assert_stops(time.monotonic())


@pytest.mark.parametrize('how', ['stopped', 'stale'])
def test_robot_stops_when_audio_stops_or_goes_stale(bench, follower, how):
    handle = bench.drive()
    if how == 'stopped':
        bench.hears = False
        lost_s = time.monotonic() + QUICK['sensor_timeout_s']
    else:
        # Old windows keep arriving; what was heard last ages all the same.
        bench.lag_ns = 10**9
        lost_s = time.monotonic() + QUICK['sensor_timeout_s']
    bench.assert_stops(lost_s)
    result = bench.result(handle).result
    assert result.outcome == FollowWall.Result.OUTCOME_SENSOR_LOST


def test_robot_goes_on_when_audio_is_back(bench, follower):
    bench.drive()
    bench.hears = False
    bench.assert_stops(time.monotonic() + QUICK['sensor_timeout_s'])
    bench.hears = True
    assert bench.ros.spin_until(bench.moving, 5.0)


def test_robot_stops_when_odometry_is_lost(bench, follower):
    handle = bench.drive()
    bench.has_odometry = False
    bench.assert_stops(time.monotonic())
    assert bench.result(handle).result.outcome == FollowWall.Result.OUTCOME_ODOMETRY_LOST


def test_robot_stops_when_odometry_jumps(bench, follower):
    handle = bench.drive()
    bench.offset_m = 0.8
    bench.assert_stops(time.monotonic())
    result = bench.result(handle).result
    assert result.outcome == FollowWall.Result.OUTCOME_ODOMETRY_LOST
    assert 'jumped' in result.reason


@pytest.mark.parametrize(
    ('topic', 'outcome'),
    [('bump', FollowWall.Result.OUTCOME_BUMP), ('cliff', FollowWall.Result.OUTCOME_CLIFF)],
)
def test_robot_stops_on_contact(bench, follower, topic, outcome):
    handle = bench.drive()
    bench.say(topic)
    bench.assert_stops(time.monotonic())
    assert bench.result(handle).result.outcome == outcome


def test_robot_stops_on_cancel_and_takes_the_next_goal(bench, follower):
    handle = bench.drive()
    event_s = time.monotonic()
    bench.ros.result_of(handle.cancel_goal_async())
    bench.assert_stops(event_s)
    result = bench.result(handle)
    assert result.status == GoalStatus.STATUS_CANCELED
    assert result.result.outcome == FollowWall.Result.OUTCOME_CANCELED
    bench.drive(max_distance=0.2)


def test_emergency_stop_by_topic_latches_until_the_service_releases_it(bench, patient):
    handle = bench.drive()
    bench.say('emergency_stop')
    bench.assert_stops(time.monotonic())
    assert bench.result(handle).result.outcome == FollowWall.Result.OUTCOME_EMERGENCY_STOP
    bench.say('emergency_stop', False)
    bench.ros.spin_for(0.3)
    assert not bench.send().accepted
    released = bench.ros.result_of(bench.service.call_async(SetBool.Request(data=False)))
    assert released.success
    bench.drive(max_distance=0.2)


def test_emergency_stop_by_service_stops_and_latches(bench, patient):
    bench.drive()
    event_s = time.monotonic()
    bench.ros.result_of(bench.service.call_async(SetBool.Request(data=True)))
    bench.assert_stops(event_s)
    assert not bench.send().accepted


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_robot_stops_when_the_node_gets_a_signal(bench, patient, number):
    bench.drive()
    event_s = time.monotonic()
    os.kill(patient.process.pid, number)
    bench.assert_stops(event_s)
    assert patient.process.wait(10) == 0


def test_a_killed_follower_leaves_a_velocity_that_expires(bench, follower):
    bench.drive()
    follower.process.kill()
    follower.process.wait(5)
    bench.ros.spin_for(bench.robot.settings.command_timeout_s + 0.5)
    assert bench.commands[-1][1] > 0.0, 'nobody was left to send zero'
    assert bench.robot.state.at_rest


class FailingPolicy:
    """Drives, and breaks in the middle of the drive."""

    name, sides, broken = 'failing', frozenset(), False

    @property
    def wall_distance_m(self):
        if self.broken:
            raise RuntimeError('the policy broke')
        return math.nan

    def decide(self, readings, pose):
        from quiet_nav.navigation.policy import Step

        return Step(0.0, 0.6)


def test_robot_stops_when_an_exception_arises_and_the_node_lives_on(ros, space, stalls):
    from quiet_nav.nodes.runtime import PatientExecutor
    from quiet_nav.nodes.wall_follower.node import WallFollower

    policy = FailingPolicy()
    node = WallFollower(
        lambda *_: policy,
        namespace=space,
        parameter_overrides=[Parameter(name, value=value) for name, value in QUICK.items()],
    )
    executor = PatientExecutor(4)
    executor.add_node(node)
    node.trigger_configure()
    node.trigger_activate()
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        bench = Bench(ros, space, stalls)
        handle = bench.drive()
        policy.broken = True
        # Feedback, in which it breaks, is due every half second.
        bench.assert_stops(time.monotonic() + 0.5)
        result = bench.result(handle).result
        assert result.outcome == FollowWall.Result.OUTCOME_ERROR
        assert 'the policy broke' in result.reason
        policy.broken = False
        bench.drive()
        event_s = time.monotonic()
        node.trigger_deactivate()
        bench.assert_stops(event_s)
        assert not bench.send().accepted, 'an inactive node takes no goal'
    finally:
        executor.shutdown(timeout_sec=5.0)
        node.destroy_node()
        thread.join(5.0)
