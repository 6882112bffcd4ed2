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

"""Fine-tuning: which files a training can start from, and that the start is the model itself."""

import numpy as np
import pytest

torch = pytest.importorskip('torch')
onnx = pytest.importorskip('onnx')

from brightness_model import write_model  # noqa: E402

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.learning.calibration import Platt  # noqa: E402
from quiet_nav.learning.checkpoints import (  # noqa: E402
    hold_folded,
    mix_in,
    start_from,
    starting_point,
)
from quiet_nav.learning.detectors.context.kind import exportable  # noqa: E402
from quiet_nav.learning.detectors.context.network import Calibration  # noqa: E402
from quiet_nav.learning.detectors.kinds import kind_of  # noqa: E402
from quiet_nav.learning.detectors.near_wall import network as own_network  # noqa: E402
from quiet_nav.learning.detectors.near_wall.kind import exportable as own_exportable  # noqa: E402
from quiet_nav.learning.detectors.resnet.kind import exportable as vision_exportable  # noqa: E402
from quiet_nav.learning.recipe import Recipe  # noqa: E402
from quiet_nav.perception.model_file import open_model  # noqa: E402
from quiet_nav.perception.model_metadata import ModelMetadata  # noqa: E402
from quiet_nav.resources import shared_file  # noqa: E402


def network_in(path):
    recipe = starting_point(path).network
    network = kind_of(Recipe(network=recipe)).network(recipe)
    start_from(network, path)
    return network


@pytest.mark.slow
def test_the_shipped_model_is_a_start_and_says_the_same():
    path = shared_file('models/near_wall.onnx')
    shipped = open_model(path)
    network = network_in(path).eval()
    fitted = shipped.metadata.extra['calibration']
    calibration = Calibration(**{name: tuple(values) for name, values in fitted.items()})
    item = exportable(network, calibration)
    with torch.no_grad():
        said = item.module(*item.inputs.values())[0].numpy()
    taken = shipped.model.inputs
    feeds = {name: value.numpy() for name, value in item.inputs.items() if name in taken}
    assert abs(said - shipped.run(feeds)[0]).max() < 1e-3


@pytest.mark.slow
def test_the_shipped_vision_model_is_a_start_and_says_the_same():
    path = shared_file('models/near_wall_vision.onnx')
    shipped = open_model(path)
    network = network_in(path).eval()
    item = vision_exportable(network, starting_point(path).image_size, Platt(1.0, 0.0), 1.0)
    images = np.random.default_rng(0).integers(0, 256, (4, 30, 40, 3), np.uint8)
    images = images.repeat(16, axis=1).repeat(16, axis=2)
    with torch.no_grad():
        own = item.module(torch.from_numpy(images))
    said = shipped.run({'image': images})
    # Calibration is the graph's own; it keeps the order, and the likeliest distance.
    assert (np.argsort(own[0].numpy()) == np.argsort(said[0])).all()
    assert (own[1].numpy().argmax(axis=1) == said[1].argmax(axis=1)).all()
    temperature = shipped.metadata.extra['distance_temperature']
    scaled = torch.softmax(torch.log(own[1]) / temperature, dim=-1).numpy()
    assert abs(scaled - said[1]).max() < 1e-3
    assert hold_folded(network.train()) == 20


@pytest.mark.slow
def test_the_shipped_model_of_the_own_sound_is_a_start_and_says_the_same():
    path = shared_file('models/near_wall_own.onnx')
    shipped = open_model(path)
    recipe = starting_point(path).network
    assert recipe.kind == 'near_wall'
    network = network_in(path).eval()
    fitted = shipped.metadata.extra['calibration']
    calibration = own_network.Calibration(**{n: tuple(values) for n, values in fitted.items()})
    item = own_exportable(network, calibration)
    with torch.no_grad():
        said = item.module(*item.inputs.values())[0].numpy()
    feeds = {name: value.numpy() for name, value in item.inputs.items()}
    assert abs(said - shipped.run(feeds)[0]).max() < 1e-3


def test_weights_of_a_network_that_was_told_less_are_a_start():
    recipe = starting_point(shared_file('models/near_wall.onnx')).network
    network = kind_of(Recipe(network=recipe)).network(recipe)
    weights = network.state_dict()
    for fewer in (6, 7):
        older = {**weights, 'features.0.weight': weights['features.0.weight'][:, :-fewer]}
        upgraded = network.upgraded(older)
        assert upgraded['features.0.weight'].shape == weights['features.0.weight'].shape
        assert not upgraded['features.0.weight'][:, -fewer:].any()
    assert network.upgraded(weights) is weights


def test_a_share_of_the_weights_that_a_training_began_with_is_kept():
    path = shared_file('models/near_wall.onnx')
    network = network_in(path)
    first = 'features.0.weight'
    begun = network.state_dict()[first].clone()
    with torch.no_grad():
        network.features[0].weight += 1.0
    mix_in(network, path, 0.25)
    torch.testing.assert_close(network.state_dict()[first], begun + 0.75)
    with pytest.raises(QuietNavError, match='expected 0 to below 1'):
        mix_in(network, path, 1.0)


@pytest.mark.slow
def test_norms_folded_by_the_export_stay_out_of_a_training():
    network = network_in(shared_file('models/near_wall.onnx')).train()
    features = torch.randn(8, network.compare.channels, 160)
    assert hold_folded(network) == 6
    in_training = network.features(features)
    torch.testing.assert_close(in_training, network.eval().features(features))
    recipe = starting_point(shared_file('models/near_wall.onnx')).network
    assert hold_folded(kind_of(Recipe(network=recipe)).network(recipe)) == 0


def test_another_projects_model_is_refused_by_name(tmp_path):
    path = tmp_path / 'foreign.onnx'
    graph = onnx.helper.make_graph([], 'g', [], [])
    onnx.save(onnx.helper.make_model(graph), path)
    with pytest.raises(QuietNavError, match=r'foreign.onnx: no metadata of quiet_nav format 1'):
        starting_point(path)
    path.write_bytes(b'not onnx at all')
    with pytest.raises(QuietNavError, match=r'foreign.onnx: corrupt or not ONNX'):
        starting_point(path)
    with pytest.raises(QuietNavError, match=r'none.onnx: cannot be read'):
        starting_point(tmp_path / 'none.onnx')
    torch.save({'state_dict': {}}, tmp_path / 'other.ckpt')
    with pytest.raises(QuietNavError, match=r'other.ckpt: no near-wall checkpoint of quiet_nav'):
        starting_point(tmp_path / 'other.ckpt')


@pytest.mark.parametrize(
    ('name', 'value', 'found'),
    [('width', None, 'nothing'), ('size', None, 'nothing'), ('width', 'wide', "'wide'"),
     ('size', 0, '0')],
)  # fmt: skip
def test_an_image_model_that_does_not_say_its_network_is_refused(name, value, found, tmp_path):
    extra = {'width': 0.5, 'size': 128, name: value}
    extra = {key: value for key, value in extra.items() if value is not None}
    path = write_model(
        tmp_path / 'eyes.onnx', ModelMetadata('resnet', modality='vision', extra=extra)
    )
    with pytest.raises(QuietNavError, match=f'metadata say {found} as {name} .*export it again'):
        starting_point(path)
