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
from quiet_nav.learning.augment import (
    Augment,
    DistractorBank,
    kind_of_event,
    mix_at_snr,
    TEST_PART,
    TRAIN_PART,
)
from quiet_nav.learning.recipe import AugmentRecipe
from quiet_nav.perception.readings import Context

BOTH = Context.REFERENCE | Context.OTHER_EARS


def test_amplitude_factor_stays_in_its_range_and_at_full_scale():
    augment = Augment(AugmentRecipe(amplitude=(0.5, 1.5)))
    rng = np.random.default_rng(0)
    factors = [augment.waveform(rng, np.full(8, 0.5, np.float32))[0] / 0.5 for _ in range(300)]
    assert 0.5 <= min(factors) < 0.55
    assert 1.45 < max(factors) <= 1.5
    assert augment.waveform(rng, np.full(8, 5.0, np.float32)).max() == 1.0


def test_gain_is_drawn_in_decibels():
    augment = Augment(AugmentRecipe(amplitude=(1.0, 1.0), gain_db=(-12.0, 12.0)))
    rng = np.random.default_rng(0)
    gains = [20 * np.log10(augment.waveform(rng, np.full(4, 0.01))[0] / 0.01) for _ in range(300)]
    assert -12.01 <= min(gains) < -11
    assert 11 < max(gains) <= 12.01


@pytest.mark.parametrize('snr_db', [-10.0, 0.0, 20.0])
def test_mixture_has_the_ratio_asked_for(snr_db):
    rng = np.random.default_rng(0)
    audio, event = rng.standard_normal((2, 16000)).astype(np.float32)
    added = mix_at_snr(audio, 0.01 * event, snr_db) - audio
    ratio = 10 * np.log10(np.mean(audio**2) / np.mean(added**2))
    assert ratio == pytest.approx(snr_db, abs=0.01)


def test_silent_event_changes_nothing():
    audio = np.ones(10, np.float32)
    assert mix_at_snr(audio, np.zeros(10), 0.0) is audio


def test_hidden_bands_are_one_run_no_longer_than_asked():
    augment = Augment(AugmentRecipe(band_mask_probability=1.0, band_mask_bands=16))
    rng = np.random.default_rng(0)
    for _ in range(50):
        hidden = np.flatnonzero(augment.keep_bands(rng, 64) == 0)
        assert 1 <= len(hidden) <= 16
        assert np.all(np.diff(hidden) == 1)


def test_contexts_are_withheld_as_often_as_asked_and_never_invented():
    augment = Augment(AugmentRecipe(context_drop=0.3))
    rng = np.random.default_rng(0)
    drawn = [augment.context(rng, BOTH) for _ in range(2000)]
    assert np.mean([bool(c & Context.REFERENCE) for c in drawn]) == pytest.approx(0.7, abs=0.04)
    assert len(set(drawn)) == 4
    assert augment.context(rng, Context.ALONE) == Context.ALONE


def test_short_and_long_events_fill_a_clip():
    bank = DistractorBank([np.ones(100), np.ones(5000)])
    rng = np.random.default_rng(0)
    drawn = [bank.draw(rng, 1000) for _ in range(20)]
    assert {len(piece) for piece in drawn} == {1000}
    assert {int(piece.sum()) for piece in drawn} == {100, 1000}


def test_folder_without_sounds_is_refused(tmp_path):
    with pytest.raises(QuietNavError, match='no WAV, FLAC or OGG'):
        DistractorBank.from_folder(tmp_path)


def test_events_to_train_and_to_test_with_are_of_different_kinds():
    names = ['dog-1', 'dog-2', 'cat', 'door_slam-3', '1-100032-A-0', '5-9032-A-0', '1-17-B-12']
    bank = DistractorBank([np.full(10, i) for i in range(len(names))], names)
    train, test = bank.part(TRAIN_PART), bank.part(TEST_PART)
    assert sorted((*train.names, *test.names)) == sorted(names)
    kinds = [{kind_of_event(name) for name in part.names} for part in (train, test)]
    assert kinds[0] | kinds[1] == {'dog', 'cat', 'door_slam', '0', '12'}
    assert not kinds[0] & kinds[1] and len(kinds[0]) > len(kinds[1]) > 0
    assert test.events[0][0] == names.index(test.names[0])
    with pytest.raises(QuietNavError, match='one kind of event'):
        DistractorBank([np.ones(10)] * 2, ['dog-1', 'dog-2']).part(TEST_PART)


@pytest.mark.slow
def test_synthetic_distractors_are_of_every_kind_and_always_the_same():
    one, other = DistractorBank.of('synthetic'), DistractorBank.of('synthetic')
    assert one.names == other.names and len({n.rsplit('-')[0] for n in one.names}) >= 20
    assert all(np.array_equal(a, b) for a, b in zip(one.events, other.events, strict=True))
    parts = [DistractorBank.of(f'synthetic:{part}').names for part in ('train', 'test')]
    assert sorted((*parts[0], *parts[1])) == sorted(one.names)
    piece = one.draw(np.random.default_rng(1), 16_000)
    assert piece.shape == (16_000,) and np.abs(piece).max() > 0.0
