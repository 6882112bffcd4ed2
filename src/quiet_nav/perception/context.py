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

"""What a context detector is given beside a window: the other ears' places and clips of frames."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np

from quiet_nav.geometry import wrap_angle
from quiet_nav.sound.windows import CLIPS_PER_WINDOW, WINDOW_SAMPLES

#: The spectrum's frames: 128 ms Hann windows, half overlapping. The interference of a wall at
#: 0.5 m has a period of 340 Hz, but the room's modes, which carry as much, need this resolution.
FRAME_SAMPLES = 2048
HOP_SAMPLES = 1024
FRAMES = (WINDOW_SAMPLES - FRAME_SAMPLES) // HOP_SAMPLES + 1
#: A clip of 0.96 s is exactly this many half-overlapping frames.
CLIP_FRAMES = 14
#: Bands: 7.8 Hz each up to 1 kHz, then 62.5 Hz each up to 3 kHz.
FINE_BINS = 128
COARSE_BANDS = 32
BINS_PER_COARSE_BAND = 8
BANDS = FINE_BINS + COARSE_BANDS

#: Where another ear can sit as seen from the ear that is asked about, by relative bearing.
SLOTS = ('opposite', 'counterclockwise', 'clockwise')
_SLOT_BEARINGS = (math.pi, math.pi / 2.0, -math.pi / 2.0)


def band_centers_hz() -> np.ndarray:
    """Return the middle frequency of every band in Hz, shape (160,)."""
    step = 16_000 / FRAME_SAMPLES
    fine = step * np.arange(1, FINE_BINS + 1)
    first = FINE_BINS + 1 + BINS_PER_COARSE_BAND * np.arange(COARSE_BANDS)
    return np.concatenate([fine, step * (first + (BINS_PER_COARSE_BAND - 1) / 2.0)])


def slot_of(bearing_rad: float, other_bearing_rad: float) -> int | None:
    """
    Return the slot of an ear at ``other_bearing_rad`` for one at ``bearing_rad``.

    None where it sits on the same side (within 45 degrees).
    """
    turn = wrap_angle(other_bearing_rad - bearing_rad)
    if abs(turn) < math.pi / 4.0:
        return None
    return int(np.argmin([abs(wrap_angle(turn - slot)) for slot in _SLOT_BEARINGS]))


def fill_slots(
    bearings_rad: Sequence[float], starts_ns: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which window fills which slot of which, and whether both were heard at once.

    Returns others, int64 (E, 3), -1 where a slot is empty, and simultaneous, float32 (E, 3).
    Where several windows would fill a slot the one nearest in time does.
    """
    count = len(bearings_rad)
    others = np.full((count, len(SLOTS)), -1, np.int64)
    for ear in range(count):
        apart_ns = [abs(start_ns - starts_ns[ear]) for start_ns in starts_ns]
        for other in sorted(range(count), key=apart_ns.__getitem__):
            slot = None if other == ear else slot_of(bearings_rad[ear], bearings_rad[other])
            if slot is not None and others[ear, slot] < 0:
                others[ear, slot] = other
    starts = np.asarray(starts_ns)
    together = np.abs(starts[others] - starts[:, None]) < 50_000_000
    return others, ((others >= 0) & together).astype(np.float32)


def clip_weights(
    clips: int = CLIPS_PER_WINDOW, rng: np.random.Generator | None = None
) -> np.ndarray:
    """
    Return how frames are averaged: the whole window first, then each clip, (1 + clips, 45).

    Clips are evenly spaced, the first at the window's start and the last at its end, or drawn
    uniformly with ``rng`` as in the paper (section 4). Rows sum to 1.
    """
    room = FRAMES - CLIP_FRAMES
    starts = (
        np.round(np.linspace(0, room, clips)).astype(int)
        if rng is None
        else rng.integers(0, room + 1, clips)
    )
    weights = np.zeros((1 + clips, FRAMES), np.float32)
    weights[0] = 1.0 / FRAMES
    for row, start in enumerate(starts, 1):
        weights[row, start : start + CLIP_FRAMES] = 1.0 / CLIP_FRAMES
    return weights
