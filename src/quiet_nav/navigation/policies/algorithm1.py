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

"""Algorithm 1 of the paper as a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
import math

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import algorithm1, AlgorithmSettings
from quiet_nav.navigation.policies.registry import PolicyKind
from quiet_nav.navigation.policy import BOTH_SIDES, Readings, Step, usable_probability


@dataclass
class Algorithm1Policy:
    """Algorithm 1; without a reading of both sides it stays where it is and listens again."""

    settings: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    name: str = 'algorithm1'
    sides: frozenset[Side] = BOTH_SIDES
    wall_distance_m: float = math.nan

    def decide(self, readings: Readings, pose: Pose2D) -> Step:
        left = usable_probability(readings, Side.LEFT)
        right = usable_probability(readings, Side.RIGHT)
        if left is None or right is None:
            return Step(reason='a side has no reading')
        return self.step(left, right)

    def step(self, left: float, right: float, reason: str = '') -> Step:
        """Return the step for both probabilities; reason: what is said before them."""
        return Step(
            algorithm1(left, right, self.settings),
            self.settings.step_length_m,
            f'{reason}P(L) {left:.2f}, P(R) {right:.2f}',
        )


#: The options of commands and what they set.
OPTIONS = {
    'threshold': 'threshold',
    'dead_band': 'dead_band',
    'gain': 'gain_rad',
    'max_turn': 'max_turn_rad',
    'step': 'step_length_m',
}


KIND = PolicyKind(
    'algorithm1',
    'Algorithm 1 of the paper: both sides, by sound',
    lambda asked: Algorithm1Policy(asked.settings.of(AlgorithmSettings)),
    AlgorithmSettings,
    OPTIONS,
)
