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

"""Reading checkpoints without running pickled code, and starting a network from old weights."""

from __future__ import annotations

from dataclasses import dataclass
import io
import os
from pathlib import Path
import pickle
import struct
from typing import Any
import zipfile

from pydantic import Field
import torch
from torch import nn

from quiet_nav.errors import QuietNavError
from quiet_nav.files.onnx_graph import check_graph
from quiet_nav.files.opening import MEBIBYTE, open_regular
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.files.values import short
from quiet_nav.learning.detectors.kinds import kind_of
from quiet_nav.learning.detectors.vggish.network import LAYOUT
from quiet_nav.learning.recipe import NetworkRecipe, Recipe, recipe_from_dict
from quiet_nav.perception.model_file import OWN_REFERENCE
from quiet_nav.perception.model_metadata import ModelMetadata

PREFIX = 'network.'
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_NOT_PLAIN = (
    'holds no plain {} (quantized, factorized or of another network): start from the checkpoint '
    'that it was exported from'
)


@dataclass(frozen=True)
class StartingPoint:
    """What a training can start from: a network and, where it sees, pixels across its images."""

    network: NetworkRecipe
    image_size: int | None = None


def read_tensors(path: str | Path) -> dict[str, Any]:
    """
    Load a PyTorch file with ``weights_only``; QuietNavError where it is no such file.

    Of what trainings of ours keep beside tensors the form is checked: ``hyper_parameters`` with a
    recipe and, of the study, a task; ``state_dict`` of tensors by name.
    """
    path = Path(path)
    _refuse_bomb(path)
    try:
        with _AsLongAsItIs(path) as file:
            loaded = torch.load(file, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError,
            ValueError, LookupError, AttributeError, TypeError, AssertionError, OverflowError,
            struct.error, RecursionError) as error:  # fmt: skip
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise QuietNavError(
            f'{path}: not a PyTorch checkpoint of plain tensors, or cut short ({first[:120]})'
        ) from error
    if not isinstance(loaded, dict):
        raise QuietNavError(f'{path}: expected a dictionary, found {type(loaded).__name__}')
    parameters = loaded.get('hyper_parameters', {})
    if not isinstance(parameters, dict):
        raise QuietNavError(f'{path}: hyper_parameters: expected a mapping, found '
                            f'{short(parameters)}')  # fmt: skip
    if 'task' in parameters:
        checked(_TaskFile, parameters['task'], f'{path}: task')
    weights = loaded.get('state_dict', {})
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and torch.is_tensor(value) for name, value in weights.items()
    ):
        raise QuietNavError(f'{path}: state_dict: expected tensors by name')
    return loaded


