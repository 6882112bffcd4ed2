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

"""Where Rerun's recordings go: a file, a window, or a page of this machine and of it alone."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
from datetime import timedelta
import http.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import ipaddress
import json
import os
from pathlib import Path
import re
import socket
import subprocess
import tempfile
import threading
import time
from typing import Any
from urllib.parse import quote, urlsplit

from quiet_nav.errors import QuietNavError
from quiet_nav.extras import how_to_get
from quiet_nav.files.writing import whole_file, why_not_written
from quiet_nav.view.rerun_scene import need_rerun

NAME = 'quiet_nav'
#: As long the viewer may take to come up, in seconds: it is a program of 300 MB.
_START_S = 60.0
_LOOPBACK = '127.0.0.1'
#: What a viewer that comes later still gets of a live view.
_LIVE_MEMORY = '512MiB'
_BLOCK = 2**20
_PASSED_ON = ('Content-Type', 'Content-Encoding')


@contextlib.contextmanager
def into_rrd(path: Path, views: Any, overwrite: bool = False) -> Iterator[Any]:
    """
    Give a recording that is written to an .rrd file, which is there when all is in it.

    views: the blueprint that the file begins with. Raises QuietNavError where the file is there
    already or cannot be written.
    """
    rerun = need_rerun()
    with whole_file(path, overwrite) as part:
        # Large chunks: a browser reads them many times as fast as a row at a time.
        together = rerun.ChunkBatcherConfig(flush_tick=timedelta(seconds=5))
        recording = rerun.RecordingStream(NAME, batcher_config=together)
        recording.save(str(part), default_blueprint=views)
        try:
            yield recording
            try:
                recording.flush()
            except RuntimeError as error:
                # It writes in a thread of its own.
                raise why_not_written(part, error) from error
        finally:
            recording.disconnect()


@contextlib.contextmanager
def live_page(host: str, port: int) -> Iterator[tuple[Any, Page]]:
    """
    Give a recording that is shown as it grows, and the page that shows it.

    host, port: of the page; 0 takes a free port. Raises QuietNavError where it cannot be served.
    """
    rerun = need_rerun()
    with contextlib.ExitStack() as stack:
        viewer = stack.enter_context(_viewer(host))
        page = stack.enter_context(Page(host, port, viewer, None))
        recording = rerun.RecordingStream(NAME)
        recording.connect_grpc(f'rerun+http://{_reached(host)}:{viewer.data_port}/proxy')
        stack.callback(recording.disconnect)
        yield recording, page


@contextlib.contextmanager
def file_page(path: Path, host: str, port: int) -> Iterator[Page]:
    """Give the page that shows an .rrd file; as ``live_page``."""
    with _viewer(host) as viewer, Page(host, port, viewer, path) as page:
        yield page


def window(path: Path) -> None:
    """Show an .rrd file in Rerun's own window until that is closed."""
    with _no_reports() as environment:
        subprocess.run([_program(), str(path)], env=environment, check=False)


def has_display() -> bool:
    """Return whether a window can be opened here."""
    return any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY'))


class _Viewer:
    """Rerun's own servers: of the viewer's page (files_port) and of data (data_port)."""

    def __init__(self, process: subprocess.Popen[bytes], files_port: int, data_port: int) -> None:
        self.process, self.files_port, self.data_port = process, files_port, data_port


@contextlib.contextmanager
def _viewer(host: str) -> Iterator[_Viewer]:
    need_rerun()
    files_port, data_port = _free_port(host), _free_port(host)
    command = [
        _program(), '--serve-web', '--bind', host, '--port', str(data_port),
        '--web-viewer-port', str(files_port), '--server-memory-limit', _LIVE_MEMORY,
    ]  # fmt: skip
    with _no_reports() as environment, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait_for(process, host, (files_port, data_port), said)
            yield _Viewer(process, files_port, data_port)
        finally:
            process.terminate()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(
    process: subprocess.Popen[bytes], host: str, ports: tuple[int, ...], said: Any
) -> None:
    end = time.monotonic() + _START_S
    for port in ports:
        while True:
            with contextlib.suppress(OSError), socket.create_connection((_reached(host), port), 1):
                break
            if process.poll() is not None or time.monotonic() > end:
                said.seek(0)
                lines = said.read().decode('utf-8', 'replace').strip().splitlines()
                reason = lines[-1] if lines else 'it says nothing'
                raise QuietNavError(f"Rerun's viewer does not start ({reason})")
            time.sleep(0.05)


