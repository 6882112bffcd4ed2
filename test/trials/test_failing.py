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


"""Sensors of a trial that fail: the robot stops, or goes on by what is still right."""

from dataclasses import replace

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.limits import Twist2D
from quiet_nav.navigation.modality import Mode
from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.robot.drive import RobotSettings, RobotState
from quiet_nav.simulation.robot.failures import Failure, Failures
from quiet_nav.trials.failing import (
    FailingOdometry,
    FailingSound,
    failure_of_trial,
    failures_of_mode,
)
from quiet_nav.trials.protocol import run_trial, TrialOutcome, TrialRequest
from quiet_nav.trials.sweep import Sweep

S = 10**9
STRAIGHT = TrialRequest(
    'classroom', 'straight', find_rig('pair'), 'ideal', 4, 1, robot=RobotSettings.perfect()
)


def failing(text):
    return Failures([Failure.parse(text)])


@pytest.mark.parametrize(
    ('failure', 'outcome'),
    [
        ('odom:off@10', TrialOutcome.ODOMETRY_LOST),
        ('odom:stuck@10', TrialOutcome.MOTION_MISMATCH),
        ('odom:garbage@10', TrialOutcome.ODOMETRY_LOST),
        ('odom:wrong=-1@10', TrialOutcome.MOTION_MISMATCH),
        ('twist:garbage@10', TrialOutcome.ODOMETRY_LOST),
    ],
)
def test_odometry_that_fails_stops_the_robot_soon(failure, outcome):
    result = run_trial(replace(STRAIGHT, failure=failure))
    assert result.outcome == outcome
    assert 10.0 <= result.duration_s < 13.5


@pytest.mark.slow
def test_a_failure_that_never_comes_changes_nothing():
    healthy = run_trial(STRAIGHT)
    watched = run_trial(replace(STRAIGHT, failure='odom:off@5000'))
    assert watched.path == healthy.path and watched.outcome == healthy.outcome


def test_a_row_of_a_table_names_what_fails():
    assert replace(STRAIGHT, failure='odom:off@5').senses_name == 'pair, odom:off@5'


def rooms_noise(seconds, channels=2):
    rng = np.random.default_rng(1)
    return (0.01 * rng.standard_normal((channels, round(16_000 * seconds)))).astype(np.float32)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('audio:off', 'no sound'),
        ('audio:stuck', 'frozen'),
        ('audio:garbage', 'clipped'),
        ('audio:wrong', 'sent twice'),
        ('audio:slow', ''),
        ('audio:intermittent', ''),
        ('audio:old', 'stale'),
        ('audio:delayed=1.2', 'stale'),
    ],
)
def test_sound_that_fails_makes_no_valid_window(text, words):
    sound = FailingSound(failing(text), [0])
    more_s = sound.longer_s(20.0)
    windows = sound.windows(rooms_noise(3.0 + more_s), round((20.0 - more_s) * S))
    assert len(windows) == 2
    for window in windows:
        assert not window.valid
        assert words in window.reason


def test_sound_that_is_well_makes_valid_windows():
    windows = FailingSound(failing('audio:off@100'), [0]).windows(rooms_noise(3.0), 20 * S)
    assert [window.valid for window in windows] == [True, True]
    assert windows[0].end_ns - windows[0].start_ns == 3 * S


def test_sound_that_is_late_but_fresh_is_an_earlier_window():
    sound = FailingSound(failing('audio:delayed=0.5'), [0])
    assert sound.longer_s(20.0) == 0.5
    (window, _) = sound.windows(rooms_noise(3.5), round(19.5 * S))
    assert window.valid and window.end_ns == pytest.approx(22.5 * S, abs=1000)


def test_one_ear_that_is_dead_leaves_the_other():
    windows = FailingSound(failing('ear1:off'), [0]).windows(rooms_noise(3.0), 20 * S)
    assert [window.valid for window in windows] == [True, False]


def test_odometry_that_is_not_finite_is_never_given_on():
    odometry = FailingOdometry(failing('odom:garbage@1'))

    def at(time_s):
        pose = Pose2D(0.1 * time_s, 0.0, 0.0)
        state = RobotState(time_s, pose, pose, 0.1, 0.0, False)
        return odometry.take(state, round(time_s * S))

    assert at(0.9) == (Pose2D(0.09000000000000001, 0.0, 0.0), Twist2D(0.1, 0.0), None)
    pose, _, fault = at(1.0)
    assert np.isfinite(pose.x) and fault.outcome == Outcome.ODOMETRY_LOST


@pytest.mark.parametrize(
    ('text', 'mode'),
    [
        ('camera:off', Mode.AUDIO),
        ('audio:off', Mode.VISION),
        ('bump:off', Mode.AUDIO),
        ('odom:misframed', Mode.AUDIO),
        ('ear2:off', Mode.AUDIO),
        ('nothing', Mode.AUDIO),
    ],
)
def test_what_no_trial_has_is_refused(text, mode):
    with pytest.raises(QuietNavError):
        failure_of_trial(text, mode, 2)


@pytest.mark.parametrize('mode', list(Mode))
def test_every_failure_of_a_mode_is_one_that_a_trial_takes(mode):
    found = failures_of_mode(mode)
    assert len(set(found)) == len(found) > 20
    for text in found:
        assert failure_of_trial(text, mode, 2).at_s == 60.0


def test_all_is_the_healthy_run_and_every_failure():
    sweep = Sweep(trials=2, failures=('all',))
    requests = sweep.requests()
    assert len(requests) == 2 * (1 + len(failures_of_mode(Mode.AUDIO)))
    assert [request.failure for request in requests[:2]] == ['', '']


def test_ears_without_sound_cannot_lose_it():
    with pytest.raises(QuietNavError, match='hears no sound'):
        Sweep(detector='ideal', failures=('audio:off',)).requests()
