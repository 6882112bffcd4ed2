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

"""Algorithms 1 and 2, branch by branch, against cases worked by hand."""

import math

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import (
    algorithm1,
    algorithm2,
    algorithm2_near_side,
    Algorithm2Settings,
    AlgorithmSettings,
)
from quiet_nav.navigation.policies.algorithm1 import Algorithm1Policy
from quiet_nav.navigation.policies.algorithm2 import Algorithm2Policy
from quiet_nav.navigation.policies.random_weights import RandomPolicy
from quiet_nav.navigation.policies.straight import StraightPolicy
from quiet_nav.perception.readings import NearWallReading

SETTINGS = AlgorithmSettings(threshold=0.5, dead_band=0.1, gain_rad=2.0, max_turn_rad=0.6)


def reading(side, p, valid=True):
    return NearWallReading(side, p, 0, 1, valid=valid)


@pytest.mark.parametrize(
    ('left', 'right', 'turn'),
    [
        (0.80, 0.60, -0.40),  # near (mean 0.7), louder on the left: away from it
        (0.60, 0.80, 0.40),  # near, louder on the right
        (0.40, 0.20, 0.40),  # far (mean 0.3), louder on the left: toward it
        (0.20, 0.40, -0.40),  # far, louder on the right
        (0.70, 0.65, 0.0),  # within the dead band, near
        (0.10, 0.15, 0.0),  # within the dead band, far
        (1.00, 0.85, -0.6),  # capped
        (0.15, 0.00, 0.6),  # capped
        (0.70, 0.30, 0.0),  # the mean is the threshold: the angle is zero
        (0.90, 0.90, 0.0),  # a tie names no side
    ],
)
def test_algorithm1_turns_as_the_paper_says(left, right, turn):
    assert algorithm1(left, right, SETTINGS) == pytest.approx(turn, abs=1e-12)


def test_algorithm1_difference_equal_to_the_dead_band_turns():
    settings = AlgorithmSettings(threshold=0.0, dead_band=0.25, gain_rad=1.0)
    assert algorithm1(0.5, 0.25, settings) == pytest.approx(-0.375)


@pytest.mark.parametrize(('p', 'turn'), [(0.9, 0.4), (0.1, -0.4)])
def test_algorithm1_never_goes_straight_with_alpha_0(p, turn):
    # As printed: P(L) > P(R) does not hold at a tie, so near turns left and far turns right.
    settings = AlgorithmSettings(threshold=0.5, dead_band=0.0, gain_rad=1.0)
    assert algorithm1(p, p, settings) == pytest.approx(turn)


@pytest.mark.parametrize('bad', [math.nan, -0.1, 1.1, math.inf])
def test_algorithms_refuse_what_is_no_probability(bad):
    with pytest.raises(QuietNavError, match='probability'):
        algorithm1(bad, 0.5, SETTINGS)
    with pytest.raises(QuietNavError, match='probability'):
        algorithm1(0.5, bad, SETTINGS)
    with pytest.raises(QuietNavError, match='probability'):
        algorithm2(bad, Side.LEFT, SETTINGS)


@pytest.mark.parametrize(
    ('p', 'near', 'turn'),
    [
        (0.70, Side.LEFT, -0.40),  # too near to the left wall: to the right
        (0.70, Side.RIGHT, 0.40),
        (0.40, Side.LEFT, 0.20),  # too far from it: to the left
        (0.40, Side.RIGHT, -0.20),
        (0.50, Side.LEFT, 0.0),
        (0.00, Side.LEFT, 0.60),  # capped
        (1.00, Side.LEFT, -0.60),
    ],
)
def test_algorithm2_turns_as_the_paper_says(p, near, turn):
    assert algorithm2(p, near, SETTINGS) == pytest.approx(turn, abs=1e-12)


@pytest.mark.parametrize(
    ('left', 'right', 'near'),
    [(0.9, 0.2, Side.LEFT), (0.2, 0.9, Side.RIGHT), (0.5, 0.5, Side.LEFT)],
)
def test_algorithm2_takes_the_side_with_the_larger_probability(left, right, near):
    assert algorithm2_near_side(left, right) == near


def test_algorithm2_refuses_a_near_side_that_is_no_side():
    with pytest.raises(QuietNavError, match='FRONT'):
        algorithm2(0.5, Side.FRONT, SETTINGS)


