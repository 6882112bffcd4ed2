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

import numpy as np
import pytest

from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.interference import OwnSoundPlaces, ripple_basis
from quiet_nav.perception.rig import Ear
from quiet_nav.perception.standing_sound import band_frequencies_hz
from quiet_nav.perception.wall_ripples import CommonRipples, WallRipples

HZ = band_frequencies_hz()
EARS = (Ear(0, 0.0, 0.15, 0.25, Side.LEFT), Ear(1, 0.0, -0.15, 0.25, Side.RIGHT))
FAN = OwnSoundPlaces('fan', np.array([[-0.078, 0.045, 0.12]]), np.array([28.0]))


def heard(side: Side | None, distance_m: float = 0.0, noise: float = 0.1) -> np.ndarray:
    """Return what both ears hear over their fingerprints of a wall so far from the ear at it."""
    over = noise * np.random.default_rng(1).standard_normal((2, len(HZ)))
    for i, ear in enumerate(EARS if side is not None else ()):
        # The other ear is on the far side of the robot, 0.3 m farther from the wall.
        away = distance_m if ear.side == side else distance_m + 0.3
        at = np.array([ear.x, ear.y, ear.z])
        basis = ripple_basis(np.array([away]), HZ, FAN.places_m, at, side.yaw_rad)
        over[i] += 0.8 * basis[0, :, 0]
    return over


@pytest.fixture(scope='module')
def ripples() -> WallRipples:
    return WallRipples(EARS, FAN, HZ)


@pytest.mark.parametrize('side', [Side.LEFT, Side.RIGHT])
@pytest.mark.parametrize('distance_m', [0.15, 0.35])
def test_near_wall_is_told_on_its_side_at_its_distance(ripples, side, distance_m):
    told = ripples.told(heard(side, distance_m))
    near = told[:, STANDARD_BINS.is_near].sum(axis=1)
    here = [ear.side for ear in EARS].index(side)
    assert near[here] > 0.9
    assert near[1 - here] < 0.3
    median = STANDARD_BINS.medians_m(told)[here]
    assert median == pytest.approx(distance_m, abs=0.06)


def test_wall_farther_than_half_a_meter_is_not_called_near(ripples):
    told = ripples.told(heard(Side.LEFT, 0.8))
    assert told[0, STANDARD_BINS.is_near].sum() < 0.3


def test_without_ripples_no_wall_is_likelier_than_before(ripples):
    told = ripples.told(heard(None))
    assert told[:, STANDARD_BINS.is_near].sum(axis=1).max() < STANDARD_BINS.near_prior
    assert told.sum(axis=1) == pytest.approx(1.0)


def test_ambience_over_the_own_sound_leaves_a_reading_unsure(ripples):
    loud = heard(Side.LEFT, 0.2, noise=0.4) * 0.02 + 4.0
    loud += 0.5 * np.random.default_rng(2).standard_normal(loud.shape)
    near = ripples.told(loud)[:, STANDARD_BINS.is_near].sum(axis=1)
    assert near.max() < 0.4


def test_fingerprint_made_beside_a_wall_shows_the_wall_and_one_in_the_open_does_not():
    tones = -8.0 + np.random.default_rng(3).standard_normal(len(HZ))
    common = CommonRipples(EARS, FAN, HZ)
    distance_m, ripple = common.wall(tones + heard(Side.LEFT, 0.25, noise=0.03))
    assert distance_m == pytest.approx(0.25, abs=0.04)
    _, none = common.wall(tones + heard(None, noise=0.03))
    assert ripple > 0.08 > none
