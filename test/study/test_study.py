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

"""The study's machinery, with networks that are a line in a file."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from small_campus import write_campus
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.metrics import Estimate
from quiet_nav.study.energy import energy_ratio
from quiet_nav.study.experiments import chosen, EXPERIMENTS, IMAGENET, Training
from quiet_nav.study.files import write_study
from quiet_nav.study.run import (
    BEST,
    DONE,
    folder_of,
    Found,
    Outcome,
    refuse_unserved,
    run_study,
    serving,
)
from quiet_nav.study.scores import Figure, Predictions, score, TaskReport
from quiet_nav.study.tables import conclusions

SKILL = {'order': 2.0, 'near-wall': 0.5}


@dataclasses.dataclass(frozen=True)
class FakeRunner:
    """Writes a line a training into a log; says the truth with some noise."""

    log: Path
    fails_at: str = ''
    has_imagenet: bool = False
    epochs: int = 1

    def decides(self, training):
        return {'epochs': self.epochs}

    def judges(self, training, subset):
        return {'epochs': self.epochs}

    def check(self, training, subset):
        if subset == 'motion' or training.task == 'locate':
            raise QuietNavError(f'{training.task}: {subset} cannot serve it')

    def train(self, training, out, init):
        if training.name == self.fails_at:
            raise QuietNavError('stopped')
        if init is not None:
            assert init.is_file()
        with self.log.open('a') as file:
            file.write(training.name + '\n')
        (out / BEST).write_text(training.task)
        (out / DONE).write_text('{}')

    def predict(self, training, checkpoint, subset, snr_db):
        assert checkpoint.read_text() == training.task
        rng = np.random.default_rng(len(training.name))
        target = np.tile([True, False], 60)
        noise = rng.normal(0, 1, 120)
        skill = 0.0 if training.options == (('probe', True),) and training.init is None else None
        skill = SKILL.get(training.task, 1.0) if skill is None else skill
        output = 1 / (1 + np.exp(-(skill * (2 * target - 1) + noise)))
        rooms = np.repeat(np.arange(12), 10)
        extra = {'depth_difference_m': np.tile([0.2, 0.2, 0.8, 0.8], 30)}
        return Predictions(training.task, 'binary', rooms, target, output, target, extra)

    def measure(self, what, subset):
        report = TaskReport('level', 'regression', 4, 2, (Figure('level', Estimate(1, 0, 2)),))
        return [Found(f'{hz:.0f} Hz', report, hz, 'near minus far') for hz in (100.0, 200.0)]

    def trained(self):
        return self.log.read_text().splitlines() if self.log.is_file() else []


def run(names, runner, out, **options):
    return run_study(
        serving(chosen(names), runner), runner, out, tell=lambda _text: None, **options
    )


def test_shared_networks_are_trained_once_and_those_begun_from_after_their_start(tmp_path):
    runner = FakeRunner(tmp_path / 'log')
    outcomes = run(['near-wall-and-order', 'probes', 'few-shot', 'bands'], runner, tmp_path / 'o')
    trained = runner.trained()
    assert len(trained) == len(set(trained))
    # The order of two sounds is in all four, AV-Order in two.
    assert trained.count('order-audio-static') == 1
    assert trained.index('av-order-both-static') < trained.index(
        'order-audio-static-probe-true-from-av-order'
    )
    assert [len(outcome.lines) for outcome in outcomes] == [6, 12, 10, 5]


def test_stopped_studies_go_on_and_other_recipes_start_anew(tmp_path):
    names, out = ['near-wall-and-order'], tmp_path / 'o'
    stopped = FakeRunner(tmp_path / 'log', fails_at='order-audio-static')
    with pytest.raises(QuietNavError, match='stopped'):
        run(names, stopped, out)
    before = stopped.trained()
    assert before
    runner = FakeRunner(tmp_path / 'log')
    run(names, runner, out)
    assert len(runner.trained()) == len(set(runner.trained())) == 6
    run(names, runner, out)
    assert len(runner.trained()) == 6
    run(names, dataclasses.replace(runner, epochs=2), out)
    assert len(runner.trained()) == 12


@pytest.mark.slow
def test_networks_trained_over_a_cluster_give_the_same_figures(tmp_path):
    pytest.importorskip('distributed')
    runner, spread = FakeRunner(tmp_path / 'log'), {'workers': 2, 'cluster': 'local'}
    found = [
        [outcome.to_json() for outcome in run(['few-shot'], runner, tmp_path / name, **options)]
        for name, options in (('alone', {}), ('spread', spread))
    ]
    assert found[0] == found[1]
    # What another begins with is trained first, wherever that is.
    both = runner.trained()
    spread_ones = both[len(both) // 2 :]
    assert len(spread_ones) == len(set(spread_ones))
    begun = [i for i, name in enumerate(spread_ones) if name.endswith('from-av-order')]
    assert begun and spread_ones.index('av-order-both-static') < min(begun)


def test_names_that_are_not_known_and_data_that_cannot_serve_are_refused_first(tmp_path):
    with pytest.raises(QuietNavError, match='table-9: none of near-wall-and-order, ratio'):
        chosen(['bands', 'table-9'])
    runner = FakeRunner(tmp_path / 'log')
    with pytest.raises(QuietNavError) as error:
        refuse_unserved(chosen(['motion', 'bands', 'locate']), runner)
    assert str(error.value).splitlines() == [
        'motion: near-wall: motion cannot serve it',
        'locate: locate: dense cannot serve it',
    ]
    assert not runner.trained()


def test_lines_of_imagenet_need_its_weights(tmp_path):
    runner = FakeRunner(tmp_path / 'log')
    (probes,) = serving(chosen(['probes']), runner)
    assert all(line.training.init != IMAGENET for line in probes.lines)
    why = {line.label: why for line, why in probes.absent}
    assert '--imagenet' in why['order, image: ImageNet']
    assert 'AudioSet' in why['order, sound: AudioSet']
    (probes,) = serving(chosen(['probes']), dataclasses.replace(runner, has_imagenet=True))
    assert any(line.training.init == IMAGENET for line in probes.lines)


@pytest.mark.slow
def test_tables_figures_and_summary_are_written_with_the_papers_values(tmp_path):
    runner, out = FakeRunner(tmp_path / 'log'), tmp_path / 'o'
    names = ['near-wall-and-order', 'depth-difference', 'energy', 'probes', 'bands']
    outcomes = run(names, runner, out)
    write_study(outcomes, out, Console(width=160, file=io.StringIO()))
    for name in names:
        assert (out / f'{name}.png').stat().st_size > 5000
        assert (out / f'{name}.txt').is_file()
    text = (out / 'near-wall-and-order.txt').read_text()
    assert '68.3 ±1.3' in text and '85.5 ±1.0' in text and 'real rooms' in text
    # What could not be had has its row, with the paper's figure.
    assert '97.7 ±0.2' in text and 'Not measured: near-wall, image from ImageNet' in text
    lines = json.loads((out / 'depth-difference.json').read_text())['lines']
    assert [line['x'] for line in lines if line['series'] == 'order, sound'] == [0.175, 0.875]
    summary = (out / 'summary.txt').read_text().splitlines()
    assert any(s.startswith('yes') and 'AP of order, sound' in s for s in summary)
    assert any(s.startswith('yes') and 'order, sound: AV-Order' in s for s in summary)
    assert any('in the same rooms' in s for s in summary)


def test_conclusions_say_no_where_figures_do_not_hold():
    def outcome(name, **values):
        one = next(e for e in EXPERIMENTS if e.name == name)
        found = []
        for label, value in values.items():
            estimate = Estimate(value, value - 0.02, value + 0.02)
            half = Estimate(0.5, 0.48, 0.52)
            report = TaskReport('t', 'binary', 9, 3, (Figure('AP', estimate, half, half),))
            found.append((label.replace('_', ' '), report))
        return Outcome(one, tuple(Found(label, report) for label, report in found))

    said = conclusions([outcome('bands', **{'0-1000 Hz': 0.8, 'all frequencies': 0.9})])
    assert [one.holds for one in said] == [False]
    said = conclusions(
        [outcome('near-wall-and-order', **{'near-wall, sound': 0.53, 'order, sound': 0.52})]
    )
    assert [one.holds for one in said] == [False, False, False]
    assert 'intervals overlap' in said[-1].text


def test_figures_of_the_same_rooms_are_compared_draw_by_draw(tmp_path):
    """What makes rooms hard widens both intervals, and not that of the difference."""
    rng = np.random.default_rng(3)
    rooms = np.repeat(np.arange(20), 40)
    target = np.tile([0.0, 1.0], 400)
    hard = np.repeat(rng.uniform(0.2, 2.0, 20), 40)
    noise = rng.normal(0, 1, 800) * hard

    def report(skill, named=rooms):
        output = 1 / (1 + np.exp(-(skill * (2 * target - 1) + noise)))
        return score(Predictions('order', 'binary', named, target, output, target, {}))

    better, worse = report(0.9), report(0.7)
    assert better.main.value.low < worse.main.value.high
    found = better.above(worse)
    assert found.low > 0 and found.high - found.low < 0.05
    assert found.value == pytest.approx(better.main.value.value - worse.main.value.value)
    # Read back from a file of scores the draws are the same; without them nothing is said.
    said = json.loads(json.dumps({**better.to_json(), 'draws': better.draws()}))
    assert TaskReport.from_json(said).above(worse) == found
    assert TaskReport.from_json(better.to_json()).above(worse) is None
    assert better.above(report(0.7, rooms + 1)) is None


def test_every_experiment_has_lines_of_its_own_names():
    names = [one.name for one in EXPERIMENTS]
    assert len(names) == len(set(names))
    for one in EXPERIMENTS:
        labels = [line.label for line in one.lines]
        assert len(labels) == len(set(labels)) and (labels or one.measures)


def test_folders_tell_trainings_apart(tmp_path):
    runner = FakeRunner(tmp_path / 'log')
    base = Training('order')
    others = [
        Training('order', 'image'),
        Training('order', options=(('probe', True),)),
        Training('order', options=(('probe', True),), init=Training('av-order', 'both')),
        Training('order', options=(('probe', True),), init=Training('av-sync', 'both')),
        Training('order', distractors=True),
    ]
    folders = {folder_of(training, runner, tmp_path) for training in (base, *others)}
    assert len(folders) == 6


def test_energy_ratio_is_the_share_of_magnitude_by_frequency_and_below_1_khz(tmp_path):
    data = write_campus(tmp_path / 'SFS-Static')
    for i, file in enumerate(sorted(data.rglob('*.wav'))):
        rng = np.random.default_rng(i)
        t = np.arange(3 * 16000) / 16000
        # White noise is alike at all frequencies; a tone far above it is all there is.
        wave = 0.01 * rng.standard_normal(len(t))
        soundfile.write(file, wave if i % 2 else 0.5 * np.sin(2 * np.pi * 2100 * t), 16000)
    below, *bands = energy_ratio(tmp_path, 'SFS-Static')
    shares = [line.report['energy ratio'].value.value for line in bands]
    assert [line.x for line in bands[:2]] == [100.0, 300.0] and len(bands) == 40
    assert sum(shares) == pytest.approx(1.0)
    assert bands[int(np.argmax(shares))].label == '2000 to 2200 Hz'
    assert below.report['share'].value.value == pytest.approx(sum(shares[:5]))
    assert dict(below.paper) == {'share': '70'}
