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

"""The commands as a user runs them: train, export, evaluate, one after the other."""

import json
import os
import subprocess
import sys

import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('lightning')

from typer.testing import CliRunner  # noqa: E402

from quiet_nav.cli import build_app  # noqa: E402
from quiet_nav.evaluation.predictors import read_metadata  # noqa: E402

RECIPE = """
name: tiny
network: {width: 0.0625}
optim: {name: adamw, learning_rate: 1e-3, epochs: 2, batch_size: 16}
data: {repeat: 4}
"""


def run(*arguments: object) -> str:
    result = CliRunner().invoke(build_app(), [str(item) for item in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_train_export_and_evaluate_one_after_the_other(campus, tmp_path):
    recipe = tmp_path / 'tiny.yaml'
    recipe.write_text(RECIPE)
    said = run('train', 'near-wall', '--data', campus, '--out', tmp_path / 'run', '--recipe',
               recipe, '--accelerator', 'cpu', '--no-progress')  # fmt: skip
    assert 'validation AP' in said
    model = tmp_path / 'model.onnx'
    said = run('export', tmp_path / 'run' / 'best.ckpt', '--out', model, '--data', campus)
    assert '12 test rows: AP' in said and 'largest difference of a probability' in said
    metadata = read_metadata(model)
    assert (metadata.kind, metadata.input_samples) == ('window', 48000)
    assert metadata.calibration.startswith('Platt') and 'tiny' in metadata.training
    figures = tmp_path / 'figures.json'
    said = run('evaluate', model, '--data', campus, '--json', figures, '--plots', tmp_path / 'p')
    assert '68.3' in said and 'By true distance' in said
    overall = json.loads(figures.read_text())['lines'][0]
    assert overall['rows'] == 12 and overall['rooms'] == 3
    assert overall['ap']['value'] > 0.9
    assert (tmp_path / 'p' / 'precision_recall.png').is_file()


@pytest.mark.slow
def test_a_task_its_probe_and_its_fine_tuning_train_as_commands(task_campus, tmp_path):
    recipe = tmp_path / 'tiny.yaml'
    recipe.write_text("""
name: tiny
network: {kind: task, width: 0.0625, options: {examples: 32, val_examples: 32}}
optim: {name: adamw, learning_rate: 1e-3, epochs: 1, batch_size: 16}
""")
    with_data = ('--data', task_campus, '--recipe', recipe, '--accelerator', 'cpu', '--no-progress')
    order = tmp_path / 'order'
    said = run('train', 'order', *with_data, '--out', order)
    assert 'order/best.ckpt: validation AP' in said
    said = run('train', 'ratio', *with_data, '--variant', 'regression', '--fraction', 0.5, '--out',
               tmp_path / 'ratio', '--trunk', order / 'best.ckpt')  # fmt: skip
    assert 'validation mean absolute error' in said
    run('train', 'near-wall', *with_data, '--probe', '--trunk', order / 'best.ckpt', '--out',
        tmp_path / 'probe')  # fmt: skip
    run('train', 'order', *with_data, '--init', order / 'best.ckpt', '--out', tmp_path / 'more')
    result = CliRunner().invoke(
        build_app(),
        [str(a) for a in ('train', 'distance', *with_data, '--init', order / 'best.ckpt', '--out',
                          tmp_path / 'other')],
    )  # fmt: skip
    assert 'a checkpoint of the task order (audio), expected distance' in str(result.exception)


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('train', 'near-wal', '--data', '.', '--out', 'x'), 'none of av-order'),
        (('train', 'near-wall', '--data', 'nowhere', '--out', 'x'), 'no such folder'),
        (('train', 'order', '--data', '.', '--out', 'x', '--init', 'no.ckpt'), 'No such file'),
        (('import-checkpoint', 'none.pth.tar', '--out', 'x.onnx'), 'No such file'),
        (('evaluate', 'none.onnx', '--data', '.'), 'No such file'),
        (('evaluate', 'none.ckpt', '--data', '.'), 'No such file'),
        (('export', 'none.ckpt', '--out', 'x.onnx'), 'No such file'),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_before_torch_is_imported(arguments, said, tmp_path):
    # A torch that cannot be imported: a command that needs it to say so fails here.
    (tmp_path / 'torch.py').write_text('raise AssertionError("torch was imported")')
    done = subprocess.run(
        [sys.executable, '-m', 'quiet_nav.cli', *arguments],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': f'{tmp_path}:{os.environ.get("PYTHONPATH", "")}'},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and done.stderr.count('\n') == 1
