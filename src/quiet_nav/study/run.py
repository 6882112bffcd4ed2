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

"""Running experiments: every network trained once, everything finished kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import dataclasses
from dataclasses import dataclass
import hashlib
import json
from pathlib import Path
import time
from typing import Protocol

from quiet_nav.engine import engine
from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.writing import write_json
from quiet_nav.study.experiments import AUDIOSET, Experiment, IMAGENET, Line, Training
from quiet_nav.study.predictions import Predictions
from quiet_nav.study.scores import score, score_between, TaskReport

BEST, DONE = 'best.ckpt', 'result.json'
#: Why lines that begin with a file of weights are absent where there is none.
_NO_WEIGHTS = {
    IMAGENET: "ImageNet's weights are not at hand (--imagenet)",
    AUDIOSET: 'weights of AudioSet cannot be read yet',
}

Tell = Callable[[str], None]


class Runner(Protocol):
    """What trains and asks networks; it is sent to other processes, so it holds plain values."""

    #: Whether ImageNet weights are at hand.
    has_imagenet: bool

    def decides(self, training: Training) -> dict:
        """Return plain values: all that decides what a training gives, beside ``training``."""
        ...

    def judges(self, training: Training, subset: str) -> dict:
        """Return plain values: all that decides what a trained network is judged on."""
        ...

    def check(self, training: Training, subset: str) -> None:
        """Raise QuietNavError where a subset cannot serve a training, or judging it there."""
        ...

    def train(self, training: Training, out: Path, init: Path | None) -> None:
        """Leave best.ckpt and, at the end, result.json in ``out``; go on from last.ckpt there."""
        ...

    def predict(
        self, training: Training, checkpoint: Path, subset: str, snr_db: float | None
    ) -> Predictions:
        """Return what a network says of the test rooms of a subset."""
        ...

    def measure(self, what: str, subset: str) -> list[Found]:
        """Return lines of what is measured without a network."""
        ...


@dataclass(frozen=True)
class Found:
    """A line with its figures."""

    label: str
    report: TaskReport
    x: float | None = None
    series: str = ''
    paper: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """An experiment with what was found, line by line."""

    experiment: Experiment
    lines: tuple[Found, ...]

    def __getitem__(self, label: str) -> TaskReport:
        return next(line.report for line in self.lines if line.label == label)

    def __contains__(self, label: str) -> bool:
        return any(line.label == label for line in self.lines)

    def to_json(self) -> dict:
        """Return plain values."""
        lines = [
            {
                'label': line.label,
                'x': line.x,
                'series': line.series,
                'paper': dict(line.paper),
                **line.report.to_json(),
            }
            for line in self.lines
        ]
        one = self.experiment
        absent = [
            {'label': line.label, 'why': why, 'paper': dict(line.paper)} for line, why in one.absent
        ]
        return {
            'name': one.name,
            'title': one.title,
            'source': one.source,
            'lines': lines,
            'absent': absent,
        }


def serving(experiments: Sequence[Experiment], runner: Runner) -> list[Experiment]:
    """Return the experiments, those lines absent whose weights to begin with nobody has."""
    known = {IMAGENET} if runner.has_imagenet else set()
    return [
        one.without(
            {
                line: _NO_WEIGHTS[line.training.init]
                for line in one.lines
                if isinstance(line.training.init, str) and line.training.init not in known
            }
        )
        for one in experiments
    ]


def refuse_unserved(experiments: Sequence[Experiment], runner: Runner) -> None:
    """Raise QuietNavError naming every experiment that the data cannot serve, and why."""
    why = unserved(experiments, runner)
    faults = {}
    for one in experiments:
        for line in one.lines:
            if why[line]:
                faults.setdefault(one.name, why[line])
    if faults:
        raise QuietNavError('\n'.join(f'{name}: {said}' for name, said in faults.items()))


def unserved(experiments: Sequence[Experiment], runner: Runner) -> dict[Line, str]:
    """Return why the data cannot serve each line, '' where they can."""
    told: dict[tuple, str] = {}

    def fault(training: Training, subset: str) -> str:
        own = training.subset == subset
        key = (training.task, training.variant, training.inputs, training.options, subset, own)
        if key not in told:
            try:
                runner.check(training, subset)
                told[key] = ''
            except QuietNavError as error:
                told[key] = str(error)
        return told[key]

    found = {}
    for line in dict.fromkeys(line for one in experiments for line in one.lines):
        needed = [(training, training.subset) for training in line.training.needed()]
        said = (fault(*one) for one in [*needed, (line.training, line.judged_on)])
        found[line] = next(filter(None, said), '')
    return found


def run_study(
    experiments: Sequence[Experiment],
    runner: Runner,
    out: Path,
    *,
    workers: int = 1,
    cluster: str = '',
    seed: int = 0,
    tell: Tell = print,
) -> list[Outcome]:
    """
    Train what is missing, judge what is missing, and return every experiment's figures.

    out: receives ``trainings/`` and ``scores/``; what is finished there is kept, a training that
    was stopped goes on from its last checkpoint. Trainings of several experiments are shared.
    tell: is told after every network how many are left, and how many hours at this pace.
    """
    folders = {
        training: folder_of(training, runner, out)
        for one in experiments
        for line in one.lines
        for training in line.training.needed()
    }
    waves: dict[int, list[Training]] = {}
    for training, folder in folders.items():
        if not (folder / DONE).is_file():
            waves.setdefault(len(training.needed()), []).append(training)
    left = sum(map(len, waves.values()))
    tell(f'{len(folders)} networks, {left} of them to train')
    began, done = time.monotonic(), 0
    for _, wave in sorted(waves.items()):
        jobs = [(runner, t, folders[t], _start(t, folders)) for t in wave]
        with engine(workers, cluster, len(jobs)) as run:
            for number, _ in run(_train, jobs):
                done, left = done + 1, left - 1
                hours = left * (time.monotonic() - began) / done / 3600.0
                tell(f'trained {wave[number].name}; {left} left, {hours:.1f} h at this pace')
    asked = dict.fromkeys(line for one in experiments for line in one.lines)
    files = {line: _score_file(line, folders[line.training], runner, out, seed) for line in asked}
    todo = {files[line]: line for line in asked if not files[line].is_file()}
    jobs = [(runner, line, folders[line.training], path, seed) for path, line in todo.items()]
    with engine(workers, cluster, len(jobs)) as run:
        for number, _ in run(_judge, jobs):
            tell(f'judged {jobs[number][1].label}')
    return [Outcome(one, tuple(_lines(one, runner, files))) for one in experiments]


def folder_of(training: Training, runner: Runner, out: Path) -> Path:
    """Return where a training lies: its name and a hash of all that decides it."""
    return out.resolve() / 'trainings' / f'{training.name}-{_key(training, runner)}'


def _key(training: Training, runner: Runner) -> str:
    said: dict = {'training': dataclasses.asdict(training), 'decides': runner.decides(training)}
    if isinstance(training.init, Training):
        said['init'] = _key(training.init, runner)
    return _hash(said)


def _hash(said: dict) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def _start(training: Training, folders: dict[Training, Path]) -> Path | None:
    return folders[training.init] / BEST if isinstance(training.init, Training) else None


def _score_file(line: Line, folder: Path, runner: Runner, out: Path, seed: int) -> Path:
    on = runner.judges(line.training, line.judged_on)
    said = {'of': folder.name, 'on': on, 'subset': line.judged_on,
            'snr': line.snr_db, 'between': line.between, 'seed': seed}  # fmt: skip
    return out.resolve() / 'scores' / f'{_hash(said)}.json'


def _train(runner: Runner, training: Training, folder: Path, init: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    runner.train(training, folder, init)
    if not (folder / DONE).is_file() or not (folder / BEST).is_file():
        raise QuietNavError(f'{folder}: the training left no {DONE} or no {BEST}')


def _judge(runner: Runner, line: Line, folder: Path, path: Path, seed: int) -> None:
    said = runner.predict(line.training, folder / BEST, line.judged_on, line.snr_db)
    if line.between is None:
        parts = [(None, None, score(said, seed))]
    else:
        parts = score_between(said, *line.between, seed)
    content = [
        {'low': low, 'high': high, **report.to_json(), 'draws': report.draws()}
        for low, high, report in parts
    ]
    write_json(path, content, overwrite=True)


def _lines(one: Experiment, runner: Runner, files: dict[Line, Path]) -> list[Found]:
    if one.measures:
        return runner.measure(one.measures, one.on)
    found = []
    for line in one.lines:
        for low, high, report in read_scores(files[line]):
            label, x = line.label, line.x
            if low is not None and high is not None:
                label, x = f'{line.label}, {low:g} to {high:g}', (low + high) / 2.0
            found.append(Found(label, report, x, line.series, line.paper))
    return found


def read_scores(path: Path) -> list[tuple[float | None, float | None, TaskReport]]:
    """
    Return the reports of a file that this module wrote, each with the ends of what it is of.

    Raises QuietNavError naming the file where it is none.
    """
    found = []
    try:
        for part in read_json(path, finite=False):
            low, high = (None if part[key] is None else float(part[key]) for key in ('low', 'high'))
            found.append((low, high, TaskReport.from_json(part)))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise QuietNavError(
            f'{path}: not what this command writes ({error}); remove it to measure again'
        ) from error
    return found
