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

"""The door of a node: every message is checked where it comes in, refused ones are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
import threading
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.logs import NodeLog

#: The newest causes of refusal that diagnostics name.
_NAMED = 3


class Intake:
    """
    Calls handlers with messages; what they refuse by QuietNavError is counted and said.

    The cause is the text up to its first colon after the topic, so that numbers in it do not make
    a new one: a line a cause and minute. Handlers may run in several threads.
    """

    def __init__(self, log: NodeLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._new: set[str] = set()

    def checked(self, topic: str, handle: Callable[[Any], object]) -> Callable[[Any], None]:
        """Return a subscription's callback: ``handle``, whose refusals do no harm."""

        def receive(message: Any) -> None:
            try:
                handle(message)
            except QuietNavError as error:
                self.refuse(topic, str(error))

        return receive

    def refuse(self, topic: str, text: str) -> None:
        """Count a message of a topic that was refused, and say so once a minute."""
        cause = f'{topic}: {cause_of(text)}'
        with self._lock:
            self._counts[cause] += 1
            self._last[cause] = text
            self._new.add(cause)
        self._log.warn(f'{topic}: message refused: {text}', cause=cause)

    @property
    def refused(self) -> int:
        """How many messages were refused so far."""
        with self._lock:
            return sum(self._counts.values())

    def take_news(self) -> str:
        """Return what was refused since the last call, in words; '' where nothing was."""
        with self._lock:
            news, self._new = sorted(self._new), set()
            said = [f'{cause.partition(":")[0]}: {self._last[cause]}' for cause in news[:_NAMED]]
        return '; '.join(said)

    def values(self) -> dict[str, object]:
        """Return the counts for diagnostics: messages refused, by topic and cause."""
        with self._lock:
            found: dict[str, object] = {'messages refused': sum(self._counts.values())}
            found |= {f'refused, {cause}': count for cause, count in self._counts.most_common(10)}
        return found


def cause_of(text: str) -> str:
    """Return the part of a refusal that does not change with its numbers: all before the first."""
    words: list[str] = []
    for word in text.split():
        if any(c.isdigit() for c in word) or word.lower().strip('.,;:') in ('nan', 'inf', '-inf'):
            break
        words.append(word)
    return ' '.join(words) or text
