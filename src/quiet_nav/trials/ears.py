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

"""What gives a trial its readings: idealized ears, error-prone ears, or a detector that listens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
from typing import Protocol

import numpy as np
from scipy.special import expit

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.navigation.listening import ListenStop
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.interference_detector import INTERFERENCE
from quiet_nav.perception.readings import NEAR_WALL_M, NearWallReading
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.robot.failures import Failures
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sound.own_sound import own_sound_of
from quiet_nav.sound.windows import WINDOW_S

#: Ears that need no sound.
DETECTORS = ('ideal', 'error-prone')
CONTEXTS = ('full', 'other-ears', 'reference', 'alone')
DISTURBANCES = ('none', 'distractors', 'gains', 'ventilation', 'silence')
_WINDOW_NS = round(WINDOW_S * 1e9)
_GRID_M = np.linspace(0.02, 3.0, 150)
#: A point at an edge lies in the nearer bin: a wall at 0.5 m is near.
_GRID_BINS = np.searchsorted(STANDARD_BINS.edges_m, _GRID_M)


class Ears(Protocol):
    """Readings of a robot that stands: what trials need of a detector."""

    def listen(self, pose: Pose2D, stop: ListenStop, start_ns: int) -> list[NearWallReading]:
        """
        Return readings of a window from ``start_ns`` on at a true pose.

        Sides are in the axes of the step's beginning (``stop`` is how far it has turned since).
        Readings of earlier windows of the same place may be given again, improved; those of an
        earlier step are in that step's axes, which the machine knows by their times.
        """


@dataclass(frozen=True)
class EarsRequest:
    """What ears of a trial hear, and with what it is read."""

    #: 'ideal', 'error-prone', 'interference', an ONNX file or a model by name.
    detector: str
    #: One of DISTURBANCES.
    disturbance: str = 'none'
    #: One of CONTEXTS: what the detector may use beside the window.
    context: str = 'full'
    #: What the robot itself emits, as ``own_sound_of`` takes it.
    own_sound: str = 'none'
    #: What they hear below 700 Hz is solved by waves, furniture and all; once for all trials.
    waves: bool = False

    def check(self) -> None:
        """Raise QuietNavError for ears that ``make_ears`` could not make."""
        for kind, name, known in (
            ('disturbance', self.disturbance, DISTURBANCES),
            ('context', self.context, CONTEXTS),
        ):
            if name not in known:
                raise QuietNavError(f'no {kind} {name!r}; there are: {", ".join(known)}')
        own_sound_of(self.own_sound, 0)
        if self.detector == INTERFERENCE and self.own_sound == 'none':
            raise QuietNavError(
                f'the detector {INTERFERENCE} hears by the own sound alone, and there is none; '
                'give own sound: dB over the ambience, or a robot profile'
            )
        if self.disturbance == 'silence' and self.own_sound == 'none':
            raise QuietNavError(
                'disturbance silence: nothing is left to hear by; give own sound: dB over the '
                'ambience that there would be, or a robot profile'
            )
        if self.detector in DETECTORS and replace(self, detector='') != EarsRequest(''):
            raise QuietNavError(
                f'the {self.detector} ear hears no sound: disturbance, context, own sound and '
                'waves need an ONNX file'
            )


def make_ears(
    asked: EarsRequest,
    plan: Plan,
    rig: Rig,
    rng: np.random.Generator,
    seed: Sequence[int],
    failures: Failures | None = None,
) -> Ears:
    """
    Return the ears of a detector.

    rng: of ears that need no sound; seed: of the scene that others hear. failures: what fails of
    sound and ears that hear any. Raises QuietNavError as ``asked.check`` and the detector's
    ``load`` do.
    """
    asked.check()
    if asked.detector in DETECTORS:
        return (IdealEars if asked.detector == 'ideal' else ErrorProneEars)(plan, rig, rng)
    from quiet_nav.trials.failing import FailingSound
    from quiet_nav.trials.hearing import HearingEars

    failing = None if failures is None else FailingSound(failures, seed)
    return HearingEars.of(asked, plan, rig, seed, failing)


class IdealEars:
    """The design's idealized ear: logit 6 per meter from 0.5 m on, unit noise, no memory."""

    slope_per_m = 6.0

    def __init__(self, plan: Plan, rig: Rig, rng: np.random.Generator, noise: float = 1.0) -> None:
        self._plan, self._rig, self._rng, self._noise = plan, rig, rng, noise

    def listen(self, pose: Pose2D, stop: ListenStop, start_ns: int) -> list[NearWallReading]:
        readings = []
        for ear in self._rig.ears:
            x, y = pose.transform(ear.x, ear.y)
            toward = wrap_angle(pose.yaw + ear.side.yaw_rad)
            distance = self._plan.ray_distances(np.array([x, y]), toward, furniture=False)
            p, bins = self._say(stop.side_of(ear.side), float(distance), (x, y))
            readings.append(
                NearWallReading(
                    stop.side_of(ear.side),
                    p,
                    start_ns,
                    start_ns + _WINDOW_NS,
                    distance_probabilities=tuple(bins),
                )
            )
        return readings

    def _say(
        self, side: Side, distance_m: float, place: tuple[float, float]
    ) -> tuple[float, np.ndarray]:
        """Return the near-wall probability and the distance bins of one ear."""
        logit = self.slope_per_m * (NEAR_WALL_M - min(distance_m, 10.0))
        logit += self._noise * float(self._rng.standard_normal())
        estimate = min(NEAR_WALL_M - logit / self.slope_per_m, _GRID_M[-1])
        spread = self._noise / self.slope_per_m
        likelihood = np.exp(-0.5 * ((_GRID_M - estimate) / spread) ** 2)
        return float(expit(logit)), _posterior(likelihood)


