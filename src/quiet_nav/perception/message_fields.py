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

"""The fields that are read of ROS messages: those that rclpy's classes and rosbags' share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Stamp(Protocol):
    """A builtin_interfaces/Time."""

    sec: int
    nanosec: int


class Header(Protocol):
    """A std_msgs/Header."""

    stamp: Stamp
    frame_id: str


class Stamped(Protocol):
    """Any message with a header."""

    header: Header


class NearWall(Stamped, Protocol):
    """A quiet_nav/NearWall."""

    window_start: Stamp
    side: int
    probability: float
    spread: float
    clips: int
    context: int
    modality: int
    distance_edges: Sequence[float]
    distance_probabilities: Sequence[float]
    valid: bool
    reason: str


class Point(Protocol):
    """A geometry_msgs/Point or Vector3."""

    x: float
    y: float
    z: float


class Quaternion(Point, Protocol):
    """A geometry_msgs/Quaternion."""

    w: float


class Pose(Protocol):
    """A geometry_msgs/Pose."""

    position: Point
    orientation: Quaternion


class PoseWithCovariance(Protocol):
    """A geometry_msgs/PoseWithCovariance."""

    pose: Pose


class Odometry(Stamped, Protocol):
    """A nav_msgs/Odometry."""

    child_frame_id: str
    pose: PoseWithCovariance


class TransformFields(Protocol):
    """A geometry_msgs/Transform."""

    translation: Point
    rotation: Quaternion


class TransformStamped(Stamped, Protocol):
    """A geometry_msgs/TransformStamped."""

    child_frame_id: str
    transform: TransformFields


class TFMessage(Protocol):
    """A tf2_msgs/TFMessage."""

    transforms: Sequence[TransformStamped]


class MapMetaData(Protocol):
    """A nav_msgs/MapMetaData."""

    resolution: float
    width: int
    height: int
    origin: Pose


class OccupancyGrid(Protocol):
    """A nav_msgs/OccupancyGrid."""

    info: MapMetaData
    data: Sequence[int]


class Image(Stamped, Protocol):
    """A sensor_msgs/Image; its data are array.array with rclpy, a NumPy array with rosbags."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: Any
