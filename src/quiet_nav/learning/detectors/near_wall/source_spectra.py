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
"""Spectra that ambient and own sources may have: drawn as the simulation draws its sources."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quiet_nav.perception.bands import banded, centers_hz
from quiet_nav.perception.context import FRAME_SAMPLES
from quiet_nav.simulation.sound.own_sound import draw_own_sound, draw_profile
from quiet_nav.simulation.sound.robot_profile import find_profile
from quiet_nav.simulation.sound.scenes import draw_scene, SceneRanges
from quiet_nav.simulation.sound.sources import source_spectrum
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator

_A_SCENE, _LIVED_IN_EVERY = 5, 10
#: Every so many robots one is of a profile that ships.
_SHIPPED_EVERY, _SHIPPED = 6, ('fan', 'turtlebot3', 'turtlebot4')
_KNOTS = 8


@dataclass(frozen=True)
class SourceSpectra:
    """Densities of unit power, mean over bins 1, of noises: ambient (N, B) and own (M, B)."""

    ambient: np.ndarray
    own: np.ndarray


def draw_spectra(seed: int, count: int) -> SourceSpectra:
    """Return spectra of ``count`` scenes' sources, and of as many robots'."""
    frequency = np.linspace(0.0, SAMPLE_RATE / 2.0, FRAME_SAMPLES // 2 + 1)
    plain = SceneRanges(sources=(_A_SCENE, _A_SCENE))
    lived_in = replace(plain, lived_in=True)
    shipped = [find_profile(name) for name in _SHIPPED]
    ambient, own = [], []
    for index in range(count):
        scene_seed = int(generator(seed, 'spectra', index).integers(1 << 62))
        # Clocks, water and the like take longest to make.
        ranges = plain if index % _LIVED_IN_EVERY else lived_in
        for source in draw_scene(scene_seed, ranges).sources:
            noise = replace(source, hum_amplitudes=())
            ambient.append(source_spectrum(noise, frequency, seed=scene_seed))
        if index % _SHIPPED_EVERY:
            profile = draw_profile(scene_seed)
        else:
            profile = shipped[index // _SHIPPED_EVERY % len(shipped)]
        robot = draw_own_sound(profile, scene_seed)
        own += [
            source_spectrum(part.noise, frequency)
            for part in robot.sources
            if part.standing_db is not None
        ]
    bins = FRAME_SAMPLES // 2
    return SourceSpectra(
        *(np.maximum(banded(np.stack(v)) * bins, 1e-9).astype(np.float32) for v in (ambient, own))
    )


def smooth_curves(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """
    Return random smooth curves over the bands, float32, ``(*shape, B)``, of unit variance.

    Straight between eight knots, half of them evenly spaced in the logarithm of frequency and half
    in frequency, as what changes in a source and in a microphone is.
    """
    hz = centers_hz()
    weights = np.stack([_hats(hz), _hats(np.log(hz))])
    which = weights[int(rng.integers(2))]
    knots = rng.standard_normal((*shape, _KNOTS), dtype=np.float32)
    return np.asarray(knots @ which / 0.8, np.float32)


def _hats(x: np.ndarray) -> np.ndarray:
    """Return what every knot adds at x, (knots, B)."""
    knots = np.linspace(x[0], x[-1], _KNOTS)
    return np.stack([np.interp(x, knots, row) for row in np.eye(_KNOTS)]).astype(np.float32)
