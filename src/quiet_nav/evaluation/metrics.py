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

"""Figures of merit with 95 % intervals, bootstrapped over rooms: places of one room are kin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
import math

import numpy as np

from quiet_nav.errors import QuietNavError

BOOTSTRAPS = 1000
#: Most weights (bootstraps times rows) that are held at once.
_CHUNK = 1_000_000
CALIBRATION_BINS = 15

#: A metric takes weights (B, N) and returns values (B,), NaN where it is not defined.
Metric = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Estimate:
    """
    A figure and its 95 % interval; NaN where it is not defined.

    draws: the figure over every draw of rooms, NaN where it is not defined; () where not kept.
    """

    value: float
    low: float
    high: float
    draws: tuple[float, ...] = field(default=(), compare=False, repr=False)

    def to_json(self) -> dict[str, float | None]:
        """Return plain numbers; what is not finite becomes None."""
        numbers = {'value': self.value, 'low': self.low, 'high': self.high}
        return {key: one if math.isfinite(one) else None for key, one in numbers.items()}

    @classmethod
    def from_json(cls, raw: dict[str, float | None] | None) -> Estimate | None:
        """Read ``to_json`` back; None stays None."""
        if raw is None:
            return None
        return cls(**{key: math.nan if one is None else one for key, one in raw.items()})

    def __str__(self) -> str:
        return f'{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]'


def average_precision(scores: np.ndarray, labels: np.ndarray) -> Metric:
    """Area under precision over recall as steps, as scikit-learn's, for weighted rows."""
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    positive = np.asarray(labels, float)[order]
    # Rows of one score are decided together: read precision at the last of each tie.
    last = np.append(ranked[1:] != ranked[:-1], True)

    def metric(weights: np.ndarray) -> np.ndarray:
        w = weights[:, order]
        true = np.cumsum(w * positive, axis=1)[:, last]
        said = np.cumsum(w, axis=1)[:, last]
        gained = np.diff(true, axis=1, prepend=0.0)
        with np.errstate(invalid='ignore', divide='ignore'):
            precision = np.where(said > 0, true / said, 0.0)
            return np.sum(gained * precision, axis=1) / true[:, -1]

    return metric


def accuracy(probability: np.ndarray, labels: np.ndarray, threshold: float = 0.5) -> Metric:
    """Share of rows on the right side of a threshold."""
    return mean((probability > threshold) == np.asarray(labels, bool))


def mean(values: np.ndarray) -> Metric:
    """Weighted mean; rows that are NaN are left out."""
    values = np.asarray(values, float)
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)

    def metric(weights: np.ndarray) -> np.ndarray:
        total = weights @ known.astype(float)
        with np.errstate(invalid='ignore', divide='ignore'):
            return np.where(total > 0, weights @ filled / total, np.nan)

    return metric


def of_rows(metric: Metric, which: list[int]) -> Metric:
    """Return a metric of some rows, by the weights of all: to compare metrics of different rows."""
    return lambda weights: metric(weights[:, which])


def expected_calibration_error(
    probability: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS
) -> Metric:
    """Mean distance between probability and frequency over equal-width bins, by rows in each."""
    which = np.minimum((probability * bins).astype(int), bins - 1)
    gap = (np.asarray(labels, float) - probability)[:, None] * (which[:, None] == np.arange(bins))

    def metric(weights: np.ndarray) -> np.ndarray:
        return np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1)

    return metric


def median(values: np.ndarray) -> Metric:
    """Return the weighted median, the lower one of two; NaN is left out, inf is last."""
    values = np.asarray(values, float)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind='stable')]
    ranked = values[order]

    def metric(weights: np.ndarray) -> np.ndarray:
        if not len(order):
            return np.full(len(weights), np.nan)
        below = np.cumsum(weights[:, order], axis=1)
        half = below[:, -1:] / 2.0
        middle = ranked[np.argmax(below >= half, axis=1)]
        return np.where(below[:, -1] > 0, middle, np.nan)

    return metric


def r2(output: np.ndarray, target: np.ndarray) -> Metric:
    """Share of the targets' variance that is explained, as scikit-learn's, for weighted rows."""
    output, target = np.asarray(output, float), np.asarray(target, float)
    squared = (output - target) ** 2

    def metric(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1)
        with np.errstate(invalid='ignore', divide='ignore'):
            middle = weights @ target / total
            spread = np.maximum(weights @ target**2 - total * middle**2, 0.0)
            # Rows of one value have no variance: what is left of it is rounding.
            known = spread > 1e-9 * (weights @ target**2)
            return np.where(known, 1.0 - weights @ squared / spread, np.nan)

    return metric


def top_k(scores: np.ndarray, classes: np.ndarray, k: int) -> Metric:
    """
    Share of rows whose class is among the k with the highest scores, shape (N, K).

    Classes of one score share their places: scores that say nothing score as chance does.
    """
    classes = np.asarray(classes, int)
    own = np.take_along_axis(scores, classes[:, None], axis=1)
    above = (scores > own).sum(axis=1)
    tied = (scores == own).sum(axis=1)
    return mean(np.clip((k - above) / tied, 0.0, 1.0))


def estimate(metric: Metric, rooms: np.ndarray, seed: int = 0, samples: int = BOOTSTRAPS,
             ) -> Estimate:  # fmt: skip
    """
    Return a metric over all rows and the 2.5 and 97.5 % quantiles over resampled rooms.

    rooms: each row's room, shape (N,). Rooms are drawn with replacement, all rows of a room
    together, from a generator of the seed; draws for which the metric is undefined are left out.
    """
    if not len(rooms):
        raise QuietNavError('no rows to evaluate')
    names, index = np.unique(rooms, return_inverse=True)
    value = float(metric(np.ones((1, len(rooms))))[0])
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=samples)
    step = max(1, _CHUNK // len(rooms))
    drawn = np.concatenate(
        [metric(counts[i : i + step][:, index].astype(float)) for i in range(0, samples, step)]
    )
    return _interval(value, drawn)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """
    Return how far one figure is above another, draw by draw over the same rooms.

    What makes a room hard is in both and cancels. The caller knows that the rooms and the seed are
    the same. Raises QuietNavError where the draws were not kept or are not as many.
    """
    if not one.draws or len(one.draws) != len(other.draws):
        raise QuietNavError(
            f'{len(one.draws)} and {len(other.draws)} draws of rooms: expected as many of both'
        )
    return _interval(one.value - other.value, np.array(one.draws) - np.array(other.draws))


def _interval(value: float, draws: np.ndarray) -> Estimate:
    known = draws[~np.isnan(draws)]
    kept = tuple(draws.tolist())
    if not len(known):
        return Estimate(value, float('nan'), float('nan'), kept)
    low, high = np.quantile(known, (0.025, 0.975), method='nearest')
    return Estimate(value, float(low), float(high), kept)


def wilson(part: float, count: int, z: float = 1.959964) -> Estimate:
    """
    Return a share of ``count`` draws with its 95 % interval by Wilson's score.

    part: how many of them, 0 to ``count``; a sum of shares is taken as so many whole ones, which
    makes the interval no narrower than theirs. It does not collapse at 0 or 1, as a bootstrap
    over equal draws does. Raises QuietNavError where there are no draws.
    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if count < 1 or not 0.0 <= part <= count:
        raise QuietNavError(f'{part} of {count} draws; expected 1 draw or more, and a part of them')
    share = part / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0))
