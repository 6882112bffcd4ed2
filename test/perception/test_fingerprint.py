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
from quiet_nav.perception.fingerprint import Fingerprint


def _learned() -> Fingerprint:
    made = Fingerprint('pair#1', 'bot', np.linspace(250.0, 8000.0, 20))
    for n in range(5):
        assert made.learn(0, np.full(20, -5.0 + 0.1 * n), 0.05, n)
    return made


def test_only_places_called_far_teach_it():
    made = _learned()
    assert not made.learn(0, np.full(20, 9.0), 0.8, 9)
    assert not made.learn(0, np.full(20, 9.0), float('nan'), 9)
    assert made.get(0) == pytest.approx(np.full(20, -4.8))
    assert made.get(1) is None


def test_it_is_loaded_as_saved_and_refused_for_another_robot_or_rig(tmp_path):
    made = _learned()
    made.save(tmp_path / 'f.json')
    again = Fingerprint.load(tmp_path / 'f.json', 'pair#1', 'bot')
    assert again.get(0) == pytest.approx(made.get(0))
    assert again.made_ns == 4
    with pytest.raises(QuietNavError, match='of robot bot, expected other'):
        Fingerprint.load(tmp_path / 'f.json', 'pair#1', 'other')
    with pytest.raises(QuietNavError, match='of rig pair#1, expected trio#2'):
        Fingerprint.load(tmp_path / 'f.json', 'trio#2', 'bot')


def test_fan_that_changes_speed_no_longer_fits():
    made = _learned()
    assert made.fits(0, np.full(20, -4.9))
    assert not made.fits(0, np.full(20, -3.0))


def test_fingerprint_of_other_bands_is_refused(tmp_path):
    made = _learned()
    made.calibrated = True
    made.save(tmp_path / 'f.json')
    assert Fingerprint.load(tmp_path / 'f.json', 'pair#1', 'bot').calibrated
    with pytest.raises(QuietNavError, match='of the 20 bands of another model'):
        Fingerprint.load(tmp_path / 'f.json', 'pair#1', 'bot', np.linspace(100.0, 8000.0, 20))
