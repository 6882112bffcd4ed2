"""Commands refuse to write over what is there before they begin to work."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError


def run(*arguments: object) -> str:
    done = CliRunner().invoke(build_app(), [str(argument) for argument in arguments])
    assert isinstance(done.exception, QuietNavError), done.output
    assert '\n' not in str(done.exception)
    return str(done.exception)


@pytest.mark.parametrize(
    'arguments',
    [
        ('evaluate', 'no.onnx', '--data', '.', '--json', 'OUT'),
        ('trials', '--json', 'OUT'),
        ('card', 'no.onnx', '--data', '.', '--out', 'OUT'),
        ('export', 'no.ckpt', '--out', 'OUT'),
        ('import-checkpoint', 'no.pth.tar', '--out', 'OUT'),
    ],
)
def test_what_is_there_is_named_before_the_work_begins(tmp_path, monkeypatch, arguments):
    if arguments[0] in ('export', 'import-checkpoint'):
        pytest.importorskip('torch')
    out = tmp_path / 'mine'
    out.write_text('mine')
    said = run(*(out if argument == 'OUT' else argument for argument in arguments))
    assert said == f'{out} is there already; --overwrite replaces it, or name another file'
    assert out.read_text() == 'mine' and [p.name for p in tmp_path.iterdir()] == ['mine']


@pytest.mark.parametrize('command', ['evaluate', 'trials'])
def test_pictures_in_a_folder_are_not_replaced_either(tmp_path, command):
    (tmp_path / 'fig_10.png').write_text('mine')
    more = ('no.onnx', '--data', '.') if command == 'evaluate' else ()
    assert 'fig_10.png is there already' in run(command, *more, '--plots', tmp_path)


@pytest.mark.parametrize('command', ['export', 'import-checkpoint'])
def test_a_checkpoint_is_never_written_over_by_what_is_made_of_it(tmp_path, command):
    pytest.importorskip('torch')
    checkpoint, link = tmp_path / 'c.ckpt', tmp_path / 'link.onnx'
    checkpoint.write_text('mine')
    link.symlink_to(checkpoint)
    for out in (checkpoint, link):
        said = run(command, checkpoint, '--out', out, '--overwrite')
        assert f'{out} is what this command reads' in said
    assert checkpoint.read_text() == 'mine'
