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

"""The figures of a card of the paper's network: read by clips, nothing but one window known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import dataclasses
from pathlib import Path

import numpy as np

from quiet_nav.evaluation.baseline import BoostedTrees
from quiet_nav.evaluation.card import every_row, Measured, refuse_without, SIDES, STATIC_STARTS
from quiet_nav.evaluation.predictors import ClipPredictor, Predictions
from quiet_nav.evaluation.report import judge
from quiet_nav.geometry import Side
from quiet_nav.quiet_campus.lists import campuses, load_splits, Row
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.windows import CLIPS_PER_WINDOW, WINDOW_S

STATIC = 'Facing the nearest wall, 0.27-0.56 m against 1.0 m and more, one microphone'
ROBOT = 'On the robot, ears 0.15 m off center, along a wall, at any heading, in corners'
TREES = 'boosted trees on mean log-mel bands'


def measure_clips(
    model: str | Path,
    data: str | Path,
    rooms: str | Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Measured]:
    """
    Measure a model of clips, and boosted trees fitted on the train rooms of ``data``.

    data: folder with SFS-Static, SFS-Robot or both, there or one folder down. rooms: another such
    folder, of which every room is tested; else the test rooms of ``data`` are.
    Raises QuietNavError where a subset that is to be tested has no rooms to fit trees on.
    """
    out: list[Measured] = []
    for subset, judged in (('SFS-Static', _static), ('SFS-Robot', _robot)):
        tested = Path(rooms or data)
        if not any(name == subset for _, name in campuses(tested)):
            continue
        found = [load_splits(folder, name) for folder, name in campuses(Path(data))
                 if name == subset]  # fmt: skip
        if not found:
            refuse_without(data, subset)
        train = [row for splits in found for row in splits.train]
        test = (
            [row for folder, name in campuses(tested) if name == subset
             for row in every_row(folder, name)]
            if rooms is not None
            else [row for splits in found for row in splits.test]
        )  # fmt: skip
        out += judged(model, train, test, say)
    if not out:
        refuse_without(rooms or data, 'SFS-Static')
    return out


def _static(
    model: str | Path, train: Sequence[Row], test: Sequence[Row], say: Callable[[str], None]
) -> list[Measured]:
    rows = [row for row in test if row.start_s is None or row.start_s in STATIC_STARTS]
    # Training lists name a place once: every window of it teaches the trees.
    windows = [dataclasses.replace(row, start_s=s) for row in train for s in STATIC_STARTS
               if row.start_s is None] or list(train)  # fmt: skip
    return _lines(STATIC, 'static', model, windows, rows, say)


def _robot(
    model: str | Path, train: Sequence[Row], test: Sequence[Row], say: Callable[[str], None]
) -> list[Measured]:
    now = [row for row in test if row.start_s == 0.0]
    out = []
    for name, wanted in (('an ear at a side', SIDES), ('the front ear', (Side.FRONT,))):
        taught = [row for row in train if row.side in wanted]
        asked = [row for row in now if row.side in wanted]
        if asked:
            out += _lines(ROBOT, 'robot', model, taught, asked, say, f'{name}, ')
    return out


def _lines(
    section: str,
    task: str,
    model: str | Path,
    train: Sequence[Row],
    rows: Sequence[Row],
    say: Callable[[str], None],
    ear: str = '',
) -> list[Measured]:
    say(f'{task}, {ear}{len(rows)} windows of {CLIPS_PER_WINDOW} clips')
    window, clip = both(model, rows)
    say(f'{task}, {ear}boosted trees')
    trees = BoostedTrees(train).predict(rows)
    return [
        Measured(section, judge(task, f'{ear}{name}', rows, found))
        for name, found in (
            (f'one window alone: mean of {CLIPS_PER_WINDOW} clips', window),
            ('one clip of 0.96 s', clip),
            (f'one window alone, {TREES}', trees),
        )
    ]


def both(
    model: str | Path, rows: Sequence[Row], clips: int = CLIPS_PER_WINDOW
) -> tuple[Predictions, Predictions]:
    """Return what the model says of the rows' windows, and of one clip in the middle of each."""
    predictor = ClipPredictor(model, clips=clips)
    read = [predictor.read(read_audio(row, row.start_s or 0.0, WINDOW_S)) for row in rows]
    bins = predictor.metadata.bins

    def of(near: list[float], distance: list[np.ndarray]) -> Predictions:
        stacked = np.stack(distance)
        return Predictions(np.array(near), stacked if stacked.shape[1] else None, bins)

    middle = clips // 2
    return (
        of([near.mean() for near, _ in read], [distance.mean(axis=0) for _, distance in read]),
        of([near[middle] for near, _ in read], [distance[middle] for _, distance in read]),
    )
