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
"""From a trained near-wall network to a model file: calibrate on val rooms, export, compare."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
from pathlib import Path

import numpy as np
from scipy import optimize
import torch

from quiet_nav import __version__
from quiet_nav.errors import QuietNavError
from quiet_nav.files.models import OnnxModel
from quiet_nav.learning import onnx_export
from quiet_nav.learning.calibration import fit_class_temperature
from quiet_nav.learning.detectors.context.data import ContextDataset
from quiet_nav.learning.detectors.context.deploy import ContextOutcome
from quiet_nav.learning.detectors.near_wall.data import near_wall_datasets, NearWallDataset
from quiet_nav.learning.detectors.near_wall.kind import exportable
from quiet_nav.learning.detectors.near_wall.network import Calibration, CONTEXTS, NearWall
from quiet_nav.learning.recipe import Recipe
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.model_file import FINGERPRINT, NEAREST, OWN_REFERENCE
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import Question
from quiet_nav.sound.windows import WINDOW_SAMPLES

#: Drawn whole windows that decide each context's calibration.
DRAWN = 4096


@dataclasses.dataclass(frozen=True)
class _Case:
    """A context that is calibrated apart: its number, name, and what is given there."""

    number: int
    question: Question
    reference: bool
    others: bool
    fingerprint: bool

    @property
    def name(self) -> str:
        given = [n for n in ('reference', 'others', 'fingerprint') if getattr(self, n)]
        nearest = self.question == Question.NEAREST
        return ('nearest wall, ' if nearest else '') + (' and '.join(given) or 'alone')


def _cases() -> list[_Case]:
    direction = [
        _Case(n, Question.DIRECTION, bool(n & 1), bool(n & 2), bool(n & 4)) for n in range(8)
    ]
    nearest = [
        _Case(8 + n, Question.NEAREST, bool(n & 1), False, bool(n & 2)) for n in range(CONTEXTS - 8)
    ]
    return direction + nearest


def deploy_near_wall(
    network: NearWall,
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
    calibration, compared, bins = Calibration(), [], STANDARD_BINS
    if data is not None:
        _, val = near_wall_datasets(data, recipe)
        calibration, compared, bins = calibrate(network, val)
    item = exportable(network, calibration)
    metadata = ModelMetadata(
        kind='context',
        input_samples=WINDOW_SAMPLES,
        contexts=('reference', 'other_ears', NEAREST, OWN_REFERENCE, FINGERPRINT),
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
    network: NearWall, val: NearWallDataset | ContextDataset
) -> tuple[Calibration, list[str], DistanceBins]:
    """
    Return temperatures and offsets with the least log loss for each case, a report, and the bins.

    The bins' prior is of what robots among walls ask, a direction each. A unit normal prior on
    temperature and offset weighs as much as one place.
    """
    fits, lines, counted = [], [], []
    for case in _cases():
        if case.fingerprint and isinstance(val, ContextDataset):
            # No recordings have one: as without.
            fits.append(fits[case.number - (4 if case.number < 8 else 2)])
            continue
        logits, distance, near, bins = _draw(network, val, case)

        def loss(x: np.ndarray, z: np.ndarray = logits, y: np.ndarray = near) -> float:
            scaled = z / np.exp(x[0]) + x[1]
            return float(np.mean(np.logaddexp(0.0, scaled) - y * scaled))

        def penalized(x: np.ndarray, of: Callable = loss) -> float:
            return of(x) + 0.5 / val.places * float(x @ x)

        best = optimize.minimize(penalized, np.zeros(2), method='Nelder-Mead').x
        if case.question == Question.DIRECTION:
            counted.append(bins)
        fits.append((float(np.exp(best[0])), float(best[1]), fit_class_temperature(distance, bins)))
        lines.append(
            f'{case.name}: AP {_ap(near, logits):.3f} on val rooms, temperature '
            f'{fits[-1][0]:.3f}, offset {fits[-1][1]:+.3f}, log loss {loss(np.zeros(2)):.4f} '
            f'before, {loss(best):.4f} after'
        )
    prior = STANDARD_BINS.counted(np.concatenate(counted))
    return Calibration(*(tuple(v) for v in zip(*fits, strict=True))), lines, prior


def _ap(near: np.ndarray, logits: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(near > 0.5, logits)) if near.any() else float('nan')


def _draw(
    network: NearWall, val: NearWallDataset | ContextDataset, case: _Case
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Logits, distance logits and labels of whole windows in one case."""
    nearest = case.question == Question.NEAREST
    given: dict[str, float] = {
        'drop_reference': float(not case.reference),
        'drop_others': float(not case.others),
        'clip_share': 0.0,
    }
    if isinstance(val, ContextDataset):
        given['static_share'] = float(nearest)
    else:
        given |= {'fingerprint': float(case.fingerprint), 'nearest': float(nearest)}
        if case.fingerprint:
            # A robot that has a fingerprint makes noise.
            given['own_sound'] = 1.0
    options = dataclasses.replace(val.options, **given)
    parts = []
    for index in range(-(-DRAWN // val.batch_size)):
        batch = val.draw(index, options)
        batch['nearest'] = torch.full_like(batch['nearest'], float(nearest))
        with torch.no_grad():
            logits = network.from_batch(batch)
        there = batch['distance_bin'] >= 0
        if not isinstance(val, ContextDataset):
            there &= (batch['has_other'].sum(1) > 0) == case.others
            there &= (batch['has_fingerprint'] > 0) == case.fingerprint
        values = (logits.near, logits.distance, batch['near'], batch['distance_bin'])
        parts.append(tuple(v[there].numpy() for v in values))
    near, distance, label, bins = (np.concatenate(p) for p in zip(*parts, strict=True))
    return near.astype(float), distance, label, bins


def _difference(item: onnx_export.Exportable, path: Path) -> float:
    """Largest difference of probabilities to PyTorch on noise at three levels with context."""
    rng = np.random.default_rng(0)
    level = np.array([[0.003], [0.03], [0.3]])
    feeds = {name: value.numpy() for name, value in item.inputs.items()}
    feeds['waveform'] = (level * rng.standard_normal(feeds['waveform'].shape)).astype(np.float32)
    for name in ('reference', OWN_REFERENCE):
        feeds[name] = rng.normal(-12.0, 2.0, feeds[name].shape).astype(np.float32)
    feeds[FINGERPRINT] = rng.normal(2.0, 2.0, feeds[FINGERPRINT].shape).astype(np.float32)
    feeds['has_reference'] = np.array([1, 0, 1], np.float32)
    feeds['has_fingerprint'] = np.array([1, 1, 0], np.float32)
    feeds['others'] = np.array([[1, -1, 2], [0, 2, -1], [-1, -1, -1]])
    feeds['simultaneous'] = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 0]], np.float32)
    feeds[NEAREST] = np.array([0, 0, 1], np.float32)
    with torch.no_grad():
        expected = item.module(*(torch.from_numpy(v) for v in feeds.values()))
    found = OnnxModel(path).run(feeds)
    return max(
        float(np.abs(a.numpy() - b).max()) for a, b in zip(expected[:2], found[:2], strict=True)
    )
