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

"""What ambient sound has at each frequency: its share, and the level near a wall over far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import metrics
from quiet_nav.evaluation.metrics import estimate
from quiet_nav.quiet_campus.lists import load_splits, Row, SPLITS
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.logmel import log_mel, mel_centers_hz
from quiet_nav.sound.windows import SAMPLE_RATE, WINDOW_S
from quiet_nav.study import paper
from quiet_nav.study.run import Found
from quiet_nav.study.scores import Figure, TaskReport

_DB = 10.0 / np.log(10.0)
SERIES = 'near minus far'
RATIO = 'energy ratio'
#: Width of a band of the energy ratio, and up to where most of it is (A.10).
BAND_HZ, LOW_HZ = 200, 1000
#: Samples of a spectrum: 25 ms, as a frame of the log-mel.
_FRAME = SAMPLE_RATE // 40


def energy(data: str | Path, subset: str, seed: int = 0) -> list[Found]:
    """
    Return a line a mel band with the figure ``level`` in dB.

    Of every room: the mean log-mel of its near places (the lists' label) minus that of its far
    ones, one window of 3 s a place; the mean and its interval are over rooms.
    Raises QuietNavError where no room has both.
    """
    splits = load_splits(data, subset)
    rows = {row.folder: row for split in SPLITS for row in splits[split] if row.near is not None}
    rooms, differences = _differences(list(rows.values()))
    if not rooms:
        raise QuietNavError(f'{subset}: no room with places near a wall and far from one')
    found = []
    for hz, values in zip(mel_centers_hz(), np.array(differences).T, strict=True):
        level = estimate(metrics.mean(values), np.array(rooms), seed)
        report = TaskReport('level', 'regression', len(rows), len(rooms), (Figure('level', level),))
        found.append(Found(f'{hz:.0f} Hz', report, float(hz), SERIES))
    return found


def energy_ratio(data: str | Path, subset: str, seed: int = 0) -> list[Found]:
    """
    Return a line a band of 200 Hz with the share of all magnitude in it, and that below 1 kHz.

    Of every recording: magnitudes of frames of 25 ms over 3 s, each over the sum of all
    frequencies; the mean and its interval are over rooms. Source: the paper, A.10, Fig. 17.
    Raises QuietNavError where a recording is silent.
    """
    splits = load_splits(data, subset)
    rows = list({row.folder: row for split in SPLITS for row in splits[split]}.values())
    rooms = np.array([row.room for row in rows])
    shares = np.array([_shares(row) for row in rows])

    def line(label: str, name: str, values: np.ndarray, x: float | None, said: str) -> Found:
        level = estimate(metrics.mean(values), rooms, seed)
        figure = (Figure(name, level),)
        report = TaskReport(RATIO, 'regression', len(rows), len(set(rooms)), figure)
        return Found(label, report, x, subset, ((name, said),) if said else ())

    bands = [
        line(
            f'{BAND_HZ * i} to {BAND_HZ * (i + 1)} Hz',
            RATIO,
            shares[:, i],
            BAND_HZ * (i + 0.5),
            '',
        )
        for i in range(shares.shape[1])
    ]
    low = shares[:, : LOW_HZ // BAND_HZ].sum(axis=1)
    return [line(f'below {LOW_HZ} Hz', 'share', low, None, paper.BELOW_1_KHZ), *bands]


#: What is measured without a network, by the names of ``Experiment.measures``.
MEASURES: Mapping[str, Callable[[str | Path, str, int], list[Found]]] = {
    'energy': energy,
    'energy-ratio': energy_ratio,
}


def _shares(row: Row) -> np.ndarray:
    samples = read_audio(row, row.start_s or 0.0, WINDOW_S)
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(_FRAME), axis=1)).mean(axis=0)
    total = magnitude.sum()
    if not total > 0.0:
        raise QuietNavError(f'{row.audio}: silent; its energy has no share at any frequency')
    # Bins are 40 Hz wide, five a band; that at half the sampling rate belongs to the last band.
    band = np.minimum(
        np.arange(len(magnitude)) * SAMPLE_RATE // _FRAME // BAND_HZ,
        SAMPLE_RATE // 2 // BAND_HZ - 1,
    )
    return np.bincount(band, magnitude / total)


def _differences(rows: Sequence[Row]) -> tuple[list[str], list[np.ndarray]]:
    heard: dict[tuple[str, bool], list[np.ndarray]] = defaultdict(list)
    for row in rows:
        heard[row.room, bool(row.near)].append(log_mel(read_audio(row, 0.0, WINDOW_S)).mean(0))
    rooms = sorted({room for room, _ in heard if (room, True) in heard and (room, False) in heard})
    means = {key: np.mean(levels, axis=0) for key, levels in heard.items()}
    return rooms, [_DB * (means[room, True] - means[room, False]) for room in rooms]
