"""Bins of a value, found by k-means of the training values: regression by classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from quiet_nav.errors import QuietNavError


@dataclass(frozen=True)
class Bins:
    """Bins by their centres, ascending: a value belongs to the nearest."""

    centres: tuple[float, ...]

    @classmethod
    def fit(cls, values: np.ndarray, count: int, who: str, seed: int = 0) -> Bins:
        """Cluster values (N,); QuietNavError where fewer different ones than bins are there."""
        from sklearn.cluster import KMeans

        different = len(np.unique(values))
        if different < count:
            raise QuietNavError(
                f'{who}: {different} different values to train on, fewer than {count} bins; '
                'record more places or set the option bins lower'
            )
        found = KMeans(count, n_init=4, random_state=seed).fit(np.asarray(values)[:, None])
        return cls(tuple(sorted(float(c) for c in found.cluster_centers_[:, 0])))

    @classmethod
    def of(cls, state: dict[str, Any]) -> Bins:
        """Return the bins that a task's state keeps."""
        return cls(tuple(state['centres']))

    def listed(self) -> list[float]:
        return list(self.centres)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """Return the number of each value's bin, (N,), from 0 on."""
        edges = np.add(self.centres[:-1], self.centres[1:]) / 2.0
        return np.searchsorted(edges, values)

    def expected(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the mean value under bin probabilities (N, K)."""
        return probabilities @ np.array(self.centres)
