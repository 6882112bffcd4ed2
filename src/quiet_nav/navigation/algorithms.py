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

"""Algorithms 1 and 2 of the paper as pure functions, with their settings."""

from __future__ import annotations

from dataclasses import dataclass
import math

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.navigation.policy import BOTH_SIDES


@dataclass(frozen=True)
class AlgorithmSettings:
    """
    Settings of Algorithm 1; QuietNavError where a value is outside its range.

    The paper gives neither gain nor cap ("Angle" is proportional to the difference), nor alpha.
    """

    #: p of the paper, 0 to 1.
    threshold: float = 0.2
    #: alpha of the paper, 0 to 1: sides that differ by less are alike, and the robot goes straight.
    dead_band: float = 0.05
    #: Turn per unit of probability: what "proportional" means.
    gain_rad: float = 1.0
    #: Cap of one turn.
    max_turn_rad: float = math.radians(45.0)
    #: v of the paper.
    step_length_m: float = 0.2

    def __post_init__(self) -> None:
        for name, low, high in (
            ('threshold', 0.0, 1.0),
            ('dead_band', 0.0, 1.0),
            ('gain_rad', 0.0, 20.0),
            ('max_turn_rad', 0.0, math.pi),
            ('step_length_m', 0.0, 2.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise QuietNavError(f'{name} is {value}; expected {low} to {high:.4g}')

    def turn_rad(self, error: float) -> float:
        """Return the capped angle, never negative, for a distance in probability."""
        return min(self.gain_rad * abs(error), self.max_turn_rad)


@dataclass(frozen=True)
class Algorithm2Settings(AlgorithmSettings):
    """
    Settings of Algorithm 2: its own threshold (the paper's), gain and cap.

    P of images is sharp, and p near 1: the way from p to 1 has to turn the robot, too.
    """

    #: p: the wall counts as kept from this P on.
    threshold: float = 0.97
    #: Turn for a P that differs from p by 1.
    gain_rad: float = 12.0
    #: Cap of a turn.
    max_turn_rad: float = math.radians(20.0)
    #: Beyond the paper, and off by default (1): where the front was seen (or heard) as well, a
    #: wall there of at least this P is turned away from. 0.1 serves the image detector: a wall
    #: that is met at a slant is told late.
    ahead: float = 1.0
    #: ... by this angle.
    ahead_turn_rad: float = math.radians(90.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0.0 < self.ahead <= 1.0 and 0.0 < self.ahead_turn_rad <= math.pi):
            raise QuietNavError(
                f'ahead {self.ahead}, ahead_turn_rad {self.ahead_turn_rad}; expected above 0, '
                'up to 1 and pi'
            )


def algorithm1(p_left: float, p_right: float, settings: AlgorithmSettings) -> float:
    """
    Return the turn (rad, counter-clockwise) of Algorithm 1.

    As printed: of equal probabilities the right one is taken for the larger, so that with a dead
    band of 0 it never goes straight (but for a mean of p, where the angle is 0).
    Raises QuietNavError where a probability is not a number from 0 to 1.
    Source: the paper, Algorithm 1.
    """
    _check(p_left, p_right)
    mean = 0.5 * (p_left + p_right)
    if abs(p_left - p_right) < settings.dead_band:
        return 0.0
    louder = 1.0 if p_left > p_right else -1.0
    angle = settings.turn_rad(mean - settings.threshold)
    return -louder * angle if mean > settings.threshold else louder * angle


def algorithm2_near_side(p_left: float, p_right: float) -> Side:
    """
    Return the near-wall side N of the first step; a tie is LEFT.

    Raises QuietNavError where a probability is not a number from 0 to 1.
    """
    _check(p_left, p_right)
    return Side.RIGHT if p_right > p_left else Side.LEFT


def algorithm2(p_near: float, near: Side, settings: AlgorithmSettings) -> float:
    """
    Return the turn (rad, counter-clockwise) of Algorithm 2 for the near-wall side.

    Raises QuietNavError where ``near`` is not LEFT or RIGHT or P is not a number from 0 to 1.
    Source: the paper, Algorithm 2.
    """
    _check(p_near)
    if near not in BOTH_SIDES:
        raise QuietNavError(f'near-wall side is {near.name}; expected LEFT or RIGHT')
    toward = 1.0 if near == Side.LEFT else -1.0
    angle = settings.turn_rad(p_near - settings.threshold)
    return -toward * angle if p_near > settings.threshold else toward * angle


def _check(*probabilities: float) -> None:
    for p in probabilities:
        if not 0.0 <= p <= 1.0:
            raise QuietNavError(f'near-wall probability is {p}; expected a number from 0 to 1')
