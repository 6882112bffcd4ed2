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
A pytest plugin: the processor time of every test, of processes that it started, too.

Which tests are to be marked slow, on a machine however busy:
    PYTHONPATH=tools python -m pytest -q -p processor_time -m 'not slow'
"""

from __future__ import annotations

from collections.abc import Iterator
import resource

import pytest

LIMIT_S = 0.5
MOST = 40
_NAME = 'processor time s'
_found: dict[str, tuple[float, bool]] = {}


def used_s() -> float:
    """Return the processor time of this process and of its children that have ended."""
    parts = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _measured(item: pytest.Item) -> Iterator[None]:
    began_s = used_s()
    try:
        return (yield)
    finally:
        item.user_properties.append((_NAME, used_s() - began_s))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Measure the fixtures; what others share is counted for the first that asks."""
    return (yield from _measured(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure the test."""
    return (yield from _measured(item))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the sum where all is done; with xdist the main process does so."""
    if report.when == 'teardown':
        total_s = sum(value for name, value in report.user_properties if name == _NAME)
        _found[report.nodeid] = total_s, 'slow' in report.keywords


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the longest and whether they are marked."""
    if not _found:
        return
    ranked = sorted(_found.items(), key=lambda item: -item[1][0])
    total_s = sum(seconds for seconds, _ in _found.values())
    terminalreporter.section(f'processor time: {total_s:.0f} s in {len(_found)} tests')
    for name, (seconds, slow) in ranked[:MOST]:
        mark = 'slow  ' if slow else 'NOT SLOW' if seconds > LIMIT_S else ''
        terminalreporter.write_line(f'{seconds:8.2f} s {mark:8} {name}')
