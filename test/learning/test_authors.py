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

"""Published checkpoints: a stand-in with random weights in their format, against a reference."""

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip('torch')

from task_campus import write_task_campus  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from quiet_nav.cli import build_app  # noqa: E402
from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.evaluation.predictors import load_predictor, read_metadata  # noqa: E402
from quiet_nav.learning.authors.weights import (  # noqa: E402
    import_checkpoint,
    read_authors_checkpoint,
)
from quiet_nav.learning.detectors.vggish.deploy import run  # noqa: E402
from quiet_nav.sound.logmel import mel_filterbank  # noqa: E402

#: Index of each convolution in ``net.features`` and its channels.
CONVOLUTIONS = {0: (1, 64), 4: (64, 128), 8: (128, 256), 11: (256, 256), 15: (256, 512),
                18: (512, 512)}  # fmt: skip
POOLS = (3, 7, 14, 21)
LAYERS = {0: (12288, 4096), 2: (4096, 4096), 4: (4096, 128)}


def sound_net(draw: torch.Generator) -> dict:
    """Return mel filters and VGGish under the published names and shapes, weights random."""
    state = {
        'spect.0.spectrogram.window': torch.hann_window(400),
        'spect.0.mel_scale.fb': torch.from_numpy(mel_filterbank().T.copy()),
    }
    for i, (into, out) in CONVOLUTIONS.items():
        name = f'net.features.{i}'
        state[f'{name}.weight'] = normal(draw, out, into, 3, 3, scale=(2 / (9 * into)) ** 0.5)
        state[f'{name}.bias'] = normal(draw, out, scale=0.1)
        state |= norm(draw, f'net.features.{i + 1}', out)
    for i, (into, out) in LAYERS.items():
        state |= linear(draw, f'net.embeddings.{i}', into, out)
    return state


def normal(draw: torch.Generator, *shape: int, scale: float) -> torch.Tensor:
    return torch.randn(*shape, generator=draw) * scale


def linear(draw: torch.Generator, name: str, into: int, out: int) -> dict:
    weight = normal(draw, out, into, scale=(2 / into) ** 0.5)
    return {f'{name}.weight': weight, f'{name}.bias': normal(draw, out, scale=0.1)}


def norm(draw: torch.Generator, name: str, size: int, scale: float = 1.0) -> dict:
    return {
        f'{name}.weight': scale * (1 + normal(draw, size, scale=0.1)),
        f'{name}.bias': normal(draw, size, scale=0.1),
        f'{name}.running_mean': normal(draw, size, scale=0.2),
        f'{name}.running_var': 1 + normal(draw, size, scale=0.3).abs(),
        f'{name}.num_batches_tracked': torch.tensor(100),
    }


def fusion(draw: torch.Generator, name: str, out: int) -> dict:
    return linear(draw, f'{name}.0', 256, 128) | linear(draw, f'{name}.2', 128, out)


def image_net(draw: torch.Generator) -> dict:
    """Return ResNet-18 under torchvision's names, with an embedding of 128."""

    def convolution(name: str, into: int, out: int, size: int) -> dict:
        return {f'{name}.weight': normal(draw, out, into, size, size,
                                         scale=(2 / (size * size * into)) ** 0.5)}  # fmt: skip

    state = convolution('conv1', 3, 64, 7) | norm(draw, 'bn1', 64) | linear(draw, 'fc', 512, 128)
    into = 64
    for stage, out in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            name = f'layer{stage}.{block}'
            state |= convolution(f'{name}.conv1', into, out, 3) | norm(draw, f'{name}.bn1', out)
            state |= convolution(f'{name}.conv2', out, out, 3)
            state |= norm(draw, f'{name}.bn2', out, 0.3)
            if block == 0 and stage > 1:
                state |= convolution(f'{name}.downsample.0', into, out, 1)
                state |= norm(draw, f'{name}.downsample.1', out)
            into = out
    return state


