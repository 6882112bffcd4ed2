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

"""The log of a node: any severity after any other, and one line a cause and minute."""

import ast
import itertools
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')

from rclpy.logging import get_logger

import quiet_nav
from quiet_nav.nodes.logs import NodeLog, Severity

#: Commands with a log line or two of one severity each, and what they share.
ALLOWED = ('logs.py', 'base.py', 'demo_run.py', 'goal_client.py')


class Said:
    """A logger that keeps what it is given."""

    def __init__(self):
        self.lines = []

    def __getattr__(self, name):
        return lambda text: self.lines.append((name, text))


def test_every_severity_may_follow_every_other():
    log = NodeLog(get_logger('severities'))
    for pair in itertools.permutations(Severity, 2):
        for severity in pair:
            assert log.say(severity, f'{pair[0].name} before {pair[1].name}')


def test_a_severity_is_logged_as_itself():
    said = Said()
    log = NodeLog(said)
    for severity in Severity:
        log.say(severity, 'words')
    names = [name for name, _ in said.lines]
    assert names == ['debug', 'info', 'warning', 'error', 'fatal']


def test_a_cause_is_said_once_a_minute_and_then_how_often_it_was_kept_back():
    said, now = Said(), [0.0]
    log = NodeLog(said, clock=lambda: now[0])
    for _ in range(102):
        now[0] += 0.14
        log.warn(f'overlap at {now[0]:.2f} s', cause='overlap')
        log.warn('another', cause='other')
    assert len(said.lines) == 2
    now[0] = 61.0
    log.warn('overlap at 61 s', cause='overlap')
    assert said.lines[-1] == ('warning', 'overlap at 61 s (101 more since it was said last)')


def test_what_has_no_cause_is_always_said():
    said = Said()
    log = NodeLog(said, clock=lambda: 0.0)
    for _ in range(3):
        log.error('LIMIT_REACHED: done')
    assert len(said.lines) == 3


def test_causes_that_never_repeat_do_not_fill_the_memory():
    log = NodeLog(Said())
    for i in range(5000):
        log.info('x', cause=str(i))
    assert len(log._causes) <= 256


def test_no_node_logs_by_another_way():
    folder = Path(quiet_nav.__file__).parent / 'nodes'
    found = [
        f'{path.relative_to(folder)}:{node.lineno}'
        for path in folder.rglob('*.py')
        if path.name not in ALLOWED
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == 'get_logger'
    ]
    assert found == []
