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

"""A campus on disk: layout, labels, splits, and going on after a stop."""

from dataclasses import replace
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.io import wavfile

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus import folders as campus_files
from quiet_nav.quiet_campus.lists import load_pairs, load_splits
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.simulation.campus.build import describe, make_campus
from quiet_nav.simulation.campus.kinds import dense as dense_kind
from quiet_nav.simulation.campus.kinds import robot as robot_kind
from quiet_nav.simulation.campus.kinds import static as static_kind
from quiet_nav.simulation.campus.places import plan_room, split_rooms
from quiet_nav.simulation.campus.request import CampusRequest

pytest.importorskip('pyroomacoustics')

RIG = str(Path(__file__).parents[2] / 'config' / 'rigs' / 'pair.yaml')
#: Rooms of one and of two sources, with few places: they are made again and again here.
ROBOT = CampusRequest('robot', 2, seed=56, images=False, rig=RIG, plain=True)
#: What an annotation says of the ears where, by how far the robot has turned.
TURNS = {'ears': 0.0, 'ears turned': np.pi, 'ears quarter': np.pi / 2}


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(Path(root).rglob('*'))
        if path.is_file()
    }


SLOW_FIXTURES = ('robot', 'static')


@pytest.fixture(scope='module')
def robot(tmp_path_factory):
    out = tmp_path_factory.mktemp('robot')
    make_campus(ROBOT, out, workers=1)
    return out


@pytest.fixture(scope='module')
def static(tmp_path_factory):
    out = tmp_path_factory.mktemp('static')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static_kind, 'STATIC_LENGTH_S', 2.0)
        request = CampusRequest('static', 3, seed=1, images=False, plain=True, most_sources=1)
        make_campus(request, out, workers=1)
    return out


def wall_ahead(x, y, bearing, length, width):
    """Distance to the walls of a box in a direction, by its four planes."""
    steps = []
    c, s = np.cos(bearing), np.sin(bearing)
    if abs(c) > 1e-12:
        steps.append(((length if c > 0 else 0.0) - x) / c)
    if abs(s) > 1e-12:
        steps.append(((width if s > 0 else 0.0) - y) / s)
    return min(steps)


def test_static_places_face_the_nearest_wall_at_the_official_distances():
    request = CampusRequest('static', 40, seed=2, images=False, plain=True)
    near, far = [], []
    for index in range(request.rooms):
        room = plan_room(request, index)
        length, width = np.ptp(np.array(room.scene.room.footprint), axis=0)
        assert 16 <= len(room.places) <= 30
        for i, place in enumerate(room.places):
            pose = place.pose
            ahead = wall_ahead(pose.x, pose.y, pose.yaw, length, width)
            assert ahead == pytest.approx(
                min(pose.x, pose.y, length - pose.x, width - pose.y), abs=1e-6
            )
            (near if i % 2 == 0 else far).append(ahead)
    # The official lists: 0.27-0.56 m (median 0.40), and from 1.00 m on (median 1.7).
    assert min(near) > 0.26 and max(near) < 0.57
    assert np.median(near) == pytest.approx(0.398, abs=0.02)
    assert min(far) > 1.0
    assert np.median(far) == pytest.approx(1.6, abs=0.25)


@pytest.mark.slow
def test_static_folder_is_read_as_quiet_campus(static):
    splits = load_splits(static)
    rows = [row for split in ('train', 'val', 'test') for row in splits[split]]
    assert {row.near for row in rows} == {True, False}
    for row in rows:
        assert row.near == (row.distance_m < 0.6)
    assert all(row.start_s is None for row in splits.train)
    assert {row.start_s for row in splits.test} == {0.0, 1.0}
    audio = read_audio(splits.test[0], 0.0, 0.96)
    assert audio.shape == (15_360,) and 1e-4 < audio.std() < 0.2
    pairs = load_pairs(static)
    assert all(len(pairs[split]) > 20 for split in pairs)
    said = json.loads((splits.test[0].folder / 'annotation.json').read_text())
    assert {'depth', 'Max depth in map', 'Audio Length'} <= set(said)


