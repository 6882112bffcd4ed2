"""A whole simulated campus: rooms spread over cores or a cluster, then lists and a manifest."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import asdict
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path

from quiet_nav import __version__
from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.campus_files import SUBSETS, clear_parts, to_json, write_whole
from quiet_nav.simulation.campus_lists import write_lists
from quiet_nav.simulation.campus_places import CampusRequest, plan_room, split_rooms
from quiet_nav.simulation.campus_rooms import make_room

_ENGINES = ('numpy', 'scipy', 'numba', 'pyroomacoustics')
#: How long a Dask scheduler may take to answer, in seconds.
ANSWER_S = 10.0
_THREADS = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')

Progress = Callable[[int, int], None]


def make_campus(
    request: CampusRequest,
    out: Path,
    workers: int = 0,
    cluster: str = '',
    progress: Progress | None = None,
) -> Path:
    """Write a campus below ``out`` and return the folder of its subset.

    workers: processes, 0 for one a core. cluster: '' for processes here, 'local' for a Dask
    cluster on this machine, or the address of a Dask scheduler whose workers see ``out``.
    progress: called with (rooms done, rooms in all). Rooms that are there already are kept, so
    that a stopped run goes on; the result does not depend on workers, cluster or stops.
    Raises QuietNavError where ``out`` holds another campus, or where the disk is full.
    """
    root = out / SUBSETS[request.kind]
    manifest = root / 'manifest.json'
    _claim(root, request)
    wanted = range(request.rooms)
    names = [plan_room(request, index).name for index in wanted]
    missing = [i for i in wanted if not (root / 'ProcessedData' / names[i]).is_dir()]
    done = request.rooms - len(missing)
    tell = progress or (lambda done, total: None)
    tell(done, request.rooms)
    with _engine(workers, cluster, len(missing)) as engine:
        for _ in engine(request, missing, str(out)):
            done += 1
            tell(done, request.rooms)
    splits = split_rooms(request)
    rooms = {split: [names[i] for i in splits[split]] for split in splits}
    write_lists(request.kind, root, rooms, request.seed)
    write_whole(manifest, to_json(describe(request, rooms)))
    (root / 'unfinished.json').unlink(missing_ok=True)
    return root


def describe(request: CampusRequest, splits: dict[str, list[str]]) -> dict[str, object]:
    """Return the manifest: request, versions, splits and every drawn parameter of every room."""
    rooms = {}
    for index in range(request.rooms):
        room = plan_room(request, index)
        scene = asdict(room.scene)
        scene.pop('sounds')
        places = [asdict(place) for place in room.places]
        for place in places:
            place['path'] = [place['path'][0], place['path'][-1]] if place['path'] else []
        rooms[room.name] = {'scene': scene, 'places': places}
    return {
        'request': _portable(request),
        'splits': splits,
        'versions': {
            'quiet_nav': __version__,
            'python': platform.python_version(),
            **{name: metadata.version(name) for name in _ENGINES},
        },
        'rooms': rooms,
    }


def _portable(request: CampusRequest) -> dict[str, object]:
    """The request without this machine's paths."""
    return {**asdict(request), 'sounds': Path(request.sounds).name, 'rig': Path(request.rig).stem}


def _claim(root: Path, request: CampusRequest) -> None:
    """Say that ``root`` is this request's, or refuse where it is another's."""
    import json

    claim = root / 'unfinished.json'
    asked = json.loads(to_json(_portable(request)))
    for path, key in ((claim, None), (root / 'manifest.json', 'request')):
        if not path.is_file():
            continue
        try:
            found = json.loads(path.read_text())
            found = found[key] if key else found
        except (ValueError, KeyError) as error:
            raise QuietNavError(f'{path}: not what this command writes ({error})') from error
        if found != asked:
            other = {k: v for k, v in found.items() if asked.get(k) != v}
            raise QuietNavError(
                f'{root} holds another campus, with {other}; choose another folder, '
                'ask for the same, or remove it'
            )
        break
    else:
        if (root / 'ProcessedData').exists():
            raise QuietNavError(
                f'{root} holds recordings that this command did not write; choose another folder'
            )
    clear_parts(root)
    if not (root / 'manifest.json').is_file():
        write_whole(claim, to_json(asked))


Engine = Callable[[CampusRequest, list[int], str], Iterator[str]]


@contextmanager
def _engine(workers: int, cluster: str, jobs: int) -> Iterator[Engine]:
    workers = max(1, min(workers or os.cpu_count() or 1, max(jobs, 1)))
    if cluster:
        with _dask(workers, cluster) as engine:
            yield engine
    elif workers == 1:
        yield _in_turn
    else:
        with _processes(workers) as engine:
            yield engine


def _in_turn(request: CampusRequest, rooms: list[int], out: str) -> Iterator[str]:
    for index in rooms:
        yield make_room(request, index, out)


@contextmanager
def _processes(workers: int) -> Iterator[Engine]:
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, '1'))
    pool = futures.ProcessPoolExecutor(workers, get_context('spawn'), _die_with, (os.getpid(),))

    def run(request: CampusRequest, rooms: list[int], out: str) -> Iterator[str]:
        jobs = [pool.submit(make_room, request, index, out) for index in rooms]
        for job in futures.as_completed(jobs):
            yield job.result()

    try:
        yield run
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _die_with(parent: int) -> None:
    """End this worker soon after its parent was killed, which leaves it waiting otherwise."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask(workers: int, cluster: str) -> Iterator[Engine]:
    try:
        from dask import distributed
    except ImportError as error:
        raise QuietNavError('--cluster needs Dask: install quiet_nav[cluster]') from error
    local = None
    if cluster == 'local':
        local = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        )
    try:
        client = distributed.Client(local or cluster, timeout=ANSWER_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise QuietNavError(f'Dask scheduler {cluster}: no answer ({error})') from error

    def run(request: CampusRequest, rooms: list[int], out: str) -> Iterator[str]:
        jobs = [
            client.submit(make_room, request, index, str(Path(out).resolve()), pure=False)
            for index in rooms
        ]
        for job in distributed.as_completed(jobs):
            yield job.result()

    try:
        yield run
    finally:
        client.close()
        if local is not None:
            local.close()
