"""Who may connect to a WebSocket: programs, this machine's pages, and those it is meant for."""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import socketserver
from types import TracebackType
from urllib.parse import urlsplit

from quiet_nav.errors import QuietNavError

#: Foxglove's app, in a browser and as a program.
FOXGLOVE = ('foxglove.dev', 'foxglove.io')
_MOST_HEAD = 16 * 1024
_HEAD_S = 10.0
_REFUSED = (
    b'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n'
    b'X-Reason: pages of this origin may not connect\r\n\r\n'
)


def may_connect(origin: str | None, sites: tuple[str, ...] = FOXGLOVE) -> bool:
    """Return whether a page of an origin may connect; None: no page, but a program.

    A browser lets any page of the internet open a WebSocket to this machine and says only whose
    page it was. sites: that may, with their subdomains, by https alone.
    """
    if origin is None or origin == 'file://':
        return True
    try:
        parts = urlsplit(origin)
        name = parts.hostname or ''
    except ValueError:
        return False
    if parts.scheme == 'https' and any(name == s or name.endswith('.' + s) for s in sites):
        return True
    if parts.scheme not in ('http', 'https'):
        return False
    if name == 'localhost':
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name).is_loopback
    return False


class OriginGate:
    """Passes connections on to a server of this machine, but for pages that may not connect.

    host, port: where it listens; 0 takes a free port. inner_port: of the server, on 127.0.0.1.
    Use it as a context. Raises QuietNavError where the port is taken.
    """

    def __init__(self, host: str, port: int, inner_port: int) -> None:
        import threading

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    _pass(self.request, inner_port)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        try:
            self._server = Server((host, port), Handler)
        except OSError as error:
            raise QuietNavError(
                f'{host}:{port}: cannot be served ({error.strerror}); choose another --port'
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> OriginGate:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _pass(client: socket.socket, inner_port: int) -> None:
    client.settimeout(_HEAD_S)
    head = b''
    while b'\r\n\r\n' not in head:
        part = client.recv(4096)
        head += part
        if not part or len(head) > _MOST_HEAD:
            return
    if not all(may_connect(origin) for origin in _origins(head) or [None]):
        client.sendall(_REFUSED)
        return
    with socket.create_connection(('127.0.0.1', inner_port), _HEAD_S) as server:
        server.sendall(head)
        client.settimeout(None)
        server.settimeout(None)
        _pump(client, server)


def _origins(head: bytes) -> list[str]:
    """Return every Origin that a request names: there should be one at most."""
    lines = head.split(b'\r\n\r\n', 1)[0].decode('latin-1').split('\r\n')[1:]
    pairs = (line.split(':', 1) for line in lines if ':' in line)
    return [value.strip() for name, value in pairs if name.strip().lower() == 'origin']


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Hand on what either side sends until one of them ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                data = source.recv(65536)
                if not data:
                    return
                key.data.sendall(data)
