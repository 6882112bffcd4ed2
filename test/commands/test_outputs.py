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

"""Commands refuse to write over what is there before they begin to work."""

from __future__ import annotations

import errno
import os
import shutil
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner
from viewed_bag import write_viewed_bag

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.files import writing


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


@pytest.fixture(scope='module')
def viewed_bag(tmp_path_factory):
    return write_viewed_bag(tmp_path_factory.mktemp('viewed') / 'bag')


RRD = ('view', '{bag}', '--out', '{out}/view.rrd')
MCAP = ('view', '{bag}', '--out', '{out}/view.mcap')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('arguments', 'full_at'),
    [
        (('draw-view', '{bag}', '--out', '{out}/view.png'), 'end'),
        (RRD, 'begin'),
        (RRD, 'end'),
        (MCAP, 'begin'),
        (MCAP, 'end'),
        (('campus', '{out}/campus', '--kind', 'static', '--rooms', '1', '--seed', '1'), 'end'),
    ],
    ids=['draw-view', 'rrd-begin', 'rrd-end', 'mcap-begin', 'mcap-end', 'campus'],
)
def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path, monkeypatch, viewed_bag, arguments, full_at
):
    if 'rrd' in arguments[-1]:
        pytest.importorskip('rerun', reason='the Rerun SDK is not installed (make setup does)')
    if 'mcap' in arguments[-1]:
        pytest.importorskip('foxglove', reason='the Foxglove SDK is not installed')
    if arguments[0] == 'campus':
        pytest.importorskip('pyroomacoustics', reason='rooms need the extra simulation')

    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    if full_at == 'begin':
        monkeypatch.setattr(shutil, 'disk_usage', lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr(writing, 'sync', full)
    said = run(*(item.format(bag=viewed_bag, out=tmp_path) for item in arguments))
    assert 'no space left on the disk; nothing of it was kept' in said and str(tmp_path) in said
    left = [path.name for path in tmp_path.rglob('*') if path.is_file()]
    assert left in ([], ['unfinished.json'])


@pytest.mark.parametrize('name', ['view.png', 'view.rrd', 'view.mcap'])
def test_a_folder_that_cannot_be_written_is_one_line(viewed_bag, name):
    pytest.importorskip('rerun', reason='the Rerun SDK is not installed (make setup does)')
    command = 'draw-view' if name == 'view.png' else 'view'
    said = run(command, viewed_bag, '--out', f'/proc/none/{name}')
    assert said.startswith(f'/proc/none/{name}: cannot be written')


def test_a_disk_that_fills_where_nobody_looked_is_one_line(monkeypatch, capsys):
    from quiet_nav import cli

    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), '/data/somewhere')

    monkeypatch.setattr(cli, 'build_app', lambda: full)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == 'quiet_nav: /data/somewhere: no space left on the disk\n'
