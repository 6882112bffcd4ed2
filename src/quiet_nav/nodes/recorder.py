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

"""Keeps what a simulated run says in a bag: topics of robot, detector and follower, as received."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from audio_common_msgs.msg import AudioDataStamped, AudioInfo
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from std_msgs.msg import Bool
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from quiet_nav.msg import NearWall
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter

LATCHED = QoSProfile(depth=10, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
#: What is recorded, and which of it is latched.
TOPICS: dict[str, type] = {
    'odom': Odometry,
    'ground_truth': Odometry,
    'cmd_vel': TwistStamped,
    'near_wall': NearWall,
    'near_wall/markers': MarkerArray,
    'bump': Bool,
    'audio/audio_stamped': AudioDataStamped,
    'audio/audio_info': AudioInfo,
    '/tf': TFMessage,
    '/tf_static': TFMessage,
}
LATCHED_TOPICS = ('bump', 'audio/audio_info', '/tf_static')


class Recorder:
    """
    Writes the topics that it is told of into a bag, unread, and hands messages to handlers.

    bag: where to; None: handlers alone. now_ns: the time of what arrives; 0 while it is not known.
    handlers: by topic, called with the message before it is written.
    """

    def __init__(
        self,
        node: Node,
        bag: Path | None,
        topics: Iterable[str],
        now_ns: Callable[[], int],
        handlers: Mapping[str, Callable[[Any], None]],
    ) -> None:
        self._now_ns = now_ns
        self._early: list[tuple[str, bytes]] = []
        recorded = list(topics) if bag else []
        self._bag = BagWriter(bag, map(_bag_topic, recorded)) if bag else None
        for name in dict.fromkeys([*recorded, *handlers]):
            # Raw: most messages go into the bag unread.
            qos = LATCHED if name in LATCHED_TOPICS else 50
            handle = handlers.get(name)
            node.create_subscription(
                TOPICS[name], name, self._receiver(name, handle), qos, raw=True
            )

    def close(self) -> None:
        """Finish the bag."""
        if self._bag is not None:
            self._bag.close()
            self._bag = None

    def _receiver(self, name: str, handle: Callable[[Any], None] | None) -> Callable[[bytes], None]:
        kind, topic = TOPICS[name], _bag_topic(name).name

        def receive(data: bytes) -> None:
            if handle is not None:
                handle(deserialize_message(data, kind))
            if self._bag is not None:
                self._write(self._bag, name, topic, data)

        return receive

    def _write(self, bag: BagWriter, name: str, topic: str, data: bytes) -> None:
        now_ns = self._now_ns()
        if now_ns:
            for early in self._early:
                bag.write(early[0], now_ns, early[1])
            self._early = []
            bag.write(topic, now_ns, data)
        elif name in LATCHED_TOPICS:
            # It comes once, here before anything has told the time.
            self._early.append((topic, data))


def _bag_topic(name: str) -> BagTopic:
    package, kind = TOPICS[name].__module__.split('.')[0], TOPICS[name].__name__
    return BagTopic('/' + name.lstrip('/'), f'{package}/msg/{kind}', name in LATCHED_TOPICS)
