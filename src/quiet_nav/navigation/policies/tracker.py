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

"""The wall tracker as a policy by name."""

from __future__ import annotations

import math

from quiet_nav.geometry import Side
from quiet_nav.navigation.belief import BeliefSettings
from quiet_nav.navigation.policies.registry import PolicyKind, PolicyRequest
from quiet_nav.navigation.policy import BOTH_SIDES
from quiet_nav.navigation.tracker import TrackerSettings, WallTracker


def _make(asked: PolicyRequest) -> WallTracker:
    offset_m = max(math.hypot(ear.x, ear.y) for ear in asked.rig.ears)
    return WallTracker(
        asked.rng,
        asked.settings.of(TrackerSettings),
        asked.settings.of(BeliefSettings),
        asked.side,
        dict.fromkeys(Side, offset_m),
        any(ear.side in BOTH_SIDES for ear in asked.rig.ears),
        asked.camera.ears[0].x,
    )


KIND = PolicyKind(
    'tracker',
    'a Bayes filter over where the wall is; finds its side, rounds corners',
    _make,
    TrackerSettings,
    {'gain': 'gain_rad_per_m', 'max_turn': 'max_turn_rad', 'step': 'step_length_m'},
)