def published(seed: int = 0) -> dict:
    """Return a state dict with the names and shapes of AudioADNet's, weights random."""
    draw = torch.Generator().manual_seed(seed)
    state = sound_net(draw)
    state['fc.1.weight'] = normal(draw, 1, 128, scale=0.3)
    # Random layers leave all logits near -5: the bias puts the probabilities in the middle.
    state['fc.1.bias'] = normal(draw, 1, scale=0.1) + 5.0
    return state


def embedding(state: dict, waveform: np.ndarray) -> torch.Tensor:
    """Return VGGish's by the published steps: STFT power, mel, log, convolutions, layers."""
    f = torch.nn.functional
    wave = torch.from_numpy(waveform).double()
    window = state['spect.0.spectrogram.window'].double()
    spectrum = torch.stft(wave, 512, 160, 400, window, center=True, pad_mode='reflect',
                          return_complex=True)  # fmt: skip
    filters = state['spect.0.mel_scale.fb'].double()
    mel = spectrum.abs().square().transpose(1, 2) @ filters
    x = torch.log(mel[:, :-1] + 1e-10)[:, None].float()
    for i in range(22):
        name = f'net.features.{i}'
        if i in CONVOLUTIONS:
            x = f.conv2d(x, state[f'{name}.weight'], state[f'{name}.bias'], padding=1)
            x = f.relu(normed(state, f'net.features.{i + 1}', x))
        elif i in POOLS:
            x = f.max_pool2d(x, 2)
    x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
    for i in LAYERS:
        x = layer(state, f'net.embeddings.{i}', x)
        x = f.relu(x) if i != max(LAYERS) else x
    return x


def layer(state: dict, name: str, x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.linear(x, state[f'{name}.weight'], state[f'{name}.bias'])


def normed(state: dict, name: str, x: torch.Tensor) -> torch.Tensor:
    parts = (state[f'{name}.{part}'] for part in ('running_mean', 'running_var', 'weight', 'bias'))
    return torch.nn.functional.batch_norm(x, *parts)


def fused(state: dict, name: str, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    hidden = torch.relu(layer(state, f'{name}.0', torch.cat([one, other], dim=1)))
    return layer(state, f'{name}.2', hidden)


def image_embedding(state: dict, image: np.ndarray) -> torch.Tensor:
    """ResNet-18's, of uint8 images in ImageNet's moments."""
    f = torch.nn.functional
    x = torch.from_numpy(image).float() / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    )[:, None, None]
    x = f.relu(normed(state, 'bn1', f.conv2d(x, state['conv1.weight'], stride=2, padding=3)))
    x = f.max_pool2d(x, 3, 2, 1)
    for stage in range(1, 5):
        for block in range(2):
            name = f'layer{stage}.{block}'
            stride = 2 if block == 0 and stage > 1 else 1
            y = f.conv2d(x, state[f'{name}.conv1.weight'], stride=stride, padding=1)
            y = f.relu(normed(state, f'{name}.bn1', y))
            y = normed(state, f'{name}.bn2', f.conv2d(y, state[f'{name}.conv2.weight'], padding=1))
            if stride == 2:
                x = f.conv2d(x, state[f'{name}.downsample.0.weight'], stride=2)
                x = normed(state, f'{name}.downsample.1', x)
            x = f.relu(x + y)
    return layer(state, 'fc', x.mean(dim=(2, 3)))


def reference(state: dict, waveform: np.ndarray) -> np.ndarray:
    """Near-wall probabilities of AudioADNet."""
    with torch.no_grad():
        hidden = torch.relu(embedding(state, waveform))
        return torch.sigmoid(layer(state, 'fc.1', hidden)[:, 0]).numpy()


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


@pytest.mark.slow
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
    assert 'MIT' in metadata.license


@pytest.mark.slow
def test_mel_filters_of_the_file_are_used(state, waveform, tmp_path):
    changed = dict(state)
    changed['spect.0.mel_scale.fb'] = state['spect.0.mel_scale.fb'].roll(3, dims=1)
    network = read_authors_checkpoint(save(tmp_path / 'a.pth.tar', changed))
    with torch.no_grad():
        found = torch.sigmoid(network(torch.from_numpy(waveform)).near).numpy()
    np.testing.assert_allclose(found, reference(changed, waveform), atol=1e-4)
    assert np.abs(found - reference(state, waveform)).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda s: s.update({'fusion.0.weight': s['fc.1.bias']}), 'order: fc.1.bias, .* unknown'),
        (lambda s: s.update({'audionet.net.x': s['fc.1.bias']}), 'near-wall: audionet.net.x unkn'),
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


