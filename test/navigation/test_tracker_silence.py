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

"""The tracker where its readings tell nothing, or the same again: it waits, and doubts corners."""

import itertools
import math

import numpy as np

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.policy import Look, Step
from quiet_nav.navigation.tracker import Stage, TrackerSettings, WallTracker
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import NearWallReading


def tracker(**kwargs):
    return WallTracker(np.random.default_rng(0), **kwargs)


def says(side, distance_m):
    bins = np.full(STANDARD_BINS.count, 0.1 / (STANDARD_BINS.count - 1))
    bins[int(STANDARD_BINS.bin_of(distance_m))] = 0.9
    return NearWallReading(side, float(bins[:4].sum()), 0, 1, distance_probabilities=tuple(bins))


def says_nothing(side, start_ns=0):
    told = STANDARD_BINS.prior
    return NearWallReading(side, 0.11, start_ns, start_ns + 1, distance_probabilities=told)


def test_the_tracker_waits_in_silence_and_believes_what_it_believed():
    policy = tracker(side=Side.RIGHT)
    before = policy.belief.weights.copy(), policy.belief.particles.u.copy()
    for k in range(3):
        step = policy.decide({s: says_nothing(s, k) for s in (Side.LEFT, Side.RIGHT)}, Pose2D())
        assert step.waits
        assert step.stays
    assert np.array_equal(policy.belief.weights, before[0])
    assert np.array_equal(policy.belief.particles.u, before[1])
    heard = {Side.LEFT: says(Side.LEFT, 3.0), Side.RIGHT: says(Side.RIGHT, 0.35)}
    assert isinstance(policy.decide(heard, Pose2D()), Look)


def test_a_silent_place_is_passed_after_a_while_but_a_silent_room_is_not():
    policy = tracker(side=Side.RIGHT)
    policy.stage = Stage.FOLLOW

    clock_s = itertools.count(0, 5)

    def silence(pose, listens):
        heard = []
        for now_s in itertools.islice(clock_s, listens):
            sides = (Side.LEFT, Side.RIGHT, Side.FRONT)
            readings = {s: says_nothing(s, now_s * 10**9) for s in sides}
            heard.append(policy.decide(readings, pose))
        return heard

    first = silence(Pose2D(), math.ceil(TrackerSettings().silent_s / 5) + 1)
    assert all(step.waits for step in first[:-1])
    assert isinstance(first[-1], Step)
    assert not first[-1].stays
    assert all(step.waits for step in silence(Pose2D(0.2), 50))
    # Once there was something to hear, another silence is waited out again.
    sides = {Side.LEFT: says(Side.LEFT, 3.0), Side.RIGHT: says(Side.RIGHT, 0.35)}
    policy.decide({**sides, Side.FRONT: says(Side.FRONT, 3.0)}, Pose2D(0.2))
    assert silence(Pose2D(0.4), 1)[0].waits


def test_one_ear_that_hears_is_enough_not_to_wait():
    policy = tracker()
    readings = {Side.LEFT: says_nothing(Side.LEFT), Side.RIGHT: says(Side.RIGHT, 0.35)}
    assert isinstance(policy.decide(readings, Pose2D()), Look)


def test_after_a_corner_the_same_place_heard_by_another_ear_counts_less():
    doubted = []
    for cornered in (True, False):
        policy = tracker()
        policy.stage, policy.side = Stage.FOLLOW, Side.RIGHT
        p = policy.belief.particles
        p.left[:], p.u[:], p.heading[:], p.ahead[:] = False, 0.55, 0.0, 0.45
        p.end[:], p.far[:], p.behind[:] = np.inf, np.inf, np.inf
        sides = {Side.RIGHT: says(Side.RIGHT, 0.4), Side.LEFT: says(Side.LEFT, 3.0)}
        step = policy.decide({**sides, Side.FRONT: says(Side.FRONT, 0.3)}, Pose2D())
        assert step.reason == 'wall ahead'
        assert policy.stage == Stage.CORNERED
        policy.stage = Stage.CORNERED if cornered else Stage.FOLLOW
        policy.decide({Side.RIGHT: says(Side.RIGHT, 0.35)}, Pose2D(yaw=math.pi / 2))
        belief = policy.belief
        doubted.append(float(belief.weights[belief.particles.heading > 1.0].sum()))
    assert doubted[0] > 1.2 * doubted[1] > 0.0
