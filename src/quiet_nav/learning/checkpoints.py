"""Reading checkpoints without running pickled code, and starting a network from old weights."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from quiet_nav.errors import QuietNavError
from quiet_nav.learning.kinds import kind_of
from quiet_nav.learning.recipe import Recipe, recipe_from_dict

PREFIX = 'network.'


def read_tensors(path: str | Path) -> dict[str, Any]:
    """Load a PyTorch file with ``weights_only``; QuietNavError where it is no such file."""
    path = Path(path)
    if not path.is_file():
        raise QuietNavError(f'{path}: no such checkpoint')
    try:
        loaded = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError,
            ValueError, KeyError, AttributeError, IndexError, TypeError) as error:  # fmt: skip
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise QuietNavError(
            f'{path}: not a PyTorch checkpoint of plain tensors, or cut short ({first[:120]})'
        ) from error
    if not isinstance(loaded, dict):
        raise QuietNavError(f'{path}: expected a dictionary, found {type(loaded).__name__}')
    return loaded


def load_checkpoint(path: str | Path) -> tuple[nn.Module, Recipe, dict[str, Any]]:
    """Return the network of one of our checkpoints in evaluation mode, its recipe and the rest."""
    loaded = read_tensors(path)
    parameters = loaded.get('hyper_parameters', {})
    if 'recipe' not in parameters or 'state_dict' not in loaded:
        raise QuietNavError(
            f'{path}: no near-wall checkpoint of quiet_nav (recipe or weights missing); the '
            'weights that the authors publish go through import-checkpoint'
        )
    recipe = recipe_from_dict(parameters['recipe'], f'{path}: recipe')
    network = kind_of(recipe).network(recipe.network)
    load_weights(network, _strip(loaded['state_dict'], PREFIX), str(path))
    network.eval()
    return network, recipe, {k: v for k, v in loaded.items() if k != 'state_dict'}


def load_weights(network: nn.Module, weights: dict[str, torch.Tensor], where: str) -> None:
    """Put weights into a network; every missing, unknown or misshapen one is named in one line."""
    own = network.state_dict()
    faults = [f'{name} missing' for name in own if name not in weights]
    faults += [f'{name} unknown' for name in weights if name not in own]
    faults += [
        f'{name} has shape {tuple(weights[name].shape)}, expected {tuple(own[name].shape)}'
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    if faults:
        more = f' and {len(faults) - 4} more' if len(faults) > 4 else ''
        raise QuietNavError(f'{where}: weights do not fit: {"; ".join(faults[:4])}{more}')
    network.load_state_dict(weights)


def start_from(network: nn.Module, path: str | Path) -> None:
    """Load the weights of a checkpoint or of an exported ONNX file into a network (fine-tuning).

    An ONNX file serves as long as it was neither quantised nor factorised nor fused.
    """
    path = Path(path)
    if path.suffix != '.onnx':
        weights = _strip(read_tensors(path).get('state_dict', {}), PREFIX)
        if not weights:
            raise QuietNavError(f'{path}: no near-wall checkpoint of quiet_nav (no weights in it)')
        load_weights(network, weights, str(path))
        return
    load_weights(network, _onnx_weights(path, network), str(path))


def _onnx_weights(path: Path, network: nn.Module) -> dict[str, torch.Tensor]:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        model = onnx.load(str(path))
    except (OSError, DecodeError) as error:
        raise QuietNavError(f'{path}: cannot be read as ONNX ({error})') from error
    found = {item.name: item for item in model.graph.initializer}
    weights = {}
    for name, value in network.state_dict().items():
        stem, _, last = name.rpartition('.')
        if isinstance(network.get_submodule(stem), nn.BatchNorm2d):
            # The exporter folds it into the convolution before: what is left does nothing.
            weights[name] = _identity(network.get_submodule(stem), last, value)
            continue
        matches = [key for key in found if key == name or key.endswith('.' + name)]
        if len(matches) != 1:
            raise QuietNavError(
                f'{path}: holds no plain {name} (quantised, factorised or of another network): '
                'start from the checkpoint that it was exported from'
            )
        weights[name] = torch.tensor(numpy_helper.to_array(found[matches[0]]))
    return weights


def _identity(norm: nn.BatchNorm2d, name: str, value: torch.Tensor) -> torch.Tensor:
    if name == 'running_var':
        return torch.full_like(value, 1.0 - norm.eps)
    return torch.ones_like(value) if name == 'weight' else torch.zeros_like(value)


def _strip(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
