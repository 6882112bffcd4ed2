"""The commands as a user runs them: train, export, evaluate, one after the other."""

import json
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


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (('train', 'near-wal', '--data', '.', '--out', 'x'), 'none of near-wall'),
        (('train', 'near-wall', '--data', 'nowhere', '--out', 'x'), 'no such folder'),
        (('import-checkpoint', 'none.pth.tar', '--out', 'x.onnx'), 'no such checkpoint'),
        (('evaluate', 'none.onnx', '--data', '.'), 'no such model'),
        (('export', 'none.ckpt', '--out', 'x.onnx'), 'no such checkpoint'),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, said, tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'quiet_nav.cli', *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count('\n') == 1
