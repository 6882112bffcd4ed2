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

"""The node wall_distance over real DDS: distance, what has none, and what is said of its health."""

from array import array
import math

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, Range

from quiet_nav.nodes.runtime import now_ns, ns_to_stamp
from quiet_nav.nodes.wall_distance import WallDistanceNode

pytestmark = pytest.mark.realtime


class Camera:
    """Publishes depth images as realsense2_camera does and keeps what the node answers."""

    def __init__(self, ros, encoding='16UC1', without_reading='nan'):
        self.ros, self.encoding = ros, encoding
        self.node = ros.node('camera')
        self.ranges, self.health = [], []
        self._publisher = self.node.create_publisher(
            Image, 'camera/camera/depth/image_rect_raw', qos_profile_sensor_data
        )
        self.node.create_subscription(Range, 'wall_distance', self.ranges.append, 10)
        self.node.create_subscription(
            DiagnosticArray, '/diagnostics', lambda m: self.health.append(m.status[0]), 10
        )
        chosen = Parameter('without_reading', value=without_reading)
        ros.add(WallDistanceNode(parameter_overrides=[chosen]))
        assert ros.spin_until(
            lambda: (
                self._publisher.get_subscription_count()
                and self.node.count_publishers('wall_distance')
                and self.health
            )
        )

    def see(self, pixels):
        """Publish an image and return the answer."""
        before = len(self.ranges)

        # Best effort: an image may be lost.
        def answered():
            self.send(pixels)
            self.ros.spin_for(0.1)
            return len(self.ranges) > before

        assert self.ros.spin_until(answered)
        return self.ranges[-1]

    def send(self, pixels):
        """Publish an image."""
        height, width = pixels.shape
        message = Image(height=height, width=width, encoding=self.encoding)
        message.step = width * pixels.itemsize
        message.header.stamp = ns_to_stamp(now_ns(self.node))
        message.header.frame_id = 'camera_depth_optical_frame'
        message.data = array('B', pixels.tobytes())
        self._publisher.publish(message)

    def says(self, level, word, pixels=None):
        """Wait for what health says, while images go on where they are given."""

        def said():
            if pixels is not None:
                self.send(pixels)
                self.ros.spin_for(0.1)
            return any(
                message.level == bytes([level]) and word in message.message
                for message in self.health
            )

        return self.ros.spin_until(said)


def test_distance_is_the_mean_of_the_central_pixels_with_a_reading(ros):
    camera = Camera(ros)
    assert camera.says(2, 'no depth image received yet')
    pixels = np.full((480, 640), 4000, np.uint16)
    pixels[120:360, 160:480] = 620
    pixels[120:360, 160:200] = 0
    answer = camera.see(pixels)
    assert answer.range == pytest.approx(0.62)
    assert (answer.radiation_type, answer.max_range) == (Range.INFRARED, 10.0)
    assert camera.says(0, 'wall at 0.62 m', pixels)


def test_too_few_pixels_are_nan_and_a_warning(ros):
    camera = Camera(ros)
    dark = np.zeros((480, 640), np.uint16)
    assert math.isnan(camera.see(dark).range)
    assert camera.says(1, '0 % of the central 320x240 pixels', dark)


def test_images_that_are_no_depth_are_an_error(ros):
    camera = Camera(ros, 'rgb8')
    message = Image(height=2, width=2, encoding='rgb8', step=6, data=array('B', bytes(12)))

    def said():
        camera._publisher.publish(message)
        return camera.health[-1].level == bytes([2]) and "'rgb8'" in camera.health[-1].message

    assert ros.spin_until(said)
    assert not camera.ranges


def test_silent_node_publishes_only_what_navs_message_check_takes(ros):
    camera = Camera(ros, without_reading='silent')
    for _ in range(5):
        camera.send(np.zeros((48, 64), np.uint16))
        ros.spin_for(0.1)
    assert ros.spin_until(lambda: any('images without distance' in str(m) for m in camera.health))
    assert camera.ranges == []
    message = camera.see(np.full((48, 64), 1200, np.uint16))
    # nav2_ros_common/validate_messages.hpp, validateMsg(Range); nav2_collision_monitor/range.cpp.
    assert all(map(math.isfinite, (message.range, message.min_range, message.max_range)))
    assert 0.0 < message.field_of_view <= math.pi
    assert 0.0 <= message.min_range < message.max_range
    assert message.min_range <= message.range <= message.max_range
