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

"""The paper's p by hand: the threshold of Algorithm 1 that is best in a room, on other seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.trials.protocol import TrialRequest, TrialResult
from quiet_nav.trials.sweep import Sweep

#: Trials a room that p is chosen on where the sweep has the paper's number: each start once.
TUNING_TRIALS = 9
#: Runs trials, with whatever the caller shows meanwhile.
Run = Callable[[Sequence[TrialRequest]], Iterable[TrialResult]]


def tuned(sweep: Sweep, candidates: Sequence[float], seeds: Sequence[int], run: Run) -> Sweep:
    """
    Return a sweep with p by room: of the candidates the one with the largest share of the track.

    Algorithm 1 drives the trials of ``seeds`` with each, every start pose once unless the sweep has
    a number of trials; of equals the smaller p wins.
    Source: the paper, A.2 ("For each room, we manually adjusted the threshold p").
    Raises QuietNavError where the seeds are also those of the sweep.
    """
    both = sorted(set(seeds) & set(sweep.seeds))
    if both:
        raise QuietNavError(
            f'p would be chosen on seed {both[0]}, which is also driven for the table; '
            'name another --tune-seed'
        )
    if 'audio' not in sweep.modalities or not {'algorithm1', 'random'} & set(sweep.policies):
        return sweep
    trials = sweep.trials or TUNING_TRIALS
    asked = replace(
        sweep, policies=('algorithm1',), seeds=tuple(seeds), trials=trials, thresholds={}
    )
    shares: dict[str, dict[float, float]] = {room: {} for room in sweep.room_names()}
    for threshold in sorted(candidates):
        results = list(run(asked.one_threshold(threshold).requests()))
        for room in shares:
            shares[room][threshold] = float(np.mean([r.share for r in results if r.room == room]))
    best = {room: max(found, key=lambda p: found[p]) for room, found in shares.items()}
    return replace(sweep, thresholds=best)
