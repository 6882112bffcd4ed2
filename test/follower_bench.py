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

"""A bench for the wall follower: a simulated robot turns cmd_vel into odometry, ears are faked."""

import itertools
import time

from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
import numpy as np
from rcl_interfaces.srv import GetParameters
from rclpy.action import ActionClient
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Bool, Empty
from std_srvs.srv import SetBool

from quiet_nav.action import FollowWall
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.msg import NearWall
from quiet_nav.navigation.limits import Twist2D
from quiet_nav.nodes.conversions import pose_to_msg, reading_to_msg
from quiet_nav.nodes.heartbeat import ALIVE_QOS, ALIVE_TOPIC
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.simulation.robot.drive import RobotSettings, SimulatedRobot
from quiet_nav.simulation.rooms.plan import shoebox

STOP_WITHIN_S = 0.3
#: Fake windows are short, so that tests are.
WINDOW_NS = 300_000_000
QUICK = {'settle_s': 0.1, 'listen_timeout_s': 3.5, 'sensor_timeout_s': 0.5}


class Bench:
    """A robot, its ears and a client around the follower; every cmd_vel is kept with its time."""

    def __init__(self, ros, space, stalls, stamped=True):
        self.ros, self.stalls = ros, stalls
        self.node = ros.node('bench', namespace=space)
        self.robot = SimulatedRobot(
            shoebox('hall', (40.0, 40.0, 3.0)),
            Pose2D(20.0, 20.0, 0.0),
            np.random.default_rng(0),
            RobotSettings.perfect(),
        )
        #: When each velocity came, and when it was sent, by its own stamp, on the steady clock.
        self.commands: list[tuple[float, float, float]] = []
        self.sent: list[tuple[float, float, float]] = []
        self.feedback = []
        self.hears = self.has_odometry = True
        self.valid = True
        #: The camera: 'none' is there, it 'works', or it is 'dark'.
        self.camera = 'none'
        self.lag_ns = 0
        self.offset_m = 0.0
        #: What odometry makes of the true pose and twist, the frames that it names, its age (ns).
        self.says = lambda pose, twist: (pose, twist)
        self.frames = ('odom', 'base_link')
        self.odometry_lag_ns = 0
        #: The last odometry again and again; the rig that readings name; whether the ears beat.
        self.repeats, self.rig, self.beats = False, '', True
        self.met = False
        #: Set by tests in simulated time: it is published on /clock and stamps everything.
        self.clock = None
        self._message = None
        self._stamped = stamped
        self._last = time.monotonic()
        kind = TwistStamped if stamped else Twist
        self.node.create_subscription(kind, 'cmd_vel', self._on_command, 10)
        self._odom = self.node.create_publisher(Odometry, 'odom', qos_profile_sensor_data)
        self._alive = self.node.create_publisher(Empty, ALIVE_TOPIC, ALIVE_QOS)
        self._near_wall = self.node.create_publisher(NearWall, 'near_wall', 10)
        self._bool = {
            name: self.node.create_publisher(Bool, name, 10)
            for name in ('bump', 'cliff', 'emergency_stop')
        }
        self.service = self.node.create_client(SetBool, 'set_emergency_stop')
        self.client = ActionClient(self.node, FollowWall, 'follow_wall')
        self._last_made = self.node.create_client(GetParameters, 'wall_follower/get_parameters')
        self.node.create_timer(0.02, self._step)
        self.node.create_timer(0.05, lambda: self.beats and self._alive.publish(Empty()))
        self.node.create_timer(0.05, self._hear)
        self.node.create_timer(0.1, self._see)

    def _on_command(self, message):
        twist = message.twist if self._stamped else message
        now_s, sent_s = time.monotonic(), 0.0
        if self._stamped and not self.clock:
            sent_s = (self.now_ns - stamp_to_ns(message.header.stamp)) * 1e-9
        self.commands.append((now_s, twist.linear.x, twist.angular.z))
        self.sent.append((now_s - sent_s, twist.linear.x, twist.angular.z))
        self.robot.command(twist.linear.x, twist.angular.z)

    def _step(self):
        now = time.monotonic()
        state = self.robot.step(now - self._last)
        self._last = now
        if not self.has_odometry:
            return
        if not (self.repeats and self._message):
            self._message = self._odometry(state)
        self._odom.publish(self._message)

    def _odometry(self, state):
        message = Odometry()
        message.header.stamp = ns_to_stamp(self.now_ns - self.odometry_lag_ns)
        message.header.frame_id, message.child_frame_id = self.frames
        pose = state.odometry
        pose, twist = self.says(
            Pose2D(pose.x + self.offset_m, pose.y, pose.yaw),
            Twist2D(state.linear_mps, state.angular_rps),
        )
        message.pose.pose = pose_to_msg(pose)
        message.twist.twist.linear.x = twist.linear_mps
        message.twist.twist.angular.z = twist.angular_rps
        return message

    @property
    def now_ns(self):
        return self.clock() if self.clock else self.node.get_clock().now().nanoseconds

    def _hear(self):
        if not self.hears:
            return
        end = self.now_ns - self.lag_ns
        for side in (Side.LEFT, Side.RIGHT):
            reading = (
                NearWallReading(side, 0.5, end - WINDOW_NS, end)
                if self.valid
                else NearWallReading.invalid(side, end - WINDOW_NS, end, 'clipped')
            )
            self._near_wall.publish(reading_to_msg(reading, 'mic', self.rig))

    def _see(self):
        if self.camera == 'none':
            return
        now = self.now_ns
        reading = (
            NearWallReading(Side.FRONT, 0.5, now, now, modality=Modality.VISION)
            if self.camera == 'works'
            else NearWallReading.invalid(Side.FRONT, now, now, 'too dark', Modality.VISION)
        )
        self._near_wall.publish(reading_to_msg(reading, 'camera'))

    def say(self, name, value=True):
        self._bool[name].publish(Bool(data=value))

    def _meet(self):
        """
        Wait until the follower has seen this node's clients.

        A server's answer is lost to a client that it has not discovered yet. Clients are told in
        the order in which they were made: once the last is answered, all are known.
        """
        for _ in range(10 if not self.met else 0):
            answer = self._last_made.call_async(GetParameters.Request(names=['use_sim_time']))
            if self.ros.spin_until(answer.done, 1.0):
                break
        self.met = True

    def send(self, **goal):
        """Send a goal and return its handle; waits for the node first."""
        assert self.client.wait_for_server(15.0)
        self._meet()
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

    def time_to_rest(self, event_s, limit_s=10.0):
        """
        Spin until the robot stands; return seconds and meters from the event to its rest.

        Of a robot that obeys when a velocity is sent, and brakes as this one does: what the way to
        this process and its turns take does not count, nor what the machine stood still meanwhile.
        """
        assert self.ros.spin_until(
            lambda: (
                self.robot.state.at_rest
                and any(sent_s >= event_s and v == 0.0 == w for sent_s, v, w in self.sent)
            ),
            limit_s,
        ), 'it never stands'
        before = [c for c in self.sent if c[0] < event_s]
        after = [c for c in self.sent if c[0] >= event_s]
        zero = next(i for i, (_, v, w) in enumerate(after) if v == 0.0 == w)
        assert all(v == 0.0 == w for _, v, w in after[zero:]), 'it drove again'
        driven = [*before[-1:], *after[: zero + 1]]
        times = [max(when, event_s) for when, _, _ in driven]
        way_m = sum(
            abs(v) * (until - since)
            for (_, v, _), (since, until) in zip(driven, itertools.pairwise(times), strict=False)
        )
        speed, brake = abs(driven[-2][1]), self.robot.settings.linear_accel_mps2
        seconds = times[-1] - event_s + speed / brake - self.stalls.worst_s(event_s)
        return seconds, way_m + 0.5 * speed**2 / brake

    def assert_stops(self, event_s, heard=True):
        """
        Assert that cmd_vel is zero from 0.3 s after an event on, and the robot stands.

        What the machine itself stood still meanwhile is added (``stalls``).
        """
        self.ros.spin_for(event_s + STOP_WITHIN_S + 0.4 - time.monotonic())
        # A machine that stood still could neither send nor receive: that time does not count.
        allowed_s = STOP_WITHIN_S + self.stalls.worst_s(event_s)
        late = [c for c in self.commands if c[0] > event_s + allowed_s]
        assert all(v == 0.0 and w == 0.0 for _, v, w in late)
        after = [c for c in self.commands if c[0] > event_s]
        assert not heard or any(v == 0.0 for _, v, _ in after), 'zero velocity was never sent'
        assert self.robot.state.at_rest
