"""The baselines that the paper compares with: straight line and random."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import AlgorithmSettings, algorithm1
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
