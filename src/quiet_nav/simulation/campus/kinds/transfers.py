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
"""Transfers of a robot's ears at its listening poses (SFS-Transfers): rooms without their sound."""

from __future__ import annotations

from dataclasses import replace
import math
from pathlib import Path

import numpy as np
from scipy import fft, signal

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.bands import banded
from quiet_nav.perception.context import FRAME_SAMPLES
from quiet_nav.quiet_campus.folders import SUBSETS, write_list
from quiet_nav.quiet_campus.listing import list_paths
from quiet_nav.quiet_campus.transfers import FILE, PAIRS, RoomTransfers
from quiet_nav.simulation.campus.kinds.kind import CampusKind
from quiet_nav.simulation.campus.kinds.robot import RobotKind
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.simulation.sound.own_hearing import OwnHearing, RobotEars
from quiet_nav.simulation.sound.own_sound import OwnSound
from quiet_nav.simulation.sound.scenes import draw_place
from quiet_nav.simulation.sound.sources import KINDS, Source
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator

#: Ambient sources of every room: which of them sound, and how, is drawn in training.
SOURCES = 4


class TransfersKind(CampusKind):
    """Power and cross power of every source at a robot's ears, 16 to 24 poses a room."""

    NAME = 'transfers'
    SUBSET = SUBSETS['transfers']

    def check(self, request: CampusRequest) -> None:
        """Refuse rooms without a robot that makes noise: its own sound is half of them."""
        if not request.rig or request.own_sound < 1.0 or request.waves > 0.0:
            raise QuietNavError(
                'transfers are of a rig, of robots that all make noise, and by image sources: '
                'expected --own-sound 1 and --waves 0'
            )

    def places(
        self,
        room: AcousticRoom,
        rng: np.random.Generator,
        seed: int,
        request: CampusRequest,
        reach_m: float,
    ) -> list[Place]:
        """Return the poses of ``robot``."""
        return RobotKind().places(room, rng, seed, request, reach_m)

    def write(self, folder: Path, room: RoomPlan, request: CampusRequest) -> None:
        """Compute every pose as it is and turned by 180 degrees."""
        folder.mkdir(parents=True, exist_ok=True)
        room_transfers(room).save(folder / FILE)

    def write_lists(
        self, root: Path, rooms: list[str], split: str, rng: np.random.Generator
    ) -> None:
        """Write which rooms are of the split."""
        write_list(list_paths(root, split)[0], ['room'], [[room] for room in rooms])


def room_transfers(room: RoomPlan) -> RoomTransfers:
    """Return the transfers of a room whose robot makes noise."""
    scene, own = room.scene, room.scene.own
    if own is None:
        raise QuietNavError(f'room {room.name} has no robot that makes noise')
    rng = generator(scene.seed, 'transfers')
    sources = _sources(room, rng)
    acoustics = RoomAcoustics(scene.room, np.array([s.position for s in sources]))
    hearing = OwnHearing(scene.room, own, scene.level_dbfs)
    ears = RobotEars.of(room.rig)
    length = max(acoustics.length, hearing.length)
    size = fft.next_fast_len(length + FRAME_SAMPLES, real=True)
    standing = hearing.sounding(0.0)
    lines = _lines([_hum(s) for s in sources], size)
    own_lines = _lines([_own_tones(own, s) for s in standing], size)
    powers, crosses, distances, nearest = [], [], [], []
    for place in room.places:
        for turn in (0.0, math.pi):
            pose = Pose2D(place.pose.x, place.pose.y, wrap_angle(place.pose.yaw + turn))
            mics, looks = ears.at(pose)
            parts = [
                _bands(acoustics.impulse_responses(mics, looks), lines, size),
                _bands(hearing.responses(pose, ears, standing), own_lines, size),
            ]
            powers.append(np.concatenate([part[0] for part in parts]))
            crosses.append(np.concatenate([part[1] for part in parts]))
            bearings = [wrap_angle(pose.yaw + ear.side.yaw_rad) for ear in room.rig.ears]
            distances.append(
                [scene.room.surface_along(m, b) for m, b in zip(mics, bearings, strict=True)]
            )
            nearest.append([float(scene.room.nearest_wall(m)[0]) for m in mics])
    free = _bands(hearing.fingerprint_responses(ears), own_lines, size)[0]
    power, cross = np.stack(powers), np.stack(crosses)
    scale = np.maximum(power.mean((0, 2, 3)), 1e-30)
    count, places = len(room.rig.ears), len(room.places)
    return RoomTransfers(
        power=_shaped(power / scale[:, None, None], places),
        cross=_shaped(cross / scale[:, None, None, None], places),
        free=(free / scale[-len(free) :, None, None]).astype(np.float16),
        scale=scale.astype(np.float32),
        own=np.array(len(free)),
        distance_m=np.array(distances).reshape(places, 2, count),
        nearest_m=np.array(nearest).reshape(places, 2, count),
        bearing_rad=np.array([ear.side.yaw_rad for ear in room.rig.ears]),
    )


