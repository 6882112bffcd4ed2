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
"""Listens drawn from transfers: what averages of noise do, and what examples say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.learning.detectors.near_wall import remix as remix_module
from quiet_nav.learning.detectors.near_wall.averages import draw_averages
from quiet_nav.learning.detectors.near_wall.network import INPUTS
from quiet_nav.learning.detectors.near_wall.remix import Options, Remix
from quiet_nav.perception.bands import BANDS, OWN_BANDS
from quiet_nav.quiet_campus.transfers import RoomTransfers


def room(seed: int = 0, poses: int = 6) -> RoomTransfers:
    """Four ambient sources and one of the robot; ears that hear almost alike."""
    rng = np.random.default_rng(seed)
    kinds, ears = 2 * 4 + 2, 3
    power = rng.uniform(0.5, 1.5, (poses, 2, kinds, ears, BANDS))
    cross = np.zeros((poses, 2, kinds, 3, 2, BANDS))
    cross[..., 0, :] = 0.3
    return RoomTransfers(
        power.astype(np.float16),
        cross.astype(np.float16),
        np.ones((2, ears, BANDS), np.float16),
        np.ones(kinds, np.float32),
        np.array(2),
        rng.uniform(0.2, 2.0, (poses, 2, ears)),
        rng.uniform(0.2, 1.0, (poses, 2, ears)),
        np.array([np.pi / 2, -np.pi / 2, 0.0]),
    )


@pytest.fixture(scope='module')
def remix() -> Remix:
    saved = remix_module._AVERAGES, remix_module._SCENES
    remix_module._AVERAGES, remix_module._SCENES = 8, 3
    try:
        return Remix([room(0), room(1)], 0)
    finally:
        remix_module._AVERAGES, remix_module._SCENES = saved


@pytest.mark.slow
def test_averages_are_of_the_densities_that_they_were_drawn_for():
    whole, clips = draw_averages(np.random.default_rng(0), 48)
    assert len(clips.power) == 3 * len(whole.power)
    which = np.arange(48)
    power = np.broadcast_to(np.array([1.0, 4.0, 0.25])[None, :, None], (48, 3, BANDS))
    coherences = np.array([0.6 * np.exp(0.5j), 0.3, -0.4j])
    level = np.sqrt([4.0, 0.25, 1.0])
    cross = np.broadcast_to((coherences * level)[None, :, None], (48, 3, BANDS))
    found, between = whole.mixed(which, power, cross)
    np.testing.assert_allclose(found.mean((0, 2)), [1.0, 4.0, 0.25], rtol=0.01)
    np.testing.assert_allclose(between.mean((0, 2)), (coherences * level)[:2], atol=0.02)
    # Single bins of 45 half overlapping Hann frames vary by 15 %, wider bands by less.
    spread = (found[:, 0, :129] / 1.0).std()
    assert 0.13 < spread < 0.17 and found[:, 0, 200:].std() < 0.08
    assert abs(whole.steadiness[:, :129].mean() - 0.5772) < 0.02


def test_the_same_seed_draws_the_same_examples_and_all_of_them_are_finite(remix):
    options = Options(scene=4)
    one, two = (remix.draw(np.random.default_rng(5), 24, options) for _ in range(2))
    for name, value in one.items():
        assert np.array_equal(value, two[name]) and np.isfinite(value).all(), name
    assert set(INPUTS) | {'near', 'distance_bin'} == set(one)
    assert one['spectrum'].shape == (24, BANDS) and one['fingerprint'].shape == (24, OWN_BANDS)
    assert np.abs(one['coherences']).max() <= 1.01


def test_what_is_withheld_is_withheld(remix):
    options = Options(drop_reference=1.0, drop_others=1.0, fingerprint=0.0)
    drawn = remix.draw(np.random.default_rng(1), 16, options)
    for flag, values in (
        ('has_reference', ('reference', 'own_reference', 'other_references')),
        ('has_other', ('others', 'coherences', 'simultaneous')),
        ('has_fingerprint', ('fingerprint',)),
    ):
        assert not drawn[flag].any()
        assert not any(drawn[name].any() for name in values)


def test_a_calibrated_fingerprint_is_what_a_robot_heard_alone_sounds_like_far_from_walls(remix):
    options = Options(
        own_sound=1.0, silent_rooms=1.0, fingerprint=1.0, calibrated=1.0, aged=0.0,
        own_drift_db=0.1, clip_share=0.0, own_level_db=(20.0, 20.0),
    )  # fmt: skip
    drawn = remix.draw(np.random.default_rng(2), 32, options)
    assert drawn['has_fingerprint'].all()
    # These rooms have a free field of 1 and walls that change it by half at most.
    over = drawn['spectrum'][:, 193:] - drawn['fingerprint'][:, 90:]
    assert abs(float(np.median(over))) < 0.3 and float(np.abs(over).mean()) < 0.8


def test_a_pair_hears_with_one_other_ear_and_a_single_one_later(remix):
    options = Options(rigs=(0.0, 1.0, 0.0), nearest=0.0, drop_others=0.0, drop_ahead=0.0)
    pair = remix.draw(np.random.default_rng(3), 16, options)
    assert pair['has_other'].sum(1).tolist() == [1.0] * 16
    assert np.array_equal(pair['has_other'], pair['simultaneous'])
    single = dataclasses.replace(options, rigs=(1.0, 0.0, 0.0))
    turned = remix.draw(np.random.default_rng(3), 16, single)
    assert turned['has_other'][:, 0].all() and not turned['simultaneous'].any()
    nearest = remix.draw(np.random.default_rng(3), 16, dataclasses.replace(single, nearest=1.0))
    assert nearest['nearest'].all() and not nearest['has_other'].any()


def test_unknown_options_and_rooms_that_do_not_fit_are_refused():
    with pytest.raises(QuietNavError, match='no transfers'):
        Remix([], 0)
    two = dataclasses.replace(room(), bearing_rad=np.array([0.0, 1.0]))
    with pytest.raises(QuietNavError, match='three ears'):
        Remix([two], 0)
