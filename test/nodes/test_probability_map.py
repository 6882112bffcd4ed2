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

"""The map node over DDS: placed by odom or tf, latched, saved by service and at the end."""

import math
import signal

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')

from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.msg import NearWall
from quiet_nav.nodes.conversions import pose_to_msg, reading_to_msg, transform_to_msg
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.perception.maps.files import load_map
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.readings import NearWallReading

pytestmark = pytest.mark.realtime

S = 1_000_000_000
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
CELL = {'resolution_m': 0.1, 'reach_m': 0.0, 'publish_every_s': 0.1}


class Robot:
    """What a robot publishes around the map node, in a namespace of its own."""

    def __init__(self, ros, node_process, space, parameters, *arguments):
        self.ros, self.space = ros, space
        # tf's topics are absolute: each test has its own.
        moved = ('-r', f'/tf:=/{space}/tf', '-r', f'/tf_static:=/{space}/tf_static')
        self.process = node_process(
            'probability_map',
            {**CELL, **parameters},
            *('-r', f'__ns:=/{space}', *moved, *arguments),
        )
        self.node = ros.node('robot', namespace=space)
        self.maps = []
        self.odom = self.node.create_publisher(Odometry, 'odom', 100)
        self.tf = self.node.create_publisher(TFMessage, 'tf', 100)
        self.tf_static = self.node.create_publisher(TFMessage, 'tf_static', LATCHED)
        self.readings = self.node.create_publisher(NearWall, 'near_wall', 50)
        self.look()
        connected = (self.odom, self.tf, self.tf_static, self.readings)
        assert ros.spin_until(lambda: all(p.get_subscription_count() for p in connected), 60.0), (
            self.process.log
        )

    def look(self):
        return self.node.create_subscription(
            OccupancyGrid, 'near_wall/map', self.maps.append, LATCHED
        )

    def stand(self, pose, start_s, end_s, through_tf=False):
        self.stood = (pose, start_s, end_s, through_tf)
        for i in range(round(start_s * 10), round(end_s * 10) + 1):
            if through_tf:
                frame = transform_to_msg(pose, i * S // 10, 'odom', 'base_link')
                self.tf.publish(TFMessage(transforms=[frame]))
                continue
            message = Odometry(child_frame_id='base_link')
            message.header.frame_id = 'odom'
            message.header.stamp = ns_to_stamp(i * S // 10)
            message.pose.pose = pose_to_msg(pose)
            self.odom.publish(message)
            self.ros.spin_for(0.01)
        self.ros.spin_for(0.3)

    def drawn(self, condition, rounds=15):
        """Whether the map comes to hold something; what is lost on the way is said again."""
        for _ in range(rounds):
            if self.ros.spin_until(condition, 2.0):
                return True
            self.stand(*self.stood)
        return False

    def hear(self, side, p, end_s, frame='base_link', valid=True):
        end_ns = round(end_s * S)
        reading = NearWallReading(side, p, end_ns - 3 * S, end_ns, valid=valid)
        self.readings.publish(reading_to_msg(reading, frame))

    def cell(self, x, y):
        """Return what the newest map says of a point; None outside."""
        if not self.maps:
            return None
        info = self.maps[-1].info
        column = math.floor((x - info.origin.position.x) / info.resolution + 1e-6)
        row = math.floor((y - info.origin.position.y) / info.resolution + 1e-6)
        if not (0 <= row < info.height and 0 <= column < info.width):
            return None
        return np.array(self.maps[-1].data).reshape(info.height, info.width)[row, column]

    def save(self):
        client = self.node.create_client(Trigger, 'save_map')
        assert client.wait_for_service(10.0)
        return self.ros.result_of(client.call_async(Trigger.Request()))


def test_map_is_drawn_from_odometry_latched_and_saved(ros, node_process, tmp_path):
    robot = Robot(ros, node_process, 'drawn', {'file': 'maps/room', 'data_folder': tmp_path})
    assert 'empty' in robot.save().message
    robot.stand(Pose2D(1.0, 2.0, math.pi / 2.0), 98.0, 104.0)
    robot.hear(Side.LEFT, 0.8, 103.0)
    robot.hear(Side.RIGHT, 0.2, 103.0)
    robot.hear(Side.LEFT, math.nan, 103.5, valid=False)
    # Facing +y the ears are at x = 0.85 and x = 1.15.
    assert robot.drawn(lambda: robot.cell(1.15, 2.05) == 20), robot.process.log
    assert robot.cell(0.85, 2.05) == 80
    message = robot.maps[-1]
    assert message.header.frame_id == 'odom'
    assert stamp_to_ns(message.header.stamp) == 103 * S
    assert message.info.resolution == pytest.approx(0.1)
    assert message.info.origin.orientation.w == 1.0

    # Who comes late gets the map, too.
    count = len(robot.maps)
    robot.look()
    assert ros.spin_until(lambda: len(robot.maps) > count)

    saved = robot.save()
    assert saved.success, saved.message
    found = load_map(tmp_path / 'maps' / 'room.yaml')
    assert sorted(found.probability[np.isfinite(found.probability)]) == [0.2, 0.8]
    (tmp_path / 'maps' / 'room.yaml').unlink()
    assert robot.process.stop() == 0
    assert load_map(tmp_path / 'maps' / 'room.yaml').x == pytest.approx(0.8)


def test_map_frame_and_microphone_come_from_tf_and_tf_wins_over_odometry(
    ros, node_process, tmp_path
):
    file = tmp_path / 'never'
    robot = Robot(
        ros,
        node_process,
        'framed',
        {'frame': 'map', 'file': 'never', 'data_folder': tmp_path, 'use_sim_time': True},
    )
    clock = robot.node.create_publisher(Clock, '/clock', 1)
    clock.publish(Clock(clock=ns_to_stamp(13 * S)))
    robot.stand(Pose2D(5.0, 5.0, 0.0), 10.0, 12.0)
    robot.tf_static.publish(
        TFMessage(
            transforms=[
                transform_to_msg(Pose2D(10.0, 0.0, math.pi), 0, 'map', 'odom'),
                transform_to_msg(Pose2D(0.0, 0.2, math.pi / 2.0), 0, 'base_link', 'mic'),
            ]
        )
    )
    robot.stand(Pose2D(1.0, 0.0, 0.0), 8.0, 14.0, through_tf=True)
    robot.hear(Side.LEFT, 0.6, 13.0, frame='mic')
    # The base is at (9, 0) in the map and looks back; the microphone is 0.2 m to its left.
    assert robot.drawn(lambda: robot.cell(9.0, -0.2) == 60), robot.process.log
    message = robot.maps[-1]
    assert (message.info.width, message.info.height) == (1, 1)
    assert message.header.frame_id == 'map'
    assert stamp_to_ns(message.header.stamp) == 13 * S
    assert robot.process.stop(signal.SIGTERM) == 0
    assert file.with_suffix('.pgm').is_file()


def test_nothing_heard_leaves_no_file_and_without_a_name_saving_is_refused(
    ros, node_process, tmp_path
):
    robot = Robot(ros, node_process, 'unnamed', {'file': "''"})
    robot.stand(Pose2D(), 8.0, 14.0)
    robot.hear(Side.LEFT, 0.6, 13.0)
    assert robot.drawn(lambda: robot.maps)
    refused = robot.save()
    assert not refused.success and 'parameter file is empty' in refused.message
    assert robot.process.stop() == 0

    empty = Robot(ros, node_process, 'empty', {'file': 'map', 'data_folder': tmp_path})
    assert 'empty' in empty.save().message
    assert empty.process.stop() == 0
    assert not list(tmp_path.glob('map*'))