def _shaped(values: np.ndarray, places: int) -> np.ndarray:
    values = np.clip(values, -6e4, 6e4).astype(np.float16)
    return values.reshape(places, 2, *values.shape[1:])


def _sources(room: RoomPlan, rng: np.random.Generator) -> list[Source]:
    """Return SOURCES ambient sources: the scene's own, and more where it has fewer."""
    sources = list(room.scene.sources[:SOURCES])
    while len(sources) < SOURCES:
        kind = str(rng.choice(KINDS))
        sources.append(Source(kind, draw_place(room.scene.room, kind, rng), len(sources)))
    # Every source has a hum that it might make.
    return [s if s.hum_amplitudes else _with_hum(s, rng) for s in sources]


def _with_hum(source: Source, rng: np.random.Generator) -> Source:
    hum = float(rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(20.0, 70.0)]))
    count = int(rng.integers(3, 13))
    weight = rng.uniform(0.2, 1.0, count) / np.arange(1, count + 1) ** rng.uniform(0.3, 1.5)
    return replace(source, hum_hz=hum, hum_amplitudes=tuple(weight.tolist()))


def _hum(source: Source) -> list[tuple[float, float]]:
    """Return (frequency in Hz, power) of the harmonics."""
    return [
        (k * source.hum_hz, amplitude**2) for k, amplitude in enumerate(source.hum_amplitudes, 1)
    ]


def _own_tones(own: OwnSound, index: int) -> list[tuple[float, float]]:
    return [
        (k * tones.hz, amplitude**2)
        for tones in own.sources[index].tones
        for k, amplitude in enumerate(tones.amplitudes, 1)
    ]


def _lines(tones: list[list[tuple[float, float]]], size: int) -> np.ndarray:
    """Return line spectra, unit power each, on the bins of an FFT of ``size``, (S, bins)."""
    lines = np.zeros((len(tones), size // 2 + 1))
    for line, parts in zip(lines, tones, strict=True):
        for hz, power in parts:
            at = round(hz * size / SAMPLE_RATE)
            if at < len(line):
                line[at] += power
        line /= max(line.sum(), 1e-30)
    # A tone of unit power between two bins of a transform of this size, as density a bin.
    return lines * size / 2.0


def _bands(responses: np.ndarray, lines: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Return power (2 S, E, B) and cross power (2 S, pairs, 2, B) of noise, then of the lines.

    The mean of what frames of ``FRAME_SAMPLES`` with a Hann window give, exactly: the window's own
    autocorrelation times that of what is heard.
    """
    spectra = fft.rfft(responses.astype(np.float64), size, axis=-1)
    ears = len(spectra)
    pairs = [pair for pair in PAIRS if max(pair) < ears]
    one, other = [p[0] for p in pairs], [p[1] for p in pairs]
    power = (np.abs(spectra) ** 2).swapaxes(0, 1)
    cross = (spectra[one] * spectra[other].conj()).swapaxes(0, 1)
    both = np.concatenate([power.astype(complex), cross], axis=1)
    both = np.concatenate([both, both * lines[:, None, :]])
    framed = _framed(both, size)
    real, imaginary = banded(framed.real), banded(framed.imag)
    return real[:, :ears], np.stack([real[:, ears:], imaginary[:, ears:]], axis=-2)


def _framed(density: np.ndarray, size: int) -> np.ndarray:
    """Return what windowed frames make of a density (..., size // 2 + 1), (..., 1025)."""
    lags = fft.irfft(density, size, axis=-1)
    window = signal.get_window('hann', FRAME_SAMPLES)
    own = np.correlate(window, window, 'full')[FRAME_SAMPLES - 1 :]
    own = own / (window**2).sum()
    after = lags[..., :FRAME_SAMPLES] * own
    before = np.zeros_like(after)
    before[..., 1:] = (lags[..., :-FRAME_SAMPLES:-1] * own[1:])[..., ::-1]
    return fft.rfft(after + before, axis=-1)


KIND = TransfersKind()
