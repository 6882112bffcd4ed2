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

"""The bins in which a detector tells distances: their edges, middles and what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
import itertools
import math

import numpy as np

from quiet_nav.errors import QuietNavError

#: A wall within this distance of a microphone (or camera) is near; the paper, section 4.1.
NEAR_WALL_M = 0.5
#: "Farther than the last edge" counts as this far beyond it: no ear tells more of such a wall.
BEYOND_LAST_EDGE_M = 0.2
#: How often walls stood in which distance where the shipped detectors were calibrated (rooms as
#: in their training, every direction, near walls 11 %): share of each bin.
_PRIOR_EDGES_M = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5)
_PRIOR = (0.02, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.06, 0.06, 0.62)


@dataclass(frozen=True)
class DistanceBins:
    """
    Upper edges of the bins in meters; one last bin holds everything farther.

    prior: share of each bin where the detector was calibrated, one more than edges; left out, that
    of the shipped detectors, cut along these edges. Everything that reads a distance distribution
    takes edges, middles and prior from here; a detector's are in its model's metadata.
    Raises QuietNavError where edges do not ascend from above 0 or the prior does not fit them.
    """

    edges_m: tuple[float, ...]
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        edges = (0.0, *self.edges_m)
        numbers = all(isinstance(value, int | float) for value in (*edges, *self.prior))
        ascend = numbers and all(a < b for a, b in itertools.pairwise(edges))
        if len(edges) < 2 or not ascend or not math.isfinite(edges[-1]):
            raise QuietNavError(
                f'distance edges {list(self.edges_m)}; expected meters that ascend from above 0'
            )
        if not self.prior:
            object.__setattr__(self, 'prior', _cut_prior(self.edges_m))
        fits = len(self.prior) == self.count and all(p > 0.0 for p in self.prior)
        if not fits or not math.isclose(math.fsum(self.prior), 1.0, abs_tol=1e-3):
            raise QuietNavError(
                f'distance prior {list(self.prior)}; expected {self.count} shares above 0 that '
                'sum to 1'
            )

    @property
    def count(self) -> int:
        """How many bins there are, the one of everything farther included."""
        return len(self.edges_m) + 1

    @property
    def beyond(self) -> str:
        """Say a distance past the last edge, for people."""
        return f'> {self.edges_m[-1]:g} m'

    @cached_property
    def centers_m(self) -> np.ndarray:
        """Middle of each bin, shape (count,), in whole centimeters rounded down."""
        edges = (0.0, *self.edges_m)
        middles = [0.5 * (a + b) for a, b in itertools.pairwise(edges)]
        # The small number keeps 0.35 m, held as 0.3499999, at 35 cm.
        whole = [math.floor(100.0 * middle + 1e-6) / 100.0 for middle in middles]
        return np.array([*whole, self.edges_m[-1] + BEYOND_LAST_EDGE_M])

    @cached_property
    def is_near(self) -> np.ndarray:
        """Which bins are near walls, shape (count,)."""
        return self.centers_m < NEAR_WALL_M

    @cached_property
    def prior_array(self) -> np.ndarray:
        """Return the prior as an array, shape (count,)."""
        return np.array(self.prior, dtype=float)

    @cached_property
    def near_prior(self) -> float:
        """Share of near walls where the detector was calibrated."""
        return math.fsum(self.prior_array[self.is_near])

    def counted(self, bins: np.ndarray) -> DistanceBins:
        """
        Return these bins with the prior of a data set.

        bins: of its rows, (N,); what is below 0 is not known. One more of each is counted, so that
        none is impossible.
        """
        known = np.asarray(bins)[np.asarray(bins) >= 0].astype(int)
        share = np.bincount(known, minlength=self.count) + 1.0
        share = np.maximum(np.round(share / share.sum(), 5), 1e-5)
        return DistanceBins(self.edges_m, tuple(float(p) for p in share / share.sum()))

    def bin_of(self, distance_m: np.ndarray | float) -> np.ndarray | np.intp:
        """Return the bin of each distance; at an edge the farther one."""
        return np.searchsorted(self.edges_m, distance_m, side='right')

    def told(self, probabilities: tuple[float, ...]) -> np.ndarray | None:
        """Return a distance distribution that sums to 1, (count,); None where it says nothing."""
        told = np.asarray(probabilities, dtype=float)
        if not len(told) or not np.isfinite(told).all() or told.sum() <= 0.0:
            return None
        return told / told.sum()

    def information_nats(self, probabilities: tuple[float, ...]) -> float:
        """
        Return how much a distribution says: its divergence from the prior, in nats.

        0 for one that says what was known before; inf for none, which leaves it open.
        """
        told = self.told(probabilities)
        if told is None:
            return math.inf
        prior = self.prior_array / self.prior_array.sum()
        return float(np.sum(told * np.log(np.maximum(told, 1e-9) / prior)))

    def medians_m(self, probabilities: np.ndarray) -> np.ndarray:
        """
        Return the median of each distribution in meters, (N,), inf beyond the last edge.

        probabilities: shape (N, count). Within a bin a distribution is taken as even.
        """
        edges = np.array((0.0, *self.edges_m))
        below = np.cumsum(probabilities, axis=1)
        bin_ = np.argmax(below >= 0.5 - 1e-12, axis=1)
        rows = np.arange(len(probabilities))
        inside = probabilities[rows, bin_]
        part = (0.5 - (below[rows, bin_] - inside)) / np.maximum(inside, 1e-9)
        farther = bin_ >= len(self.edges_m)
        bin_ = np.minimum(bin_, len(self.edges_m) - 1)
        meters = edges[bin_] + part * (edges[bin_ + 1] - edges[bin_])
        return np.where(farther, np.inf, meters)

    def means_m(self, probabilities: np.ndarray, farther_m: float = 2.0) -> np.ndarray:
        """
        Return the mean of each distribution in meters, (N,).

        Bins count at their exact middle, what is farther than the last edge at ``farther_m``.
        """
        edges = np.array((0.0, *self.edges_m))
        return probabilities @ np.append((edges[1:] + edges[:-1]) / 2.0, farther_m)


def _cut_prior(edges_m: tuple[float, ...]) -> tuple[float, ...]:
    """
    Return the shipped detectors' prior in other bins: even within each of theirs.

    Beyond their last edge walls are taken to be as dense as in the bin before it.
    """
    if edges_m == _PRIOR_EDGES_M:
        return _PRIOR
    edges = np.array((0.0, *_PRIOR_EDGES_M))
    below = np.append(0.0, np.cumsum(_PRIOR[:-1]))
    density = _PRIOR[-2] / (edges[-1] - edges[-2])
    # Some share always lies farther, wherever the last edge is.
    last_m = edges[-1] + 0.9 * _PRIOR[-1] / density
    edges, below = np.append(edges, last_m), np.append(below, 1.0 - 0.1 * _PRIOR[-1])
    cut = np.interp(np.array(edges_m), edges, below)
    share = np.maximum(np.diff(np.concatenate([[0.0], cut, [1.0]])), 1e-3)
    return tuple(float(p) for p in share / share.sum())


#: The bins of the detectors that ship, and of what is trained here.
STANDARD_BINS = DistanceBins(_PRIOR_EDGES_M)
