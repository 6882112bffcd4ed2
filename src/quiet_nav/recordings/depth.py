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

"""How far the wall ahead is, from depth images: the teacher of labels and the live ground truth."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.message_fields import Image
from quiet_nav.perception.messages import (
    check_encoding,
    DEPTH_ENCODINGS,
    pixel_rows,
    pixel_type,
)

#: The pixels in the middle of the image that are averaged (paper, section 3).
CENTRAL_WIDTH, CENTRAL_HEIGHT = 320, 240
#: What becomes of pixels without a reading: left out, or counted as 0 m (the authors' code).
VALID_PIXELS, AUTHORS = DEPTH_MEANS = ('valid', 'authors')
#: With a smaller share of pixels that have a reading the mean says little of the wall.
LEAST_VALID = 0.1
#: No depth camera reads nearer, none in a room farther: beyond, units were taken for others.
NEAREST_M, FARTHEST_M = 0.05, 100.0


@dataclass(frozen=True)
class WallDistance:
    """
    Mean depth of the central pixels in meters, NaN with the reason where it cannot be right.

    valid_share: of the central pixels that had a reading. damaged: the image could not be read.
    """

    distance_m: float
    valid_share: float
    reason: str = ''
    damaged: bool = False

    @property
    def valid(self) -> bool:
        return not self.reason


def depth_unit_m(image: Image) -> float:
    """Return the meters of one unit of a depth image; QuietNavError for other encodings."""
    check_encoding(image.encoding, DEPTH_ENCODINGS)
    return DEPTH_ENCODINGS[image.encoding][1]


def decode_depth(image: Image) -> tuple[np.ndarray, float]:
    """
    Return the pixels of a sensor_msgs/Image of depth, (height, width), and the meters of one.

    A view where its rows are not padded. Raises QuietNavError for other encodings and for data
    that do not fill the image.
    """
    unit_m = depth_unit_m(image)
    dtype = pixel_type(image.encoding, bool(image.is_bigendian))
    return np.ascontiguousarray(pixel_rows(image, dtype.itemsize)).view(dtype), unit_m


def parse_depth_mean(name: str) -> str:
    """Return one of ``DEPTH_MEANS``; QuietNavError for another name."""
    if name not in DEPTH_MEANS:
        raise QuietNavError(f'depth mean {name!r}; expected {" or ".join(DEPTH_MEANS)}')
    return name


def wall_distance(
    depth: np.ndarray,
    unit_m: float = 1e-3,
    least_valid: float = LEAST_VALID,
    mean: str = VALID_PIXELS,
) -> WallDistance:
    """
    Return the mean of the central 320x240 pixels; those without a reading are left out.

    depth: shape (height, width), 0 or NaN where there is no reading. Images smaller than that in
    a direction count over all of it. mean: with ``AUTHORS`` pixels without a reading count as 0 m,
    however many they are; an image without any reading still has no distance. Source: the paper,
    section 3; IFICL/structure-from-silence, data/audio_base_loader.py, ``read_depth``.
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
    least_valid = 0.0 if mean == AUTHORS else least_valid
    if not count or share < least_valid:
        reason = (
            f'{100 * share:.0f} % of the central {wide}x{tall} pixels have a depth, at least '
            f'{100 * least_valid:.0f} % needed: is the wall too near, shiny or out of range?'
        )
        return WallDistance(math.nan, share, reason)
    meters = total / count * unit_m
    if not NEAREST_M <= meters <= FARTHEST_M:
        found = 'meters' if meters < NEAREST_M else 'millimeters'
        reason = (
            f'{meters:.3g} m to the wall, read as {1e3 * unit_m:g} mm a unit; expected '
            f'{NEAREST_M:g} to {FARTHEST_M:g} m: does the camera send {found}? It should send '
            '16UC1 in millimeters or 32FC1 in meters (REP-118)'
        )
        return WallDistance(math.nan, share, reason)
    return WallDistance(meters * share if mean == AUTHORS else meters, share)


def image_wall_distance(
    image: Image, least_valid: float = LEAST_VALID, mean: str = VALID_PIXELS
) -> WallDistance:
    """Return the wall distance of a sensor_msgs/Image; raises as ``decode_depth``."""
    return wall_distance(*decode_depth(image), least_valid, mean)


def recorded_wall_distance(image: Image, mean: str = VALID_PIXELS) -> WallDistance:
    """Return the same of one image of many: where it cannot be read there is none."""
    try:
        return image_wall_distance(image, mean=mean)
    except QuietNavError as error:
        return WallDistance(math.nan, 0.0, str(error), damaged=True)


class DepthTrack:
    """Wall distances by time, all of a recording; times are those of the images' stamps."""

    def __init__(self) -> None:
        self._times, self._distances = array('q'), array('d')
        self.images = self.damaged = 0
        self.last_reason = self._first_fault = ''

    def add(self, time_ns: int, found: WallDistance) -> None:
        """Take what an image says."""
        self.images += 1
        if not found.valid:
            self.last_reason = found.reason
            if found.damaged:
                self.damaged += 1
                self._first_fault = self._first_fault or found.reason
            return
        self._times.append(time_ns)
        self._distances.append(found.distance_m)

    @property
    def notes(self) -> list[str]:
        """Return what a user should know of images that could not be read."""
        if not self.damaged:
            return []
        return [
            f'{self.damaged} of {self.images} depth images cannot be read and are left out '
            f'({self._first_fault})'
        ]

    @property
    def times_ns(self) -> np.ndarray:
        """Return times of the images with a distance, ascending, int64."""
        return np.sort(np.array(self._times, np.int64))

    @property
    def distances_m(self) -> np.ndarray:
        """Distances in the order of ``times_ns``, float64."""
        order = np.argsort(np.array(self._times, np.int64), kind='stable')
        return np.array(self._distances)[order]
