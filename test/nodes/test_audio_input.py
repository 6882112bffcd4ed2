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

"""The audio input over real DDS: every wrong publisher is named, right ones are picked up."""

import sys
import types

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')

from audio_common_msgs.msg import AudioDataStamped, AudioInfo
import rclpy
from std_msgs.msg import ByteMultiArray

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes import audio_input
from quiet_nav.nodes.audio_input import AUDIO_QOS, AudioInput, foreign_fault, INFO_QOS
from quiet_nav.nodes.diagnostics import Level
from quiet_nav.nodes.runtime import now_ns, ns_to_stamp
from quiet_nav.sound.pcm import encode_pcm

pytestmark = pytest.mark.realtime

RATE = 16_000
S = 1_000_000_000


class Publisher:
    """Publishes audio as audio_capture does, faster than real time up to now."""

    def __init__(self, ros, name='capture'):
        self.node = ros.node(name)
        self._ros = ros
        self._audio = self.node.create_publisher(AudioDataStamped, 'audio/audio_stamped', AUDIO_QOS)
        self._info = self.node.create_publisher(AudioInfo, 'audio/audio_info', INFO_QOS)

    def info(self, channels=1, rate=RATE, sample_format='S16LE', coding='wave'):
        self._info.publish(
            AudioInfo(
                channels=channels,
                sample_rate=rate,
                sample_format=sample_format,
                bitrate=192,
                coding_format=coding,
            )
        )

    def send(self, data, stamp_ns):
        message = AudioDataStamped()
        message.header.stamp = ns_to_stamp(stamp_ns)
        message.audio.data.frombytes(data)
        self._audio.publish(message)
        self._ros.spin_for(0.001)

    def sound(self, start_ns, seconds=3.5, channels=1, sample_format='S16LE', bad=None):
        rng = np.random.default_rng(0)
        frames = 0.02 * rng.standard_normal((round(seconds * RATE), channels))
        if bad is not None:
            frames[len(frames) // 2] = bad
        for i in range(0, len(frames), 1600):
            data = encode_pcm(frames[i : i + 1600], sample_format)
            self.send(data, start_ns + i * S // RATE)

    def wait_matched(self):
        assert self._ros.spin_until(
            lambda: self._audio.get_subscription_count() and self._info.get_subscription_count()
        )


@pytest.fixture
def publisher(ros):
    return Publisher(ros)


@pytest.fixture
def listening(ros, publisher):
    audio = AudioInput(ros.node('listener'))
    publisher.wait_matched()
    return audio


def test_sound_is_heard_and_diagnostics_say_so(ros, publisher, listening):
    assert listening.status().level == Level.ERROR
    publisher.info()
    publisher.sound(now_ns(publisher.node) - 3 * S)
    assert ros.spin_until(lambda: listening.stream and listening.stream.latest().valid)
    status = listening.status()
    assert (status.level, status.message) == (Level.OK, 'audio is heard')
    assert listening.fault == ''


def test_info_published_long_ago_is_known(ros, publisher):
    publisher.info()
    ros.spin_for(0.2)
    audio = AudioInput(ros.node('listener'))
    publisher.wait_matched()
    publisher.sound(now_ns(publisher.node))
    assert ros.spin_until(lambda: audio.stream and audio.stream.latest().valid)


@pytest.mark.parametrize(
    'info, word',
    [
        ({'coding': 'mp3'}, 'format:=wave'),
        ({'sample_format': 'U8'}, "'U8' is not known"),
        ({'channels': 0}, '0 audio channels'),
    ],
)
def test_wrong_infos_are_errors(ros, publisher, listening, info, word):
    publisher.info(**info)
    publisher.sound(now_ns(publisher.node), 0.5)
    assert ros.spin_until(lambda: word in listening.fault)
    assert listening.status().level == Level.ERROR
    assert listening.stream is None


def test_rate_changing_mid_stream_starts_afresh(ros, publisher, listening):
    publisher.info()
    start = now_ns(publisher.node)
    publisher.sound(start)
    assert ros.spin_until(lambda: listening.stream and listening.stream.latest().valid)
    publisher.info(channels=2)
    assert ros.spin_until(lambda: listening.stream.channels == 2)
    assert not listening.stream.latest().valid
    publisher.sound(start + 4 * S, channels=2)
    assert ros.spin_until(lambda: listening.stream.latest(1).valid)


def test_ragged_backward_and_not_finite_audio_is_survived(ros, publisher, listening):
    breaks = []
    listening._on_break = breaks.append
    publisher.info(sample_format='F32LE')
    start = now_ns(publisher.node)
    publisher.sound(start, sample_format='F32LE', bad=np.nan)
    assert ros.spin_until(lambda: listening.stream and listening.stream.not_finite_count == 1)
    assert 'not finite' in listening.stream.latest().reason
    publisher.send(bytes(1601), start + 7 * S // 2)
    assert ros.spin_until(lambda: listening.stream.pending_bytes == 1)
    publisher.sound(start - 20 * S, sample_format='F32LE')
    assert ros.spin_until(lambda: breaks)
    assert 'backwards' in str(breaks[-1])
    assert ros.spin_until(lambda: listening.stream.latest().valid)


def test_stale_audio_is_an_error(ros, publisher, listening):
    publisher.info()
    publisher.sound(now_ns(publisher.node) - 10 * S)
    assert ros.spin_until(lambda: listening.stream and listening.stream.latest().valid)
    status = listening.status()
    assert status.level == Level.ERROR and status.message.startswith('no sound for')
    assert 6.0 < listening.age_s < 12.0


def test_topics_can_be_remapped_into_a_namespace(ros, publisher):
    names = ('audio/audio_info', 'audio/audio_stamped')
    rules = [part for name in names for part in ('-r', f'{name}:=/{name}')]
    node = ros.node('listener', namespace='robot', cli_args=['--ros-args', *rules])
    audio = AudioInput(node)
    publisher.wait_matched()
    publisher.info()
    publisher.sound(now_ns(publisher.node) - 3 * S)
    assert ros.spin_until(lambda: audio.stream and audio.stream.latest().valid)
    assert audio.status().values['publishers'] == 1


def test_two_publishers_are_a_warning(ros, publisher, listening):
    Publisher(ros, 'second')
    publisher.info()
    publisher.sound(now_ns(publisher.node) - 3 * S)
    assert ros.spin_until(lambda: listening.status().level == Level.WARN)
    assert '2 publishers of /audio/audio_stamped' in listening.status().message


def test_another_message_type_on_the_topic_is_named(ros):
    node = ros.node('listener')
    audio = AudioInput(node)
    # One participant refuses two types on a topic: the wrong publisher is one of its own.
    context = rclpy.Context()
    rclpy.init(context=context)
    other = rclpy.create_node('other', context=context)
    other.create_publisher(ByteMultiArray, 'audio/audio_stamped', 10)
    found = ros.spin_until(lambda: 'std_msgs/msg/ByteMultiArray' in audio.fault)
    other.destroy_node()
    rclpy.shutdown(context=context)
    assert found and 'ros-drivers/audio_common' in audio.fault
    assert audio.status().level == Level.ERROR


def test_types_of_the_other_audio_common_are_named():
    topic, ours = '/audio/audio_stamped', 'audio_common_msgs/msg/AudioDataStamped'
    by_name = foreign_fault(topic, 'audio_common_msgs/msg/AudioStamped', ours, False)
    by_fields = foreign_fault(topic, ours, ours, False)
    assert 'AudioStamped, expected' in by_name and 'ros-drivers' in by_name
    assert 'mgonzs13/audio_common' in by_fields
    assert foreign_fault(topic, ours, ours, True) == ''


def test_the_other_audio_commons_package_is_refused(monkeypatch):
    other = types.ModuleType('audio_common_msgs.msg')
    fields = staticmethod(lambda: {'float32_data': 'sequence<float>', 'int16_data': '...'})
    other.AudioData = type('AudioData', (), {'get_fields_and_field_types': fields})
    monkeypatch.setitem(sys.modules, 'audio_common_msgs', types.ModuleType('audio_common_msgs'))
    monkeypatch.setattr(sys.modules['audio_common_msgs'], 'msg', other, raising=False)
    monkeypatch.setitem(sys.modules, 'audio_common_msgs.msg', other)
    with pytest.raises(QuietNavError, match='mgonzs13/audio_common'):
        audio_input.audio_messages()
    monkeypatch.setitem(sys.modules, 'audio_common_msgs.msg', None)
    with pytest.raises(QuietNavError, match='not installed'):
        audio_input.audio_messages()


def test_destroyed_input_hears_no_more_but_keeps_its_sound(ros, publisher, listening):
    publisher.info()
    publisher.sound(now_ns(publisher.node))
    assert ros.spin_until(lambda: listening.stream and listening.stream.latest().valid)
    listening.destroy()
    end_ns = listening.stream.end_ns
    publisher.sound(end_ns, 0.5)
    ros.spin_for(0.3)
    assert listening.stream.end_ns == end_ns and listening.stream.latest().valid


class Volatile(Publisher):
    """Publishes its info as audio_capture of audio_common 0.3 does: not kept for late ones."""

    def __init__(self, ros):
        super().__init__(ros, 'old_capture')
        self.node.destroy_publisher(self._info)
        self._info = self.node.create_publisher(AudioInfo, 'audio/audio_info', 1)


def test_info_that_is_not_kept_is_heard_by_those_who_are_there(ros):
    listener = ros.node('listener')
    listening = AudioInput(listener)
    old = Volatile(ros)
    assert ros.spin_until(lambda: old._info.get_subscription_count() == 1)
    old.info()
    old.sound(now_ns(old.node) - 4 * S)
    assert ros.spin_until(lambda: listening.stream is not None and listening.stream.has_sound)
    assert listening.fault == ''
    listening.destroy()


def test_info_that_came_too_early_is_said_with_what_helps(ros):
    listener = ros.node('listener')
    listening = AudioInput(listener)
    old = Volatile(ros)
    assert ros.spin_until(lambda: old._audio.get_subscription_count() == 1)
    old.sound(now_ns(old.node) - 4 * S, seconds=0.5)
    assert ros.spin_until(lambda: 'no audio_info' in listening.fault)
    assert ros.spin_until(lambda: 'durability VOLATILE' in listening.fault)
    listening.destroy()