@pytest.mark.slow
def test_sound_pairs_give_the_same_probabilities(state, waveform, tmp_path):
    draw = torch.Generator().manual_seed(1)
    pair = {k: v for k, v in state.items() if not k.startswith('fc.')} | fusion(draw, 'fusion', 1)
    path = save(tmp_path / 'static-relative-depth.pth.tar', pair, 'module.')
    out = tmp_path / 'order.onnx'
    result = CliRunner().invoke(build_app(), ['import-checkpoint', str(path), '--out', str(out)])
    assert result.exit_code == 0, result.output
    other = waveform[::-1].copy()
    with torch.no_grad():
        expected = torch.sigmoid(
            fused(pair, 'fusion', embedding(pair, waveform), embedding(pair, other))[:, 0]
        ).numpy()
    assert expected.std() > 0.003
    session = onnxruntime.InferenceSession(str(out))
    found = session.run(['first_nearer'], {'first_sound': waveform, 'second_sound': other})[0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert read_metadata(out).kind == 'order'
    with pytest.raises(QuietNavError, match="kind 'order' compares two places"):
        load_predictor(out)
    data = write_task_campus(tmp_path / 'SFS-Static', distances=(0.3, 1.0, 2.0), images=False)
    result = CliRunner().invoke(build_app(), ['evaluate', str(out), '--data', str(data)])
    assert result.exit_code == 0, result.output
    assert 'order on SFS-Static test: 18 rows in 3 rooms' in result.output
    with pytest.raises(QuietNavError, match='--dense is for near-wall'):
        import_checkpoint(path, out, '', dense=True)


@pytest.mark.slow
def test_sounds_and_images_give_the_same_probabilities(state, waveform, tmp_path):
    draw = torch.Generator().manual_seed(2)
    sounds = {k: v for k, v in state.items() if not k.startswith('fc.')}
    sounds |= fusion(draw, 'fusion', 128)
    images = image_net(draw)
    both = {f'audionet.{k}': v for k, v in sounds.items()} | fusion(draw, 'fusion', 1)
    both |= {f'visionnet.net.{k}': v for k, v in images.items()}
    both |= {f'visionnet.{k}': v for k, v in fusion(draw, 'fusion', 128).items()}
    path = save(tmp_path / 'motion-avorder.pth.tar', both)
    out = tmp_path / 'av_order.onnx'
    assert import_checkpoint(path, out, '') < 1e-4
    pixels = np.random.default_rng(3).integers(0, 256, (4, 3, 224, 224), np.uint8)
    pixels[1:] //= 3
    a, b, c, d = (waveform[:2], waveform[2:4], pixels[:2], pixels[2:])
    with torch.no_grad():
        heard, seen = (
            [fused(part, 'fusion', *pair) for pair in ((one, other), (other, one))]
            for part, one, other in (
                (sounds, embedding(sounds, a), embedding(sounds, b)),
                ({k.removeprefix('visionnet.'): v for k, v in both.items()
                  if k.startswith('visionnet.fusion')},
                 image_embedding(images, c), image_embedding(images, d)),
            )
        )  # fmt: skip
        expected = torch.cat(
            [fused(both, 'fusion', seen[i], heard[s]) for i in (0, 1) for s in (0, 1)], dim=1
        )
    assert expected.std() > 0.01
    names = ('first_sound', 'second_sound', 'first_image', 'second_image')
    session = onnxruntime.InferenceSession(str(out))
    found = session.run(['in_order'], dict(zip(names, (a, b, c, d), strict=True)))[0]
    np.testing.assert_allclose(found, torch.sigmoid(expected), atol=1e-4)
    metadata = read_metadata(out)
    assert metadata.kind == 'av-order' and metadata.modality == 'audio and image'
