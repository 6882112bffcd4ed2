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

"""Failures of the simulated robot: what makes sense, and what becomes of values."""

import math

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.limits import Twist2D
from quiet_nav.simulation.robot.failures import (
    FailingLine,
    Failure,
    Failures,
    FalseWay,
    KINDS,
    spoiled_ears,
    spoiled_image,
    spoiled_sound,
    spoiled_twist,
)

RNG = np.random.default_rng(0)


def through(text, values=range(100), step_s=0.1):
    """Return (time, stamp, value) of all that comes out of a line, one value a step."""
    line = FailingLine('odom', lambda value, failure: -value)
    failures = Failures([Failure.parse(text)] if text else [])
    out = []
    for number, value in enumerate(values):
        time_s = round(number * step_s, 6)
        out += [
            (time_s, item.stamp_ns, item.value)
            for item in line.through(failures, time_s, number, value)
        ]
    return out


def test_every_kind_of_every_component_is_known_by_its_text():
    for component, kinds in KINDS.items():
        name = 'ear1' if component == 'ear' else component
        for kind in kinds:
            failure = Failure.parse(f'{name}:{kind}@3-5')
            assert (failure.component, failure.kind) == (name, kind)
            assert [failure.active(t) for t in (2.9, 3.0, 4.9, 5.0)] == [False, True, True, False]


@pytest.mark.parametrize(
    'text, words',
    [
        ('odom', 'expected COMPONENT:KIND'),
        ('wheels:off', 'no component'),
        ('ear:off', 'no component'),
        ('odom3:off', 'no component'),
        ('bump:garbage', 'bump cannot be'),
        ('odom:off=3', 'takes no amount'),
        ('odom:slow=0', 'expected 1 or more'),
        ('odom:wrong=1..2', 'expected COMPONENT:KIND'),
        ('odom:off@5-3', 'expected an end'),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(text, words):
    with pytest.raises(QuietNavError, match=words):
        Failure.parse(text)


def test_a_failure_without_a_time_holds_from_when_it_is_set():
    failures = Failures([Failure.parse('odom:off')], set_s=7.0)
    assert failures.now('odom', 6.9) is None
    assert failures.now('odom', 7.0).kind == 'off'
    assert failures.now('audio', 8.0) is None


def test_nothing_that_is_well_is_changed():
    assert through('') == [(round(0.1 * n, 6), n, n) for n in range(100)]


def test_off_lets_nothing_through_until_it_ends():
    assert [n for _, n, _ in through('odom:off@2-4')] == [*range(20), *range(40, 100)]


def test_stuck_repeats_the_last_value_with_new_stamps():
    out = through('odom:stuck@2-4')
    assert [n for _, n, _ in out] == list(range(100))
    assert [value for _, _, value in out[20:40]] == [19] * 20


def test_delayed_values_keep_their_stamps():
    out = through('odom:delayed=1@2')
    assert out[20] == (3.0, 20, 20)
    assert all(time_s == pytest.approx(0.1 * n + 1.0) for time_s, n, _ in out[20:])


def test_slow_lets_one_value_in_so_many_through():
    assert len(through('odom:slow=5@2')) == 20 + 16


def test_intermittent_comes_and_goes():
    kept = [n for _, n, _ in through('odom:intermittent=1@2-4')]
    assert len(kept) == 80 + 10 and not {20, 24} & set(kept) and {25, 29} <= set(kept)


def test_wrong_values_are_spoiled_and_others_not():
    assert [v for _, _, v in through('odom:wrong@2-4')][20:40] == [-n for n in range(20, 40)]


@pytest.mark.parametrize('share', [-1.0, 0.0, 0.2, 0.5])
def test_false_odometry_counts_a_share_of_the_way_from_where_it_began(share):
    spoil, failure = FalseWay(), Failure('odom', 'wrong', share)
    said = [spoil(Pose2D(3.0 + 0.1 * n, 1.0, 0.0), failure) for n in range(11)]
    assert said[0].x == 3.0
    assert said[-1].x == pytest.approx(3.0 + share)


def test_garbage_is_not_finite():
    pose = FalseWay()(Pose2D(), Failure('odom', 'garbage'))
    twist = spoiled_twist(Twist2D(0.1, 0.0), Failure('twist', 'garbage'))
    assert math.isnan(pose.x) and math.isnan(twist.linear_mps)


def test_a_single_ear_fails_and_the_others_hear_on():
    sound = RNG.standard_normal((2, 100)).astype(np.float32)
    before = sound.copy()
    for kind, check in {
        'off': lambda row: np.all(row == 0.0),
        'stuck': lambda row: np.all(row == row[0]),
        'garbage': lambda row: np.all(np.abs(row) == 1.0),
        'wrong': lambda row: np.allclose(row, 0.1 * before[1], rtol=1e-5),
    }.items():
        out = spoiled_ears(sound, [Failure('ear1', kind)], 0.0, RNG)
        assert check(out[1]), kind
        assert np.array_equal(out[0], before[0])
    assert np.array_equal(sound, before), 'what others may hold was changed'


def test_wrong_sound_is_one_ear_on_all_channels():
    sound = RNG.standard_normal((2, 100)).astype(np.float32)
    out = spoiled_sound(RNG)(sound, Failure('audio', 'wrong'))
    assert np.array_equal(out[0], sound[0]) and np.array_equal(out[1], sound[0])


def test_wrong_images_are_upside_down_and_wrong_depths_multiplied():
    image = np.arange(12, dtype=np.uint8).reshape(4, 3)
    depth = np.array([[100, 60000]], np.uint16)
    spoil = spoiled_image(RNG)
    assert np.array_equal(spoil(image, Failure('camera', 'wrong')), image[::-1])
    assert spoil(depth, Failure('depth', 'wrong')).tolist() == [[200, 65535]]
    assert spoil(depth, Failure('depth', 'garbage')).dtype == np.uint16
