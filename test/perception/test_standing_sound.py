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

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.readings import HearsBy
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.standing_sound import (
    band_frequencies_hz,
    band_spectrum,
    CALIBRATION_PLACES,
    Noted,
    StandingSound,
)

BANDS = len(band_frequencies_hz())
RIG = find_rig('pair')
OWN = np.linspace(-4.0, -8.0, BANDS)


def at(
    standing: StandingSound,
    spectrum: np.ndarray,
    x: float,
    yaw: float = 0.0,
    probability: float = 0.05,
) -> None:
    """Let both ears hear a spectrum at a place."""
    time_ns = round((x + yaw) * 1e9)
    pose = Pose2D(x, 0.0, yaw)
    standing.note([Noted(e, spectrum, probability, time_ns, pose, True) for e in (0, 1)])


def calibrated() -> StandingSound:
    standing = StandingSound.of(RIG, 'turtlebot4')
    standing.begin_calibration()
    for i in range(CALIBRATION_PLACES):
        at(standing, OWN, float(i))
    return standing


def test_ear_that_follows_a_wall_from_the_start_does_not_learn_the_wall():
    standing = StandingSound.of(RIG, 'turtlebot4')
    for i in range(20):
        at(standing, OWN + 1.0, 0.3 * i)
    assert not standing.known
    for yaw in (1.0, 2.0, -1.0):
        at(standing, OWN, 6.0, yaw)
    assert standing.known


def test_only_places_called_far_are_learned_once_each():
    standing = StandingSound.of(RIG, 'turtlebot4')
    for yaw in (0.0, 1.0, 2.0, -1.0):
        at(standing, OWN, 0.0, yaw)
    places = standing.fingerprint.places(0)
    at(standing, OWN, 1.0)
    at(standing, OWN, 1.05)
    at(standing, OWN + 0.3, 2.0, probability=0.9)
    assert standing.fingerprint.places(0) == places + 1


def test_calibration_takes_places_whatever_is_read_there_and_then_stays():
    standing = calibrated()
    assert standing.just_calibrated() and not standing.just_calibrated()
    assert standing.fingerprint.calibrated
    at(standing, OWN + 0.5, 50.0)
    assert standing.fingerprint.get(0) == pytest.approx(OWN)


@pytest.mark.parametrize(
    ('over', 'words'),
    [(0.1, HearsBy.OWN_SOUND), (3.0, HearsBy.AMBIENCE)],
)
def test_levels_over_the_fingerprint_say_which_sound_a_reading_lives_by(over, words):
    assert calibrated().hears_by(0, OWN + over) == words


def test_ambience_in_half_of_the_bands_is_both():
    half = OWN + np.where(np.arange(BANDS) % 2, 2.0, 0.0)
    assert calibrated().hears_by(0, half) == HearsBy.BOTH


def test_learned_fingerprint_does_not_claim_to_know_ambience():
    standing = StandingSound.of(RIG, 'turtlebot4')
    for yaw in (0.0, 1.0, 2.0, -1.0):
        at(standing, OWN, 0.0, yaw)
    assert standing.known
    assert standing.hears_by(0, OWN) == HearsBy.UNKNOWN


def test_fan_that_stops_is_noticed_said_and_learned_again():
    standing, quiet = calibrated(), OWN - 2.0
    for i in range(3):
        assert standing.hears_by(0, quiet) != HearsBy.CHANGED
        at(standing, quiet, 100.0 + i)
    assert standing.hears_by(0, quiet) == HearsBy.CHANGED
    assert 'changed' in standing.warning(0)
    for yaw in (0.0, 1.0, 2.0, -1.0):
        at(standing, quiet, 200.0, yaw)
    at(standing, quiet, 201.0)
    assert standing.fingerprint.get(0) == pytest.approx(quiet)
    assert not standing.fingerprint.calibrated
    assert standing.hears_by(0, quiet) == HearsBy.UNKNOWN


def test_louder_room_is_no_change_of_the_own_sound():
    standing = calibrated()
    for i in range(10):
        at(standing, OWN + 3.0, 100.0 + i)
    assert not standing.changed
    assert standing.fingerprint.calibrated


def test_file_is_loaded_for_its_robot_and_rig_alone(tmp_path):
    path = tmp_path / 'f.json'
    calibrated().fingerprint.save(path)
    again = StandingSound.of(RIG, 'turtlebot4', path)
    assert again.fingerprint.calibrated
    assert again.fingerprint.get(1) == pytest.approx(OWN)
    with pytest.raises(QuietNavError, match='of robot turtlebot4, expected turtlebot3'):
        StandingSound.of(RIG, 'turtlebot3', path)
    with pytest.raises(QuietNavError, match='of rig pair#'):
        StandingSound.of(find_rig('trio'), 'turtlebot4', path)
    with pytest.raises(QuietNavError, match='no source with standing_db'):
        StandingSound.of(RIG, 'silent')


def test_bands_follow_a_tone():
    time = np.arange(48_000) / 16_000.0
    spectrum = band_spectrum(np.sin(2.0 * np.pi * 1000.0 * time).astype(np.float32))
    assert abs(band_frequencies_hz()[spectrum.argmax()] - 1000.0) < 32.0
