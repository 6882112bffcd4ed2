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

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import metrics
from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import NearWallReading


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.booleans())
def test_average_precision_is_scikit_learns_with_ties_and_weights(seed, count, ties):
    rng = np.random.default_rng(seed)
    scores = rng.random(count).round(1 if ties else 9)
    labels = rng.random(count) < 0.4
    labels[0] = True
    weights = rng.integers(0, 4, count).astype(float)
    weights[0] += 1
    found = metrics.average_precision(scores, labels)(weights[None])[0]
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert found == pytest.approx(expected, abs=1e-12)


def test_calibration_error_by_hand():
    p = np.array([0.1, 0.1, 0.9, 0.9])
    labels = np.array([0, 1, 1, 1])
    found = metrics.expected_calibration_error(p, labels, bins=10)(np.ones((1, 4)))[0]
    assert found == pytest.approx(0.5 * 0.4 + 0.5 * 0.1)


def test_median_is_weighted_leaves_out_nan_and_puts_inf_last():
    values = np.array([3.0, np.nan, 1.0, np.inf, 2.0])
    weights = np.array([[1, 9, 1, 1, 1], [1, 9, 5, 1, 1], [0, 1, 0, 0, 0]], float)
    found = metrics.median(values)(weights)
    assert found[0] == 2.0 and found[1] == 1.0 and np.isnan(found[2])


def test_accuracy_and_mean_by_hand():
    p, labels = np.array([0.2, 0.7, 0.6]), np.array([False, True, False])
    assert metrics.accuracy(p, labels)(np.ones((1, 3)))[0] == pytest.approx(2 / 3)
    assert metrics.mean(np.array([1.0, np.nan, 3.0]))(np.ones((1, 3)))[0] == 2.0


def test_interval_is_of_rooms_not_of_rows():
    rng = np.random.default_rng(0)
    rooms = np.repeat(np.arange(20), 50)
    per_room = np.repeat(rng.normal(0.0, 1.0, 20), 50)
    found = metrics.estimate(metrics.mean(per_room), rooms)
    expected = 1.96 * per_room[::50].std() / np.sqrt(20)
    assert found.value == pytest.approx(per_room.mean())
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.15)
    rows = metrics.estimate(metrics.mean(per_room), np.arange(1000))
    assert rows.high - rows.low < 0.3 * (found.high - found.low)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    rooms = np.arange(40)
    inside = 0
    for _ in range(200):
        found = metrics.estimate(metrics.mean(rng.normal(size=40)), rooms, samples=300)
        inside += found.low <= 0.0 <= found.high
    assert 0.88 <= inside / 200 <= 0.99


def test_estimates_repeat_for_a_seed_and_differ_for_another():
    metric = metrics.mean(np.random.default_rng(0).normal(size=30))
    rooms = np.arange(30)
    assert metrics.estimate(metric, rooms, 3) == metrics.estimate(metric, rooms, 3)
    assert metrics.estimate(metric, rooms, 3) != metrics.estimate(metric, rooms, 4)
    with pytest.raises(QuietNavError, match='no rows'):
        metrics.estimate(metric, np.array([]))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_median_distances_are_the_readings(seed):
    p = np.random.default_rng(seed).dirichlet(np.full(STANDARD_BINS.count, 0.3))
    reading = NearWallReading(Side.LEFT, 0.5, 0, 1, distance_probabilities=tuple(p))
    assert STANDARD_BINS.medians_m(p[None])[0] == pytest.approx(reading.median_distance_m, abs=1e-6)
