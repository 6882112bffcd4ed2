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

"""The follower's cmd_vel: the one place where a velocity leaves the node."""

from __future__ import annotations

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.duration import Duration
from rclpy.node import Node

from quiet_nav.navigation.limits import Twist2D


class Velocity:
    """
    Publishes velocities, stamped or not, from when it is made until it is destroyed.

    A plain publisher and no lifecycle one: zero velocity must go out in every state.
    """

    def __init__(self, node: Node, stamped: bool, base_frame: str) -> None:
        self._node, self._stamped, self._base_frame = node, stamped, base_frame
        self._publisher = node.create_publisher(TwistStamped if stamped else Twist, 'cmd_vel', 1)

    @property
    def kind(self) -> str:
        """Return the type's name, as the graph says it."""
        return f'geometry_msgs/msg/{"TwistStamped" if self._stamped else "Twist"}'

    def send(self, twist: Twist2D) -> None:
        message = Twist()
        message.linear.x, message.angular.z = twist.linear_mps, twist.angular_rps
        if self._stamped:
            message = TwistStamped(twist=message)
            message.header.stamp = self._node.get_clock().now().to_msg()
            message.header.frame_id = self._base_frame
        self._publisher.publish(message)

    def wait_until_received(self, timeout_s: float) -> None:
        """Wait for the acknowledgement of the last velocity: a process that ends takes it along."""
        self._publisher.wait_for_all_acked(Duration(seconds=timeout_s))

    def destroy(self) -> None:
        self._node.destroy_publisher(self._publisher)
