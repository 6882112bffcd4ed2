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

"""The topics and frames of a camera, named and kept as realsense2_camera does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import TransformStamped
import numpy as np
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import (
    qos_profile_system_default,
    QoSDurabilityPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
)
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from quiet_nav.nodes.camera_messages import camera_info_to_msg, image_to_msg, jpeg_to_msg
from quiet_nav.nodes.runtime import now_ns, ns_to_stamp
from quiet_nav.perception.sight.realsense.camera import ALIGNED, COLOR, DEPTH, Frame

#: realsense2_camera's IMAGE_QOS and DEFAULT_QOS (constants.h).
IMAGE_QOS = qos_profile_system_default
INFO_QOS = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE)
_LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
_IMAGES = {COLOR: 'image_raw', DEPTH: 'image_rect_raw', ALIGNED: 'image_raw'}
#: Optical axes (z ahead, x right) in those of a body (x ahead, y left); REP-103.
_OPTICAL = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


@dataclass
class _Publishers:
    image: Any
    info: Any
    compressed: Any = None


class CameraTopics:
    """Publishers of the streams of a camera that is called ``name``; made when configuring."""

    def __init__(self, node: LifecycleNode, name: str, streams: tuple[str, ...]) -> None:
        self._node, self._name = node, name
        self._streams: dict[str, _Publishers] = {}
        for stream in streams:
            topic, made = f'camera/{name}/{stream}', node.create_lifecycle_publisher
            image = f'{topic}/{_IMAGES[stream]}'
            self._streams[stream] = _Publishers(
                made(Image, image, IMAGE_QOS), made(CameraInfo, f'{topic}/camera_info', INFO_QOS)
            )
            if stream == COLOR:
                self._streams[stream].compressed = made(
                    CompressedImage, f'{image}/compressed', IMAGE_QOS
                )
        self._frames: Any = None

    def destroy(self) -> None:
        """Take the publishers back from the node."""
        for publishers in self._streams.values():
            for publisher in (publishers.image, publishers.info, publishers.compressed):
                if publisher is not None:
                    self._node.destroy_lifecycle_publisher(publisher)
        if self._frames is not None:
            self._node.destroy_publisher(self._frames)
        self._streams, self._frames = {}, None

    @property
    def subscribers(self) -> int:
        """Of images, whichever."""
        return sum(
            publisher.get_subscription_count()
            for publishers in self._streams.values()
            for publisher in (publishers.image, publishers.compressed)
            if publisher is not None
        )

    def publish(self, frame: Frame, stamp_ns: int) -> None:
        """Publish a frame and its camera_info, each where somebody listens."""
        publishers, stamp = self._streams[frame.stream], ns_to_stamp(stamp_ns)
        kind = DEPTH if frame.stream == DEPTH else COLOR
        named = stamp, f'{self._name}_{kind}_optical_frame'
        if publishers.image.get_subscription_count():
            publishers.image.publish(image_to_msg(frame.pixels, frame.encoding, *named))
        compressed = publishers.compressed
        if compressed is not None and compressed.get_subscription_count():
            compressed.publish(jpeg_to_msg(frame.pixels, frame.encoding, *named))
        if publishers.info.get_subscription_count():
            lens = frame.lens
            publishers.info.publish(camera_info_to_msg(lens, *named, lens.model, lens.coefficients))

    def publish_frames(self, color_in_depth: tuple[np.ndarray, np.ndarray] | None) -> None:
        """Say where the camera's frames are below NAME_link, which is that of depth."""
        if self._frames is None:
            self._frames = self._node.create_publisher(TFMessage, '/tf_static', _LATCHED)
        rotation, place = color_in_depth or (np.eye(3), np.zeros(3))
        turned = _OPTICAL * Rotation.from_matrix(rotation) * _OPTICAL.inv()
        none, here = Rotation.identity(), np.zeros(3)
        link = f'{self._name}_link'
        frames = [self._transform(link, f'{self._name}_depth_frame', none, here)]
        frames.append(
            self._transform(link, f'{self._name}_color_frame', turned, _OPTICAL.apply(place))
        )
        for stream in (DEPTH, COLOR):
            frame = f'{self._name}_{stream}'
            frames.append(
                self._transform(f'{frame}_frame', f'{frame}_optical_frame', _OPTICAL, here)
            )
        self._frames.publish(TFMessage(transforms=frames))

    def _transform(
        self, parent: str, child: str, rotation: Rotation, place: np.ndarray
    ) -> TransformStamped:
        message = TransformStamped(child_frame_id=child)
        message.header.frame_id = parent
        message.header.stamp = ns_to_stamp(now_ns(self._node))
        to, turn = message.transform.translation, message.transform.rotation
        to.x, to.y, to.z = map(float, place)
        turn.x, turn.y, turn.z, turn.w = map(float, rotation.as_quat())
        return message
