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

from quiet_nav.learning.detectors.vggish.network import DenseVggish, mask_bands, NearWallVggish  # noqa: E402

COLUMN_SAMPLES = 2560


@pytest.fixture(scope='module')
def network() -> NearWallVggish:
    torch.manual_seed(0)
    network = NearWallVggish(width=0.125)
    for module in network.trunk.features:
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    return network.eval()


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.tensor(0.02 * rng.standard_normal((2, samples)), dtype=torch.float32)


@pytest.mark.slow
def test_full_width_has_the_papers_layers():
    with torch.device('meta'):
        trunk = NearWallVggish().trunk
    convs = [m.out_channels for m in trunk.features if isinstance(m, torch.nn.Conv2d)]
    assert convs == [64, 128, 256, 256, 512, 512]
    dense = [(m.in_features, m.out_features) for m in trunk.embeddings[::2]]
    assert dense == [(12288, 4096), (4096, 4096), (4096, 128)]
    assert 70e6 < sum(p.numel() for p in trunk.parameters()) < 74e6


def test_clip_gives_one_logit_and_twelve_distance_logits(network):
    logits = network(noise(15360))
    assert logits.near.shape == (2,)
    assert logits.distance.shape == (2, 12)


def test_dense_pass_over_one_clip_equals_the_clip(network):
    wave = noise(15360)
    with torch.no_grad():
        clip, dense = network(wave), DenseVggish(network)(wave)
    assert dense.near.shape == (2, 1)
    torch.testing.assert_close(dense.near[:, 0], clip.near, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(dense.distance[:, 0], clip.distance, atol=1e-5, rtol=1e-4)


def test_dense_pass_over_a_window_has_thirteen_clips_160_ms_apart(network):
    wave = noise(48000 + COLUMN_SAMPLES)
    with torch.no_grad():
        early = DenseVggish(network)(wave[:, :48000]).near
        late = DenseVggish(network)(wave[:, COLUMN_SAMPLES:]).near
    assert early.shape == (2, 13)
    # Away from the ends a shift of the sound by a column is a shift of the clips by one.
    torch.testing.assert_close(early[:, 4:10], late[:, 3:9], atol=1e-5, rtol=1e-4)
    assert float((early[:, 4:10] - late[:, 4:10]).abs().max()) > 1e-3


def test_dense_clips_stay_near_separate_clips(network):
    wave = noise(48000)
    starts = [COLUMN_SAMPLES * k for k in range(13)]
    with torch.no_grad():
        dense = DenseVggish(network)(wave).near
        clips = torch.stack([network(wave[:, s : s + 15360]).near for s in starts], dim=1)
    assert float((dense - clips).abs().mean()) < float(clips.std()) + 0.05


def test_masked_bands_no_longer_matter(network):
    wave = noise(15360)
    keep = torch.ones(2, 1, 64)
    keep[:, :, :32] = 0.0
    log_mel = network.frontend(wave)
    changed = log_mel.clone()
    changed[:, :, :16] += 3.0
    changed[:, :, 16:32] -= 3.0
    torch.testing.assert_close(mask_bands(changed, keep), mask_bands(log_mel, keep))


@pytest.mark.parametrize('rank', [0, 8])
def test_widened_network_says_the_same_and_its_copies_learn_different_things(rank):
    torch.manual_seed(1)
    narrow, wide = NearWallVggish(0.0625, rank=rank).eval(), NearWallVggish(0.125, rank=rank).eval()
    for module in narrow.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    wide.load_state_dict(wide.upgraded(narrow.state_dict()))
    batch = {'log_mel': torch.randn(3, 96, 64)}
    with torch.no_grad():
        expected, found = narrow.from_batch(batch), wide.from_batch(batch)
    torch.testing.assert_close(found.near, expected.near, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.distance, expected.distance, atol=1e-4, rtol=1e-4)
    wide.from_batch(batch).near.sum().backward()
    slope = wide.trunk.features[4].weight.grad
    one, copy = slope.chunk(2)
    assert not torch.allclose(one, copy, rtol=0.1)


def test_network_that_is_no_multiple_is_not_widened():
    narrow, wide = NearWallVggish(0.125), NearWallVggish(0.1875)
    given = wide.upgraded(narrow.state_dict())
    name = 'trunk.features.0.weight'
    assert given[name].shape == narrow.state_dict()[name].shape


def test_fully_connected_matrices_of_a_rank_have_the_papers_ends():
    with torch.device('meta'):
        trunk = NearWallVggish(rank=32).trunk
    dense = [(m[0].in_features, m[1].out_features) for m in trunk.embeddings[::2]]
    assert dense == [(12288, 4096), (4096, 4096), (4096, 128)]
    assert {m[0].out_features for m in trunk.embeddings[::2]} == {32}
