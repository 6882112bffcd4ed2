"""Published checkpoints: a stand-in with random weights in their format, against a reference."""

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from typer.testing import CliRunner  # noqa: E402

from quiet_nav.cli import build_app  # noqa: E402
from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.evaluation.predictors import read_metadata  # noqa: E402
from quiet_nav.learning.authors import read_authors_checkpoint  # noqa: E402
from quiet_nav.learning.deploy import run  # noqa: E402
from quiet_nav.sound.logmel import mel_filterbank  # noqa: E402

#: Index of each convolution in ``net.features`` and its channels.
CONVOLUTIONS = {0: (1, 64), 4: (64, 128), 8: (128, 256), 11: (256, 256), 15: (256, 512),
                18: (512, 512)}  # fmt: skip
POOLS = (3, 7, 14, 21)
LAYERS = {0: (12288, 4096), 2: (4096, 4096), 4: (4096, 128)}


def published(seed: int = 0) -> dict:
    """Return a state dict with the names and shapes of AudioADNet's, weights random."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float) -> torch.Tensor:
        return torch.randn(*shape, generator=draw) * scale

    state = {
        'spect.0.spectrogram.window': torch.hann_window(400),
        'spect.0.mel_scale.fb': torch.from_numpy(mel_filterbank().T.copy()),
    }
    for i, (into, out) in CONVOLUTIONS.items():
        name = f'net.features.{i}'
        state[f'{name}.weight'] = normal(out, into, 3, 3, scale=(2 / (9 * into)) ** 0.5)
        state[f'{name}.bias'] = normal(out, scale=0.1)
        norm = f'net.features.{i + 1}'
        state[f'{norm}.weight'] = 1 + normal(out, scale=0.1)
        state[f'{norm}.bias'] = normal(out, scale=0.1)
        state[f'{norm}.running_mean'] = normal(out, scale=0.2)
        state[f'{norm}.running_var'] = 1 + normal(out, scale=0.3).abs()
        state[f'{norm}.num_batches_tracked'] = torch.tensor(100)
    for i, (into, out) in LAYERS.items():
        state[f'net.embeddings.{i}.weight'] = normal(out, into, scale=(2 / into) ** 0.5)
        state[f'net.embeddings.{i}.bias'] = normal(out, scale=0.1)
    state['fc.1.weight'] = normal(1, 128, scale=0.3)
    # Random layers leave all logits near -5: the bias puts the probabilities in the middle.
    state['fc.1.bias'] = normal(1, scale=0.1) + 5.0
    return state


def reference(state: dict, waveform: np.ndarray) -> np.ndarray:
    """Near-wall probabilities by the published steps: centred STFT power, mel, log, VGGish."""
    f = torch.nn.functional
    wave = torch.from_numpy(waveform).double()
    s = {name: value.double() for name, value in state.items()}
    window = s['spect.0.spectrogram.window']
    spectrum = torch.stft(wave, 512, 160, 400, window, center=True, pad_mode='reflect',
                          return_complex=True)  # fmt: skip
    mel = spectrum.abs().square().transpose(1, 2) @ s['spect.0.mel_scale.fb']
    x = torch.log(mel[:, :-1] + 1e-10)[:, None].float()
    for i in range(22):
        name = f'net.features.{i}'
        if i in CONVOLUTIONS:
            x = f.conv2d(x, state[f'{name}.weight'], state[f'{name}.bias'], padding=1)
            norm = f'net.features.{i + 1}'
            x = f.batch_norm(x, *(state[f'{norm}.{part}'] for part in (
                'running_mean', 'running_var', 'weight', 'bias')))  # fmt: skip
            x = f.relu(x)
        elif i in POOLS:
            x = f.max_pool2d(x, 2)
    x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
    for i in LAYERS:
        x = f.linear(x, state[f'net.embeddings.{i}.weight'], state[f'net.embeddings.{i}.bias'])
        x = f.relu(x)
    logit = f.linear(x, state['fc.1.weight'], state['fc.1.bias'])[:, 0]
    return torch.sigmoid(logit).numpy()


@pytest.fixture(scope='module')
def state() -> dict:
    return published()


@pytest.fixture(scope='module')
def waveform() -> np.ndarray:
    rng = np.random.default_rng(0)
    white = 10 ** rng.uniform(-3, -0.5, (4, 1)) * rng.standard_normal((4, 15360))
    red = np.cumsum(0.002 * rng.standard_normal((4, 15360)), axis=1)
    return np.clip(np.concatenate([white, red]), -1, 1).astype(np.float32)


def save(path, state: dict, prefix: str = ''):
    torch.save({'epoch': 3, 'step': 9, 'state_dict': {prefix + k: v for k, v in state.items()},
                'optimizer': {'state': {}}}, path)  # fmt: skip
    return path


def test_import_gives_the_same_probabilities(state, waveform, tmp_path):
    path = save(tmp_path / 'static-obstacle-detection.pth.tar', state, 'module.')
    out = tmp_path / 'model.onnx'
    result = CliRunner().invoke(build_app(), ['import-checkpoint', str(path), '--out', str(out)])
    assert result.exit_code == 0, result.output
    expected = reference(state, waveform)
    assert expected.std() > 0.01
    np.testing.assert_allclose(run(out, waveform), expected, atol=1e-4)
    metadata = read_metadata(out)
    assert metadata.kind == 'vggish' and metadata.distance_edges_m == ()
    assert 'MIT' in metadata.licence


def test_mel_filters_of_the_file_are_used(state, waveform, tmp_path):
    changed = dict(state)
    changed['spect.0.mel_scale.fb'] = state['spect.0.mel_scale.fb'].roll(3, dims=1)
    network = read_authors_checkpoint(save(tmp_path / 'a.pth.tar', changed))
    with torch.no_grad():
        found = torch.sigmoid(network(torch.from_numpy(waveform)).near).numpy()
    np.testing.assert_allclose(found, reference(changed, waveform), atol=1e-4)
    assert np.abs(found - reference(state, waveform)).max() > 1e-3


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda s: s.update({'fusion.0.weight': s['fc.1.bias']}), 'relative depth order'),
        (lambda s: s.update({'audionet.net.x': s['fc.1.bias']}), 'audio-visual order'),
        (lambda s: s.update({'net.layer1.0.conv1.weight': s['fc.1.bias']}), 'images'),
        (lambda s: s.pop('fc.1.weight'), 'expected parameters net.features'),
        (lambda s: s.pop('net.features.4.bias'), r'trunk.features.4.bias missing'),
        (lambda s: s.update({'fc.1.weight': torch.zeros(5, 128)}), r'shape \(5, 128\), expected'),
        (lambda s: s.update({'spect.0.mel_scale.fb': torch.zeros(9, 9)}), 'mel_scale.fb has'),
    ],
)  # fmt: skip
def test_other_checkpoints_are_refused_in_one_line(state, tmp_path, change, said):
    changed = dict(state)
    change(changed)
    with pytest.raises(QuietNavError, match=said) as error:
        read_authors_checkpoint(save(tmp_path / 'a.pth.tar', changed))
    assert '\n' not in str(error.value)


def test_checkpoint_without_a_state_dict_is_refused(tmp_path):
    torch.save({'weights': torch.zeros(3)}, tmp_path / 'a.pth.tar')
    with pytest.raises(QuietNavError, match='"state_dict" of tensors'):
        read_authors_checkpoint(tmp_path / 'a.pth.tar')
