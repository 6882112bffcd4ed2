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

"""Messages to and from the project's own types, as rclpy has them."""

from __future__ import annotations

import math

from geometry_msgs.msg import Pose, Quaternion, TransformStamped
from nav_msgs.msg import Odometry

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, yaw_of_quaternion
from quiet_nav.msg import NearWall
from quiet_nav.navigation.limits import Twist2D
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.perception.messages import checked_transform, reading_from_msg
from quiet_nav.perception.readings import NearWallReading

__all__ = [
    'motion_from_msg',
    'pose_from_msg',
    'pose_to_msg',
    'quaternion_from_yaw',
    'reading_from_msg',
    'reading_to_msg',
    'transform_to_msg',
    'yaw_from_quaternion',
]


def reading_to_msg(reading: NearWallReading, frame_id: str, rig: str = '') -> NearWall:
    """
    Return the message of a reading.

    frame_id: the microphone's or camera's frame. rig: ``Rig.identity`` of the ears, '' for none.
    """
    message = NearWall()
    message.header.stamp = ns_to_stamp(reading.end_ns)
    message.header.frame_id = frame_id
    message.window_start = ns_to_stamp(reading.start_ns)
    message.side = int(reading.side)
    message.probability = float(reading.probability)
    message.spread = float(reading.spread)
    message.clips = int(reading.clips)
    message.context = int(reading.context)
    message.modality = int(reading.modality)
    if reading.distance_probabilities:
        message.distance_edges = list(reading.bins.edges_m)
        message.distance_prior = list(reading.bins.prior)
        message.distance_probabilities = [float(p) for p in reading.distance_probabilities]
    message.rig = rig
    message.hears_by = str(reading.hears_by)
    message.valid = bool(reading.valid)
    message.reason = reading.reason
    return message


def quaternion_from_yaw(yaw_rad: float) -> Quaternion:
    """Return the rotation about z by a yaw, counter-clockwise."""
    return Quaternion(z=math.sin(yaw_rad / 2.0), w=math.cos(yaw_rad / 2.0))


def yaw_from_quaternion(q: Quaternion) -> float:
    """Return the yaw of a rotation in radians, -pi to pi; roll and pitch are dropped."""
    return yaw_of_quaternion(q.x, q.y, q.z, q.w)


def pose_to_msg(pose: Pose2D, z: float = 0.0) -> Pose:
    """Return a plane pose, at a height in meters, as a message."""
    message = Pose(orientation=quaternion_from_yaw(pose.yaw))
    message.position.x, message.position.y, message.position.z = pose.x, pose.y, z
    return message


def pose_from_msg(message: Pose) -> Pose2D:
    """Return the part of a pose in the plane."""
    return Pose2D(message.position.x, message.position.y, yaw_from_quaternion(message.orientation))


def motion_from_msg(message: Odometry) -> tuple[Pose2D, Twist2D]:
    """
    Return pose and twist of an odometry in the plane.

    Raises QuietNavError where a number is not finite or the orientation is not a rotation.
    """
    pose, twist = message.pose.pose, message.twist.twist
    transform = checked_transform(pose.position, pose.orientation, 'odometry')
    speeds = Twist2D(twist.linear.x, twist.angular.z)
    if not (math.isfinite(speeds.linear_mps) and math.isfinite(speeds.angular_rps)):
        raise QuietNavError(
            f'odometry: twist of {speeds.linear_mps} m/s and {speeds.angular_rps} rad/s; '
            'expected finite numbers'
        )
    return transform.pose, speeds


def transform_to_msg(
    pose: Pose2D, time_ns: int, frame_id: str, child_frame_id: str
) -> TransformStamped:
    """Return the transform that places ``child_frame_id`` at ``pose`` in ``frame_id``."""
    message = TransformStamped(child_frame_id=child_frame_id)
    message.header.stamp = ns_to_stamp(time_ns)
    message.header.frame_id = frame_id
    message.transform.translation.x = pose.x
    message.transform.translation.y = pose.y
    message.transform.rotation = quaternion_from_yaw(pose.yaw)
    return message
