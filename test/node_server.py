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

"""
Nodes as processes, forked from one that has imported their modules: tests start hundreds.

A node's imports take longer than most tests of it. The server is a process of one thread without
a ROS context; what it forks runs ``quiet_nav.nodes.X`` as ``python -m`` does, to the exit of the
interpreter.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
from pathlib import Path
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
import time


class NodeServer:
    """The server as tests see it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._said = b''
        self._started: list[int] = []
        self._codes: dict[int, int] = {}

    def start(self, module: str, arguments: list[str], log: Path) -> ForkedNode:
        """Start ``quiet_nav.nodes.module``; what it prints goes to the log."""
        request = {
            'module': module,
            'arguments': arguments,
            'log': str(log),
            'environment': dict(os.environ),
            'folder': os.getcwd(),
        }
        self._process.stdin.write(json.dumps(request).encode() + b'\n')
        self._process.stdin.flush()
        while not self._started:
            self._listen(60.0)
        return ForkedNode(self, self._started.pop())

    def code(self, pid: int, timeout_s: float | None = 0.0) -> int | None:
        """Return a process's exit code (-n after signal n), None where it still runs by then."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        self._listen(0.0)
        while pid not in self._codes:
            left_s = 60.0 if end is None else end - time.monotonic()
            if left_s <= 0.0:
                return None
            self._listen(left_s)
        return self._codes[pid]

    def _listen(self, timeout_s: float) -> None:
        while select.select([self._process.stdout], [], [], timeout_s)[0]:
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                raise RuntimeError('the server of node processes has ended')
            *lines, self._said = (self._said + data).split(b'\n')
            for line in lines:
                word, pid, *code = line.split()
                if word == b'started':
                    self._started.append(int(pid))
                else:
                    self._codes[int(pid)] = int(code[0])
            timeout_s = 0.0

    def close(self) -> None:
        """End the server; nodes that still run are the tests' to end."""
        self._process.stdin.close()
        self._process.wait(10.0)
        self._process.stdout.close()


class ForkedNode:
    """What ``subprocess.Popen`` says of a process, of one that the server forked."""

    def __init__(self, server: NodeServer, pid: int) -> None:
        self._server, self.pid = server, pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        return self._server.code(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        code = self._server.code(self.pid, timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f'node {self.pid}', timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _serve() -> dict | None:
    """Fork a process a request until the requests end; in the process return what it is to run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    said = b''
    while True:
        ready = select.select([0, woken], [], [])[0]
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
            _tell_ended()
        if 0 not in ready:
            continue
        data = os.read(0, 65536)
        if not data:
            return None
        *lines, said = (said + data).split(b'\n')
        for line in lines:
            request = json.loads(line)
            _import(request['module'])
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.close(woken)
                os.close(wake)
                return request
            os.write(1, f'started {pid}\n'.encode())


def _tell_ended() -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            os.write(1, f'ended {found[0]} {os.waitstatus_to_exitcode(found[1])}\n'.encode())


def _import(module: str) -> None:
    """
    Import what a node consists of, as far as a process can be forked afterwards.

    Not onnxruntime: it starts a thread, which a fork leaves behind and the exit waits for. What
    imports it fails here, after most of its other imports, and is imported by the node itself.
    """
    sys.modules['onnxruntime'] = None
    with contextlib.suppress(Exception):
        found = importlib.import_module(f'quiet_nav.nodes.{module}')
        for info in pkgutil.iter_modules(getattr(found, '__path__', ())):
            if info.name != '__main__':
                with contextlib.suppress(ImportError):
                    importlib.import_module(f'{found.__name__}.{info.name}')
    del sys.modules['onnxruntime']


def _become(request: dict) -> None:
    """Make this process what ``Popen`` would have started."""
    os.setsid()
    os.environ.clear()
    os.environ.update(request['environment'])
    os.chdir(request['folder'])
    silence = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request['log'], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(silence, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(silence)
    os.close(log)
    sys.argv = [f'quiet_nav.nodes.{request["module"]}', *request['arguments']]


if __name__ == '__main__':
    asked = _serve()
    if asked is not None:
        _become(asked)
        # A module that is a file is run anew, as the process's main module.
        sys.modules.pop(f'quiet_nav.nodes.{asked["module"]}', None)
        runpy.run_module(f'quiet_nav.nodes.{asked["module"]}', run_name='__main__', alter_sys=True)
