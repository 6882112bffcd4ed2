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
from quiet_nav.geometry import Side
from quiet_nav.perception.interference import load_places, log_likelihood, ripple_basis
from quiet_nav.perception.rig import Ear

HZ = np.arange(250.0, 8000.0, 31.25)
EAR = Ear(0, 0.0, 0.15, 0.25, Side.LEFT)
FAN = np.array([[-0.06, 0.04, 0.09]])
GRID = np.arange(0.1, 1.5, 0.01)


def _heard(distance_m: float | None) -> np.ndarray:
    heard = 0.15 * np.random.default_rng(0).standard_normal(len(HZ))
    if distance_m is not None:
        ear = np.array([EAR.x, EAR.y, EAR.z])
        basis = ripple_basis(np.array([distance_m]), HZ, FAN, ear, EAR.side.yaw_rad)
        heard += basis[0] @ np.array([0.8, 0.0])
    return heard


@pytest.mark.parametrize('distance_m', [0.3, 0.6, 1.0])
def test_wall_is_found_at_its_distance_and_likelier_than_none(distance_m):
    told = log_likelihood(_heard(distance_m), HZ, GRID, FAN, EAR)
    assert GRID[told.argmax()] == pytest.approx(distance_m, abs=0.015)
    assert told.max() > 20.0


def test_without_a_ripple_no_wall_is_likelier():
    assert log_likelihood(_heard(None), HZ, GRID, FAN, EAR).max() < 3.0


def test_unknown_bands_are_left_out_and_too_few_are_refused():
    heard = _heard(0.6)
    heard[::3] = np.nan
    told = log_likelihood(heard, HZ, GRID, FAN, EAR)
    assert GRID[told.argmax()] == pytest.approx(0.6, abs=0.015)
    with pytest.raises(QuietNavError, match='0 bands known'):
        log_likelihood(np.full(len(HZ), np.nan), HZ, GRID, FAN, EAR)


def test_places_are_those_of_what_sounds_while_the_robot_stands():
    places = load_places('turtlebot4')
    assert places.robot == 'turtlebot4'
    assert places.places_m.shape == (2, 3)
    with pytest.raises(QuietNavError, match='no source with standing_db'):
        load_places('silent')
