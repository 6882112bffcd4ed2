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

"""Image sources of sources that move with a robot: every reflection, afresh at each place."""

from __future__ import annotations

import numpy as np

from quiet_nav.simulation.rooms.absorption import BANDS_HZ
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.acoustics import vertical_images
from quiet_nav.simulation.sound.images import ImageSources
from quiet_nav.simulation.sound.patch_images import with_patches

#: As for sources that stand: a path exactly through a corner would be found twice.
_ASIDE_M = np.array([0.09e-3, 0.13e-3])


class MovingImages:
    """
    Images in one room for any source and microphone, up to the room's order.

    They equal those of ``RoomAcoustics``. In a shoebox an image is the source, mirrored or not,
    moved by what depends on the room alone; in other plans paths are traced in the plane and
    combined with those between floor and ceiling.
    """

    def __init__(self, room: AcousticRoom) -> None:
        self.room = room
        if room.is_shoebox:
            self._signs, self._offsets, self._amplitudes, self._orders = _shoebox(room)
        else:
            corners = np.asarray(room.footprint, float)
            self._walls = corners, np.roll(corners, -1, axis=0)
            self._factors = np.sqrt(1.0 - np.asarray(room.walls, float))
            self._most = 1024

    def of(self, source: np.ndarray, mic: np.ndarray) -> ImageSources:
        """Return the images of a source (3,) that a microphone (3,) hears, the direct one first."""
        if self.room.is_shoebox:
            positions = self._offsets + self._signs * source
            images = ImageSources(positions, self._amplitudes, self._orders)
        else:
            images = self._prism(source, mic)
        return with_patches(self.room, images, source, mic)

    @property
    def reach_m(self) -> float:
        """Return the farthest that an image can be from a microphone in the room."""
        extent = np.ptp(np.asarray(self.room.footprint), axis=0)
        size = np.array([*extent, self.room.height])
        if self.room.is_shoebox:
            return float(np.linalg.norm(np.abs(self._offsets) + size, axis=1).max())
        return float((self.room.order + 1) * np.linalg.norm(size))

    def _prism(self, source: np.ndarray, mic: np.ndarray) -> ImageSources:
        from quiet_nav.simulation.sound.plane_paths import trace

        room = self.room
        while True:
            positions = np.empty((self._most, 2))
            amplitudes = np.empty((self._most, len(BANDS_HZ)))
            orders = np.empty(self._most, np.int64)
            count = trace(
                *self._walls,
                self._factors,
                source[:2] + _ASIDE_M,
                np.asarray(mic[:2], float),
                room.order,
                positions,
                amplitudes,
                orders,
            )
            if count <= self._most:
                break
            self._most = 2 * count
        heights, vertical, bounces = vertical_images(room, float(source[2]))
        i, v = np.nonzero(orders[:count, None] + bounces <= room.order)
        first = np.argsort(orders[i] + bounces[v], kind='stable')
        i, v = i[first], v[first]
        return ImageSources(
            np.column_stack([positions[i], heights[v]]),
            (amplitudes[i] * vertical[v]).astype(np.float32),
            orders[i] + bounces[v],
        )


def free_field(
    room: AcousticRoom, source: np.ndarray, mic: np.ndarray, floor: bool = True
) -> ImageSources:
    """Return the direct sound of a source (3,), and its reflection by the floor, and no more."""
    positions = np.array([source, [source[0], source[1], -source[2]]], float)
    amplitudes = np.ones((2, len(BANDS_HZ)), np.float32)
    amplitudes[1] = np.sqrt(1.0 - np.asarray(room.floor))
    kept = slice(0, 2 if floor else 1)
    return ImageSources(positions[kept], amplitudes[kept], np.arange(2)[kept])


def _shoebox(room: AcousticRoom) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Signs (n, 3), offsets (n, 3) m, amplitudes (n, bands) and orders (n,), by rising order."""
    low = np.append(np.min(room.footprint, axis=0), 0.0)
    size = np.append(np.ptp(np.asarray(room.footprint), axis=0), room.height)
    south, east, north, west = room.walls
    below = np.sqrt(1.0 - np.array([west, south, room.floor]))
    above = np.sqrt(1.0 - np.array([east, north, room.ceiling]))
    span = np.arange(-room.order, room.order + 1)
    index = np.stack(np.meshgrid(span, span, span, indexing='ij'), -1).reshape(-1, 3)
    orders = np.abs(index).sum(axis=1)
    index = index[orders <= room.order]
    index = index[np.argsort(np.abs(index).sum(axis=1), kind='stable')]
    bounces = np.abs(index)
    odd = bounces % 2
    signs = 1.0 - 2.0 * odd
    offsets = index * size + odd * size + low * (1.0 - signs)
    upper = np.where(index > 0, (bounces + 1) // 2, bounces // 2)
    amplitudes = np.ones((len(index), len(BANDS_HZ)))
    for axis in range(3):
        amplitudes *= above[axis] ** upper[:, axis, None]
        amplitudes *= below[axis] ** (bounces - upper)[:, axis, None]
    return signs, offsets, amplitudes.astype(np.float32), bounces.sum(axis=1)
