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

"""Which way each rig turns to hear what it is asked about."""

import math
from pathlib import Path

import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.navigation.listening import listen_stops, ListenStop
from quiet_nav.perception.rig import load_rig

RIGS = Path(__file__).parents[2] / 'config' / 'rigs'
LEFT, RIGHT = math.pi / 2, -math.pi / 2


@pytest.mark.parametrize(
    ('rig', 'wanted', 'turns'),
    [
        ('pair', {Side.LEFT, Side.RIGHT}, [0.0]),
        ('trio', {Side.LEFT, Side.RIGHT}, [0.0]),
        ('trio', {Side.FRONT}, [0.0]),
        ('single', {Side.LEFT, Side.RIGHT}, [LEFT, RIGHT]),
        ('single', {Side.FRONT}, [0.0]),
        ('single', {Side.LEFT, Side.FRONT, Side.RIGHT}, [0.0, LEFT, RIGHT]),
        ('pair', {Side.FRONT}, [LEFT]),
        ('pair', {Side.FRONT, Side.LEFT}, [0.0, LEFT]),
        ('pair', set(), []),
    ],
)
def test_a_rig_turns_only_where_no_ear_faces_the_side(rig, wanted, turns):
    stops = listen_stops(load_rig(RIGS / f'{rig}.yaml'), wanted)
    assert [stop.turn_rad for stop in stops] == turns
    assert wanted <= set().union(*(stop.sides for stop in stops)) if stops else not wanted


def test_a_trio_hears_the_front_for_free():
    (stop,) = listen_stops(load_rig(RIGS / 'trio.yaml'), {Side.LEFT, Side.RIGHT})
    assert stop.sides == {Side.LEFT, Side.RIGHT, Side.FRONT}


@pytest.mark.parametrize(
    ('turn', 'ear', 'side'),
    [
        (0.0, Side.LEFT, Side.LEFT),
        (LEFT, Side.FRONT, Side.LEFT),
        (RIGHT, Side.FRONT, Side.RIGHT),
        (LEFT, Side.RIGHT, Side.FRONT),
        (math.pi, Side.LEFT, Side.RIGHT),
    ],
)
def test_what_a_turned_ear_faces(turn, ear, side):
    assert ListenStop(turn, frozenset()).side_of(ear) == side


def test_a_turned_listen_hears_the_front_with_another_ear():
    rig = load_rig(RIGS / 'trio.yaml')
    (stop,) = listen_stops(rig, {Side.FRONT}, turned=True)
    assert stop.turn_rad == LEFT
    assert stop.side_of(Side.RIGHT) == Side.FRONT


def test_a_rig_that_cannot_hear_a_side_so_is_refused():
    with pytest.raises(QuietNavError, match='FRONT'):
        listen_stops(load_rig(RIGS / 'single.yaml'), {Side.FRONT}, turned=True)
