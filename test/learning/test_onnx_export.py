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

import copy

import numpy as np
import pytest

torch = pytest.importorskip('torch')
onnx = pytest.importorskip('onnx')
ort = pytest.importorskip('onnxruntime')

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.evaluation.predictors import read_metadata  # noqa: E402
from quiet_nav.learning import onnx_export  # noqa: E402
from quiet_nav.learning.detectors.vggish.deploy import Compression, export_compressed, run  # noqa: E402
from quiet_nav.learning.detectors.vggish.kind import exportable  # noqa: E402
from quiet_nav.learning.detectors.vggish.network import NearWallVggish  # noqa: E402
from quiet_nav.perception.model_metadata import ModelMetadata  # noqa: E402

METADATA = ModelMetadata('window', 48000, contexts=('reference',), training='made up', version='1')


SLOW_FIXTURES = ('exported',)


@pytest.fixture(scope='module')
def network() -> NearWallVggish:
    torch.manual_seed(0)
    network = NearWallVggish(0.0625).eval()
    network.near.weight.data *= 10
    return network


@pytest.fixture(scope='module')
def exported(network, tmp_path_factory):
    path = tmp_path_factory.mktemp('onnx') / 'dense.onnx'
    return onnx_export.export(exportable(network, dense=True), path, METADATA)


def windows(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    level = 10 ** rng.uniform(-3, -1, (count, 1))
    return (level * rng.standard_normal((count, 48000))).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize('count', [1, 2, 5])
def test_any_number_of_windows_gives_what_pytorch_gives(network, exported, count):
    found = ort.InferenceSession(str(exported)).run(None, {'waveform': windows(count)})
    with torch.no_grad():
        expected = exportable(network, dense=True).module(torch.from_numpy(windows(count)))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5)
    np.testing.assert_allclose(found[1].sum(axis=1), 1.0, atol=1e-5)


def test_metadata_come_back_from_the_file(exported):
    assert read_metadata(exported) == METADATA


def test_file_names_no_place_on_the_machine_that_made_it(exported):
    data = exported.read_bytes()
    assert str(onnx_export.__file__).encode() not in data
    assert b'site-packages' not in data and b'.py' not in data


def test_missing_corrupt_and_foreign_models_are_refused(tmp_path, exported):
    with pytest.raises(QuietNavError, match='No such file'):
        read_metadata(tmp_path / 'none.onnx')
    bad = tmp_path / 'bad.onnx'
    bad.write_bytes(exported.read_bytes()[:3000])
    with pytest.raises(QuietNavError, match='corrupt or not ONNX'):
        read_metadata(bad)
    model = onnx.load(str(exported))
    del model.metadata_props[:]
    onnx.save(model, str(bad))
    with pytest.raises(QuietNavError, match='no metadata of quiet_nav'):
        read_metadata(bad)


def test_metadata_with_a_key_missing_or_wrong_is_refused():
    strings = METADATA.to_strings()
    with pytest.raises(QuietNavError, match='lack sample_rate'):
        ModelMetadata.from_strings({k: v for k, v in strings.items() if 'sample_rate' not in k})
    with pytest.raises(QuietNavError, match='sample_rate'):
        ModelMetadata.from_strings({**strings, 'quiet_nav.sample_rate': '"fast"'})


def test_factorized_layer_is_the_best_of_its_rank():
    torch.manual_seed(0)
    layer = torch.nn.Linear(40, 30)
    x = torch.randn(5, 40)
    torch.testing.assert_close(onnx_export.factorize(layer, 30)(x), layer(x))
    pair = onnx_export.factorize(layer, 10)
    tail = torch.linalg.svdvals(layer.weight.detach().double())[10:]
    error = (pair[1].weight @ pair[0].weight - layer.weight).detach().double().norm()
    assert float(error) == pytest.approx(float(tail.norm()), rel=1e-4)
    with pytest.raises(QuietNavError, match='rank 31'):
        onnx_export.factorize(layer, 31)


def test_truncated_svd_of_a_large_matrix_agrees_with_the_whole_one():
    torch.manual_seed(0)
    scale = 0.95 ** torch.arange(200)
    matrix = torch.randn(300, 200) * scale
    u, s, vh = onnx_export.truncated_svd(matrix, 32)
    whole = torch.linalg.svdvals(matrix)
    torch.testing.assert_close(s, whole[:32], rtol=1e-3, atol=0)
    error = (u * s @ vh - matrix).norm()
    assert float(error) < 1.01 * float(whole[32:].norm())
    assert torch.equal(onnx_export.truncated_svd(matrix, 32)[1], s)


def test_only_layers_that_shrink_are_factorized(network):
    layers = onnx_export.factorize_layers(copy.deepcopy(network.trunk.embeddings), 100)
    count = [isinstance(layer, torch.nn.Sequential) for layer in layers]
    assert count == [True, False, True, False, False]


@pytest.mark.slow
@pytest.mark.parametrize('quantize', ['dynamic', 'static'])
def test_compressed_model_is_smaller_and_says_nearly_the_same(
    network, exported, tmp_path, quantize
):
    out = tmp_path / 'small.onnx'
    wave = windows(6)
    size = export_compressed(network, out, METADATA, Compression(0, quantize), examples=wave)
    assert size * 1e6 == pytest.approx(out.stat().st_size, rel=0.02)
    assert out.stat().st_size < 0.9 * exported.stat().st_size
    assert read_metadata(out).extra == {'rank': 0, 'quantize': quantize}
    difference = np.abs(run(out, wave) - run(exported, wave)).max()
    assert 0 < difference < 0.05


@pytest.mark.slow
def test_too_large_a_file_is_refused_and_not_left_behind(network, tmp_path):
    out = tmp_path / 'large.onnx'
    with pytest.raises(QuietNavError, match=r'more than 0\.1 MB; lower --rank'):
        export_compressed(network, out, METADATA, Compression(0, 'none'), limit_mb=0.1)
    assert not out.exists()


def test_unknown_quantization_is_refused():
    with pytest.raises(QuietNavError, match='none, dynamic, static'):
        Compression(64, 'int4')
