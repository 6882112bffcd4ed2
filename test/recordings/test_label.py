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

"""Labeling: places where the robot stood, their labels by depth, and what is left out and why."""

import csv
import json
import subprocess
import sys
import weakref

from bag_recording import RATE, Recording
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.rig import find_rig
from quiet_nav.quiet_campus.lists import load_pairs, load_splits, middle_frame
from quiet_nav.quiet_campus.rows import read_audio, with_distance
from quiet_nav.recordings import labeling
from quiet_nav.recordings.labeled_set import Assigned, LabeledSet, read_assignment
from quiet_nav.recordings.labeling import label_bag, LabelSettings
from quiet_nav.recordings.stretches import StillStretches, Stretch


def wall(seconds):
    """0.9 m from the wall until 6 s, 0.4 m from 7 s on."""
    return 0.9 - 0.5 * np.clip(seconds - 6.0, 0.0, 1.0)


class Kept:
    """Keeps what labeling gives; `held`: how many sounds were alive at once beside our copies."""

    def __init__(self):
        self.sounds, self.depths, self.held, self._given = {}, {}, 0, []

    def sound(self, place, samples):
        self._given = [given for given in self._given if given() is not None]
        self._given.append(weakref.ref(samples))
        self.held = max(self.held, len(self._given))
        self.sounds[place] = samples.copy()

    def depth(self, place, image):
        self.depths[place] = image

    def color(self, place, image):
        raise AssertionError('no bag here has color images')


def label(path, settings=None):
    kept = Kept()
    found = label_bag(path, settings or LabelSettings(), kept)
    assert set(kept.sounds) == set(kept.depths) == {place.name for place in found.places}
    return found, kept


def drive(seed=0, channels=1, seconds=12.0):
    made = Recording().info(channels=channels).sound(seconds, channels=channels, seed=seed)
    return made.odometry(lambda s: (0.9 - wall(s), 0.0, 0.0), seconds).depth(wall, seconds)


def written(recording):
    data = b''.join(bytes(m.audio.data) for _, t, m in recording.ordered() if 'stamped' in t)
    return np.frombuffer(data, '<i2') / np.float32(32768)


def test_places_are_where_the_robot_stood_with_the_distance_seen(tmp_path):
    made = drive()
    found, kept = label(made.write(tmp_path / 'drive'))
    assert [place.name for place in found.places] == ['drive-000', 'drive-001']
    assert [place.distance_m for place in found.places] == pytest.approx([0.9, 0.4])
    assert found.places[0].duration_s == pytest.approx(6.0)
    assert found.places[1].duration_s == pytest.approx(5.0, abs=1.0)
    for place in found.places:
        begin = round((place.start_ns - made.start_ns) * RATE / 1e9)
        samples, depth = kept.sounds[place.name], kept.depths[place.name]
        assert samples.shape[1] == place.duration_s * RATE
        assert np.array_equal(samples[0], written(made)[begin : begin + samples.shape[1]])
        assert depth.shape == (24, 32) and depth[0, 0] == pytest.approx(1000 * place.distance_m)
    assert found.left_out['the robot moved'] == pytest.approx(1.0, abs=0.15)


