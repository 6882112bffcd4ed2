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

"""Trials: one policy on a track from one start pose to collision, destination or time-out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
import enum
from pathlib import Path
import zlib

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.limits import SafetyLimits, Twist2D
from quiet_nav.navigation.listening import ListenStop
from quiet_nav.navigation.modality import ModalitySelector, Mode
from quiet_nav.navigation.policies import find_policy, PolicyRequest, PolicySettings
from quiet_nav.navigation.step_machine import (
    GoalLimits,
    Outcome,
    Phase,
    StepMachine,
    StepTiming,
)
from quiet_nav.perception.readings import Modality
from quiet_nav.perception.rig import CAMERA_RIG, Rig
from quiet_nav.simulation.robot.drive import RobotSettings, RobotState, SimulatedRobot
from quiet_nav.simulation.robot.failures import Failures
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.rooms.tracks import Track
from quiet_nav.sound.windows import WINDOW_S
from quiet_nav.trials.ears import DETECTORS, Ears, EarsRequest, make_ears
from quiet_nav.trials.eyes import Eyes, fault_of_trial, make_eyes
from quiet_nav.trials.failing import FailingOdometry, failure_of_trial
from quiet_nav.trials.hearing import RANDOM_WEIGHTS

#: The classroom of Fig. 9, which is the paper's plan, and three rooms for Fig. 10, which are ours.
PAPER_ROOMS = ('classroom', 'seminar_room', 'laboratory', 'lounge')
CLASSROOM = PAPER_ROOMS[0]
HEADINGS = ('left', 'straight', 'right')
TICK_S = 0.05
#: How often a window is asked for again where the first gave no valid reading.
RETRY_S = 0.5
#: How long an image takes to come and to be read.
LOOK_S = 0.25
#: A camera fails at a time from 0 to this: about what a run by sight takes.
FAULT_LATEST_S = 400.0
#: How often a robot that drives by sound looks whether the camera works again.
GLANCE_S = 1.0
#: As the robot stands, nothing asked.
_HERE = ListenStop(0.0, frozenset())


class TrialOutcome(str, enum.Enum):
    """
    How a trial ended; the values are what tables and JSON say.

    The last ones are the step machine's: see ``step_machine.Outcome``.
    """

    DESTINATION = 'destination'
    COLLISION = 'collision'
    LEFT_TRACK = 'left the track'
    TIME_OUT = 'time-out'
    NO_READING = 'no_reading'
    PHASE_TIMEOUT = 'phase_timeout'
    ODOMETRY_LOST = 'odometry_lost'
    MOTION_MISMATCH = 'motion_mismatch'
    ERROR = 'error'

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of_machine(cls, outcome: Outcome) -> TrialOutcome:
        """Return the trial's outcome where the machine ended; its only limit here is time."""
        if outcome == Outcome.LIMIT_REACHED:
            return cls.TIME_OUT
        return cls.__members__.get(outcome.name, cls.ERROR)


@dataclass(frozen=True)
class TrialRequest:
    """Everything that decides a trial: the same request gives the same result."""

    #: Name.
    room: str
    #: Name.
    policy: str
    #: The ears.
    rig: Rig
    #: 'ideal', 'error-prone' or an ONNX file.
    detector: str
    #: Which trial of the room it is; the start poses of the track follow each other.
    index: int
    #: Of all that is drawn: sources, slip, errors.
    seed: int
    #: Name; '' for the room's first.
    track: str = ''
    #: One of ``ears.DISTURBANCES``.
    disturbance: str = 'none'
    #: What the detector may use beside the window.
    context: str = 'full'
    #: Of the policies that have some.
    settings: PolicySettings = field(default_factory=PolicySettings)
    #: How it moves.
    robot: RobotSettings = field(default_factory=RobotSettings)
    #: Simulated; a longer trial is a time-out.
    max_duration_s: float = 1800.0
    #: What is driven by, a name of ``Mode``.
    modality: str = 'audio'
    #: 'ideal' or an ONNX file.
    vision: str = 'ideal'
    #: One of CAMERA_FAULTS, at a time drawn from the seed.
    camera_fault: str = 'none'
    #: LEFT or RIGHT, where the wall to follow is; None: the policy finds out.
    side: Side | None = None
    #: Which settings are not the defaults, in words for tables.
    variant: str = ''
    #: What the robot itself emits, as ``own_sound_of`` takes it.
    own_sound: str = 'none'
    #: The room's band below 700 Hz is solved by waves.
    waves: bool = False
    #: Of a sensor, as ``failing.failure_of_trial`` takes it; '' for none. Odometry is then watched,
    #: too.
    failure: str = ''

    @property
    def mode(self) -> Mode:
        return Mode[self.modality.upper()]

    def ears(self, detector: str) -> EarsRequest:
        """Return what its ears hear, read by a detector."""
        return EarsRequest(detector, self.disturbance, self.context, self.own_sound, self.waves)

    @property
    def detector_name(self) -> str:
        """Return what says where walls are, for tables: file names without folder and ending."""
        heard, seen = Path(self.detector).stem, Path(self.vision).stem
        name = {Mode.AUDIO: heard, Mode.VISION: seen}
        return name.get(self.mode, f'{heard}+{seen}')

    @property
    def senses_name(self) -> str:
        """Return what is heard and seen with, for tables."""
        both = f'{self.rig.name}+{CAMERA_RIG.name}'
        name = {Mode.AUDIO: self.rig.name, Mode.VISION: CAMERA_RIG.name, Mode.FUSION: both}
        fault = '' if self.camera_fault == 'none' else f', {self.camera_fault}'
        fault += f', {self.failure}' if self.failure else ''
        return name.get(self.mode, f'auto {both}') + fault


