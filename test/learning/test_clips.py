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

torch = pytest.importorskip('torch')

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.learning.detectors.vggish.data import (  # noqa: E402
    clip_datasets,
    ClipDataset,
    EpochSampler,
    LogMelDataset,
)
from quiet_nav.learning.recipe import Recipe, recipe_from_dict  # noqa: E402
from quiet_nav.learning.row_dataset import distance_bin  # noqa: E402
from quiet_nav.quiet_campus.lists import load_splits  # noqa: E402
from quiet_nav.quiet_campus.rows import read_audio  # noqa: E402
from quiet_nav.sound.logmel import log_mel  # noqa: E402


def test_what_is_drawn_depends_on_seed_epoch_and_index_alone(campus):
    one, _ = clip_datasets(campus, Recipe())
    other, _ = clip_datasets(campus, Recipe())
    other[(0, 1)]
    same = one[(3, 5)]['audio'], other[(3, 5)]['audio']
    assert torch.equal(*same)
    assert not torch.equal(one[(3, 5)]['audio'], one[(4, 5)]['audio'])
    assert not torch.equal(one[(3, 5)]['audio'], clip_datasets(campus, Recipe(seed=1))[0][(3, 5)]
                           ['audio'])  # fmt: skip


def test_validation_clips_are_the_same_every_epoch(campus):
    _, val = clip_datasets(campus, Recipe())
    assert torch.equal(val[(0, 2)]['audio'], val[(9, 2)]['audio'])
    assert val[(0, 2)]['audio'].shape == (15360,)


def test_positive_weight_is_negatives_over_positives(campus):
    train, _ = clip_datasets(campus, Recipe())
    rows = [row for row in train.rows if row.near][:2] + [r for r in train.rows if not r.near]
    assert ClipDataset(rows, Recipe(), True).positive_weight == 4.0
    with pytest.raises(QuietNavError, match='both classes'):
        _ = ClipDataset(rows[:2], Recipe(), True).positive_weight


def test_distance_bins_follow_the_edges():
    found = [distance_bin(d) for d in (0.1, 0.2, 0.45, 1.49, 1.5, 9.0, float('nan'))]
    assert found == [0, 1, 3, 10, 11, 11, -1]


def test_sampler_gives_every_index_once_in_another_order_each_epoch():
    sampler = EpochSampler(50, seed=3, shuffle=True)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(i for _, i in first) == list(range(50)) == sorted(i for _, i in second)
    assert {e for e, _ in first} == {0} and {e for e, _ in second} == {1}
    assert [i for _, i in first] != [i for _, i in second]
    again = EpochSampler(50, seed=3, shuffle=True)
    again.set_epoch(1)
    assert list(again) == second


def test_recording_shorter_than_a_clip_is_wrapped(campus):
    train, _ = clip_datasets(campus, Recipe())
    audio = train.cache.read(train.rows[0], 0.0, 3 * 48000)
    assert len(audio) == 3 * 48000
    np.testing.assert_array_equal(audio[:48000], audio[48000:96000])


LOG_MELS = {'kind': 'vggish', 'width': 0.0625, 'options': {'log_mels': True, 'rank': 8}}


def test_clips_of_log_mels_are_those_of_the_waveform_but_for_the_ends(campus):
    row = load_splits(campus).val[0]
    data = LogMelDataset([row], recipe_from_dict({'network': LOG_MELS}), False)
    clip = data[0]['log_mel'].numpy()
    whole = read_audio(row, 0.0, 3.0)
    first = (300 - 96) // 2
    alone = log_mel(whole[160 * first : 160 * first + 15_360], pad=True)
    assert clip.shape == (96, 64)
    np.testing.assert_allclose(clip[1:-1], alone[1:-1], atol=0.02)


def test_clips_of_log_mels_are_drawn_from_seed_epoch_and_index(campus):
    rows = load_splits(campus).train
    options = {**LOG_MELS['options'], 'equalizer_db': 6.0}
    recipe = recipe_from_dict({'network': {**LOG_MELS, 'options': options}})
    one, other = (LogMelDataset(rows, recipe, True) for _ in range(2))
    assert len(one) == 10 * len({row.audio for row in rows})
    assert torch.equal(one[3, 5]['log_mel'], other[3, 5]['log_mel'])
    assert not torch.equal(one[3, 5]['log_mel'], other[4, 5]['log_mel'])


def test_equalizer_is_the_same_for_every_frame_of_a_clip(campus):
    rows = load_splits(campus).train[:1]
    plain = {'amplitude': [1.0, 1.0]}
    options = {**LOG_MELS['options'], 'equalizer_db': 6.0}
    made = [
        LogMelDataset(
            rows,
            recipe_from_dict({'network': {**LOG_MELS, 'options': o}, 'augment': plain}),
            True,
        )[0, 0]['log_mel']
        for o in (LOG_MELS['options'], options)
    ]
    added = made[1] - made[0]
    assert float(added.std(dim=0).max()) < 1e-4 < float(added[0].std())


def test_log_mels_have_no_distractors(campus):
    augment = {'distractors': 'synthetic', 'distractor_probability': 0.5}
    recipe = recipe_from_dict({'network': LOG_MELS, 'augment': augment})
    with pytest.raises(QuietNavError, match='log_mels: false'):
        LogMelDataset(load_splits(campus).train, recipe, True)


def test_unknown_option_of_the_papers_network_is_named(campus):
    recipe = recipe_from_dict({'network': {'kind': 'vggish', 'options': {'ranks': 3}}})
    with pytest.raises(QuietNavError, match='ranks'):
        clip_datasets(campus, recipe)
