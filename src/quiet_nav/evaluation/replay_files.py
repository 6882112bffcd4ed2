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

"""A replay's files: predictions as a bag, readings and figures as tables, plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import contextlib
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
import tempfile

import numpy as np

from quiet_nav.engine import engine
from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import plots
from quiet_nav.evaluation.replay_plots import over_time
from quiet_nav.evaluation.replay_report import judged, report, to_csv, write_readings
from quiet_nav.evaluation.report import Report
from quiet_nav.files.writing import whole_folder, write_file, write_json
from quiet_nav.geometry import Side
from quiet_nav.recordings.playback import Wav
from quiet_nav.recordings.predictions import write_predictions
from quiet_nav.recordings.replay import replay, Replayed, ReplaySettings

#: Called with each bag's share done, in the bags' order.
Progress = Callable[[Sequence[float]], None]
_shares = None
_progress: Progress | None = None


def replay_all(
    bags: Sequence[Path],
    settings: ReplaySettings,
    wavs: Sequence[Wav | None],
    jobs: int,
    progress: Progress,
    cluster: str = '',
) -> list[Replayed | QuietNavError]:
    """
    Replay bags, ``jobs`` at a time (0: one a core) in processes of their own, or on a cluster.

    cluster: as ``engine`` takes it; its workers must see bags and model under the same paths, and
    a bag's share is known when it is done. The result depends on neither.
    A bag that cannot be replayed gives its error; the others are not lost.
    """
    shared = get_context('spawn').Array('d', len(bags), lock=False)
    found: dict[int, Replayed | QuietNavError] = {}

    def tell() -> None:
        progress(list(shared))

    settings = settings.anywhere()
    given = [
        (i, bag.absolute(), settings, wav and replace(wav, path=wav.path.absolute()))
        for i, (bag, wav) in enumerate(zip(bags, wavs, strict=True))
    ]
    alone = not cluster and (jobs == 1 or len(bags) == 1)
    prepare = partial(_share, shared, progress if alone else None)
    try:
        with engine(jobs, cluster, len(bags), prepare, tell) as run:
            for number, result in run(_replay_one, given):
                found[number] = result
                shared[number] = 1.0
                tell()
    finally:
        _share(None)
    return [found[number] for number in range(len(bags))]


def _share(shares: object, progress: Progress | None = None) -> None:
    global _shares, _progress
    _shares, _progress = shares, progress


def _replay_one(
    index: int, bag: Path, settings: ReplaySettings, wav: Wav | None
) -> Replayed | QuietNavError:
    def tell(share: float) -> None:
        if _shares is not None:
            _shares[index] = share
        if _progress is not None:
            _progress(list(_shares))

    try:
        return replay(bag, settings, wav, progress=tell)
    except QuietNavError as error:
        return error


def refuse_existing(out: Path, names: Sequence[str]) -> None:
    """Raise QuietNavError where results are there, bags share a name, or OUT is not writable."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise QuietNavError(f'two bags are called {", ".join(twice)}: replay them one at a time')
    there = [str(out / name) for name in names if (out / name).exists()]
    if there:
        raise QuietNavError(f'{", ".join(there)}: there already; choose another --out or remove it')
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise QuietNavError(f'{out}: cannot be written ({error.strerror})') from error


def write_all(out: Path, replays: Sequence[Replayed], camera: Side) -> Report | None:
    """
    Write everything below ``out`` and return the report, None where nothing can be judged.

    A folder a bag: ``predictions`` (mcap), ``readings.csv``, ``over_time.png``. Beside them, where
    the depth camera can judge: ``table.json``, ``table.csv``, ``reliability.png``,
    ``precision_recall.png``.
    """
    for found in replays:
        with whole_folder(out / found.name) as folder:
            write_predictions(folder / 'predictions', found)
            with (folder / 'readings.csv').open('w', newline='') as file:
                write_readings(file, found)
            over_time(folder / 'over_time.png', found)
    said = report(replays, camera)
    if said is not None:
        write_json(out / 'table.json', said.to_json(), overwrite=True, indent=2)
        write_file(out / 'table.csv', to_csv(said), overwrite=True)
        _plot(out, replays, camera)
    return said


def _plot(out: Path, replays: Sequence[Replayed], camera: Side) -> None:
    parts = [judged(found, camera) for found in replays]
    p = np.array([r.probability for part in parts for r in part.readings])
    near = np.array([bool(row.near) for part in parts for row in part.rows])
    plots.reliability(out / 'reliability.png', p, near)
    if not 0 < near.sum() < len(near):
        return
    # scikit-learn comes with the extra `learn`, which a robot does without.
    with contextlib.suppress(ModuleNotFoundError):
        plots.precision_recall(out / 'precision_recall.png', {replays[0].model: (p, near)})
