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

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.quiet_campus.lists import (
    load_pairs,
    load_splits,
    OBSTACLE,
    ORDER,
    read_motion_recordings,
    read_obstacle_list,
    read_order_list,
    Row,
)
from quiet_nav.quiet_campus.rows import read_audio, with_distance

RATE = 16_000
SPLITS = {'train': ('R1', 'R2'), 'val': ('R3',), 'test': ('R4',)}


def write_list(path: Path, columns: list[str], rows: list[list]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows(rows)


def write_sound(path: Path, seconds: float = 2.0, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    soundfile.write(path, 0.1 * rng.standard_normal((round(seconds * RATE), channels)), RATE)


@pytest.fixture
def static(tmp_path: Path) -> Path:
    root = tmp_path / 'SFS-Static'
    for split, rooms in SPLITS.items():
        rows, pairs = [], []
        for room in rooms:
            for i, depth in enumerate((0.35, 1.7)):
                listed = f'./data/SFS-Static/ProcessedData/{room}/clip-00{i}'
                folder = root / 'ProcessedData' / room / f'clip-00{i}'
                write_sound(folder / 'sound.wav')
                (folder / 'annotation.json').write_text(json.dumps({'depth': depth}))
                start = [] if split == 'train' else [str(i)]
                rows.append([listed, str(depth), *start, str(1 - i)])
            pairs.append([f'./data/SFS-Static/ProcessedData/{room}', 'clip-000', 'clip-001', '1'])
        start = [] if split == 'train' else ['start second']
        lists = root / 'data-split'
        write_list(lists / OBSTACLE / f'{split}.csv', ['path', 'depth', *start, 'IfObstacle'], rows)
        write_list(lists / ORDER / f'{split}.csv', ['path', 'clip_1', 'clip_2', 'label'], pairs)
    return root


def test_static_lists_become_rows_under_the_users_folder(static):
    splits = load_splits(static)
    assert [len(splits[s]) for s in SPLITS] == [4, 2, 2]
    row = splits.test[1]
    assert row.audio == static / 'ProcessedData' / 'R4' / 'clip-001' / 'sound.wav'
    assert (row.room, row.start_s, row.near, row.distance_m) == ('R4', 1.0, False, 1.7)
    assert splits.train[0].start_s is None
    assert load_splits(static.parent).val == splits.val


def test_pairs_say_which_is_nearer(static):
    pairs = load_pairs(static)
    assert pairs['train'][0].first_nearer is True
    assert with_distance(pairs['train'][0].second).distance_m == 1.7


def test_all_missing_files_are_named_at_once(static):
    gone = [static / 'ProcessedData' / room / 'clip-000' / 'sound.wav' for room in ('R1', 'R4')]
    for path in gone:
        path.unlink()
    with pytest.raises(QuietNavError, match='2 of 8 files') as error:
        load_splits(static)
    assert all(str(path) in str(error.value) for path in gone)


def test_room_in_two_splits_is_refused(static):
    lists = static / 'data-split' / OBSTACLE
    (lists / 'test.csv').write_text((lists / 'val.csv').read_text())
    with pytest.raises(QuietNavError, match='rooms in both val and test: R3'):
        load_splits(static)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('"path","depth"\n"x","1"\n', 'columns'),
        ('"path","depth","IfObstacle"\n"./data/X/room","1.0","1"\n', 'row 2 .*ProcessedData'),
        ('"path","depth","IfObstacle"\n"./d/ProcessedData/R/c","near","1"\n', 'row 2'),
        ('"path","depth","IfObstacle"\n"./d/ProcessedData/R/c","1.0","yes"\n', "label 'yes'"),
        ('path,IfObstacle,depth\n./ProcessedData/a/b,1\n', 'line 2 has 2 values, expected 3'),
        ('path,IfObstacle\n./ProcessedData/a/b,1\n', 'row 2 .*no column depth'),
        ('path,IfObstacle,depth\nProcessedData/../../x/y,1,1\n', r'row 2 .*leads out of'),
        ('path,IfObstacle,depth\nProcessedData,1,1\n', 'no ProcessedData with a folder'),
        ('path,IfObstacle,depth\nProcessedData/a/b,1,nan\n', "depth 'nan' is no number from 0"),
        ('path,IfObstacle,depth,start second\nProcessedData/a/b,1,1,nan\n', "start second 'nan'"),
        ('path,IfObstacle,depth,start second\nProcessedData/a/b,1,1,-1\n', "start second '-1'"),
        ('path,IfObstacle,depth,channel\nProcessedData/a/b,1,1,1e300\n', 'channel .* 254'),
        ('path,IfObstacle,depth,side\nProcessedData/a/b,1,1,UP\n', "side 'UP' is none of FRONT"),
        ('path,IfObstacle,depth_path_1\nProcessedData/a,1,d.png\n', "'d.png' is no depth image"),
    ],
)
def test_malformed_list_names_file_and_row(tmp_path, text, said):
    path = tmp_path / 'train.csv'
    path.write_text(text)
    with pytest.raises(QuietNavError, match=said) as error:
        read_obstacle_list(path, tmp_path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('path,clip_1,clip_2,label\nProcessedData/a,x\n', 'line 2 has 2 values'),
        ('path,clip_1,clip_2,label\nProcessedData/a,x,../../../b,1\n', 'row 2 .*leads out of'),
        ('path,clip_1,clip_2,label\nProcessedData/a,x,/etc,1\n', 'row 2 .*lies elsewhere'),
        ('path,clip_1,label\nProcessedData/a,x,1\n', 'row 2 .*no column clip_2'),
        ('path,depth_path_1\nProcessedData/a,d1.png\n', 'no column depth_path_2'),
        ('path,depth_path_1,depth_path_2,distance\nProcessedData/a,d1,d2,inf\n', "distance 'inf'"),
    ],
)
def test_malformed_lists_of_pairs_name_file_and_row(tmp_path, text, said):
    path = tmp_path / 'test.csv'
    path.write_text(text)
    with pytest.raises(QuietNavError, match=said) as error:
        read_order_list(path, tmp_path)
    assert str(path) in str(error.value)


