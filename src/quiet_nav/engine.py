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

"""Independent jobs spread over the cores of this machine or over a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from multiprocessing import get_context
import os
import threading
import time

from quiet_nav.errors import QuietNavError
from quiet_nav.extras import how_to_get

#: How long a Dask scheduler may take to answer, in seconds.
ANSWER_S = 10.0
#: How often somebody who waits is called, in seconds.
WAIT_S = 0.2
_THREADS = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')

#: Runs ``function(*arguments)`` for each of many arguments; yields (number, result) as they end.
Run = Callable[[Callable, Sequence[tuple]], Iterator[tuple[int, object]]]


@contextmanager
def engine(
    workers: int,
    cluster: str,
    jobs: int,
    prepare: Callable[[], None] | None = None,
    waiting: Callable[[], None] | None = None,
) -> Iterator[Run]:
    """
    Give what runs jobs; leaving it drops those that have not begun.

    workers: processes, 0 for one a core; never more than ``jobs``; one runs in this process.
    cluster: '' for processes here, 'local' for a Dask cluster on this machine, or the address of a
    Dask scheduler whose workers see the same files. prepare: called first in every process here
    (a ``functools.partial`` of a module's function). waiting: called every 0.2 s here meanwhile.
    Raises QuietNavError where Dask is not installed or its scheduler does not answer.
    """
    workers = max(1, min(workers or os.cpu_count() or 1, max(jobs, 1)))
    if cluster:
        with _dask(workers, cluster) as run:
            yield run
    elif workers == 1:
        if prepare is not None:
            prepare()
        yield _in_turn
    else:
        with _processes(workers, prepare, waiting) as run:
            yield run


def _in_turn(function: Callable, arguments: Sequence[tuple]) -> Iterator[tuple[int, object]]:
    for number, given in enumerate(arguments):
        yield number, function(*given)


@contextmanager
def _processes(
    workers: int,
    prepare: Callable[[], None] | None = None,
    waiting: Callable[[], None] | None = None,
) -> Iterator[Run]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, '1'))
    pool = futures.ProcessPoolExecutor(
        workers, get_context('spawn'), _begin, (os.getpid(), prepare)
    )

    def run(function: Callable, arguments: Sequence[tuple]) -> Iterator[tuple[int, object]]:
        jobs = {pool.submit(function, *given): n for n, given in enumerate(arguments)}
        left = set(jobs)
        while left:
            done, left = futures.wait(left, WAIT_S if waiting else None, futures.FIRST_COMPLETED)
            if waiting is not None:
                waiting()
            for job in sorted(done, key=jobs.get):
                yield jobs[job], job.result()

    try:
        yield run
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _begin(parent: int, prepare: Callable[[], None] | None) -> None:
    """End this worker soon after its parent was killed, which leaves it waiting otherwise."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if prepare is not None:
        prepare()


@contextmanager
def _dask(workers: int, cluster: str) -> Iterator[Run]:
    try:
        from dask import distributed
    except ImportError as error:
        raise QuietNavError(f'--cluster needs Dask: {how_to_get("dask")}') from error
    local = None
    if cluster == 'local':
        local = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        )
    try:
        client = distributed.Client(local or cluster, timeout=ANSWER_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise QuietNavError(f'Dask scheduler {cluster}: no answer ({error})') from error

    def run(function: Callable, arguments: Sequence[tuple]) -> Iterator[tuple[int, object]]:
        jobs = {client.submit(function, *a, pure=False): n for n, a in enumerate(arguments)}
        for job in distributed.as_completed(jobs):
            yield jobs[job], job.result()

    try:
        yield run
    finally:
        client.close()
        if local is not None:
            local.close()
