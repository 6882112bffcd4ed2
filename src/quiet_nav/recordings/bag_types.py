"""The message types of the project's bags, for reading and writing them without ROS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quiet_nav.resources import shared_file

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

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
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    near_wall = shared_file('msg/NearWall.msg').read_text()
    for name, text in {**_AUDIO_COMMON, 'quiet_nav/msg/NearWall': near_wall}.items():
        store.register(get_types_from_msg(text, name))
    return store
