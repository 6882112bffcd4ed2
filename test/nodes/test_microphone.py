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

"""The microphone node over real DDS: files bit for bit, stamps, infos, diagnostics, restarts."""

import signal

import numpy as np
import pytest
import soundfile

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')

from audio_common_msgs.msg import AudioData, AudioDataStamped, AudioInfo
from diagnostic_msgs.msg import DiagnosticArray
from rosgraph_msgs.msg import Clock

from quiet_nav.nodes.audio_input import AUDIO_QOS, AudioInput, INFO_QOS
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.perception.messages import stamp_to_ns

pytestmark = pytest.mark.realtime

RATE = 16_000


@pytest.fixture
def noise_file(tmp_path):
    def write(name='noise.wav', seconds=4.0, channels=2, subtype=None, rate=RATE, scale=0.02):
        rng = np.random.default_rng(0)
        samples = scale * rng.standard_normal((round(seconds * rate), channels))
        soundfile.write(tmp_path / name, samples, rate, subtype)
        return tmp_path / name

    return write


class Listener:
    """Collects everything that the node publishes."""

    def __init__(self, node):
        self.stamped, self.infos, self.statuses, self.plain = [], [], [], []
        node.create_subscription(AudioInfo, 'audio/audio_info', self.infos.append, INFO_QOS)
        node.create_subscription(AudioData, 'audio/audio', self.plain.append, 5000)
        node.create_subscription(AudioDataStamped, 'audio/audio_stamped', self.stamped.append, 5000)
        node.create_subscription(DiagnosticArray, '/diagnostics', self._take_status, 10)

    def _take_status(self, message):
        self.statuses += [s for s in message.status if s.name.startswith('microphone')]

    @property
    def data(self):
        return b''.join(m.audio.data.tobytes() for m in self.stamped)

    def heard(self, word):
        return any(word in s.message for s in self.statuses)


@pytest.mark.parametrize(
    'name, subtype, dtype, sample_format',
    [
        ('noise.wav', 'PCM_16', '<i2', 'S16LE'),
        ('noise.flac', 'PCM_24', None, 'S24LE'),
        ('noise.wav', 'FLOAT', '<f4', 'F32LE'),
        ('noise.ogg', None, '<f4', 'F32LE'),
    ],
)
def test_file_arrives_bit_for_bit(
    ros, node_process, noise_file, name, subtype, dtype, sample_format
):
    path = noise_file(name, subtype=subtype)
    listener = Listener(ros.node())
    node_process('microphone', {'file': path, 'realtime': False})
    if dtype is None:
        expected = soundfile.read(path, dtype='int32')[0].astype('<i4')
        expected = expected.reshape(-1, 1).view(np.uint8)[:, 1:].tobytes()
    else:
        kind = 'int16' if dtype == '<i2' else 'float32'
        expected = soundfile.read(path, dtype=kind)[0].astype(dtype).tobytes()
    assert ros.spin_until(lambda: len(listener.data) >= len(expected) and listener.infos, 15)
    ros.spin_for(0.2)
    assert listener.data == expected
    info = listener.infos[-1]
    assert (info.channels, info.sample_rate) == (2, RATE)
    assert (info.sample_format, info.coding_format) == (sample_format, 'wave')
    stamps = [stamp_to_ns(m.header.stamp) for m in listener.stamped]
    assert np.diff(stamps) == pytest.approx(20_000_000, abs=1)


def test_unstamped_audio_is_the_same_bytes(ros, node_process, noise_file):
    listener = Listener(ros.node())
    node_process('microphone', {'file': noise_file(seconds=2.0), 'loop': True})
    assert ros.spin_until(lambda: len(listener.plain) > 20)
    bodies = [m.audio.data.tobytes() for m in listener.stamped]
    assert all(m.data.tobytes() in bodies for m in listener.plain[:20])


def test_realtime_file_keeps_time_and_frame(ros, node_process, noise_file):
    node = ros.node()
    listener = Listener(node)
    node_process('microphone', {'file': noise_file(seconds=3.0), 'frame_id': 'mic'})
    assert ros.spin_until(lambda: len(listener.stamped) == 150, 20)
    first, last = listener.stamped[0], listener.stamped[-1]
    now = node.get_clock().now().nanoseconds
    assert stamp_to_ns(last.header.stamp) - stamp_to_ns(first.header.stamp) == 149 * 20_000_000
    assert 0 < now - stamp_to_ns(last.header.stamp) < 1_000_000_000
    assert first.header.frame_id == 'mic'


def test_simulated_time_paces_and_stamps_the_file(ros, node_process, noise_file):
    node = ros.node()
    listener = Listener(node)
    clock = node.create_publisher(Clock, '/clock', 10)
    node_process('microphone', {'file': noise_file(seconds=2.0), 'use_sim_time': True})
    assert ros.spin_until(lambda: listener.infos, 20)
    ros.spin_for(1.0)
    assert listener.stamped == []
    for tick in range(100):
        clock.publish(Clock(clock=ns_to_stamp(1_000_000_000 + tick * 10_000_000)))
        ros.spin_for(0.01)
    ros.spin_for(0.3)
    stamps = [stamp_to_ns(m.header.stamp) for m in listener.stamped]
    assert 1_000_000_000 <= stamps[0] < 1_500_000_000
    assert 25 <= len(stamps) <= 50 and stamps[-1] < 2_000_000_000


