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
The wall follower over real DDS while something breaks: it stands in time, and says why.

What can be judged on a clock of the test's is in test/navigation; here is what takes the graph.
"""

import os
import signal
import threading
import time

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the action is not built (make setup does)')

from diagnostic_msgs.msg import DiagnosticArray
from follower_bench import Bench, QUICK
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock as ClockMessage
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from quiet_nav.action import FollowWall
from quiet_nav.navigation.control_clock import Clocks
from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.nodes.runtime import ns_to_stamp, PatientExecutor, read_clocks
from quiet_nav.nodes.wall_follower.node import WallFollower

pytestmark = pytest.mark.realtime

S = 10**9
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


class Inside:
    """The follower in this process, spun by a thread; `clocks` may be set by tests."""

    def __init__(self, space, **parameters):
        self.set_ns = 0
        known = {**QUICK, **parameters}
        self.node = WallFollower(
            clocks=self._clocks,
            namespace=space,
            parameter_overrides=[Parameter(name, value=value) for name, value in known.items()],
        )
        self._executor = PatientExecutor(4)
        self._executor.add_node(self.node)
        self.node.trigger_configure()
        self.node.trigger_activate()
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def _clocks(self):
        found = read_clocks(self.node, self.node._steady)
        return Clocks(found.steady_ns, found.ros_ns + self.set_ns)

    def close(self):
        self.node.before_shutdown()
        self._executor.shutdown(timeout_sec=5.0)
        self.node.destroy_node()
        self._thread.join(5.0)


@pytest.fixture
def inside(space, tmp_path):
    """Make the follower; parameters beside QUICK by name."""
    made = []

    def make(**parameters):
        made.append(Inside(space, data_folder=str(tmp_path), **parameters))
        return made[-1]

    yield make
    for item in made:
        item.close()


def ends(bench, handle, outcome, *words):
    result = bench.result(handle).result
    assert Outcome(result.outcome) == outcome, result.reason
    assert all(word in result.reason for word in words), result.reason
    bench.ros.spin_for(0.3)
    assert bench.robot.state.at_rest


@pytest.mark.parametrize('how', ['killed', 'hung', 'deactivated'])
def test_a_detector_that_dies_stops_the_robot_though_its_readings_are_fresh(
    bench, inside, node_process, space, context_model, how
):
    # The bench goes on to say readings, so that the heartbeat alone tells.
    bench.beats = False
    ears = node_process('near_wall', {'model': context_model, 'threads': 1}, '-r', f'__ns:={space}')
    client = bench.node.create_client(ChangeState, 'near_wall/change_state')
    # A step so long that the robot is not at rest between two when it happens.
    follower = inside(step_length_m=0.6)
    assert bench.ros.spin_until(lambda: follower.node._watch.life._beat_ns, 60.0)
    handle = bench.drive()
    event_s = time.monotonic()
    if how == 'deactivated':
        request = ChangeState.Request(transition=Transition(id=4))
        answer = client.call_async(request)
        # The node stands from when it has deactivated, not from when it was asked to.
        assert bench.ros.spin_until(answer.done, 20.0)
        event_s = time.monotonic()
    else:
        os.kill(ears.process.pid, signal.SIGKILL if how == 'killed' else signal.SIGSTOP)
    held = follower.node._run.guarded
    assert bench.ros.spin_until(lambda: 'no sign of life' in held.hold_reason), held.hold_reason
    seconds, meters = bench.time_to_rest(event_s)
    ears.process.send_signal(signal.SIGCONT)
    assert seconds <= (0.7 if how == 'hung' else 0.5) and meters <= 0.08
    bench.ros.result_of(handle.cancel_goal_async())


@pytest.mark.parametrize('how', ['frozen', 'repeated'])
def test_odometry_that_freezes_stops_the_robot(bench, inside, how):
    inside()
    handle = bench.drive()
    event_s = time.monotonic()
    if how == 'repeated':
        bench.repeats = True
    else:
        frozen = bench.robot.state.odometry
        bench.says = lambda pose, twist: (frozen, twist)
    seconds, meters = bench.time_to_rest(event_s)
    assert seconds <= 1.0 and meters <= 0.12
    ends(bench, handle, Outcome.MOTION_MISMATCH, 'commanded')


@pytest.mark.parametrize('frames', [('map', 'base_link'), ('odom', 'camera_link')])
def test_odometry_of_other_frames_is_refused_by_name(bench, inside, frames):
    inside()
    handle = bench.drive()
    bench.frames = frames
    wrong = frames[0] if frames[0] != 'odom' else frames[1]
    ends(bench, handle, Outcome.ODOMETRY_LOST, wrong)
    assert not bench.send().accepted


def test_old_stamps_of_odometry_are_named_with_their_number(bench, inside, capfd):
    statuses = []
    bench.node.create_subscription(
        DiagnosticArray, '/diagnostics', lambda m: statuses.extend(m.status), 100
    )
    inside()
    bench.odometry_lag_ns = 10 * S
    bench.drive()
    assert bench.ros.spin_until(lambda: any('stamped 10' in s.message for s in statuses), 5.0)
    assert 's old' in capfd.readouterr().err


@pytest.mark.parametrize('topic', ['cmd_vel', 'odom'])
def test_another_publisher_stops_the_robot_and_is_named(bench, ros, inside, space, topic):
    inside()
    handle = bench.drive()
    event_s = time.monotonic()
    other = ros.node('teleop', namespace=space)
    other.create_publisher(TwistStamped if topic == 'cmd_vel' else Odometry, topic, 10)
    seconds, meters = bench.time_to_rest(event_s)
    assert seconds <= 0.5 and meters <= 0.08
    ends(bench, handle, Outcome.CONFLICT, topic, f'{space}/teleop')
    assert not bench.send().accepted


def test_a_second_follower_of_the_same_name_is_told_from_oneself(bench, ros, inside, space):
    inside()
    handle = bench.drive()
    twin = ros.node('wall_follower', namespace=space)
    twin.create_publisher(TwistStamped, 'cmd_vel', 10)
    ends(bench, handle, Outcome.CONFLICT, 'second node of the same name')


def test_other_publishers_of_cmd_vel_are_allowed_by_parameter(bench, ros, inside, space):
    inside(allow_other_cmd_vel=True)
    ros.node('teleop', namespace=space).create_publisher(TwistStamped, 'cmd_vel', 10)
    ros.spin_for(0.3)
    bench.drive()
    ros.spin_for(0.5)
    assert bench.moving()


def test_a_robot_that_expects_the_other_type_is_not_driven(ros, space, stalls, node_process):
    # One participant cannot have both types: the follower is a process of its own.
    bench = Bench(ros, space, stalls, stamped=False)
    follower = node_process('wall_follower', QUICK, '-r', f'__ns:={space}')
    assert bench.client.wait_for_server(15.0)
    ros.spin_for(0.5)
    assert not bench.send().accepted
    assert 'sent as geometry_msgs/msg/TwistStamped' in follower.log
    assert 'expects geometry_msgs/msg/Twist:' in follower.log


def test_a_detector_with_another_rig_is_refused(bench, inside, capfd):
    follower = inside()
    bench.rig = 'trio#12345678'
    assert bench.ros.spin_until(lambda: follower.node._readings.foreign, 10.0)
    assert not bench.send().accepted
    said = capfd.readouterr().err
    assert 'trio#12345678' in said and 'pair#' in said
    bench.rig = follower.node._rig.identity
    assert bench.ros.spin_until(lambda: not follower.node._readings.foreign, 10.0)
    bench.drive()


@pytest.mark.parametrize(
    'qos',
    [
        QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT),
        QoSProfile(depth=1),
        LATCHED,
    ],
    ids=['best effort', 'reliable', 'latched'],
)
def test_an_emergency_stop_is_heard_whatever_its_qos(bench, inside, qos):
    inside()
    button = bench.node.create_publisher(Bool, 'emergency_stop', qos)
    handle = bench.drive()
    button.publish(Bool(data=True))
    ends(bench, handle, Outcome.EMERGENCY_STOP)


def test_a_stop_that_was_latched_before_the_follower_began_is_heard(bench, inside):
    button = bench.node.create_publisher(Bool, 'emergency_stop', LATCHED)
    button.publish(Bool(data=True))
    follower = inside()
    assert bench.ros.spin_until(lambda: follower.node._stop.reason, 10.0)
    assert not bench.send().accepted


def test_an_emergency_stop_outlives_the_process_until_the_service_releases_it(
    bench, node_process, space, tmp_path
):
    settings = {**QUICK, 'data_folder': tmp_path}
    first = node_process('wall_follower', settings, '-r', f'__ns:={space}')
    handle = bench.drive()
    bench.say('emergency_stop')
    ends(bench, handle, Outcome.EMERGENCY_STOP)
    first.process.kill()
    first.process.wait(5)
    node_process('wall_follower', settings, '-r', f'__ns:={space}')
    # The dead one lingers in discovery: its service would be asked.
    assert bench.ros.spin_until(
        lambda: bench.node.count_publishers('near_wall') and _refused(bench), 30.0
    )
    call = bench.service.call_async(SetBool.Request(data=False))
    assert bench.ros.result_of(call, 20.0).message == 'released'


def _refused(bench):
    """Send a goal until somebody answers, and return whether it was refused."""
    sent = bench.client.send_goal_async(FollowWall.Goal(algorithm='straight'))
    return bench.ros.spin_until(sent.done, 2.0) and not sent.result().accepted


@pytest.mark.parametrize('set_s', [-20.0, 3600.0])
def test_a_clock_that_is_set_stops_the_robot_and_is_named(bench, inside, set_s):
    follower = inside()
    handle = bench.drive()
    event_s = time.monotonic()
    follower.set_ns = round(set_s * 1e9)
    seconds, meters = bench.time_to_rest(event_s)
    assert seconds <= 0.5 and meters <= 0.08
    ends(bench, handle, Outcome.CLOCK_JUMPED, 'the clock was set')


class SimulatedTime:
    """Publishes /clock 50 times a second; may stand, or be joined by a second one."""

    def __init__(self, node):
        self.now_ns, self.stands = 1000 * S, False
        self._publisher = node.create_publisher(ClockMessage, '/clock', 1)
        node.create_timer(0.02, self._tick)

    def _tick(self):
        if not self.stands:
            self.now_ns += S // 50
        self._publisher.publish(ClockMessage(clock=ns_to_stamp(self.now_ns)))


@pytest.fixture
def simulated(bench, inside):
    clock = SimulatedTime(bench.node)
    bench.clock = lambda: clock.now_ns
    follower = inside(use_sim_time=True)
    assert bench.ros.spin_until(lambda: follower.node.get_clock().now().nanoseconds, 10.0)
    bench.simulation, bench.follower = clock, follower
    return bench


def test_zeros_are_sent_while_simulated_time_stands_and_a_cancel_is_heard(simulated, capfd):
    handle = simulated.drive()
    simulated.simulation.stands = True
    event_s = time.monotonic()
    seconds, meters = simulated.time_to_rest(event_s)
    assert seconds <= 0.5 and meters <= 0.08
    assert 'simulated time has stood still' in capfd.readouterr().err
    count = len(simulated.commands)
    simulated.ros.spin_for(0.5)
    assert len(simulated.commands) > count, 'zeros are not sent again and again'
    simulated.ros.result_of(handle.cancel_goal_async())
    ends(simulated, handle, Outcome.CANCELED)


def test_it_goes_on_when_simulated_time_does(simulated):
    simulated.drive()
    simulated.simulation.stands = True
    simulated.time_to_rest(time.monotonic())
    simulated.simulation.stands = False
    assert simulated.ros.spin_until(simulated.moving, 10.0)


def test_simulated_time_that_goes_back_ends_the_run(simulated):
    handle = simulated.drive()
    simulated.simulation.now_ns -= 20 * S
    ends(simulated, handle, Outcome.CLOCK_JUMPED, 'simulated time went back')


def test_a_second_clock_is_named(simulated, ros):
    handle = simulated.drive()
    ros.node('second_clock').create_publisher(ClockMessage, '/clock', 1)
    ends(simulated, handle, Outcome.CONFLICT, '/clock', 'second_clock')


@pytest.mark.parametrize('stops', [True, False])
def test_a_goal_whose_client_is_gone_ends_by_parameter(bench, inside, stops):
    follower = inside(stop_without_client=stops)
    bench.drive()
    bench.client.destroy()
    bench.ros.spin_for(1.0)
    assert (follower.node._run is None) is stops
    if stops:
        assert follower.node._last[0] == Outcome.CLIENT_GONE
        assert bench.robot.state.at_rest
    bench.client = None


def test_safety_limits_cannot_be_set_while_the_node_is_active(bench, inside):
    follower = inside()
    client = bench.node.create_client(SetParameters, 'wall_follower/set_parameters')
    assert client.wait_for_service(10.0)

    def set_(name, value):
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        (answer,) = bench.ros.result_of(client.call_async(request)).results
        return answer

    for name, value in (
        ('max_linear_mps', 0.5),
        ('sensor_timeout_s', 10.0),
        ('use_sim_time', True),
    ):
        answer = set_(name, value)
        assert not answer.successful and 'deactivate it first' in answer.reason
    assert set_('step_length_m', 0.3).successful
    follower.node.trigger_deactivate()
    assert set_('max_linear_mps', 0.12).successful
    follower.node.trigger_activate()
    assert follower.node._watch is not None
    assert bench.drive().accepted
    bench.ros.spin_for(0.3)
    assert max(v for _, v, _ in bench.commands) <= 0.12


def test_readings_that_cannot_be_right_are_counted_by_field(bench, inside):
    statuses = []
    bench.node.create_subscription(
        DiagnosticArray, '/diagnostics', lambda m: statuses.extend(m.status), 100
    )
    inside()
    bench.lag_ns = -(15 * S) // 10
    assert bench.ros.spin_until(
        lambda: any(
            int(item.value) > 5 and 'stamp' in item.key
            for s in statuses
            for item in s.values
            if item.key.startswith('refused, near_wall')
        ),
        10.0,
    )


def test_a_transition_that_is_not_allowed_leaves_the_robot_driving(bench, inside):
    inside()
    bench.drive()
    client = bench.node.create_client(ChangeState, 'wall_follower/change_state')
    assert client.wait_for_service(10.0)
    for number in (Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_CONFIGURE):
        request = ChangeState.Request(transition=Transition(id=number))
        assert not bench.ros.result_of(client.call_async(request)).success
    assert bench.ros.spin_until(bench.moving, 2.0)
