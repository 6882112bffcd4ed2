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

"""The paper's random policy: the audio policy on a network of random weights."""

from __future__ import annotations

from dataclasses import dataclass, field
import math

import numpy as np

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import algorithm1, AlgorithmSettings
from quiet_nav.navigation.policies.registry import PolicyKind, PolicyRequest
from quiet_nav.navigation.policy import BOTH_SIDES, Readings, Step, usable_probability


@dataclass
class RandomPolicy:
    """
    Algorithm 1 on probabilities that know nothing; it turns and listens just as that does.

    by_network: the readings are those of a network of random weights, as in trials by ear. Where
    they are not, as on a robot, each probability is drawn anew, uniform from 0 to 1, in its place.
    Source: the paper, section 5.3: "the setting is the same as our method, except that we use an
    obstacle detection network with random weights".
    """

    rng: np.random.Generator
    settings: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    by_network: bool = False
    name: str = 'random'
    sides: frozenset[Side] = BOTH_SIDES
    wall_distance_m: float = math.nan

    def decide(self, readings: Readings, pose: Pose2D) -> Step:
        left = usable_probability(readings, Side.LEFT)
        right = usable_probability(readings, Side.RIGHT)
        if left is None or right is None:
            return Step(reason='a side has no reading')
        if not self.by_network:
            left, right = map(float, self.rng.uniform(size=2))
        return Step(
            algorithm1(left, right, self.settings),
            self.settings.step_length_m,
            f'random P(L) {left:.2f}, P(R) {right:.2f}',
        )


def _make(asked: PolicyRequest) -> RandomPolicy:
    return RandomPolicy(asked.rng, asked.settings.of(AlgorithmSettings), asked.random_weights)


KIND = PolicyKind(
    'random',
    'Algorithm 1 on a network of random weights (on a robot: on random probabilities)',
    _make,
    AlgorithmSettings,
    {
        'threshold': 'threshold',
        'dead_band': 'dead_band',
        'gain': 'gain_rad',
        'max_turn': 'max_turn_rad',
        'step': 'step_length_m',
    },
    random_weights=True,
)
