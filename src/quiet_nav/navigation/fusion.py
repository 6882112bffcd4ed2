"""What is heard and what is seen of the same side, taken together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from quiet_nav.navigation.belief import BeliefSettings
from quiet_nav.perception.readings import Modality, NearWallReading

#: Nothing is surer than this: a single reading must not decide alone.
_MOST_LOGIT = 9.0


def fused(
    readings: Sequence[NearWallReading], settings: BeliefSettings | None = None
) -> NearWallReading:
    """Return the valid readings of one side by different senses as one; a single one as it is.

    Their errors are taken as independent: the likelihoods of the distances multiply, and so do
    the odds of a near wall, each over what was to be expected beforehand (``settings``' priors).
    """
    if len(readings) == 1:
        return readings[0]
    settings = settings or BeliefSettings()
    prior = np.asarray(settings.bin_prior)
    told = [np.asarray(r.distance_probabilities, float) for r in readings]
    told = [bins for bins in told if bins.shape == prior.shape]
    bins = prior * np.prod([(bins + 1e-4) / prior for bins in told], axis=0) if told else None
    before = _logit(settings.near_prior)
    logit = before + sum(_logit(r.probability) - before for r in readings)
    first = max(readings, key=lambda r: r.end_ns)
    return NearWallReading(
        first.side,
        1.0 / (1.0 + math.exp(-max(-_MOST_LOGIT, min(_MOST_LOGIT, logit)))),
        min(r.start_ns for r in readings),
        max(r.end_ns for r in readings),
        max(r.spread for r in readings),
        sum(r.clips for r in readings),
        first.context,
        () if bins is None else tuple(map(float, bins / bins.sum())),
        Modality.FUSION,
    )


def _logit(probability: float) -> float:
    p = min(max(probability, 1e-4), 1.0 - 1e-4)
    return math.log(p / (1.0 - p))
