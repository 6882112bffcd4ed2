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

"""Where a scene goes: an MCAP file, or a WebSocket that the Foxglove app connects to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass
from pathlib import Path
import secrets
import threading

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file, why_not_written
from quiet_nav.view.gate import Gate
from quiet_nav.view.scene import need_foxglove

#: Gaps in a bag are not waited for longer than this, in seconds.
LONGEST_WAIT_S = 2.0
NAME = 'quiet_nav'


@contextlib.contextmanager
def into_file(path: Path, overwrite: bool = False) -> Iterator[object]:
    """
    Give a context whose messages are written to an MCAP file.

    Raises QuietNavError where the file is there already or cannot be written.
    """
    foxglove = need_foxglove()
    # Else it says of every message that a full disk does not take it.
    foxglove.set_log_level('CRITICAL')
    context = foxglove.Context()
    with whole_file(path, overwrite) as part:
        try:
            writer = foxglove.open_mcap(str(part), context=context)
        except Exception as error:
            raise why_not_written(part, error) from error
        try:
            yield context
        except BaseException:
            with contextlib.suppress(Exception):
                writer.close()
            raise
        try:
            writer.close()
        except Exception as error:
            raise why_not_written(part, error) from error


@contextlib.contextmanager
def into_server(host: str, port: int) -> Iterator[tuple[object, Served]]:
    """
    Give a context and the WebSocket server that sends its messages to whoever is connected.

    Programs, pages of this machine and Foxglove can connect, other pages of a browser cannot.
    port: 0 takes a free one, which ``server.port`` tells. Raises QuietNavError where it is taken.
    """
    foxglove = need_foxglove()
    from foxglove.websocket import Capability

    context = foxglove.Context()
    try:
        # The SDK asks nobody for an Origin. An address that is drawn among sixteen million of this
        # machine's own cannot be found by a page.
        inner = '127.' + '.'.join(str(1 + secrets.randbelow(254)) for _ in range(3))
        server = foxglove.start_server(
            name=NAME, host=inner, port=0, context=context, capabilities=[Capability.Time]
        )
    except Exception as error:
        raise QuietNavError(
            f'{host}:{port}: cannot be served ({error}); choose another --port'
        ) from error
    try:
        gate = Gate(host, port, inner, server.port)
        try:
            yield context, Served(gate.port, server.broadcast_time, server.clear_session)
        finally:
            gate.stop()
    finally:
        server.stop()


@dataclass(frozen=True)
class Served:
    """What serves a view: its port, how clients are told the time (ns), and to begin anew."""

    port: int
    broadcast_time: Callable[[int], None]
    clear_session: Callable[[], None]


def paced(
    messages: Iterator[tuple[int, str, object]], speed: float, wait: Callable[[float], object]
) -> Iterator[tuple[int, str, object]]:
    """
    Yield messages as far apart as they were recorded, ``speed`` times as fast.

    wait: sleeps so many seconds; true ends it. Gaps of more than 2 s are cut.
    """
    import time

    origin_ns = begin = None
    for item in messages:
        now = time.monotonic()
        if origin_ns is None:
            origin_ns, begin = item[0], now
        due = begin + (item[0] - origin_ns) / 1e9 / speed
        if due - now > LONGEST_WAIT_S:
            begin -= due - now - LONGEST_WAIT_S
            due = now + LONGEST_WAIT_S
        if due > now and wait(due - now):
            return
        yield item


def how_to_look(server: Served, host: str) -> str:
    """Return in words where to look at a server."""
    shown = 'localhost' if host in ('0.0.0.0', '127.0.0.1') else host
    return f'Foxglove (app or browser), open connection ws://{shown}:{server.port}'


def ended() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set."""
    import signal

    event = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: event.set())
    return event
