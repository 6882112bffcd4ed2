"""The wall follower over real DDS: a simulated robot turns cmd_vel into odometry, ears are faked.

Every promise about stopping is read off cmd_vel itself: nothing but zero later than 0.3 s after.
"""

import itertools
import math
import os
import signal
import threading
import time

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the action is not built (make setup does)')

import numpy as np
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from rclpy.action import ActionClient
from rclpy.executors import MultiThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from quiet_nav.action import FollowWall
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.msg import NearWall
from quiet_nav.nodes.conversions import pose_to_msg, reading_to_msg
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.simulation.plan import shoebox
from quiet_nav.simulation.robot import RobotSettings, SimulatedRobot

STOP_WITHIN_S = 0.3
#: Fake windows are short, so that tests are.
WINDOW_NS = 300_000_000
QUICK = {'settle_s': 0.1, 'listen_timeout_s': 3.5, 'sensor_timeout_s': 0.5}


_numbers = itertools.count()


class Bench:
    """A robot, its ears and a client around the follower; every cmd_vel is kept with its time."""

    def __init__(self, ros, space, stamped=True):
        self.ros = ros
        self.node = ros.node('bench', namespace=space)
        self.robot = SimulatedRobot(
            shoebox('hall', (40.0, 40.0, 3.0)),
            Pose2D(20.0, 20.0, 0.0),
            np.random.default_rng(0),
            RobotSettings.perfect(),
        )
        self.commands: list[tuple[float, float, float]] = []
        self.feedback = []
        self.hears = self.has_odometry = True
        self.valid = True
        self.lag_ns = 0
        self.offset_m = 0.0
        self._stamped = stamped
        self._last = time.monotonic()
        kind = TwistStamped if stamped else Twist
        self.node.create_subscription(kind, 'cmd_vel', self._on_command, 10)
        self._odom = self.node.create_publisher(Odometry, 'odom', qos_profile_sensor_data)
        self._near_wall = self.node.create_publisher(NearWall, 'near_wall', 10)
        self._bool = {
            name: self.node.create_publisher(Bool, name, 10)
            for name in ('bump', 'cliff', 'emergency_stop')
        }
        self.service = self.node.create_client(SetBool, 'set_emergency_stop')
        self.client = ActionClient(self.node, FollowWall, 'follow_wall')
        self.node.create_timer(0.02, self._step)
        self.node.create_timer(0.05, self._hear)

    def _on_command(self, message):
        twist = message.twist if self._stamped else message
        self.commands.append((time.monotonic(), twist.linear.x, twist.angular.z))
        self.robot.command(twist.linear.x, twist.angular.z)

    def _step(self):
        now = time.monotonic()
        state = self.robot.step(now - self._last)
        self._last = now
        if not self.has_odometry:
            return
        message = Odometry()
        message.header.stamp = self.node.get_clock().now().to_msg()
        pose = state.odometry
        message.pose.pose = pose_to_msg(Pose2D(pose.x + self.offset_m, pose.y, pose.yaw))
        message.twist.twist.linear.x = state.linear_mps
        message.twist.twist.angular.z = state.angular_rps
        self._odom.publish(message)

    def _hear(self):
        if not self.hears:
            return
        end = self.node.get_clock().now().nanoseconds - self.lag_ns
        for side in (Side.LEFT, Side.RIGHT):
            reading = (
                NearWallReading(side, 0.5, end - WINDOW_NS, end)
                if self.valid
                else NearWallReading.invalid(side, end - WINDOW_NS, end, 'clipped')
            )
            self._near_wall.publish(reading_to_msg(reading, 'mic'))

    def say(self, name, value=True):
        self._bool[name].publish(Bool(data=value))

    def send(self, **goal):
        """Send a goal and return its handle; waits for the node first."""
        assert self.client.wait_for_server(15.0)
        goal = {'algorithm': 'straight', **goal}
        return self.ros.result_of(
            self.client.send_goal_async(
                FollowWall.Goal(**goal),
                feedback_callback=lambda m: self.feedback.append(m.feedback),
            )
        )

    def result(self, handle, timeout_s=20.0):
        return self.ros.result_of(handle.get_result_async(), timeout_s)

    def moving(self):
        return bool(self.commands) and self.commands[-1][1] > 0.1

    def drive(self, **goal):
        """Send a goal and spin until the robot drives at speed."""
        handle = self.send(**goal)
        assert handle.accepted
        assert self.ros.spin_until(self.moving, 15.0), 'the robot never drove'
        return handle

    def assert_stops(self, event_s, heard=True):
        """Assert that cmd_vel is zero from 0.3 s after an event on, and the robot stands."""
        self.ros.spin_for(event_s + STOP_WITHIN_S + 0.4 - time.monotonic())
        late = [c for c in self.commands if c[0] > event_s + STOP_WITHIN_S]
        assert all(v == 0.0 and w == 0.0 for _, v, w in late)
        after = [c for c in self.commands if c[0] > event_s]
        assert not heard or any(v == 0.0 for _, v, _ in after), 'zero velocity was never sent'
        assert self.robot.state.at_rest


@pytest.fixture
def space():
    """A namespace of its own a test: killed nodes of tests before linger in discovery."""
    return f'/t{next(_numbers)}'


@pytest.fixture
def bench(ros, space):
    return Bench(ros, space)


@pytest.fixture
def follower(node_process, space):
    return node_process('wall_follower', QUICK, '-r', f'__ns:={space}')


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


def test_unstamped_velocities_by_parameter(ros, space, node_process):
    node_process(
        'wall_follower', {**QUICK, 'enable_stamped_cmd_vel': False}, '-r', f'__ns:={space}'
    )
    bench = Bench(ros, space, stamped=False)
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


def test_no_valid_reading_in_time_ends_the_run_at_rest(bench, follower):
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


def test_lost_audio_ends_a_run_that_listens(bench, follower):
    handle = bench.drive(algorithm='algorithm1')
    bench.hears = False
    result = bench.result(handle)
    assert result.result.outcome == FollowWall.Result.OUTCOME_SENSOR_LOST


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


def test_emergency_stop_by_topic_latches_until_the_service_releases_it(bench, follower):
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


def test_emergency_stop_by_service_stops_and_latches(bench, follower):
    bench.drive()
    event_s = time.monotonic()
    bench.ros.result_of(bench.service.call_async(SetBool.Request(data=True)))
    bench.assert_stops(event_s)
    assert not bench.send().accepted


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_robot_stops_when_the_node_gets_a_signal(bench, follower, number):
    bench.drive()
    event_s = time.monotonic()
    os.kill(follower.process.pid, number)
    bench.assert_stops(event_s)
    assert follower.process.wait(10) == 0


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


def test_robot_stops_when_an_exception_arises_and_the_node_lives_on(ros, space):
    from quiet_nav.nodes.wall_follower import WallFollower

    policy = FailingPolicy()
    node = WallFollower(
        lambda *_: policy,
        namespace=space,
        parameter_overrides=[Parameter(name, value=value) for name, value in QUICK.items()],
    )
    executor = MultiThreadedExecutor(4)
    executor.add_node(node)
    node.trigger_configure()
    node.trigger_activate()
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        bench = Bench(ros, space)
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


def test_readings_of_another_modality_do_not_count(bench, follower):
    result = bench.result(bench.send(modality=int(Modality.VISION), algorithm='algorithm2'))
    assert result.result.outcome == FollowWall.Result.OUTCOME_SENSOR_LOST
    assert bench.robot.state.odometry == Pose2D()
