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

"""What the files of a row hold: its sound, its images, its distances."""

from __future__ import annotations

from dataclasses import replace
import math
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.images import read_depth
from quiet_nav.files.sounds import read_sound, sound_info
from quiet_nav.quiet_campus.annotation import read_annotation
from quiet_nav.quiet_campus.folders import MOTION_DEPTH_M
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.sound.windows import SAMPLE_RATE

#: What is shorter is no recording of a place: a tenth of a second.
LEAST_SAMPLES = SAMPLE_RATE // 10


def duration_s(row: Row) -> float:
    """Return the length of a row's recording in seconds."""
    return sound_info(row.audio).duration_s


def read_audio(row: Row, start_s: float, length_s: float) -> np.ndarray:
    """
    Return float32 samples at 16 kHz, shape (samples,); short files are padded by wrapping.

    Raises QuietNavError where the file is no 16 kHz audio, has no such channel, or is damaged or
    too short to be a recording.
    """
    info = sound_info(row.audio)
    if info.sample_rate != SAMPLE_RATE:
        raise QuietNavError(f'{row.audio}: {info.sample_rate} Hz, expected {SAMPLE_RATE}')
    if row.channel >= info.channels:
        raise QuietNavError(f'{row.audio}: no channel {row.channel} in {info.channels}')
    if info.frames < LEAST_SAMPLES:
        raise QuietNavError(
            f'{row.audio}: {info.frames} samples, expected {LEAST_SAMPLES} at least'
        )
    wanted = round(length_s * SAMPLE_RATE)
    start = min(max(round(start_s * SAMPLE_RATE), 0), max(info.frames - wanted, 0))
    samples, _ = read_sound(row.audio, start, wanted)
    mono = samples.mean(axis=1) if row.channel < 0 else samples[:, row.channel]
    return mono if len(mono) == wanted else np.resize(mono, wanted)


def with_distance(row: Row) -> Row:
    """Return the row with the distance its depth image or annotation says, if it had none."""
    if not math.isnan(row.distance_m):
        return row
    if row.frame < 0:
        said = read_annotation(row.folder, 'depth_m')
        if len(said.depth_m) > 1:
            raise QuietNavError(
                f'{row.folder}: its annotation has {len(said.depth_m)} distances, expected the one '
                'of a place'
            )
        return replace(row, distance_m=said.distance_m)
    return replace(row, distance_m=_motion_depth(row.depth_image))


def motion_distances(row: Row) -> np.ndarray:
    """
    Return the distance at every frame of a motion recording, meters, shape (frames,).

    From the annotation where it has them all, else from the depth images.
    """
    if (row.folder / 'annotation.json').is_file():
        said = read_annotation(row.folder).depth_m
        if len(said) > 1:
            return np.array(said)
    count = len(list((row.folder / 'Depth').glob('d*.png')))
    if not count:
        raise QuietNavError(f'{row.folder}: neither distances in its annotation nor depth images')
    return np.array([_motion_depth(row.folder / 'Depth' / f'd{i:03d}.png') for i in range(count)])


def _motion_depth(path: Path) -> float:
    depth = read_depth(path)
    # In the same steps as Matplotlib's reader: figures of earlier versions stay the same.
    share = np.divide(depth, np.iinfo(depth.dtype).max, dtype=np.float32)
    # That is of 65535; the format counts meters by 2**16.
    return float(_central(share).mean() * (MOTION_DEPTH_M * 65535 / 2**16))


def _central(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return image[height // 4 : height // 4 * 3, width // 4 : width // 4 * 3]
