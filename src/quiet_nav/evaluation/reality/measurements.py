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

"""What others measured, as they published it or as compact files: a room, a robot at a wall."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import re

import numpy as np
import soxr

from quiet_nav.errors import QuietNavError
from quiet_nav.files.arrays import read_arrays
from quiet_nav.files.csv_files import read_csv
from quiet_nav.files.sounds import read_sound
from quiet_nav.sound.windows import SAMPLE_RATE

#: Where users get the sets, and what their authors ask for.
ROOM_CREDIT = (
    'R3VIVAL (S. V. Amengual Garí and others), github.com/facebookresearch/R3VIVAL, CC BY 4.0'
)
EPUCK_CREDIT = (
    'audio-localization-dataset, 2021_07_27_epuck_wall (F. Dümbgen and others, "Blind as a bat", '
    'RA-L 2022), github.com/LCAV/audio-localization-dataset, CC0 1.0'
)
_ROOM_M, _RECEIVER_M = (9.7, 5.52, 2.7), (6.19, 2.76)
_LENGTH = 9600
_ROOM_FILE = re.compile(r'RLRVarAcLab_Absorptive_(\d{3})_(S\w+(?:-\d+)?)_R1_FRL10cm\.wav')
_CENTER_CHANNEL = 6
#: Beside the room's corners, from the set's plan, to about 0.1 m.
_CORNER_M = {
    'SBG1': (9.30, 0.87),
    'SBG2': (9.30, 4.50),
    'SBG3': (0.55, 4.74),
    'SBG4': (0.68, 1.09),
}
_DISTANCE = re.compile(r'_(\d+(?:\.\d+)?)\.csv$')
_SAME_NOTE_HZ = 45.0
#: The axes of the arrays in compact files, by name or length.
_ROOM_SHAPES = {
    'absorption_percent': ('panels',),
    'responses': ('panels', 'sources', 'samples'),
    'scale': ('panels', 'sources', '1'),
    'source_xy_m': ('sources', '2'),
    'receiver_xy_m': ('2',),
    'room_m': ('3',),
}
_WALL_SHAPES = {
    'distance_m': ('distances',),
    'frequency_hz': ('notes',),
    'magnitude': ('distances', 'notes', 'microphones'),
}


@dataclass(frozen=True)
class MeasuredRoom:
    """
    Responses of a room's sources to one microphone, 16 kHz.

    responses (S, n); names (S,); sources_m (S, 2); receiver_m (2,); room_m (3,). Heights unknown.
    """

    responses: np.ndarray
    names: tuple[str, ...]
    sources_m: np.ndarray
    receiver_m: np.ndarray
    room_m: np.ndarray

    @property
    def circles(self) -> np.ndarray:
        """Which sources stand on circles around the microphone; the others stand in corners."""
        return np.array([not name.startswith('SBG') for name in self.names])


@dataclass(frozen=True)
class MeasuredWall:
    """
    Magnitudes of a robot's own notes at its microphones in front of a wall.

    distance_m (D,), ascending; frequency_hz (F,); magnitude (D, F, M), NaN where missing.
    """

    distance_m: np.ndarray
    frequency_hz: np.ndarray
    magnitude: np.ndarray


def load_measured_room(path: Path, absorptive_percent: int = 0) -> MeasuredRoom:
    """
    Read the measured room: the set's folder, its `RIRs/FRL_array`, or the compact file.

    absorptive_percent: how many of the room's panels are turned to absorb.
    Raises QuietNavError naming what is missing.
    """
    if path.is_dir():
        compact = sorted(path.glob('*.npz'))
        if not compact:
            return _published_room(path, absorptive_percent)
        path = compact[0]
    held = read_arrays(path, (*_ROOM_SHAPES, 'source'))
    _check_shapes(held, _ROOM_SHAPES, path)
    percents = held['absorption_percent'].tolist()
    if absorptive_percent not in percents:
        raise QuietNavError(f'{path}: {absorptive_percent} % is none of {percents} % absorptive')
    row = percents.index(absorptive_percent)
    responses = held['responses'][row].astype(np.float32) * held['scale'][row]
    return MeasuredRoom(
        responses,
        tuple(str(name) for name in np.ravel(held['source'])),
        held['source_xy_m'].astype(float),
        held['receiver_xy_m'].astype(float),
        held['room_m'].astype(float),
    )


def _check_shapes(
    held: dict[str, np.ndarray], shapes: dict[str, tuple[str, ...]], where: Path
) -> None:
    """Refuse arrays that are no finite numbers, or whose axes of one name differ in length."""
    known: dict[str, int] = {}
    for name, axes in shapes.items():
        found = held[name]
        if found.ndim != len(axes) or any(
            size != (int(axis) if axis.isdigit() else known.setdefault(axis, size))
            for axis, size in zip(axes, found.shape, strict=True)
        ):
            raise QuietNavError(
                f'{where}: {name} of shape {found.shape}; expected {", ".join(axes)}'
            )
        if found.dtype.kind not in 'iuf':
            raise QuietNavError(f'{where}: {name} of {found.dtype}; expected numbers')


def _published_room(folder: Path, percent: int) -> MeasuredRoom:
    found = {}
    for file in sorted(folder.rglob('RLRVarAcLab_Absorptive_*_FRL10cm.wav')):
        match = _ROOM_FILE.fullmatch(file.name)
        if match and int(match[1]) == percent:
            found[match[2]] = file
    if len(found) < 8:
        raise QuietNavError(
            f'{folder}: {len(found)} responses RLRVarAcLab_Absorptive_{percent:03d}_*_R1_'
            'FRL10cm.wav; expected those of RIRs/FRL_array'
        )
    responses = np.zeros((len(found), _LENGTH), np.float32)
    places = []
    for row, (name, file) in enumerate(found.items()):
        samples, rate = read_sound(file)
        if samples.shape[1] <= _CENTER_CHANNEL:
            raise QuietNavError(f'{file}: {samples.shape[1]} channels; expected 7')
        heard = soxr.resample(samples[:, _CENTER_CHANNEL], rate, SAMPLE_RATE)[:_LENGTH]
        responses[row, : len(heard)] = heard
        places.append(_place(name))
    return MeasuredRoom(
        responses, tuple(found), np.array(places), np.array(_RECEIVER_M), np.array(_ROOM_M)
    )


def _place(name: str) -> tuple[float, float]:
    """Return where a source of the published set stands, from its name: azimuth and distance."""
    if name in _CORNER_M:
        return _CORNER_M[name]
    azimuth, distance = name[1:].split('-')
    angle, away = np.radians(float(azimuth)), float(distance) / 100.0
    return (
        _RECEIVER_M[0] - away * float(np.cos(angle)),
        _RECEIVER_M[1] + away * float(np.sin(angle)),
    )


def load_epuck_wall(path: Path) -> MeasuredWall:
    """
    Read the robot at the wall: the set's folder (its `csv_files`), or the compact file.

    Raises QuietNavError naming what is missing.
    """
    if path.is_dir():
        compact = sorted(path.glob('*.npz'))
        if not compact:
            return _published_wall(path)
        path = compact[0]
    held = read_arrays(path, _WALL_SHAPES)
    _check_shapes(held, _WALL_SHAPES, path)
    distance, frequency, magnitude = (held[key].astype(float) for key in _WALL_SHAPES)
    return MeasuredWall(distance, frequency, magnitude)


def _published_wall(folder: Path) -> MeasuredWall:
    files = {
        float(match[1]) / 100.0: file
        for file in folder.rglob('motors_*_noprops_*.csv')
        if (match := _DISTANCE.search(file.name))
    }
    if len(files) < 8:
        raise QuietNavError(
            f'{folder}: {len(files)} files motors_..._DISTANCE.csv; expected those of csv_files'
        )
    heard = {distance: _notes(file) for distance, file in sorted(files.items())}
    all_notes = np.sort(np.concatenate([[f for f, _ in notes] for notes in heard.values()]))
    groups = np.split(all_notes, np.flatnonzero(np.diff(all_notes) > _SAME_NOTE_HZ) + 1)
    frequency = np.array([np.median(g) for g in groups if len(g) >= len(files) / 2])
    microphones = len(next(iter(heard.values()))[0][1])
    magnitude = np.full((len(files), len(frequency), microphones), np.nan)
    for row, notes in enumerate(heard.values()):
        for at, loud in notes:
            column = int(np.argmin(np.abs(frequency - at)))
            before = magnitude[row, column]
            if abs(frequency[column] - at) <= _SAME_NOTE_HZ and not (before > loud).any():
                magnitude[row, column] = loud
    return MeasuredWall(np.array(list(heard)), frequency, magnitude)


def _notes(file: Path) -> list[tuple[float, np.ndarray]]:
    """Return frequency and magnitudes (M,) of the strongest bin of each frame with a note."""
    frames = []
    for line, row in read_csv(
        file, ('frequencies', 'n_mics', 'signals_real_vect', 'signals_imag_vect')
    ):
        try:
            frequencies, real, imaginary = (
                np.array(row[key].strip('[] ').split(), float)
                for key in ('frequencies', 'signals_real_vect', 'signals_imag_vect')
            )
            spectrum = np.hypot(real, imaginary).reshape(int(row['n_mics']), len(frequencies))
        except ValueError as error:
            raise QuietNavError(f'{file}: line {line} is no frame of spectra ({error})') from error
        bin_ = int(spectrum.sum(axis=0).argmax())
        prominent = spectrum[:, bin_].sum() > 4.0 * np.median(spectrum.sum(axis=0))
        if prominent and 0 < bin_ < len(frequencies) - 1:
            frames.append((float(frequencies[bin_]), spectrum[:, bin_]))
    return frames
