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

"""What surfaces are to waves: admittances that swallow what absorption coefficients say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import functools
from typing import Any

import numpy as np
from scipy import optimize

from quiet_nav.simulation.rooms.absorption import BANDS_HZ

#: The most that a locally reacting surface of real admittance swallows of diffuse sound; what
#: is to swallow more, an opening, is given the admittance of air.
MOST_DIFFUSE = 0.951
_OPEN = 0.95
_FIT_HZ = np.array(BANDS_HZ[:4])
_LEAST = 1e-5
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(48)
_COSINES, _WEIGHTS = (_NODES + 1) / 2, _NODE_WEIGHTS / 2


@dataclass(frozen=True)
class Admittance:
    """
    Normalized admittance ``high + (low - high) / (1 + j omega delay_s)``, times rho c.

    Real at low frequencies (``low``) and high ones (``high``), both at least 0: a spring or a mass
    behind a resistance, which is passive at every frequency.
    """

    low: float
    high: float
    delay_s: float

    def at(self, frequency_hz: np.ndarray | float) -> np.ndarray:
        """Return the complex admittance at frequencies."""
        omega = 2.0 * np.pi * np.asarray(frequency_hz, float)
        return np.asarray(self.high + (self.low - self.high) / (1.0 + 1j * omega * self.delay_s))


def diffuse_absorption(admittance: np.ndarray) -> np.ndarray:
    """Return the share of diffuse sound that locally reacting surfaces swallow (Paris' formula)."""
    y = np.asarray(admittance, complex)[..., None]
    swallowed = 4.0 * y.real * _COSINES / np.abs(_COSINES + y) ** 2
    return np.asarray(2.0 * (swallowed * _COSINES * _WEIGHTS).sum(axis=-1))


@functools.lru_cache(maxsize=1024)
def fit_admittance(absorption: Sequence[float]) -> Admittance:
    """
    Return the admittance whose diffuse absorption is nearest in 125 to 1000 Hz.

    absorption: one coefficient per band of ``BANDS_HZ``, a tuple. One that hardly changes with
    frequency gives a resistance alone.
    """
    wanted = np.asarray(absorption, float)[: len(_FIT_HZ)]
    if wanted.max() < _LEAST:
        return Admittance(0.0, 0.0, 1e-3)
    if wanted.min() > _OPEN:
        return Admittance(1.0, 1.0, 1e-3)
    wanted = np.clip(wanted, _LEAST, 0.94)
    # Nearly alpha / 8 where little is swallowed.
    begin = np.clip(wanted / 8.0, _LEAST, 0.5)

    def miss(x: np.ndarray) -> np.ndarray:
        fitted = _of(x)
        return (diffuse_absorption(fitted.at(_FIT_HZ)) - wanted) / (wanted + 0.01)

    best: Any = None
    for middle_hz in (150.0, 350.0, 800.0):
        guess = np.log([begin[0], begin[-1], 1.0 / (2.0 * np.pi * middle_hz)])
        low = np.log([1e-7, 1e-7, 1.0 / (2.0 * np.pi * 4000.0)])
        high = np.log([1.0, 1.0, 1.0 / (2.0 * np.pi * 30.0)])
        found = optimize.least_squares(miss, np.clip(guess, low, high), bounds=(low, high))
        if best is None or found.cost < best.cost:
            best = found
    return _of(best.x)


def _of(x: np.ndarray) -> Admittance:
    low, high, delay_s = (float(v) for v in np.exp(x))
    return Admittance(low, high, delay_s)
