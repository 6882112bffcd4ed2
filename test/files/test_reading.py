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

"""What others wrote is read within limits, or refused in one line that names file and place."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
from PIL import Image
from pydantic import Field
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.files.csv_files import read_csv
from quiet_nav.files.images import read_depth, read_rgb
from quiet_nav.files.json_files import parse_json, read_json
from quiet_nav.files.opening import decode_text, read_bytes, read_text
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.files.sounds import read_sound, sound_info
from quiet_nav.files.yaml_files import parse_yaml, read_yaml

READERS = {
    'bytes': read_bytes,
    'YAML': read_yaml,
    'JSON': read_json,
    'list': lambda path: read_csv(path, ('a',)),
    'image': read_rgb,
    'depth': read_depth,
    'sound': read_sound,
    'sound header': sound_info,
}


@pytest.mark.parametrize('reader', READERS)
def test_only_regular_files_are_read(tmp_path, reader):
    os.mkfifo(tmp_path / 'pipe')
    read = READERS[reader]
    for path, said in {
        tmp_path / 'pipe': 'it is a pipe',
        '/dev/zero': 'it is a device',
        tmp_path: 'it is a folder',
        tmp_path / 'missing': 'No such file',
        tmp_path / ('n' * 300): 'name too long',
        'a\0b': 'null byte',
    }.items():
        with pytest.raises(QuietNavError, match=f'cannot be read.*{said}') as found:
            read(path)
        assert str(path) in str(found.value) and '\n' not in str(found.value)


def test_longer_files_are_refused(tmp_path):
    path = tmp_path / 'long'
    path.write_bytes(b'x' * 11)
    assert len(read_bytes(path, most_bytes=11)) == 11
    with pytest.raises(QuietNavError, match='longer than 10 bytes'):
        read_bytes(path, most_bytes=10)


def test_byte_order_marks_are_no_part_of_a_text(tmp_path):
    for encoding in ('utf-8', 'utf-8-sig', 'utf-16', 'utf-16-be'):
        mark = '\ufeff' if encoding == 'utf-16-be' else ''
        assert decode_text(f'{mark}größe: 1'.encode(encoding), 'x') == 'größe: 1'
    (tmp_path / 'x').write_bytes(b'abc \xff')
    with pytest.raises(QuietNavError, match=r'room: cannot .* 0xff at byte 4 is no UTF-8'):
        read_text(tmp_path / 'x', 'room')


YAML_FAULTS = {
    '[1, 2': 'not YAML',
    '[' * 3000: 'nested deeper',
    'a: ' + '[' * 70 + ']' * 70: 'nested deeper',
    '? [1]\n: 2': 'not YAML',
    'x: ' + '9' * 5000: 'not YAML',
    'x: ' + '9' * 400: r'x: a whole number of \d+ bits',
    'ears: [{position: [1, .nan]}]': r'ears\[0\]\.position\[1\]: nan, expected a finite',
    'x: -.inf': 'x: -inf',
    'x: 1e999': 'x: inf',
    'x: !!binary aGk=': 'x: found b',
    'x: !!python/object:os.system {}': 'not YAML',
    'a: 1\na: 2': "the key 'a' stands twice",
    'a: &a [*a]': 'nested deeper',
    'x: 0x': '^$',
    '--- 1\n--- 2': 'not YAML',
    'a\0b': 'not YAML',
    '%YAML 9.9\n--- 1': 'not YAML',
}


@pytest.mark.parametrize('text', YAML_FAULTS, ids=range(len(YAML_FAULTS)))
def test_yaml_that_no_format_holds_is_one_line(text):
    if text == 'x: 0x':
        assert parse_yaml(text, 'rig') == {'x': '0x'}
        return
    with pytest.raises(QuietNavError, match=f'^rig: .*{YAML_FAULTS[text]}') as found:
        parse_yaml(text, 'rig')
    assert '\n' not in str(found.value) and len(str(found.value)) < 300


def test_yaml_aliases_are_followed_as_far_as_they_are_small():
    text = 'a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\nc: &c {<<: *a, z: 1}\nd: {<<: *c, z: 4}'
    expected = {'x': 1, 'y': 2}
    assert parse_yaml(text, 'x') == {
        'a': expected,
        'b': {**expected, 'x': 3},
        'c': {**expected, 'z': 1},
        'd': {**expected, 'z': 4},
    }
    laughs = 'a0: &a0 [x]\n' + ''.join(
        f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]\n' for i in range(1, 12)
    )
    with pytest.raises(QuietNavError, match='more than 1000000 values'):
        parse_yaml(laughs, 'x')
    merged = 'a0: &a0 {x: 1}\n' + ''.join(
        f'a{i}: &a{i} {{<<: [{", ".join([f"*a{i - 1}"] * 10)}]}}\n' for i in range(1, 12)
    )
    with pytest.raises(QuietNavError, match='keys are merged'):
        parse_yaml(merged, 'x')


def test_yaml_numbers_and_dates_are_what_people_mean():
    assert parse_yaml('[1e-3, 2.5E4, -1e5, 1.5, 7]', 'x') == [1e-3, 2.5e4, -1e5, 1.5, 7]
    assert parse_yaml('[2001-99-99, 2001-01-01, e3, -]', 'x') == [
        '2001-99-99', '2001-01-01', 'e3', '-',
    ]  # fmt: skip


JSON_FAULTS = {
    '': 'not JSON',
    '{"a": 1': 'not JSON',
    '[' * 100_000: 'not JSON',
    '[' * 80 + ']' * 80: 'nested deeper',
    '9' * 5000: 'not JSON',
    '{"ears": {"0": [1, ' + '9' * 400 + ']}}': r'ears\.0\[1\]: a whole number',
    '{"a": NaN}': 'a: nan, expected a finite',
    '[1e999]': r'\[0\]: inf',
    '{"a": 1, "a": 2}': "not JSON .the key 'a' stands twice",
}


@pytest.mark.parametrize('text', JSON_FAULTS, ids=range(len(JSON_FAULTS)))
def test_json_that_no_format_holds_is_one_line(text):
    with pytest.raises(QuietNavError, match=f'^reference: {JSON_FAULTS[text]}') as found:
        parse_json(text, 'reference')
    assert '\n' not in str(found.value) and len(str(found.value)) < 300


def test_json_may_hold_nan_where_its_format_does():
    assert np.isnan(parse_json('[NaN]', 'x', finite=False)[0])


LIST_FAULTS = {
    '': 'columns a, b expected, found nothing',
    'a;b\n1;2\n': 'separate them by commas',
    'a,b\n1\n': 'line 2 has 1 values, expected 2: a, b',
    'a,b\n1,2\n\n1,2,3\n': 'line 4 has 3 values',
    'a,b,a\n': "the column 'a' stands twice",
    'a,b\n1,"' + 'x' * 200_000: 'line 2 is no CSV',
}


@pytest.mark.parametrize('text', LIST_FAULTS, ids=range(len(LIST_FAULTS)))
def test_lists_that_are_none_name_the_line(tmp_path, text):
    path = tmp_path / 'train.csv'
    path.write_text(text)
    with pytest.raises(QuietNavError, match=rf'train\.csv: .*{LIST_FAULTS[text]}'):
        read_csv(path, ('a', 'b'))


def test_lists_of_spreadsheets_are_read(tmp_path):
    (tmp_path / 'x.csv').write_bytes(b'\xef\xbb\xbfa,b\r\n"1,5",2\r\n\r\n3,4\r\n')
    assert read_csv(tmp_path / 'x.csv', ('a',)) == [
        (2, {'a': '1,5', 'b': '2'}),
        (4, {'a': '3', 'b': '4'}),
    ]


class _Ear(Schema):
    channel: int
    position: tuple[float, float]


class _Rig(Schema):
    name: Name = 'x'
    turns: bool = False
    ears: tuple[_Ear, ...]
    named: dict[str, _Ear] = Field({})
    last: _Ear | None = None


SCHEMA_FAULTS = [
    (3, 'expected a mapping of name, turns, ears, named, last; found 3'),
    ({}, 'ears is missing'),
    ({'ears': [], 'turn': 1}, 'unknown key turn; known: name, turns, ears, named, last'),
    ({'ears': [], 1: 1}, 'unknown key 1; known'),
    ({'ears': [{'chanel': 1}]}, r'unknown key ears\[0\]\.chanel; known: channel, position'),
    ({'ears': [], 'named': {'a': {'x': 1}}}, r'unknown key named\.a\.x; known: channel, position'),
    ({'ears': [], 'last': {'x': 1}}, r'unknown key last\.x; known: channel, position'),
    ({'ears': [], 'turns': 'no'}, "turns: should be true or false, found 'no'"),
    (
        {'ears': [{'channel': 0.9, 'position': [0, 0]}]},
        r'ears\[0\]\.channel: .*found 0\.9',
    ),
    ({'ears': [{'channel': 0, 'position': '12'}]}, r"ears\[0\]\.position: .*found '12'"),
    ({'ears': [{'channel': 0, 'position': [0]}]}, r'ears\[0\]\.position\[1\] is missing'),
    ({'ears': [], 'name': 'a\nb'}, 'name: '),
]


@pytest.mark.parametrize(('content', 'said'), SCHEMA_FAULTS)
def test_fields_that_are_wrong_are_named(content, said):
    with pytest.raises(QuietNavError, match=f'^rig: {said}') as found:
        checked(_Rig, content, 'rig')
    assert '\n' not in str(found.value)


def test_fields_that_are_right_have_their_types():
    rig = checked(_Rig, {'name': 101, 'ears': [{'channel': 1, 'position': [1, 2.5]}]}, 'rig')
    assert rig == _Rig(name='101', ears=(_Ear(channel=1, position=(1.0, 2.5)),))


def png_of(width, height):
    def chunk(name, data):
        body = name + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    header = struct.pack('>IIBBBBB', width, height, 1, 0, 0, 0, 0)
    row = b'\0' * (1 + (width + 7) // 8)
    return (
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
        + chunk(b'IDAT', zlib.compress(row * height, 9)) + chunk(b'IEND', b'')
    )  # fmt: skip


def test_images_are_what_they_hold(tmp_path):
    color = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    depth = np.random.default_rng(0).integers(0, 65536, (6, 5)).astype(np.uint16)
    Image.fromarray(color).save(tmp_path / 'c.png')
    Image.fromarray(depth).save(tmp_path / 'd.png')
    assert np.array_equal(read_rgb(tmp_path / 'c.png'), color)
    assert np.array_equal(read_depth(tmp_path / 'd.png'), depth)
    with pytest.raises(QuietNavError, match='one channel of 16 bits'):
        read_depth(tmp_path / 'c.png')


@pytest.mark.parametrize('read', [read_rgb, read_depth])
def test_images_that_are_none_or_too_large_are_one_line(tmp_path, read):
    Image.fromarray(np.zeros((40, 40), np.uint16)).save(tmp_path / 'whole.png')
    whole = (tmp_path / 'whole.png').read_bytes()
    bad = {'empty': b'', 'text': b'P5 no', 'postscript': b'%!PS-Adobe-3.0 EPSF-3.0\n'}
    bad |= {f'cut at {end}': whole[:end] for end in (8, 20, 33, 40, len(whole) - 20)}
    for name, data in bad.items():
        path = tmp_path / f'{name}.png'
        path.write_bytes(data)
        with pytest.raises(QuietNavError, match='no readable image') as found:
            read(path)
        assert str(path) in str(found.value) and '\n' not in str(found.value)
    for side in (7_000, 14_000):
        (tmp_path / 'bomb.png').write_bytes(png_of(side, side))
        with pytest.raises(QuietNavError, match=r'bomb\.png: the image is too large'):
            read(tmp_path / 'bomb.png')


def sound(path, seconds=3.0, **options):
    samples = np.random.default_rng(0).standard_normal((round(16_000 * seconds), 2)) * 0.02
    soundfile.write(path, samples, 16_000, **options)
    return path.read_bytes()


@pytest.mark.parametrize('ending', ['wav', 'flac'])
def test_sounds_are_what_they_hold(tmp_path, ending):
    path = tmp_path / f'x.{ending}'
    sound(path)
    expected, _ = soundfile.read(path, dtype='float32', always_2d=True)
    assert sound_info(path).frames == 48_000 and sound_info(path).duration_s == 3.0
    assert np.array_equal(read_sound(path)[0], expected)
    assert np.array_equal(read_sound(path, 100, 50)[0], expected[100:150])
    assert len(read_sound(path, 47_990, 50)[0]) == 10
    with pytest.raises(QuietNavError, match='expected 1000 at most'):
        read_sound(path, most_samples=2_000)


def test_sounds_that_are_cut_or_damaged_are_one_line(tmp_path):
    whole, flac = sound(tmp_path / 'x.wav'), sound(tmp_path / 'x.flac')
    middle = len(flac) // 2
    for name, data, said in (
        ('cut.wav', whole[:76], 'cut short: 191968 bytes fewer than its header says'),
        ('none.wav', b'no sound', 'no readable audio'),
        ('empty.wav', b'', 'no readable audio'),
        ('cut.flac', flac[:middle], 'damaged|cut short'),
        ('hurt.flac', flac[:middle] + b'U' * 4000 + flac[middle + 4000 :], 'damaged'),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(QuietNavError, match=f'{name}: .*({said})') as found:
            read_sound(tmp_path / name)
        assert '\n' not in str(found.value)


def test_recorders_that_do_not_know_the_length_yet_are_read(tmp_path):
    whole = bytearray(sound(tmp_path / 'x.wav'))
    at = whole.index(b'data') + 4
    for length in (0xFFFFFFFF, 0x7FFFF000):
        whole[at : at + 4] = struct.pack('<I', length)
        (tmp_path / 'streamed.wav').write_bytes(whole)
        assert len(read_sound(tmp_path / 'streamed.wav')[0]) == 48_000


def test_names_of_before_are_still_read():
    from quiet_nav.learning.recipe import recipe_from_dict
    from quiet_nav.perception.model_metadata import ModelMetadata
    from quiet_nav.simulation.rooms.plan_files import plan_from_dict
    from quiet_nav.simulation.sound.robot_profile import profile_from
    from quiet_nav.study.tasks.options import TaskOptions

    tracks = [{'side': 'left', 'width': 2.0, 'centre': [[1.0, 3.0], [3.0, 3.0]]}]
    table = {'centre': [3.0, 0.5], 'length': 1.0, 'width': 0.5, 'height': 0.8}
    room = plan_from_dict(
        {'size': [4.0, 4.0], 'height': 2.5, 'tracks': tracks, 'furniture': [table]}
    )
    assert room.tracks[0].center == ((1.0, 3.0), (3.0, 3.0)) and len(room.furniture) == 1
    recipe = recipe_from_dict({
        'network': {'kind': 'task', 'options': {'equaliser_db': 6.0}}, 'image': {'colour': 0.4},
    })  # fmt: skip
    assert recipe.image.color == 0.4 and TaskOptions.of(recipe).equalizer_db == 6.0
    values = [1.0] * 9
    source = {'name': 'fan', 'position': [0.0, 0.0, 0.1], 'equaliser_db': values}
    profile = profile_from({'name': 'mine', 'sources': [source]})
    assert list(profile.sources[0].equalizer_db) == values
    said = ModelMetadata('vggish', license='MIT', extra={'quantize': 'static'}).to_strings()
    before = {key.replace('license', 'licence'): text for key, text in said.items()}
    before['quiet_nav.extra'] = before['quiet_nav.extra'].replace('quantize', 'quantise')
    assert ModelMetadata.from_strings(before) == ModelMetadata.from_strings(said)
