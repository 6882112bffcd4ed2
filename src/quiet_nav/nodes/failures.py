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

"""What becomes of exceptions: one line each, wherever they arose, and all in one place."""

from __future__ import annotations

from collections.abc import Callable
import os
from pathlib import Path
import queue
import sys
import threading
import time
import traceback
from typing import Any

from rclpy.node import Node

from quiet_nav.errors import NO_MEMORY, no_memory, QuietNavError

#: A worker that is asked to end gets so long; what computes without end is left behind.
CLOSE_S = 2.0


def one_line(error: BaseException) -> str:
    """Return what an exception says in one line, and where it arose."""
    text = ' '.join(str(error).split())
    if isinstance(error, QuietNavError):
        return text
    if no_memory(error):
        text = f'{text}: {NO_MEMORY}' if text else NO_MEMORY
    frames = traceback.extract_tb(error.__traceback__)
    at = f' ({Path(frames[-1].filename).name}:{frames[-1].lineno})' if frames else ''
    return f'{type(error).__name__}: {text}{at}'


def raise_in_executor(node: Node, error: BaseException) -> None:
    """
    Raise what arose in a thread where the node's callbacks run: it is dealt with there alone.

    A node that nobody spins has nobody to deal with it: then nothing happens.
    """

    def again() -> None:
        raise error

    executor = node.executor
    if executor is not None:
        executor.create_task(again)


class Worker:
    """
    One thread that does jobs in order; an exception of one is raised in the node's executor.

    It ends with the process, whatever it computes. After an exception the jobs that wait are
    dropped: who failed once is not asked again.
    """

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._since_s: float | None = None
        self._ended = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[..., object], *arguments: Any) -> None:
        """Let a job be done; after ``close`` nothing is taken any more."""
        if not (self._ended.is_set() or self._failed):
            self._jobs.put(lambda: job(*arguments))

    @property
    def busy_s(self) -> float:
        """For how long the present job has been computed, in seconds; 0 where there is none."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """End the thread, dropping jobs that wait; return whether it has ended in time."""
        self._ended.set()
        self._jobs.put(None)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._ended.is_set() or self._failed:
                continue
            self._since_s = time.monotonic()
            try:
                job()
            except Exception as error:
                self._failed = True
                raise_in_executor(self._node, error)
            finally:
                self._since_s = None


def leave(code: int, patience_s: float = 1.0) -> int:
    """
    Return the exit code, or end the process with it where threads still compute.

    Python would wait for them, and some never end (a model that loops).
    """
    me = (threading.main_thread(), threading.current_thread())
    if threading.current_thread() is not threading.main_thread():
        return code
    end_s = time.monotonic() + patience_s
    for thread in threading.enumerate():
        if thread not in me:
            thread.join(max(0.0, end_s - time.monotonic()))
    if all(thread in me for thread in threading.enumerate()):
        return code
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
