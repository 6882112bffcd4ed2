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

"""Fits that make probabilities mean frequencies: temperature, temperature and shift, isotonic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from quiet_nav.errors import QuietNavError


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """
    Return the temperature T for which sigmoid(logit / T) has the least log loss (0.05 to 20).

    logits, labels: shape (N,), of rooms that were not trained on.
    """
    logits, labels = _checked(logits, labels)

    def loss(log_t: float) -> float:
        z = logits * np.exp(-log_t)
        return float(np.mean(np.logaddexp(0.0, z) - labels * z))

    found = optimize.minimize_scalar(loss, bounds=(np.log(0.05), np.log(20.0)), method='bounded')
    return float(np.exp(found.x))


@dataclass(frozen=True)
class Platt:
    """sigmoid((logit - shift) / temperature) means a frequency."""

    temperature: float = 1.0
    shift: float = 0.0

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return special.expit((logits - self.shift) / self.temperature)


def fit_platt(logits: np.ndarray, labels: np.ndarray) -> Platt:
    """
    Return the temperature and shift of least log loss (Platt, 1999); errors as above.

    A temperature alone cannot mend a network that leans to one class.
    """
    logits, labels = _checked(logits, labels)

    def loss(x: np.ndarray) -> float:
        z = np.exp(-x[0]) * logits - x[1]
        return float(np.mean(np.logaddexp(0.0, z) - labels * z)) + 1e-4 * float(x @ x)

    bounds = ((np.log(0.05), np.log(20.0)), (-20.0, 20.0))
    found = optimize.minimize(loss, np.zeros(2), bounds=bounds).x
    temperature = float(np.exp(found[0]))
    return Platt(temperature, float(found[1]) * temperature)


def fit_class_temperature(logits: np.ndarray, classes: np.ndarray) -> float:
    """
    Return the temperature T of least log loss of softmax(logits / T), 0.22 to 4.5.

    logits: shape (N, classes); classes: shape (N,), of rooms that were not trained on.
    """
    rows = np.arange(len(classes))

    def loss(log_t: float) -> float:
        z = np.asarray(logits, float) * np.exp(-log_t)
        return float(np.mean(special.logsumexp(z, axis=1) - z[rows, classes]))

    found = optimize.minimize_scalar(loss, bounds=(-1.5, 1.5), method='bounded')
    return float(np.exp(found.x))


@dataclass(frozen=True)
class Isotonic:
    """A rising map of probabilities by straight pieces: ``knots`` to ``values``."""

    knots: tuple[float, ...]
    values: tuple[float, ...]

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        return np.interp(probability, self.knots, self.values)


def fit_isotonic(probability: np.ndarray, labels: np.ndarray, margin: float = 0.01) -> Isotonic:
    """Return the isotonic regression of labels on probabilities, kept off 0 and 1 by a margin."""
    from sklearn.isotonic import IsotonicRegression

    probability, labels = _checked(probability, labels)
    model = IsotonicRegression(y_min=margin, y_max=1.0 - margin, out_of_bounds='clip')
    model.fit(probability, labels)
    return Isotonic(
        tuple(float(v) for v in model.X_thresholds_), tuple(float(v) for v in model.y_thresholds_)
    )


def to_logit(probability: np.ndarray, limit: float = 1e-6) -> np.ndarray:
    """Return log odds, probabilities cut to ``limit`` off 0 and 1."""
    return special.logit(np.clip(probability, limit, 1.0 - limit))


def _checked(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, labels = np.asarray(scores, float), np.asarray(labels, float)
    if scores.shape != labels.shape or scores.ndim != 1:
        raise QuietNavError(f'{scores.shape} scores and {labels.shape} labels; expected (N,) each')
    if not np.isfinite(scores).all() or len(np.unique(labels)) != 2:
        raise QuietNavError('calibration needs finite scores and both classes')
    return scores, labels