@dataclass(frozen=True)
class Listened:
    """A decision on the way: where the robot stood (truth) and P of each side, NaN for none."""

    pose: Pose2D
    probabilities: tuple[float, float]


@dataclass(frozen=True)
class TrialResult:
    """
    What came of a trial.

    distance_m: how far along the track it got before it collided or left it, length_m the
    track's. path: true positions. duration_s: simulated time. seed, variant: the
    request's. detector: what said where walls are, '' where nothing was listened to. modality:
    what it was to drive by; switches: how often that changed on the way.
    """

    room: str
    track: str
    policy: str
    rig: str
    index: int
    offset_m: float
    heading: str
    distance_m: float
    length_m: float
    outcome: TrialOutcome | str
    steps: int
    duration_s: float
    path: tuple[tuple[float, float], ...] = ()
    listened: tuple[Listened, ...] = ()
    seed: int = 0
    modality: str = 'audio'
    switches: int = 0
    variant: str = ''
    detector: str = ''

    @property
    def share(self) -> float:
        """Part of the track, 0 to 1."""
        return self.distance_m / self.length_m


def run_trial(request: TrialRequest) -> TrialResult:
    """Run one trial; QuietNavError where room, track, policy or detector do not exist."""
    plan = load_plan(request.room)
    track = plan.track(request.track or None)
    starts = track.starts()
    start = starts[request.index % len(starts)]
    # The same room, start and seed for every policy, so that policies compare; sources of its own
    # for every trial, so that trials are as many draws of them.
    base = [request.seed, zlib.crc32(f'{request.room}/{track.name}'.encode()), request.index]
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(base).spawn(4)]
    robot = SimulatedRobot(plan, start.pose, streams[0], request.robot)
    mode, rig = request.mode, request.rig
    kind = find_policy(request.policy)
    by_network = kind.random_weights and mode == Mode.AUDIO and request.detector not in DETECTORS
    policy = kind.make(
        PolicyRequest(
            streams[1],
            CAMERA_RIG if mode == Mode.VISION else rig,
            request.side,
            request.settings,
            random_weights=by_network,
        )
    )
    failures = odometry = None
    if request.failure:
        channels = rig.channels
        failures = Failures([failure_of_trial(request.failure, mode, channels)])
        odometry = FailingOdometry(failures)
    ears = eyes = None
    if mode != Mode.VISION:
        detector = RANDOM_WEIGHTS if by_network else request.detector
        ears = make_ears(request.ears(detector), plan, rig, streams[2], base, failures)
    if mode != Mode.AUDIO:
        fault = fault_of_trial(request.camera_fault, base, FAULT_LATEST_S)
        eyes = make_eyes(request.vision, plan, streams[3], fault, failures)
    timing = StepTiming(listen_timeout_s=WINDOW_S + 4 * RETRY_S)
    machine = StepMachine(
        policy,
        ModalitySelector(mode, {Modality.AUDIO: rig, Modality.VISION: CAMERA_RIG}),
        SafetyLimits(),
        timing,
        GoalLimits(max_duration_s=request.max_duration_s),
    )
    drive = _Drive(robot, machine, track, ears, eyes, odometry)
    outcome = drive.run()
    named = RANDOM_WEIGHTS if by_network else request.detector_name if drive.listened else ''
    return TrialResult(
        room=request.room,
        track=track.name,
        policy=request.policy,
        rig=request.senses_name,
        index=request.index,
        offset_m=start.offset_m,
        heading=start.heading_name,
        distance_m=drive.distance_m,
        length_m=track.length_m,
        outcome=outcome,
        steps=machine.steps,
        duration_s=robot.state.time_s,
        path=tuple(drive.path),
        listened=tuple(drive.listened),
        seed=request.seed,
        modality=request.modality,
        switches=machine.senses.switches,
        variant=request.variant,
        detector=named,
    )


def paper_trials(room: str) -> int:
    """Return how many trials the paper's protocol has in a room: 18 in the classroom, else 9."""
    return 18 if room == PAPER_ROOMS[0] else 9


