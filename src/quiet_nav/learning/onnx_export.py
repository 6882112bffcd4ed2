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

"""Export of any network to ONNX with metadata, and what makes the file small: SVD and int8."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
import io
import logging
from pathlib import Path
import warnings

import numpy as np
import onnx
import torch
from torch import nn

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file
from quiet_nav.perception.model_metadata import ModelMetadata

OPSET = 18
MAX_MEGABYTES = 25.0
EXACT_SVD = 128


@dataclass(frozen=True)
class Exportable:
    """
    A module with example inputs (name to tensor) and the names of its outputs in order.

    The first axis of every input and output is the batch; ``dynamic`` adds further free axes as
    input name -> {axis: name}.
    """

    module: nn.Module
    inputs: Mapping[str, torch.Tensor]
    outputs: Sequence[str]
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def export(item: Exportable, out: str | Path, metadata: ModelMetadata) -> Path:
    """
    Write a module as ONNX with its metadata; returns the path.

    Raises QuietNavError where the folder cannot be written.
    """
    out = Path(out)
    module = item.module.eval()
    batch = torch.export.Dim('batch', min=1)
    shapes = {}
    for name in item.inputs:
        axes: dict[int, object] = {0: batch}
        for axis, label in item.dynamic.get(name, {}).items():
            axes[axis] = torch.export.Dim(label, min=1)
        shapes[name] = axes
    with _quietly(), torch.no_grad():
        program = torch.onnx.export(
            module,
            tuple(item.inputs.values()),
            input_names=list(item.inputs),
            output_names=list(item.outputs),
            dynamic_shapes=tuple(shapes.values()),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    _without_source_paths(model)
    save(model, out, metadata)
    return out


def save(model: onnx.ModelProto, out: str | Path, metadata: ModelMetadata) -> None:
    """Write a model with its metadata (replacing any) so that no half-written file remains."""
    out = Path(out)
    del model.metadata_props[:]
    for key, value in metadata.to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    # Whether it may be replaced is asked before the work.
    with whole_file(out, overwrite=True) as part:
        onnx.save(model, str(part))


def factorize(linear: nn.Linear, rank: int) -> nn.Sequential:
    """Return two layers in place of one: its best approximation of a rank (truncated SVD)."""
    if not 1 <= rank <= min(linear.weight.shape):
        raise QuietNavError(
            f"rank {rank} is not between 1 and {min(linear.weight.shape)}, the layer's own"
        )
    with torch.no_grad():
        u, s, vh = truncated_svd(linear.weight.detach(), rank)
        root = s[:rank].sqrt()
        first = nn.Linear(linear.in_features, rank, bias=False)
        second = nn.Linear(rank, linear.out_features, bias=linear.bias is not None)
        first.weight.copy_(root[:, None] * vh[:rank])
        second.weight.copy_(u[:, :rank] * root)
        if linear.bias is not None:
            second.bias.copy_(linear.bias)
    return nn.Sequential(first, second)


def truncated_svd(weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, ...]:
    """
    Return u (m, rank), s (rank,), vh (rank, n) of a matrix.

    Large matrices by randomized subspace iteration with a fixed seed: the full decomposition of
    VGGish's first layer takes minutes, this takes seconds, and six iterations agree with it.
    """
    if min(weight.shape) <= EXACT_SVD:
        u, s, vh = torch.linalg.svd(weight, full_matrices=False)
        return u[:, :rank], s[:rank], vh[:rank]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        u, s, v = torch.svd_lowrank(weight, q=min(rank + 16, *weight.shape), niter=6)
    return u[:, :rank], s[:rank], v[:, :rank].T


def factorize_layers(sequence: nn.Sequential, rank: int) -> nn.Sequential:
    """Return a stack with every Linear factorized for which that saves weights."""
    layers: list[nn.Module] = []
    for layer in sequence:
        if isinstance(layer, nn.Linear):
            rows, columns = layer.weight.shape
            if rank * (rows + columns) < rows * columns:
                layer = factorize(layer, rank)
        layers.append(layer)
    return nn.Sequential(*layers)


def quantize_dynamic(path: str | Path, out: str | Path) -> None:
    """Write a copy with int8 weights in every matrix product (activations stay float)."""
    from onnxruntime.quantization import quantize_dynamic, QuantType

    with _quietly():
        quantize_dynamic(
            str(path),
            str(out),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=['MatMul', 'Gemm'],
        )


def quantize_static(
    path: str | Path,
    out: str | Path,
    samples: Sequence[Mapping[str, np.ndarray]],
    exclude: Sequence[str] = (),
) -> None:
    """
    Write a copy with int8 convolutions and matrix products, scales from example inputs.

    samples: inputs to measure activations on, a mapping of input name to array each. exclude:
    names of nodes that stay float (the front end's: a spectrum does not fit into eight bits).
    """
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        quantize_static,
        QuantType,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        """Hands out the samples, one a call."""

        def __init__(self) -> None:
            self.left: Iterator[Mapping[str, np.ndarray]] = iter(samples)

        def get_next(self) -> dict[str, np.ndarray] | None:
            item = next(self.left, None)
            return None if item is None else dict(item)

    prepared = Path(out).with_suffix('.prepared.onnx')
    try:
        with _quietly():
            quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(out),
                Reader(),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                calibrate_method=CalibrationMethod.MinMax,
                op_types_to_quantize=['Conv', 'MatMul', 'Gemm'],
                nodes_to_exclude=list(exclude),
            )
    finally:
        prepared.unlink(missing_ok=True)


def frontend_nodes(path: str | Path) -> list[str]:
    """Return the names of the nodes up to the logarithm: the front end, kept in float."""
    nodes = onnx.load(str(path)).graph.node
    names = [node.name for node in nodes]
    logs = [i for i, node in enumerate(nodes) if node.op_type == 'Log']
    return names[: logs[-1] + 1] if logs else []


def refuse_large(path: str | Path, limit_mb: float = MAX_MEGABYTES) -> float:
    """Return the file's size in MB; QuietNavError where it exceeds the limit."""
    size = Path(path).stat().st_size / 1e6
    if size > limit_mb:
        raise QuietNavError(
            f'{path}: {size:.1f} MB, more than {limit_mb:g} MB; lower --rank or quantize'
        )
    return size


def _without_source_paths(model: onnx.ModelProto) -> None:
    """Drop stack traces and the like: they name files of the machine that exported."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ''
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
        value.doc_string = ''
    for item in model.graph.initializer:
        del item.metadata_props[:]
        item.doc_string = ''
    del model.graph.metadata_props[:]
    model.graph.doc_string = ''
    model.doc_string = ''


@contextmanager
def _quietly() -> Iterator[None]:
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(previous)
