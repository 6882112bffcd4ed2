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

"""Trials by ear: what the rig hears in a floor plan, read by a detector, disturbed on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
import functools
import sys
from typing import Protocol

import numpy as np

from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.listening import ListenStop
from quiet_nav.perception.detector import Detector, HeardWindow
from quiet_nav.perception.interference_detector import load_detector
from quiet_nav.perception.place import ListeningPlace
from quiet_nav.perception.readings import Context, NearWallReading
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.robot.calibrated import calibrated
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sound.distractors import Event, FIRST_KINDS
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.own_sound import own_sound_of, profile_of
from quiet_nav.simulation.sound.scenes import draw_point, Scene, scene_in_plan, SceneRanges
from quiet_nav.simulation.sound.sources import Schedule
from quiet_nav.sound.windows import SAMPLE_RATE, Window, WINDOW_SAMPLES
from quiet_nav.streams import stream_key
from quiet_nav.trials.ears import EarsRequest
from quiet_nav.trials.failing import FailingSound
from quiet_nav.trials.random_network import RandomNetwork

#: What the names in ``ears.CONTEXTS`` let the detector use.
_CONTEXTS = {
    'full': Context.REFERENCE | Context.OTHER_EARS,
    'other-ears': Context.OTHER_EARS,
    'reference': Context.REFERENCE,
    'alone': Context.ALONE,
}
#: The detector that has weights of its own for every trial.
RANDOM_WEIGHTS = 'random-weights'
_WEIGHTS_STREAM = 2
#: Gains of the microphones lie within +- this under the disturbance 'gains'.
UNEQUAL_GAINS_DB = 3.0
#: A distractor about this often, as loud as the ambience.
DISTRACTOR_EVERY_S = 15.0
#: About half of what a run on the longest track takes; a rig that turns takes longer.
HALF_WAY_S = {False: 110.0, True: 380.0}
_LONGEST_RUN_S = 1800.0


class Reader(Protocol):
    """What reads windows: a detector's session, or a network of random weights."""

    def read(self, heard: Sequence[HeardWindow]) -> list[NearWallReading]: ...


class HearingEars:
    """Ears in a scene, read by a detector's session; the windows of a place are read together."""

    def __init__(
        self, hearing: Hearing, rig: Rig, session: Reader, failing: FailingSound | None = None
    ) -> None:
        self._hearing, self._rig, self._session = hearing, rig, session
        self._failing = failing
        self._place = ListeningPlace(rig)

    @classmethod
    def of(
        cls,
        asked: EarsRequest,
        plan: Plan,
        rig: Rig,
        seed: Sequence[int],
        failing: FailingSound | None = None,
    ) -> HearingEars:
        """
        Return ears in a scene drawn from ``seed``; QuietNavError as the detector's ``load``.

        failing: what fails of ears and sound.
        """
        scene = scene_of_trial(plan, seed, asked.disturbance, rig.turns)
        robot_seed = stream_key(0, 'robot', *seed) % (1 << 62)
        scene = replace(scene, own=own_sound_of(asked.own_sound, robot_seed))
        if asked.waves:
            from quiet_nav.simulation.sound.waves.solved_room import hearing_in_plan

            heights = tuple(ear.z for ear in rig.ears)
            hearing = hearing_in_plan(plan, scene, heights, tell=_tell)
        else:
            hearing = Hearing(scene)
        session: Reader
        if asked.detector == RANDOM_WEIGHTS:
            session = RandomNetwork(np.random.default_rng([*seed, _WEIGHTS_STREAM]))
        else:
            standing = calibrated(hearing, rig, profile_of(asked.own_sound))
            context = _CONTEXTS[asked.context]
            session = _detector(asked.detector).session(context, standing=standing)
        return cls(hearing, rig, session, failing)

    def listen(self, pose: Pose2D, stop: ListenStop, start_ns: int) -> list[NearWallReading]:
        """Return readings of every window of the place so far; see ``ears.Ears``."""
        windows = self._windows(pose, start_ns)
        sides = [stop.side_of(ear.side) for ear in self._rig.ears]
        heard = self._place.hear(windows, pose, sides)
        return self._session.read([*heard.earlier, *heard.newest])

    def _windows(self, pose: Pose2D, start_ns: int) -> list[Window]:
        end_ns = start_ns + WINDOW_SAMPLES * 1_000_000_000 // SAMPLE_RATE
        more = 0
        if self._failing is not None:
            more = round(self._failing.longer_s(start_ns * 1e-9) * SAMPLE_RATE)
        start = start_ns * SAMPLE_RATE // 1_000_000_000 - more
        samples = self._hearing.rig(self._rig, pose, start, WINDOW_SAMPLES + more)
        if self._failing is not None:
            begun_ns = start_ns - more * 1_000_000_000 // SAMPLE_RATE
            heard = self._failing.windows(samples, begun_ns)
            return [heard[ear.channel] for ear in self._rig.ears]
        return [
            Window(heard, start_ns, end_ns, ear.channel)
            for ear, heard in zip(self._rig.ears, samples, strict=True)
        ]


def _tell(text: str) -> None:
    """Say on stderr what a room that is being solved takes; a table goes to stdout."""
    print(text, file=sys.stderr)


def scene_of_trial(plan: Plan, seed: Sequence[int], disturbance: str, slow: bool = False) -> Scene:
    """
    Return the scene of a trial: sources, levels and what disturbs, all drawn from ``seed``.

    disturbance: 'none'; 'distractors': events as loud as the ambience; 'gains': microphones
    unequal by up to 3 dB; 'ventilation': the loudest of several sources stops half way;
    'silence': the room has no sound of its own. slow: the robot turns to listen, so half way is
    later.
    """
    rng = np.random.default_rng(np.random.SeedSequence(list(seed)))
    even = SceneRanges(gain_spread_db=UNEQUAL_GAINS_DB if disturbance == 'gains' else 0.0)
    if disturbance == 'ventilation':
        # With one source alone nothing would be left to hear by.
        even = replace(even, sources=(2, even.sources[1]))
    scene = scene_in_plan(plan, int(rng.integers(2**31)), even)
    if disturbance == 'silence':
        return scene.silent()
    if disturbance == 'distractors':
        return replace(scene, events=_events(scene, rng))
    if disturbance == 'ventilation':
        loudest = max(range(len(scene.sources)), key=lambda i: scene.sources[i].level_db)
        sources = list(scene.sources)
        sources[loudest] = replace(
            sources[loudest],
            schedule=Schedule(HALF_WAY_S[slow] + 0.5, 1e6, phase_s=0.5, ramp_s=0.5),
        )
        return replace(scene, sources=tuple(sources))
    return scene


def _events(scene: Scene, rng: np.random.Generator) -> tuple[Event, ...]:
    count = int(_LONGEST_RUN_S / DISTRACTOR_EVERY_S)
    times = np.sort(rng.uniform(0.0, _LONGEST_RUN_S, count))
    events = []
    for stream, time_s in enumerate(times):
        kind = str(rng.choice(FIRST_KINDS))
        x, y = map(float, draw_point(scene.room, rng, 0.5))
        events.append(Event(kind, (x, y, 1.2), float(time_s), stream))
    return tuple(events)


@functools.lru_cache(maxsize=4)
def _detector(name: str) -> Detector:
    """One detector a process and file; trials run in parallel, so one thread each."""
    return load_detector(name, threads=1)
