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

"""
Draw how spectra change with the distance to a wall in simulated rooms, and write two examples.

    OMP_NUM_THREADS=1 python docs/figures/wall_spectra.py

Writes wall_spectra.png, near_wall.ogg and far_from_wall.ogg beside this file.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from quiet_nav.evaluation.plots import wall_spectra
from quiet_nav.simulation.campus.places import CampusRequest, plan_room
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.scenes import draw_point, draw_scene
from quiet_nav.simulation.sound.sources import source_spectrum
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

DISTANCES = np.linspace(0.04, 1.5, 60)
FREQUENCIES = np.geomspace(60, 2000, 90)
SIZE = 16_384


def room_levels(seed: int, references: int = 12) -> np.ndarray:
    """Return levels in dB over the room's mean, (distances, frequencies), at one wall."""
    scene = draw_scene(seed)
    room, rng = scene.room, np.random.default_rng(seed)
    _, width = np.max(room.footprint, axis=0)
    height = rng.uniform(0.2, 1.2)
    along = rng.uniform(1.6, width - 1.6)
    mics = np.column_stack([DISTANCES, 0 * DISTANCES + along, 0 * DISTANCES + height])
    elsewhere = [[*draw_point(room, rng, 1.0), height] for _ in range(references)]
    acoustics = RoomAcoustics(room, [s.position for s in scene.sources])
    power = np.abs(np.fft.rfft(acoustics.impulse_responses([*mics, *elsewhere]), SIZE)) ** 2
    bins = np.fft.rfftfreq(SIZE, 1 / SAMPLE_RATE)
    emitted = [
        source_spectrum(replace(s, hum_amplitudes=(), recording=''), bins) * 10 ** (s.level_db / 10)
        for s in scene.sources
    ]
    heard = np.einsum('msf,sf->mf', power, np.array(emitted))
    third = 2 ** (1 / 6)
    bands = np.stack(
        [heard[:, (bins >= f / third) & (bins < f * third)].mean(axis=1) for f in FREQUENCIES], 1
    )
    return 10 * np.log10(bands[: len(mics)] / bands[len(mics) :].mean(axis=0))


def draw(rooms: int, path: Path) -> None:
    """Draw the mean over rooms beside the closed form of a diffuse field."""
    measured = np.mean([room_levels(seed) for seed in range(rooms)], axis=0)
    kd = 2 * np.pi * FREQUENCIES / SPEED_OF_SOUND * DISTANCES[:, None]
    diffuse = 10 * np.log10(1 + np.sinc(2 * kd / np.pi))
    wall_spectra(
        path,
        FREQUENCIES,
        DISTANCES,
        measured,
        diffuse,
        f'{rooms} simulated rooms, mean',
        'Diffuse field, rigid wall: 1 + sin(2kd)/(2kd)',
    )


def write_examples(folder: Path) -> None:
    """Write what one room sounds like 0.3 m from a wall and far from it, 5 s each, amplified."""
    room = plan_room(CampusRequest('static', 1, seed=0, images=False, plain=True), 0)
    hearing = Hearing(replace(room.scene, gain_spread_db=0.0))
    near = min(room.places, key=lambda place: abs(_distance(room, place) - 0.3))
    far = max(room.places, key=lambda place: _distance(room, place))
    mics = np.array([[p.pose.x, p.pose.y, 0.5] for p in (near, far)])
    heard = hearing.microphones(mics, 0, 5 * SAMPLE_RATE)
    heard *= 0.5 / np.abs(heard).max()
    for name, samples in zip(('near_wall', 'far_from_wall'), heard, strict=True):
        soundfile.write(folder / f'{name}.ogg', samples, SAMPLE_RATE)


def _distance(room, place) -> float:
    return float(room.scene.room.nearest_wall(np.array([place.pose.x, place.pose.y]))[0])


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rooms', type=int, default=60)
    options = parser.parse_args()
    draw(options.rooms, Path(__file__).with_name('wall_spectra.png'))
    write_examples(Path(__file__).parent)
