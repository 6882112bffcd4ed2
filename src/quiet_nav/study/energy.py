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

"""Level of the ambient sound by frequency, near a wall over far from it, room by room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import metrics
from quiet_nav.evaluation.metrics import estimate
from quiet_nav.quiet_campus.lists import load_splits, Row, SPLITS
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.logmel import log_mel, mel_centres_hz
from quiet_nav.sound.windows import WINDOW_S
from quiet_nav.study.scores import Figure, TaskReport

_DB = 10.0 / np.log(10.0)
SERIES = 'near minus far'


def energy(data: str | Path, subset: str, seed: int = 0) -> list[tuple[float, str, TaskReport]]:
    """
    Return (band's center in Hz, series, report with the figure ``level`` in dB), a band each.

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
    for hz, values in zip(mel_centres_hz(), np.array(differences).T, strict=True):
        level = estimate(metrics.mean(values), np.array(rooms), seed)
        report = TaskReport('level', 'regression', len(rows), len(rooms), (Figure('level', level),))
        found.append((float(hz), SERIES, report))
    return found


def _differences(rows: Sequence[Row]) -> tuple[list[str], list[np.ndarray]]:
    heard: dict[tuple[str, bool], list[np.ndarray]] = defaultdict(list)
    for row in rows:
        heard[row.room, bool(row.near)].append(log_mel(read_audio(row, 0.0, WINDOW_S)).mean(0))
    rooms = sorted({room for room, _ in heard if (room, True) in heard and (room, False) in heard})
    means = {key: np.mean(levels, axis=0) for key, levels in heard.items()}
    return rooms, [_DB * (means[room, True] - means[room, False]) for room in rooms]
