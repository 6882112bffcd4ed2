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

"""Slots of other ears and weights of clips."""

import math

import numpy as np
import pytest

from quiet_nav.perception.context import (
    band_centers_hz,
    BANDS,
    CLIP_FRAMES,
    clip_weights,
    fill_slots,
    FRAMES,
    slot_of,
)

S = 1_000_000_000
LEFT, RIGHT, FRONT = math.pi / 2, -math.pi / 2, 0.0


@pytest.mark.parametrize(
    'ear, other, slot',
    [
        (LEFT, RIGHT, 0),
        (RIGHT, LEFT, 0),
        (LEFT, FRONT, 2),
        (FRONT, LEFT, 1),
        (FRONT, RIGHT, 2),
        (0.0, math.radians(44), None),
        (0.0, math.radians(46), 1),
        (math.radians(170), math.radians(-100), 1),
        (0.3, 0.3, None),
    ],
)
def test_slot_is_told_by_the_relative_bearing(ear, other, slot):
    assert slot_of(ear, other) == slot


def test_one_ear_alone_fills_no_slot():
    others, together = fill_slots([LEFT], [0])
    assert others.tolist() == [[-1, -1, -1]] and not together.any()


def test_pair_and_trio_fill_each_others_slots_at_once():
    others, together = fill_slots([LEFT, RIGHT], [0, 0])
    assert others.tolist() == [[1, -1, -1], [0, -1, -1]]
    assert together.tolist() == [[1, 0, 0], [1, 0, 0]]
    others, _ = fill_slots([LEFT, RIGHT, FRONT], [0, 0, 0])
    assert others.tolist() == [[1, -1, 2], [0, 2, -1], [-1, 0, 1]]


def test_window_nearest_in_time_fills_a_slot_and_later_ones_are_not_simultaneous():
    others, together = fill_slots([LEFT, RIGHT, RIGHT], [20 * S, 5 * S, 14 * S])
    assert others[0].tolist() == [2, -1, -1] and others[2, 0] == 0
    assert not together.any()
    assert fill_slots([LEFT, RIGHT], [0, 40_000_000])[1][0, 0] == 1.0


def test_clips_span_the_window_evenly_and_weights_sum_to_one():
    weights = clip_weights(20)
    assert weights.shape == (21, FRAMES) and weights.dtype == np.float32
    assert weights.sum(1) == pytest.approx(np.ones(21), abs=1e-6)
    assert (weights[0] > 0).all()
    assert ((weights[1:] > 0).sum(1) == CLIP_FRAMES).all()
    firsts = (weights[1:] > 0).argmax(1)
    assert firsts[0] == 0 and firsts[-1] == FRAMES - CLIP_FRAMES
    assert set(np.diff(firsts)) <= {1, 2}


def test_drawn_clips_follow_their_generator():
    one, same, other = (clip_weights(20, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.array_equal(one[0], clip_weights(20)[0])


def test_bands_rise_from_the_first_bin_to_three_kilohertz():
    centers = band_centers_hz()
    assert len(centers) == BANDS and (np.diff(centers) > 0).all()
    assert centers[0] == 7.8125 and centers[127] == 1000.0
    assert centers[128:] == pytest.approx(1000.0 + 62.5 * np.arange(32) + 35.15625)
