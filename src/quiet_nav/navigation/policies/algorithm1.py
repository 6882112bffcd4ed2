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
        return Step(
            algorithm1(left, right, self.settings),
            self.settings.step_length_m,
            f'P(L) {left:.2f}, P(R) {right:.2f}',
        )


KIND = PolicyKind(
    'algorithm1',
    'Algorithm 1 of the paper: both sides, by sound',
    lambda asked: Algorithm1Policy(asked.settings.of(AlgorithmSettings)),
    AlgorithmSettings,
    {
        'threshold': 'threshold',
        'dead_band': 'dead_band',
        'gain': 'gain_rad',
        'max_turn': 'max_turn_rad',
        'step': 'step_length_m',
    },
)