class ErrorProneEars(IdealEars):
    """
    Ears that err as a trained detector does: errors grow with distance and hang together.

    Median absolute error about 0.15 m within 1 m; errors of places 0.5 m apart still correlate
    by 1/e (the room's field is the same there); 4 % of the readings say anything; the spread told
    is 15 % too small. Parameters set by hand after the design's table.
    """

    def __init__(self, plan: Plan, rig: Rig, rng: np.random.Generator, noise: float = 1.0) -> None:
        super().__init__(plan, rig, rng, noise)
        self._field: dict[Side, tuple[float, tuple[float, float]]] = {}

    def _say(
        self, side: Side, distance_m: float, place: tuple[float, float]
    ) -> tuple[float, np.ndarray]:
        distance = min(distance_m, 2.0)
        error = 0.8 * self._walk(side, place) + 0.6 * float(self._rng.standard_normal())
        estimate = distance + self._spread(distance) * error
        if self._rng.uniform() < 0.04:
            estimate = float(self._rng.uniform(0.1, 2.2))
        told = 0.85 * self._spread(np.minimum(_GRID_M, 2.0))
        off = (np.minimum(_GRID_M, 2.0) - estimate) / told
        bins = _posterior(np.exp(-0.5 * off**2) / told)
        return float(bins[STANDARD_BINS.is_near].sum()), bins

    def _spread(self, distance_m: float | np.ndarray) -> float | np.ndarray:
        return self._noise * (0.12 + 0.22 * distance_m)

    def _walk(self, side: Side, place: tuple[float, float]) -> float:
        """Return the error that hangs together from place to place, unit variance."""
        value = float(self._rng.standard_normal())
        if side in self._field:
            before, where = self._field[side]
            kept = math.exp(-math.hypot(place[0] - where[0], place[1] - where[1]) / 0.5)
            value = kept * before + math.sqrt(1.0 - kept**2) * value
        self._field[side] = (value, place)
        return value


def _posterior(likelihood: np.ndarray) -> np.ndarray:
    """Return bin probabilities from a likelihood on the distance grid, by the bins' prior."""
    count = STANDARD_BINS.count
    total = np.bincount(_GRID_BINS, weights=likelihood, minlength=count)
    bins = total / np.bincount(_GRID_BINS, minlength=count) * STANDARD_BINS.prior_array
    return bins / bins.sum()
