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

"""What messages say, whoever read them: rclpy's classes and rosbags' have the same fields."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.perception.message_fields import (
    Image,
    NearWall,
    OccupancyGrid,
    Odometry,
    Point,
    Quaternion,
    Stamp,
    TFMessage,
    TransformStamped,
)
from quiet_nav.perception.readings import Context, HearsBy, Modality, NearWallReading
from quiet_nav.perception.transforms import Transform, TransformBuffer

#: Channels of an image's pixel by encoding, and whether blue comes first.
_ENCODINGS = {'rgb8': (3, False), 'bgr8': (3, True), 'rgba8': (4, False), 'bgra8': (4, True)}
_ENCODINGS['mono8'] = (1, False)
#: Encodings that say how a wall looks, live and in bags; depth and raw Bayer do not.
COLOR_ENCODINGS = tuple(_ENCODINGS)
#: Pixel and meters a unit of the encodings that depth comes in (REP-118 and realsense2_camera).
DEPTH_ENCODINGS = {'16UC1': ('u2', 1e-3), 'mono16': ('u2', 1e-3), '32FC1': ('f4', 1.0)}
#: No window (and no image) lasts longer.
LONGEST_WINDOW_S = 60.0
#: Larger maps than this, in cells, are refused.
_MOST_CELLS = 25_000_000
_ALL_CONTEXT = int(Context.REFERENCE | Context.OTHER_EARS)
#: Probabilities are rounded on their way through networks and messages.
_SUM_TOLERANCE = 0.02
#: Rotations are unit quaternions but for rounding.
_NORM_TOLERANCE = 0.05


def stamp_to_ns(stamp: Stamp) -> int:
    """Return a builtin_interfaces/Time as integer nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def checked_ns(stamp: Stamp, what: str) -> int:
    """Return a stamp as integer nanoseconds; QuietNavError where it is no time since 1970."""
    if stamp.sec < 0 or not 0 <= stamp.nanosec < 1_000_000_000:
        raise QuietNavError(
            f'{what}: stamp of {stamp.sec} s and {stamp.nanosec} ns; expected a time since 1970'
        )
    return stamp_to_ns(stamp)


def reading_from_msg(message: NearWall) -> NearWallReading:
    """
    Return the reading of a quiet_nav/NearWall; every field is checked.

    Raises QuietNavError naming the field that is not what NearWall.msg says.
    """
    try:
        side, modality = Side(message.side), Modality(message.modality)
    except ValueError as error:
        raise QuietNavError(f'NearWall: {error}') from error
    start_ns = checked_ns(message.window_start, 'NearWall: window_start')
    end_ns = checked_ns(message.header.stamp, 'NearWall: header')
    if not 0 <= end_ns - start_ns <= LONGEST_WINDOW_S * 1e9:
        raise QuietNavError(
            f'NearWall: window_start lies {(end_ns - start_ns) / 1e9:.6g} s before stamp; '
            f'expected 0 to {LONGEST_WINDOW_S:g} s'
        )
    if message.valid and not 0.0 <= message.probability <= 1.0:
        raise QuietNavError(
            f'NearWall: marked valid with probability {message.probability}, expected 0 to 1'
        )
    if message.valid and not 0.0 <= message.spread <= 1.0:
        raise QuietNavError(f'NearWall: spread {message.spread}, expected 0 to 1')
    if not 0 <= message.context <= _ALL_CONTEXT:
        raise QuietNavError(f'NearWall: context {message.context}, expected 0 to {_ALL_CONTEXT}')
    try:
        bins = _bins_of(message)
    except QuietNavError as error:
        raise QuietNavError(f'NearWall: {error}') from error
    return NearWallReading(
        side=side,
        probability=message.probability,
        start_ns=start_ns,
        end_ns=end_ns,
        spread=message.spread,
        clips=message.clips,
        context=Context(message.context),
        distance_probabilities=_distances(message, bins),
        modality=modality,
        valid=message.valid,
        reason=message.reason,
        bins=bins,
        hears_by=_hears_by(message),
    )


def _hears_by(message: NearWall) -> HearsBy:
    """Return which sound a reading lives by; unknown for words of later versions."""
    said = getattr(message, 'hears_by', '')
    return HearsBy(said) if said in set(HearsBy) else HearsBy.UNKNOWN


def _bins_of(message: NearWall) -> DistanceBins:
    """Return the bins of a quiet_nav/NearWall; QuietNavError where they are none."""
    if not len(message.distance_probabilities):
        return STANDARD_BINS
    # Messages recorded before version 0.2 have no prior.
    prior = tuple(map(float, getattr(message, 'distance_prior', ())))
    bins = DistanceBins(tuple(map(float, message.distance_edges)), prior)
    # The same object for all, so that what it has computed is computed once.
    return STANDARD_BINS if bins == STANDARD_BINS else bins


def _distances(message: NearWall, bins: DistanceBins) -> tuple[float, ...]:
    """Return the distance probabilities of a NearWall, () where it has none."""
    probabilities = tuple(float(p) for p in message.distance_probabilities)
    if not probabilities:
        return ()
    if len(probabilities) != bins.count:
        raise QuietNavError(
            f'NearWall: {len(probabilities)} distance probabilities; expected {bins.count}'
        )
    wrong = next((p for p in probabilities if not 0.0 <= p <= 1.0), None)
    if wrong is not None:
        raise QuietNavError(f'NearWall: distance_probabilities hold {wrong}, expected 0 to 1')
    if abs(sum(probabilities) - 1.0) > _SUM_TOLERANCE:
        raise QuietNavError(
            f'NearWall: distance_probabilities sum to {sum(probabilities):.3f}, expected 1'
        )
    return probabilities


