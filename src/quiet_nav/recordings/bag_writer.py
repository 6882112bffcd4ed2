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

"""Writes serialized messages of a ROS 2 run into an mcap bag."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, TYPE_CHECKING

from quiet_nav.errors import QuietNavError
from quiet_nav.recordings.bag_types import bag_typestore

if TYPE_CHECKING:
    from rosbags.interfaces import Qos


class BagTopic(NamedTuple):
    """A topic of a bag: its name, its type ('nav_msgs/msg/Odometry'), whether it is latched."""

    name: str
    msgtype: str
    latched: bool = False


class BagWriter:
    """
    An mcap bag (rosbag2) that is being written; use it as a context.

    Raises QuietNavError where the folder exists already or cannot be written.
    """

    def __init__(self, path: str | Path, topics: Iterable[BagTopic]) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

        store = bag_typestore()
        self._writer = Writer(Path(path), version=9, storage_plugin=StoragePlugin.MCAP)
        try:
            self._writer.open()
        except (WriterError, OSError) as error:
            raise QuietNavError(f'bag {path}: cannot be written ({error})') from error
        self._connections = {
            topic.name: self._writer.add_connection(
                topic.name,
                topic.msgtype,
                typestore=store,
                offered_qos_profiles=[_qos(topic.latched)],
            )
            for topic in topics
        }
        self.count = 0

    def write(self, topic: str, time_ns: int, data: bytes) -> None:
        """Write a message (CDR) of one of the topics as received at a time."""
        self._writer.write(self._connections[topic], time_ns, data)
        self.count += 1

    def close(self) -> None:
        """Finish the file; nothing can be written afterwards."""
        self._writer.close()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()


def _qos(latched: bool) -> Qos:
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    unlimited = QosTime(2147483647, 4294967295)
    return Qos(
        QosHistory.KEEP_LAST,
        10,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        unlimited,
        unlimited,
        QosLiveliness.AUTOMATIC,
        unlimited,
        False,
    )
