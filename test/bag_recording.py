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

"""Bags that tests write: sound, odometry and depth images of a robot in front of a wall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import math
from pathlib import Path

import numpy as np

from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.sound.pcm import encode_pcm

S = 1_000_000_000
RATE = 16_000
AUDIO, INFO = '/audio/audio_stamped', '/audio/audio_info'
UNSTAMPED = '/audio'
DEPTH, ODOM = '/camera/camera/depth/image_rect_raw', '/odom'
TYPES = {
    AUDIO: 'audio_common_msgs/msg/AudioDataStamped',
    INFO: 'audio_common_msgs/msg/AudioInfo',
    DEPTH: 'sensor_msgs/msg/Image',
    ODOM: 'nav_msgs/msg/Odometry',
    UNSTAMPED: 'audio_common_msgs/msg/AudioData',
}


class Recording:
    """Messages of a bag by time; ``write`` puts them into a file."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self.store = bag_typestore()
        self.start_ns = round(start_s * S)
        self.messages: list[tuple[int, str, object]] = []

    def type(self, name: str) -> type:
        return self.store.types[name]

    def header(self, time_ns: int, frame: str = '') -> object:
        stamp = self.type('builtin_interfaces/msg/Time')(*divmod(time_ns, S))
        return self.type('std_msgs/msg/Header')(stamp=stamp, frame_id=frame)

    def info(self, at_s: float = 0.0, channels: int = 2, rate: int = RATE, coding: str = 'wave'):
        message = self.type(TYPES[INFO])(channels, rate, 'S16LE', 0, coding)
        self.messages.append((self.start_ns + round(at_s * S), INFO, message))
        return self

    def sound(
        self,
        duration_s: float,
        at_s: float = 0.0,
        channels: int = 2,
        rate: int = RATE,
        seed: int = 0,
        level: float = 0.02,
        chunk_s: float = 0.1,
    ):
        """Noise whose color changes every 5 s, so that windows differ."""
        rng = np.random.default_rng(seed)
        frames = level * rng.standard_normal((round(duration_s * rate), channels))
        for begin in range(0, len(frames), 5 * rate):
            part = frames[begin : begin + 5 * rate]
            part += rng.uniform(-0.9, 0.9, channels) * np.roll(part, 20, axis=0)
        step = round(chunk_s * rate)
        for i in range(0, len(frames), step):
            self.chunk(at_s + i / rate, frames[i : i + step].T, rate)
        return self

    def chunk(self, at_s: float, samples: np.ndarray, rate: int = RATE):
        """One message of sound, (channels, n), received when its last sample had been heard."""
        stamp = self.start_ns + round(at_s * S)
        data = np.frombuffer(encode_pcm(samples.T, 'S16LE'), np.uint8)
        audio = self.type('audio_common_msgs/msg/AudioData')(data)
        message = self.type(TYPES[AUDIO])(self.header(stamp), audio)
        self.messages.append((stamp + samples.shape[1] * S // rate, AUDIO, message))
        return self

    def odometry(self, poses: Callable[[float], tuple[float, float, float]], duration_s: float):
        """Poses (x, y, yaw) by seconds, 20 a second."""
        for i in range(round(20 * duration_s) + 1):
            self.pose(i / 20, *poses(i / 20))
        return self

    def pose(self, at_s: float, x: float, y: float, yaw: float):
        """One pose."""
        time_ns = self.start_ns + round(at_s * S)
        quaternion = self.type('geometry_msgs/msg/Quaternion')(
            0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)
        )
        point = self.type('geometry_msgs/msg/Point')(float(x), float(y), 0.0)
        pose = self.type('geometry_msgs/msg/Pose')(point, quaternion)
        zero = self.type('geometry_msgs/msg/Vector3')(0.0, 0.0, 0.0)
        message = self.type(TYPES[ODOM])(
            self.header(time_ns, 'odom'),
            'base_link',
            self.type('geometry_msgs/msg/PoseWithCovariance')(pose, np.zeros(36)),
            self.type('geometry_msgs/msg/TwistWithCovariance')(
                self.type('geometry_msgs/msg/Twist')(zero, zero), np.zeros(36)
            ),
        )
        self.messages.append((time_ns, ODOM, message))
        return self

    def depth(
        self,
        meters: Callable[[float], float],
        duration_s: float,
        at_s: float = 0.0,
        rate: float = 6.0,
        size: tuple[int, int] = (24, 32),
    ):
        """Images of a flat wall at ``meters(seconds)``; small ones, to be quick."""
        for i in range(round(rate * duration_s)):
            seconds = at_s + i / rate
            pixels = np.full(size, round(meters(seconds) * 1000), np.uint16)
            self.image(seconds, pixels)
        return self

    def image(self, at_s: float, pixels: np.ndarray):
        time_ns = self.start_ns + round(at_s * S)
        data = np.frombuffer(pixels.tobytes(), np.uint8)
        height, width = pixels.shape
        message = self.type(TYPES[DEPTH])(
            self.header(time_ns, 'camera'), height, width, '16UC1', 0, 2 * width, data
        )
        self.messages.append((time_ns, DEPTH, message))
        return self

    def ordered(self) -> list[tuple[int, str, object]]:
        return sorted(self.messages, key=lambda item: item[0])

    def write(self, path: Path, storage: str = 'mcap') -> Path:
        """Write a rosbag2 folder (mcap, sqlite3) or, with storage 'ros1', a .bag file."""
        topics = sorted({topic for _, topic, _ in self.messages})
        if storage == 'mcap':
            with BagWriter(path, [BagTopic(name, TYPES[name]) for name in topics]) as bag:
                for time_ns, topic, message in self.ordered():
                    bag.write(topic, time_ns, bytes(self.cdr(topic, message)))
        elif storage == 'sqlite3':
            self._write_sqlite3(path, topics)
        else:
            self._write_ros1(path, topics)
        return path

    def cdr(self, topic: str, message: object) -> memoryview:
        return self.store.serialize_cdr(message, TYPES[topic])

    def _write_sqlite3(self, path: Path, topics: Sequence[str]) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as bag:
            connections = {
                name: bag.add_connection(name, TYPES[name], typestore=self.store) for name in topics
            }
            for time_ns, topic, message in self.ordered():
                bag.write(connections[topic], time_ns, self.cdr(topic, message))

    def _write_ros1(self, path: Path, topics: Sequence[str]) -> None:
        from rosbags.rosbag1 import Writer
        from rosbags.typesys import get_types_from_msg, get_typestore, Stores

        store = get_typestore(Stores.ROS1_NOETIC)
        for name in TYPES.values():
            if name.startswith('audio_common_msgs'):
                text, _ = self.store.generate_msgdef(name)
                definition = text.split('=' * 80)[0]
                store.register(get_types_from_msg(definition, name))
        with Writer(path) as bag:
            connections = {
                name: bag.add_connection(name, TYPES[name], typestore=store) for name in topics
            }
            for number, (time_ns, topic, message) in enumerate(self.ordered()):
                old = _of_ros1(store, message, number)
                bag.write(connections[topic], time_ns, store.serialize_ros1(old, TYPES[topic]))


def _of_ros1(store, message, number):
    """Return the same message with ROS 1's types: a header has a sequence number there."""
    name = getattr(message, '__msgtype__', None)
    if name is None:
        return message
    values = {
        key: _of_ros1(store, getattr(message, key), number)
        for key in message.__dataclass_fields__
        if key != '__msgtype__'
    }
    if name == 'std_msgs/msg/Header':
        values['seq'] = number
    return store.types[name](**values)


def standing(_seconds: float) -> tuple[float, float, float]:
    return 0.0, 0.0, 0.0