def test_lists_that_name_no_file_that_can_be_are_refused(static):
    path = static / 'data-split' / OBSTACLE / 'val.csv'
    path.write_text(f'path,depth,IfObstacle\nProcessedData/R3/{"n" * 300},1,1\n')
    with pytest.raises(QuietNavError, match=r'1 of 7 files .*are missing'):
        load_splits(static)


def test_lists_with_a_byte_order_mark_are_read(static):
    path = static / 'data-split' / OBSTACLE / 'val.csv'
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert len(load_splits(static).val) == 2


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('{}', 'depth is missing'),
        ('[]', 'expected a mapping'),
        ('{"depth":"LEFT"}', r"depth\[0\]: should be a number, found 'LEFT'"),
        ('{"depth":["x"]}', r"depth\[0\]: should be a number, found 'x'"),
        ('{"depth":[1.0, 2.0]}', '2 distances, expected the one'),
        ('{"depth":NaN}', 'depth: nan, expected a finite'),
        ('{"depth":-1}', r'depth\[0\]: .*greater than or equal to 0'),
        ('[' * 100_000, 'not JSON'),
    ],
)
def test_annotations_that_say_no_distance_name_file_and_field(static, text, said):
    row = load_pairs(static)['train'][0].second
    (row.folder / 'annotation.json').write_text(text)
    with pytest.raises(QuietNavError, match=said) as error:
        with_distance(row)
    assert str(row.folder) in str(error.value) and '\n' not in str(error.value)


