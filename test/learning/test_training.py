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

import dataclasses
import json

from installed import require
import pytest

torch = pytest.importorskip('torch')
require('lightning')

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.learning.checkpoints import load_checkpoint, read_tensors  # noqa: E402
from quiet_nav.learning.recipe import recipe_from_dict  # noqa: E402
from quiet_nav.learning.training import Devices, train  # noqa: E402

RECIPE = recipe_from_dict(
    {
        'name': 'tiny',
        'network': {'width': 0.0625},
        'optim': {'name': 'adamw', 'learning_rate': 1e-3, 'epochs': 3, 'batch_size': 16},
        'augment': {'gain_db': [-3, 3], 'band_mask_probability': 0.3},
        'data': {'repeat': 4},
    }
)
CPU = {'devices': Devices('cpu', 1), 'progress': False}


def weights(path) -> dict:
    return read_tensors(path)['state_dict']


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


SLOW_FIXTURES = ('trained',)


@pytest.fixture(scope='module')
def trained(campus, tmp_path_factory):
    out = tmp_path_factory.mktemp('trained')
    return out, train(RECIPE, campus, out, **CPU)


@pytest.mark.slow
def test_a_little_training_learns_what_can_be_learned(trained):
    out, result = trained
    assert result.val_ap > 0.9
    assert json.loads((out / 'result.json').read_text())['epochs'] == 3
    assert any((out / 'tensorboard').iterdir())


@pytest.mark.slow
def test_interrupted_training_goes_on_to_the_same_bits(trained, campus, tmp_path):
    out, _ = trained
    train(RECIPE, campus, tmp_path, limit_epochs=1, **CPU)
    assert not same(weights(tmp_path / 'last.ckpt'), weights(out / 'last.ckpt'))
    train(RECIPE, campus, tmp_path, **CPU)
    assert same(weights(tmp_path / 'last.ckpt'), weights(out / 'last.ckpt'))


def test_another_recipe_does_not_go_on_in_the_same_folder(trained, campus):
    out, _ = trained
    changed = dataclasses.replace(RECIPE, seed=5)
    with pytest.raises(QuietNavError, match='differs in seed'):
        train(changed, campus, out, **CPU)


def test_checkpoint_gives_the_network_back(trained):
    out, _ = trained
    network, recipe, _ = load_checkpoint(out / 'best.ckpt')
    assert recipe == RECIPE
    assert not network.training
    assert network(torch.zeros(1, 15360)).near.isfinite().all()


@pytest.mark.slow
def test_fine_tuning_starts_from_the_checkpoint(trained, campus, tmp_path):
    out, result = trained
    optim = dataclasses.replace(RECIPE.optim, learning_rate=1e-9, weight_decay=0.0, epochs=1)
    still = dataclasses.replace(RECIPE, optim=optim)
    tuned = train(still, campus, tmp_path, init=out / 'best.ckpt', **CPU)
    before, after = weights(out / 'best.ckpt'), weights(tuned.best)
    name = 'network.trunk.features.0.weight'
    torch.testing.assert_close(before[name], after[name], atol=1e-6, rtol=0)
    assert tuned.val_ap >= result.val_ap - 0.1
