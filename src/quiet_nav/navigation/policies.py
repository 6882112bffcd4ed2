"""Policies by name, as users write them in goals, parameters and commands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.navigation.algorithms import (
    Algorithm1Policy,
    Algorithm2Policy,
    Algorithm2Settings,
    AlgorithmSettings,
)
from quiet_nav.navigation.baselines import RandomPolicy, StraightPolicy
from quiet_nav.navigation.belief import BeliefSettings
from quiet_nav.navigation.policy import BOTH_SIDES, Policy
from quiet_nav.navigation.tracker import TrackerSettings, WallTracker
from quiet_nav.perception.rig import CAMERA_RIG, Rig

POLICIES = ('tracker', 'algorithm1', 'algorithm2', 'straight', 'random')


@dataclass(frozen=True)
class PolicySettings:
    """Settings of every policy; ``algorithm`` is for Algorithm 1 and the baselines."""

    algorithm: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    algorithm2: Algorithm2Settings = field(default_factory=Algorithm2Settings)
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    belief: BeliefSettings = field(default_factory=BeliefSettings)


def make_policy(
    name: str,
    rng: np.random.Generator,
    rig: Rig,
    side: Side | None = None,
    settings: PolicySettings | None = None,
    camera: Rig = CAMERA_RIG,
) -> Policy:
    """Return a new policy, with nothing remembered.

    rig: the ears; camera: the camera, for what is seen. side: LEFT or RIGHT, the side to keep the
    wall on, None for the nearer one; Algorithm 1 and the baselines have no such notion.
    Raises QuietNavError for an unknown name or another side.
    """
    if side not in (None, Side.LEFT, Side.RIGHT):
        raise QuietNavError(f'side to follow is {side.name}; expected LEFT or RIGHT')
    settings = settings or PolicySettings()
    algorithm = settings.algorithm
    if name == 'tracker':
        offset = max(math.hypot(ear.x, ear.y) for ear in rig.ears)
        offsets = dict.fromkeys(Side, offset)
        others = any(ear.side in BOTH_SIDES for ear in rig.ears)
        camera_m = camera.ears[0].x
        return WallTracker(rng, settings.tracker, settings.belief, side, offsets, others, camera_m)
    if name == 'algorithm1':
        return Algorithm1Policy(algorithm)
    if name == 'algorithm2':
        return Algorithm2Policy(settings.algorithm2, side)
    if name == 'straight':
        return StraightPolicy(algorithm.step_length_m)
    if name == 'random':
        return RandomPolicy(rng, algorithm)
    raise QuietNavError(f'no policy {name!r}; policies: {", ".join(POLICIES)}')
