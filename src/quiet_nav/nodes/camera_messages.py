"""Images as messages and back, through cv_bridge; intrinsics as realsense2_camera has them."""

from __future__ import annotations

from array import array
from functools import cache
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.messages import pixel_rows, pixel_type


@cache
def make_bridge() -> Any:
    """Return the CvBridge; QuietNavError where cv_bridge is missing."""
    try:
        from cv_bridge import CvBridge
    except ImportError as error:
        raise QuietNavError(f'images need cv_bridge, which is not installed ({error})') from error
    return CvBridge()


def image_to_msg(image: np.ndarray, encoding: str, stamp: Time, frame_id: str) -> Image:
    """Return an image, (h, w) or (h, w, channels) of uint8, uint16 or float32, as a message.

    Raises QuietNavError where cv_bridge is missing.
    """
    # Named afterwards: cv_bridge of PyPI refuses 16UC1 with the OpenCV of today.
    message: Image = make_bridge().cv2_to_imgmsg(image.view(_Handed))
    message.encoding = encoding
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    return message


def image_from_msg(message: Image, encoding: str = 'passthrough') -> np.ndarray:
    """Return a message's pixels, (h, w) or (h, w, channels), in its own or another encoding.

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
    """An image on its way into a message.

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
