"""Import of the weights that the paper's authors publish into our network."""

from __future__ import annotations

from pathlib import Path

import torch

from quiet_nav.errors import QuietNavError
from quiet_nav.learning.checkpoints import load_weights, read_tensors
from quiet_nav.learning.frontend import LogMel
from quiet_nav.learning.vggish import NearWallVggish
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.sound.logmel import FFT_SIZE, FRAME_SAMPLES, MEL_BANDS

FILTERS = 'spect.0.mel_scale.fb'
WINDOW = 'spect.0.spectrogram.window'
#: First parts of parameter names that tell the other published checkpoints.
OTHER_TASKS = {
    'fusion.': 'relative depth order (AudioRDNet)',
    'audionet.': 'audio-visual order (AVEncoderBinary)',
    'visionnet.': 'audio-visual order (AVEncoderBinary)',
    'net.layer1.': 'images (ResNet-18)',
    'net.conv1.': 'images (ResNet-18)',
}


def read_authors_checkpoint(path: str | Path) -> NearWallVggish:
    """Return our network with the weights of an ``AudioADNet`` (near wall, static or motion).

    The front end takes the file's own mel filters and window where it has them, its frames
    centred with mirrored ends as the authors' code has them. No pickled code is run.
    Raises QuietNavError for files that are cut short, of another task or of other shapes.
    """
    state = _state_dict(path)
    for start, task in OTHER_TASKS.items():
        if any(name.startswith(start) for name in state):
            raise QuietNavError(
                f'{path}: a checkpoint for {task}; expected near-wall detection from sound '
                '(AudioADNet: static-obstacle-detection or motion-obstacle-detection)'
            )
    if 'fc.1.weight' not in state or 'net.features.0.weight' not in state:
        some = ', '.join(sorted(state)[:3]) or 'nothing'
        raise QuietNavError(
            f'{path}: expected parameters net.features.*, net.embeddings.* and fc.1.*; '
            f'found {some} ...'
        )
    batch_norm = 'net.features.1.running_mean' in state
    filters = _shaped(state, FILTERS, (FFT_SIZE // 2 + 1, MEL_BANDS), path)
    window = _shaped(state, WINDOW, (FRAME_SAMPLES,), path)
    frontend = LogMel(
        'centred',
        None if filters is None else filters.T.double().numpy(),
        None if window is None else window.double().numpy(),
    )
    network = NearWallVggish(distance=False, batch_norm=batch_norm, frontend=frontend)
    weights = {
        **{f'frontend.{k}': v for k, v in frontend.state_dict().items()},
        **_renamed(state, 'net.', 'trunk.'),
        **_renamed(state, 'fc.1.', 'near.'),
    }
    load_weights(network, weights, str(path))
    network.eval()
    return network


def authors_metadata(path: str | Path, version: str) -> ModelMetadata:
    """Return what an imported model says about itself."""
    return ModelMetadata(
        kind='vggish',
        distance_edges_m=(),
        training=f'Quiet Campus, by its authors; imported from {Path(path).name}',
        version=version,
        licence='MIT (Ziyang Chen, Xixi Hu, Andrew Owens; IFICL/structure-from-silence)',
    )


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
