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
