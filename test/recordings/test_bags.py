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

"""Bags of every kind read alike; what is wrong with one is said."""

from bag_recording import AUDIO, RATE, Recording, S, TYPES
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.playback import events, Info, Moved, Seen, Sound, Wav
from quiet_nav.sound.files import PcmFile
from quiet_nav.sound.pcm import parse_format


def heard(path, topics=None, **options):
    with Bag(path) as bag:
        return list(events(bag, find_topics(bag, topics or BagTopics()), **options))


class Unstamped(Recording):
    """Sound as AudioData, which has no header."""

    def write(self, path, storage):
        self.messages = [(time, '/audio', m.audio) for time, _, m in self.messages]
        return super().write(path, storage)


@pytest.fixture
def full(recording):
    recording.info().sound(1.0).depth(lambda s: 0.4 + 0.1 * s, 1.0)
    return recording.odometry(lambda s: (0.1 * s, 0.0, 0.5), 1.0)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3', 'ros1'])
def test_every_kind_of_bag_gives_what_was_written(full, tmp_path, storage):
    path = full.write(tmp_path / ('drive.bag' if storage == 'ros1' else 'drive'), storage)
    found = heard(path)
    times = [time for time, _ in found]
    assert times == sorted(times)
    events_ = [event for _, event in found]
    assert Info(2, RATE, 'S16LE', 'wave') in events_
    sounds = [event for event in events_ if isinstance(event, Sound)]
    assert [s.stamp_ns for s in sounds] == [full.start_ns + i * S // 10 for i in range(10)]
    written = b''.join(bytes(m.audio.data) for _, topic, m in full.ordered() if 'stamped' in topic)
    assert b''.join(bytes(s.data) for s in sounds) == written
    moved = [event for event in events_ if isinstance(event, Moved)]
    assert len(moved) == 21
    assert moved[-1].pose.x == pytest.approx(0.1)
    assert moved[-1].pose.yaw == pytest.approx(0.5)
    seen = [event for event in events_ if isinstance(event, Seen)]
    assert [s.distance.distance_m for s in seen[:2]] == pytest.approx([0.4, 0.417])


def test_file_of_a_folder_is_the_folder(full, tmp_path):
    path = full.write(tmp_path / 'drive')
    assert len(heard(path / 'drive.mcap')) == len(heard(path))


def test_sound_beside_the_bag_is_heard_from_its_delay_on(full, tmp_path):
    import soundfile

    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)
    soundfile.write(tmp_path / 'm.wav', samples, RATE, subtype='PCM_16')
    found = heard(full.write(tmp_path / 'drive'), wav=Wav(tmp_path / 'm.wav', 0.25))
    assert [time for time, _ in found] == sorted(time for time, _ in found)
    sounds = [event for _, event in found if isinstance(event, Sound)]
    assert sounds[0].stamp_ns == full.start_ns + S // 4
    assert b''.join(s.data for s in sounds) == b''.join(PcmFile(tmp_path / 'm.wav').chunks(1.0))


def test_missing_audio_names_the_topics_that_are_there(recording, tmp_path):
    path = recording.odometry(lambda s: (0, 0, 0), 1.0).write(tmp_path / 'drive')
    with pytest.raises(QuietNavError, match=r'no audio.*/odom \(nav_msgs/msg/Odometry\)'):
        heard(path)


def test_missing_info_is_said(recording, tmp_path):
    path = recording.sound(1.0).write(tmp_path / 'drive')
    with pytest.raises(QuietNavError, match='no topic of audio_common_msgs/msg/AudioInfo'):
        heard(path)


def test_format_can_be_said_where_no_info_does(tmp_path):
    """As ROS 1 bags of audio_common hold it: bytes alone, timed by when they were received."""
    said = parse_format('S16LE,2,16000')
    made = Unstamped().sound(1.0)
    path = made.write(tmp_path / 'drive.bag', 'ros1')
    with pytest.raises(QuietNavError, match=r'no topic of .*AudioInfo.*--audio-format'):
        heard(path)
    found = [event for _, event in heard(path, BagTopics(format=said))]
    assert found[0] == Info(2, RATE, 'S16LE', 'wave')
    begin = made.start_ns
    assert [s.stamp_ns for s in found[1:]] == [begin + i * S // 10 for i in range(10)]


def test_topic_asked_for_must_be_there_and_of_its_type(full, tmp_path):
    path = full.write(tmp_path / 'drive')
    with pytest.raises(QuietNavError, match=r'audio /mic is not there.*/audio/audio_stamped'):
        heard(path, BagTopics(audio='/mic'))
    with pytest.raises(QuietNavError, match='depth /odom is nav_msgs/msg/Odometry'):
        heard(path, BagTopics(depth='/odom'))


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3', 'ros1'])
def test_truncated_bag_is_one_sentence(full, tmp_path, storage):
    path = full.write(tmp_path / ('drive.bag' if storage == 'ros1' else 'drive'), storage)
    file = path if storage == 'ros1' else next(p for p in path.iterdir() if p.suffix != '.yaml')
    data = file.read_bytes()
    file.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(QuietNavError, match=r'drive.*cannot be read.*cut off.*reindex'):
        heard(path)


def test_folder_without_metadata_says_how_to_get_it(full, tmp_path):
    path = full.write(tmp_path / 'drive')
    (path / 'metadata.yaml').unlink()
    with pytest.raises(QuietNavError, match=r'no metadata.yaml beside drive.mcap.*reindex'):
        heard(path)


def test_what_is_no_bag_is_refused(tmp_path):
    with pytest.raises(QuietNavError, match='no such bag'):
        heard(tmp_path / 'nothing')
    with pytest.raises(QuietNavError, match='not a bag'):
        heard(tmp_path)
    (tmp_path / 'a.txt').write_text('a')
    with pytest.raises(QuietNavError, match='not a bag'):
        heard(tmp_path / 'a.txt')


def test_two_robots_in_a_bag_must_be_told_apart(full, tmp_path, monkeypatch):
    monkeypatch.setitem(TYPES, '/two' + AUDIO, TYPES[AUDIO])
    full.messages += [(t, '/two' + AUDIO, m) for t, topic, m in full.messages if topic == AUDIO]
    path = full.write(tmp_path / 'drive')
    with pytest.raises(QuietNavError, match=r'audio could be .*; choose by --audio'):
        heard(path)
    assert heard(path, BagTopics(audio=AUDIO))


def test_what_is_recorded_is_found_again(full, tmp_path, monkeypatch):
    import yaml

    from quiet_nav.resources import shared_file

    recorded = yaml.safe_load(shared_file('config/record.yaml').read_text())['topics']
    kinds = {
        'color/image_raw': 'sensor_msgs/msg/Image',
        **{k.strip('/'): v for k, v in TYPES.items()},
    }
    first = {kind: message for _, topic, message in full.messages for kind in [TYPES[topic]]}
    full.messages = []
    for name in recorded:
        kind = next((kind for end, kind in kinds.items() if name.endswith(end)), '')
        if kind:
            monkeypatch.setitem(TYPES, f'/robot/{name}', kind)
            full.messages.append((full.start_ns, f'/robot/{name}', first[kind]))
    with Bag(full.write(tmp_path / 'drive')) as bag:
        found = find_topics(bag, BagTopics())
    assert found == BagTopics(
        '/robot/audio/audio_stamped',
        '/robot/audio/audio_info',
        '/robot/camera/camera/depth/image_rect_raw',
        '/robot/odom',
        '/robot/camera/camera/color/image_raw',
    )
