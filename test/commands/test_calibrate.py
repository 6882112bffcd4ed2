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

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.standing_sound import StandingSound

RATE = 16_000


def calibrate(*arguments: object):
    return CliRunner().invoke(build_app(), ['calibrate', *map(str, arguments)])


@pytest.fixture
def recording(tmp_path):
    """Return a stereo WAV of 15 s of noise, as of a fan in the open."""
    path = tmp_path / 'open.wav'
    soundfile.write(path, 0.02 * np.random.default_rng(0).standard_normal((15 * RATE, 2)), RATE)
    return path


def test_recording_becomes_the_fingerprint_of_its_robot_and_rig(recording, tmp_path):
    out = tmp_path / 'f.json'
    done = calibrate(recording, '--robot', 'turtlebot4', '--out', out)
    assert done.exit_code == 0, done.output
    assert 'robot turtlebot4, rig pair#' in done.output
    assert 'warning' not in done.output
    known = StandingSound.of(find_rig('pair'), 'turtlebot4', out)
    assert known.known and known.fingerprint.calibrated
    again = calibrate(recording, '--robot', 'turtlebot4', '--out', out)
    assert isinstance(again.exception, QuietNavError)


def test_own_sound_that_clips_and_a_recording_too_short_are_refused(recording, tmp_path):
    loud, short = tmp_path / 'loud.wav', tmp_path / 'short.wav'
    samples, _ = soundfile.read(recording)
    soundfile.write(loud, np.clip(100.0 * samples, -1.0, 1.0), RATE)
    soundfile.write(short, samples[: 5 * RATE], RATE)
    for path, words in ((loud, 'clips an ear'), (short, 'expected 3 or more')):
        done = calibrate(path, '--robot', 'turtlebot4', '--out', tmp_path / 'f.json')
        assert words in str(done.exception)
    assert not (tmp_path / 'f.json').exists()