def test_no_room_is_in_two_parts_and_shares_are_the_official_ones():
    splits = split_rooms(CampusRequest('static', 46, seed=0))
    assert sorted(i for rooms in splits.values() for i in rooms) == list(range(46))
    assert [len(splits[s]) for s in ('train', 'val', 'test')] == [32, 4, 10]
    assert [len(rooms) for rooms in split_rooms(CampusRequest('static', 1, 0)).values()] == [
        1,
        0,
        0,
    ]
    splits = split_rooms(CampusRequest('static', 5, 0, test_only=True))
    assert splits == {'train': [], 'val': [], 'test': [0, 1, 2, 3, 4]}


@pytest.mark.slow
def test_every_ear_of_a_robot_is_labeled_as_geometry_says(robot):
    manifest = json.loads((robot / 'SFS-Robot' / 'manifest.json').read_text())
    labels, places = [], 0
    for name, room in manifest['rooms'].items():
        length, width = np.ptp(np.array(room['scene']['room']['footprint']), axis=0)
        assert 16 <= len(room['places']) <= 24
        for place in room['places']:
            folder = robot / 'SFS-Robot' / 'ProcessedData' / name / place['name']
            said = json.loads((folder / 'annotation.json').read_text())
            pose = said['pose']
            away = min(pose['x'], pose['y'], length - pose['x'], width - pose['y'])
            assert 0.199 <= away <= 2.0
            places += 1
            for key, turn in TURNS.items():
                for ear, left in zip(said[key], (1, -1), strict=True):
                    yaw = pose['yaw'] + turn
                    x = pose['x'] - left * 0.15 * np.sin(yaw)
                    y = pose['y'] + left * 0.15 * np.cos(yaw)
                    assert ear['position'] == pytest.approx([x, y, 0.25], abs=1e-5)
                    distance = wall_ahead(x, y, yaw + left * np.pi / 2, length, width)
                    assert ear['distance'] == pytest.approx(distance, abs=1e-4)
                    assert ear['near'] == (ear['distance'] <= 0.5)
                    plain = min(x, y, length - x, width - y)
                    assert ear['nearest wall'] == pytest.approx(plain, abs=1e-4)
            labels += [ear['near'] for ear in said['ears']]
            for window in ('sound.wav', 'later.wav', 'turned.wav', 'quarter.wav'):
                rate, samples = wavfile.read(folder / window)
                assert rate == 16_000 and samples.shape == (48_000, 2)
                assert samples.dtype == np.int16 and samples.std(axis=0).min() > 5
            begin, end = said['windows']['later.wav']
            assert begin - said['windows']['sound.wav'][0] == pytest.approx(6.0)
            assert end - begin == pytest.approx(3.0)
    assert 0.05 < np.mean(labels) < 0.4
    splits = load_splits(robot / 'SFS-Robot')
    assert sum(len(splits[s]) for s in ('train', 'val', 'test')) == 2 * places
    assert {row.channel for row in splits.val} == {0, 1}


def test_manifest_holds_seed_versions_and_every_drawn_parameter(robot):
    manifest = json.loads((robot / 'SFS-Robot' / 'manifest.json').read_text())
    assert manifest['request']['seed'] == ROBOT.seed and manifest['request']['rig'] == 'pair'
    assert set(manifest['versions']) >= {'quiet_nav', 'numpy', 'pyroomacoustics', 'python'}
    splits = manifest['splits']
    assert sorted(name for names in splits.values() for name in names) == sorted(manifest['rooms'])
    again = json.loads(campus_files.to_json(describe(ROBOT, splits)))
    assert again == manifest
    source = manifest['rooms'][splits['train'][0]]['scene']['sources'][0]
    assert {'position', 'slope', 'equaliser_db', 'level_db', 'gain_db', 'schedule'} <= set(source)
    assert str(robot) not in json.dumps(manifest)