def test_depth_images_that_are_none_are_refused(tmp_path):
    row = Row('R', tmp_path / 'Audio' / 'sound.wav', frame=0)
    row.depth_image.parent.mkdir()
    for data in (b'', b'\x89PNG\r\n\x1a\n', b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'):
        row.depth_image.write_bytes(data)
        with pytest.raises(QuietNavError, match=r'd007\.png: no readable image'):
            with_distance(row)


def test_sounds_cut_or_damaged_are_refused(tmp_path):
    row = Row('R', tmp_path / 'sound.wav')
    write_sound(row.audio)
    whole = row.audio.read_bytes()
    row.audio.write_bytes(whole[:60])
    with pytest.raises(QuietNavError, match='cut short'):
        read_audio(row, 0.0, 3.0)
    write_sound(row.audio, seconds=0.0005)
    with pytest.raises(QuietNavError, match='8 samples, expected 1600 at least'):
        read_audio(row, 0.0, 3.0)


def test_folders_without_recordings_or_lists_are_refused(tmp_path, static):
    with pytest.raises(QuietNavError, match='no such folder'):
        load_splits(tmp_path / 'nowhere')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(QuietNavError, match='expected ProcessedData'):
        load_splits(tmp_path / 'empty')
    with pytest.raises(QuietNavError, match=r'no train\.csv'):
        load_splits(static, lists=tmp_path / 'empty')


def test_motion_rows_know_their_time_frame_and_distance(tmp_path):
    cv2 = pytest.importorskip('cv2', reason='OpenCV writes the 16-bit image')
    root = tmp_path / 'SFS-Motion'
    scene = './data/SFS-Motion/ProcessedData/scene-0007'
    write_list(tmp_path / 'test.csv', ['path', 'depth_path_1', 'IfObstacle'],
               [[scene, 'd030.png', '1']])  # fmt: skip
    row = read_obstacle_list(tmp_path / 'test.csv', root)[0]
    assert (row.start_s, row.room, row.near) == (2.0, 'scene-0007', True)
    assert row.audio == root / 'ProcessedData' / 'scene-0007' / 'Audio' / 'sound.wav'
    assert row.depth_image.name == 'd037.png' and row.image.name == 'c037.png'
    depth = np.full((480, 640), 60000, np.uint16)
    depth[120:360, 160:480] = round(0.45 * 2**16 / 10)
    row.depth_image.parent.mkdir(parents=True)
    cv2.imwrite(str(row.depth_image), depth)
    assert with_distance(row).distance_m == pytest.approx(0.45, abs=2e-4)


def test_motion_pairs_and_recordings(tmp_path):
    scene = './data/SFS-Motion/ProcessedData/scene-0007'
    path = tmp_path / 'list.csv'
    write_list(path, ['path', 'depth_path_1', 'depth_path_2', 'distance'],
               [[scene, 'd015.png', 'd100.png', '-0.19']])  # fmt: skip
    pair = read_order_list(path, tmp_path)[0]
    assert pair.first_nearer is True and pair.second.start_s == pytest.approx(100 / 15)
    write_list(path, ['path'], [[scene], [scene]])
    assert read_order_list(path, tmp_path) == []
    assert [row.room for row in read_motion_recordings(path, tmp_path)] == ['scene-0007']


def test_rows_of_a_rig_have_channel_and_side(tmp_path):
    listed = './data/SFS-Robot/ProcessedData/SIM-0001/pose-000'
    columns = ['path', 'depth', 'start second', 'channel', 'side', 'IfObstacle']
    path = tmp_path / 'test.csv'
    write_list(path, columns, [[listed, '0.37', '0', '1', 'RIGHT', '1']])
    row = read_obstacle_list(path, tmp_path)[0]
    assert (row.channel, row.side, row.start_s) == (1, Side.RIGHT, 0.0)


def test_audio_is_one_channel_or_the_mean_and_wraps_where_short(tmp_path):
    path = tmp_path / 'sound.wav'
    soundfile.write(path, np.tile([[0.25, 0.5]], (RATE, 1)), RATE, subtype='FLOAT')
    assert read_audio(Row('R', path, channel=1), 0.0, 0.5) == pytest.approx(np.full(8000, 0.5))
    assert read_audio(Row('R', path), 0.9, 0.5) == pytest.approx(np.full(8000, 0.375))
    assert len(read_audio(Row('R', path), 0.0, 3.0)) == 3 * RATE
    with pytest.raises(QuietNavError, match='no channel 2 in 2'):
        read_audio(Row('R', path, channel=2), 0.0, 0.5)
    soundfile.write(path, np.zeros(100), 44100)
    with pytest.raises(QuietNavError, match='44100 Hz, expected 16000'):
        read_audio(Row('R', path), 0.0, 0.5)
    path.write_text('no sound')
    with pytest.raises(QuietNavError, match='no readable audio'):
        read_audio(Row('R', path), 0.0, 0.5)


def official_lists() -> Path | None:
    """Return the released lists: of QUIET_CAMPUS_LISTS, or in ../shared beside the checkout."""
    beside = Path(__file__).parents[2].parent / 'shared' / 'data' / 'quiet-campus-splits'
    folder = Path(os.environ.get('QUIET_CAMPUS_LISTS', beside))
    return folder if folder.is_dir() else None


@pytest.mark.slow
@pytest.mark.skipif(official_lists() is None, reason='set QUIET_CAMPUS_LISTS to the official lists')
def test_all_twelve_official_lists_are_read(tmp_path):
    counts, rooms = {}, {}
    for subset in ('SFS-Static', 'SFS-Motion'):
        for split in ('train', 'val', 'test'):
            near = official_lists() / subset / OBSTACLE / f'{split}.csv'
            rows = read_obstacle_list(near, tmp_path)
            counts[subset, split] = len(rows)
            rooms[subset, split] = {row.room for row in rows}
            order = official_lists() / subset / ORDER / f'{split}.csv'
            pairs = read_order_list(order, tmp_path) or read_motion_recordings(order, tmp_path)
            counts[subset, split, 'order'] = len(pairs)
    assert [counts['SFS-Static', s] for s in SPLITS] == [610, 840, 1516]
    assert [len(rooms['SFS-Static', s]) for s in SPLITS] == [29, 4, 9]
    assert [counts['SFS-Static', s, 'order'] for s in SPLITS] == [10324, 1544, 3928]
    assert [counts['SFS-Motion', s] for s in SPLITS] == [14069, 1592, 2916]
    assert [counts['SFS-Motion', s, 'order'] for s in SPLITS] == [155, 8800, 18000]
    static = read_obstacle_list(official_lists() / 'SFS-Static' / OBSTACLE / 'test.csv', tmp_path)
    assert all((row.distance_m < 0.6) == row.near for row in static)
    assert not any(math.isnan(row.distance_m) for row in static)
