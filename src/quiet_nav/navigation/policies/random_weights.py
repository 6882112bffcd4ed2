"""The paper's random policy: Algorithm 1 on probabilities that know nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import AlgorithmSettings, algorithm1
from quiet_nav.navigation.policies.registry import PolicyKind
from quiet_nav.navigation.policy import Readings, Step


@dataclass
class RandomPolicy:
    """Algorithm 1 on probabilities that know nothing: uniform draws in place of a network's."""

    rng: np.random.Generator
    settings: AlgorithmSettings = field(default_factory=AlgorithmSettings)
    name: str = 'random'
    sides: frozenset[Side] = frozenset()
    wall_distance_m: float = math.nan

    def decide(self, readings: Readings, pose: Pose2D) -> Step:
        left, right = self.rng.uniform(size=2)
        return Step(
            algorithm1(float(left), float(right), self.settings),
            self.settings.step_length_m,
            'random',
        )


KIND = PolicyKind(
    'random',
    'Algorithm 1 on probabilities that know nothing',
    lambda asked: RandomPolicy(asked.rng, asked.settings.of(AlgorithmSettings)),
    AlgorithmSettings,
    {
        'threshold': 'threshold',
        'dead_band': 'dead_band',
        'gain': 'gain_rad',
        'max_turn': 'max_turn_rad',
        'step': 'step_length_m',
    },
)
