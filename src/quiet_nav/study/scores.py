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

"""How well a task of the study was solved: the paper's figures, with chance and no input beside."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
from dataclasses import dataclass
import itertools
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import metrics
from quiet_nav.evaluation.metrics import Estimate, estimate, Metric
from quiet_nav.files.renames import as_now
from quiet_nav.study.predictions import Kind, Predictions


@dataclass(frozen=True)
class Figure:
    """
    One figure of merit, what chance reaches in it, and the best constant answer (no input).

    chance: an answer drawn at random (a class: all alike; a value: from the training rows).
    no_input: the answer that fits the training rows best whatever is heard: their more frequent
    class (for bin distance the one in the middle), their median (errors) or mean (R2).
    """

    name: str
    value: Estimate
    chance: Estimate | None = None
    no_input: Estimate | None = None
    higher_is_better: bool = True

    def clear_of(self, other: Estimate | None) -> bool | None:
        """Return whether the figure is better and the two intervals do not touch."""
        if other is None:
            return None
        if self.higher_is_better:
            return self.value.low > other.high
        return self.value.high < other.low

    @property
    def beats_baselines(self) -> bool | None:
        """Whether it is clear of chance and of no input; None where there is neither."""
        told = [self.clear_of(other) for other in (self.chance, self.no_input)]
        known = [one for one in told if one is not None]
        return all(known) if known else None


@dataclass(frozen=True)
class TaskReport:
    """
    Every figure of a task on one split; the first is the task's own.

    names: of the rooms, where the first figure's draws of them are kept.
    """

    task: str
    kind: Kind
    rows: int
    rooms: int
    figures: tuple[Figure, ...]
    names: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Figure:
        for figure in self.figures:
            if figure.name == name:
                return figure
        known = ', '.join(figure.name for figure in self.figures)
        raise QuietNavError(f'{self.task}: no figure {name!r}; known: {known}')

    @property
    def main(self) -> Figure:
        return self.figures[0]

    def above(self, other: TaskReport) -> Estimate | None:
        """
        Return how far the first figure is above another report's, in the same draws of rooms.

        None where the rooms are not the same or their draws were not kept.
        """
        one, two = self.main.value, other.main.value
        if not self.names or self.names != other.names or len(one.draws) != len(two.draws):
            return None
        return metrics.difference(one, two)

    def to_json(self) -> dict:
        """Return plain values; what is not finite becomes None."""
        figures = {
            one.name: {
                'value': one.value.to_json(),
                'chance': one.chance and one.chance.to_json(),
                'no_input': one.no_input and one.no_input.to_json(),
                'higher_is_better': one.higher_is_better,
                'beats_baselines': one.beats_baselines,
            }
            for one in self.figures
        }
        return {
            'task': self.task,
            'kind': self.kind,
            'rows': self.rows,
            'rooms': self.rooms,
            'figures': figures,
        }

    def draws(self) -> dict:
        """Return the first figure over every draw of rooms, and these, as plain values."""
        values = [one if math.isfinite(one) else None for one in self.main.value.draws]
        return {'rooms': list(self.names), 'values': values}

    @classmethod
    def from_json(cls, raw: dict) -> TaskReport:
        """Read ``to_json`` back, with ``draws`` under that name where they are there."""
        figures = tuple(
            Figure(
                name,
                *(Estimate.from_json(one[key]) for key in ('value', 'chance', 'no_input')),
                higher_is_better=one['higher_is_better'],
            )
            for name, one in as_now(raw['figures']).items()
        )
        found = cls(raw['task'], raw['kind'], raw['rows'], raw['rooms'], figures)
        kept = raw.get('draws')
        if not kept:
            return found
        draws = tuple(math.nan if one is None else one for one in kept['values'])
        value = dataclasses.replace(found.main.value, draws=draws)
        main = dataclasses.replace(found.main, value=value)
        return dataclasses.replace(found, figures=(main, *figures[1:]), names=tuple(kept['rooms']))


def score(predictions: Predictions, seed: int = 0) -> TaskReport:
    """
    Return the paper's figures of a task, with 95 % intervals by bootstrap over rooms.

    binary: AP, accuracy. multiclass: top-1, top-5, average bin distance, and average meters where
    ``position_m`` is given. regression, ratio: MAE, median error, R2; for a ratio the AP of its
    sign (which is nearer), too. Baselines: see ``Figure``; they come from ``train_target``.
    """
    found = tuple(_FIGURES[predictions.kind](predictions, seed))
    names = tuple(str(name) for name in np.unique(predictions.rooms))
    return TaskReport(
        predictions.task, predictions.kind, len(predictions), len(names), found, names
    )


def score_between(
    predictions: Predictions, key: str, edges: tuple[float, ...], seed: int = 0
) -> list[tuple[float, float, TaskReport]]:
    """
    Return (low, high, report) of rows with low <= ``extra[key]`` < high, where there are any.

    Raises QuietNavError where the predictions say nothing of the key.
    """
    if key not in predictions.extra:
        known = ', '.join(predictions.extra) or 'nothing'
        raise QuietNavError(f'{predictions.task}: rows say nothing of {key}; they say {known}')
    values = np.asarray(predictions.extra[key], float)
    parts = []
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & (values < high)
        if inside.any():
            parts.append((low, high, score(predictions.where(inside), seed)))
    return parts


def _binary(p: Predictions, seed: int) -> list[Figure]:
    target = np.asarray(p.target) > 0.5
    positive = float(np.mean(np.asarray(p.train_target) > 0.5))
    constant = np.full(len(p), float(positive > 0.5))
    said = _estimator(p, seed)
    # Scores that say nothing have the share of positives as their precision at any recall.
    share = said(metrics.mean(target))
    half = Estimate(0.5, 0.5, 0.5)
    figures = []
    if target.any() and not target.all():
        figures.append(
            Figure('AP', said(metrics.average_precision(p.output, target)), share, share)
        )
    right = said(metrics.accuracy(p.output, target))
    figures.append(Figure('accuracy', right, half, said(metrics.accuracy(constant, target))))
    return figures


def _multiclass(p: Predictions, seed: int) -> list[Figure]:
    target, classes = np.asarray(p.target, int), p.output.shape[1]
    if target.min() < 0 or target.max() >= classes:
        raise QuietNavError(f'{p.task}: classes {target.min()} to {target.max()} of {classes}')
    counts = np.bincount(np.asarray(p.train_target, int), minlength=classes)[:classes]
    # Rooms may have fewer classes than the largest: where a middle is not known there is no class.
    cells = p.extra.get('cell_m')
    there = np.ones((len(p), classes), bool) if cells is None else np.isfinite(cells).all(axis=2)
    constant = np.where(there, counts, -1.0)
    indifferent = np.where(there, 0.0, -np.inf)
    said = _estimator(p, seed)
    figures = []
    for k in (1, 5):
        if k < classes:
            values = (
                said(metrics.top_k(scores, target, k))
                for scores in (p.output, indifferent, constant)
            )
            figures.append(Figure(f'top-{k}', *values))
    away = np.abs(np.arange(classes)[None] - target[:, None])
    middle = _weighted_median_class(counts)
    values = (
        said(metrics.mean(bins))
        for bins in (
            np.take_along_axis(away, p.output.argmax(axis=1)[:, None], axis=1)[:, 0],
            np.mean(away, axis=1, where=there),
            away[:, middle],
        )
    )
    figures.append(Figure('bin distance', *values, higher_is_better=False))
    if 'position_m' in p.extra and cells is not None:
        gap = np.linalg.norm(cells - p.extra['position_m'][:, None], axis=2)
        values = (
            said(metrics.mean(meters))
            for meters in (
                np.take_along_axis(gap, p.output.argmax(axis=1)[:, None], axis=1)[:, 0],
                np.mean(gap, axis=1, where=there),
                np.take_along_axis(gap, constant.argmax(axis=1)[:, None], axis=1)[:, 0],
            )
        )
        figures.append(Figure('meters', *values, higher_is_better=False))
    return figures


def _regression(p: Predictions, seed: int) -> list[Figure]:
    target, train = np.asarray(p.target, float), np.asarray(p.train_target, float)
    said = _estimator(p, seed)
    drawn = np.random.default_rng([seed, len(p)]).choice(train, len(p))
    figures = []
    for name, metric in (('MAE', metrics.mean), ('median error', metrics.median)):
        values = (
            said(metric(np.abs(output - target))) for output in (p.output, drawn, np.median(train))
        )
        figures.append(Figure(name, *values, higher_is_better=False))
    mean = np.full(len(p), train.mean())
    values = (said(metrics.r2(output, target)) for output in (p.output, drawn, mean))
    figures.append(Figure('R2', *values))
    return figures


def _ratio(p: Predictions, seed: int) -> list[Figure]:
    nearer = dataclasses.replace(
        p, kind='binary', target=p.target < 0, output=-p.output, train_target=p.train_target < 0
    )
    # The sign of a ratio is no probability: its AP has a meaning, its accuracy at 0.5 has none.
    order = [figure for figure in _binary(nearer, seed) if figure.name == 'AP']
    return [*_regression(p, seed), *(dataclasses.replace(f, name='order AP') for f in order)]


_FIGURES: dict[str, Callable[[Predictions, int], list[Figure]]] = {
    'binary': _binary,
    'multiclass': _multiclass,
    'regression': _regression,
    'ratio': _ratio,
}


def _estimator(p: Predictions, seed: int) -> Callable[[Metric], Estimate]:
    return lambda metric: estimate(metric, p.rooms, seed)


def _weighted_median_class(counts: np.ndarray) -> int:
    return int(np.argmax(np.cumsum(counts) >= counts.sum() / 2.0))
