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

"""Rooms from YAML: what is wrong with one is said in one line."""

import copy

import pytest
import yaml

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.rooms.plan_files import load_plan, plan_from_dict, room_names

ROOM = {
    'name': 'test',
    'size': [5.0, 4.0],
    'height': 2.8,
    'materials': {'felt': [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]},
    'walls': ['plaster', 'felt', 'plaster', 'felt'],
    'panels': [{'kind': 'door', 'wall': 0, 'offset': 0.5, 'width': 0.9, 'height': 2.0}],
    'furniture': [{'center': [2.5, 3.0], 'length': 1.0, 'width': 0.5, 'height': 0.7}],
    'sources': [{'kind': 'machine', 'position': [1.0, 1.0, 0.3], 'level_db': -3}],
    'tracks': [{'side': 'right', 'width': 1.5, 'center': [[0.8, 0.75], [4.0, 0.75]]}],
}


def edited(**changes):
    room = copy.deepcopy(ROOM)
    room.update(changes)
    return {key: value for key, value in room.items() if value is not None}


def one(key, **changes):
    return edited(**{key: [{**ROOM[key][0], **changes}]})


def test_every_shipped_room_reads_and_there_are_the_five_of_the_protocol():
    names = room_names()
    expected = {'classroom', 'hallway', 'laboratory', 'lounge', 'seminar_room'}
    assert expected <= set(names)
    assert all(load_plan(name).tracks for name in names)