def test_looped_file_has_no_gap(ros, node_process, noise_file):
    node = ros.node()
    audio = AudioInput(node)
    node_process('microphone', {'file': noise_file(seconds=0.73), 'loop': True, 'realtime': False})
    assert ros.spin_until(lambda: audio.stream and audio.stream.latest().valid, 20)
    assert ros.spin_until(lambda: audio.stream.end_ns - audio.stream.start_ns > 10 * 10**9, 20)
    assert audio.stream.break_count == 0


def test_no_sample_is_lost_on_a_subscriber_that_is_slow(ros, node_process, noise_file):
    import time

    node = ros.node()
    audio = AudioInput(node, on_sound=lambda stream: time.sleep(0.001))
    path = noise_file(seconds=25.0, channels=1)
    node_process('microphone', {'file': path, 'realtime': False})
    assert ros.spin_until(lambda: audio.stream is not None and audio.stream.has_sound, 20)
    assert ros.spin_until(lambda: audio.stream.timeline.frames == 25 * RATE, 30)
    assert audio.stream.break_count == 0


def test_endpoints_are_those_of_audio_capture(ros, node_process, noise_file):
    node = ros.node()
    node_process('microphone', {'file': noise_file()})
    topics = {
        'audio/audio': 'audio_common_msgs/msg/AudioData',
        'audio/audio_stamped': 'audio_common_msgs/msg/AudioDataStamped',
        'audio/audio_info': 'audio_common_msgs/msg/AudioInfo',
    }
    assert ros.spin_until(lambda: all(map(node.count_publishers, topics)))
    for topic, kind in topics.items():
        (endpoint,) = node.get_publishers_info_by_topic(topic)
        expected = INFO_QOS if topic.endswith('info') else AUDIO_QOS
        assert endpoint.topic_type == kind
        assert endpoint.qos_profile.reliability == expected.reliability
        assert endpoint.qos_profile.durability == expected.durability


@pytest.mark.parametrize(
    'scale, word', [(0.0, 'silent channels [0, 1]'), (1.0, 'clipped'), (0.02, 'recording')]
)
def test_diagnostics_say_how_it_sounds(ros, node_process, noise_file, scale, word):
    listener = Listener(ros.node())
    node_process('microphone', {'file': noise_file(scale=scale), 'loop': True})
    assert ros.spin_until(lambda: listener.heard(word), 15)
    status = next(s for s in listener.statuses if word in s.message)
    assert status.level == (b'\0' if word == 'recording' else b'\1')
    values = {v.key: v.value for v in status.values}
    assert set(values) >= {'rate_hz', 'level_dbfs', 'clipped', 'overflows', 'format'}
    if word == 'recording':
        assert float(values['level_dbfs'].split()[0]) == pytest.approx(-34, abs=0.5)


def test_end_of_the_file_is_said(ros, node_process, noise_file):
    listener = Listener(ros.node())
    process = node_process('microphone', {'file': noise_file(seconds=0.5), 'realtime': False})
    assert ros.spin_until(lambda: listener.heard('end of the file'), 15)
    assert process.stop() == 0


@pytest.mark.parametrize('content', [b'this is no sound at all' * 50, b'', None])
def test_a_file_that_is_no_audio_ends_the_node_with_one_line(ros, node_process, tmp_path, content):
    path = tmp_path / 'text.wav'
    if content is not None:
        path.write_bytes(content)
    process = node_process('microphone', {'file': path})
    assert process.process.wait(20) == 2
    expected = 'not audio that can be read' if content is not None else 'No such file'
    assert expected in process.log and 'Traceback' not in process.log


def test_an_unknown_sample_format_is_refused(node_process, noise_file):
    process = node_process('microphone', {'file': noise_file(), 'sample_format': 'U8'})
    assert process.process.wait(20) == 2
    assert 'S16LE' in process.log


def test_a_killed_and_restarted_node_is_picked_up_again(ros, node_process, noise_file):
    breaks = []
    audio = AudioInput(ros.node(), on_break=breaks.append)
    options = {'file': noise_file(seconds=2.0), 'loop': True}
    process = node_process('microphone', options)
    assert ros.spin_until(lambda: audio.stream and audio.stream.latest().valid, 15)
    process.stop(signal.SIGKILL)
    ros.spin_for(1.2)
    assert 'no sound for' in audio.status().message
    node_process('microphone', options)
    assert ros.spin_until(lambda: breaks, 15)
    assert 'gap' in audio.stream.latest().reason
    assert ros.spin_until(lambda: audio.stream.latest().valid, 15)
    assert audio.stream.latest().start_ns >= breaks[-1].time_ns


# ROS takes the number of `-p device:=999` for an integer, of a parameter that is a string.
@pytest.mark.parametrize('device', ['no such microphone', 999])
def test_missing_device_is_named_with_those_there_are(ros, node_process, device):
    pytest.importorskip('sounddevice', reason='PortAudio is absent', exc_type=OSError)
    listener = Listener(ros.node())
    process = node_process('microphone', {'device': device})
    assert ros.spin_until(lambda: listener.heard(f'no input device {str(device)!r}'), 15)
    status = next(s for s in listener.statuses if 'no input device' in s.message)
    assert status.level == b'\2' and 'inputs there are:' in status.message
    assert process.stop(signal.SIGTERM) == 0
    assert process.log.count('no input device') == 1
