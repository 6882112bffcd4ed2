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

"""
No file that others made ends a program: a valid value comes of it, or one line that names it.

Each parser is given thousands of good files put wrong. Here in the tests few, the same ones every
time; with QUIET_NAV_FUZZ_SECONDS in the environment (`make fuzz`) new ones for so long each.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import resource
import signal
import time

import pytest

pytest.importorskip('hypothesis')
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st

from quiet_nav.errors import QuietNavError

from .mutations import KINDS, mutated_bytes, mutated_values, to_json, to_yaml
from .targets import Target, targets

SECONDS = float(os.environ.get('QUIET_NAV_FUZZ_SECONDS', '0'))
EXAMPLES = int(os.environ.get('QUIET_NAV_FUZZ_EXAMPLES', '500' if SECONDS else '25'))
#: What is not done by then hangs, on whatever machine.
HANG_S = 60
MOST_MEMORY = 2**30
TARGETS = targets()
_WRITERS = {'json': to_json, 'yaml': to_yaml}


class Hang(BaseException):
    """A parser that did not end; no parser catches it."""


@contextlib.contextmanager
def memory_limited() -> Iterator[None]:
    """
    Let nothing take more than MOST_MEMORY on top of what is taken: a MemoryError, and no more.

    Of address space, so that what is asked for counts and not only what is touched.
    """
    taken = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST_MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def check(target: Target, folder: Path, data: bytes) -> None:
    """Parse a file and fail where that gives anything but a value or one line."""
    path = folder / target.file
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, content in target.beside.items():
        (folder / name).write_bytes(content)
    path.write_bytes(data)

    def hangs(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANG_S)
    try:
        with memory_limited():
            target.parse(path)
    except QuietNavError as error:
        said = str(error)
        assert said and said.count('\n') <= 25, said[:500]
        assert path.name in said or str(folder) in said, said[:500]
        assert len(said) < 4000, said[:500]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
@pytest.mark.parametrize('name', TARGETS)
@pytest.mark.timeout(SECONDS + 900)
def test_a_file_put_wrong_gives_a_value_or_one_line_that_names_it(name, tmp_path):
    target = TARGETS[name]
    for seed in target.seeds:
        check(target, tmp_path, seed)
    for kind in KINDS:
        check(target, tmp_path, kind)
    inputs = mutated_bytes(target.seeds)
    if target.form:
        write = _WRITERS[target.form]
        inputs = st.one_of(inputs, mutated_values(target.values).map(write))

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not SECONDS,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(inputs)
    def each(data: bytes) -> None:
        check(target, tmp_path, data)

    end = time.monotonic() + SECONDS
    rounds = 0
    while not rounds or time.monotonic() < end:
        each()
        rounds += 1


def test_a_parser_that_takes_too_much_memory_fails(tmp_path):
    greedy = Target('greedy', 'x', lambda path: bytearray(MOST_MEMORY + 2**20), [])
    with pytest.raises(MemoryError):
        check(greedy, tmp_path, b'')


def test_a_parser_that_hangs_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(f'{__name__}.HANG_S', 1)
    with pytest.raises(Hang):
        check(Target('hangs', 'x', lambda path: time.sleep(30), []), tmp_path, b'')


@pytest.mark.parametrize('error', [ValueError('x'), QuietNavError('names no file')])
def test_a_parser_that_says_anything_but_a_line_with_the_file_fails(tmp_path, error):
    def parse(path: Path) -> None:
        raise error

    with pytest.raises((ValueError, AssertionError)):
        check(Target('rude', 'x', parse, []), tmp_path, b'')
