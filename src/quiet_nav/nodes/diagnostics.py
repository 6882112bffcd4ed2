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

"""The diagnostics of a node: what a callable says about its health, once a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import enum

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from quiet_nav.nodes.failures import one_line


class Level(enum.IntEnum):
    """Severity, numbers as in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Status:
    """One line of health: a level, a sentence, and named values that are shown as text."""

    level: Level = Level.OK
    message: str = 'ok'
    values: Mapping[str, object] = field(default_factory=dict)


def merged(found: Sequence[Status]) -> Status:
    """Return several parts' health as one: the worst level, what is said at it, all values."""
    worst = max(status.level for status in found)
    message = '; '.join(status.message for status in found if status.level == worst)
    values = {key: value for status in found for key, value in status.values.items()}
    return Status(worst, message, values)


class Diagnostics:
    """
    Publishes a node's Status to /diagnostics once a second and whenever ``publish`` is called.

    The timer runs on the steady clock, so that a simulation that stands still is still reported;
    stamps are the node's clock. Works in every state of a lifecycle node. An exception in
    ``collect`` is reported as ERROR: diagnostics never end a node. What broke the node (its
    ``failure``) and messages that it refused (its ``intake``) are told with the rest.
    """

    def __init__(
        self,
        node: Node,
        task: str,
        collect: Callable[[], Status],
        *,
        hardware_id: str = '',
        period_s: float = 1.0,
    ) -> None:
        self._node = node
        self._name = f'{node.get_fully_qualified_name().lstrip("/")}: {task}'
        self._collect = collect
        self._hardware_id = hardware_id
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(period_s, self.publish, clock=steady)
        if hasattr(node, 'report'):
            node.report = self.publish

    def publish(self) -> None:
        """Collect and publish now."""
        try:
            status = self._collect()
        except Exception as error:
            status = Status(Level.ERROR, one_line(error))
        status = self._with_failure(status)
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.status.append(
            DiagnosticStatus(
                level=bytes([status.level]),
                name=self._name,
                message=status.message,
                hardware_id=self._hardware_id,
                values=[KeyValue(key=k, value=_text(v)) for k, v in status.values.items()],
            )
        )
        self._publisher.publish(message)

    def _with_failure(self, status: Status) -> Status:
        """Let what broke the node and what it refused stand beside what it says of itself."""
        failure, intake = getattr(self._node, 'failure', ''), getattr(self._node, 'intake', None)
        values = dict(status.values)
        if intake is not None:
            values |= intake.values()
            news = intake.take_news()
            if news and status.level == Level.OK:
                status = Status(Level.WARN, f'refused: {news}')
        if failure:
            status = Status(Level.ERROR, failure)
        return Status(status.level, status.message, values)


def _text(value: object) -> str:
    return f'{value:.6g}' if isinstance(value, float) else str(value)
