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

"""A tiny data set in the Quiet Campus layout, whose near places are told by a louder low band."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
ROOMS = {'train': ('A', 'B', 'C', 'D'), 'val': ('E', 'F'), 'test': ('G', 'H', 'I')}


def write_campus(root: Path, places: int = 4, seconds: float = 3.0) -> Path:
    rng = np.random.default_rng(7)
    for split, rooms in ROOMS.items():
        rows = []
        for room in rooms:
            for i in range(places):
                near = i % 2 == 0
                folder = root / 'ProcessedData' / room / f'clip-{i:03d}'
                folder.mkdir(parents=True)
                noise = 0.02 * rng.standard_normal(round(seconds * RATE))
                hum = np.cumsum(noise) * 0.05
                audio = noise + (hum - hum.mean()) * (1.0 if near else 0.1)
                soundfile.write(folder / 'sound.wav', np.clip(audio, -1, 1), RATE)
                depth = 0.4 if near else 1.4
                rows.append([f'./data/SFS-Static/ProcessedData/{room}/clip-{i:03d}', depth,
                             int(near)])  # fmt: skip
        path = root / 'data-split' / 'obstacle-detection' / f'{split}.csv'
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('w', newline='') as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(['path', 'depth', 'IfObstacle'])
            writer.writerows(rows)
    return root
