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

"""From a trained VGGish to a model file: compress, calibrate, export, compare before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import copy
import dataclasses
from dataclasses import dataclass
from pathlib import Path
import tempfile

import numpy as np
import torch

from quiet_nav import __version__
from quiet_nav.errors import QuietNavError
from quiet_nav.files.models import OnnxModel
from quiet_nav.learning import onnx_export
from quiet_nav.learning.calibration import fit_platt, Platt, to_logit
from quiet_nav.learning.detectors.vggish.data import all_splits
from quiet_nav.learning.detectors.vggish.kind import exportable, UNCHANGED
from quiet_nav.learning.detectors.vggish.network import DenseVggish, NearWallVggish
from quiet_nav.learning.detectors.vggish.options import QUANTIZATIONS
from quiet_nav.learning.recipe import Recipe
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.windows import (
    clip_batch,
    CLIP_SAMPLES,
    clip_starts,
    CLIPS_PER_WINDOW,
    SAMPLE_RATE,
    WINDOW_S,
    WINDOW_SAMPLES,
)

#: Windows whose activations decide the scales of static quantization.
EXAMPLE_WINDOWS = 64
#: Most rows of a split that are judged, spread evenly: of 20 clips each, in minutes.
MOST_ROWS = 200


@dataclass(frozen=True)
class Compression:
    """How a network is made small."""

    #: Of the fully connected layers; 0 leaves them whole.
    rank: int = 64
    #: One of QUANTIZATIONS.
    quantize: str = 'static'

    def __post_init__(self) -> None:
        if self.quantize not in QUANTIZATIONS:
            raise QuietNavError(f'quantize {self.quantize!r} is none of {", ".join(QUANTIZATIONS)}')


def export_checked(
    network: NearWallVggish,
    out: Path,
    metadata: ModelMetadata,
    *,
    dense: bool = False,
    calibration: Platt = UNCHANGED,
) -> float:
    """
    Export without compression; returns the largest difference to PyTorch on three noises.

    Raises QuietNavError (and leaves no file) where the exported model does not agree to 1e-4.
    """
    metadata = dataclasses.replace(metadata, **_input(dense))
    rng = np.random.default_rng(0)
    level = np.array([[0.003], [0.03], [0.3]])
    noise = (level * rng.standard_normal((3, metadata.input_samples))).astype(np.float32)
    item = exportable(network, dense, calibration)
    return export_verified(item, out, metadata, {'waveform': noise})


def export_verified(
    item: onnx_export.Exportable,
    out: Path,
    metadata: ModelMetadata,
    examples: Mapping[str, np.ndarray],
) -> float:
    """
    Export anything; returns the largest difference of its first output to PyTorch.

    examples: inputs of some batch, by name in the item's order. Raises QuietNavError (and leaves
    no file) where the exported model does not agree to 1e-4.
    """
    onnx_export.export(item, out, metadata)
    with torch.no_grad():
        expected = item.module(*(torch.from_numpy(value) for value in examples.values()))
    expected = expected if torch.is_tensor(expected) else expected[0]
    found = OnnxModel(out).run(dict(examples))[0]
    difference = float(np.abs(found - expected.numpy()).max())
    if not difference <= 1e-4:
        out.unlink()
        raise QuietNavError(f'{out}: exported model differs from PyTorch by {difference:.1e}')
    return difference


def export_compressed(
    network: NearWallVggish,
    out: Path,
    metadata: ModelMetadata,
    compression: Compression,
    *,
    dense: bool = True,
    calibration: Platt = UNCHANGED,
    examples: Sequence[np.ndarray] = (),
    limit_mb: float = onnx_export.MAX_MEGABYTES,
) -> float:
    """
    Write a compressed model; returns its size in MB.

    examples: waveforms of the input's length, needed by static quantization.
    Raises QuietNavError (and leaves no file) where it is larger than ``limit_mb``.
    """
    smaller = copy.deepcopy(network)
    if compression.rank:
        layers = onnx_export.factorize_layers(smaller.trunk.embeddings, compression.rank)
        smaller.trunk.embeddings = layers
    rank = network.trunk.rank or compression.rank
    extra = {**metadata.extra, 'rank': rank, 'quantize': compression.quantize}
    metadata = dataclasses.replace(metadata, **_input(dense), extra=extra)
    with tempfile.TemporaryDirectory() as scratch:
        full, small = Path(scratch, 'full.onnx'), Path(scratch, 'small.onnx')
        onnx_export.export(exportable(smaller, dense, calibration), full, metadata)
        if compression.quantize == 'dynamic':
            onnx_export.quantize_dynamic(full, small)
        elif compression.quantize == 'static':
            if not len(examples):
                raise QuietNavError('static quantization needs recordings: give --data')
            samples = [{'waveform': wave[None]} for wave in examples[:EXAMPLE_WINDOWS]]
            onnx_export.quantize_static(full, small, samples, onnx_export.frontend_nodes(full))
        else:
            small = full
        size = onnx_export.refuse_large(small, limit_mb)
        onnx_export.save(onnx_export.onnx.load(str(small)), out, metadata)
    return size


def run(path: Path, waveforms: np.ndarray, threads: int = 2, batch: int = 16) -> np.ndarray:
    """Return a model's near-wall probabilities, shape (N,), of waveforms (N, samples)."""
    model = OnnxModel(path, threads)
    parts = [
        model.run({'waveform': waveforms[i : i + batch]})[0]
        for i in range(0, len(waveforms), batch)
    ]
    return np.concatenate(parts)


