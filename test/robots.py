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

"""A tiny SFS-Robot data set in which the low half of a spectrum tells near walls."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def ear_sound(rng: np.random.Generator, color: np.ndarray, near: bool) -> np.ndarray:
    """Noise of a room's color; near a wall its low half is 4 dB up."""
    gain = color * np.where((np.arange(len(color)) < 30) & near, 1.6, 1.0)
    spectrum = np.fft.rfft(rng.standard_normal(3 * RATE))
    spread = np.interp(np.arange(len(spectrum)), np.linspace(0, 6000, len(gain)), gain)
    sound = np.fft.irfft(spectrum * spread, 3 * RATE)
    return (0.02 * sound / sound.std() * gain.mean()).astype(np.float32)


def write_robots(root: Path) -> Path:
    """Write rooms R0 to R10 with 6 poses each below ``root``/SFS-Robot; returns root."""
    rng = np.random.default_rng(3)
    sides = ('LEFT', 'RIGHT', 'FRONT')
    rooms = {'train': range(6), 'val': range(6, 9), 'test': range(9, 11)}
    for split, numbers in rooms.items():
        rows = []
        for number in numbers:
            color = np.exp(rng.normal(0, 0.7, 60))
            for pose in range(6):
                folder = root / f'SFS-Robot/ProcessedData/R{number}/pose-{pose}'
                folder.mkdir(parents=True)
                near = rng.random(3) < 0.3
                turned, quarter = near[[1, 0, 2]], near[[2, 2, 0]]
                for name, which in (
                    *(('sound', near), ('later', near)),
                    *(('turned', turned), ('quarter', quarter)),
                ):
                    audio = np.stack([ear_sound(rng, color, bool(n)) for n in which], axis=1)
                    soundfile.write(folder / f'{name}.wav', np.clip(audio, -1, 1), RATE)
                said = {
                    key: [
                        {
                            'channel': i,
                            'side': sides[i],
                            'distance': 0.35 if n else 1.3,
                            'near': bool(n),
                        }
                        for i, n in enumerate(which)
                    ]
                    for key, which in (('ears', near), ('ears turned', turned))
                }
                (folder / 'annotation.json').write_text(json.dumps({'depth': 1.0, **said}))
                listed = f'./data/SFS-Robot/ProcessedData/R{number}/pose-{pose}'
                rows += [
                    [listed, 0.35 if n else 1.3, 0, i, sides[i], int(n)] for i, n in enumerate(near)
                ]
        path = root / f'SFS-Robot/data-split/obstacle-detection/{split}.csv'
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('w', newline='') as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL)
            writer.writerow(['path', 'depth', 'start second', 'channel', 'side', 'IfObstacle'])
            writer.writerows(rows)
    return root