@pytest.mark.slow
def test_killed_and_started_again_gives_the_same_bytes(robot, tmp_path):
    command = [
        *(sys.executable, '-m', 'quiet_nav.cli', 'campus', str(tmp_path), '--kind', 'robot'),
        *(
            '--rooms',
            '2',
            '--seed',
            str(ROBOT.seed),
            '--no-images',
            '--rig',
            'pair',
            '--workers',
            '1',
        ),
        '--plain',
    ]
    root = tmp_path / 'SFS-Robot'
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(root.glob('ProcessedData/.part-SIM-0001-*/pose-*')):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (root / 'manifest.json').exists()
    assert [p.name for p in root.glob('ProcessedData/SIM-*')] == ['SIM-0000']
    before = (root / 'ProcessedData' / 'SIM-0000').stat().st_mtime_ns
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(root)
    assert (root / 'ProcessedData' / 'SIM-0000').stat().st_mtime_ns == before
    assert contents(tmp_path) == contents(robot)


def running_still(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='needs /proc')
def test_workers_end_when_the_command_is_killed(tmp_path):
    command = [
        *(sys.executable, '-m', 'quiet_nav.cli', 'campus', str(tmp_path), '--kind', 'dense'),
        *('--rooms', '4', '--no-images', '--workers', '2'),
    ]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob('SFS-Dense/ProcessedData/.part-*'))) < 2:
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    children = Path(f'/proc/{running.pid}/task/{running.pid}/children').read_text().split()
    assert len(children) >= 2
    running.kill()
    running.wait()
    deadline = time.monotonic() + 20
    while any(running_still(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_bytes(robot, tmp_path):
    pytest.importorskip('distributed')
    seen = []
    make_campus(ROBOT, tmp_path, 2, 'local', lambda done, total: seen.append((done, total)))
    assert contents(tmp_path) == contents(robot)
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_a_cluster_that_does_not_answer_is_one_clear_error(tmp_path, monkeypatch):
    pytest.importorskip('distributed')
    from quiet_nav import engine

    monkeypatch.setattr(engine, 'ANSWER_S', 0.5)
    with pytest.raises(QuietNavError, match=r'127\.0\.0\.1:1'):
        make_campus(ROBOT, tmp_path, 2, 'tcp://127.0.0.1:1')


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    written = []
    write = campus_files.write_sound

    def until_full(path, samples):
        if len(written) == 40:
            with open('/dev/full', 'wb', buffering=0) as full:
                full.write(b'x')
        written.append(path)
        write(path, samples[..., :100])

    monkeypatch.setattr(robot_kind, 'write_sound', until_full)
    monkeypatch.setattr(robot_kind, 'WINDOW_S', 0.1)
    with pytest.raises(QuietNavError, match='no space left'):
        make_campus(ROBOT, tmp_path, workers=1)
    root = tmp_path / 'SFS-Robot'
    assert len(written) == 40
    assert [path.name for path in (root / 'ProcessedData').iterdir()] in ([], ['SIM-0000'])
    assert not (root / 'manifest.json').exists() and not (root / 'data-split').exists()
    monkeypatch.setattr(robot_kind, 'write_sound', write)
    make_campus(ROBOT, tmp_path, workers=1)
    assert len(load_splits(root).val) > 0


def test_a_folder_of_another_campus_is_refused(robot, tmp_path):
    with pytest.raises(QuietNavError, match=rf"another campus.*'seed': {ROBOT.seed}"):
        make_campus(replace(ROBOT, seed=6), robot, workers=1)
    recordings = tmp_path / 'SFS-Robot' / 'ProcessedData' / 'EECS-1'
    recordings.mkdir(parents=True)
    with pytest.raises(QuietNavError, match='did not write'):
        make_campus(ROBOT, tmp_path, workers=1)


@pytest.mark.parametrize(
    'request_of, message',
    [
        (lambda: plan_room(CampusRequest('moving', 1, 0), 0), 'dense, motion, robot, static'),
        (lambda: CampusRequest('static', 0, 0), 'rooms'),
        (lambda: CampusRequest('static', 1, 0, distractors=1.5), 'share'),
        (lambda: CampusRequest('static', 1, 0, most_sources=0), 'at most 0 sources; expected 1'),
        (lambda: plan_room(CampusRequest('static', 1, 0, sounds='/nowhere'), 0), '/nowhere'),
        (lambda: CampusRequest('robot', 1, 0, own_sound=1.5), 'own_sound 1.5; expected a share'),
        (lambda: CampusRequest('robot', 1, 0, own_sound=0.2, silent_rooms=0.5), 'heard alone'),
        (lambda: CampusRequest('robot', 1, 0, own_level_db=(5.0, 0.0)), 'smaller first'),
    ],
)
def test_bad_requests_are_one_clear_error(request_of, message):
    with pytest.raises(QuietNavError, match=message):
        request_of()


@pytest.mark.slow
def test_distractors_are_mixed_into_their_share_and_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr(static_kind, 'STATIC_LENGTH_S', 2.0)
    request = CampusRequest(
        'static', 1, 4, False, distractors=0.5, distractor_snr_db=-5.0, plain=True
    )
    root = make_campus(request, tmp_path, workers=1)
    quiet_root = make_campus(replace(request, distractors=0.0), tmp_path / 'quiet', workers=1)
    said = {}
    for place in sorted((root / 'ProcessedData' / 'SIM-0000').iterdir()):
        said[place.name] = json.loads((place / 'annotation.json').read_text())['distractor']
        changed = contents(place) != contents(
            quiet_root / 'ProcessedData' / 'SIM-0000' / place.name
        )
        assert changed == (said[place.name] is not None)
    events = [event for event in said.values() if event]
    assert 0.2 < len(events) / len(said) < 0.8
    assert all(event['snr'] == -5.0 and 0 <= event['start'] < 2 for event in events)


def test_steady_rooms_have_no_source_that_changes():
    for steady in (True, False):
        sources = [
            source
            for index in range(12)
            for source in plan_room(
                CampusRequest('static', 12, 1, images=False, steady=steady), index
            ).scene.sources
        ]
        changing = [bool(s.schedule or s.gain_db.amplitudes or s.drifting_db) for s in sources]
        assert any(changing) != steady


@pytest.mark.parametrize('most', [1, 2, 5])
def test_rooms_have_no_more_sources_than_asked(most):
    request = CampusRequest('robot', 24, 1, images=False, most_sources=most)
    counts = {len(plan_room(request, index).scene.sources) for index in range(24)}
    assert counts == set(range(1, most + 1))


def test_every_process_computes_on_one_thread(monkeypatch):
    from quiet_nav import engine

    monkeypatch.setenv('OMP_NUM_THREADS', '7')
    with engine.engine(2, '', 2):
        assert os.environ['OMP_NUM_THREADS'] == '1'
    assert os.environ['OMP_NUM_THREADS'] == '7'


def test_a_dense_recorder_that_is_directional_hears_where_it_is_turned(tmp_path):
    def recorded(directional):
        request = CampusRequest('dense', 1, 5, images=False, plain=True, directional=directional)
        room = plan_room(request, 0)
        # The same place, two of its headings, at one time.
        one, two = room.places[0], replace(room.places[4], start_s=room.places[0].start_s)
        room = replace(room, places=(one, two))
        folder = tmp_path / str(directional)
        folder.mkdir()
        dense_kind.KIND.write(folder, room, request)
        return [wavfile.read(folder / p.name / 'sound.wav')[1] for p in room.places]

    all_around, turned = recorded(False), recorded(True)
    np.testing.assert_array_equal(*all_around)
    # Opposite headings: what is ahead of the one is behind the other.
    assert np.corrcoef(*turned)[0, 1] < 0.95
    with pytest.raises(QuietNavError, match='of kind dense alone'):
        CampusRequest('static', 1, 5, directional=True)
