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

"""The log of a node: one method a severity, one line a cause and minute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
import enum
import threading
import time
from typing import Any

from rclpy.logging import get_logger

#: The same cause is said once in so long.
EVERY_S = 60.0
#: So many causes are remembered; texts that never repeat must not fill the memory.
_MOST_CAUSES = 256


class Severity(enum.IntEnum):
    """How bad it is, numbers as in rcl_interfaces/Log."""

    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50


@dataclass
class _Said:
    """When a cause was said last, and how often it was kept back since."""

    when_s: float
    kept_back: int = 0


class NodeLog:
    """
    Every line that a node logs goes through here; safe to call from any thread.

    rclpy remembers the severity of every line of code that logs and raises where it changes: here
    each severity has a line of its own. A text with a ``cause`` is said once a minute, however
    often it arises; the next time tells how often it was kept back. clock: seconds, never back.
    """

    def __init__(
        self, logger: Any, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._causes: OrderedDict[str, _Said] = OrderedDict()

    def debug(self, text: str, *, cause: str = '') -> bool:
        return self.say(Severity.DEBUG, text, cause=cause)

    def info(self, text: str, *, cause: str = '') -> bool:
        return self.say(Severity.INFO, text, cause=cause)

    def warn(self, text: str, *, cause: str = '') -> bool:
        return self.say(Severity.WARN, text, cause=cause)

    def error(self, text: str, *, cause: str = '') -> bool:
        return self.say(Severity.ERROR, text, cause=cause)

    def fatal(self, text: str, *, cause: str = '') -> bool:
        return self.say(Severity.FATAL, text, cause=cause)

    def say(
        self, severity: Severity, text: str, *, cause: str = '', every_s: float | None = None
    ) -> bool:
        """
        Log a text at a severity; return False where its cause was said within the minute.

        every_s: another time than the minute.
        """
        every_s = self._every_s if every_s is None else every_s
        with self._lock:
            due, kept_back = self._due(cause, every_s) if cause else (True, 0)
            if not due:
                return False
            if kept_back and severity >= Severity.WARN:
                text = f'{text} ({kept_back} more since it was said last)'
            if severity == Severity.DEBUG:
                self._logger.debug(text)
            elif severity == Severity.INFO:
                self._logger.info(text)
            elif severity == Severity.WARN:
                self._logger.warning(text)
            elif severity == Severity.ERROR:
                self._logger.error(text)
            else:
                self._logger.fatal(text)
        return True

    def _due(self, cause: str, every_s: float) -> tuple[bool, int]:
        now_s, said = self._clock(), self._causes.get(cause)
        if said is not None and now_s - said.when_s < every_s:
            said.kept_back += 1
            return False, 0
        self._causes[cause] = _Said(now_s)
        self._causes.move_to_end(cause)
        if len(self._causes) > _MOST_CAUSES:
            self._causes.popitem(last=False)
        return True, 0 if said is None else said.kept_back


def process_log() -> NodeLog:
    """Return the log of a process that has no node (yet)."""
    return NodeLog(get_logger('quiet_nav'))
