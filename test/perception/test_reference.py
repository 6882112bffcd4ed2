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

"""The room's reference: what it learns, refuses, forgets, shares, and keeps in a file."""

import json

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.context import BANDS, FINE_BINS
from quiet_nav.perception.reference import ReferenceSettings, RoomReference, shared_reference


def spectrum(seed: int, level: float = -10.0, spread: float = 0.6) -> np.ndarray:
    """Return a place's spectrum: its fine bands differ from other places' by 0.85 nepers RMS."""
    return level + spread * np.random.default_rng(seed).standard_normal(BANDS)


def noisy(base: np.ndarray, seed: int) -> np.ndarray:
    return base + 0.15 * np.random.default_rng(seed).standard_normal(BANDS)


def test_place_counts_only_once_it_is_left():
    reference = RoomReference()
    a, b = spectrum(1), spectrum(2)
    assert reference.hear(0, a) == 'new place'
    assert reference.get(0) is None and reference.places == 0.0
    assert reference.hear(0, b) == 'new place'
    assert reference.get(0) == pytest.approx(a)
    reference.leave()
    keep = 0.5 ** (1 / 20)
    assert reference.get(0) == pytest.approx((keep * a + b) / (keep + 1))


def test_same_place_counts_once_however_often_it_is_heard():
    reference = RoomReference()
    for seed in range(30):
        reference.hear(0, noisy(spectrum(1), seed))
    assert reference.places == 0.0
    reference.leave()
    assert reference.places == 1.0
    assert reference.get(0) == pytest.approx(noisy(spectrum(1), 29))


def test_level_alone_makes_no_new_place():
    reference = RoomReference()
    reference.hear(0, spectrum(1))
    assert reference.hear(0, spectrum(1) + 0.8) == 'same place'


def test_half_life_forgets_slowly():
    reference = RoomReference(ReferenceSettings(half_life=2.0))
    for seed in range(60):
        reference.hear(0, spectrum(seed))
    reference.leave()
    assert reference.places == pytest.approx(1 / (1 - 0.5**0.5), rel=1e-6)


def test_bursts_are_refused():
    reference = RoomReference()
    reference.hear(0, spectrum(1))
    said = reference.hear(0, spectrum(2), transient=0.9)
    assert said.startswith('burst of sound (0.90') and reference.refused == 1
    reference.leave()
    assert reference.get(0) == pytest.approx(spectrum(1))


def test_jump_is_refused_until_it_lasts_then_the_room_begins_anew():
    reference = RoomReference()
    for seed in range(5):
        reference.hear(0, spectrum(seed))
    before = reference.get(0)
    said = [reference.hear(0, spectrum(10 + i, level=-6.0)) for i in range(3)]
    assert said[0].endswith('dB from the room so far')
    assert 'dB from' in said[1] and said[2] == 'new place'
    assert before is not None and reference.get(0) is None
    reference.leave()
    assert reference.get(0) == pytest.approx(spectrum(12, level=-6.0))


def test_one_strange_window_changes_nothing():
    reference = RoomReference()
    for seed in range(5):
        reference.hear(0, spectrum(seed))
    before = reference.get(0)
    for seed in range(20, 26):
        reference.hear(0, spectrum(99 + seed, level=-6.0))
        reference.hear(0, spectrum(4))
    assert reference.get(0) == pytest.approx(before)
    assert reference.refused == 6


def test_ears_share_the_room_and_keep_their_gains():
    means = np.stack([spectrum(1), spectrum(2) + 0.5])
    weights = np.array([3.0, 1.0])
    left, right = shared_reference(means, weights)
    fine = (left - right)[:FINE_BINS]
    assert np.ptp(fine) < 1e-9
    high = (means[1] - means[0])[FINE_BINS:].mean()
    assert fine[0] == pytest.approx(-high)
    alone = shared_reference(means[:1], weights[:1])
    assert alone[0] == pytest.approx(means[0])


def test_unequal_gain_of_one_ear_moves_its_reference_and_no_other():
    quiet, loud = RoomReference(), RoomReference()
    for seed in range(6):
        for ear in (0, 1):
            sound = spectrum(10 * seed + ear)
            quiet.hear(ear, sound)
            loud.hear(ear, sound + (0.6 if ear else 0.0))
    assert loud.get(0) == pytest.approx(quiet.get(0), abs=1e-9)
    assert loud.get(1) == pytest.approx(quiet.get(1) + 0.6, abs=1e-9)


def test_saved_and_loaded_reference_goes_on_bit_for_bit(tmp_path):
    kept = RoomReference()
    for seed in range(7):
        for ear in (0, 2):
            kept.hear(ear, spectrum(10 * seed + ear))
    kept.save(tmp_path / 'room.json')
    loaded = RoomReference.load(tmp_path / 'room.json')
    for reference in (kept, loaded):
        reference.hear(0, spectrum(500))
        reference.hear(2, spectrum(501))
    assert np.array_equal(kept.get(0), loaded.get(0))
    assert np.array_equal(kept.get(2), loaded.get(2))
    assert kept.places == loaded.places
    assert [p.name for p in tmp_path.iterdir()] == ['room.json']


@pytest.mark.parametrize(
    'content',
    [
        '',
        '{',
        '[]',
        '{"format": 1, "ears": 3}',
        '{"format": 1, "ears": {"x": {"weight": 1, "total": [], "here": null}}}',
        json.dumps({'format': 1, 'ears': {'0': {'weight': 1, 'total': [0.0] * 159, 'here': None}}}),
        json.dumps(
            {'format': 1, 'ears': {'0': {'weight': 1, 'total': [float('nan')] * 160, 'here': None}}}
        ),
        json.dumps(
            {'format': 1, 'ears': {'0': {'weight': -1, 'total': [0.0] * 160, 'here': None}}}
        ),
        json.dumps({'format': 2, 'ears': {}}),
        '[' * 100_000,
        json.dumps({'format': 1, 'ears': {'0': {'weight': 10**400, 'total': [], 'here': None}}}),
    ],
)
def test_files_that_are_no_reference_are_refused_in_one_line(tmp_path, content):
    path = tmp_path / 'room.json'
    path.write_text(content)
    with pytest.raises(QuietNavError, match='not a reference saved by quiet_nav') as found:
        RoomReference.load(path)
    assert 'room.json' in str(found.value) and '\n' not in str(found.value)


def test_file_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(QuietNavError, match='cannot be written'):
        RoomReference().save(tmp_path / 'file' / 'room.json')


@pytest.mark.parametrize('bad', [np.zeros(10), np.full(BANDS, np.nan)])
def test_spectra_that_are_none_are_refused(bad):
    with pytest.raises(QuietNavError, match='160 or 272 finite bands'):
        RoomReference().hear(0, bad)