def test_only_one_place_is_held_at_a_time(tmp_path):
    made = Recording().info(channels=1).sound(25.0, channels=1)
    made.odometry(lambda s: (0.3 * (s // 5), 0.0, 0.0), 25.0).depth(lambda s: 0.4, 25.0)
    found, kept = label(made.write(tmp_path / 'drive'))
    assert len(found.places) == 5 and kept.held == 1


def test_a_bag_that_fails_on_the_way_leaves_no_places_behind(tmp_path, monkeypatch):
    def fail(*_):
        sounds = list((tmp_path / 'data').rglob('*.wav'))
        raise QuietNavError(f'{len(sounds)} sounds on the way')

    monkeypatch.setattr(labeling, 'nearest_images', fail)
    data = LabeledSet(tmp_path / 'data')
    item = Assigned(drive().write(tmp_path / 'drive'), 'hall', 'train')
    with pytest.raises(QuietNavError, match='2 sounds on the way'):
        data.add(item, LabelSettings())
    assert not list((tmp_path / 'data').rglob('*.wav')) and data.bags == {}


def test_stretches_end_where_the_robot_moves_or_odometry_pauses():
    standing = StillStretches()
    for i in range(40):
        standing.add(i * 100_000_000, Pose2D(0.0 if i < 20 else 0.02 * i, 0.0, 0.0))
    for i in range(40, 60):
        standing.add(i * 100_000_000 + 1_000_000_000, Pose2D(0.78, 0.0, 0.0))
    found = standing.stretches(1.0)
    assert found == [Stretch(0, 1_900_000_000), Stretch(5_000_000_000, 6_900_000_000)]


def test_gap_is_left_out_and_named(tmp_path):
    made = Recording().info(channels=1).sound(4.5, channels=1).sound(5.5, 6.5, channels=1)
    made.odometry(lambda s: (0, 0, 0), 12.0).depth(lambda s: 0.3, 12.0)
    found, _ = label(made.write(tmp_path / 'drive'))
    (place,) = found.places
    assert place.start_ns >= made.start_ns + 6_500_000_000 and place.duration_s == 5.0
    assert 'sound that is incomplete' in found.left_out
    assert any('a gap of 2.0 s' in note for note in found.notes)


def test_only_the_ear_beside_the_camera_is_kept(tmp_path):
    made = drive(channels=2)
    settings = LabelSettings(rig=find_rig('pair'), camera=Side.RIGHT)
    _, kept = label(made.write(tmp_path / 'drive'), settings)
    right = written(made).reshape(-1, 2)[:, 1]
    assert np.array_equal(kept.sounds['drive-000'][0], right[: 6 * RATE])
    assert label(tmp_path / 'drive')[1].sounds['drive-000'].shape[0] == 2


def test_standing_all_the_time_needs_no_odometry(tmp_path):
    made = Recording().info(channels=1).sound(6.0, channels=1).depth(lambda s: 0.3, 6.0)
    path = made.write(tmp_path / 'drive.bag', 'ros1')
    with pytest.raises(QuietNavError, match=r'no odometry; was the robot still.*--still'):
        label(path)
    (place,) = label(path, LabelSettings(still=True))[0].places
    assert place.duration_s == 5.0 and place.distance_m == pytest.approx(0.3)


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda m: m.depth(lambda s: 0.4, 2.0, at_s=50.0), r'never overlap \(38.0 s apart\)'),
        (lambda m: m.depth(lambda s: 0.0, 12.0), 'no distance in any of 72 depth images: 0 %'),
        (lambda m: m, 'no depth images; topics there: /audio/audio_info'),
    ],
)
def test_depth_that_cannot_teach_is_said(tmp_path, change, message):
    made = drive()
    made.messages = [m for m in made.messages if 'depth' not in m[1]]
    with pytest.raises(QuietNavError, match=message):
        label(change(made).write(tmp_path / 'drive'))


def test_mp3_cannot_be_labeled(tmp_path):
    made = drive().info(coding='mp3')
    made.messages = [m for m in made.messages if 'info' not in m[1] or m[2].coding_format == 'mp3']
    with pytest.raises(QuietNavError, match='format:=wave'):
        label(made.write(tmp_path / 'drive'))