class _Drive:
    """The loop of a trial: the machine's commands to the robot, its stops to ears and eyes."""

    def __init__(
        self,
        robot: SimulatedRobot,
        machine: StepMachine,
        track: Track,
        ears: Ears | None,
        eyes: Eyes | None,
        odometry: FailingOdometry | None = None,
    ) -> None:
        self._robot, self._machine, self._track = robot, machine, track
        self._ears, self._eyes, self._odometry = ears, eyes, odometry
        self.distance_m = 0.0
        self.path: list[tuple[float, float]] = []
        self.listened: list[Listened] = []
        self._heard = False
        self._glanced_s = 0.0

    def run(self) -> TrialOutcome:
        """Drive to the end; return how that came."""
        machine, robot = self._machine, self._robot
        stop = None
        while True:
            state = robot.state
            now_ns = round(state.time_s * 1e9)
            command = self._command(state, now_ns)
            if not machine.running:
                ended = None if self._odometry is None else self._brake()
                return ended or TrialOutcome.of_machine(machine.outcome)
            if machine.phase == Phase.LISTEN:
                fresh = machine.current_stop is not stop
                stop = machine.current_stop
                self._listen(fresh)
                continue
            self._note_listen()
            robot.command(command.linear_mps, command.angular_rps)
            ended = self._move()
            if ended is not None:
                return ended

    def _command(self, state: RobotState, now_ns: int) -> Twist2D:
        """Return what the machine commands, by odometry that is true or by one that fails."""
        machine, odometry = self._machine, self._odometry
        if odometry is None:
            twist = Twist2D(state.linear_mps, state.angular_rps)
            return machine.update(now_ns, state.odometry, twist)
        pose, twist, fault = odometry.take(state, now_ns)
        if fault is not None:
            machine.finish(fault.outcome, fault.reason)
        command = machine.update(now_ns, pose, twist)
        odometry.commanded(now_ns, command)
        return command

    def _brake(self) -> TrialOutcome | None:
        """Come to rest where the machine ended while it drove; a collision counts."""
        self._robot.command(0.0, 0.0)
        while not self._robot.state.at_rest:
            ended = self._move()
            if ended == TrialOutcome.COLLISION:
                return ended
        return None

    def _move(self) -> TrialOutcome | None:
        """Advance the robot by a tick; return how the trial ended, None where it has not."""
        state = self._robot.step(TICK_S)
        waits = Modality.VISION not in self._machine.senses.used
        if waits and state.time_s - self._glanced_s >= GLANCE_S:
            self._look(_HERE, 0.0)
        x, y = state.pose.x, state.pose.y
        if not self.path or np.hypot(x - self.path[-1][0], y - self.path[-1][1]) > 0.02:
            self.path.append((x, y))
        if state.bump:
            return TrialOutcome.COLLISION
        if not self._track.contains(x, y):
            return TrialOutcome.LEFT_TRACK
        along = self._track.progress(x, y)
        self.distance_m = max(self.distance_m, along)
        if self._track.at_end(along):
            self.distance_m = self._track.length_m
            return TrialOutcome.DESTINATION
        return None

    def _listen(self, fresh: bool) -> None:
        """Let the time of a window (or image) pass; hand the machine what ears and eyes say."""
        machine, stop = self._machine, self._machine.current_stop or _HERE
        self._robot.command(0.0, 0.0)
        self._heard = True
        if Modality.AUDIO not in machine.senses.used:
            self._look(stop, LOOK_S)
            return
        whole_s = WINDOW_S if fresh else RETRY_S
        # A robot that listens sees meanwhile: whether the camera works again.
        looks = 1 if self._eyes is None else max(1, round(whole_s))
        for _ in range(looks):
            self._look(stop, whole_s / looks)
        if self._ears is None:
            return
        state = self._robot.state
        end_ns = round(state.time_s * 1e9)
        start_ns = end_ns - round(WINDOW_S * 1e9)
        for reading in self._ears.listen(state.pose, stop, start_ns):
            machine.add_reading(reading, turned=False)

    def _look(self, stop: ListenStop, wait_s: float) -> None:
        state = self._robot.step(wait_s)
        if self._eyes is None:
            return
        self._glanced_s = state.time_s
        for reading in self._eyes.look(state.pose, stop, round(state.time_s * 1e9)):
            self._machine.add_reading(reading, turned=False)

    def _note_listen(self) -> None:
        if not self._heard:
            return
        self._heard = False
        said = self._machine.readings
        left, right = (
            said[s].probability if s in said else float('nan') for s in (Side.LEFT, Side.RIGHT)
        )
        self.listened.append(Listened(self._robot.state.pose, (left, right)))


def run_trials(requests: Sequence[TrialRequest], workers: int = 1) -> Iterator[TrialResult]:
    """Yield the results of trials in the order of the requests, run on ``workers`` processes."""
    if workers < 1:
        raise QuietNavError(f'workers is {workers}; expected 1 or more')
    if workers == 1:
        yield from map(run_trial, requests)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run_trial, requests)
