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

"""Files are written whole or not at all, and nothing is replaced unasked."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
import shutil
import stat
from types import SimpleNamespace

import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import (
    check_space,
    nothing_cut,
    refuse_existing,
    whole_file,
    whole_files,
    whole_folder,
    why_not_written,
    write_file,
    write_json,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fill_the_disk():
    with open('/dev/full', 'wb', buffering=0) as full:
        full.write(b'x')


def test_a_file_is_written_with_the_folders_above_it(tmp_path):
    write_file(tmp_path / 'a' / 'b' / 'text.txt', 'ä\n')
    write_json(tmp_path / 'a' / 'b' / 'x.json', {'b': 1, 'a': [1.5]})
    assert (tmp_path / 'a' / 'b' / 'text.txt').read_bytes() == b'\xc3\xa4\n'
    assert json.loads((tmp_path / 'a' / 'b' / 'x.json').read_text()) == {'b': 1, 'a': [1.5]}
    assert names(tmp_path / 'a' / 'b') == ['text.txt', 'x.json']


def test_what_is_there_is_replaced_only_where_that_was_asked_for(tmp_path):
    path = tmp_path / 'table.txt'
    path.write_text('mine')
    with pytest.raises(QuietNavError, match=r'table\.txt is there already; --overwrite'):
        write_file(path, 'new')
    with pytest.raises(QuietNavError, match='--overwrite'):
        refuse_existing([tmp_path / 'other.txt', path])
    with pytest.raises(QuietNavError, match='--overwrite'), whole_file(path):
        raise AssertionError('the work was begun')
    assert path.read_text() == 'mine'
    write_file(path, 'new', overwrite=True)
    refuse_existing(path, overwrite=True)
    assert path.read_text() == 'new' and names(tmp_path) == ['table.txt']


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / 'model.onnx'
    with pytest.raises(QuietNavError, match='is there already'), whole_file(path) as part:
        part.write_text('ours')
        path.write_text('theirs')
    assert path.read_text() == 'theirs' and names(tmp_path) == ['model.onnx']


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / 'map.pgm'
    path.write_text('old')
    full = pytest.raises(QuietNavError, match=r'map\.pgm: no space left')
    with full, whole_file(path, overwrite=True) as part:
        part.write_text('half')
        fill_the_disk()
    assert path.read_text() == 'old' and names(tmp_path) == ['map.pgm']


def test_of_files_that_belong_together_none_is_new_where_one_fails(tmp_path):
    one, two = tmp_path / 'map.pgm', tmp_path / 'map.yaml'
    with pytest.raises(QuietNavError, match='no space left'), whole_files([one, two]) as parts:
        parts[0].write_text('x')
        fill_the_disk()
    assert names(tmp_path) == []
    with whole_files([one, two]) as parts:
        for part in parts:
            part.write_text(part.suffix)
    assert one.read_text() == '.pgm' and two.read_text() == '.yaml'


def test_the_part_has_the_ending_that_libraries_choose_the_format_by(tmp_path):
    with whole_file(tmp_path / ('n' * 240 + '.png')) as part:
        assert part.suffix == '.png' and len(part.name) <= 255
        part.write_text('x')
    assert len(names(tmp_path)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    folder = tmp_path / 'locked'
    folder.mkdir(mode=0o500)
    for write in (write_file, write_json):
        with pytest.raises(QuietNavError, match=r'x: cannot be written \(Permission denied\)'):
            write(folder / 'x', 'text')


def test_paths_that_can_be_no_file_are_one_line(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(QuietNavError, match='cannot be written'):
        write_file(tmp_path / 'file' / 'x', 'text')
    with pytest.raises(QuietNavError, match='there already'):
        write_file(tmp_path, 'text')
    with pytest.raises(QuietNavError, match=r'cannot be written \(Is a directory\)'):
        write_file(tmp_path, 'text', overwrite=True)
    with pytest.raises(QuietNavError, match='no space left'):
        write_file('/dev/full', 'text')
    with pytest.raises(QuietNavError, match='cannot be written'):
        write_file(tmp_path / ('n' * 300), 'text')


def test_a_library_that_cannot_say_why_it_failed_is_spoken_for(tmp_path, monkeypatch):
    error = RuntimeError('writer thread has ended')
    answer = why_not_written(Path('/dev/full'), error)
    assert isinstance(answer, OSError) and answer.errno == errno.ENOSPC
    said = why_not_written(tmp_path / 'x', error)
    assert str(said) == f'{tmp_path}/x: cannot be written (writer thread has ended)'
    check_space(tmp_path / 'x')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: SimpleNamespace(free=2**20 - 1))
    with pytest.raises(OSError, match='No space left'):
        check_space(tmp_path / 'x')


def test_a_file_that_a_full_disk_cut_is_taken_away_and_others_stay(tmp_path):
    whole, cut, elsewhere = tmp_path / 'run/last', tmp_path / 'run/best', tmp_path / 'other'
    whole.parent.mkdir()
    for path in (whole, cut, elsewhere):
        path.write_text('x')
    # As a move to another file system says it, wrapped by who asked for it.
    for path in (cut, elsewhere):
        with (
            pytest.raises(QuietNavError, match=f'{path}: no space left'),
            nothing_cut(whole.parent),
        ):
            try:
                raise OSError(errno.ENOSPC, 'full', '/tmp/source', None, str(path))
            except OSError as error:
                raise RuntimeError('the trainer has ended') from error
    assert names(whole.parent) == ['last'] and elsewhere.exists()
    with pytest.raises(ValueError, match='other'), nothing_cut(whole.parent):
        raise ValueError('other')


def test_errors_of_the_work_itself_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / 'x'):
        (tmp_path / 'missing' / 'input').read_text()
    with pytest.raises(KeyError), whole_file(tmp_path / 'x'):
        raise KeyError('field')
    assert names(tmp_path) == []


def test_permissions_and_links_stay(tmp_path):
    (tmp_path / 'kept').mkdir()
    real, link = tmp_path / 'kept' / 'real.txt', tmp_path / 'link.txt'
    write_file(real, 'old')
    real.chmod(0o640)
    link.symlink_to(real)
    write_file(link, 'new', overwrite=True)
    assert link.is_symlink() and real.read_text() == 'new'
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_device_is_written_to_as_it_is(capfd):
    write_file('/dev/stdout', 'shown\n')
    assert capfd.readouterr().out == 'shown\n'


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(QuietNavError, match='no space left'), whole_folder(tmp_path / 'x') as part:
        (part / 'half').write_text('x')
        fill_the_disk()
    assert names(tmp_path) == []
    with whole_folder(tmp_path / 'x') as part:
        (part / 'whole').write_text('x')
    assert names(tmp_path / 'x') == ['whole']
