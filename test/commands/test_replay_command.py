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

"""`quiet_nav replay`: files, figures where depth can judge, one line where it cannot begin."""

import csv
import io
import json
import subprocess
import sys

from bag_recording import Recording, standing
import numpy as np
import pytest
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.replay_files import replay_all
from quiet_nav.evaluation.replay_plots import over_time
from quiet_nav.evaluation.replay_report import judged, report, write_readings
from quiet_nav.geometry import Side
from quiet_nav.recordings.replay import replay, ReplaySettings


def command(*arguments):
    return subprocess.run(
        [sys.executable, '-m', 'quiet_nav.cli', 'replay', *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
    )


def in_process(*arguments):
    return CliRunner().invoke(build_app(), ['replay', *map(str, arguments)])


def approach(seconds):
    """0.9 m from the wall, then 0.4 m: half a second of driving at 6 s."""
    return 0.9 - np.clip(seconds - 6.0, 0.0, 0.5)


@pytest.fixture
def bags(tmp_path):
    paths = []
    for seed in (0, 1):
        made = Recording().info(channels=1).sound(12.0, channels=1, seed=seed)
        made.odometry(lambda s: (0.9 - approach(s), 0.0, 0.0), 12.0).depth(approach, 12.0)
        paths.append(made.write(tmp_path / f'drive_{seed}'))
    return paths


@pytest.mark.slow
def test_bags_in_parallel_or_in_turn_give_the_same_files(bags, tmp_path):
    found = in_process(*bags, '--out', tmp_path / 'one', '--jobs', 2)
    assert found.exit_code == 0, found.output
    assert 'AP %' in found.output and 'By true distance' in found.output
    again = in_process(*bags, '--out', tmp_path / 'two', '--jobs', 1)
    assert again.exit_code == 0, again.output
    files = sorted(p.relative_to(tmp_path / 'one') for p in (tmp_path / 'one').rglob('*.*'))
    assert {'drive_0/over_time.png', 'drive_1/predictions/predictions.mcap', 'table.csv',
            'reliability.png'} <= {str(p) for p in files}  # fmt: skip
    for file in files:
        assert (tmp_path / 'one' / file).read_bytes() == (tmp_path / 'two' / file).read_bytes()
    content = json.loads((tmp_path / 'one' / 'table.json').read_text())
    lines = {(line['section'], line['name']): line for line in content['lines']}
    whole = lines['all', 'all']
    rows = list(csv.DictReader((tmp_path / 'one' / 'table.csv').open()))
    assert float(rows[0]['accuracy']) == whole['accuracy']['value']
    assert whole['rows'] == lines['bag', 'drive_0']['rows'] + lines['bag', 'drive_1']['rows']
    assert 0 < whole['positives'] < whole['rows'] and whole['ap'] is not None
    refused = in_process(*bags, '--out', tmp_path / 'two')
    assert isinstance(refused.exception, QuietNavError)
    assert 'there already' in str(refused.exception)


def _csv(found):
    file = io.StringIO()
    write_readings(file, found)
    return file.getvalue()


@pytest.mark.slow
def test_a_cluster_gives_the_same_readings(bags, model):
    pytest.importorskip('distributed')
    settings = ReplaySettings(model, threads=1)
    told = []
    spread = replay_all(bags, settings, [None, None], 1, told.append, 'local')
    here = replay_all(bags, settings, [None, None], 1, told.append)
    for one, two in zip(spread, here, strict=True):
        assert _csv(one) == _csv(two)
    assert told[-1] == [1.0, 1.0]


def test_truth_is_the_depth_seen_throughout_the_window(bags, model):
    found = replay(bags[0], ReplaySettings(model, threads=1))
    known = judged(found)
    begin = found.start_ns
    for row, reading in zip(known.rows, known.readings, strict=True):
        assert row.distance_m == pytest.approx(
            0.9 if reading.end_ns < begin + 7e9 else 0.4, abs=0.1
        )
        assert row.near == (row.distance_m <= 0.5)
    assert sum(row.near for row in known.rows) >= 5
    assert any('changed by more' in reason for reason in known.left_out)
    assert not judged(found, Side.LEFT).rows and report([found], Side.LEFT) is None


@pytest.mark.slow
def test_one_stretch_alone_has_figures_without_intervals(bags, model):
    line = report([replay(bags[0], ReplaySettings(model, threads=1))]).section('all')[0]
    assert line.rooms == 1 and np.isfinite(line.accuracy.value)
    assert np.isnan(line.accuracy.low) and np.isnan(line.accuracy.high)


@pytest.mark.slow
def test_plot_over_time_shows_every_ear(recording, tmp_path, model):
    recording.info().sound(5.0).odometry(standing, 5.0).depth(approach, 5.0)
    found = replay(recording.write(tmp_path / 'drive'), ReplaySettings(model, threads=1))
    counts = over_time(tmp_path / 'plot.png', found)
    assert counts == {'left': 5, 'right': 5, 'depth': 30}
    assert (tmp_path / 'plot.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.slow
def test_wrong_use_is_one_line(bags, tmp_path):
    found = command(bags[0], '--wav', tmp_path / 'a.wav', '--wav', tmp_path / 'b.wav')
    assert found.returncode == 2
    assert found.stderr.strip().splitlines() == [
        'quiet_nav: 1 bags, 2 --wav, 0 --wav-delay; expected one of each a bag'
    ]
