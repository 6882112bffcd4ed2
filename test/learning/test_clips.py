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
    distance_bin,
    EpochSampler,
)
from quiet_nav.learning.recipe import Recipe  # noqa: E402


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
