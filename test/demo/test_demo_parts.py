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

"""The demo's parts without ROS: run along a track, pace, processes, view, domain."""

import math
import sys
import time
from types import SimpleNamespace

import pytest

from quiet_nav.demo import processes as demo_processes
from quiet_nav.demo.pace import COMMAND_LAG_S, Pace, PaceSettings, READING_LAG_S
from quiet_nav.demo.picture import draw_run
from quiet_nav.demo.processes import Processes
from quiet_nav.demo.run import Progress, save_run, TrackRun
from quiet_nav.demo.view import one_line
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.rooms.tracks import Track
from quiet_nav.trials.result_files import read_run

S = 1_000_000_000


def straight_track():
    return Track('straight', ((1.0, 1.0), (3.0, 1.0)), 1.0, Side.RIGHT)


def begun(track=None):
    run = TrackRun(track or straight_track())
    run.moved(5 * S, Pose2D(1.0, 1.0, 0.0))
    run.begin()
    return run


def test_run_counts_the_way_from_the_goal_on_and_ends_at_the_destination():
    run = TrackRun(straight_track())
    run.moved(5 * S, Pose2D(2.0, 1.0, 0.0))
    assert (run.distance_m, run.time_s, run.path) == (0.0, 0.0, [])
    run.begin()
    run.moved(7 * S, Pose2D(2.25, 1.0, 0.0))
    run.moved(8 * S, Pose2D(2.2, 1.1, 0.0))
    assert run.distance_m == pytest.approx(1.25)
    assert run.time_s == pytest.approx(3.0)
    assert run.outcome == ''
    run.moved(9 * S, Pose2D(3.01, 1.0, 0.0))
    assert run.outcome == 'destination'
    assert run.distance_m == 2.0


def test_run_ends_beside_the_track_and_with_the_first_reason():
    run = begun()
    run.moved(6 * S, Pose2D(1.5, 1.6, 0.0))
    assert run.outcome == 'left the track'
    run.bumped()
    assert run.outcome == 'left the track'
    other = begun()
    other.bumped()
    assert other.outcome == 'collision'


def test_run_notes_what_was_heard_once_a_step():
    run = begun()
    run.said('listen', 0, math.nan, math.nan, math.nan)
    assert run.listened == []
    run.said('turn', 0, 0.1, 0.9, 0.6)
    run.said('drive', 0, 0.1, 0.9, 0.6)
    run.said('drive', 1, 0.2, 0.8, math.nan)
    assert [at.probabilities for at in run.listened] == [(0.1, 0.9), (0.2, 0.8)]
    assert run.wall_distance_m is None


def test_run_survives_its_file_and_draws(tmp_path):
    track = load_plan('classroom').track(None)
    run = TrackRun(track)
    pose = track.starts()[4].pose
    run.moved(S, pose)
    run.begin()
    run.moved(2 * S, pose)
    run.said('drive', 0, 0.25, 0.75, 0.5)
    run.moved(3 * S, Pose2D(pose.x + 0.5, pose.y, 0.0))
    run.bumped()
    result = run.result('classroom', 'tracker', 'trio', 4, 'near_wall_vggish')
    save_run(tmp_path / 'run.json', result)
    assert read_run(tmp_path / 'run.json') == result
    assert (result.offset_m, result.heading, result.outcome) == (0.8, 'straight', 'collision')
    draw_run(tmp_path / 'demo.png', result)
    assert (tmp_path / 'demo.png').stat().st_size > 10_000
    (tmp_path / 'run.json').write_text('{"room": 1}')
    with pytest.raises(QuietNavError, match='not a run of the demo'):
        read_run(tmp_path / 'run.json')


def test_progress_crosses_a_pipe_and_other_lines_are_none():
    run = begun()
    run.said('drive', 0, 0.25, math.nan, 0.6)
    run.said('listen', 1, 0.9, 0.9, 0.6)
    progress = run.progress(2.5)
    assert Progress.from_line(progress.to_line()) == progress
    assert Progress.from_line('a warning of some library') is None
    assert Progress.from_line('{"phase": "drive"}') is None
    line = one_line(progress)
    assert 'P(L) 0.25' in line
    assert 'P(R) --' in line
    assert '2.5 x real time' in line


def test_pace_rises_while_nodes_keep_up_to_its_limit():
    pace = Pace(PaceSettings(begin=1.0, fastest=2.0))
    factors = []
    for second in range(20):
        pace.reading(second * S + S // 10, second * S, side=1)
        pace.command(0.01)
        factors.append(pace.next(achieved=pace.factor))
    assert factors == sorted(factors)
    assert factors[-1] == 2.0


@pytest.mark.parametrize('kind', ['reading', 'command'])
def test_pace_falls_where_a_node_lags_and_not_below_its_limit(kind):
    pace = Pace(PaceSettings(begin=2.0, slowest=0.5))
    factors = []
    for second in range(10):
        if kind == 'reading':
            pace.reading(second * S + round(1.1 * READING_LAG_S * S), second * S, side=1)
        else:
            pace.command(1.1 * COMMAND_LAG_S)
        factors.append(pace.next(achieved=pace.factor))
    assert factors[0] < 2.0
    assert factors[-1] == 0.5


def test_pace_stays_where_the_simulation_itself_is_the_limit():
    pace = Pace(PaceSettings(begin=2.0))
    pace.reading(S, S, side=1)
    assert pace.next(achieved=1.5) == 2.0


def test_a_window_that_comes_again_with_more_context_is_not_late():
    pace = Pace(PaceSettings(begin=2.0))
    assert pace.reading(4 * S, 4 * S, side=1) and pace.reading(4 * S, 4 * S, side=3)
    assert not pace.reading(10 * S, 4 * S, side=1)
    assert pace.next(achieved=2.0) > 2.0


@pytest.fixture
def sleepers(monkeypatch, tmp_path):
    """Give processes whose `nodes` are short scripts: the module's name is what they do."""
    scripts = {
        'sleeper': 'import time; time.sleep(60)',
        'dies': "import sys; print('[ERROR] the model is broken'); sys.exit(3)",
        'stubborn': (
            'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); '
            "print('deaf', flush=True); time.sleep(60)"
        ),
    }
    real = demo_processes.subprocess.Popen

    def popen(command, **options):
        return real([sys.executable, '-c', scripts[command[2].split('.')[-1]]], **options)

    fake = SimpleNamespace(
        Popen=popen, DEVNULL=-3, STDOUT=-2,
        TimeoutExpired=demo_processes.subprocess.TimeoutExpired,
    )  # fmt: skip
    monkeypatch.setattr(demo_processes, 'subprocess', fake)
    return Processes(tmp_path / 'log', {'ROS_DOMAIN_ID': '7'})


def wait_until(condition, timeout_s=20.0):
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def test_a_node_that_dies_is_named_with_its_last_lines(sleepers):
    with sleepers as group:
        alive = group.start('sleeper', {})
        group.check()
        dead = group.start('dies', {})
        wait_until(lambda: dead.process.poll() is not None)
        with pytest.raises(
            QuietNavError, match=r'(?s)dies ended with code 3.*the model is broken'
        ) as e:
            group.check()
        assert 'dies.log' in str(e.value)
        group.check(but=dead)
    assert alive.process.poll() is not None


def test_a_node_that_ignores_sigint_is_killed(sleepers, monkeypatch):
    monkeypatch.setattr(demo_processes, 'STOP_S', 0.5)
    with sleepers as group:
        node = group.start('stubborn', {})
        wait_until(lambda: 'deaf' in node.last_lines())
    assert node.process.returncode == -9
