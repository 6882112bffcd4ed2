import os

import pytest

torch = pytest.importorskip('torch')

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.learning.checkpoints import (  # noqa: E402
    load_checkpoint,
    load_weights,
    read_tensors,
    start_from,
)
from quiet_nav.learning.detectors.vggish.kind import exportable  # noqa: E402
from quiet_nav.learning.detectors.vggish.network import NearWallVggish  # noqa: E402
from quiet_nav.learning.onnx_export import export  # noqa: E402
from quiet_nav.perception.model_metadata import ModelMetadata  # noqa: E402


class Evil:
    def __reduce__(self):
        return os.mkdir, ('pickled_code_ran',)


def test_pickled_code_never_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({'state_dict': Evil()}, 'evil.ckpt')
    with pytest.raises(QuietNavError, match='plain tensors'):
        read_tensors('evil.ckpt')
    assert not (tmp_path / 'pickled_code_ran').exists()


def test_missing_corrupt_and_foreign_files_are_refused_in_one_line(tmp_path):
    with pytest.raises(QuietNavError, match='no such checkpoint'):
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
        start_from(NearWallVggish(0.125), path)
