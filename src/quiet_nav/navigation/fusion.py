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

"""What is heard and what is seen of the same side, taken together."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np

from quiet_nav.perception.distance_bins import DistanceBins
from quiet_nav.perception.readings import Modality, NearWallReading

#: Nothing is surer than this: a single reading must not decide alone.
_MOST_LOGIT = 9.0
#: What no distribution falls below, so that no sense alone rules a distance out.
_LEAST_SHARE = 1e-4


def fused(readings: Sequence[NearWallReading]) -> NearWallReading:
    """
    Return the valid readings of one side by different senses as one; a single one as it is.

    Their errors are taken as independent: the likelihoods of the distances multiply, and so do
    the odds of a near wall, each over what was to be expected beforehand. The distances are told
    in the bins of the first reading that has any.
    """
    if len(readings) == 1:
        return readings[0]
    told = [r for r in readings if r.bins.told(r.distance_probabilities) is not None]
    bins = (told or readings)[0].bins
    prior = bins.prior_array
    product = prior * np.prod([_ratio(r, bins) for r in told], axis=0) if told else None
    before = _logit(bins.near_prior)
    logit = before + sum(_logit(r.probability) - _logit(r.bins.near_prior) for r in readings)
    first = max(readings, key=lambda r: r.end_ns)
    return NearWallReading(
        side=first.side,
        probability=1.0 / (1.0 + math.exp(-max(-_MOST_LOGIT, min(_MOST_LOGIT, logit)))),
        start_ns=min(r.start_ns for r in readings),
        end_ns=max(r.end_ns for r in readings),
        spread=max(r.spread for r in readings),
        clips=sum(r.clips for r in readings),
        context=first.context,
        distance_probabilities=()
        if product is None
        else tuple(map(float, product / product.sum())),
        modality=Modality.FUSION,
        bins=bins,
    )


def _ratio(reading: NearWallReading, bins: DistanceBins) -> np.ndarray:
    """Return how much likelier than expected a reading makes each of ``bins``, (count,)."""
    own = reading.bins
    ratio = (np.asarray(reading.distance_probabilities, float) + _LEAST_SHARE) / own.prior_array
    return ratio if own == bins else ratio[own.bin_of(bins.centers_m)]


def _logit(probability: float) -> float:
    p = min(max(probability, 1e-4), 1.0 - 1e-4)
    return math.log(p / (1.0 - p))
