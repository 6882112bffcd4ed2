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

import numpy as np

from quiet_nav.navigation.algorithms import AlgorithmSettings
from quiet_nav.navigation.policies.algorithm1 import Algorithm1Policy, OPTIONS
from quiet_nav.navigation.policies.registry import PolicyKind, PolicyRequest
from quiet_nav.navigation.policy import Step


@dataclass
class RandomPolicy(Algorithm1Policy):
    """
    Algorithm 1 on probabilities that know nothing; it turns and listens just as that does.

    by_network: the readings are those of a network of random weights, as in trials by ear. Where
    they are not, as on a robot, each probability is drawn anew, uniform from 0 to 1, in its place.
    Source: the paper, section 5.3: "the setting is the same as our method, except that we use an
    obstacle detection network with random weights".
    """

    name: str = 'random'
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    by_network: bool = False

    def step(self, left: float, right: float, reason: str = 'random ') -> Step:
        if not self.by_network:
            left, right = map(float, self.rng.uniform(size=2))
        return super().step(left, right, reason)


def _make(asked: PolicyRequest) -> RandomPolicy:
    return RandomPolicy(
        asked.settings.of(AlgorithmSettings), rng=asked.rng, by_network=asked.random_weights
    )


KIND = PolicyKind(
    'random',
    'Algorithm 1 on a network of random weights (on a robot: on random probabilities)',
    _make,
    AlgorithmSettings,
    OPTIONS,
    random_weights=True,
)
