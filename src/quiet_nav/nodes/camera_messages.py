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

"""Images as messages and back, through cv_bridge; intrinsics as realsense2_camera has them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cache
import math
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion
import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.messages import pixel_rows, pixel_type
from quiet_nav.perception.sight.realsense.camera import Lens
from quiet_nav.simulation.sight.raycast import Intrinsics


@cache
def make_bridge() -> Any:
    """Return the CvBridge; QuietNavError where cv_bridge is missing."""
    try:
        from cv_bridge import CvBridge
    except ImportError as error:
        raise QuietNavError(f'images need cv_bridge, which is not installed ({error})') from error
    return CvBridge()


def image_to_msg(image: np.ndarray, encoding: str, stamp: Time, frame_id: str) -> Image:
    """
    Return an image, (h, w) or (h, w, channels) of uint8, uint16 or float32, as a message.

    Raises QuietNavError where cv_bridge is missing.
    """
    # Named afterwards: cv_bridge of PyPI refuses 16UC1 with the OpenCV of today.
    message: Image = make_bridge().cv2_to_imgmsg(image.view(_Handed))
    message.encoding = encoding
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    return message


def image_from_msg(message: Image, encoding: str = 'passthrough') -> np.ndarray:
    """
    Return a message's pixels, (h, w) or (h, w, channels), in its own or another encoding.

    Padded rows, bytes that follow the last one and either order of bytes are understood. Raises
    QuietNavError where there are no pixels or too few bytes, where cv_bridge is missing, and where
    it cannot convert.
    """
    plain, bridge = _plain(message), make_bridge()
    try:
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(plain, encoding))
    except Exception as error:
        # cv_bridge and OpenCV raise errors of their own; none may end the node.
        raise QuietNavError(
            f'image encoded as {message.encoding!r} cannot be made {encoding} ({error})'
        ) from error


class _Handed(np.ndarray):
    """
    An image on its way into a message.

    cv_bridge of PyPI asks for `tostring`, which NumPy no longer has from 2.3 on. An array of bytes
    passes into the message at once; any other sequence is checked byte by byte.
    """

    def tostring(self, *_: object) -> array:  # type: ignore[override]
        return array('B', self.tobytes())


def _plain(message: Image) -> Image:
    """Return an image as every bridge reads it: no padding, this machine's order of bytes."""
    dtype = pixel_type(message.encoding, bool(message.is_bigendian))
    rows = pixel_rows(message, dtype.itemsize)
    # cv_bridge of PyPI takes 16UC1 for 8 bits with the OpenCV of today; the pixels are the same.
    encoding = 'mono16' if message.encoding == '16UC1' else message.encoding
    packed = rows.size == len(message.data) and not message.is_bigendian
    if packed and encoding == message.encoding:
        return message
    native = np.ascontiguousarray(rows).view(dtype).astype(dtype.newbyteorder('='))
    return Image(
        header=message.header,
        height=message.height,
        width=message.width,
        encoding=encoding,
        step=rows.shape[1],
        data=message.data if packed else array('B', native.tobytes()),
    )


def jpeg_to_msg(image: np.ndarray, encoding: str, stamp: Time, frame_id: str) -> CompressedImage:
    """
    Return a color or gray image as image_transport compresses it: a JPEG.

    image: uint8 (h, w) or (h, w, channels). Raises QuietNavError where OpenCV is missing.
    """
    make_bridge()
    import cv2

    codes = {
        'rgb8': cv2.COLOR_RGB2BGR,
        'rgba8': cv2.COLOR_RGBA2BGR,
        'bgra8': cv2.COLOR_BGRA2BGR,
    }
    pixels = cv2.cvtColor(image, codes[encoding]) if encoding in codes else image
    packed = array('B', cv2.imencode('.jpg', pixels)[1].tobytes())
    inside = 'mono8' if encoding == 'mono8' else 'bgr8'
    message = CompressedImage(format=f'{encoding}; jpeg compressed {inside}', data=packed)
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    return message


def camera_info_to_msg(
    camera: Intrinsics | Lens,
    stamp: Time,
    frame_id: str,
    distortion_model: str = 'plumb_bob',
    coefficients: Sequence[float] = (0.0,) * 5,
) -> CameraInfo:
    """Return intrinsics of a camera, by default one without distortion, as a message."""
    message = CameraInfo(height=camera.height, width=camera.width)
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    message.distortion_model = distortion_model
    message.d = list(coefficients)
    message.k = [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    rows = (camera.fx, 0.0, camera.cx, 0.0), (0.0, camera.fy, camera.cy, 0.0)
    message.p = [*rows[0], *rows[1], 0.0, 0.0, 1.0, 0.0]
    return message


def optical_rotation(yaw_rad: float) -> Quaternion:
    """Return the rotation of an optical frame (z forward, x right; REP-103) that looks at a yaw."""
    s, c = 0.5 * math.sin(yaw_rad / 2.0), 0.5 * math.cos(yaw_rad / 2.0)
    return Quaternion(x=-c - s, y=c - s, z=-c + s, w=c + s)
