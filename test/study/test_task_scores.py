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

"""Figures of the study's tasks: by hand, and against scikit-learn."""

import json

import numpy as np
import pytest
from sklearn import metrics as sklearn
from sklearn.metrics import top_k_accuracy_score

from quiet_nav.errors import QuietNavError
from quiet_nav.study.scores import Predictions, score, score_between


def predictions(kind, target, output, train=None, rooms=None, **extra):
    target, output = np.asarray(target), np.asarray(output, float)
    rooms = np.arange(len(target)) if rooms is None else np.asarray(rooms)
    train = target if train is None else np.asarray(train)
    return Predictions('task', kind, rooms, target, output, train, extra)


def test_binary_figures_are_scikit_learns_and_baselines_come_from_the_training_rows():
    rng = np.random.default_rng(0)
    target = rng.random(200) < 0.3
    output = np.clip(0.4 * target + 0.6 * rng.random(200), 0, 1)
    found = score(predictions('binary', target, output, train=[1, 1, 0]))
    assert found.main.name == 'AP'
    assert found['AP'].value.value == pytest.approx(sklearn.average_precision_score(target, output))
    assert found['AP'].chance.value == pytest.approx(target.mean())
    assert found['accuracy'].value.value == pytest.approx(
        sklearn.accuracy_score(target, output > 0.5)
    )
    # Two of three training rows are positive: without input everything is called positive.
    assert found['accuracy'].no_input.value == pytest.approx(target.mean())
    assert found['accuracy'].chance.value == 0.5


def test_multiclass_figures_by_hand_and_by_scikit_learn():
    rng = np.random.default_rng(1)
    target, output = np.arange(240) % 8, rng.random((240, 8))
    found = score(predictions('multiclass', target, output, train=[2, 2, 2, 5, 6]))
    for k in (1, 5):
        expected = top_k_accuracy_score(target, output, k=k, labels=np.arange(8))
        assert found[f'top-{k}'].value.value == pytest.approx(expected)
        assert found[f'top-{k}'].chance.value == pytest.approx(k / 8)
    assert found['top-1'].no_input.value == pytest.approx(1 / 8)
    said = output.argmax(axis=1)
    assert found['bin distance'].value.value == pytest.approx(np.abs(said - target).mean())
    # The median of the training classes is 2: 2+1+0+1+2+3+4+5 over 8.
    assert found['bin distance'].no_input.value == pytest.approx(18 / 8)
    assert not found['bin distance'].higher_is_better


def test_fewer_than_six_classes_have_no_top_5_and_ties_share_their_places():
    found = score(predictions('multiclass', [0, 1, 2], np.zeros((3, 3))))
    assert [figure.name for figure in found.figures] == ['top-1', 'bin distance']
    assert found['top-1'].value.value == pytest.approx(1 / 3)


def test_meters_are_from_the_true_place_to_the_middle_of_the_cell_said():
    cells = np.broadcast_to([[0.0, 0.0], [3.0, 0.0]], (2, 2, 2))
    places = np.array([[0.0, 4.0], [3.0, 1.0]])
    output = [[0.2, 0.8], [0.1, 0.9]]
    found = score(
        predictions('multiclass', [0, 1], output, [0, 0, 1], position_m=places, cell_m=cells)
    )['meters']
    assert found.value.value == pytest.approx((5.0 + 1.0) / 2)
    assert found.no_input.value == pytest.approx((4.0 + np.hypot(3, 1)) / 2)
    assert found.chance.value == pytest.approx((4.5 + (np.hypot(3, 1) + 1) / 2) / 2)


