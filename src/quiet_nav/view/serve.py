"""Where a scene goes: an MCAP file, or a WebSocket that the Foxglove app connects to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file
from quiet_nav.view.origins import OriginGate
from quiet_nav.view.scene import need_foxglove

#: Gaps in a bag are not waited for longer than this, in seconds.
LONGEST_WAIT_S = 2.0
NAME = 'quiet_nav'


@contextlib.contextmanager
def into_file(path: Path, overwrite: bool = False) -> Iterator[object]:
    """Give a context whose messages are written to an MCAP file.

    Raises QuietNavError where the file is there already or cannot be written.
    """
    foxglove = need_foxglove()
    context = foxglove.Context()
    with whole_file(path, overwrite) as part:
        try:
            writer = foxglove.open_mcap(str(part), context=context)
        except Exception as error:
            raise QuietNavError(f'{path}: cannot be written ({error})') from error
        with writer:
            yield context


@contextlib.contextmanager
def into_server(host: str, port: int) -> Iterator[tuple[Any, Served]]:
    """Give a context and the WebSocket server that sends its messages to whoever is connected.

    Pages of the internet may not connect, but for Foxglove's (``origins``). port: 0 takes a free
    one, which ``server.port`` tells. Raises QuietNavError where it is taken.
    """
    foxglove = need_foxglove()
    from foxglove.websocket import Capability

    context = foxglove.Context()
    try:
        server = foxglove.start_server(
            name=NAME, host='127.0.0.1', port=0, context=context, capabilities=[Capability.Time]
        )
    except Exception as error:
        raise QuietNavError(
            f'{host}:{port}: cannot be served ({error}); choose another --port'
        ) from error
    try:
        with OriginGate(host, port, server.port) as gate:
            yield context, Served(server, gate.port)
    finally:
        server.stop()


class Served:
    """The server of a WebSocket; port: that clients connect to."""

    def __init__(self, server: Any, port: int) -> None:
        self._server, self.port = server, port

    def broadcast_time(self, time_ns: int) -> None:
        """Say what time it is in what is shown."""
        self._server.broadcast_time(time_ns)

    def clear_session(self) -> None:
        """Let the clients forget what they have."""
        self._server.clear_session()


def paced(
    messages: Iterator[tuple[int, str, object]], speed: float, wait: Callable[[float], object]
) -> Iterator[tuple[int, str, object]]:
    """Yield messages as far apart as they were recorded, ``speed`` times as fast.

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
