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
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, Range

from quiet_nav.nodes.runtime import now_ns, ns_to_stamp
from quiet_nav.nodes.wall_distance import WallDistanceNode

pytestmark = pytest.mark.realtime


class Camera:
    """Publishes depth images as realsense2_camera does and keeps what the node answers."""

    def __init__(self, ros, encoding='16UC1'):
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
        ros.add(WallDistanceNode())
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
        height, width = pixels.shape
        message = Image(height=height, width=width, encoding=self.encoding)
        message.step = width * pixels.itemsize
        message.header.stamp = ns_to_stamp(now_ns(self.node))
        message.header.frame_id = 'camera_depth_optical_frame'
        message.data = array('B', pixels.tobytes())

        # Best effort: an image may be lost.
        def answered():
            self._publisher.publish(message)
            self.ros.spin_for(0.1)
            return len(self.ranges) > before

        assert self.ros.spin_until(answered)
        assert self.ranges[-1].header == message.header
        return self.ranges[-1]

    def says(self, level, word):
        return self.ros.spin_until(
            lambda: self.health[-1].level == bytes([level]) and word in self.health[-1].message
        )


def test_distance_is_the_mean_of_the_central_pixels_with_a_reading(ros):
    camera = Camera(ros)
    assert camera.says(2, 'no depth image received yet')
    pixels = np.full((480, 640), 4000, np.uint16)
    pixels[120:360, 160:480] = 620
    pixels[120:360, 160:200] = 0
    answer = camera.see(pixels)
    assert answer.range == pytest.approx(0.62)
    assert (answer.radiation_type, answer.max_range) == (Range.INFRARED, 10.0)
    assert camera.says(0, 'wall at 0.62 m')


def test_too_few_pixels_are_nan_and_a_warning(ros):
    camera = Camera(ros)
    assert math.isnan(camera.see(np.zeros((480, 640), np.uint16)).range)
    assert camera.says(1, '0 % of the central 320x240 pixels')


def test_images_that_are_no_depth_are_an_error(ros):
    camera = Camera(ros, 'rgb8')
    message = Image(height=2, width=2, encoding='rgb8', step=6, data=array('B', bytes(12)))

    def said():
        camera._publisher.publish(message)
        return camera.health[-1].level == bytes([2]) and "'rgb8'" in camera.health[-1].message

    assert ros.spin_until(said)
    assert not camera.ranges
