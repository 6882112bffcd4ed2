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

"""Context in evaluation: what other ears and places change, the trees beside, the card."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest
from robots import write_robots

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.baseline import BoostedTrees
from quiet_nav.evaluation.card import BOTH, measure, tables, to_json
from quiet_nav.evaluation.context_predictor import ContextPredictor, Turn
from quiet_nav.evaluation.predictors import load_predictor
from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import Context
from quiet_nav.quiet_campus.lists import load_splits

SLOW_FIXTURES = ('robots', 'predictor', 'context_model')


@pytest.fixture(scope='module')
def robots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_robots(tmp_path_factory.mktemp('robots'))


@pytest.fixture(scope='module')
def predictor(context_model: Path) -> ContextPredictor:
    return ContextPredictor(context_model, threads=1, clips=1, places=2)


@pytest.mark.slow
def test_a_context_model_is_evaluated_with_every_context(
    predictor: ContextPredictor, context_model: Path, robots: Path
) -> None:
    rows = load_splits(robots, 'SFS-Robot').test
    found = {context: predictor.predict(rows, context) for context in predictor.contexts}
    for context, said in found.items():
        assert np.all((said.near >= 0.0) & (said.near <= 1.0)), context
        assert said.distance.shape == (len(rows), STANDARD_BINS.count)
        np.testing.assert_allclose(said.distance.sum(1), 1.0, atol=1e-5)
    # An untrained network answers otherwise when it is given more.
    assert len({tuple(np.round(said.near, 6)) for said in found.values()}) == 4
    assert isinstance(load_predictor(context_model, 1, 1), ContextPredictor)


def test_the_other_ears_are_those_of_the_same_place(
    predictor: ContextPredictor, robots: Path
) -> None:
    rows = load_splits(robots, 'SFS-Robot').test
    whole = predictor.predict(rows, Context.OTHER_EARS).near
    one_place = [i for i, row in enumerate(rows) if row.folder == rows[0].folder]
    apart = predictor.predict([rows[i] for i in one_place], Context.OTHER_EARS).near
    np.testing.assert_allclose(apart, whole[one_place], atol=1e-6)
    lonely = predictor.predict(rows[:1], Context.OTHER_EARS).near
    np.testing.assert_allclose(lonely, predictor.predict(rows[:1], Context.ALONE).near)


def test_a_turned_ear_hears_the_other_side_later(
    context_model: Path, robots: Path, predictor: ContextPredictor
) -> None:
    rows = load_splits(robots, 'SFS-Robot').test[:3]
    turning = ContextPredictor(context_model, 1, 1, 2, Turn.EACH_EAR)
    assert not np.allclose(
        turning.predict(rows, Context.OTHER_EARS).near,
        predictor.predict(rows, Context.OTHER_EARS).near,
    )
    away = [replace(rows[0], audio=rows[0].audio.parents[1] / 'none' / 'sound.wav')]
    with pytest.raises(Exception, match='none'):
        turning.predict(away, Context.OTHER_EARS)


def test_after_a_quarter_turn_an_ear_at_a_side_says_what_is_ahead(
    robots: Path, predictor: ContextPredictor
) -> None:
    rows = load_splits(robots, 'SFS-Robot').test[:3]
    left, right, front = (
        [row.side for row in rows].index(side) for side in (Side.LEFT, Side.RIGHT, Side.FRONT)
    )
    once = predictor.predict(rows, Context.OTHER_EARS).near
    again = predictor.given(2, Turn.QUARTER).predict(rows, Context.OTHER_EARS).near
    alone = predictor.given(2, Turn.QUARTER_ALONE).predict(rows, Context.OTHER_EARS).near
    # By hand: the robot a quarter turned to the left, read as a listen of its own.
    later = [replace(row, audio=row.audio.with_name('quarter.wav')) for row in rows]
    stood = predictor.predict(later, Context.OTHER_EARS).near
    np.testing.assert_allclose(alone[[front, left]], stood[[right, front]], atol=1e-6)
    assert np.isnan(alone[right]), 'no ear faces the right then'
    assert (np.abs(again - once) > 1e-6).all() and not np.allclose(again, alone)
    pair = predictor.given(2, Turn.QUARTER, (Side.LEFT, Side.RIGHT))
    found = pair.predict(rows, Context.OTHER_EARS).near
    assert np.isfinite(found).all() and abs(found[front] - again[front]) > 1e-6
    assert np.isnan(predictor.given(2, ears=(Side.LEFT,)).predict(rows).near[front])


def test_a_quarter_turn_needs_its_recording(predictor: ContextPredictor, robots: Path) -> None:
    row = load_splits(robots, 'SFS-Robot').test[0]
    away = [replace(row, audio=row.audio.parents[1] / 'none' / 'sound.wav')]
    with pytest.raises(Exception, match='none'):
        predictor.given(2, Turn.QUARTER).predict(away, Context.OTHER_EARS)


@pytest.mark.slow
def test_boosted_trees_learn_from_other_ears(robots: Path) -> None:
    splits = load_splits(robots, 'SFS-Robot')
    trees = BoostedTrees(splits.train, places=2)
    near = np.array([row.near for row in splits.test])
    said = trees.predict(splits.test, BOTH)
    assert said.near[near].mean() > said.near[~near].mean() + 0.3
    assert (said.bins.means_m(said.distance)[near] < 1.0).mean() > 0.7
    with pytest.raises(QuietNavError, match='near a wall'):
        BoostedTrees([row for row in splits.train if row.near])


@pytest.mark.slow
def test_the_card_has_a_row_a_condition_and_refuses_half_a_campus(
    context_model: Path, robots: Path, tmp_path: Path
) -> None:
    with pytest.raises(QuietNavError, match='no SFS-Static'):
        measure(context_model, robots)
    static = tmp_path / 'SFS-Static'
    write_static(static, robots)
    (tmp_path / 'SFS-Robot').symlink_to(robots / 'SFS-Robot')
    measured = measure(context_model, tmp_path, wider=robots)
    names = [m.line.name for m in measured]
    assert len(names) == len(set(names)) == 39
    text = tables(measured)
    assert all(name in text for name in names)
    said = json.loads(to_json(measured))
    assert len(said) == 39
    assert len(said[0]['ap']) == 3


def write_static(root: Path, robots: Path) -> None:
    """Return the left ears of the robots as single microphones that face walls."""
    import csv

    for split in ('train', 'val', 'test'):
        source = robots / f'SFS-Robot/data-split/obstacle-detection/{split}.csv'
        target = root / f'data-split/obstacle-detection/{split}.csv'
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open() as read, target.open('w', newline='') as write:
            writer = csv.writer(write, quoting=csv.QUOTE_ALL)
            writer.writerow(['path', 'depth', 'start second', 'IfObstacle'])
            for row in csv.DictReader(read):
                if row['channel'] == '0':
                    listed = row['path'].replace('SFS-Robot', 'SFS-Static')
                    writer.writerow([listed, row['depth'], '0', row['IfObstacle']])
    (root / 'ProcessedData').symlink_to(robots / 'SFS-Robot/ProcessedData')