def grid_from_msg(message: OccupancyGrid) -> GridMap:
    """
    Return the near-wall map of a nav_msgs/OccupancyGrid, to 0.01; NaN where it says -1.

    Raises QuietNavError where size, resolution or origin are not those of a map.
    """
    info, size = message.info, len(message.data)
    if info.height * info.width != size or size > _MOST_CELLS:
        raise QuietNavError(
            f'map of {info.width} x {info.height} cells holds {size}; expected as many, '
            f'{_MOST_CELLS} at most'
        )
    at = info.origin.position
    if not (np.isfinite([at.x, at.y]).all() and 0.0 < info.resolution < np.inf):
        raise QuietNavError(
            f'map at {at.x}, {at.y} with cells of {info.resolution} m; expected finite numbers'
        )
    cells = np.asarray(message.data, np.int8).reshape(info.height, info.width).astype(float)
    return GridMap(np.where(cells >= 0, cells / 100.0, np.nan), at.x, at.y, info.resolution)


def pixels_from_msg(message: Image) -> np.ndarray:
    """
    Return a sensor_msgs/Image of 8 bits a channel as (height, width, 3), red, green, blue.

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


def pixel_type(encoding: str, big_endian: bool = False) -> np.dtype:
    """
    Return the type of one pixel, bytes for those of several channels.

    Raises QuietNavError for encodings of neither color nor depth.
    """
    check_encoding(encoding, (*COLOR_ENCODINGS, *DEPTH_ENCODINGS))
    if encoding in DEPTH_ENCODINGS:
        return np.dtype(DEPTH_ENCODINGS[encoding][0]).newbyteorder('>' if big_endian else '<')
    channels = _ENCODINGS[encoding][0]
    return np.dtype(np.uint8) if channels == 1 else np.dtype((np.void, channels))


def pixel_rows(message: Image, pixel_bytes: int) -> np.ndarray:
    """
    Return the bytes of a sensor_msgs/Image's pixels, uint8 (height, width * pixel_bytes).

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
    """
    Keeps where frames are from tf, and from odometry as long as tf does not have the base.

    placed: called with parent, frame, time (ns; None where it holds always) and Transform for
    everything that is taken. refused: called with the reason for every transform that is none.
    """

    def __init__(
        self,
        base_frame: str = 'base_link',
        placed: Callable[[str, str, int | None, Transform], None] | None = None,
        memory_s: float = 60.0,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        self.buffer = TransformBuffer(memory_s)
        self._base_frame = base_frame
        self._base_from_tf = False
        self._placed = placed or (lambda *_: None)
        self._refused = refused or (lambda _: None)

    def on_tf(self, message: TFMessage) -> None:
        """Take a tf2_msgs/TFMessage of /tf; transforms that are none are left out."""
        for item in message.transforms:
            try:
                frame, parent, transform = _placing(item)
                time_ns = checked_ns(item.header.stamp, f'transform of {frame}')
            except QuietNavError as error:
                self._refused(str(error))
                continue
            if frame == self._base_frame and not self._base_from_tf:
                # Two sources of one frame would mix: tf knows better than wheels do.
                self._base_from_tf = True
                self.buffer.forget(frame)
            self.buffer.add(parent, frame, time_ns, transform)
            self._placed(parent, frame, time_ns, transform)

    def on_tf_static(self, message: TFMessage) -> None:
        """Take a tf2_msgs/TFMessage of /tf_static; transforms that are none are left out."""
        for item in message.transforms:
            try:
                frame, parent, transform = _placing(item)
            except QuietNavError as error:
                self._refused(str(error))
                continue
            self._base_from_tf |= frame == self._base_frame
            self.buffer.add_fixed(parent, frame, transform)
            self._placed(parent, frame, None, transform)

    def on_odom(self, message: Odometry) -> None:
        """Take a nav_msgs/Odometry, unless tf has the base's frame or it is about another one."""
        frame, parent = message.child_frame_id.lstrip('/'), message.header.frame_id.lstrip('/')
        if self._base_from_tf or frame != self._base_frame or not parent:
            return
        pose = message.pose.pose
        try:
            placed = checked_transform(pose.position, pose.orientation, f'odometry of {frame}')
            time_ns = checked_ns(message.header.stamp, f'odometry of {frame}')
        except QuietNavError as error:
            self._refused(str(error))
            return
        transform = Transform.of_pose(placed.pose)
        self.buffer.add(parent, frame, time_ns, transform)
        self._placed(parent, frame, time_ns, transform)


def checked_transform(t: Point, q: Quaternion, what: str) -> Transform:
    """
    Return a translation and rotation as a Transform.

    Raises QuietNavError where they are not finite, or the quaternion is not a rotation.
    """
    numbers = (t.x, t.y, t.z, q.x, q.y, q.z, q.w)
    if not np.isfinite(numbers).all():
        raise QuietNavError(f'{what}: numbers that are not finite; expected a place and a rotation')
    norm = float(np.linalg.norm(numbers[3:]))
    if abs(norm - 1.0) > _NORM_TOLERANCE:
        raise QuietNavError(f'{what}: not a rotation: quaternion of length {norm:.3g}, expected 1')
    return Transform(*numbers)


def _placing(item: TransformStamped) -> tuple[str, str, Transform]:
    frame, parent = item.child_frame_id.lstrip('/'), item.header.frame_id.lstrip('/')
    transform = item.transform
    what = f'transform of {frame}'
    return frame, parent, checked_transform(transform.translation, transform.rotation, what)
