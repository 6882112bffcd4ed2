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

"""What a detector says: near-wall readings, the same on the robot, in replay and in simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import enum
import math

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.distance_bins import NEAR_WALL_M as NEAR_WALL_M


class Modality(enum.IntEnum):
    """What was looked or listened with; numbers as in NearWall.msg."""

    AUDIO = 0
    VISION = 1
    FUSION = 2


class Context(enum.IntFlag):
    """What the detector was given beside the window itself; bits as in NearWall.msg."""

    ALONE = 0
    REFERENCE = 1
    OTHER_EARS = 2

    @property
    def text(self) -> str:
        """Its name, as ``parse_context`` takes it."""
        return next(name for name, value in CONTEXT_NAMES.items() if value == self)


class HearsBy(enum.StrEnum):
    """Which sound a reading lives by; words as in NearWall.msg."""

    UNKNOWN = ''
    AMBIENCE = 'ambience'
    OWN_SOUND = 'own sound'
    BOTH = 'both'
    CHANGED = 'own sound changed'


class Question(enum.IntEnum):
    """
    Which wall a reading is about.

    DIRECTION: the one in the direction of the ear's side, as a robot among walls asks. NEAREST:
    the nearest of the room, as one microphone asks that faces it (the paper's static recordings).
    """

    DIRECTION = 0
    NEAREST = 1


#: Names of the questions, as users give them.
QUESTIONS = tuple(question.name.lower() for question in Question)


def parse_question(text: str) -> Question:
    """Return the question that a user names: direction or nearest."""
    if text not in QUESTIONS:
        raise QuietNavError(f'question {text!r} is none of {", ".join(QUESTIONS)}')
    return Question[text.upper()]


CONTEXT_NAMES = {
    'alone': Context.ALONE,
    'reference': Context.REFERENCE,
    'other_ears': Context.OTHER_EARS,
    'both': Context.REFERENCE | Context.OTHER_EARS,
}


def parse_context(text: str) -> Context:
    """Return the context that a user names: alone, reference, other_ears, both."""
    try:
        return CONTEXT_NAMES[text.replace('-', '_').replace(' ', '_')]
    except KeyError:
        raise QuietNavError(f'context {text!r} is none of {", ".join(CONTEXT_NAMES)}') from None


@dataclass(frozen=True)
class NearWallReading:
    """
    How likely a wall is within 0.5 m of a microphone in the direction of ``side``.

    side is asked in base_link as the robot stood during the window; only trials, which know every
    turn, ask in that of the step's beginning.
    probability: calibrated, 0 to 1, NaN where not valid. spread: standard deviation over clips.
    model_fault: not valid for what the model said, not for what it was given.
    distance_probabilities: one per bin of ``bins``, summing to 1; empty where the detector gives
    none. Times are integer nanoseconds.
    Raises QuietNavError where there are more or fewer of them than bins.
    """

    side: Side
    probability: float
    start_ns: int
    end_ns: int
    spread: float = 0.0
    clips: int = 0
    context: Context = Context.ALONE
    distance_probabilities: tuple[float, ...] = ()
    modality: Modality = Modality.AUDIO
    valid: bool = True
    reason: str = ''
    bins: DistanceBins = STANDARD_BINS
    hears_by: HearsBy = HearsBy.UNKNOWN
    model_fault: bool = False

    def __post_init__(self) -> None:
        if self.distance_probabilities and len(self.distance_probabilities) != self.bins.count:
            raise QuietNavError(
                f'a reading with {len(self.distance_probabilities)} distance probabilities; '
                f'expected {self.bins.count}, one a bin'
            )

    @property
    def median_distance_m(self) -> float:
        """Median of the distance distribution in meters; inf beyond the last edge."""
        total, below = 0.0, 0.0
        for p, edge in zip(self.distance_probabilities, self.bins.edges_m, strict=False):
            if total + p >= 0.5:
                return below + (0.5 - total) / max(p, 1e-9) * (edge - below)
            total, below = total + p, edge
        return math.inf

    @classmethod
    def invalid(
        cls,
        side: Side,
        start_ns: int,
        end_ns: int,
        reason: str,
        modality: Modality = Modality.AUDIO,
    ) -> NearWallReading:
        """Return a reading that says only why there is none."""
        return cls(side, math.nan, start_ns, end_ns, modality=modality, valid=False, reason=reason)


def finite(reading: NearWallReading) -> NearWallReading:
    """Return the reading, marked as not valid where the model's numbers are no probabilities."""
    fault = ''
    if math.isnan(reading.probability):
        fault = 'the model gave NaN'
    elif not 0.0 <= reading.probability <= 1.0:
        fault = f'the model gave {reading.probability:g} as a probability'
    elif not 0.0 <= reading.spread <= 1.0:
        fault = f'the model gave {reading.spread:g} as a spread'
    elif not is_distribution(reading.distance_probabilities):
        fault = 'the model gave no distribution of the distance'
    if not fault:
        return reading
    return replace(
        reading,
        probability=math.nan,
        spread=0.0,
        distance_probabilities=(),
        valid=False,
        reason=fault,
        model_fault=True,
    )


def is_distribution(probabilities: Sequence[float]) -> bool:
    """Return whether numbers are probabilities that sum to 1 (to 1 %), or none at all."""
    if not len(probabilities):
        return True
    each = all(0.0 <= p <= 1.0 + 1e-3 for p in probabilities)
    return each and abs(sum(probabilities) - 1.0) <= 0.01
