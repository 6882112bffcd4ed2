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

"""Replay: readings of a bag without ROS, the same again, with everything odd in it said."""

import math

from bag_recording import standing
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.detector import NearWallDetector
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.readings import Context
from quiet_nav.recordings.playback import Wav
from quiet_nav.recordings.predictions import MARKERS, NEAR_WALL, write_predictions
from quiet_nav.recordings.replay import replay, ReplaySettings


@pytest.fixture(scope='module')
def detector(model):
    return NearWallDetector.load(model, threads=1)


def run(path, detector, wav=None, **settings):
    return replay(path, ReplaySettings(**settings), wav, detector)


def test_readings_come_on_the_grid_for_every_ear(recording, tmp_path, detector):
    path = recording.info().sound(5.0).odometry(standing, 5.0).write(tmp_path / 'drive')
    shares = []
    found = replay(path, ReplaySettings(), None, detector, shares.append)
    ends = [decision.end_ns for _, decision in found.decisions]
    assert [(end - recording.start_ns) / 1e9 for end in ends] == [0.5 * (k + 1) for k in range(10)]
    valid = [decision for _, decision in found.decisions if decision.readings[0].valid]
    assert len(valid) == 5 and all(d.still for d in valid)
    assert [r.side.name for r in valid[0].readings] == ['LEFT', 'RIGHT']
    assert valid[0].readings[0].context & Context.OTHER_EARS
    assert len({r.probability for d in valid for r in d.readings}) == 10
    assert shares == sorted(shares) and shares[-1] == 1.0
    assert found.duration_s == pytest.approx(5.0, abs=1e-3) and not found.notes


def test_other_rates_rigs_and_contexts_are_used(recording, tmp_path, detector):
    path = recording.info().sound(4.0).write(tmp_path / 'drive')
    found = run(path, detector, rate_hz=1.0, context='alone', rig='single')
    assert len(found.decisions) == 4
    (reading,) = found.decisions[-1][1].readings
    assert reading.context == Context.ALONE and reading.side.name == 'FRONT'


def test_replaying_twice_gives_the_same_bytes(recording, tmp_path, detector):
    recording.info().sound(4.5).odometry(standing, 4.5).depth(lambda s: 0.4, 4.5)
    path = recording.write(tmp_path / 'drive')
    for name in ('one', 'two'):
        (tmp_path / name).mkdir()
        assert write_predictions(tmp_path / name / 'bag', run(path, detector)) > 0
    for file in ('bag.mcap', 'metadata.yaml'):
        one, two = ((tmp_path / n / 'bag' / file).read_bytes() for n in ('one', 'two'))
        assert one == two


def test_predictions_are_a_bag_with_the_readings_in_it(recording, tmp_path, detector):
    from quiet_nav.recordings.bags import Bag

    path = recording.info().sound(4.0).depth(lambda s: 0.4, 4.0).write(tmp_path / 'drive')
    found = run(path, detector)
    write_predictions(tmp_path / 'said', found)
    with Bag(tmp_path / 'said') as bag:
        said = [message for _, _, message in bag.messages([NEAR_WALL])]
        arrays = [message.markers for _, _, message in bag.messages([MARKERS])]
        assert set(bag.topics) == {NEAR_WALL, MARKERS, '/replay/wall_distance'}
    readings = [r for _, decision in found.decisions for r in decision.readings]
    assert np.array_equal(
        [m.probability for m in said], [r.probability for r in readings], equal_nan=True
    )
    assert [m.reason for m in said] == [r.reason for r in readings]
    assert said[-1].distance_probabilities.tolist() == list(readings[-1].distance_probabilities)
    # A fan and its number an ear, on the robot of the original, as the live node shows them.
    assert len(arrays) == len(found.decisions)
    left = next(m for m in arrays[-1] if m.ns == 'near_wall')
    number = next(m for m in arrays[-1] if m.text)
    ear = found.rig.ears[0]
    assert (left.header.frame_id, left.id, left.type) == ('base_link', int(ear.side), 11)
    assert (left.pose.position.x, left.pose.position.y) == (ear.x, ear.y)
    assert stamp_to_ns(left.header.stamp) == found.decisions[-1][1].end_ns
    assert number.text == f'{said[-2].probability:.2f}' and number.type == 9
    longest = max(math.hypot(p.x, p.y) for p in left.points)
    assert longest == pytest.approx(0.1 + 0.4 * said[-2].probability)


def test_sound_beside_a_bag_gives_the_readings_of_sound_in_it(recording, tmp_path, detector):
    import soundfile

    recording.info().sound(4.0).odometry(standing, 4.0)
    inside = run(recording.write(tmp_path / 'inside'), detector)
    data = b''.join(bytes(m.audio.data) for _, t, m in recording.ordered() if 'stamped' in t)
    samples = np.frombuffer(data, '<i2').reshape(-1, 2)
    soundfile.write(tmp_path / 'm.wav', samples, 16_000, subtype='PCM_16')
    recording.messages = [m for m in recording.messages if 'audio' not in m[1]]
    path = recording.write(tmp_path / 'drive.bag', 'ros1')
    beside = run(path, detector, Wav(tmp_path / 'm.wav', 0.0))
    said = [[r.probability for _, d in f.decisions for r in d.readings] for f in (inside, beside)]
    assert np.array_equal(*said, equal_nan=True)


def test_mp3_audio_says_what_to_do(recording, tmp_path, detector):
    path = recording.info(coding='mp3').sound(1.0).write(tmp_path / 'drive')
    with pytest.raises(QuietNavError, match=r"drive: audio is published as 'mp3'.*format:=wave"):
        run(path, detector)


def test_two_rates_in_a_bag_are_two_stretches(recording, tmp_path, detector):
    recording.info().sound(4.0).info(4.0, rate=48_000).sound(4.0, 4.0, rate=48_000)
    found = run(recording.write(tmp_path / 'drive'), detector)
    assert any('audio changed from 2 x S16LE at 16000 Hz' in note for note in found.notes)
    valid = [d.readings[0].valid for _, d in found.decisions]
    assert valid[6] and not valid[8] and valid[-1]


def test_gap_in_the_sound_gives_no_valid_reading_across(recording, tmp_path, detector):
    found = run(recording.info().sound(4.0).sound(4.0, 5.0).write(tmp_path / 'drive'), detector)
    assert any('gap of 1.0 s' in note for note in found.notes)
    for _, decision in found.decisions:
        start = (decision.end_ns - recording.start_ns) / 1e9 - 3.0
        assert decision.readings[0].valid == (start >= 5.0 or 0.0 <= start <= 1.0)


def test_depth_that_never_overlaps_and_depth_of_zeros_are_said(recording, tmp_path, detector):
    recording.info().sound(4.0).depth(lambda s: 0.4, 1.0, at_s=100.0)
    found = run(recording.write(tmp_path / 'apart'), detector)
    assert any('never overlap (96.0 s apart)' in note for note in found.notes)
    recording.messages = [m for m in recording.messages if 'depth' not in m[1]]
    recording.depth(lambda s: 0.0, 4.0)
    found = run(recording.write(tmp_path / 'zero'), detector)
    assert any('no distance in any of 24 depth images: 0 %' in note for note in found.notes)


def test_rig_with_more_ears_than_channels_is_refused(recording, tmp_path, detector):
    path = recording.info(channels=1).sound(4.0, channels=1).write(tmp_path / 'drive')
    with pytest.raises(QuietNavError, match='rig pair needs 2 channels, the audio has 1'):
        run(path, detector, rig='pair')
