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

"""Training the image detector: examples, a little training, what is exported of it."""

import json

from called import run
from installed import require
import numpy as np
import pytest

torch = pytest.importorskip('torch')
require('lightning', 'transformers')

from PIL import Image  # noqa: E402

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.learning import onnx_export  # noqa: E402
from quiet_nav.learning.calibration import Platt  # noqa: E402
from quiet_nav.learning.detectors.resnet.data import image_datasets, ImageDataset  # noqa: E402
from quiet_nav.learning.detectors.resnet.images import squeeze  # noqa: E402
from quiet_nav.learning.detectors.resnet.kind import exportable, NearWallResnet  # noqa: E402
from quiet_nav.learning.detectors.vggish.kind import exportable as vggish_exportable  # noqa: E402
from quiet_nav.learning.detectors.vggish.network import NearWallVggish  # noqa: E402
from quiet_nav.learning.recipe import recipe_from_dict  # noqa: E402
from quiet_nav.learning.training import Devices, train  # noqa: E402
from quiet_nav.perception.model_metadata import ModelMetadata  # noqa: E402
from quiet_nav.quiet_campus.lists import image_rows, load_splits  # noqa: E402

RECIPE = {
    'name': 'tiny_image',
    'network': {'kind': 'resnet', 'width': 0.125},
    'optim': {'name': 'adamw', 'learning_rate': 3e-3, 'epochs': 4, 'batch_size': 8},
    'image': {'size': 32},
    'data': {'repeat': 4},
}


@pytest.fixture(scope='module')
def seen(campus):
    """Return the tiny campus with images: near places are bright at the bottom."""
    rng = np.random.default_rng(3)
    for split in ('train', 'val', 'test'):
        for row in load_splits(campus)[split]:
            pixels = rng.integers(0, 100, (48, 64, 3), np.uint8)
            if row.near:
                pixels[24:] += 120
            Image.fromarray(pixels).save(row.image)
    return campus


def test_each_image_is_one_example_however_many_seconds_are_listed(seen):
    rows = load_splits(seen).val
    assert image_rows([*rows, *rows]) == list(rows)


def test_examples_depend_on_seed_epoch_and_index_alone(seen):
    train_set, val_set = image_datasets(seen, recipe_from_dict(RECIPE))
    again, _ = image_datasets(seen, recipe_from_dict(RECIPE))
    one, same, later = train_set[(1, 5)], again[(1, 5)], train_set[(2, 5)]
    assert one['image'].shape == (3, 32, 32) and one['image'].dtype == torch.uint8
    assert torch.equal(one['image'], same['image'])
    assert not torch.equal(one['image'], later['image'])
    plain = val_set[(0, 0)]
    with Image.open(val_set.rows[0].image) as image:
        expected = squeeze(np.array(image), 32).transpose(2, 0, 1)
    assert np.array_equal(plain['image'].numpy(), expected)


def test_rooms_of_the_test_list_train_where_the_recipe_says_so(seen):
    more = recipe_from_dict({**RECIPE, 'data': {'repeat': 1, 'test_rooms': True}})
    listed = load_splits(seen)
    train_set, val_set = image_datasets(seen, more)
    rooms = {row.room for row in image_rows([*listed.train, *listed.test])}
    assert {row.room for row in train_set.rows} == rooms
    assert {row.room for row in val_set.rows} == {row.room for row in listed.val}


def test_missing_images_are_named_before_any_training(seen, tmp_path):
    recipe = recipe_from_dict(RECIPE)
    splits = load_splits(seen)
    moved = splits.train[0].image.rename(tmp_path / 'RGB.png')
    try:
        with pytest.raises(QuietNavError, match=r'1 of 36 files .*missing(.|\n)*RGB\.png'):
            image_datasets(seen, recipe)
    finally:
        moved.rename(splits.train[0].image)
    with pytest.raises(QuietNavError, match='no rows with an image'):
        ImageDataset([], recipe, True)


@pytest.mark.slow
def test_a_little_training_learns_what_can_be_seen(seen, tmp_path):
    recipe = recipe_from_dict(RECIPE)
    result = train(recipe, seen, tmp_path, devices=Devices('cpu', 1), progress=False)
    assert result.val_ap > 0.9


def test_input_that_the_recipe_does_not_take_is_refused(seen, tmp_path):
    from typer.testing import CliRunner

    from quiet_nav.cli import build_app

    result = CliRunner().invoke(
        build_app(),
        ['train', 'near-wall', '--input', 'image', '--recipe', 'small', '--data', str(seen),
         '--out', str(tmp_path)],
    )  # fmt: skip
    assert 'vggish, which takes audio' in str(result.exception)


@pytest.mark.slow
def test_exported_graph_squeezes_images_of_any_size_as_training_does(tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    torch.manual_seed(0)
    network = NearWallResnet(0.125).eval()
    path = tmp_path / 'm.onnx'
    item = exportable(network, 64, Platt(2.0, -0.5), 1.5)
    onnx_export.export(item, path, ModelMetadata('resnet', modality='vision'))
    session = onnxruntime.InferenceSession(str(path))
    rng = np.random.default_rng(0)
    for shape in ((1, 120, 160, 3), (3, 90, 64, 3), (2, 64, 64, 3)):
        images = rng.integers(0, 256, shape, np.uint8)
        near, distance = session.run(None, {'image': images})
        with torch.no_grad():
            expected = item.module(torch.from_numpy(images))[0].numpy()
            small = np.stack([squeeze(pixels, 64) for pixels in images]).transpose(0, 3, 1, 2)
            logits = network.from_batch({'image': torch.from_numpy(small)}).near.numpy()
        assert near == pytest.approx(expected, abs=1e-5)
        # Training rounds to whole gray values, the graph does not.
        assert near == pytest.approx(1 / (1 + np.exp(-(logits + 0.5) / 2.0)), abs=5e-3)
        assert distance.shape == (shape[0], 12)
        assert distance.sum(axis=1) == pytest.approx(np.ones(shape[0]), abs=1e-5)


@pytest.mark.slow
def test_export_and_evaluate_print_sound_and_image_together(seen, tmp_path):
    import yaml

    recipe = tmp_path / 'tiny.yaml'
    recipe.write_text(yaml.safe_dump(RECIPE))
    run('train', 'near-wall', '--input', 'image', '--data', seen, '--out', tmp_path / 'run',
        '--recipe', recipe, '--accelerator', 'cpu', '--no-progress')  # fmt: skip
    model = tmp_path / 'vision.onnx'
    said = run('export', tmp_path / 'run' / 'best.ckpt', '--out', model, '--data', seen)
    assert 'of PyTorch' in said and '8 validation images: log loss' in said
    said = run('evaluate', model, '--data', seen)
    assert '12 rows in 3 rooms' in said and 'By frequency band' not in said
    network = NearWallVggish(0.0625).eval()
    sound = tmp_path / 'sound.onnx'
    onnx_export.export(vggish_exportable(network, False), sound, ModelMetadata('vggish'))
    figures = tmp_path / 'figures.json'
    said = run('evaluate', sound, '--image-model', model, '--data', seen, '--no-bands',
               '--json', figures)  # fmt: skip
    lines = json.loads(figures.read_text())['lines']
    alone, image = (next(x for x in lines if x['name'] == name) for name in ('alone', 'image'))
    assert alone['rows'] == image['rows'] == 12
    assert image['ap']['value'] > 0.9
