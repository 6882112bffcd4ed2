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

"""Nodes as processes of one supervisor: started, watched, and stopped however it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import contextlib
import ctypes
from dataclasses import dataclass
import json
from pathlib import Path
import signal
import subprocess
import sys
import time
from typing import IO

from quiet_nav.errors import QuietNavError

#: A node that finishes a bag on a busy machine takes seconds; killed it would leave it unfinished.
STOP_S = 15.0
_LAST_LINES = 15
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class NodeProcess:
    """A node that runs: its name, process and the file of everything that it prints."""

    name: str
    process: subprocess.Popen
    log: Path

    def last_lines(self, count: int = _LAST_LINES) -> str:
        """Return the end of the log."""
        try:
            lines = self.log.read_text(errors='replace').splitlines()
        except OSError:
            return ''
        return '\n'.join(lines[-count:])


class Processes:
    """
    A context: every node started in it is stopped when it is left, the last one first.

    logs: folder for a log file a node, and for what ROS logs by itself (its subfolder `ros`).
    environment: all variables that nodes get. arguments: ROS arguments of every node.
    """

    def __init__(
        self, logs: Path, environment: Mapping[str, str], arguments: Sequence[str] = ()
    ) -> None:
        self._logs = logs.resolve()
        self._arguments = tuple(arguments)
        self._environment = {
            **environment,
            'PYTHONUNBUFFERED': '1',
            # ROS would log below the home folder, and not start where there is none.
            'ROS_LOG_DIR': str(self._logs / 'ros'),
        }
        self._started: list[NodeProcess] = []

    def __enter__(self) -> Processes:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self, module: str, parameters: Mapping[str, object], stdout: int | None = None
    ) -> NodeProcess:
        """
        Start ``python -m quiet_nav.nodes.MODULE`` with ROS parameters.

        stdout: ``subprocess.PIPE`` to read what it prints; only its stderr is logged then.
        """
        command = [sys.executable, '-m', f'quiet_nav.nodes.{module}', '--ros-args']
        command += self._arguments
        for name, value in parameters.items():
            # JSON is YAML, which is what ROS reads.
            command += ['-p', f'{name}:={json.dumps(value)}']
        log = self._logs / f'{module}.log'
        with open(log, 'wb') as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
                env=self._environment,
                # The terminal's Ctrl-C is for the supervisor, which stops nodes in order.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == 'linux' else None,
            )
        node = NodeProcess(module, process, log)
        self._started.append(node)
        return node

    def check(self, but: NodeProcess | None = None) -> None:
        """Raise QuietNavError with the last log lines where a node (``but`` one) has ended."""
        for node in self._started:
            code = node.process.poll()
            if node is not but and code is not None:
                raise QuietNavError(f'{node.name} ended {how(code)}{self.complaints(node)}')

    def complaints(self, culprit: NodeProcess) -> str:
        """Return the end of a node's log and the errors in those of the others, for people."""
        parts = [f'; the end of {culprit.log}:\n{culprit.last_lines()}']
        for node in self._started:
            errors = [line for line in node.last_lines(200).splitlines() if _is_error(line)]
            if node is not culprit and errors:
                parts.append('\n'.join([f'errors in {node.log}:', *errors[:_LAST_LINES]]))
        return '\n'.join(parts)

    def stop(self) -> None:
        """End every node: SIGINT, and SIGKILL for what is still there after STOP_S."""
        for node in reversed(self._started):
            if node.process.poll() is None:
                node.process.send_signal(signal.SIGINT)
        end = time.monotonic() + STOP_S
        for node in reversed(self._started):
            try:
                node.process.wait(max(end - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                node.process.kill()
                node.process.wait()
            close(node.process.stdout)
        self._started = []


def how(code: int) -> str:
    """Return how a process ended, from its exit code."""
    return f'by {signal.Signals(-code).name}' if code < 0 else f'with code {code}'


def close(stream: IO | None) -> None:
    """Close a pipe, where there is one, whatever its other end did."""
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()


def _is_error(line: str) -> bool:
    return line.startswith(('[ERROR]', '[FATAL]'))


def _die_with_parent() -> None:
    """Ask the kernel to end this process with the supervisor, even where that is killed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
