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

"""The detector without a model: walls by the interference of the robot's own sound with itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.detector import (
    Detector,
    DetectorSession,
    HeardWindow,
    NearWallDetector,
)
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import (
    Context,
    finite,
    HearsBy,
    NearWallReading,
    Question,
)
from quiet_nav.perception.reference import RoomReference
from quiet_nav.perception.rig import Ear
from quiet_nav.perception.standing_sound import band_frequencies_hz, StandingSound
from quiet_nav.perception.wall_ripples import RippleSettings, WallRipples
from quiet_nav.resources import model_file
from quiet_nav.sound.validity import ValidityLimits
from quiet_nav.sound.windows import CLIPS_PER_WINDOW

#: The detector's name, where others have the name of a model file.
INTERFERENCE = 'interference'


class InterferenceDetector:
    """Walls from the rig, the robot's profile and its fingerprint; nothing was trained."""

    name = source = INTERFERENCE
    version, uses_context = '1', True

    def __init__(
        self, limits: ValidityLimits | None = None, settings: RippleSettings | None = None
    ) -> None:
        self.limits, self.settings = limits or ValidityLimits(), settings or RippleSettings()

    def session(
        self,
        context: Context = Context.REFERENCE | Context.OTHER_EARS,
        reference: RoomReference | None = None,
        seed: int | None = None,
        question: Question = Question.DIRECTION,
        standing: StandingSound | None = None,
    ) -> DetectorSession:
        """
        Begin to listen; see ``NearWallDetector.session``.

        Raises QuietNavError where the robot's standing sound is not given, or the nearest wall is
        asked about, whatever its direction.
        """
        if standing is None:
            raise QuietNavError(
                f'detector {INTERFERENCE}: whose own sound? give the robot (turtlebot4, or the '
                '.sound.yaml file of its profile)'
            )
        if question == Question.NEAREST:
            raise QuietNavError(
                f'detector {INTERFERENCE} answers for the direction of an ear; question: direction'
            )
        return InterferenceSession(self, context, reference, seed, question, standing)


class InterferenceSession(DetectorSession):
    """One run of listening by own sound: windows heard at once are read together."""

    detector: InterferenceDetector
    standing: StandingSound

    def __init__(
        self,
        detector: InterferenceDetector,
        context: Context,
        reference: RoomReference | None,
        seed: int | None,
        question: Question,
        standing: StandingSound,
    ) -> None:
        super().__init__(detector, context, reference, seed, question, standing)
        self._made: dict[tuple[Ear, ...], WallRipples] = {}

    def _read(self, heard: list[HeardWindow]) -> list[NearWallReading]:
        listens: dict[int, list[int]] = {}
        for i, h in enumerate(heard):
            alone = not self.context & Context.OTHER_EARS
            listens.setdefault(i if alone else h.window.start_ns, []).append(i)
        found: dict[int, NearWallReading] = {}
        for indices in listens.values():
            told = self._told([heard[i] for i in indices])
            for i, distribution in zip(indices, told, strict=True):
                found[i] = self._of(heard[i], distribution, len(indices) > 1)
        return [found[i] for i in range(len(heard))]

    def _told(self, heard: Sequence[HeardWindow]) -> np.ndarray:
        """Return a distribution of the distance a window, (N, bins); the prior where unknown."""
        by_channel = {ear.channel: ear for ear in self.standing.rig.ears}
        told = np.tile(STANDARD_BINS.prior_array / STANDARD_BINS.prior_array.sum(), (len(heard), 1))
        over = {}
        for i, h in enumerate(heard):
            above = None
            # What ambience drowns, and a fan that turns otherwise, ripple by no wall.
            if h.ear in by_channel and self.standing.hears_by(h.ear, self.spectrum(h)) not in (
                HearsBy.AMBIENCE,
                HearsBy.CHANGED,
            ):
                above = self.standing.over(h.ear, self.spectrum(h))
            if above is not None:
                over[i] = above
        if over:
            ripples = self._ripples(tuple(by_channel[heard[i].ear] for i in over))
            told[list(over)] = ripples.told(np.stack(list(over.values())))
        return told

    def _ripples(self, ears: tuple[Ear, ...]) -> WallRipples:
        if ears not in self._made:
            self._made[ears] = WallRipples(
                ears, self.standing.profile, band_frequencies_hz(), self.detector.settings
            )
        return self._made[ears]

    def _of(self, heard: HeardWindow, told: np.ndarray, others: bool) -> NearWallReading:
        bins = STANDARD_BINS
        return finite(
            NearWallReading(
                side=heard.side,
                probability=float(np.clip(told[bins.is_near].sum(), 0.0, 1.0)),
                start_ns=heard.window.start_ns,
                end_ns=heard.window.end_ns,
                clips=1,
                context=Context.OTHER_EARS if others else Context.ALONE,
                distance_probabilities=tuple(float(p) for p in told),
                bins=bins,
            )
        )


def load_detector(
    name: str | Path,
    threads: int = 2,
    clips: int = CLIPS_PER_WINDOW,
    limits: ValidityLimits | None = None,
) -> Detector:
    """
    Return the detector of a name: interference, a model that ships, or an ONNX file.

    Raises QuietNavError where there is none of that name, or it cannot be used.
    """
    if str(name) == INTERFERENCE:
        return InterferenceDetector(limits)
    return NearWallDetector.load(model_file(name), threads, clips, limits)