def test_a_plan_holds_what_the_yaml_says(tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text(yaml.safe_dump(ROOM))
    plan = load_plan(path)
    assert plan.walls[1].absorption == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert plan.doors[0].width == 0.9
    assert plan.sources[0].level_db == -3.0
    assert plan.furniture[0].footprint[0] == (2.0, 2.75)
    assert plan.track().length_m == pytest.approx(3.2)


BAD = {
    'crossing walls': (
        edited(size=None, footprint=[[0, 0], [4, 4], [4, 0], [0, 4]]),
        r'walls 0 \(\(0.00, 0.00\) to \(4.00, 4.00\)\) and 2 .* cross',
    ),
    'a wall that folds back': (
        edited(size=None, walls='plaster', footprint=[[0, 0], [4, 0], [2, 0], [2, 3]]),
        'cross',
    ),
    'clockwise walls': (
        edited(size=None, footprint=[[0, 0], [0, 4], [5, 4], [5, 0]]),
        'clockwise; list them counter-clockwise',
    ),
    'absorption above 1': (
        edited(materials={'felt': [0.1, 0.2, 1.3, 0.4, 0.5, 0.6, 0.7]}),
        "material 'felt': impossible material: absorption .*1.3",
    ),
    'negative absorption': (
        edited(materials={'felt': [-0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]}),
        "material 'felt': impossible material: absorption .*-0.1",
    ),
    'too few bands': (
        edited(materials={'felt': [0.1, 0.2]}),
        'material with 2 coefficients; expected',
    ),
    'unknown material': (edited(floor='lava'), "floor: unknown material 'lava'; known: acoustic"),
    'unknown key': (edited(hight=3), 'unknown key hight; known: name, description, height'),
    'unknown key in a source': (
        one('sources', loudness=3),
        r'unknown key sources\[0\]\.loudness; known: name, position, kind, level_db',
    ),
    'source outside': (one('sources', position=[9, 1, 1]), 'source .machine. at .* is outside'),
    'source in furniture': (one('sources', position=[2.5, 3.0, 0.5]), 'outside the room or in'),
    'source above the ceiling': (one('sources', position=[1, 1, 3.0]), 'is outside the room'),
    'unknown kind': (
        one('sources', kind='ghost'),
        r"\[0\]\.kind: should be 'ceiling_vent'.*'ghost'",
    ),
    'furniture through a wall': (one('furniture', center=[4.8, 3.0]), 'not all inside the walls'),
    'furniture taller than the room': (one('furniture', height=3.0), 'height 3 m is not in'),
    'door beyond its wall': (one('panels', offset=4.5), 'door on wall 0: ends at 5.40 m of 5.00'),
    'door on no wall': (one('panels', wall=7), 'door on wall 7: the walls are numbered 0 to 3'),
    'track away from the wall': (
        one('tracks', center=[[0.8, 1.5], [4.0, 1.5]]),
        "track 'track': its right edge at .* is 0.75 m from the nearest wall",
    ),
    'start too near a wall': (one('tracks', offsets=[0.1]), 'start pose .* nearer than 0.17 m'),
    'start outside': (one('tracks', offsets=[4.5]), 'start pose .* is outside'),
    'no height': (edited(height=None), 'height is missing'),
    'height as text': (edited(height='tall'), "height: should be a number, found 'tall'"),
    'neither size nor footprint': (edited(size=None), 'either footprint .* or size'),
    'materials for other walls': (edited(walls=['plaster']), '1 materials for 4 walls'),
    'not a mapping': ([1, 2], 'expected a mapping'),
    'keys of two types': (edited(**{'x': 1}) | {1: 2}, 'unknown key x; known: .*; unknown key 1'),
    'furniture without a place': (one('furniture', center=None), 'give either footprint or center'),
    'a coordinate beyond any room': (edited(size=[1e300, 4.0]), r'size\[0\]: .*1000, found 1e'),
    'a wall that is true': (
        one('panels', wall=True),
        'wall: should be a whole number',
    ),
    'a material that is nothing': (edited(materials={'felt': None}), "material 'felt': impossible"),
    'a list of furniture that is none': (edited(furniture={'a': 1}), 'furniture: should be a list'),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_rooms_are_refused_in_one_line(case):
    raw, message = BAD[case]
    with pytest.raises(QuietNavError, match=message) as caught:
        plan_from_dict(raw, where='room test.yaml')
    assert '\n' not in str(caught.value)
    assert str(caught.value).startswith('room test.yaml')


def test_a_missing_room_lists_those_there_are():
    with pytest.raises(QuietNavError, match=r"no room 'ballroom'.*rooms: classroom, hallway"):
        load_plan('ballroom')


def test_a_missing_file_lists_those_in_its_folder(tmp_path):
    (tmp_path / 'attic.yaml').write_text(yaml.safe_dump(ROOM))
    with pytest.raises(QuietNavError, match='rooms in its folder: attic'):
        load_plan(tmp_path / 'cellar.yaml')


def test_text_that_is_no_yaml_is_one_line(tmp_path):
    path = tmp_path / 'broken.yaml'
    path.write_text('size: [1, 2\nheight: 3')
    with pytest.raises(QuietNavError, match=r'broken\.yaml: not YAML') as caught:
        load_plan(path)
    assert '\n' not in str(caught.value)


def test_an_unknown_track_lists_those_there_are():
    with pytest.raises(QuietNavError, match="no track 'loop'; tracks: corner, corner_back"):
        load_plan('classroom').track('loop')


@pytest.mark.parametrize('data', [b'2001-99-99', b'[' * 3000, b'\xff', b'x: 1\n1: 2', b'', b'\0'])
def test_files_that_are_no_room_are_one_line(tmp_path, data):
    (tmp_path / 'room.yaml').write_bytes(data)
    with pytest.raises(QuietNavError, match=r'^room .*room\.yaml: ') as found:
        load_plan(tmp_path / 'room.yaml')
    assert '\n' not in str(found.value)


def test_a_room_of_thousands_of_corners_is_refused_before_it_is_checked():
    corners = [[float(i), 0.0] for i in range(900)] + [[0.0, 5.0]]
    with pytest.raises(QuietNavError, match=r'footprint: .*at most 500 items'):
        plan_from_dict({'footprint': corners, 'height': 3.0})
