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

"""From a trained context network to a model file: calibrate on val rooms, export, compare."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import optimize
import torch

from quiet_nav import __version__
from quiet_nav.errors import QuietNavError
from quiet_nav.files.models import OnnxModel
from quiet_nav.learning import onnx_export
from quiet_nav.learning.calibration import fit_class_temperature
from quiet_nav.learning.detectors.context.data import context_datasets, ContextDataset
from quiet_nav.learning.detectors.context.kind import exportable
from quiet_nav.learning.detectors.context.network import Calibration, ContextVggish
from quiet_nav.learning.recipe import Recipe
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.model_file import NEAREST
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import Question
from quiet_nav.sound.windows import WINDOW_SAMPLES

#: Drawn whole windows that decide each context's calibration.
DRAWN = 8192
#: What is calibrated: its name, the question, and the rates at which reference and other ears are
#: withheld. ``Calibration`` has a value for each in this order.
_CASES = (
    ('alone', Question.DIRECTION, 1.0, 1.0),
    ('reference', Question.DIRECTION, 0.0, 1.0),
    ('other ears', Question.DIRECTION, 1.0, 0.0),
    ('both', Question.DIRECTION, 0.0, 0.0),
    ('nearest wall, alone', Question.NEAREST, 1.0, 1.0),
    ('nearest wall, reference', Question.NEAREST, 0.0, 1.0),
)


@dataclass(frozen=True)
class ContextOutcome:
    """What was fitted, how large the file is, and how far it is from PyTorch."""

    calibration: Calibration
    megabytes: float
    difference: float
    compared: tuple[str, ...]


def deploy_context(
    network: ContextVggish,
    recipe: Recipe,
    out: str | Path,
    data: str | Path | None = None,
    training: str = '',
    limit_mb: float = onnx_export.MAX_MEGABYTES,
) -> ContextOutcome:
    """
    Fit the calibration on the validation rooms of ``data``, export, compare with PyTorch.

    Without data nothing is calibrated. training: what the metadata say of the training data.
    Raises QuietNavError where the exported model differs from PyTorch by more than 1e-4 or the
    file is too large; no file is left then.
    """
    network = network.eval()
    calibration, compared, bins = Calibration(), (), STANDARD_BINS
    if data is not None:
        _, val = context_datasets(data, recipe)
        calibration, compared, bins = calibrate(network, val)
    item = exportable(network, calibration)
    metadata = ModelMetadata(
        kind='context',
        input_samples=WINDOW_SAMPLES,
        contexts=('reference', 'other_ears', NEAREST),
        distance_edges_m=bins.edges_m,
        distance_prior=bins.prior,
        calibration='none'
        if data is None
        else 'temperature and offset per question and context, val rooms',
        training=training or f'recipe {recipe.name}, seed {recipe.seed}',
        version=__version__,
        extra={'calibration': calibration._asdict(), 'recipe': recipe.name, 'seed': recipe.seed},
    )
    out = onnx_export.export(item, out, metadata)
    try:
        size = onnx_export.refuse_large(out, limit_mb)
        difference = _difference(item, out)
        if not difference <= 1e-4:
            raise QuietNavError(f'{out}: exported model differs from PyTorch by {difference:.1e}')
    except QuietNavError:
        out.unlink()
        raise
    return ContextOutcome(calibration, size, difference, tuple(compared))


def calibrate(
    network: ContextVggish, val: ContextDataset
) -> tuple[Calibration, list[str], DistanceBins]:
    """
    Return temperatures and offsets with the least log loss for each case, a report, and the bins.

    Their prior is of what robots among walls ask, a direction each.

    A question that no room asks is calibrated by the rooms that there are. A unit normal prior on
    both weighs as much as one place: a few that the network tells apart without a mistake would
    otherwise drive every probability to 0 and 1.
    """
    fits, lines, asked_bins = [], [], STANDARD_BINS
    for name, question, *withheld in _CASES:
        asked = [store for store in val.stores if store.rig == (question == Question.DIRECTION)]
        places = sum(int(store.count.sum()) for store in asked or val.stores)
        logits, distance, near, bins = _draw(network, val, question, *withheld)

        def loss(x: np.ndarray, z: np.ndarray = logits, y: np.ndarray = near) -> float:
            scaled = z / np.exp(x[0]) + x[1]
            return float(np.mean(np.logaddexp(0.0, scaled) - y * scaled))

        def penalised(x: np.ndarray, of: Callable = loss, weight: float = 0.5 / places) -> float:
            return of(x) + weight * float(x @ x)

        best = optimize.minimize(penalised, np.zeros(2), method='Nelder-Mead').x
        spread = fit_class_temperature(distance, bins)
        if question == Question.DIRECTION:
            asked_bins = STANDARD_BINS.counted(bins)
        fits.append((float(np.exp(best[0])), float(best[1]), spread))
        lines.append(
            f'{name}: AP {_ap(near, logits):.3f} on val rooms, temperature {fits[-1][0]:.3f}, '
            f'offset {fits[-1][1]:+.3f}, log loss {loss(np.zeros(2)):.4f} before, '
            f'{loss(best):.4f} after'
        )
    return Calibration(*(tuple(v) for v in zip(*fits, strict=True))), lines, asked_bins


def _ap(near: np.ndarray, logits: np.ndarray) -> float:
    """Average precision; calibration rises with the logit, so it is the same before and after."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(near > 0.5, logits)) if near.any() else float('nan')


def _draw(
    network: ContextVggish,
    val: ContextDataset,
    question: Question,
    drop_reference: float,
    drop_others: float,
) -> tuple[np.ndarray, ...]:
    """Logits, distance logits and labels of whole windows in one case."""
    options = dataclasses.replace(
        val.options,
        drop_reference=drop_reference,
        drop_others=drop_others,
        clip_share=0.0,
        static_share=float(question == Question.NEAREST),
        warp=0.0,
    )
    parts: list[tuple[np.ndarray, ...]] = []
    for index in range(-(-DRAWN // val.batch_size)):
        batch = val.draw(index, options)
        batch['nearest'] = torch.full_like(batch['nearest'], float(question))
        with torch.no_grad():
            logits = network.from_batch(batch)
        values = (logits.near, logits.distance, batch['near'], batch['distance_bin'])
        parts.append(tuple(v.numpy().astype(v.numpy().dtype) for v in values))
    near, distance, label, bins = (np.concatenate(p) for p in zip(*parts, strict=True))
    known = bins >= 0
    return near[known].astype(float), distance[known], label[known], bins[known]


def _difference(item: onnx_export.Exportable, path: Path) -> float:
    """Largest difference of probabilities to PyTorch on noise at three levels with context."""
    rng = np.random.default_rng(0)
    level = np.array([[0.003], [0.03], [0.3]])
    feeds = {name: value.numpy() for name, value in item.inputs.items()}
    feeds['waveform'] = (level * rng.standard_normal(feeds['waveform'].shape)).astype(np.float32)
    feeds['reference'] = rng.normal(-12.0, 2.0, feeds['reference'].shape).astype(np.float32)
    feeds['has_reference'] = np.array([1, 0, 1], np.float32)
    feeds['others'] = np.array([[1, -1, 2], [0, 2, -1], [-1, -1, -1]])
    feeds['simultaneous'] = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    feeds[NEAREST] = np.array([0, 0, 1], np.float32)
    with torch.no_grad():
        expected = item.module(*(torch.from_numpy(v) for v in feeds.values()))
    found = OnnxModel(path).run(feeds)
    return max(
        float(np.abs(a.numpy() - b).max()) for a, b in zip(expected[:2], found[:2], strict=True)
    )
