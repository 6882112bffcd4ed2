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

"""The study's experiments with networks that really train: tiny, an epoch each."""

import dataclasses
import json

import pytest

torch = pytest.importorskip('torch')

from task_campus import write_task_campus  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from quiet_nav.cli import build_app  # noqa: E402
from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.study.experiments import Experiment, EXPERIMENTS, Line, Training  # noqa: E402
from quiet_nav.study.run import refuse_unserved, run_study  # noqa: E402
from quiet_nav.study.training import served, TaskRunner  # noqa: E402

RECIPE = """
name: tiny
network: {kind: task, width: 0.05, options: {image_width: 0.05}}
optim: {name: adamw, epochs: 1, batch_size: 32}
image: {size: 32}
data: {repeat: 1}
"""


def command(*arguments) -> str:
    result = CliRunner().invoke(build_app(), [*map(str, arguments)])
    if isinstance(result.exception, QuietNavError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('study')
    write_task_campus(folder / 'SFS-Static', images=False)
    return folder


@pytest.fixture
def runner(data, tmp_path):
    (tmp_path / 'tiny.yaml').write_text(RECIPE)
    return TaskRunner(data, str(tmp_path / 'tiny.yaml'))


@pytest.mark.slow
def test_networks_are_trained_kept_and_their_checkpoints_evaluated(data, runner, tmp_path):
    low = Training('order', options=(('band_hz', (0.0, 1000.0)),))
    probe = Training('near-wall', options=(('probe', True),), init=Training('order'))
    lines = (Line('all', Training('order')), Line('low', low), Line('probe', probe))
    one, out = Experiment('three', '', '', lines, 'AP'), tmp_path / 'tables'
    refuse_unserved([one], runner)
    (outcome,) = run_study([one], runner, out, tell=lambda _text: None)
    assert [line.report.task for line in outcome.lines] == ['order', 'order', 'near-wall']
    kept = sorted((out / 'trainings').glob('*/best.ckpt'))
    times = [path.stat().st_mtime_ns for path in kept]
    again = dataclasses.replace(runner, data=runner.data)
    run_study([one], again, out, tell=lambda _text: None)
    assert len(kept) == 3 and times == [path.stat().st_mtime_ns for path in kept]
    report = tmp_path / 'report.json'
    text = command('evaluate', kept[-1], '--data', data, '--json', report)
    assert 'AP' in text and 'no input' in text
    (said,) = json.loads(report.read_text())['reports']
    assert said['task'] == 'order' and 0 <= said['figures']['AP']['value']['value'] <= 1


@pytest.mark.slow
def test_other_rooms_can_be_judged_than_those_of_the_data(data, runner, tmp_path):
    other = tmp_path / 'other'
    write_task_campus(other / 'SFS-Static', images=False)
    # Rooms to test on alone; the baselines come from the data's training rows.
    for task in ('obstacle-detection', 'relative-depth'):
        for split in ('train', 'val'):
            path = other / 'SFS-Static' / 'data-split' / task / f'{split}.csv'
            path.write_text(path.read_text().splitlines()[0] + '\n')
        path = other / 'SFS-Static' / 'data-split' / task / 'test.csv'
        lines = path.read_text().splitlines()
        path.write_text('\n'.join(lines[: len(lines) // 2 * 2 - 2]) + '\n')
    one = Experiment('one', '', '', (Line('order', Training('order')),), 'AP')
    out = tmp_path / 'tables'
    reports = []
    for rooms in (None, other):
        asked = dataclasses.replace(runner, rooms=rooms)
        refuse_unserved([one], asked)
        (outcome,) = run_study([one], asked, out, tell=lambda _text: None)
        reports.append(outcome['order'])
    assert reports[0].rows != reports[1].rows
    assert len(list((out / 'trainings').iterdir())) == 1
    with pytest.raises(QuietNavError, match='other rooms'):
        TaskRunner(data, 'small', rooms=data)


@pytest.mark.slow
def test_what_the_data_cannot_serve_is_refused_first_and_what_trains_nothing_is_measured(
    data, tmp_path
):
    asked = ('--data', data, '--small', '--out', tmp_path)
    with pytest.raises(QuietNavError, match='depth-difference: task order needs images'):
        command('tables', 'bands', 'depth-difference', *asked)
    assert not (tmp_path / 'trainings').exists()
    assert 'level' in command('tables', 'energy', *asked)
    levels = json.loads((tmp_path / 'energy.json').read_text())['lines']
    assert levels[0]['figures']['level']['value']['value'] > 3.0


def test_all_leaves_out_the_lines_that_the_data_cannot_serve(data):
    kept, left = served(EXPERIMENTS, TaskRunner(data, 'small').anywhere())
    lines = {one.name: [line.label for line in one.lines] for one in kept}
    assert lines['near-wall-and-order'] == ['near-wall, sound', 'order, sound']
    assert (
        lines['bands'] and lines['energy'] == [] and lines['generalization'] == ['static to static']
    )
    assert not {'self-supervision', 'motion', 'locate'} & set(lines)
    assert any(line.startswith('probes, order, sound: AV-Order: task av-order') for line in left)
    assert any('images' in line for line in left) and any('SFS-Motion' in line for line in left)
