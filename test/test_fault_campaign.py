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


"""The campaign of faults: its rows are there, they parse, and its verdicts can fail."""

from dataclasses import replace
import math
import os
from pathlib import Path
import runpy
import shutil
import struct
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the messages are not built (make setup does)')

sys.path.insert(0, str(Path(__file__).parents[1] / 'tools'))

from fault_campaign import bench, rows
from fault_campaign.page import page, table
from fault_campaign.verdict import (
    ends_its_step,
    GOES_ON,
    goes_on,
    judge,
    Promise,
    REFUSED,
    refused,
    said_once,
    Seen,
    stops,
)

from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.simulation.robot.failures import COMPONENTS, Failure, KINDS, NO_SENSE

FAULTS = [fault for faults in rows.SECTIONS.values() for fault in faults]
STOPPED = Seen(0.4, 0.05, 'CONFLICT', ['wall_follower: /teleop drives, too'], [0.05])
STEP = Seen(4.0, 0.55, 'NO_READING', ['near_wall: frozen'], [0.55])
DROVE = Seen(4.0, 0.55, GOES_ON, [], [0.55, 0.3])


def test_every_cell_of_components_and_kinds_has_a_row():
    texts = {text.replace('ear0', 'ear').replace('ear1', 'ear') for text, _, _ in rows.cells()}
    wanted = {f'{component}:{kind}' for component, kinds in KINDS.items() for kind in kinds}
    assert wanted <= texts
    for text, _, _ in rows.cells():
        assert Failure.parse(text)


def test_a_cell_without_a_row_is_refused_with_its_reason():
    for (component, kind), reason in NO_SENSE.items():
        assert component in COMPONENTS and kind not in KINDS[component]
        name = 'ear0' if component == 'ear' else component
        with pytest.raises(Exception, match=reason.partition(':')[0]):
            Failure.parse(f'{name}:{kind}')


def test_rows_have_names_of_their_own_and_outcomes_that_there_are():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    known = {*Outcome.__members__, GOES_ON, REFUSED, 'stands'}
    for fault in FAULTS:
        assert set(fault.promise.ends) <= known, fault.name
        assert set(fault.setup.nodes) >= {'simulated_robot', 'near_wall', 'wall_follower'}


@pytest.mark.parametrize(
    'words',
    [
        'near_wall is killed', 'near_wall hangs', 'near_wall is deactivated', '`odom:stuck`',
        '`odom:repeated`', '`odom:wrong=0.2`', '`odom:wrong`', '`twist:garbage`', '`odom:old`',
        '`odom:misframed`', 'another publisher of odom', 'set back 20 s', 'set back 1 h',
        '`clock:off`', '`clock:stuck`', '`clock:wrong`', 'a second /clock',
        'another publisher of cmd_vel', 'second follower of the same name',
        'second follower of another name', 'a goal while another', 'expects Twist',
        'another rig', 'emergency stop, best effort', 'the follower is killed and started',
        'client is gone', 'an hour old', 'context 255', 'ahead of the clock', 'NaN', '-1',
        'too few distance', '`audio:stuck`', '`audio:wrong`', 'second microphone',
        'P of 1.5', '`tf:garbage`', 'the disk is full', 'the network is lost',
    ],
)  # fmt: skip
def test_what_broke_once_has_a_row(words):
    assert any(words in fault.name for fault in FAULTS)


@pytest.mark.parametrize(
    ('promise', 'seen'),
    [
        (stops(0.5, 0.08, 'CONFLICT', says='teleop'), STOPPED),
        (ends_its_step('NO_READING', says='frozen'), STEP),
        (goes_on(), DROVE),
        (refused('rig'), Seen(0.0, 0.0, REFUSED, ['wall_follower: another rig'], [0.0])),
    ],
)
def test_what_is_kept_is_kept(promise, seen):
    assert judge(promise, seen) == ''