def _input(dense: bool) -> dict[str, object]:
    if dense:
        return {'kind': 'window', 'input_samples': WINDOW_SAMPLES}
    return {'kind': 'vggish', 'input_samples': CLIP_SAMPLES}


@dataclass(frozen=True)
class Outcome:
    """What ``deploy`` made: size, calibration, and its comparison in lines of text."""

    megabytes: float
    calibration: Platt
    compared: tuple[str, ...] = ()


def deploy(
    network: NearWallVggish,
    recipe: Recipe,
    out: Path,
    compression: Compression,
    data: Path | None = None,
    *,
    dense: bool = True,
    calibrate: bool = True,
    limit_mb: float = onnx_export.MAX_MEGABYTES,
) -> Outcome:
    """
    Write a compressed model of a checkpoint's network.

    data: Quiet Campus folder. Scales of static quantization come from its train rooms, the
    calibration from its val rooms; AP on its test rooms (its val rooms where the recipe trained on
    those) and the largest difference of a probability are told for clips, for the dense pass and
    for the file written.
    """
    fitted, waves, splits = UNCHANGED, np.zeros((0, 0), np.float32), None
    bins = STANDARD_BINS
    if data is not None:
        splits = all_splits(data)
        length = _input(dense)['input_samples'] / SAMPLE_RATE
        waves = _waveforms(_spread(splits.train, EXAMPLE_WINDOWS), length)
        if calibrate:
            val = _spread(splits.val, MOST_ROWS)
            logits = _logits(network, _waveforms(val, WINDOW_S), dense)
            fitted = fit_platt(logits, _labels(val))
            meters = np.array([row.distance_m for row in val], float)
            known = meters[np.isfinite(meters)]
            bins = STANDARD_BINS.counted(STANDARD_BINS.bin_of(known))
    metadata = ModelMetadata(
        kind='window',
        distance_edges_m=bins.edges_m if recipe.network.distance else (),
        distance_prior=bins.prior if recipe.network.distance else (),
        calibration=describe(fitted) if splits and calibrate else 'none',
        training=f'recipe {recipe.name}, seed {recipe.seed}, data {data.name if data else "-"}',
        version=__version__,
    )
    size = export_compressed(
        network,
        out,
        metadata,
        compression,
        dense=dense,
        calibration=fitted,
        examples=waves,
        limit_mb=limit_mb,
    )
    judged = 'val' if recipe.data.test_rooms else 'test'
    rows = _spread(splits[judged], MOST_ROWS) if splits else ()
    compared = _compare(network, out, rows, judged, dense, fitted) if rows else ()
    return Outcome(size, fitted, compared)


def describe(calibration: Platt) -> str:
    """Return a calibration in words, for the metadata."""
    return (
        f'Platt on val rooms: temperature {calibration.temperature:.4f}, '
        f'shift {calibration.shift:.4f}'
    )


def _compare(
    network: NearWallVggish,
    out: Path,
    rows: Sequence[Row],
    judged: str,
    dense: bool,
    fitted: Platt,
) -> tuple[str, ...]:
    labels = _labels(rows)
    windows = _waveforms(rows, WINDOW_S)
    clips = fitted(_logits(network, windows))
    before = clips
    lines = [
        f'{len(rows)} {judged} rows: AP {_ap(labels, clips):.4f} with {CLIPS_PER_WINDOW} clips'
    ]
    if dense:
        before = fitted(_logits(network, windows, dense=True))
        lines.append(
            f'dense pass before compression: AP {_ap(labels, before):.4f}, largest difference '
            f'to clips {np.abs(before - clips).max():.4f}'
        )
        after = run(out, windows)
    else:
        starts = clip_starts(WINDOW_SAMPLES)
        after = np.array([run_clips(out, clip_batch(window, starts)) for window in windows])
    lines.append(
        f'the file written: AP {_ap(labels, after):.4f}, largest difference of a probability '
        f'before and after compression {np.abs(after - before).max():.4f}'
    )
    return tuple(lines)


def run_clips(path: Path, clips: np.ndarray) -> float:
    """Return the mean probability over the clips of one window."""
    return float(run(path, clips).mean())


def _logits(network: NearWallVggish, windows: np.ndarray, dense: bool = False) -> np.ndarray:
    """Return the logit of the mean probability over each window's clips, shape (N,)."""
    found = []
    starts = clip_starts(windows.shape[1])
    module = DenseVggish(network) if dense else network
    with torch.no_grad():
        for window in windows:
            batch = window[None] if dense else clip_batch(window, starts)
            near = torch.sigmoid(module(torch.from_numpy(batch)).near)
            found.append(float(near.mean()))
    return to_logit(np.array(found))


def _spread(rows: Sequence[Row], most: int) -> list[Row]:
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return [rows[i] for i in places]


def _waveforms(rows: Sequence[Row], length_s: float) -> np.ndarray:
    return np.stack([read_audio(row, row.start_s or 0.0, length_s) for row in rows])


def _labels(rows: Sequence[Row]) -> np.ndarray:
    return np.array([bool(row.near) for row in rows])


def _ap(labels: np.ndarray, probability: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, probability))
