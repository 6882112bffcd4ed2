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

"""The subscriber of every node that looks: image messages in, pictures of uint8 RGB out."""

from __future__ import annotations

from collections.abc import Callable
import math

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.nodes.camera_messages import image_from_msg, make_bridge
from quiet_nav.nodes.runtime import now_ns
from quiet_nav.perception.messages import COLOR_ENCODINGS, FrameListener, stamp_to_ns
from quiet_nav.perception.sight.looking import optical_axis, Picture
from quiet_nav.perception.transforms import Transform

IMAGE_TOPIC = 'camera/camera/color/image_raw'
#: An image is worth nothing once the next is there.
IMAGE_QOS = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
_STATIC_QOS = QoSProfile(depth=100, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


def picture_of(message: Image | CompressedImage) -> Picture:
    """Return the picture of a message; one without pixels and with the reason where it has none."""
    stamp_ns = stamp_to_ns(message.header.stamp)
    fault = _fault(message)
    if fault:
        return Picture(None, stamp_ns, fault)
    try:
        if isinstance(message, CompressedImage):
            pixels = _decompressed(message)
        else:
            pixels = image_from_msg(message, 'rgb8')
    except QuietNavError as error:
        return Picture(None, stamp_ns, str(error))
    except Exception as error:
        # cv_bridge and OpenCV raise errors of their own; none may end the node.
        return Picture(None, stamp_ns, f'image cannot be decoded: {error}')
    return Picture(np.ascontiguousarray(pixels), stamp_ns)


def _fault(message: Image | CompressedImage) -> str:
    size = len(message.data)
    if isinstance(message, CompressedImage):
        return '' if size else 'empty: a compressed image without data'
    if not (message.width and message.height and size):
        return f'zero-sized: {message.width} x {message.height} pixels, {size} bytes'
    if message.encoding not in COLOR_ENCODINGS:
        known = ', '.join(COLOR_ENCODINGS)
        return (
            f'encoded as {message.encoding!r}; expected one of {known}: name the topic of the '
            'color image as image_topic, or set the format of the camera'
        )
    if size < message.step * message.height:
        return f'not whole: {size} bytes, {message.height} rows of {message.step} expected'
    return ''


def _decompressed(message: CompressedImage) -> np.ndarray:
    """
    Return uint8 RGB (h, w, 3) of a JPEG or PNG image, in color or gray.

    cv_bridge would squeeze 16 bits of depth into 8 of gray, and show what is left of a cut file.
    Raises QuietNavError where it is neither, cut short, or not of 8 bits.
    """
    import cv2

    data = bytes(message.data)
    if data.startswith(b'\xff\xd8'):
        # A scan's own bytes never hold its end mark: OpenCV makes rows that are missing gray.
        whole = data.rfind(b'\xff\xd9') > data.rfind(b'\xff\xda')
    elif data.startswith(b'\x89PNG'):
        whole = b'IEND' in data[-64:]
    else:
        raise QuietNavError(
            f'compressed as {message.format!r}: neither JPEG nor PNG; expected one of them, as '
            'image_transport makes: set the format of the camera, or image_transport to raw'
        )
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if whole else None
    if pixels is None:
        raise QuietNavError(
            f'not whole: {len(data)} bytes of {message.format!r} cannot be decoded; is the '
            'connection to the camera losing data?'
        )
    if pixels.dtype != np.uint8:
        raise QuietNavError(
            f'encoded as {message.format!r} with {8 * pixels.itemsize} bits, as depth is; expected '
            '8 bits of color or gray: name the topic of the color image as image_topic'
        )
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    codes = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    return cv2.cvtColor(pixels, codes[channels])


def subscribe_images(
    node: Node,
    on_image: Callable[[Image | CompressedImage], None],
    topic: str = IMAGE_TOPIC,
    compressed: bool = False,
) -> Subscription:
    """Return a subscription to images, or to image_transport's compressed ones beside them."""
    kind, suffix = (CompressedImage, '/compressed') if compressed else (Image, '')
    return node.create_subscription(kind, topic + suffix, on_image, IMAGE_QOS)


class ImageInput:
    """
    Subscribes to images, their camera_info and the camera's place on the robot.

    on_image is called with every message; whoever wants its pixels asks ``picture``.
    side: where the camera looks, '' asks tf (from base_frame), FRONT where tf does not know it.
    """

    def __init__(
        self,
        node: Node,
        on_image: Callable[[Image | CompressedImage], None],
        topic: str = IMAGE_TOPIC,
        compressed: bool = False,
        side: str = '',
        base_frame: str = 'base_link',
    ) -> None:
        self._node, self._base_frame = node, base_frame
        make_bridge()
        self._named_side = Side[side.upper()] if side else None
        self._frames = FrameListener(base_frame)
        self._known: dict[str, Transform] = {}
        self.fov_rad = math.nan
        folder, slash, _ = topic.rpartition('/')
        subscribe = node.create_subscription
        self._images = subscribe_images(node, on_image, topic, compressed)
        self._subscriptions = [
            self._images,
            subscribe(CameraInfo, f'{folder}{slash}camera_info', self._on_info, IMAGE_QOS),
            subscribe(TFMessage, '/tf_static', self._on_frames, _STATIC_QOS),
        ]

    def destroy(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    @property
    def topic(self) -> str:
        return self._images.topic_name

    @property
    def publishers(self) -> int:
        return self._node.count_publishers(self.topic)

    def picture(self, message: Image | CompressedImage) -> Picture:
        """Return the message's picture."""
        return picture_of(message)

    def side(self, frame: str) -> Side:
        """Return the side that a camera of a frame looks at."""
        if self._named_side is not None:
            return self._named_side
        if frame not in self._known:
            camera = self._frames.buffer.lookup(self._base_frame, frame, now_ns(self._node))
            if camera is None:
                return Side.FRONT
            self._known[frame] = optical_axis(camera, frame)
        return Side.nearest(self._known[frame].pose.yaw)

    def axis(self, frame: str) -> Transform | None:
        """
        Return where in base_link a camera of a frame is, x along its optical axis; as tf says.

        None where tf does not know it, and where the side was named: who names it knows better.
        """
        return self._known.get(frame)

    def knows_side(self, frame: str) -> bool:
        """Return whether somebody has said where the camera looks."""
        return self._named_side is not None or frame in self._known

    def _on_info(self, info: CameraInfo) -> None:
        if info.k[0] > 0.0 and info.width:
            self.fov_rad = 2.0 * math.atan(0.5 * info.width / info.k[0])

    def _on_frames(self, message: TFMessage) -> None:
        self._frames.on_tf_static(message)
        self._known.clear()
