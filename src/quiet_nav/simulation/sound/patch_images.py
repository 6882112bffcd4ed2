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

"""Reflections by what is on a wall just there: curtains, shelves, an open door beside the robot."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from quiet_nav.simulation.rooms.absorption import BANDS_HZ
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.rooms.wall_patches import Patch, WallFrame
from quiet_nav.simulation.sound.images import ImageSources
from quiet_nav.sound.air import SPEED_OF_SOUND

_SAME_M = 2e-3


def with_patches(
    room: AcousticRoom, images: ImageSources, source: np.ndarray, mic: np.ndarray
) -> ImageSources:
    """
    Return images of a source (3,) as a microphone (3,) hears them with the room's patches.

    Paths that meet one wall, and floor and ceiling besides, are reflected by what is on the wall
    where they meet it, as far as it fills their Fresnel zone there; what stands out from the wall
    reflects from its front. Paths by several walls meet each wall as it is on average.
    """
    if not room.patches:
        return images
    amplitudes = images.amplitudes.copy()
    added_positions, added_amplitudes, added_orders = [], [], []
    for wall in sorted({patch.wall for patch in room.patches}):
        frame = WallFrame.of(room.footprint, wall)
        source_u, source_v = (float(x) for x in frame.seen(source[:2]))
        mirrored = source[:2] - 2.0 * source_v * frame.inward
        off = np.abs(images.positions[:, :2] - mirrored).max(axis=1)
        rows = np.flatnonzero(off < _SAME_M)
        if not rows.size:
            continue
        mic_u, mic_v = (float(x) for x in frame.seen(mic[:2]))
        average = np.sqrt(1.0 - np.asarray(room.walls[wall]))
        here = [patch for patch in room.patches if patch.wall == wall]
        bare = np.ones((len(rows), len(BANDS_HZ)))
        met = np.zeros_like(bare)
        for patch in here:
            if min(source_v, mic_v) <= patch.depth + 1e-3:
                continue
            share = mic_v - patch.depth
            share /= share + source_v - patch.depth
            u = mic_u + share * (source_u - mic_u)
            z = _folded(mic[2] + share * (images.positions[rows, 2] - mic[2]), room.height)
            reach = np.linalg.norm(images.positions[rows] - mic, axis=1)
            covered = _covered(patch, u, z, share * reach, (1.0 - share) * reach)
            bare -= covered
            kept = covered * np.sqrt(1.0 - np.asarray(patch.absorption))
            if patch.depth == 0.0:
                met += kept
                continue
            moved = images.positions[rows].copy()
            moved[:, :2] += 2.0 * patch.depth * frame.inward
            added_positions.append(moved)
            added_amplitudes.append(images.amplitudes[rows] * kept / average)
            added_orders.append(images.orders[rows])
        beside = np.sqrt(1.0 - np.asarray(here[0].beside))
        amplitudes[rows] *= (np.maximum(bare, 0.0) * beside + met) / average
    return ImageSources(
        np.concatenate([images.positions, *added_positions]),
        np.concatenate([amplitudes, *added_amplitudes]).astype(np.float32),
        np.concatenate([images.orders, *added_orders]),
    )


def _covered(
    patch: Patch, u: float, z: np.ndarray, before_m: np.ndarray, after_m: np.ndarray
) -> np.ndarray:
    """How much of the Fresnel zone around (u, z) a patch fills, 0 to 1, (n, bands)."""
    wavelength = SPEED_OF_SOUND / np.asarray(BANDS_HZ)
    zone = np.sqrt(wavelength * (before_m * after_m / (before_m + after_m))[:, None])
    spread = np.maximum(0.5 * zone, 1e-3)
    level = z[:, None]
    wide = ndtr((u - patch.start) / spread) - ndtr((u - patch.end) / spread)
    high = ndtr((level - patch.bottom) / spread) - ndtr((level - patch.top) / spread)
    # Floor and ceiling mirror what touches them: nothing of the zone is missing there.
    if patch.bottom <= 0.0:
        high = 1.0 - ndtr((level - patch.top) / spread)
    return wide * high


def _folded(z: np.ndarray, height: float) -> np.ndarray:
    """Heights of a path between floor and ceiling, unfolded to beyond them, back in the room."""
    return height - np.abs(np.mod(z, 2.0 * height) - height) if math.isfinite(height) else z
