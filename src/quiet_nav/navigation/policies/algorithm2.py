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

"""Algorithm 2 of the paper as a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
import math

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import algorithm2, algorithm2_near_side, Algorithm2Settings
from quiet_nav.navigation.policies.registry import PolicyKind
from quiet_nav.navigation.policy import BOTH_SIDES, Readings, Step, usable_probability


@dataclass
class Algorithm2Policy:
    """Algorithm 2; ``near`` may be set beforehand, else the first step finds it."""

    settings: Algorithm2Settings = field(default_factory=Algorithm2Settings)
    near: Side | None = None
    name: str = 'algorithm2'
    wall_distance_m: float = math.nan

    @property
    def sides(self) -> frozenset[Side]:
        """Both at first, then the near-wall side alone."""
        return BOTH_SIDES if self.near is None else frozenset({self.near})

    def decide(self, readings: Readings, pose: Pose2D) -> Step:
        if self.near is None:
            left = usable_probability(readings, Side.LEFT)
            right = usable_probability(readings, Side.RIGHT)
            if left is None or right is None:
                return Step(reason='a side has no reading')
            self.near = algorithm2_near_side(left, right)
        p = usable_probability(readings, self.near)
        if p is None:
            return Step(reason=f'the {self.near.name} side has no reading')
        ahead = usable_probability(readings, Side.FRONT)
        if ahead is not None and ahead >= self.settings.ahead < 1.0:
            away = -1.0 if self.near == Side.LEFT else 1.0
            return Step(
                away * self.settings.ahead_turn_rad,
                self.settings.step_length_m,
                f'P(FRONT) {ahead:.2f}',
            )
        return Step(
            algorithm2(p, self.near, self.settings),
            self.settings.step_length_m,
            f'P({self.near.name}) {p:.2f}',
        )


KIND = PolicyKind(
    'algorithm2',
    'Algorithm 2 of the paper: the near-wall side, by sight',
    lambda asked: Algorithm2Policy(asked.settings.of(Algorithm2Settings), asked.side),
    Algorithm2Settings,
    {
        'threshold': 'threshold',
        'gain': 'gain_rad',
        'max_turn': 'max_turn_rad',
        'step': 'step_length_m',
        'ahead': 'ahead',
    },
)