def test_algorithm2_keeps_the_near_side_of_its_first_step():
    policy = Algorithm2Policy(SETTINGS)
    policy.decide(
        {Side.LEFT: reading(Side.LEFT, 0.3), Side.RIGHT: reading(Side.RIGHT, 0.6)}, Pose2D()
    )
    step = policy.decide(
        {Side.LEFT: reading(Side.LEFT, 0.9), Side.RIGHT: reading(Side.RIGHT, 0.4)}, Pose2D()
    )
    assert policy.near == Side.RIGHT
    assert step.turn_rad == pytest.approx(-0.2)


@pytest.mark.parametrize('policy', [Algorithm1Policy(SETTINGS), Algorithm2Policy(SETTINGS)])
@pytest.mark.parametrize(
    'readings',
    [
        {},
        {Side.LEFT: reading(Side.LEFT, 0.9)},
        {Side.LEFT: reading(Side.LEFT, 0.9), Side.RIGHT: reading(Side.RIGHT, math.nan)},
        {Side.LEFT: reading(Side.LEFT, 0.9, False), Side.RIGHT: reading(Side.RIGHT, 0.1)},
    ],
)
def test_policies_stay_where_a_reading_is_missing(policy, readings):
    assert policy.decide(readings, Pose2D()).stays


def test_algorithm2_needs_only_the_near_side_once_it_is_known():
    policy = Algorithm2Policy(SETTINGS, near=Side.LEFT)
    assert policy.decide({Side.LEFT: reading(Side.LEFT, 0.7)}, Pose2D()).turn_rad < 0.0
    assert policy.decide({Side.RIGHT: reading(Side.RIGHT, 0.7)}, Pose2D()).stays


@pytest.mark.parametrize(('near', 'away'), [(Side.LEFT, -1.0), (Side.RIGHT, 1.0)])
def test_algorithm2_turns_away_from_a_wall_that_it_sees_ahead(near, away):
    def turn(front, **changes):
        policy = Algorithm2Policy(Algorithm2Settings(ahead=0.1, **changes), near=near)
        seen = {near: reading(near, 0.97), Side.FRONT: reading(Side.FRONT, front)}
        return policy.decide(seen, Pose2D()).turn_rad

    assert turn(0.1, ahead_turn_rad=1.2) == pytest.approx(away * 1.2)
    # Below it, and wherever the front was not seen, it is the paper's Algorithm 2 to the letter.
    assert turn(0.09) == algorithm2(0.97, near, Algorithm2Settings()) == 0.0
    assert turn(math.nan) == 0.0


def test_algorithm2_is_the_papers_by_default_whatever_is_ahead():
    settings = Algorithm2Settings()
    policy = Algorithm2Policy(settings, near=Side.RIGHT)
    seen = {Side.RIGHT: reading(Side.RIGHT, 0.95), Side.FRONT: reading(Side.FRONT, 1.0)}
    expected = algorithm2(0.95, Side.RIGHT, settings)
    assert policy.decide(seen, Pose2D()).turn_rad == expected < 0.0


@pytest.mark.parametrize(
    'values',
    [{'threshold': 1.2}, {'dead_band': -0.1}, {'gain_rad': math.nan}, {'step_length_m': -1}],
)
def test_settings_outside_their_range_are_refused(values):
    with pytest.raises(QuietNavError, match=next(iter(values))):
        AlgorithmSettings(**values)


def test_straight_never_turns_and_never_listens():
    policy = StraightPolicy(0.25)
    step = policy.decide({}, Pose2D())
    assert (step.turn_rad, step.drive_m, policy.sides) == (0.0, 0.25, frozenset())


def test_random_listens_as_algorithm1_does_and_decides_by_what_a_network_of_random_weights_says():
    heard = {Side.LEFT: reading(Side.LEFT, 0.8), Side.RIGHT: reading(Side.RIGHT, 0.6)}
    policy = RandomPolicy(SETTINGS, rng=np.random.default_rng(0), by_network=True)
    assert policy.sides == Algorithm1Policy().sides
    assert policy.decide(heard, Pose2D()).turn_rad == algorithm1(0.8, 0.6, SETTINGS)
    assert policy.decide({Side.LEFT: heard[Side.LEFT]}, Pose2D()).stays


def test_random_turns_both_ways_and_is_seeded():
    heard = {side: reading(side, 0.5) for side in (Side.LEFT, Side.RIGHT)}

    def turns(seed):
        policy = RandomPolicy(SETTINGS, rng=np.random.default_rng(seed))
        return [policy.decide(heard, Pose2D()).turn_rad for _ in range(50)]

    assert turns(1) == turns(1)
    assert turns(1) != turns(2)
    assert min(turns(1)) < 0.0 < max(turns(1))
