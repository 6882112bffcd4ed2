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

import pytest

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.learning.recipe import (
    load_recipe,
    Recipe,
    recipe_file,
    recipe_from_dict,
    recipe_to_dict,
)


def test_default_is_the_papers_recipe():
    optim = load_recipe(recipe_file('paper')).optim
    assert (optim.name, optim.learning_rate, optim.momentum) == ('sgd', 1e-3, 0.9)
    assert (optim.weight_decay, optim.schedule, optim.epochs) == (5e-4, 'cosine', 100)
    assert load_recipe(recipe_file('paper')).augment.amplitude == (0.5, 1.5)
    assert Recipe().optim == optim


def test_every_shipped_recipe_loads_and_survives_a_checkpoint():
    paths = [recipe_file(name) for name in resources.names(resources.RECIPE)]
    assert {'paper', 'quiet_nav', 'small'} <= {path.stem for path in paths}
    for path in paths:
        recipe = load_recipe(path)
        assert recipe_from_dict(recipe_to_dict(recipe)) == recipe


@pytest.mark.parametrize(
    ('raw', 'said'),
    [
        ({'optim': {'learning_rat': 0.1}}, 'learning_rat'),
        ({'epochs': 3}, 'unknown key epochs'),
        ({'optim': {'epochs': 'many'}}, "epochs: should be a whole number, found 'many'"),
        ({'optim': {'epochs': 0}}, 'optim.epochs'),
        ({'optim': {'name': 'magic'}}, 'sgd, adamw'),
        ({'optim': {'precision': 'half'}}, 'auto, 32-true, bf16-mixed'),
        ({'augment': {'amplitude': [0.5]}}, r'augment\.amplitude\[1\] is missing'),
        ({'augment': {'distractor_probability': 0.5}}, 'distractors'),
        ({'network': 'vggish'}, "network: should be a mapping, found 'vggish'"),
        ({'seed': True}, 'seed: should be a whole number'),
        ({'seed': 10**400}, 'seed: '),
        ({'optim': {'learning_rate': 1e300}}, r'optim\.learning_rate: .*1e300|1e\+300'),
        ({'x': 1, 1: 2}, 'unknown key x'),
    ],
)
def test_bad_recipe_is_refused_with_the_key(raw, said):
    with pytest.raises(QuietNavError, match=said):
        recipe_from_dict(raw)


def test_missing_and_malformed_files_are_refused(tmp_path):
    with pytest.raises(QuietNavError, match=r"no recipe 'no-such-recipe'; recipes: .*paper"):
        recipe_file('no-such-recipe')
    bad = tmp_path / 'bad.yaml'
    bad.write_text('optim: [1, 2\n')
    with pytest.raises(QuietNavError, match='not YAML'):
        load_recipe(bad)


@pytest.mark.parametrize('data', [b'2001-99-99', b'[' * 3000, b'\xff', b'x: 1\n1: 2', b'a', b'\0'])
def test_files_that_are_no_recipe_are_one_line(tmp_path, data):
    (tmp_path / 'mine.yaml').write_bytes(data)
    with pytest.raises(QuietNavError, match=r'^recipe .*mine\.yaml: ') as found:
        load_recipe(tmp_path / 'mine.yaml')
    assert '\n' not in str(found.value)


def test_auto_takes_bfloat16_only_where_the_processor_has_units_for_it(monkeypatch):
    torch = pytest.importorskip('torch')
    from quiet_nav.learning import precision

    def having(*units):
        monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: dict.fromkeys(units, True))

    having('avx2', 'avx512_f')
    assert precision.settled('auto', 'cpu') == '32-true'
    assert 'float32' in precision.described('auto', 'cpu')
    for unit in ('avx512_bf16', 'amx_bf16', 'sve_bf16'):
        having('avx2', unit)
        assert precision.settled('auto', 'cpu') == 'bf16-mixed'
    assert precision.settled('32-true', 'cpu') == '32-true'
    having()
    assert precision.settled('bf16-mixed', 'cpu') == 'bf16-mixed'
    assert '(as asked)' in precision.described('bf16-mixed', 'cpu')


def test_every_recipe_leaves_the_precision_to_the_processor_or_says_float32():
    found = {load_recipe(recipe_file(n)).optim.precision for n in resources.names(resources.RECIPE)}
    assert found <= {'auto', '32-true'}