@pytest.mark.parametrize(
    ('promise', 'seen', 'words'),
    [
        (stops(0.5, 0.08), replace(STOPPED, seconds=0.51), '0.51 s; allowed 0.5 s'),
        (stops(0.5, 0.08), replace(STOPPED, seconds=math.inf), 'inf s'),
        (stops(0.5, 0.08), replace(STOPPED, meters=0.09), '0.09 m'),
        (stops(0.5, 0.08, 'BUMP'), STOPPED, 'CONFLICT; expected BUMP'),
        (stops(0.5, 0.08, says='joystick'), STOPPED, "nobody said 'joystick'"),
        (stops(0.5, 0.08), replace(STOPPED, dead=['near_wall']), 'near_wall ended'),
        (stops(0.5, 0.08), replace(STOPPED, lines=100), '100 warnings'),
        (stops(0.5, 0.08), replace(STOPPED, drives_m=[0.05, 0.1]), 'drove 0.10 m again'),
        (ends_its_step('NO_READING'), replace(STEP, drives_m=[0.55, 0.6]), 'again'),
        (ends_its_step(), replace(STEP, meters=0.7), '0.70 m'),
        (goes_on(), replace(DROVE, outcome='ERROR'), 'ERROR'),
        (goes_on(), replace(DROVE, drives_m=[0.55, 0.9]), '0.90 m at once'),
        (refused('rig'), Seen(0.0, 0.0, 'goal taken'), 'no goal to be taken'),
        (refused('rig'), Seen(0.0, 0.2, REFUSED, drives_m=[0.2]), 'drove 0.20 m'),
    ],
)
def test_what_is_not_kept_is_said(promise, seen, words):
    assert words in judge(promise, seen)


def test_the_way_counts_to_the_first_rest_and_then_every_drive():
    way = bench.Way(since_s=10.0)
    for step in range(40):
        stands = 5 <= step < 10 or step >= 30
        way.add(10.0 + 0.1 * step, 0.0 if stands else 0.01, stands)
    assert way.rest == (pytest.approx(0.5), pytest.approx(0.05))
    assert way.drives_m[:2] == [pytest.approx(0.05), pytest.approx(0.2)]


def test_rows_are_shared_among_domains_each_once():
    tool = load_tool()
    for count in (1, 2, 3):
        parts = tool['shares'](FAULTS, count)
        assert len(parts) == count and all(parts)
        assert sorted(f.name for part in parts for f in part) == sorted(f.name for f in FAULTS)


def load_tool():
    """Return the names of tools/faults.py, which keeps a domain and environment of its own."""
    environment = dict(os.environ)
    try:
        return runpy.run_path(str(Path(__file__).parents[1] / 'tools/faults.py'))
    finally:
        os.environ.clear()
        os.environ.update(environment)


def test_what_repeats_in_other_numbers_is_said_once():
    said = ['a: no odometry for 0.22 s', 'a: LOST: no odometry for 0.24 s; 0 steps', 'b: bump']
    assert said_once(said) == ['a: no odometry for 0.22 s', 'b: bump']


def test_the_page_holds_every_row_and_every_cell_left_out():
    short = replace(STOPPED, short='0.51 s; allowed 0.5 s')
    sections = {
        title: [(fault.name, fault.promise, short) for fault in faults]
        for title, faults in rows.SECTIONS.items()
    }
    text = page(sections, NO_SENSE)
    assert all(fault.name in text for fault in FAULTS)
    assert text.count('**short: 0.51 s; allowed 0.5 s**') == len(FAULTS)
    assert all(f'`{component}:{kind}`' in text for component, kind in NO_SENSE)
    row = table([('x', Promise(), Seen(said=['a: b|c']))]).splitlines()[-1]
    assert row.count('|') == 8


@pytest.mark.skipif(shutil.which('cc') is None, reason='no C compiler')
def test_the_system_clock_of_a_process_is_set_and_its_steady_clock_is_not(tmp_path):
    library, file = tmp_path / 'shift.so', tmp_path / 'shift'
    subprocess.run(['cc', '-shared', '-fPIC', '-o', library, bench._SOURCE, '-ldl'], check=True)
    file.write_bytes(struct.pack('q', -3600 * 10**9))
    code = 'import time; print(time.time(), time.monotonic())'
    told = [
        subprocess.run(
            [sys.executable, '-c', code], env={**os.environ, **more}, check=True,
            capture_output=True, text=True,
        ).stdout.split()
        for more in ({}, {'LD_PRELOAD': str(library), 'FAULT_CLOCK_FILE': str(file)})
    ]  # fmt: skip
    (system, steady), (set_system, set_steady) = (map(float, pair) for pair in told)
    assert set_system - system == pytest.approx(-3600.0, abs=100.0)
    assert set_steady - steady == pytest.approx(0.0, abs=100.0)
