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

"""What to try against what: the trials of every combination asked for, checked before any runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.navigation.modality import Mode
from quiet_nav.navigation.policies import find_policy, policy_kinds, PolicySettings
from quiet_nav.perception.interference_detector import INTERFERENCE
from quiet_nav.perception.rig import find_rig, Rig
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.sight.camera_faults import CameraFault
from quiet_nav.trials.ears import DETECTORS, EarsRequest
from quiet_nav.trials.eyes import EYES
from quiet_nav.trials.failing import failure_of_trial, failures_of_mode
from quiet_nav.trials.protocol import PAPER_ROOMS, paper_trials, TrialRequest

#: Sides that a user may name; 'track': where the track has its wall.
SIDES = {'any': None, 'left': Side.LEFT, 'right': Side.RIGHT}
#: P of a wall ahead that our variant of Algorithm 2 turns away from, where Fig. 9 is asked for.
AHEAD = 0.1
#: How tables call the knobs of a policy.
_SHORT = {'threshold': 'p', 'dead_band': 'alpha', 'max_turn': 'cap'}


@dataclass(frozen=True)
class Sweep:
    """Everything that is the same for all trials of a command, and the lists that are combined."""

    #: Rooms by name or YAML file; 'all' for the four of the paper's figures.
    rooms: Sequence[str] = ('classroom',)
    #: Policies by name; 'all' for every one.
    policies: Sequence[str] = ('tracker',)
    #: Rigs by name or YAML file.
    rigs: Sequence[str] = ('pair',)
    #: What is driven by: names of ``Mode``.
    modalities: Sequence[str] = ('audio',)
    #: Of the trials: all of them for each.
    seeds: Sequence[int] = (0,)
    #: Trials a room; 0 for the paper's.
    trials: int = 0
    #: A track of the room; '' for its first.
    track: str = ''
    #: A model by name or ONNX file, or one of ``DETECTORS``.
    detector: str = 'near_wall'
    #: A vision model by name or ONNX file, or one of ``EYES``.
    vision: str = 'near_wall_vision'
    #: What the detector may use beside the window.
    context: str = 'full'
    #: One of ``ears.DISTURBANCES``.
    disturbance: str = 'none'
    #: What the robot emits while it listens: none, dB over the ambience, or a robot profile.
    own_sound: str = 'none'
    #: Below 700 Hz rooms are solved by waves, furniture and all; once, then from a cache.
    waves: bool = False
    #: One of CAMERA_FAULTS, at a time drawn from the seed.
    camera_fault: str = 'none'
    #: What fails of the sensors, all trials for each: 'none' for nothing; 'all' for nothing and for
    #: every failure of the sensors that are driven by.
    failures: Sequence[str] = ('none',)
    #: Where the wall to follow is: one of ``SIDES``, or 'track'.
    side: str = 'any'
    #: Settings of the policies that have them, by the names of ``policies.KNOBS``.
    knobs: Mapping[str, float] = field(default_factory=dict)
    #: p by room where it is set by hand; it goes before that of ``knobs``.
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def requests(self) -> list[TrialRequest]:
        """Return the trials, seed by seed; QuietNavError for what does not exist."""
        names = list(policy_kinds()) if list(self.policies) == ['all'] else self.policies
        kinds = [find_policy(name) for name in names]
        modes = {mode.name.lower() for mode in Mode}
        if set(self.modalities) - modes:
            raise QuietNavError(
                f'modality {", ".join(self.modalities)}; there are: {", ".join(sorted(modes))}'
            )
        unused = [name for name in self.knobs if not any(name in kind.knobs for kind in kinds)]
        if unused:
            raise QuietNavError(
                f'{", ".join(kind.name for kind in kinds)}: no such setting: {", ".join(unused)}; '
                f'settings: {", ".join(sorted({name for kind in kinds for name in kind.knobs}))}'
            )
        CameraFault(self.camera_fault)
        if self.side not in (*SIDES, 'track'):
            raise QuietNavError(f'side {self.side!r}; expected one of {", ".join(SIDES)}, track')
        sees = 'audio' not in self.modalities or len(self.modalities) > 1
        vision = _model('vision detector', self.vision, EYES) if sees else self.vision
        detector = self.detector
        if set(self.modalities) != {'vision'}:
            EarsRequest(
                detector, self.disturbance, self.context, self.own_sound, self.waves
            ).check()
            detector = _model('detector', detector, (*DETECTORS, INTERFERENCE))
        rigs = [find_rig(rig) for rig in self.rigs]
        rooms = self.room_names()
        walls = {name: load_plan(name).track(self.track or None).side for name in rooms}
        asked = TrialRequest(
            '', '', rigs[0], detector, 0, 0, self.track, self.disturbance, self.context,
            vision=vision, camera_fault=self.camera_fault, own_sound=self.own_sound,
            waves=self.waves,
        )  # fmt: skip
        requests = []
        for seed in self.seeds:
            for modality in self.modalities:
                for kind in kinds:
                    for rig in rigs:
                        for name in rooms:
                            knobs = self._knobs(name, kind.knobs)
                            requests += [
                                replace(
                                    asked,
                                    room=name,
                                    policy=kind.name,
                                    rig=rig,
                                    index=index,
                                    seed=seed,
                                    settings=kind.tuned(PolicySettings(), knobs),
                                    modality=modality,
                                    side=SIDES.get(self.side, walls[name]),
                                    variant=self._variant(kind.knobs),
                                    failure=failure,
                                )
                                for failure in self._failures(Mode[modality.upper()], rig)
                                for index in range(self.trials or paper_trials(name))
                            ]
        return requests

    def _failures(self, mode: Mode, rig: Rig) -> list[str]:
        """Return what fails in turn, '' for nothing; QuietNavError for what a trial cannot have."""
        texts = [
            text
            for asked in self.failures
            for text in (['', *failures_of_mode(mode)] if asked == 'all' else [asked])
        ]
        found = ['' if text == 'none' else text for text in texts]
        for text in found:
            failure = failure_of_trial(text, mode, rig.channels) if text else None
            heard = failure is not None and failure.base in ('audio', 'ear')
            if heard and self.detector in DETECTORS:
                raise QuietNavError(
                    f'failure {text!r}: the {self.detector} ear hears no sound; expected an ONNX '
                    'file'
                )
            if failure is not None and failure.base == 'camera' and self.vision in EYES:
                raise QuietNavError(
                    f'failure {text!r}: the {self.vision} camera sees no image; expected an ONNX '
                    'file'
                )
        return found

    def room_names(self) -> list[str]:
        """Return the rooms, those of 'all' by name."""
        return [name for room in self.rooms for name in (PAPER_ROOMS if room == 'all' else (room,))]

    def one_threshold(self, threshold: float) -> Sweep:
        """Return the same with another p, one for all rooms."""
        return replace(self, knobs={**self.knobs, 'threshold': threshold}, thresholds={})

    def _knobs(self, room: str, has: Mapping[str, str]) -> dict[str, float]:
        values = {name: value for name, value in self.knobs.items() if name in has}
        if 'threshold' in has and room in self.thresholds:
            values['threshold'] = self.thresholds[room]
        return values

    def _variant(self, has: Mapping[str, str]) -> str:
        """Return what was set, in words for tables; the same for all rooms of a row."""
        values = self._knobs('', has)
        words = [f'{_SHORT.get(name, name)} {value:g}' for name, value in values.items()]
        if self.thresholds and 'threshold' in has:
            words = ['p by hand', *(word for word in words if not word.startswith('p '))]
        if self.context != 'full':
            words.append(self.context)
        if self.own_sound != 'none':
            words.append(f'own sound {self.own_sound}')
        if self.waves:
            words.append('waves')
        if self.side != 'any':
            words.append(f'side {self.side}')
        return ', '.join(words)


def figure_9(sweep: Sweep) -> Iterator[Sweep]:
    """
    Yield the rows of Fig. 9: random, straight, sound by one turning microphone, and vision.

    p of the sweep is that of sound; vision keeps its own, as in the paper. Beside vision as printed
    stands ours: it turns away from a wall ahead, and is told the side of the track's wall.
    """
    classroom = replace(sweep, rooms=('classroom',), rigs=('single',))
    yield _row(classroom, ('random', 'straight', 'algorithm1'), 'audio')
    knobs = {name: value for name, value in sweep.knobs.items() if name != 'threshold'}
    printed = replace(classroom, knobs=knobs, thresholds={})
    yield _row(printed, ('algorithm2',), 'vision')
    ours = replace(printed, knobs={'ahead': AHEAD, **knobs}, side='track')
    yield _row(ours, ('algorithm2',), 'vision')


def figure_10(sweep: Sweep) -> Iterator[Sweep]:
    """
    Yield the rows of Fig. 10: sound by two microphones, and straight; all four rooms.

    The plan of the classroom is the paper's, those of the other three are ours.
    """
    rooms = replace(sweep, rooms=('all',), rigs=('pair',))
    yield _row(rooms, ('algorithm1', 'straight'), 'audio')


def _row(sweep: Sweep, policies: tuple[str, ...], modality: str) -> Sweep:
    """Return a sweep of policies with those settings that any of them has."""
    has = {name for policy in policies for name in find_policy(policy).knobs}
    knobs = {name: value for name, value in sweep.knobs.items() if name in has}
    return replace(sweep, policies=policies, modalities=(modality,), knobs=knobs)


#: The paper's figures by number, as the sweeps of their rows.
FIGURES = {9: figure_9, 10: figure_10}


def _model(what: str, name: str, known: tuple[str, ...]) -> str:
    """Return the path of a model by name or path, or what needs none."""
    if name in known:
        return name
    try:
        return str(resources.find(resources.MODEL, Path(name)))
    except QuietNavError as error:
        raise QuietNavError(f'{what}: {error}; or {", ".join(known)}') from error