def test_cells_that_a_room_does_not_have_count_neither_for_chance_nor_for_meters():
    cells = np.array([[[0.0, 0.0], [2.0, 0.0], [np.nan] * 2], [[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]])
    places = np.array([[0.0, 0.0], [1.0, 0.0]])
    output = [[0.9, 0.1, 0.0], [0.1, 0.2, 0.7]]
    found = score(
        predictions('multiclass', [0, 1], output, [2, 2, 0], position_m=places, cell_m=cells)
    )
    assert found['top-1'].chance.value == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found['meters'].chance.value == pytest.approx((1.0 + (1.0 + 0.0 + 4.0) / 3) / 2)
    assert found['meters'].no_input.value == pytest.approx((0.0 + 4.0) / 2)


def test_regression_figures_are_scikit_learns_and_constants_those_of_training():
    rng = np.random.default_rng(2)
    target = rng.gamma(2.0, 0.5, 101)
    output = target + rng.normal(0, 0.2, 101)
    train = np.array([0.5, 0.6, 2.5])
    found = score(predictions('regression', target, output, train))
    assert found['MAE'].value.value == pytest.approx(sklearn.mean_absolute_error(target, output))
    assert found['median error'].value.value == pytest.approx(
        sklearn.median_absolute_error(target, output)
    )
    assert found['R2'].value.value == pytest.approx(sklearn.r2_score(target, output))
    assert found['MAE'].no_input.value == pytest.approx(np.abs(target - 0.6).mean())
    assert found['R2'].no_input.value == pytest.approx(sklearn.r2_score(target, np.full(101, 1.2)))
    assert found.main.name == 'MAE' and found.main.beats_baselines


def test_ratio_also_says_which_is_nearer():
    found = score(predictions('ratio', [-1.0, -0.5, 0.5, 1.0], [-0.2, 0.1, 0.0, 3.0]))
    expected = sklearn.average_precision_score([1, 1, 0, 0], [0.2, -0.1, 0.0, -3.0])
    assert found['order AP'].value.value == pytest.approx(expected)
    assert found['MAE'].value.value == pytest.approx((0.8 + 0.6 + 0.5 + 2.0) / 4)


def test_r2_is_undefined_where_targets_do_not_vary():
    found = score(predictions('regression', [0.7, 0.7], [0.7, 0.8]))
    assert np.isnan(found['R2'].value.value)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)['figures']['R2']['value']['value'] is None


def test_intervals_that_touch_the_baseline_do_not_beat_it():
    target = np.tile([True, False], 10)
    noise = np.random.default_rng(3).random(20)
    sure = score(predictions('binary', target, 0.25 + 0.5 * target + 0.2 * noise, [0, 1]))
    blind = score(predictions('binary', target, noise, [0, 1]))
    assert sure.main.beats_baselines and not blind.main.beats_baselines


def test_rows_between_edges_are_judged_apart():
    target = np.array([1, 0, 1, 0])
    p = predictions(
        'binary', target, [0.9, 0.1, 0.2, 0.8], depth_difference_m=np.array([1.0, 1.0, 0.2, 0.2])
    )
    parts = score_between(p, 'depth_difference_m', (0.0, 0.5, 1.5, 3.0))
    assert [(low, high) for low, high, _ in parts] == [(0.0, 0.5), (0.5, 1.5)]
    assert [part['accuracy'].value.value for *_, part in parts] == [0.0, 1.0]
    with pytest.raises(QuietNavError, match='nothing of snr; they say depth_difference_m'):
        score_between(p, 'snr', (0.0, 1.0))


@pytest.mark.parametrize(
    ('kind', 'target', 'output', 'said'),
    [
        ('binary', [1, 0], [0.5], r'output \(1,\)'),
        ('multiclass', [1, 0], [0.5, 0.5], 'of a multiclass task'),
        ('multiclass', [1, 2], np.zeros((2, 2)), 'classes 1 to 2 of 2'),
        ('regression', [1.0, 2.0], [np.nan, 1.0], 'not finite'),
        ('other', [1.0], [1.0], "kind 'other'"),
        ('binary', [], [], 'no rows'),
    ],
)
def test_predictions_that_make_no_sense_are_refused(kind, target, output, said):
    with pytest.raises(QuietNavError, match=said):
        score(predictions(kind, target, output))