@pytest.mark.slow
def test_command_makes_a_data_set_that_can_be_read(tmp_path):
    for seed in range(3):
        drive(seed).write(tmp_path / f'drive_{seed}')
    rows = [('bag', 'room', 'split')]
    rows += [(f'drive_{i}', f'room_{i}', s) for i, s in enumerate(('train', 'val', 'test'))]
    with (tmp_path / 'rooms.csv').open('w', newline='') as file:
        csv.writer(file).writerows(rows)
    out = tmp_path / 'data'
    command = [sys.executable, '-m', 'quiet_nav.cli', 'label', '--out', out]
    found = subprocess.run(
        [*command, '--rooms', tmp_path / 'rooms.csv'], capture_output=True, text=True, timeout=200
    )
    assert found.returncode == 0, found.stderr
    assert 'the robot moved' in found.stdout
    splits = load_splits(out)
    assert [row.near for row in splits.train] == [False, True]
    assert {row.room for row in splits.test} == {'room_2'}
    # A row a whole second: 6 s before the robot moved, 5 s after.
    assert [row.near for row in splits.test] == [False] * 6 + [True] * 5
    samples, _ = soundfile.read(splits.train[0].audio, dtype='float32')
    assert np.array_equal(read_audio(splits.train[0], 0.0, 3.0), samples[: 3 * RATE])
    assert splits.train[0].depth_image.is_file()
    assert [pair.first_nearer for pair in load_pairs(out)['train']] == [False, True]
    again = subprocess.run(
        [*command, tmp_path / 'drive_0', '--room', 'room_1', '--split', 'train'],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert again.returncode == 2
    assert again.stderr.startswith('quiet_nav: room room_1 would be in both val and train')


def test_room_in_two_parts_is_refused_before_anything_is_read(tmp_path):
    data = LabeledSet(tmp_path)
    one, two = (Assigned(tmp_path / s, 'kitchen', s) for s in ('train', 'test'))
    with pytest.raises(QuietNavError, match='kitchen would be in both train and test'):
        data.claim([one, two])
    with pytest.raises(QuietNavError, match="split 'exam' is none of"):
        data.claim([Assigned(tmp_path, 'kitchen', 'exam')])
    assert data.rooms == {} and not (tmp_path / 'SFS-Static').exists()


def test_assignment_needs_its_columns(tmp_path):
    (tmp_path / 'rooms.csv').write_text('bag,room\na,b\n')
    with pytest.raises(QuietNavError, match='columns bag, room, split expected'):
        read_assignment(tmp_path / 'rooms.csv')


@pytest.mark.slow
def test_moving_stretches_are_recordings_at_15_frames_a_second(tmp_path):
    def away(seconds):
        return 0.3 + 0.1 * np.clip(seconds - 4.0, 0.0, 8.0)

    for number, split in enumerate(('train', 'val', 'test')):
        made = Recording().info(channels=1).sound(16.0, channels=1, seed=number)
        made.odometry(lambda s: (away(s) - 0.3, 0.0, 0.0), 16.0).depth(away, 16.0)
        bag = made.write(tmp_path / f'drive_{number}')
        out = tmp_path / 'data'
        found = CliRunner().invoke(
            build_app(),
            ['label', str(bag), '--out', str(out), '--room', split, '--split', split, '--motion'],
        )
        assert found.exit_code == 0, found.output
    assert '1 of SFS-Motion' in found.output and 'the robot moved' not in found.output
    splits = load_splits(out, 'SFS-Motion')
    near = {row.frame: row.near for row in splits.test}
    assert splits.test[0].room == 'drive_2-000' and min(near) == 15
    for row in splits.test[::20]:
        begin = made.start_ns / 1e9 + 4.0
        at_s = begin + middle_frame(row.frame) / 15 - made.start_ns / 1e9
        assert with_distance(row).distance_m == pytest.approx(away(at_s), abs=0.03)
        assert row.near == (with_distance(row).distance_m <= 0.5) or abs(away(at_s) - 0.5) < 0.02
    samples, rate = soundfile.read(splits.test[0].audio, dtype='float32')
    assert rate == RATE and 7.5 * RATE < len(samples) < 8.5 * RATE
    start = splits.test[0].folder / 'annotation.json'
    begin = round((json.loads(start.read_text())['start_ns'] - made.start_ns) * RATE / 1e9)
    assert np.array_equal(samples, written(made)[begin : begin + len(samples)])
    assert all(pair.first_nearer is not None for pair in load_pairs(out, 'SFS-Motion')['test'])


def test_ears_are_labeled_by_what_the_camera_saw_after_a_turn(tmp_path):
    def spin(seconds):
        """Look along x, to the left from 5 s on, and back along x 0.1 m farther from 10 s on."""
        yaw = np.pi / 2 * (np.clip(seconds - 4.0, 0, 1) - np.clip(seconds - 9.0, 0, 1))
        return 0.1 * np.clip(seconds - 9.0, 0, 1), 0.0, yaw

    def seen(seconds):
        return 0.4 if 4.5 < seconds < 9.5 else 1.5

    made = Recording().info().sound(14.0).odometry(spin, 14.0).depth(seen, 14.0)
    path = made.write(tmp_path / 'drive')
    rig = find_rig('pair')
    found, kept = label(path, LabelSettings(rig=rig, sides=True))
    # At 0 and 10 s the left ear faced what the camera saw from 5 s on; the wall to the left of
    # that, and all to the right, it never saw. From 5 s on the right ear faced what it saw at 0 s.
    begin = [round((place.start_ns - made.start_ns) / 1e9, 1) for place in found.places]
    assert [place.side for place in found.places] == [Side.LEFT, Side.RIGHT, Side.LEFT]
    assert begin[0] == 0.0 and 4.9 < begin[1] < 5.2 and 9.9 < begin[2] < 10.2
    assert [place.distance_m for place in found.places] == pytest.approx([0.4, 1.5, 0.4], abs=0.01)
    samples = kept.sounds['drive-000']
    heard = written(made).reshape(-1, 2)[: samples.shape[1], 0]
    assert np.array_equal(samples, heard[None])
    assert kept.depths['drive-000'][0, 0] == pytest.approx(400, abs=1)
    with pytest.raises(QuietNavError, match='--sides needs --rig'):
        label(path, LabelSettings(sides=True))
    still = Recording().info().sound(6.0).odometry(lambda s: (0, 0, 0), 6.0).depth(seen, 4.0)
    none, _ = label(still.write(tmp_path / 'still'), LabelSettings(rig=rig, sides=True))
    assert not none.places and 'the robot never turned the camera' in str(none.left_out)
