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

"""Rigs are read from YAML as they stand, or refused naming the field."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.detector import NearWallDetector
from quiet_nav.perception.rig import Ear, find_rig, load_rig, Rig, rig_from_dict
from quiet_nav.perception.rolling import RollingListener, RollingSettings
from quiet_nav.resources import names, RIG
from quiet_nav.sound.pcm import encode_pcm, PcmFormat
from quiet_nav.sound.stream import AudioStream

EAR = {'channel': 0, 'position': [0, 0.15, 0.25], 'side': 'left'}


def test_a_rig_is_what_its_file_says(tmp_path):
    (tmp_path / 'mine.yaml').write_bytes(
        b'\xef\xbb\xbfname: 7\nturns: yes\nears:\n'
        b'  - {channel: 1, position: [0, 0.15, 1e-1], side: Left, pattern: cardioid}\r\n'
    )
    expected = Rig('7', (Ear(1, 0.0, 0.15, 0.1, Side.LEFT, 'cardioid'),), turns=True)
    assert load_rig(tmp_path / 'mine.yaml') == find_rig(tmp_path / 'mine.yaml') == expected
    assert rig_from_dict({'ears': [EAR]}).name == 'unnamed'


def test_names_of_rigs_that_do_not_ship_list_those_that_do():
    with pytest.raises(QuietNavError, match="no rig 'quartet'; rigs: lavalier_pair, pair, "):
        find_rig('quartet')


BAD = [
    ([], 'expected a mapping of name, turns, ears'),
    ({'ears': []}, 'ears: .*at least 1 item'),
    ({'ears': [EAR], 'x': 1, 1: 2}, 'unknown key x; known: name, turns, ears; unknown key 1'),
    ({'ears': [EAR], 'turns': 'no'}, "turns: should be true or false, found 'no'"),
    ({'ears': [EAR, EAR]}, 'two ears share a channel'),
    ({'ears': [{**EAR, 'channel': 0.9}]}, r'ears\[0\]\.channel: should be a whole number'),
    ({'ears': [{**EAR, 'channel': -1}]}, r'channel: .*greater than or equal to 0, found -1'),
    ({'ears': [{**EAR, 'channel': 255}]}, 'channel: .*less than or equal to 254'),
    ({'ears': [{**EAR, 'position': '123'}]}, "position: .*found '123'"),
    ({'ears': [{**EAR, 'position': [0, 0]}]}, r'position\[2\] is missing'),
    ({'ears': [{**EAR, 'position': [0, 0, 10**400]}]}, r'position\[2\]'),
    ({'ears': [{**EAR, 'position': [0, 0, 11.0]}]}, r'position\[2\]: .*10, found 11'),
    ({'ears': [{**EAR, 'side': 'up'}]}, r"ears\[0\]\.side: found 'up', expected one of LEFT"),
    ({'ears': [{**EAR, 'pattern': 'figure8'}]}, "pattern: .*'omni' or 'cardioid'"),
    ({'ears': [{'channel': 0}]}, r'ears\[0\]\.position is missing; ears\[0\]\.side is missing'),
]


@pytest.mark.parametrize(('raw', 'said'), BAD)
def test_rigs_that_are_none_name_the_field(raw, said):
    with pytest.raises(QuietNavError, match=f'^rig x: .*{said}') as found:
        rig_from_dict(raw, 'rig x')
    assert '\n' not in str(found.value) and len(str(found.value)) < 400


@pytest.mark.parametrize('data', [b'2001-99-99', b'[' * 3000, b'\xff', b'x: 1\n1: 2', b'', b'\0'])
def test_files_that_are_no_rig_are_one_line(tmp_path, data):
    (tmp_path / 'rig.yaml').write_bytes(data)
    with pytest.raises(QuietNavError, match=r'^rig .*rig\.yaml: ') as found:
        load_rig(tmp_path / 'rig.yaml')
    assert '\n' not in str(found.value)


ARRAYS = {'respeaker_usb_4': (6, 0.032), 'respeaker_6': (8, 0.0463), 'uma_8': (8, 0.043)}


@pytest.mark.parametrize('name', names(RIG))
def test_every_rig_that_ships_is_named_as_its_file_and_asks_each_side_once(name):
    rig = find_rig(name)
    assert rig.name == name
    sides = [ear.side for ear in rig.ears]
    assert len(set(sides)) == len(sides)
    assert {Side.LEFT, Side.RIGHT} <= set(sides) or (sides == [Side.FRONT] and rig.turns)
    for ear in rig.ears:
        # What an ear is asked about lies where it sits.
        assert Side.nearest(ear.yaw_rad) == ear.side


@pytest.mark.parametrize('name', ARRAYS)
def test_ears_of_arrays_sit_where_their_makers_put_them(name):
    channels, radius_m = ARRAYS[name]
    rig = find_rig(name)
    assert rig.channels <= channels
    for ear in rig.ears:
        assert math.hypot(ear.x, ear.y) == pytest.approx(radius_m, abs=0.001)


@pytest.mark.parametrize('name', names(RIG))
def test_every_rig_that_ships_is_read_from_a_stream(name, context_model):
    rig = find_rig(name)
    stream = AudioStream(PcmFormat('S16LE', rig.channels, 16_000))
    sound = 0.02 * np.random.default_rng(0).standard_normal((4 * 16_000, rig.channels))
    stream.push_bytes(encode_pcm(sound, 'S16LE'), 0)
    listener = RollingListener(
        NearWallDetector.load(context_model).session(), rig, RollingSettings(1.0)
    )
    decisions = [listener.decide(tick) for tick in listener.collect(stream)]
    heard = [d for d in decisions if d.readings[0].end_ns >= 3_000_000_000]
    assert heard
    for decision in heard:
        assert {r.side for r in decision.readings} == {e.side for e in rig.ears}
        assert all(r.valid for r in decision.readings), decision.readings
