"""Images and camera intrinsics as messages, as realsense2_camera publishes them."""

from __future__ import annotations

import math
from array import array

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion
from sensor_msgs.msg import CameraInfo, Image

from quiet_nav.simulation.sight.raycast import Intrinsics


def image_to_msg(image: np.ndarray, encoding: str, stamp: Time, frame_id: str) -> Image:
    """Return an image, (h, w) or (h, w, channels) of uint8 or uint16, as a message."""
    message = Image(height=image.shape[0], width=image.shape[1], encoding=encoding)
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    message.step = image.strides[0]
    # An array of bytes passes through at once; any other sequence is checked byte by byte.
    message.data = array('B', np.ascontiguousarray(image).tobytes())
    return message


def camera_info_to_msg(camera: Intrinsics, stamp: Time, frame_id: str) -> CameraInfo:
    """Return intrinsics of a camera without distortion as a message."""
    message = CameraInfo(height=camera.height, width=camera.width, distortion_model='plumb_bob')
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    message.d = [0.0] * 5
    message.k = [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    rows = (camera.fx, 0.0, camera.cx, 0.0), (0.0, camera.fy, camera.cy, 0.0)
    message.p = [*rows[0], *rows[1], 0.0, 0.0, 1.0, 0.0]
    return message


def optical_rotation(yaw_rad: float) -> Quaternion:
    """Return the rotation of an optical frame (z forward, x right; REP-103) that looks at a yaw."""
    s, c = 0.5 * math.sin(yaw_rad / 2.0), 0.5 * math.cos(yaw_rad / 2.0)
    return Quaternion(x=-c - s, y=c - s, z=-c + s, w=c + s)
