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

"""Images to learn from: what is read, what augmentation may change, and the ResNet-18 trunk."""

from installed import require
import numpy as np
import pytest

torch = pytest.importorskip('torch')
require('transformers')

from PIL import Image  # noqa: E402

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.files.images import read_rgb  # noqa: E402
from quiet_nav.learning.detectors.resnet.images import (  # noqa: E402
    ImageAugment,
    ImageCache,
    MEAN,
    normalize,
    squeeze,
    STD,
    to_tensor,
)
from quiet_nav.learning.detectors.resnet.network import ImageTrunk, to_transformers  # noqa: E402
from quiet_nav.learning.recipe import ImageRecipe  # noqa: E402


def picture(shape=(48, 64, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_squeezed_image_keeps_both_edges():
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :4], pixels[:, -4:] = 200, 100
    small = squeeze(pixels, 32)
    assert small.shape == (32, 32, 3)
    assert np.all(small[:, 0] == 200) and np.all(small[:, -1] == 100)


def test_normalized_image_has_imagenet_moments():
    pixels = np.broadcast_to(np.rint(255 * np.array(MEAN)).astype(np.uint8), (8, 8, 3))
    found = normalize(to_tensor(pixels)[None])
    assert found.shape == (1, 3, 8, 8)
    assert found.abs().max() < 0.5 / 255 / min(STD) + 1e-6
    white = normalize(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8))[0, :, 0, 0]
    assert white.numpy() == pytest.approx((1 - np.array(MEAN)) / np.array(STD), rel=1e-5)


def test_cache_reads_each_file_once_and_keeps_to_its_budget(tmp_path):
    for i in range(3):
        Image.fromarray(picture(seed=i)).save(tmp_path / f'{i}.png')
    cache = ImageCache(1, 512)
    first = cache.read(tmp_path / '0.png')
    assert cache.read(tmp_path / '0.png') is first
    cache.read(tmp_path / '1.png')
    assert len(cache.kept) == 1 and cache.used <= 2**20
    assert np.array_equal(cache.read(tmp_path / '0.png'), first)


def test_what_is_no_image_is_named(tmp_path):
    path = tmp_path / 'RGB.png'
    path.write_bytes(b'\x89PNG\r\n\x1a\nno')
    with pytest.raises(QuietNavError, match=r'RGB\.png: no readable image'):
        read_rgb(path)
    with pytest.raises(QuietNavError, match='No such file'):
        read_rgb(tmp_path / 'missing.png')


def test_same_draws_give_the_same_image():
    recipe = ImageRecipe(crop=0.95, exposure=0.5, contrast=0.2, color=0.3, noise=5.0)
    augment, pixels = ImageAugment(recipe), picture()
    one, same, other = (augment(np.random.default_rng(s), pixels) for s in (1, 1, 2))
    assert one.dtype == np.uint8 and one.shape == pixels.shape
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_mirroring_alone_mirrors():
    augment = ImageAugment(ImageRecipe(flip=1.0, blur=0.0))
    pixels = picture()
    assert np.array_equal(augment(np.random.default_rng(0), pixels), pixels[:, ::-1])


@pytest.mark.slow
def test_trunk_is_resnet_18():
    trunk = ImageTrunk()
    weights = sum(p.numel() for p in trunk.parameters())
    # With torchvision's 1000-way classifier: 11,689,512.
    assert weights + 512 * 1000 + 1000 == 11_689_512
    assert trunk.features == 512


def test_trunk_gives_features_and_their_map():
    trunk = ImageTrunk(0.25).eval()
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        features, grid = trunk(images), trunk.map(images)
    assert features.shape == (2, trunk.features) and trunk.features == 128
    assert grid.shape == (2, 128, 3, 3)
    assert torch.allclose(grid.mean(dim=(2, 3)), features, atol=1e-5)


def torchvision_names(trunk):
    """Names of torchvision's ResNet-18 (without its classifier), written down by its layout."""
    names = ['conv1.weight', *(f'bn1.{part}' for part in PARTS)]
    for stage in range(1, 5):
        for block in range(2):
            for n in (1, 2):
                names.append(f'layer{stage}.{block}.conv{n}.weight')
                names += [f'layer{stage}.{block}.bn{n}.{part}' for part in PARTS]
            if stage > 1 and block == 0:
                names.append(f'layer{stage}.0.downsample.0.weight')
                names += [f'layer{stage}.0.downsample.1.{part}' for part in PARTS]
    return names


PARTS = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')


@pytest.mark.parametrize('names', ['torchvision', 'transformers'])
def test_imagenet_weights_load_under_either_name(tmp_path, names):
    torch.manual_seed(1)
    source, target = ImageTrunk().eval(), ImageTrunk().eval()
    own = source.net.state_dict()
    if names == 'torchvision':
        listed = torchvision_names(source)
        state = {name: own[to_transformers(name)] for name in listed}
        assert len(state) == len(listed) == len(own)
        state['fc.weight'], state['fc.bias'] = torch.zeros(1000, 512), torch.zeros(1000)
    else:
        state = {f'resnet.{name}': value for name, value in own.items()}
        state['classifier.1.weight'] = torch.zeros(1000, 512)
    torch.save(state, tmp_path / 'resnet18.pth')
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.allclose(source(images), target(images))
        target.load_imagenet(tmp_path / 'resnet18.pth')
        assert torch.equal(source(images), target(images))


def test_imagenet_weights_of_another_network_are_refused(tmp_path):
    torch.save({'features.0.weight': torch.zeros(1)}, tmp_path / 'vgg.pth')
    with pytest.raises(QuietNavError, match=r"ResNet-18's parameters.*features\.0\.weight"):
        ImageTrunk().load_imagenet(tmp_path / 'vgg.pth')
    with pytest.raises(QuietNavError, match='width 1'):
        ImageTrunk(0.5).load_imagenet(tmp_path / 'vgg.pth')
