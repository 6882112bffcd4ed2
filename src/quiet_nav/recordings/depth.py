"""How far the wall ahead is, from depth images: the teacher of labels and the live ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from quiet_nav.errors import QuietNavError

#: The pixels in the middle of the image that are averaged (paper, section 3).
CENTRAL_WIDTH, CENTRAL_HEIGHT = 320, 240
#: With a smaller share of pixels that have a reading the mean says little of the wall.
LEAST_VALID = 0.1
#: No depth camera reads nearer, none in a room farther: beyond, units were taken for others.
NEAREST_M, FARTHEST_M = 0.05, 100.0
#: NumPy type and metres a unit of the encodings that depth comes in (REP-118 and realsense2).
_ENCODINGS = {'16UC1': ('u2', 1e-3), 'mono16': ('u2', 1e-3), '32FC1': ('f4', 1.0)}


@dataclass(frozen=True)
class WallDistance:
    """Mean depth of the central pixels in metres, NaN with the reason where it cannot be right.

    valid_share: of the central pixels that had a reading.
    """

    distance_m: float
    valid_share: float
    reason: str = ''

    @property
    def valid(self) -> bool:
        return not self.reason


def decode_depth(
    encoding: str, height: int, width: int, step: int, data: object, big_endian: bool = False
) -> tuple[np.ndarray, float]:
    """Return a view of a depth image's pixels, (height, width), and the metres of one unit.

    The arguments are the fields of sensor_msgs/Image. Raises QuietNavError for other encodings
    and for data that do not fill the image.
    """
    if encoding not in _ENCODINGS:
        known = ', '.join(_ENCODINGS)
        raise QuietNavError(f'depth image encoded as {encoding!r}; expected one of {known}')
    kind, unit_m = _ENCODINGS[encoding]
    dtype = np.dtype(kind).newbyteorder('>' if big_endian else '<')
    raw = np.frombuffer(memoryview(data), np.uint8)
    if step < width * dtype.itemsize or len(raw) < height * step:
        raise QuietNavError(
            f'depth image of {width} x {height} pixels, {step} bytes a row, with {len(raw)} bytes: '
            'not whole'
        )
    rows = raw[: height * step].reshape(height, step)[:, : width * dtype.itemsize]
    return np.ascontiguousarray(rows).view(dtype), unit_m


def wall_distance(
    depth: np.ndarray, unit_m: float = 1e-3, least_valid: float = LEAST_VALID
) -> WallDistance:
    """Return the mean of the central 320x240 pixels; those without a reading are left out.

    depth: shape (height, width), 0 or NaN where there is no reading. Images smaller than that in
    a direction count over all of it. Source: the paper, section 3.
    """
    height, width = depth.shape
    tall, wide = min(height, CENTRAL_HEIGHT), min(width, CENTRAL_WIDTH)
    top, left = (height - tall) // 2, (width - wide) // 2
    central = depth[top : top + tall, left : left + wide]
    read = central[np.isfinite(central) & (central > 0)] if central.dtype.kind == 'f' else None
    if read is None:
        count, total = int(np.count_nonzero(central)), float(central.sum(dtype=np.uint64))
    else:
        count, total = read.size, float(read.sum(dtype=np.float64))
    share = count / max(central.size, 1)
    if not count or share < least_valid:
        reason = (
            f'{100 * share:.0f} % of the central {wide}x{tall} pixels have a depth, at least '
            f'{100 * least_valid:.0f} % needed: is the wall too near, shiny or out of range?'
        )
        return WallDistance(math.nan, share, reason)
    metres = total / count * unit_m
    if not NEAREST_M <= metres <= FARTHEST_M:
        found = 'metres' if metres < NEAREST_M else 'millimetres'
        reason = (
            f'{metres:.3g} m to the wall, read as {1e3 * unit_m:g} mm a unit; expected '
            f'{NEAREST_M:g} to {FARTHEST_M:g} m: does the camera send {found}? It should send '
            '16UC1 in millimetres or 32FC1 in metres (REP-118)'
        )
        return WallDistance(math.nan, share, reason)
    return WallDistance(metres, share)


def image_wall_distance(image: object, least_valid: float = LEAST_VALID) -> WallDistance:
    """Return the wall distance of a sensor_msgs/Image, from ROS or from a bag."""
    pixels, unit_m = decode_depth(
        image.encoding,
        image.height,
        image.width,
        image.step,
        image.data,
        bool(image.is_bigendian),
    )
    return wall_distance(pixels, unit_m, least_valid)


class DepthTrack:
    """Wall distances by time, all of a recording; times are those of the images' stamps."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._distances: list[float] = []
        self.images = 0
        self.last_reason = ''

    def add(self, time_ns: int, found: WallDistance) -> None:
        """Take what an image says."""
        self.images += 1
        if not found.valid:
            self.last_reason = found.reason
            return
        self._times.append(time_ns)
        self._distances.append(found.distance_m)

    @property
    def times_ns(self) -> np.ndarray:
        """Times of the images with a distance, ascending, int64."""
        return np.sort(np.array(self._times, np.int64))

    @property
    def distances_m(self) -> np.ndarray:
        """Distances in the order of ``times_ns``, float64."""
        return np.array(self._distances)[np.argsort(self._times, kind='stable')]
