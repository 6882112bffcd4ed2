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

from called import run
from installed import require
import pytest
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.evaluation.predictors import read_metadata

require('torch', 'lightning')

RECIPE = """
name: tiny
network: {width: 0.0625}
optim: {name: adamw, learning_rate: 1e-3, epochs: 2, batch_size: 16}
data: {repeat: 4}
"""


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


#: What a user gets wrong, as a call in a folder that holds ``file`` and the folder ``data``, and a
#: part of what is said about it.
BAD_CALLS = [
    ('train near-wal --data data --out x', 'none of av-order'),
    ('train near-wall --data nowhere --out x', 'no such folder'),
    ('train near-wall --data data --out file/x', 'cannot be written (Not a directory)'),
    ('train near-wall --data data --out x --recipe nope.yaml', 'nope.yaml'),
    ('train near-wall --data data --out x --recipe odd.yaml', "kind 'odd' is none of context"),
    ('train order --data data --out x --recipe bad.yaml', 'bad.yaml'),
    ('train near-wall --data data --out x --precision foo', 'expected one of auto, 32-true'),
    ('train near-wall --data data --out x --input smell', 'expected one of audio, image, both'),
    ('train near-wall --data data --out x --devices some', 'expected auto, a number or a list'),
    ('train order --data data --out x --init no.ckpt', 'No such file'),
    ('train order --data data --out x --trunk no.ckpt', 'No such file'),
    ('train order --data data --out x --init file --trunk file', 'one of them'),
    ('export none.ckpt --out x.onnx', 'No such file'),
    ('export file --out file/x.onnx', 'cannot be written (Not a directory)'),
    ('export file --out file', 'name another file to write'),
    ('export other --out file', 'is there already'),
    ('export file --out x.onnx --data nowhere', 'no such folder'),
    ('export file --out x.onnx --quantize int3', 'expected one of none, dynamic, static'),
    ('export file --out x.onnx --mix none.ckpt', 'No such file'),
    ('import-checkpoint none.pth.tar --out x.onnx', 'No such file'),
    ('import-checkpoint file --out file/x.onnx', 'cannot be written (Not a directory)'),
    ('evaluate none.onnx --data data', 'No such file'),
    ('evaluate none.ckpt --data data', 'No such file'),
    ('evaluate some.ckpt --data nowhere', 'no such folder'),
    ('evaluate some.ckpt --data data --split all', 'none of train, val, test'),
    ('evaluate some.ckpt --data data --context most', 'none of alone'),
    ('evaluate some.ckpt --data data --distractors nowhere', 'nowhere'),
    ('evaluate some.ckpt --data data --lists data', '--lists is for near-wall ONNX models'),
    ('evaluate some.ckpt --data data --image-model none.onnx', 'No such file'),
    ('evaluate some.ckpt --data data --json file/x.json', 'cannot be written (Not a directory)'),
    ('tables ratio --data nowhere', 'no such folder'),
    ('tables ratios --data data', 'none of'),
    ('tables ratio --data data', 'ratio'),
    ('tables ratio --data data --rooms nowhere', 'no such folder'),
    ('tables ratio --data data --rooms data', 'other rooms'),
    ('tables ratio --data data --sounds nowhere', 'no such folder'),
    ('tables ratio --data data --imagenet none.pth', 'No such file'),
    ('tables ratio --data data --out file/x', 'cannot be written (Not a directory)'),
]
_MAKES_THEM = """
import contextlib, io, json, sys
from quiet_nav.cli import main
answers = []
for call in json.load(sys.stdin):
    sys.argv, said = ['quiet_nav', *call.split()], io.StringIO()
    code = None
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main()
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            code = repr(error)
    answers.append([code, said.getvalue()])
sys.__stdout__.write(json.dumps(answers))
"""


@pytest.fixture(scope='module')
def answers(tmp_path_factory):
    """Return exit code and output of each bad call: all in one process that has no torch."""
    folder = tmp_path_factory.mktemp('calls')
    (folder / 'data').mkdir()
    for name in ('file', 'other', 'some.ckpt'):
        (folder / name).write_text('nothing')
    (folder / 'odd.yaml').write_text('network: {kind: odd}\n')
    (folder / 'bad.yaml').write_text('optim: {epoch: 3}\n')
    # A torch that cannot be imported: a command that needs it to say so fails here.
    (folder / 'torch.py').write_text('raise AssertionError("torch was imported")')
    done = subprocess.run(
        [sys.executable, '-c', _MAKES_THEM],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': f'{folder}:{os.environ.get("PYTHONPATH", "")}'},
        input=json.dumps([call for call, _said in BAD_CALLS]),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ['bad.yaml', 'data', 'file', 'odd.yaml', 'other', 'some.ckpt', 'torch.py']
    )
    return dict(zip([call for call, _said in BAD_CALLS], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(('call', 'said'), BAD_CALLS)
def test_bad_input_is_one_line_and_exit_code_2_before_torch_is_imported(call, said, answers):
    code, output = answers[call]
    assert code == 2, output
    assert said in output and output.count('\n') == 1
