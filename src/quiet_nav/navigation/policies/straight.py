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

"""The paper's straight line: drives on without turning or listening."""

from __future__ import annotations

from dataclasses import dataclass
import math

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import AlgorithmSettings
from quiet_nav.navigation.policies.registry import PolicyKind
from quiet_nav.navigation.policy import Readings, Step


@dataclass
class StraightPolicy:
    """Drive straight on without listening."""

    step_length_m: float = 0.2
    name: str = 'straight'
    sides: frozenset[Side] = frozenset()
    wall_distance_m: float = math.nan

    def decide(self, readings: Readings, pose: Pose2D) -> Step:
        return Step(0.0, self.step_length_m, 'straight line')


KIND = PolicyKind(
    'straight',
    'straight on; it never turns and never listens',
    lambda asked: StraightPolicy(asked.settings.of(AlgorithmSettings).step_length_m),
    AlgorithmSettings,
    {'step': 'step_length_m'},
)
