"""What messages say, whoever read them: rclpy's classes and rosbags' have the same fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.perception.readings import DISTANCE_EDGES_M, Context, Modality, NearWallReading
from quiet_nav.perception.transforms import Transform, TransformBuffer

#: Channels of an image's pixel by encoding, and whether blue comes first.
_ENCODINGS = {'rgb8': (3, False), 'bgr8': (3, True), 'rgba8': (4, False), 'bgra8': (4, True)}
_ENCODINGS['mono8'] = (1, False)
#: Encodings that say how a wall looks, live and in bags; depth and raw Bayer do not.
COLOR_ENCODINGS = tuple(_ENCODINGS)


def stamp_to_ns(stamp: object) -> int:
    """Return a builtin_interfaces/Time as integer nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def reading_from_msg(message: object) -> NearWallReading:
    """Return the reading of a quiet_nav/NearWall.

    Raises QuietNavError where side, modality or distance bins are not ones that we know, or a
    valid reading has no probability between 0 and 1.
    """
    edges = tuple(message.distance_edges)
    if len(message.distance_probabilities) and edges != DISTANCE_EDGES_M:
        raise QuietNavError(
            f'NearWall: distance edges {list(edges)}, expected {list(DISTANCE_EDGES_M)}: '
            'publisher and reader are of different versions'
        )
    if message.valid and not 0.0 <= message.probability <= 1.0:
        raise QuietNavError(
            f'NearWall: marked valid with probability {message.probability}, expected 0 to 1'
        )
    try:
        side, modality = Side(message.side), Modality(message.modality)
    except ValueError as error:
        raise QuietNavError(f'NearWall: {error}') from error
    return NearWallReading(
        side=side,
        probability=message.probability,
        start_ns=stamp_to_ns(message.window_start),
        end_ns=stamp_to_ns(message.header.stamp),
        spread=message.spread,
        clips=message.clips,
        context=Context(message.context),
        distance_probabilities=tuple(message.distance_probabilities),
        modality=modality,
        valid=message.valid,
        reason=message.reason,
    )


def grid_from_msg(message: object) -> GridMap:
    """Return the near-wall map of a nav_msgs/OccupancyGrid, to 0.01; NaN where it says -1.

    Raises QuietNavError where its cells do not fill it.
    """
    info = message.info
    if len(message.data) != info.height * info.width or not 0.0 < info.resolution < math.inf:
        raise QuietNavError(
            f'OccupancyGrid of {info.width} x {info.height} cells of {info.resolution} m with '
            f'{len(message.data)} cells in it: not whole'
        )
    cells = np.asarray(message.data, np.int8).reshape(info.height, info.width).astype(float)
    at = info.origin.position
    return GridMap(np.where(cells >= 0, cells / 100.0, np.nan), at.x, at.y, info.resolution)


def pixels_from_msg(message: object) -> np.ndarray:
    """Return a sensor_msgs/Image of 8 bits a channel as (height, width, 3), red, green, blue.

    Raises QuietNavError for other encodings and for images with too few bytes.
    """
    check_encoding(message.encoding, COLOR_ENCODINGS)
    channels, blue_first = _ENCODINGS[message.encoding]
    pixels = pixel_rows(message, channels).reshape(message.height, message.width, channels)
    if channels == 1:
        return np.repeat(pixels, 3, axis=2)
    return pixels[..., 2::-1] if blue_first else pixels[..., :3]


def check_encoding(encoding: str, known: Collection[str]) -> None:
    """Raise QuietNavError where an image's encoding is none of those that can be read."""
    if encoding not in known:
        raise QuietNavError(f'image encoded as {encoding!r}; expected one of {", ".join(known)}')


def pixel_rows(message: object, pixel_bytes: int) -> np.ndarray:
    """Return the bytes of a sensor_msgs/Image's pixels, uint8 (height, width * pixel_bytes).

    What pads rows or follows the last one is left out. Raises QuietNavError where there are no
    pixels or too few bytes.
    """
    height, width, step = message.height, message.width, message.step
    data = np.frombuffer(memoryview(message.data), np.uint8)
    if not (height and width and len(data)):
        raise QuietNavError(f'image zero-sized: {width} x {height} pixels, {len(data)} bytes')
    if step < width * pixel_bytes or len(data) < height * step:
        raise QuietNavError(
            f'image not whole: {width} x {height} pixels of {pixel_bytes} bytes with {len(data)} '
            f'bytes in rows of {step}'
        )
    return data[: height * step].reshape(height, step)[:, : width * pixel_bytes]


class FrameListener:
    """Keeps where frames are from tf, and from odometry as long as tf does not have the base.

    placed: called with parent, frame, time (ns; None where it holds always) and Transform for
    everything that is taken.
    """

    def __init__(
        self,
        base_frame: str = 'base_link',
        placed: Callable[[str, str, int | None, Transform], None] | None = None,
        memory_s: float = 60.0,
    ) -> None:
        self.buffer = TransformBuffer(memory_s)
        self._base_frame = base_frame
        self._base_from_tf = False
        self._placed = placed or (lambda *_: None)

    def on_tf(self, message: object) -> None:
        """Take a tf2_msgs/TFMessage of /tf."""
        for item in message.transforms:
            frame = item.child_frame_id.lstrip('/')
            if frame == self._base_frame and not self._base_from_tf:
                # Two sources of one frame would mix: tf knows better than wheels do.
                self._base_from_tf = True
                self.buffer.forget(frame)
            parent, time_ns = item.header.frame_id.lstrip('/'), stamp_to_ns(item.header.stamp)
            transform = _transform(item.transform.translation, item.transform.rotation)
            self.buffer.add(parent, frame, time_ns, transform)
            self._placed(parent, frame, time_ns, transform)

    def on_tf_static(self, message: object) -> None:
        """Take a tf2_msgs/TFMessage of /tf_static."""
        for item in message.transforms:
            frame, parent = item.child_frame_id.lstrip('/'), item.header.frame_id.lstrip('/')
            self._base_from_tf |= frame == self._base_frame
            transform = _transform(item.transform.translation, item.transform.rotation)
            self.buffer.add_fixed(parent, frame, transform)
            self._placed(parent, frame, None, transform)

    def on_odom(self, message: object) -> None:
        """Take a nav_msgs/Odometry, unless tf has the base's frame or it is about another one."""
        frame, parent = message.child_frame_id.lstrip('/'), message.header.frame_id.lstrip('/')
        if self._base_from_tf or frame != self._base_frame or not parent:
            return
        pose = message.pose.pose
        transform = Transform.of_pose(_transform(pose.position, pose.orientation).pose)
        time_ns = stamp_to_ns(message.header.stamp)
        self.buffer.add(parent, frame, time_ns, transform)
        self._placed(parent, frame, time_ns, transform)


def _transform(t: object, q: object) -> Transform:
    return Transform(t.x, t.y, t.z, q.x, q.y, q.z, q.w)
