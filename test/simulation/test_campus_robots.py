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

"""Campuses of robots that are heard: what is written of them, and the same bytes however made."""

from dataclasses import replace
import json
import math
from pathlib import Path
import shutil

import numpy as np
import pytest
from scipy.io import wavfile

from quiet_nav.quiet_campus.annotation import read_annotation
from quiet_nav.quiet_campus.lists import load_splits
from quiet_nav.quiet_campus.robots import fingerprint_file, read_robot, robot_folder
from quiet_nav.simulation.campus.build import make_campus
from quiet_nav.simulation.campus.kinds import robot as robot_kind
from quiet_nav.simulation.campus.kinds import static as static_kind
from quiet_nav.simulation.campus.places import plan_room
from quiet_nav.simulation.campus.request import CampusRequest
from quiet_nav.simulation.campus.robots import OFFSET_M

pytest.importorskip('pyroomacoustics')

RIG = str(Path(__file__).parents[2] / 'config' / 'rigs' / 'trio.yaml')
NOISY = CampusRequest(
    'robot', 3, seed=8, images=False, rig=RIG, own_sound=1.0, own_level_db=(3.0, 15.0),
    silent_rooms=0.4, distractors=0.2,
)  # fmt: skip


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(Path(root).rglob('*'))
        if path.is_file()
    }


SLOW_FIXTURES = ('noisy',)


@pytest.fixture(scope='module')
def noisy(tmp_path_factory):
    out = tmp_path_factory.mktemp('noisy')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robot_kind, 'WINDOW_S', 0.5)
        return make_campus(NOISY, out, workers=1)


def level_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples / 32768.0, dtype=float), axis=0)))


@pytest.mark.slow
def test_a_robot_is_written_with_its_fingerprint_ears_and_levels(noisy):
    rooms = sorted(path.name for path in (noisy / 'ProcessedData').iterdir())
    levels, offsets, silent = [], [], []
    for room in rooms:
        robot = read_robot(noisy, room)
        rate, samples = wavfile.read(fingerprint_file(noisy, room))
        assert rate == 16_000 and samples.shape == (12 * 16_000, 3)
        told = [ear.own_level_db for ear in robot.ears]
        mean = 10 * math.log10(np.mean([10 ** (v / 10) for v in told]))
        assert 3.0 <= round(mean, 2) <= 15.0
        # With the microphones' own gains and responses: within a few dB of what is said.
        assert level_db(samples) - robot.ambience_dbfs == pytest.approx(told, abs=6.0)
        offsets += [math.hypot(*ear.position[:2]) for ear in robot.ears]
        levels.append(mean)
        silent.append(robot.silent_room)
        assert any(s.standing_dbfs is not None for s in robot.sources)
    assert len(set(np.round(levels, 3))) == 3 and any(silent) and not all(silent)
    assert OFFSET_M[0] - 1e-3 <= min(offsets) < max(offsets) <= OFFSET_M[1] + 1e-3


def test_every_place_says_how_loud_the_robot_is_and_what_of_it_is_on(noisy):
    for room in sorted((noisy / 'ProcessedData').iterdir()):
        robot = read_robot(noisy, room.name)
        for place in sorted(room.iterdir()):
            said = read_annotation(place, 'ears', 'own')
            assert len(said.own.level_db) == len(robot.ears) == 3
            assert set(said.own.on) == {'sound.wav', 'later.wav', 'turned.wav', 'quarter.wav'}
            assert all(len(on) == len(robot.sources) for on in said.own.on.values())
            # Walls and ceiling add to what the robot is far from them, and never much beyond.
            far = np.array([ear.own_level_db for ear in robot.ears])
            added = np.array(said.own.level_db) - far
            assert added.min() > -3.0 and added.max() < 12.0
            for ear in said.ears:
                assert ear.near == (ear.distance <= 0.5)


def test_in_a_silent_room_the_robot_alone_is_heard():
    rooms = [plan_room(NOISY, index) for index in range(12)]
    room = next(room for room in rooms if not room.scene.sources)
    assert room.scene.own is not None
    assert plan_room(replace(NOISY, own_sound=0.0, silent_rooms=0.0), 0).scene.own is None


@pytest.mark.slow
def test_the_same_bytes_with_two_workers_and_after_a_stop(tmp_path):
    request = replace(NOISY, rooms=2, rig=RIG.replace('trio', 'single'))
    at_once = make_campus(request, tmp_path / 'one', workers=2)
    # Stopped after its second room, the claim written.
    stopped = tmp_path / 'two' / 'SFS-Robot'
    shutil.copytree(at_once, stopped)
    shutil.rmtree(stopped / 'ProcessedData' / 'SIM-0000')
    shutil.rmtree(stopped / 'Robots' / 'SIM-0000')
    shutil.rmtree(stopped / 'data-split')
    make_campus(request, tmp_path / 'two', workers=1)
    assert contents(stopped) == contents(at_once)


@pytest.mark.slow
def test_a_robot_is_there_before_its_room_says_that_it_is_done(noisy, tmp_path, monkeypatch):
    monkeypatch.setattr(robot_kind, 'WINDOW_S', 0.5)
    # The other rooms are there already: one that is made shows it.
    copied = tmp_path / 'SFS-Robot'
    shutil.copytree(noisy, copied)
    shutil.rmtree(copied / 'ProcessedData' / 'SIM-0000')
    shutil.rmtree(copied / 'Robots' / 'SIM-0000')
    shutil.rmtree(copied / 'data-split')
    written = []

    def stop(folder, room, request):
        written.append(robot_folder(tmp_path / 'SFS-Robot', room.name).is_dir())
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(robot_kind.RobotKind, 'write', lambda self, *args: stop(*args))
        with pytest.raises(KeyboardInterrupt):
            make_campus(NOISY, tmp_path, workers=1)
    assert written == [True]
    root = make_campus(NOISY, tmp_path, workers=1)
    assert contents(root) == contents(noisy)


@pytest.mark.slow
def test_static_places_lie_in_the_gap_too_and_know_their_robot(tmp_path, monkeypatch):
    monkeypatch.setattr(static_kind, 'STATIC_LENGTH_S', 1.0)
    request = CampusRequest('static', 3, 3, False, own_sound=1.0, most_sources=1)
    root = make_campus(request, tmp_path, workers=1)
    rows = [row for split in ('train', 'val', 'test') for row in load_splits(root)[split]]
    distances = np.array([row.distance_m for row in rows])
    assert np.mean((distances > 0.565) & (distances < 1.0)) > 0.1
    assert all(row.near == (row.distance_m <= 0.5) for row in rows)
    place = next((root / 'ProcessedData' / 'SIM-0000').iterdir())
    assert len(read_annotation(place, 'own').own.level_db) == 1
    assert wavfile.read(place / 'fingerprint.wav')[1].shape == (16_000,)


def test_a_named_robot_is_the_one_heard(tmp_path):
    profile = tmp_path / 'mine.sound.yaml'
    profile.write_text(
        'name: mine\nsources:\n  - {name: fan, position: [0, 0.1, 0.3], standing_db: 30}\n'
    )
    room = plan_room(replace(NOISY, robot=str(profile)), 0)
    assert room.scene.own.name == 'mine' and room.scene.own.sources[0].name == 'fan'
    manifest = json.dumps([source.position for source in room.scene.own.sources])
    assert manifest == '[[0.0, 0.1, 0.3]]'
