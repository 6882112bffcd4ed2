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

"""A tiny data set with everything that tasks may ask for; distances are easy to hear and to see."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image
import soundfile

RATE = 16_000
ROOMS = {'train': ('A', 'B', 'C', 'D'), 'val': ('E', 'F'), 'test': ('G', 'H', 'I')}
DISTANCES = (0.3, 0.5, 1.0, 2.0, 0.4, 2.8)


def write_task_campus(
    root: Path,
    rooms: dict[str, tuple[str, ...]] = ROOMS,
    images: bool = True,
    distances: tuple[float, ...] = DISTANCES,
    cells: bool = False,
) -> Path:
    """
    Write a static campus: near the wall it hums louder and the image is brighter.

    cells: three cells a room with eight recordings each, told by how loud it hisses.
    """
    rng = np.random.default_rng(11)
    for split, names in rooms.items():
        near, pairs = [], []
        for room in names:
            places = [(d, None, i) for i, d in enumerate(distances)]
            if cells:
                places = [(0.4 + 0.5 * c, c, t) for c in range(3) for t in range(8)]
            depths = {}
            for number, (distance, cell, turn) in enumerate(places):
                place = f'clip-{number:03d}'
                depths[place] = distance
                said = {'Audio Length': 2.0, 'depth': distance, 'start': 10.0 * turn}
                if cell is not None:
                    said |= {'cell': [cell, 0], 'pose': {'x': 1.5 * cell, 'y': 0.5, 'yaw': 0.0}}
                _write_place(root / 'ProcessedData' / room / place, said, images, rng)
                listed = f'./data/SFS-Static/ProcessedData/{room}/{place}'
                start = [] if split == 'train' else [0]
                near.append([listed, distance, *start, int(distance <= 0.5)])
            pairs += [
                [f'./data/SFS-Static/ProcessedData/{room}', one, other,
                 int(depths[one] < depths[other])]
                for one in depths for other in depths
                if abs(depths[one] - depths[other]) >= 0.1
            ]  # fmt: skip
        start = [] if split == 'train' else ['start second']
        lists = root / 'data-split'
        _write(lists / 'obstacle-detection' / f'{split}.csv',
               ['path', 'depth', *start, 'IfObstacle'], near)  # fmt: skip
        _write(lists / 'relative-depth' / f'{split}.csv', ['path', 'clip_1', 'clip_2', 'label'],
               pairs)  # fmt: skip
    return root


def _write_place(folder: Path, said: dict, images: bool, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    noise = 0.01 * rng.standard_normal(2 * RATE)
    hum = np.cumsum(noise) * 0.02
    audio = noise + (hum - hum.mean()) / said['depth']
    if 'cell' in said:
        audio *= 0.1
        audio += 0.02 * rng.standard_normal(2 * RATE) * (0.2 + said['cell'][0])
    soundfile.write(folder / 'sound.wav', np.clip(audio, -1, 1), RATE)
    (folder / 'annotation.json').write_text(json.dumps(said))
    if images:
        pixels = rng.integers(0, 40, (24, 32, 3)) + int(200 / (1 + said['depth']))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / 'RGB.png')


def _write(path: Path, columns: list[str], rows: list[list]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows(rows)


def write_task_drives(root: Path, recordings: dict[str, int], frames: int = 100) -> Path:
    """Write motion recordings, so many a split, sound alone: it hums louder nearer to the wall."""
    from quiet_nav.quiet_campus.listing import write_motion_lists

    rng = np.random.default_rng(12)
    for split, count in recordings.items():
        depths = {}
        for number in range(count):
            name = f'{split}-{number}'
            depth = np.linspace(0.3, 2.0, frames)[:: 1 if number % 2 else -1]
            folder = root / 'ProcessedData' / name
            (folder / 'Audio').mkdir(parents=True)
            noise = 0.01 * rng.standard_normal(frames * RATE // 15)
            hum = np.cumsum(noise) * 0.02
            near = np.interp(np.arange(len(hum)), np.linspace(0, len(hum), frames), depth)
            audio = np.clip(noise + (hum - hum.mean()) / near, -1, 1)
            soundfile.write(folder / 'Audio' / 'sound.wav', audio, RATE)
            (folder / 'annotation.json').write_text(json.dumps({'depth': depth.tolist()}))
            depths[name] = depth.tolist()
        write_motion_lists(root, 'SFS-Motion', depths, split, rng, 0.56, 1.0)
    return root
