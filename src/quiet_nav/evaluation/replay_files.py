"""A replay's files: predictions as a bag, readings and figures as tables, plots."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from concurrent import futures
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import plots
from quiet_nav.evaluation.replay_plots import over_time
from quiet_nav.evaluation.replay_report import judged, readings_csv, report, to_csv
from quiet_nav.evaluation.report import Report
from quiet_nav.geometry import Side
from quiet_nav.recordings.playback import Wav
from quiet_nav.recordings.predictions import write_predictions
from quiet_nav.recordings.replay import Replayed, ReplaySettings, replay

#: Called with each bag's share done, in the bags' order.
Progress = Callable[[Sequence[float]], None]
_shares = None


def replay_all(
    bags: Sequence[Path],
    settings: ReplaySettings,
    wavs: Sequence[Wav | None],
    jobs: int,
    progress: Progress,
) -> list[Replayed]:
    """Replay bags, ``jobs`` at a time in processes of their own; the result does not depend on it.

    Raises what the first bag that fails raises.
    """
    if jobs <= 1 or len(bags) == 1:
        shares = [0.0] * len(bags)
        detector, found = settings.load(), []
        for i, (bag, wav) in enumerate(zip(bags, wavs, strict=True)):

            def tell(share: float, i: int = i) -> None:
                shares[i] = share
                progress(shares)

            found.append(replay(bag, settings, wav, detector, tell))
        return found
    context = get_context('spawn')
    shared = context.Array('d', len(bags), lock=False)
    with futures.ProcessPoolExecutor(
        min(jobs, len(bags)), context, initializer=_share, initargs=(shared,)
    ) as pool:
        work = [
            pool.submit(_replay_one, i, bag, settings, wav)
            for i, (bag, wav) in enumerate(zip(bags, wavs, strict=True))
        ]
        waiting = set(work)
        while waiting:
            done, waiting = futures.wait(waiting, 0.2, futures.FIRST_EXCEPTION)
            progress(list(shared))
            if any(job.exception() for job in done):
                pool.shutdown(cancel_futures=True)
                break
        return [job.result() for job in work if not job.cancelled()]


def _share(shares: object) -> None:
    global _shares
    _shares = shares


def _replay_one(index: int, bag: Path, settings: ReplaySettings, wav: Wav | None) -> Replayed:
    def tell(share: float) -> None:
        _shares[index] = share

    return replay(bag, settings, wav, progress=tell)


def refuse_existing(out: Path, names: Sequence[str]) -> None:
    """Raise QuietNavError where results are there already or two bags share a name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise QuietNavError(f'two bags are called {", ".join(twice)}: replay them one at a time')
    there = [str(out / name) for name in names if (out / name).exists()]
    if there:
        raise QuietNavError(f'{", ".join(there)}: there already; choose another --out or remove it')


def write_all(out: Path, replays: Sequence[Replayed], camera: Side) -> Report | None:
    """Write everything below ``out`` and return the report, None where nothing can be judged.

    A folder a bag: ``predictions`` (mcap), ``readings.csv``, ``over_time.png``. Beside them, where
    the depth camera can judge: ``table.json``, ``table.csv``, ``reliability.png``,
    ``precision_recall.png``.
    """
    try:
        for found in replays:
            folder = out / found.name
            folder.mkdir(parents=True)
            write_predictions(folder / 'predictions', found)
            (folder / 'readings.csv').write_text(readings_csv(found))
            over_time(folder / 'over_time.png', found)
        said = report(replays, camera)
        if said is not None:
            content = json.dumps(said.to_json(), indent=2, sort_keys=True)
            (out / 'table.json').write_text(content + '\n')
            (out / 'table.csv').write_text(to_csv(said))
    except OSError as error:
        raise QuietNavError(f'{out}: cannot be written ({error})') from error
    if said is not None:
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
