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

"""A demo's folder: an earlier demo's results are replaced, whatever else lies there stays."""

import os
import time

import pytest

from quiet_nav.demo.output import Output
from quiet_nav.errors import QuietNavError


def results(folder):
    """Write what a demo writes."""
    with Output(folder) as output:
        (folder / 'run.json').write_text('{}')
        (folder / 'demo.png').write_bytes(b'png')
        (folder / 'bag').mkdir()
        (folder / 'bag' / 'bag.mcap').write_bytes(b'old')
        (folder / 'bag' / 'metadata.yaml').write_text('old')
        (output.logs / 'ros').mkdir(parents=True)
        (output.logs / 'near_wall.log').write_text('old')
        (output.logs / 'ros' / 'python_1.log').write_text('old')


def test_an_earlier_demo_is_replaced_and_other_files_stay(tmp_path):
    results(tmp_path)
    (tmp_path / 'notes.txt').write_text('mine')
    with Output(tmp_path):
        assert sorted(p.name for p in tmp_path.iterdir()) == ['.quiet_nav_demo', 'notes.txt']
    results(tmp_path)


def test_a_killed_demo_is_replaced(tmp_path):
    output = Output(tmp_path)
    output.__enter__()
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'bag.mcap').write_bytes(b'cut off')
    with Output(tmp_path):
        assert not (tmp_path / 'bag').exists()


def own_bag(folder):
    (folder / 'bag').mkdir(parents=True)
    (folder / 'bag' / 'bag.mcap').write_bytes(b'mine')


def own_bag_after_a_demo(folder):
    results(folder)
    (folder / 'bag' / 'kitchen.mcap').write_bytes(b'mine')


def bag_changed_since(folder):
    results(folder)
    later = time.time() + 60.0
    os.utime(folder / 'bag' / 'bag.mcap', (later, later))


def older_log_moved_in(folder):
    results(folder)
    (folder / 'log' / 'mine.log').write_text('mine')
    os.utime(folder / 'log' / 'mine.log', (1e9, 1e9))


def folder_in_the_bag(folder):
    results(folder)
    (folder / 'bag' / 'inner').mkdir()


def link_to_a_bag(folder):
    results(folder)
    elsewhere = folder.parent / 'elsewhere'
    (folder / 'bag').rename(elsewhere)
    (folder / 'bag').symlink_to(elsewhere)


def run_of_the_user(folder):
    folder.mkdir()
    (folder / 'run.json').write_text('{}')


def mark_that_cannot_be_read(folder):
    results(folder)
    (folder / '.quiet_nav_demo').write_text('[' * 100_000)


@pytest.mark.parametrize(
    'make',
    [own_bag, own_bag_after_a_demo, bag_changed_since, older_log_moved_in, folder_in_the_bag,
     link_to_a_bag, run_of_the_user, mark_that_cannot_be_read],
)  # fmt: skip
def test_what_no_demo_wrote_is_refused_and_nothing_is_deleted(tmp_path, make):
    folder = tmp_path / 'demo'
    make(folder)
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob('*'))
    with pytest.raises(QuietNavError, match='no demo wrote this'), Output(folder):
        pass
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob('*')) == before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(QuietNavError, match='cannot be written'), Output(tmp_path / 'file' / 'out'):
        pass
