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

"""Import of the weights that the paper's authors publish into our networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from quiet_nav.errors import QuietNavError
from quiet_nav.learning.authors.networks import SoundImageOrder, SoundPair
from quiet_nav.learning.checkpoints import load_weights, read_tensors
from quiet_nav.learning.detectors.resnet.images import IMAGE_SIZE
from quiet_nav.learning.detectors.resnet.network import to_transformers
from quiet_nav.learning.detectors.vggish import deploy
from quiet_nav.learning.detectors.vggish.network import NearWallVggish
from quiet_nav.learning.frontend import LogMel
from quiet_nav.learning.onnx_export import Exportable
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.sound.logmel import FFT_SIZE, FRAME_SAMPLES, MEL_BANDS
from quiet_nav.sound.windows import CLIP_SAMPLES

FILTERS = 'spect.0.mel_scale.fb'
WINDOW = 'spect.0.spectrogram.window'
NEAR_WALL, ORDER, AV_ORDER = 'near-wall', 'order', 'av-order'
#: Names that tell each published network, and the first parts of all the names that it has.
PARTS = {
    AV_ORDER: (
        {'audionet.net.features.0.weight', 'visionnet.net.conv1.weight', 'fusion.0.weight'},
        ('audionet.', 'visionnet.', 'fusion.'),
    ),
    ORDER: ({'net.features.0.weight', 'fusion.0.weight'}, ('spect.', 'net.', 'fusion.')),
    NEAR_WALL: ({'net.features.0.weight', 'fc.1.weight'}, ('spect.', 'net.', 'fc.')),
}

Published = NearWallVggish | SoundPair | SoundImageOrder


class NearerProbability(nn.Module):
    """What ``SoundPair`` says as a probability, shape (N,)."""

    def __init__(self, network: SoundPair) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.network(first, second)[:, 0])


class InOrderProbability(nn.Module):
    """What ``SoundImageOrder`` says as probabilities, shape (N, 4)."""

    def __init__(self, network: SoundImageOrder) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, one: torch.Tensor, other: torch.Tensor, image: torch.Tensor, other_image: torch.Tensor
    ) -> torch.Tensor:
        return torch.sigmoid(self.network(one, other, image, other_image))


def read_authors_checkpoint(path: str | Path) -> Published:
    """
    Return our network with the weights of a published checkpoint, in evaluation mode.

    ``AudioADNet`` (near wall), ``AudioRDNet`` (which of two sounds is nearer) or
    ``AVEncoderBinary`` (AV-Order), told by their parameters' names. The front end takes the
    file's own mel filters and window where it has them, its frames centered with mirrored ends as
    the authors' code has them. No pickled code is run.
    Raises QuietNavError for files that are cut short, of another task or of other shapes.
    """
    state = _state_dict(path)
    task = _task(state, path)
    prefix = 'audionet.' if task == AV_ORDER else ''
    batch_norm = f'{prefix}net.features.1.running_mean' in state
    frontend = _frontend(state, prefix, path)
    weights = {f'frontend.{k}': v for k, v in frontend.state_dict().items()}
    weights |= _renamed(state, f'{prefix}net.', 'trunk.')
    if task == NEAR_WALL:
        network: Published = NearWallVggish(
            distance=False, batch_norm=batch_norm, frontend=frontend
        )
        weights |= _renamed(state, 'fc.1.', 'near.')
    else:
        weights |= _renamed(state, f'{prefix}fusion.', 'fusion.')
        network = SoundPair(batch_norm=batch_norm, frontend=frontend)
    if task == AV_ORDER:
        network = SoundImageOrder(batch_norm, frontend)
        weights = {f'sounds.{k}': v for k, v in weights.items()} | _image_weights(state, path)
        weights |= _renamed(state, 'fusion.', 'fusion.')
    load_weights(network, weights, str(path))
    network.eval()
    return network


def import_checkpoint(path: str | Path, out: Path, version: str, dense: bool = False) -> float:
    """
    Write a published checkpoint as ONNX; returns the largest difference to PyTorch on noise.

    dense: windows of 3 s in one pass instead of clips of 0.96 s (near wall alone). Inputs and
    outputs of the others: ``exportable_pair``.
    """
    network = read_authors_checkpoint(path)
    if isinstance(network, NearWallVggish):
        return deploy.export_checked(network, out, authors_metadata(path, version), dense=dense)
    if dense:
        raise QuietNavError(f'{path}: compares two clips; --dense is for near-wall weights alone')
    kind = ORDER if isinstance(network, SoundPair) else AV_ORDER
    metadata = authors_metadata(path, version, kind)
    return deploy.export_verified(exportable_pair(network), out, metadata, _examples(kind))


def exportable_pair(network: SoundPair | SoundImageOrder) -> Exportable:
    """
    Return what is exported of a network on two places.

    order: ``first_sound`` and ``second_sound`` (N, 15360) to ``first_nearer`` (N,). av-order:
    these and ``first_image`` and ``second_image``, uint8 RGB (N, 3, 224, 224), to ``in_order``
    (N, 4): the probability that images and sounds stand in one order, for the four
    ``authors_nets.PAIRINGS``.
    """
    if isinstance(network, SoundPair):
        module, kind, output = NearerProbability(network), ORDER, 'first_nearer'
    else:
        module, kind, output = InOrderProbability(network), AV_ORDER, 'in_order'
    inputs = {name: torch.from_numpy(value) for name, value in _examples(kind).items()}
    return Exportable(module, inputs, (output,))


def authors_metadata(path: str | Path, version: str, kind: str = 'vggish') -> ModelMetadata:
    """Return what an imported model says about itself."""
    return ModelMetadata(
        kind=kind,
        modality='audio and image' if kind == AV_ORDER else 'audio',
        distance_edges_m=(),
        training=f'Quiet Campus, by its authors; imported from {Path(path).name}',
        version=version,
        license='MIT (Ziyang Chen, Xixi Hu, Andrew Owens; IFICL/structure-from-silence)',
    )


def _task(state: dict[str, torch.Tensor], path: str | Path) -> str:
    if any(name.startswith(('net.conv1.', 'net.layer1.')) for name in state):
        raise QuietNavError(
            f'{path}: a checkpoint for images (ResNet-18); expected one for sound (AudioADNet, '
            'AudioRDNet) or for both (AVEncoderBinary)'
        )
    for task, (marks, parts) in PARTS.items():
        if marks <= set(state):
            unknown = sorted(name for name in state if not name.startswith(parts))
            if unknown:
                some = ', '.join(unknown[:3])
                raise QuietNavError(f'{path}: weights do not fit {task}: {some} unknown')
            return task
    some = ', '.join(sorted(state)[:3]) or 'nothing'
    raise QuietNavError(
        f'{path}: expected parameters net.features.*, net.embeddings.* and fc.1.* or fusion.*, or '
        f'these under audionet. and visionnet.; found {some} ...'
    )


def _frontend(state: dict[str, torch.Tensor], prefix: str, path: str | Path) -> LogMel:
    filters = _shaped(state, prefix + FILTERS, (FFT_SIZE // 2 + 1, MEL_BANDS), path)
    window = _shaped(state, prefix + WINDOW, (FRAME_SAMPLES,), path)
    return LogMel(
        'centered',
        None if filters is None else filters.T.double().numpy(),
        None if window is None else window.double().numpy(),
    )


def _image_weights(state: dict[str, torch.Tensor], path: str | Path) -> dict[str, torch.Tensor]:
    weights = _renamed(state, 'visionnet.fusion.', 'images.fusion.')
    for name, value in _renamed(state, 'visionnet.net.', '').items():
        if name.startswith('fc.'):
            weights[f'images.embedding.{name.removeprefix("fc.")}'] = value
        else:
            weights[f'images.trunk.net.{to_transformers(name, str(path))}'] = value
    return weights


def _examples(kind: str) -> dict[str, np.ndarray]:
    """Noise at three levels, and images of it."""
    rng = np.random.default_rng(0)
    level = np.array([[0.003], [0.03], [0.3]])
    found = {
        f'{which}_sound': (level * rng.standard_normal((3, CLIP_SAMPLES))).astype(np.float32)
        for which in ('first', 'second')
    }
    if kind == AV_ORDER:
        shape = (3, 3, IMAGE_SIZE, IMAGE_SIZE)
        for which in ('first', 'second'):
            found[f'{which}_image'] = rng.integers(0, 256, shape, np.uint8)
    return found


def _state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    loaded = read_tensors(path)
    state = loaded.get('state_dict')
    if not isinstance(state, dict) or not all(torch.is_tensor(v) for v in state.values()):
        raise QuietNavError(f'{path}: expected a "state_dict" of tensors in it; it has '
                            f'{", ".join(sorted(map(str, loaded))[:5]) or "nothing"}')  # fmt: skip
    return {name.removeprefix('module.'): value for name, value in state.items()}


def _shaped(
    state: dict[str, torch.Tensor], name: str, shape: tuple[int, ...], path: str | Path
) -> torch.Tensor | None:
    value = state.get(name)
    if value is not None and tuple(value.shape) != shape:
        raise QuietNavError(
            f'{path}: weights do not fit: {name} has shape {tuple(value.shape)}, expected {shape}'
        )
    return value


def _renamed(state: dict[str, torch.Tensor], old: str, new: str) -> dict[str, torch.Tensor]:
    return {new + k.removeprefix(old): v for k, v in state.items() if k.startswith(old)}
