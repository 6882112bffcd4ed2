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

from dataclasses import replace
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import plots, tables
from quiet_nav.evaluation.predictors import Predictions
from quiet_nav.evaluation.report import (
    evaluate,
    judge,
    keep_band,
    nearer_side,
    with_distractor,
)
from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import Context, parse_context
from quiet_nav.quiet_campus.lists import Row


def make_rows(rooms: int = 6, places: int = 8) -> list[Row]:
    rows = []
    for r in range(rooms):
        for i in range(places):
            depth = 0.35 + 0.02 * i if i % 2 == 0 else 1.1 + 0.2 * i
            folder = Path(f'room-{r}') / f'clip-{i}'
            rows.append(Row(f'room-{r}', folder / 'sound.wav', 0.0, depth < 0.5, depth))
    return rows


class Oracle:
    """Knows the distance, but for what noise takes from it; says how it was asked."""

    contexts = (Context.ALONE, Context.REFERENCE)

    def __init__(self) -> None:
        self.asked = []

    def predict(self, rows, context=Context.ALONE, change=None):
        self.asked.append((context, change is not None))
        noise = 3.0 if context == Context.ALONE else 0.0
        rng = np.random.default_rng(0)
        z = np.array([4.0 * (0.8 - row.distance_m) for row in rows])
        z = z + noise * rng.standard_normal(len(rows))
        distance = np.zeros((len(rows), STANDARD_BINS.count))
        distance[:, 3] = 1.0
        return Predictions(1 / (1 + np.exp(-z)), distance)


def test_report_has_every_section_and_context_matters():
    oracle = Oracle()
    draw = lambda rng, n: rng.standard_normal(n)  # noqa: E731
    report = evaluate(oracle, make_rows(), distractor=draw, model='oracle')
    assert [line.name for line in report.section('context')] == ['alone', 'reference']
    alone, both = report.section('context')
    assert both.ap.value == 1.0 and both.accuracy.value == 1.0
    assert alone.ap.low <= alone.ap.value < both.ap.value
    assert both.median_distance_error_m.value == pytest.approx(0.02, abs=1e-9)
    assert {line.name for line in report.section('distance')} == {
        '0.3-0.5 m',
        '1.2-2 m',
        'over 2 m',
    }
    assert report.section('distractor')[0].name == '30 dB'
    assert len(report.section('band')) == 4
    assert [changed for _, changed in oracle.asked] == [False] * 2 + [True] * 9
    assert oracle.asked[-1][0] == Oracle.contexts[-1]


def test_json_is_plain_and_whole():
    report = evaluate(Oracle(), make_rows(), bands=False)
    content = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert set(content['lines'][0]['ap']) == {'value', 'low', 'high'}
    assert content['lines'][0]['positives'] == 24
    assert set(content['lines'][0]['ap']) == {'value', 'low', 'high'}


def test_table_1_shows_the_papers_figure_marked_as_of_other_rooms():
    report = evaluate(Oracle(), make_rows(), model='oracle.onnx', data='campus test')
    console = Console(width=140, record=True, file=open('/dev/null', 'w'))  # noqa: SIM115
    console.print(tables.full(report))
    text = console.export_text()
    assert 'the paper*' in text and '68.3' in text and '85.5 / 87.1' in text
    assert 'measured on other rooms' in text
    assert '100.0 [100.0, 100.0]' in text and 'By frequency band kept' in text


def test_only_contexts_asked_for_are_evaluated():
    oracle = Oracle()
    evaluate(oracle, make_rows(), contexts=[Context.ALONE], bands=False)
    assert oracle.asked == [(Context.ALONE, False)]
    assert parse_context('both') == Context.REFERENCE | Context.OTHER_EARS
    with pytest.raises(QuietNavError, match='none of alone'):
        parse_context('everything')


def test_other_ears_are_asked_for_only_where_several_heard_a_place():
    oracle = Oracle()
    oracle.contexts = (Context.ALONE, Context.OTHER_EARS)
    one = make_rows()
    two = [replace(row, channel=channel) for row in one for channel in (0, 1)]
    for rows, names in ((one, ['alone']), (two, ['alone', 'other ears'])):
        report = evaluate(oracle, rows, bands=False)
        assert [line.name for line in report.section('context')] == names


def test_probabilities_that_are_not_finite_are_an_error():
    rows = make_rows(2)
    with pytest.raises(QuietNavError, match='not finite'):
        judge('context', 'alone', rows, Predictions(np.full(len(rows), np.nan)))
    with pytest.raises(QuietNavError, match='no labeled rows'):
        evaluate(Oracle(), [replace(row, near=None) for row in rows])


def test_nearer_side_counts_places_with_a_wall_within_a_meter():
    def place(i, left, right):
        audio = Path(f'pose-{i}') / 'sound.wav'
        return [
            Row(f'room-{i}', audio, 0.0, left < 0.5, left, 0, side=Side.LEFT),
            Row(f'room-{i}', audio, 0.0, right < 0.5, right, 1, side=Side.RIGHT),
        ]

    rows = place(0, 0.4, 2.0) + place(1, 0.9, 0.6) + place(2, 1.5, 3.0)
    p = np.array([0.9, 0.1, 0.6, 0.2, 0.1, 0.9])
    assert nearer_side(rows, p).value == 0.5
    assert nearer_side(rows[4:], p[4:]) is None


def test_kept_band_holds_its_tone_and_no_other():
    t = np.arange(16000) / 16000
    low, high = np.sin(2 * np.pi * 500 * t), np.sin(2 * np.pi * 3000 * t)
    row = make_rows(1, 1)[0]
    np.testing.assert_allclose(keep_band(0, 1000)(low + high, row), low, atol=1e-5)
    np.testing.assert_allclose(keep_band(2000, 4000)(low + high, row), high, atol=1e-5)


def test_distractor_is_the_same_for_every_ear_and_time_asked():
    row = make_rows(1, 1)[0]
    rng = np.random.default_rng(0)
    audio = rng.standard_normal(1000).astype(np.float32)
    change = with_distractor(lambda rng, n: rng.standard_normal(n), 0.0, seed=1)
    first = change(audio, row)
    np.testing.assert_array_equal(first, change(audio, replace(row, channel=1)))
    assert not np.array_equal(first, audio)
    assert not np.array_equal(first, change(audio, make_rows(1, 2)[1]))


def test_plots_draw_what_was_counted(tmp_path):
    p = np.array([0.05, 0.05, 0.95, 0.95])
    labels = np.array([0, 0, 1, 0])
    said, was = plots.reliability(tmp_path / 'reliability.png', p, labels)
    np.testing.assert_allclose(said, [0.05, 0.95])
    np.testing.assert_allclose(was, [0.0, 0.5])
    areas = plots.precision_recall(tmp_path / 'pr.png', {'made up': (p, labels)})
    assert areas['made up'] == pytest.approx(0.5)
    assert all((tmp_path / name).stat().st_size > 5000 for name in ('reliability.png', 'pr.png'))


def test_a_line_of_hours_keeps_its_peaks_and_gaps_by_few_points():
    values = np.sin(np.arange(30_000) / 500.0)
    values[12_345], values[20_001], values[7_000:7_400] = 9.0, -9.0, np.nan
    seen = plots.extremes(values, most=600)
    assert len(seen) <= 600 and (np.diff(seen) > 0).all()
    assert {12_345, 20_001} <= set(seen)
    assert np.isnan(values[seen]).any()
    assert (plots.extremes(values[:600], most=600) == np.arange(600)).all()
