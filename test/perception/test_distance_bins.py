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

"""Distance bins: one class says edges, middles and prior, whatever their number."""

import math

from brightness_model import room, write_model
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.belief import WallBelief
from quiet_nav.navigation.fusion import fused
from quiet_nav.navigation.tracker import WallTracker
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.sight.image_detector import ImageDetector, LookedImage

#: One bin more than the shipped detectors have, and a prior of its own.
THIRTEEN = DistanceBins((*STANDARD_BINS.edges_m, 2.0), (0.02, *(0.03,) * 8, 0.06, 0.06, 0.1, 0.52))


def says(side, distance_m, bins=THIRTEEN, **more):
    told = np.full(bins.count, 0.1 / (bins.count - 1))
    told[int(bins.bin_of(distance_m))] = 0.9
    near = float(told[bins.is_near].sum())
    return NearWallReading(side, near, 0, 1, distance_probabilities=tuple(told), bins=bins, **more)


def test_middles_and_near_bins_follow_from_the_edges():
    bins = DistanceBins((0.25, 0.5, 1.0))
    assert bins.centers_m.tolist() == [0.12, 0.37, 0.75, 1.2]
    assert bins.is_near.tolist() == [True, True, False, False]
    assert bins.bin_of(np.array([0.1, 0.5, 0.9, 7.0])).tolist() == [0, 2, 2, 3]


@pytest.mark.parametrize('edges', [(0.5,), (0.5, 1.0), (0.2, 0.35, 0.5, 1.5, 4.0, 9.0)])
def test_a_prior_that_is_left_out_is_the_shipped_one_cut_along_the_edges(edges):
    bins = DistanceBins(edges)
    assert sum(bins.prior) == pytest.approx(1.0)
    assert min(bins.prior) > 0.0
    assert bins.near_prior == pytest.approx(STANDARD_BINS.near_prior, abs=2e-3)


def test_the_prior_of_a_data_set_is_counted():
    bins = DistanceBins((0.5, 1.0)).counted(np.array([0, 0, 0, 1, 2, 2, 2, 2, 2, -1]))
    assert bins.prior == pytest.approx((4 / 12, 2 / 12, 6 / 12), abs=1e-4)
    assert min(DistanceBins((0.5, 1.0)).counted(np.zeros(10**7, int)).prior) > 0.0


@pytest.mark.parametrize(
    ('edges', 'prior', 'said'),
    [
        ((), (), 'ascend'),
        ((0.5, 0.5), (), 'ascend'),
        ((-0.5, 0.5), (), 'ascend'),
        ((0.5, math.inf), (), 'ascend'),
        ((0.5, math.nan), (), 'ascend'),
        ((0.5, 'far'), (), 'ascend'),
        ((0.5,), (0.5, 0.3, 0.2), 'expected 2 shares'),
        ((0.5,), (0.9, 0.9), 'sum to 1'),
        ((0.5,), (1.0, 0.0), 'above 0'),
    ],
)
def test_bins_that_are_none_are_refused(edges, prior, said):
    with pytest.raises(QuietNavError, match=said):
        DistanceBins(edges, prior)


def test_a_reading_has_as_many_probabilities_as_bins():
    with pytest.raises(QuietNavError, match='expected 13'):
        NearWallReading(Side.LEFT, 0.5, 0, 1, distance_probabilities=(0.5, 0.5), bins=THIRTEEN)


def test_the_median_is_found_in_the_readings_own_bins():
    assert says(Side.LEFT, 1.7).median_distance_m == pytest.approx(1.73, abs=0.05)
    assert says(Side.LEFT, 5.0).median_distance_m == math.inf
    told = np.array([says(Side.LEFT, 1.7).distance_probabilities])
    assert THIRTEEN.medians_m(told)[0] == pytest.approx(says(Side.LEFT, 1.7).median_distance_m)


@pytest.mark.parametrize('bins', [STANDARD_BINS, THIRTEEN])
def test_how_much_a_distribution_says(bins):
    prior = np.array(bins.prior)
    assert bins.information_nats(bins.prior) == pytest.approx(0.0, abs=1e-9)
    sure = tuple(np.eye(bins.count)[2])
    assert bins.information_nats(sure) == pytest.approx(-math.log(prior[2]), rel=1e-6)
    assert bins.information_nats(()) == math.inf


def test_the_belief_uses_the_distances_of_a_model_with_thirteen_bins():
    def distance_after(*readings):
        state = WallBelief(np.random.default_rng(0), side=Side.LEFT)
        for reading in readings:
            state.hear(Side.LEFT, reading, 0.15)
        return float(state.weights @ state.particles.u)

    far = distance_after(*[says(Side.LEFT, 0.65)] * 3)
    assert far == pytest.approx(0.8, abs=0.12)
    # The probability alone cannot say that: the distances were read.
    plain = NearWallReading(Side.LEFT, says(Side.LEFT, 0.65).probability, 0, 1)
    assert abs(distance_after(*[plain] * 3) - 0.8) > 0.2


def test_the_tracker_notices_silence_told_in_thirteen_bins():
    policy = WallTracker(np.random.default_rng(0), side=Side.RIGHT)
    nothing = {
        side: NearWallReading(
            side, 0.11, 0, 1, distance_probabilities=THIRTEEN.prior, bins=THIRTEEN
        )
        for side in (Side.LEFT, Side.RIGHT)
    }
    assert policy.decide(nothing, Pose2D()).waits


def test_sound_and_sight_in_different_bins_are_taken_together():
    heard = says(Side.FRONT, 0.35)
    seen = says(Side.FRONT, 0.35, STANDARD_BINS, modality=Modality.VISION)
    both = fused([heard, seen])
    assert both.bins == THIRTEEN
    assert int(np.argmax(both.distance_probabilities)) == THIRTEEN.bin_of(0.35)
    assert max(both.distance_probabilities) > max(heard.distance_probabilities)


def test_a_model_with_thirteen_bins_is_read_in_its_own_bins(tmp_path):
    metadata = ModelMetadata(
        'resnet',
        modality='vision',
        distance_edges_m=THIRTEEN.edges_m,
        distance_prior=THIRTEEN.prior,
    )
    detector = ImageDetector.load(write_model(tmp_path / 'thirteen.onnx', metadata))
    (reading,) = detector.read([LookedImage(room(100), Side.FRONT, 0)])
    assert reading.valid
    assert reading.bins == THIRTEEN
    assert len(reading.distance_probabilities) == 13


def test_a_model_whose_bins_are_not_those_of_its_metadata_is_refused(tmp_path):
    path = write_model(tmp_path / 'odd.onnx', ModelMetadata('resnet', modality='vision'))
    import onnx

    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == 'quiet_nav.distance_edges_m':
            entry.value = '[0.5, 1.0]'
    onnx.save(model, path)
    with pytest.raises(QuietNavError, match='gives distance_probabilities as'):
        ImageDetector.load(path)