@contextlib.contextmanager
def _no_reports() -> Iterator[dict[str, str]]:
    """Give an environment in which Rerun neither reports its use nor touches settings."""
    with tempfile.TemporaryDirectory(prefix='quiet_nav-rerun-') as folder:
        settings = Path(folder) / 'rerun' / 'analytics.json'
        settings.parent.mkdir()
        content = {'analytics_enabled': False, 'analytics_id': '', 'metadata': {}}
        content |= {'config_file_path': str(settings), 'data_dir_path': folder}
        settings.write_text(json.dumps(content))
        yield os.environ | {'XDG_CONFIG_HOME': folder, 'XDG_DATA_HOME': folder}


def _program() -> str:
    try:
        import rerun_cli  # type: ignore[import-untyped]
    except ImportError as error:
        raise QuietNavError(f'this view needs a library: {how_to_get("rerun_cli")}') from error
    name = 'rerun.exe' if os.name == 'nt' else 'rerun'
    return str(Path(rerun_cli.__file__).parent / name)


def _free_port(host: str) -> int:
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port: int = probe.getsockname()[1]
            return port
    except OSError as error:
        raise QuietNavError(f'{host}: cannot be served ({error}); choose another --host') from error


def _reached(host: str) -> str:
    return _LOOPBACK if host == '0.0.0.0' else host


class Page:
    """
    The page in which a browser shows a recording, served while the context is open.

    Everything on it comes from this machine: the browser is told to ask nobody else, and who asks
    under another name than this machine's (as pages of the internet can make a browser do) gets
    no answer. path: of an .rrd file; None: what the viewer is sent.
    """

    def __init__(self, host: str, port: int, viewer: _Viewer, path: Path | None) -> None:
        page, self._host = self, host

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self) -> None:
                page._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._viewer, self._path = viewer, path
        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise QuietNavError(
                f'{host}:{port}: cannot be served ({error.strerror}); choose another --port'
            ) from error
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Where a browser of this machine finds it."""
        return f'http://{_reached(self._host)}:{self.port}/'

    def __enter__(self) -> Page:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        name = urlsplit('//' + request.headers.get('Host', '')).hostname or ''
        if not self._is_ours(name):
            request.send_error(403, 'asked for under a name that is not of this machine')
            return
        asked = urlsplit(request.path)
        with contextlib.suppress(ConnectionError):
            if asked.path == '/' and 'url=' not in asked.query:
                self._redirect(request, name)
            elif self._path is not None and asked.path == self._file:
                self._send_file(request, self._path)
            else:
                self._pass_on(request, asked.path, name)

    @property
    def _file(self) -> str:
        return '/' + quote(self._path.name if self._path is not None else '')

    def _is_ours(self, name: str) -> bool:
        if name == 'localhost':
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            # Robots are asked for by names, too, once they serve all addresses.
            return self._host not in (_LOOPBACK, '::1', 'localhost')
        return address.is_loopback or self._host not in (_LOOPBACK, '::1', 'localhost')

    def _redirect(self, request: BaseHTTPRequestHandler, name: str) -> None:
        if self._path is not None:
            data = f'http://{request.headers["Host"]}{self._file}'
        else:
            data = f'rerun+http://{name}:{self._viewer.data_port}/proxy'
        request.send_response(302)
        request.send_header('Location', f'/?url={quote(data, safe="")}')
        request.send_header('Content-Length', '0')
        request.end_headers()

    def _send_file(self, request: BaseHTTPRequestHandler, path: Path) -> None:
        with path.open('rb') as file:
            request.send_response(200)
            request.send_header('Content-Type', 'application/octet-stream')
            request.send_header('Content-Length', str(os.fstat(file.fileno()).st_size))
            request.end_headers()
            while block := file.read(_BLOCK):
                request.wfile.write(block)

    def _pass_on(self, request: BaseHTTPRequestHandler, path: str, name: str) -> None:
        """Answer with a file of the viewer."""
        own = _reached(self._host)
        connection = http.client.HTTPConnection(own, self._viewer.files_port, timeout=30.0)
        try:
            connection.request('GET', path, headers={'Accept-Encoding': 'identity'})
            found = connection.getresponse()
            content = found.read()
            if path == '/':
                # Fonts of the internet, for a page that waits for its program to load.
                content = re.sub(rb'<link[^>]*https://[^>]*>', b'', content)
            request.send_response(found.status)
            for header in _PASSED_ON:
                value = found.getheader(header)
                if value is not None:
                    request.send_header(header, value)
            request.send_header('Content-Length', str(len(content)))
            data = ' '.join(f'http://{n}:{self._viewer.data_port}' for n in {name, own})
            request.send_header(
                'Content-Security-Policy',
                "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:; "
                "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
                f"worker-src 'self' blob:; connect-src 'self' blob: data: {data}",
            )
            request.end_headers()
            request.wfile.write(content)
        except (OSError, http.client.HTTPException):
            request.close_connection = True
        finally:
            connection.close()
