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

"""A data set on disk: folders and files of the layout, written so that nothing counts half done."""

from __future__ import annotations

from collections.abc import Sequence
import csv
import io
import json
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import write_file
from quiet_nav.sound.windows import SAMPLE_RATE

#: Folder of each kind of recording: the released subsets, and three of the simulated campus alone.
SUBSETS = {
    'static': 'SFS-Static',
    'dense': 'SFS-Dense',
    'motion': 'SFS-Motion',
    'robot': 'SFS-Robot',
    'views': 'SFS-Views',
    'transfers': 'SFS-Transfers',
}
#: Folder of the robots of a subset that make noise, one a room, by the rooms' names: a fingerprint
#: (what each ear hears of the standing robot far from any wall) and what is known of the robot.
ROBOTS = 'Robots'
#: A motion depth image holds meters * 2**16 / 10 (Quiet Campus, SFS-Motion).
MOTION_DEPTH_M = 10.0


def write_sound(path: Path, samples: np.ndarray) -> None:
    """Write samples (n,) or (channels, n), full scale 1.0, as a 16-bit WAV file of 16 kHz."""
    from scipy.io import wavfile

    scaled = np.clip(np.rint(np.asarray(samples).T * 32768.0), -32768, 32767).astype(np.int16)
    buffer = io.BytesIO()
    wavfile.write(buffer, SAMPLE_RATE, scaled)
    path.write_bytes(buffer.getvalue())


def write_annotation(path: Path, content: dict[str, object]) -> None:
    """Write JSON with sorted keys, so that the same content is the same bytes."""
    path.write_bytes(to_json(content))


def to_json(content: object) -> bytes:
    """Return JSON as bytes, the same for the same content."""
    return (json.dumps(content, indent=1, sort_keys=True) + '\n').encode()


def write_static_depth(path: Path, depth_mm: np.ndarray) -> float:
    """Write a static Depth.png and return its "Max depth in map": meters at a value of 2**16."""
    most = max(float(depth_mm.max()) / 1000.0, 1e-3) * 65536 / 65535
    _write_png(path, np.rint(depth_mm / 1000.0 * 65536 / most).astype(np.uint16))
    return most


def write_motion_depth(path: Path, depth_mm: np.ndarray) -> None:
    """Write a motion depth image, cut at 10 m."""
    value = np.rint(depth_mm / 1000.0 * 65536 / MOTION_DEPTH_M)
    _write_png(path, np.clip(value, 0, 65535).astype(np.uint16))


def write_color(path: Path, image: np.ndarray) -> None:
    """Write an RGB image, uint8, shape (h, w, 3)."""
    _write_png(path, image[..., ::-1])


def write_list(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write one list as the official ones are: a header, every value in quotes."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator='\n')
    writer.writerow(columns)
    writer.writerows(rows)
    write_file(path, buffer.getvalue(), overwrite=True)


def _write_png(path: Path, image: np.ndarray) -> None:
    import cv2

    done, data = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not done:
        raise QuietNavError(f'{path}: image could not be encoded')
    path.write_bytes(data.tobytes())