class _AsLongAsItIs(io.FileIO):
    """A file that has no room made for more than is in it, whatever length a pickle says."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        return super().read(left if size is None or size < 0 else min(size, left)) or b''


class _TaskFile(Schema):
    name: Name
    variant: Name
    inputs: Name
    # What a task keeps of its training data; the task knows it.
    state: dict[str, Any] = Field(default_factory=dict)


def _refuse_bomb(path: Path) -> None:
    """Refuse what is no regular file, and an archive that unpacks to far more than it is."""
    with open_regular(path, f'checkpoint {path}') as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if not zipfile.is_zipfile(file):
                return
            with zipfile.ZipFile(file) as archive:
                unpacked = sum(item.file_size for item in archive.infolist())
        except (
            zipfile.BadZipFile, ValueError, OSError, LookupError, RuntimeError, struct.error,
        ):  # fmt: skip
            # torch.load says what is wrong with it.
            return
        if unpacked > 2 * size + MEBIBYTE:
            raise QuietNavError(
                f'{path}: unpacks from {size} to {unpacked} bytes; no checkpoint of PyTorch'
            )


def refuse_hollow(recipe: NetworkRecipe, numbers: int, where: str) -> None:
    """Raise QuietNavError where a network has far more weights than a file has numbers for it."""
    with torch.device('meta'):
        network = kind_of(Recipe(network=recipe)).network(recipe)
    wanted = sum(weight.numel() for weight in network.parameters())
    if wanted > 1.5 * numbers + 1_000_000:
        raise QuietNavError(
            f'{where}: says a {recipe.kind} of width {recipe.width:g}, which has {wanted} weights; '
            f'{numbers} are in it'
        )


def task_of(loaded: dict[str, Any]) -> str:
    """Return name, variant and input of the task that a loaded checkpoint is of."""
    said = loaded.get('hyper_parameters', {}).get('task')
    if not isinstance(said, dict):
        return 'near-wall'
    return ' '.join(part for part in (said['name'], said['variant'], f'({said["inputs"]})') if part)


def of_study(path: str | Path) -> bool:
    """Return whether a file is a checkpoint of a task of the study, not of a detector."""
    path = Path(path)
    return path.suffix != '.onnx' and 'task' in read_tensors(path).get('hyper_parameters', {})


def refuse_study(path: str | Path, loaded: dict[str, Any]) -> None:
    """Raise QuietNavError for a checkpoint of a task of the study: it is no detector."""
    if 'task' in loaded.get('hyper_parameters', {}):
        raise QuietNavError(
            f'{path}: a checkpoint of the task {task_of(loaded)}; expected a near-wall detector '
            '(its trunk can be taken over by --trunk)'
        )


def load_checkpoint(path: str | Path) -> tuple[nn.Module, Recipe, dict[str, Any]]:
    """Return the network of one of our checkpoints in evaluation mode, its recipe and the rest."""
    loaded = read_tensors(path)
    refuse_study(path, loaded)
    parameters = loaded.get('hyper_parameters', {})
    if 'recipe' not in parameters or 'state_dict' not in loaded:
        raise QuietNavError(
            f'{path}: no near-wall checkpoint of quiet_nav (recipe or weights missing); the '
            'weights that the authors publish go through import-checkpoint'
        )
    recipe = recipe_from_dict(parameters['recipe'], f'{path}: recipe')
    weights = strip(loaded['state_dict'], PREFIX)
    refuse_hollow(recipe.network, sum(value.numel() for value in weights.values()), str(path))
    network = kind_of(recipe).network(recipe.network)
    load_weights(network, weights, str(path))
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


def starting_point(path: str | Path) -> StartingPoint:
    """
    Return what a checkpoint or an exported ONNX file holds, to start a training from it.

    Raises QuietNavError where it is neither, of another project, or does not say its network.
    """
    path = Path(path)
    if path.suffix != '.onnx':
        loaded = read_tensors(path)
        refuse_study(path, loaded)
        parameters = loaded.get('hyper_parameters', {})
        if 'recipe' not in parameters:
            raise QuietNavError(f'{path}: no near-wall checkpoint of quiet_nav (no recipe in it)')
        recipe = recipe_from_dict(parameters['recipe'], f'{path}: recipe')
        sees = kind_of(recipe).input == 'image'
        return StartingPoint(recipe.network, recipe.image.size if sees else None)
    model = _read_onnx(path)
    said = {item.key: item.value for item in model.metadata_props}
    metadata = ModelMetadata.from_strings(said, str(path))
    distance = bool(metadata.distance_edges_m)
    if metadata.kind == 'resnet':
        width, size = (_number(metadata, name, path) for name in ('width', 'size'))
        return _start('resnet', width, distance, path, round(size))
    kind = 'context' if metadata.kind == 'context' else 'vggish'
    if OWN_REFERENCE in metadata.contexts:
        kind = 'near_wall'
    first = [i for i in model.graph.initializer if i.name.endswith('features.0.weight')]
    if len(first) != 1:
        raise QuietNavError(f'{path}: {_NOT_PLAIN.format("features.0.weight")}')
    return _start(kind, (first[0].dims or [0])[0] / LAYOUT[0], distance, path)


def _start(
    kind: str, width: float, distance: bool, path: Path, size: int | None = None
) -> StartingPoint:
    """Return a starting point whose network can be what the file holds."""
    raw = {
        'network': {'kind': kind, 'width': width, 'distance': distance},
        'image': {} if size is None else {'size': size},
    }
    network = recipe_from_dict(raw, f'{path}: network').network
    refuse_hollow(network, path.stat().st_size // 4, str(path))
    return StartingPoint(network, size)


def _number(metadata: ModelMetadata, name: str, path: Path) -> float:
    """Return a positive number that the metadata of an image network must have among extra."""
    value = metadata.extra.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        found = 'nothing' if value is None else repr(value)
        raise QuietNavError(
            f'{path}: its metadata say {found} as {name} of the image network, expected a positive '
            'number; export it again with quiet_nav export, or start from its checkpoint'
        )
    return float(value)


def start_from(network: nn.Module, path: str | Path) -> None:
    """
    Load the weights of a checkpoint or of an exported ONNX file into a network (fine-tuning).

    A network with ``load_pretrained`` takes over what else a file of plain tensors holds.
    An ONNX file serves as long as it was neither quantized nor factorized. Its batch norms went
    into the convolutions before them: ``hold_folded`` keeps them from acting again.
    """
    path = Path(path)
    if path.suffix != '.onnx':
        loaded = read_tensors(path)
        refuse_study(path, loaded)
        weights = strip(loaded.get('state_dict', {}), PREFIX)
        if not weights and hasattr(network, 'load_pretrained'):
            network.load_pretrained(path)
            return
        if not weights:
            raise QuietNavError(f'{path}: no near-wall checkpoint of quiet_nav (no weights in it)')
    else:
        weights = _onnx_weights(path, network)
    # A network that has learned to take more since says how it takes the older weights.
    upgrade = getattr(network, 'upgraded', lambda older: older)
    load_weights(network, upgrade(weights), str(path))


def mix_in(network: nn.Module, path: str | Path, share: float) -> None:
    """
    Take a share of each weight from the file that the network's training began with.

    Weights of one training lie close enough for their mean to be a network, too, one that forgets
    less (Wortsman et al., 2022). path, errors: as for ``start_from``.
    """
    if not 0.0 <= share < 1.0:
        raise QuietNavError(f'share {share:g} of {path}: expected 0 to below 1')
    trained = {name: value.clone() for name, value in network.state_dict().items()}
    start_from(network, path)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.lerp_(trained[name], 1.0 - share)


def hold_folded(network: nn.Module) -> int:
    """
    Put batch norms that an export emptied into evaluation mode, and return how many.

    In training mode they would normalize what the convolution before has normalized already.
    """
    held = 0
    for module in network.modules():
        if isinstance(module, _NORMS) and module.affine:
            emptied = torch.full_like(module.running_var, 1.0 - module.eps)
            if torch.equal(module.running_var, emptied) and not module.running_mean.any():
                module.eval()
                held += 1
    return held


def _read_onnx(path: Path) -> Any:
    from google.protobuf.message import DecodeError
    import onnx

    check_graph(path)
    try:
        model = onnx.load(str(path))
    except (OSError, DecodeError) as error:
        raise QuietNavError(f'{path}: cannot be read as ONNX ({error})') from error
    # What is no UTF-8 comes as bytes.
    said = [text for item in model.metadata_props for text in (item.key, item.value)]
    for text in (*said, *(item.name for item in model.graph.initializer)):
        if not isinstance(text, str):
            raise QuietNavError(f'{path}: cannot be read as ONNX ({text[:40]!r} is no text)')
    return model


def _onnx_weights(path: Path, network: nn.Module) -> dict[str, torch.Tensor]:
    found = {item.name: item for item in _read_onnx(path).graph.initializer}
    weights = {}
    for name, value in network.state_dict().items():
        stem, _, last = name.rpartition('.')
        module = network.get_submodule(stem)
        matches = [key for key in found if key == name or key.endswith('.' + name)]
        if len(matches) == 1:
            weights[name] = _tensor(found[matches[0]], path)
        elif last == 'num_batches_tracked':
            weights[name] = value
        elif isinstance(module, _NORMS) and module.affine:
            # The exporter folds it into the convolution before: what is left does nothing, or
            # adds what the convolution, which has no bias of its own, was given for one.
            weights[name] = _identity(module, last, value)
            added = f'{stem.rpartition(".")[0]}.convolution.weight_bias'
            matches = [key for key in found if last == 'bias' and key.endswith('.' + added)]
            if len(matches) == 1:
                weights[name] = _tensor(found[matches[0]], path)
        else:
            raise QuietNavError(f'{path}: {_NOT_PLAIN.format(name)}')
    return weights


def _tensor(item: Any, path: Path) -> torch.Tensor:
    from onnx import numpy_helper

    try:
        return torch.tensor(numpy_helper.to_array(item))
    except (ValueError, TypeError, RuntimeError, OverflowError, LookupError) as error:
        raise QuietNavError(f'{path}: {short(item.name)} cannot be read ({error})') from error


def _identity(norm: nn.Module, name: str, value: torch.Tensor) -> torch.Tensor:
    if name == 'running_var':
        return torch.full_like(value, 1.0 - norm.eps)
    return torch.ones_like(value) if name == 'weight' else torch.zeros_like(value)


def strip(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
