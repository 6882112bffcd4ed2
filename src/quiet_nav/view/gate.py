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

"""The door of the served view: a browser's page gets in only where it may."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import threading
from urllib.parse import urlsplit

from quiet_nav.errors import QuietNavError

#: Where Foxglove's own pages are served from; its desktop app has pages of its own schemes.
FOXGLOVE = ('foxglove.dev', 'foxglove.com')
_APP_SCHEMES = ('file', 'foxglove')
_MOST_HEADER = 16_384
_HEADER_S = 10.0
_CHUNK = 65_536
_REFUSED = (
    b'HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n'
    b'quiet_nav: pages of this origin may not see the robot.\n'
)


def may_connect(origin: str | None) -> bool:
    """
    Return whether a client of an Origin (RFC 6454) may connect.

    Programs, which send none, pages of this machine and Foxglove may. Every other page that the
    user's browser shows could connect, too: browsers do not keep WebSockets to their own site.
    """
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
        host = (parts.hostname or '').rstrip('.')
    except ValueError:
        return False
    if parts.scheme in _APP_SCHEMES:
        return True
    if parts.scheme == 'https' and any(
        host == name or host.endswith(f'.{name}') for name in FOXGLOVE
    ):
        return True
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Gate:
    """Listens where clients connect, and passes on those that may to a server behind it."""

    def __init__(self, host: str, port: int, inner_host: str, inner_port: int) -> None:
        """Begin to listen; port 0 takes a free one. Raises QuietNavError where it is taken."""
        self._inner = inner_host, inner_port
        self._loop = asyncio.new_event_loop()
        try:
            self._server = self._loop.run_until_complete(
                asyncio.start_server(self._serve, host or None, port, limit=_MOST_HEADER)
            )
        except (OSError, OverflowError, ValueError) as error:
            self._loop.close()
            raise QuietNavError(
                f'{host}:{port}: cannot be served ({error}); choose another --port'
            ) from error
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the door and every connection."""
        future = asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        with contextlib.suppress(TimeoutError):
            future.result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError,
                                 asyncio.TimeoutError):  # fmt: skip
            try:
                header = await asyncio.wait_for(reader.readuntil(b'\r\n\r\n'), _HEADER_S)
                if all(may_connect(origin) for origin in origins(header)):
                    await self._pass_on(header, reader, writer)
                else:
                    writer.write(_REFUSED)
                    await writer.drain()
            finally:
                writer.close()

    async def _pass_on(
        self, header: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(*self._inner)
        inner_writer.write(header)
        ways = [
            asyncio.ensure_future(_copy(reader, inner_writer)),
            asyncio.ensure_future(_copy(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            inner_writer.close()


def origins(header: bytes) -> list[str | None]:
    """Return every Origin of an HTTP request's header, [None] where there is none."""
    lines = header.decode('latin-1').split('\r\n')[1:]
    found: list[str | None] = [
        value.strip() for name, _, value in (line.partition(':') for line in lines)
        if name.strip().lower() == 'origin'
    ]  # fmt: skip
    return found or [None]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
