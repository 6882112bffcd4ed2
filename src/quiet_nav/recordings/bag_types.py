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

"""The message types of the project's bags, for reading and writing them without ROS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quiet_nav.errors import QuietNavError
from quiet_nav.recordings.bag_storage import Channel
from quiet_nav.resources import shared_file

if TYPE_CHECKING:
    from rosbags.interfaces.typing import Typesdict
    from rosbags.typesys.store import Typestore

STAMPED = 'audio_common_msgs/msg/AudioDataStamped'
UNSTAMPED = 'audio_common_msgs/msg/AudioData'
INFO = 'audio_common_msgs/msg/AudioInfo'
ODOMETRY = 'nav_msgs/msg/Odometry'
IMAGE = 'sensor_msgs/msg/Image'
NEAR_WALL = 'quiet_nav/msg/NearWall'

#: audio_common_msgs of ros-drivers' audio_common 0.4.0.
_AUDIO_COMMON = {
    'audio_common_msgs/msg/AudioData': 'uint8[] data\n',
    'audio_common_msgs/msg/AudioDataStamped': (
        'std_msgs/Header header\naudio_common_msgs/AudioData audio\n'
    ),
    'audio_common_msgs/msg/AudioInfo': (
        'uint8 channels\nuint32 sample_rate\nstring sample_format\nuint32 bitrate\n'
        'string coding_format\n'
    ),
}


def bag_typestore() -> Typestore:
    """Return ROS 2 Jazzy's types, audio_common_msgs and quiet_nav/msg/NearWall."""
    from rosbags.typesys import get_types_from_msg, get_typestore, Stores

    store = get_typestore(Stores.ROS2_JAZZY)
    near_wall = shared_file('msg/NearWall.msg').read_text()
    for name, text in {**_AUDIO_COMMON, 'quiet_nav/msg/NearWall': near_wall}.items():
        store.register(get_types_from_msg(text, name))
    return store


class MessageTypes:
    """
    How the messages of a bag's channels are read: by the definition in the bag, else by ours.

    A type is learned when it is first asked for, each by itself, so that one that cannot be
    understood does not stand in the way of the others.
    """

    def __init__(self) -> None:
        self._ours = bag_typestore()
        self._stores: dict[tuple[str, str], Typestore] = {}

    def fault(self, channel: Channel) -> str:
        """Return why a channel's messages cannot be read, or ''."""
        if channel.encoding not in ('cdr', 'ros1'):
            return f'its messages are {channel.encoding or "of no known encoding"}, not of ROS'
        try:
            store = self._store(channel)
        except QuietNavError as error:
            return str(error)
        needed = self._ours.fielddefs.get(channel.msgtype)
        if needed is None or channel.msgtype not in _READ:
            return ''
        there = {name for name, _ in store.fielddefs[channel.msgtype][1]}
        newer = _NEWER.get(channel.msgtype, ())
        missing = [name for name, _ in needed[1] if name not in there and name not in newer]
        if missing:
            return (
                f'its {channel.msgtype} has no field {", ".join(missing)}: another package of the '
                'same name, or another version'
            )
        return ''

    def decode(self, channel: Channel, data: bytes) -> object:
        """Return the message; whatever rosbags raises where the bytes are none."""
        store = self._store(channel)
        if channel.encoding == 'ros1':
            return store.deserialize_ros1(data, channel.msgtype)
        return store.deserialize_cdr(data, channel.msgtype)

    def _store(self, channel: Channel) -> Typestore:
        key = channel.msgtype, channel.definition
        if key not in self._stores:
            self._stores[key] = self._learn(channel)
        return self._stores[key]

    def _learn(self, channel: Channel) -> Typestore:
        from rosbags.typesys import get_typestore, Stores

        if not channel.definition:
            if channel.msgtype in self._ours.fielddefs:
                return self._ours
            raise QuietNavError(f'the bag does not define {channel.msgtype or "its type"}')
        try:
            store = get_typestore(Stores.EMPTY)
            store.register(_types_of(channel))
            if channel.msgtype not in store.fielddefs:
                raise QuietNavError(f'its definition is not one of {channel.msgtype}')
        except QuietNavError:
            raise
        except Exception as error:
            # The parser has errors of its own, and others for what it did not expect.
            raise QuietNavError(
                f'the definition of its type {channel.msgtype} cannot be understood'
            ) from error
        return store


#: The types whose fields are read: they must be there by name.
_READ = frozenset({STAMPED, UNSTAMPED, INFO, ODOMETRY, IMAGE, NEAR_WALL})
#: Fields that bags of earlier versions do not have; nothing may depend on them.
_NEWER = {NEAR_WALL: ('distance_prior', 'rig', 'hears_by')}


def _types_of(channel: Channel) -> Typesdict:
    from rosbags.typesys import get_types_from_idl, get_types_from_msg

    if channel.form != 'ros2idl':
        return dict(get_types_from_msg(channel.definition, channel.msgtype))
    # rosbag2 joins the IDL files of all that a type is made of.
    line = '=' * 80 + '\n'
    types: Typesdict = {}
    for part in channel.definition.split(line):
        text = part.split('\n', 1)[1] if part.startswith('IDL: ') else part
        if text.strip():
            types.update(get_types_from_idl(text))
    return types
