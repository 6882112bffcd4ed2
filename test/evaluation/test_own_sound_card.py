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
"""Rooms in which the robot is heard at any level: what is mixed, and what is known of it."""

from __future__ import annotations

import numpy as np
import pytest

from quiet_nav import resources
from quiet_nav.evaluation.own_sound import HeardRoom, LEVELS_DB, named, standing_of
from quiet_nav.perception.rig import load_rig
from quiet_nav.sound.windows import WINDOW_SAMPLES


@pytest.fixture
def room() -> HeardRoom:
    rng = np.random.default_rng(0)
    ambience, own, noise = (
        (scale * rng.standard_normal((2, 3, 4000))).astype(np.float32) for scale in (1.0, 1.0, 0.1)
    )
    rig = load_rig(resources.find(resources.RIG, 'trio'))
    fingerprint = rng.standard_normal((3, 3 * WINDOW_SAMPLES)).astype(np.float32)
    return HeardRoom(rig, ambience, own, noise, fingerprint, [])


def test_the_own_sound_is_mixed_at_its_level_over_the_ambience(room):
    for level in (-10.0, 0.0, 20.0):
        windows, fingerprint = room.at(level)
        added = windows - room.ambience
        share = 10.0 * np.log10(np.mean(added**2) / np.mean(room.ambience**2))
        assert share == pytest.approx(level, abs=0.2)
        assert 20.0 * np.log10(fingerprint.std()) == pytest.approx(level, abs=0.2)


def test_without_own_sound_there_is_no_fingerprint_and_alone_there_is_no_ambience(room):
    windows, fingerprint = room.at(None)
    assert windows is room.ambience and fingerprint is None
    alone, known = room.at(np.inf)
    assert np.array_equal(alone, room.own + room.noise) and known is room.fingerprint


def test_a_fingerprint_made_of_sound_is_known_at_every_ear(room):
    standing = standing_of(room.rig, room.fingerprint)
    assert standing.known and standing.fingerprint.calibrated
    assert not standing_of(room.rig, room.fingerprint[:, : 2 * WINDOW_SAMPLES]).known


def test_levels_are_named_apart():
    names = [named(level) for level in LEVELS_DB]
    assert len(set(names)) == len(LEVELS_DB)
    assert names[0] == 'no own sound' and names[-1] == 'own sound alone'
