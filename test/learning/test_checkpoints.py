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

import io
import os
import tracemalloc
import zipfile

import pytest

torch = pytest.importorskip('torch')

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.learning.checkpoints import (  # noqa: E402
    load_checkpoint,
    load_weights,
    read_tensors,
    start_from,
    starting_point,
    task_of,
)
from quiet_nav.learning.detectors.vggish.kind import exportable  # noqa: E402
from quiet_nav.learning.detectors.vggish.network import NearWallVggish  # noqa: E402
from quiet_nav.learning.onnx_export import export  # noqa: E402
from quiet_nav.perception.model_metadata import ModelMetadata  # noqa: E402


class Evil:
    """Makes a folder where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('pickled_code_ran',)


def test_pickled_code_never_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': Evil()}, 'evil.ckpt')
    with pytest.raises(QuietNavError, match='plain tensors'):
        read_tensors('evil.ckpt')
    assert not (tmp_path / 'pickled_code_ran').exists()


def test_missing_corrupt_and_foreign_files_are_refused_in_one_line(tmp_path):
    with pytest.raises(QuietNavError, match='No such file'):
        read_tensors(tmp_path / 'none.ckpt')
    path = tmp_path / 'cut.ckpt'
    torch.save({'state_dict': {'a': torch.zeros(1000)}}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(QuietNavError, match='cut short') as error:
        read_tensors(path)
    assert '\n' not in str(error.value)
    torch.save({'state_dict': {}}, path)
    with pytest.raises(QuietNavError, match='import-checkpoint'):
        load_checkpoint(path)


def test_misfit_weights_are_named():
    network = NearWallVggish(0.0625)
    state = dict(network.state_dict())
    state['near.weight'] = torch.zeros(2, 2)
    state['strange'] = state.pop('near.bias')
    with pytest.raises(QuietNavError, match=r'near.bias missing; strange unknown; near.weight'):
        load_weights(network, state, 'file')


@pytest.mark.slow
def test_exported_model_is_a_start_for_fine_tuning(tmp_path):
    torch.manual_seed(1)
    network = NearWallVggish(0.0625).eval()
    for module in network.trunk.features:
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    path = tmp_path / 'model.onnx'
    export(exportable(network, dense=True), path, ModelMetadata('window'))
    other = NearWallVggish(0.0625).eval()
    start_from(other, path)
    wave = 0.02 * torch.randn(2, 15360)
    torch.testing.assert_close(other(wave).near, network(wave).near, atol=1e-4, rtol=1e-4)
    with pytest.raises(QuietNavError, match='weights do not fit'):
        start_from(NearWallVggish(0.09375), path)


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ({'hyper_parameters': 1.5}, 'hyper_parameters: expected a mapping, found 1.5'),
        ({'hyper_parameters': {'task': 1.5}}, 'task: expected a mapping of name, variant'),
        ({'hyper_parameters': {'task': {'name': 'x'}}}, 'task: variant is missing'),
        ({'hyper_parameters': {'recipe': 2.0}, 'state_dict': {}}, 'recipe: expected a mapping'),
        ({'state_dict': [1.0]}, 'state_dict: expected tensors by name'),
        ({'state_dict': {'a': 1.0}}, 'state_dict: expected tensors by name'),
        (
            {'hyper_parameters': {'recipe': {'network': {'width': 4.0}}}, 'state_dict': {}},
            'says a vggish of width 4, which has .* weights; 0 are in it',
        ),
    ],
)
def test_checkpoints_whose_fields_are_of_other_kinds_are_one_line(tmp_path, content, said):
    path = tmp_path / 'x.ckpt'
    torch.save(content, path)
    with pytest.raises(QuietNavError, match=f'x.ckpt: {said}') as error:
        task_of(load_checkpoint(path)[2])
    assert '\n' not in str(error.value)


def test_archives_that_unpack_to_far_more_are_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / 'bomb.ckpt', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('x/data.pkl', b'\0' * 50_000_000)
    with pytest.raises(QuietNavError, match=r'unpacks from .* to 50000000 bytes'):
        read_tensors(tmp_path / 'bomb.ckpt')


@pytest.mark.slow
def test_a_model_that_asks_for_a_huge_network_is_no_start(tmp_path):
    onnx = pytest.importorskip('onnx')
    path = tmp_path / 'wide.onnx'
    export(exportable(NearWallVggish(0.0625).eval(), True), path, ModelMetadata('window', 48_000))
    model = onnx.load(str(path))
    (first,) = (i for i in model.graph.initializer if i.name.endswith('features.0.weight'))
    for channels, said in ((10**6, 'network.width'), (256, 'says a vggish of width 4')):
        first.dims[0] = channels
        onnx.save(model, str(path))
        with pytest.raises(QuietNavError, match=said):
            starting_point(path)


def bombs():
    """Yield files that say something that is not so: names and their bytes."""
    # A text of 4 GB minus one, in a file of some bytes.
    yield 'long text', b'\x80\x02X\xff\xff\xff\xfeab'
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, 'w') as archive:
        archive.writestr('archive/data.pkl', b'\x80\x02}.')
    data = bytearray(whole.getvalue())
    entry = data.index(b'PK\x01\x02')
    data[entry + 6] = 64
    yield 'zip of version 6.4', bytes(data)
    data[entry + 6] = 20
    # The end record says a second disk.
    data[data.index(b'PK\x05\x06') + 4] = 1
    yield 'zip of two disks', bytes(data)


@pytest.mark.parametrize(('name', 'data'), list(bombs()))
def test_files_that_say_more_than_they_hold_are_one_line(tmp_path, name, data):
    path = tmp_path / 'model.ckpt'
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(QuietNavError, match='not a PyTorch checkpoint') as found:
        read_tensors(path)
    assert '\n' not in str(found.value) and str(path) in str(found.value)
    assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    tracemalloc.stop()


def test_names_in_onnx_that_are_no_text_are_one_line(tmp_path):
    onnx = pytest.importorskip('onnx')
    model = onnx.helper.make_model(onnx.helper.make_graph([], 'g', [], []))
    model.metadata_props.add(key='quiet_nav.kind', value='vggish')
    path = tmp_path / 'model.onnx'
    path.write_bytes(model.SerializeToString().replace(b'quiet_nav.kind', b'\xfduiet_nav.kind'))
    with pytest.raises(QuietNavError, match='is no text'):
        starting_point(path)
