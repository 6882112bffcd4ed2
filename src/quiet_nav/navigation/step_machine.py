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

"""The step machine: come to rest, settle, listen, decide, turn, drive; closed on odometry."""

from __future__ import annotations

from dataclasses import dataclass
import enum
import math

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.navigation.fusion import fused
from quiet_nav.navigation.limits import SafetyLimits, STOP, Twist2D
from quiet_nav.navigation.listening import listen_stops, ListenStop
from quiet_nav.navigation.modality import ModalitySelector
from quiet_nav.navigation.motion import Drive, Motion, Turn, wanted_twist
from quiet_nav.navigation.policy import Look, Policy, Step
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import Rig

#: After a longer pause between updates velocities still change no more than within this.
LONGEST_TICK_S = 0.1
#: An ear need not face its side more exactly: commands that arrive late turn too far, and turning
#: back for less would begin again and again.
LISTEN_HEADING_RAD = 0.12


class Phase(enum.IntEnum):
    """What the machine is doing; numbers as in FollowWall.action."""

    STOP = 0
    SETTLE = 1
    LISTEN = 2
    TURN_TO_LISTEN = 3
    DECIDE = 4
    TURN = 5
    DRIVE = 6


class Outcome(enum.IntEnum):
    """How a run ended; numbers as in FollowWall.action. UNKNOWN: it still runs."""

    UNKNOWN = 0
    LIMIT_REACHED = 1
    CANCELED = 2
    NO_READING = 3
    SENSOR_LOST = 4
    ODOMETRY_LOST = 5
    BUMP = 6
    CLIFF = 7
    EMERGENCY_STOP = 8
    PHASE_TIMEOUT = 9
    ERROR = 10
    MOTION_MISMATCH = 11
    CONFLICT = 12
    CLOCK_JUMPED = 13
    CLIENT_GONE = 14


@dataclass(frozen=True)
class StepTiming:
    """
    How long the phases last and may last, and how long one drive may be.

    Raises QuietNavError where a value is not positive.
    """

    #: The robot stands so long before it listens: bodies swing on.
    settle_s: float = 0.3
    #: The robot must stand so long after it was told to.
    stop_timeout_s: float = 3.0
    #: Of a listen: a window, and what a detector takes for it.
    listen_timeout_s: float = 8.0
    #: Of a turn.
    turn_timeout_s: float = 15.0
    #: Of a drive.
    drive_timeout_s: float = 15.0
    #: Longest drive that a policy may ask for.
    max_step_m: float = 0.6
    #: So many listens of which nothing can be decided end a run.
    max_empty_listens: int = 3
    #: A policy that hears that all is silent may wait so long.
    silence_s: float = 90.0
    #: A drive (or turn) may be commanded farther than its own length by this share ...
    budget_share: float = 0.25
    #: ... and so many meters ...
    budget_m: float = 0.1
    #: ... or radians more, as short ones are late by the same.
    budget_rad: float = 0.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise QuietNavError(f'{name} is {value}; expected a positive number')

    def limit_s(self, phase: Phase) -> float:
        """Return the time limit of a phase."""
        return {
            Phase.STOP: self.stop_timeout_s,
            Phase.SETTLE: self.stop_timeout_s + self.settle_s,
            Phase.LISTEN: self.listen_timeout_s,
            Phase.TURN_TO_LISTEN: self.turn_timeout_s,
            Phase.DECIDE: self.stop_timeout_s,
            Phase.TURN: self.turn_timeout_s,
            Phase.DRIVE: self.drive_timeout_s,
        }[phase]


@dataclass(frozen=True)
class GoalLimits:
    """When a run is done; inf for no limit."""

    #: Way driven.
    max_distance_m: float = math.inf
    #: Steps begun.
    max_steps: float = math.inf
    #: Time since the run began.
    max_duration_s: float = math.inf


@dataclass
class _Heard:
    """A listen stop, the interval in which windows count for it, and what they said."""

    stop: ListenStop
    from_ns: int
    until_ns: int | None = None

    def covers(self, reading: NearWallReading) -> bool:
        return reading.start_ns >= self.from_ns and (
            self.until_ns is None or reading.end_ns <= self.until_ns
        )


class StepMachine:
    """
    Runs a policy step by step: poses, twists and readings in, velocity commands out.

    It has no clock and no thread: every call gets the time. ``update`` is called at the rate of
    the command (20 Hz). ``outcome`` is UNKNOWN while it runs; afterwards ``update`` returns STOP.
    senses: what it listens and looks with; a rig is ears alone. Where that changes the step begins
    again at its heading, with the other sense; what the policy knows is kept.
    Source: the design's "step"; the paper, section 5.
    """

    def __init__(
        self,
        policy: Policy,
        senses: ModalitySelector | Rig,
        limits: SafetyLimits | None = None,
        timing: StepTiming | None = None,
        goal: GoalLimits | None = None,
    ) -> None:
        self.policy = policy
        self.senses = ModalitySelector.fixed(senses) if isinstance(senses, Rig) else senses
        self.limits = limits or SafetyLimits()
        self.timing = timing or StepTiming()
        self.goal = goal or GoalLimits()
        self.phase = Phase.STOP
        self.outcome = Outcome.UNKNOWN
        self.reason = ''
        self.steps = 0
        self.distance_m = 0.0
        self.step = Step()
        self._said: dict[tuple[Side, Modality], NearWallReading] = {}
        self._start_ns: int | None = None
        self._phase_ns = 0
        self._now_ns = 0
        self._last: Twist2D = STOP
        #: What was commanded in this phase so far: way (m) and angle (rad).
        self._commanded_m = self._commanded_rad = 0.0
        #: What the phase's motion is meant to be: way or angle, and how long it may take.
        self._meant = self._motion_limit_s = 0.0
        self._last_pose: Pose2D | None = None
        self._step_pose: Pose2D | None = None
        self._heading_rad: float | None = None
        self._motion: Motion | None = None
        self._stops: list[ListenStop] = []
        self._heard: list[_Heard] = []
        self._looked: set[Side] = set()
        self._empty_listens = 0
        self._waiting_ns: int | None = None

    @property
    def running(self) -> bool:
        return self.outcome == Outcome.UNKNOWN

    @property
    def readings(self) -> dict[Side, NearWallReading]:
        """Return what was said of every side in this step; of one heard and seen, both as one."""
        sides = {side for side, _ in self._said}
        return {
            side: fused([r for (about, _), r in sorted(self._said.items()) if about == side])
            for side in sides
        }

    @property
    def current_stop(self) -> ListenStop | None:
        """Return the stop that is being listened at, None outside LISTEN."""
        return self._heard[-1].stop if self.phase == Phase.LISTEN and self._heard else None

    @property
    def listening_since_ns(self) -> int | None:
        """Windows that start from this time on count; None outside LISTEN."""
        return self._heard[-1].from_ns if self.phase == Phase.LISTEN and self._heard else None

    def finish(self, outcome: Outcome, reason: str) -> None:
        """End the run; the first outcome stays."""
        if self.running:
            self.outcome, self.reason = outcome, reason
            self._motion, self._last = None, STOP

    def add_reading(self, reading: NearWallReading, turned: bool = True) -> bool:
        """
        Take a reading; return whether it counts.

        Only valid readings of windows that started after the robot came to rest and settled
        count. turned: ``side`` is asked in the axes of the robot as it stands at the stop (as
        NearWall.msg says); False where it is asked in those of the step's beginning.
        """
        since_ns = self.listening_since_ns
        self.senses.add_reading(reading, since_ns is not None and reading.end_ns >= since_ns)
        if not reading.valid or not self.running or reading.modality not in self.senses.used:
            return False
        for heard in self._heard:
            if heard.covers(reading):
                side = heard.stop.side_of(reading.side) if turned else reading.side
                self._said[side, reading.modality] = reading
                return True
        return False

    def lose(self, modality: Modality, now_ns: int, reason: str) -> bool:
        """Give up a modality that a watch found silent; return whether another is used now."""
        changed = self.senses.lose(modality, now_ns, reason)
        if changed:
            self.rest_again()
        return changed

    def update(self, now_ns: int, pose: Pose2D, twist: Twist2D) -> Twist2D:
        """
        Return the velocity command for this instant.

        pose, twist: odometry. The command keeps the velocity and acceleration limits.
        """
        if self._start_ns is None:
            self._start_ns = self._phase_ns = self._now_ns = now_ns
        dt_s = min(max(now_ns - self._now_ns, 0) * 1e-9, LONGEST_TICK_S)
        self._now_ns = now_ns
        if self.phase == Phase.DRIVE and self._last_pose is not None:
            self.distance_m += self._last_pose.distance_to(pose)
        self._last_pose = pose
        if self.running and self._elapsed_s(self._start_ns) >= self.goal.max_duration_s:
            self.finish(Outcome.LIMIT_REACHED, 'the time of the goal is over')
        if self.running:
            self._advance(pose, twist)
        if not self.running:
            return STOP
        self._commanded_m += abs(self._last.linear_mps) * dt_s
        self._commanded_rad += abs(self._last.angular_rps) * dt_s
        wanted = wanted_twist(self._motion, pose, self.limits) or STOP
        self._last = self.limits.bound(wanted, self._last, dt_s)
        return self._last

    def rest_again(self) -> None:
        """
        Stop where the robot is and begin the step again, by listening anew.

        A step that nothing was decided in yet keeps its heading, wherever the robot looked.
        """
        undecided = self.phase not in (Phase.TURN, Phase.DRIVE) or self.step.stays
        heading = None
        if undecided and self._step_pose is not None:
            heading = self._step_pose.yaw
        self._begin_step()
        self._heading_rad = heading

    def _elapsed_s(self, since_ns: int) -> float:
        return (self._now_ns - since_ns) * 1e-9

    def _enter(self, phase: Phase, motion: Motion | None = None) -> None:
        self.phase, self._motion, self._phase_ns = phase, motion, self._now_ns
        self._commanded_m = self._commanded_rad = 0.0
        if motion is not None and self._last_pose is not None:
            self._meant = motion.left(self._last_pose)
            self._motion_limit_s = min(
                motion.longest_s(self._meant, self.limits), self.timing.limit_s(phase)
            )

    def _begin_step(self) -> None:
        self._step_pose = None
        self._heading_rad = None
        self._stops, self._heard = [], []
        self._looked.clear()
        self._said = {}
        self._last = STOP
        self._enter(Phase.STOP)

    def _advance(self, pose: Pose2D, twist: Twist2D) -> None:
        """Move through as many phases as are done at this instant."""
        handlers = {
            Phase.STOP: self._stop,
            Phase.SETTLE: self._settle,
            Phase.LISTEN: self._listen,
            Phase.DECIDE: self._decide,
        }
        for _ in range(4):
            phase = self.phase
            handlers.get(phase, self._move)(pose, twist)
            if not self.running or self.phase == phase:
                break
        if self.running and self._elapsed_s(self._phase_ns) > self._limit_s:
            self._overdue()
        if self.running and self._motion is not None:
            self._keep_budget()

    @property
    def _limit_s(self) -> float:
        """How long the phase may take: a motion by its own length, speed and acceleration."""
        return self.timing.limit_s(self.phase) if self._motion is None else self._motion_limit_s

    def _keep_budget(self) -> None:
        """End a run that was commanded farther than its motion is long: odometry is not true."""
        turns = isinstance(self._motion, Turn)
        commanded = self._commanded_rad if turns else self._commanded_m
        more = self.timing.budget_rad if turns else self.timing.budget_m
        if commanded > (1.0 + self.timing.budget_share) * self._meant + more:
            unit = 'rad' if turns else 'm'
            self.finish(
                Outcome.MOTION_MISMATCH,
                f'{self.phase.name} of {self._meant:.2f} {unit}: {commanded:.2f} {unit} were '
                'commanded and odometry says it is not done',
            )

    def _overdue(self) -> None:
        if self.phase != Phase.LISTEN:
            self.finish(
                Outcome.PHASE_TIMEOUT,
                f'{self.phase.name} took longer than {self._limit_s:.2g} s',
            )
        elif self._sides_heard():
            self._leave_stop()
        else:
            self.finish(
                Outcome.NO_READING,
                f'no valid reading came in {self.timing.listen_timeout_s:g} s of listening',
            )

    def _stop(self, pose: Pose2D, twist: Twist2D) -> None:
        if self.limits.at_rest(twist):
            self._enter(Phase.SETTLE)

    def _settle(self, pose: Pose2D, twist: Twist2D) -> None:
        if not self.limits.at_rest(twist):
            self._enter(Phase.STOP)
        elif self._elapsed_s(self._phase_ns) >= self.timing.settle_s:
            if self._step_pose is None:
                self.senses.prefer(self._now_ns)
                yaw = pose.yaw if self._heading_rad is None else self._heading_rad
                self._step_pose = Pose2D(pose.x, pose.y, yaw)
                self._stops = self._stops_for(self.senses.sides(self.policy.sides))
            self._next_stop(pose)

    def _stops_for(self, sides: frozenset[Side], turned: bool = False) -> list[ListenStop]:
        return list(listen_stops(self.senses.rig, sides, turned))

    @property
    def _settled_at(self) -> Pose2D:
        """Where the step's listening began, at the step's heading; never asked before it."""
        assert self._step_pose is not None, f'{self.phase.name} before the robot settled'
        return self._step_pose

    def _next_stop(self, pose: Pose2D) -> None:
        """Listen where the next stop's heading is reached, turn there where not."""
        if not self._stops:
            self._enter(Phase.DECIDE)
            return
        turn = Turn(wrap_angle(self._settled_at.yaw + self._stops[0].turn_rad))
        if abs(wrap_angle(turn.yaw_rad - pose.yaw)) <= LISTEN_HEADING_RAD:
            self._heard.append(_Heard(self._stops.pop(0), self._now_ns))
            self._enter(Phase.LISTEN)
        else:
            self._enter(Phase.TURN_TO_LISTEN, turn)

    def _sides_heard(self) -> set[tuple[Side, Modality]]:
        """Return the sides of the current stop that have a reading from it, and by which sense."""
        heard = self._heard[-1]
        return {key for key, reading in self._said.items() if heard.covers(reading)}

    def _listen(self, pose: Pose2D, twist: Twist2D) -> None:
        if not self.limits.at_rest(twist):
            # Pushed or slipping: what was heard here is void, listen again from rest.
            heard = self._heard.pop()
            self._said = {s: r for s, r in self._said.items() if not heard.covers(r)}
            self._stops.insert(0, heard.stop)
            self._enter(Phase.STOP)
        elif self._sides_heard() >= self.senses.expected(self._heard[-1].stop):
            self._leave_stop()
        elif self.senses.judge(self._now_ns, self._heard[-1].from_ns):
            self.rest_again()

    def _leave_stop(self) -> None:
        self._heard[-1].until_ns = self._now_ns
        if self._stops:
            self._enter(
                Phase.TURN_TO_LISTEN,
                Turn(wrap_angle(self._settled_at.yaw + self._stops[0].turn_rad)),
            )
        else:
            self._enter(Phase.DECIDE)

    def _decide(self, pose: Pose2D, twist: Twist2D) -> None:
        choice = self.policy.decide(self.readings, self._settled_at)
        if isinstance(choice, Look):
            if choice.side in self._looked:
                raise RuntimeError(f'{self.policy.name} asked to look {choice.side.name} twice')
            self._looked.add(choice.side)
            self._stops = self._stops_for(frozenset({choice.side}), choice.turned)
            self._next_stop(pose)
            return
        self.step = choice
        if choice.stays:
            if self._waiting_ns is None:
                self._waiting_ns = self._now_ns
            self._empty_listens += not choice.waits
            over = self._elapsed_s(self._waiting_ns) > self.timing.silence_s
            if over or self._empty_listens >= self.timing.max_empty_listens:
                self.finish(Outcome.NO_READING, choice.reason or 'the policy cannot decide')
            else:
                self._back_to_heading(pose)
            return
        self._empty_listens, self._waiting_ns = 0, None
        yaw = wrap_angle(self._settled_at.yaw + choice.turn_rad)
        self._enter(Phase.TURN, Turn(yaw))

    def _back_to_heading(self, pose: Pose2D) -> None:
        """Turn back to the heading of the step before it is listened from anew."""
        self._enter(Phase.TURN, Turn(self._settled_at.yaw))

    def _move(self, pose: Pose2D, twist: Twist2D) -> None:
        """Follow the motion of TURN_TO_LISTEN, TURN and DRIVE until it is done."""
        motion = self._motion
        assert motion is not None, f'{self.phase.name} without a motion'
        if motion.command(pose, self.limits) is not None:
            return
        if self.phase == Phase.TURN_TO_LISTEN:
            self._last = STOP
            self._enter(Phase.STOP)
        elif self.phase == Phase.TURN and self.step.stays:
            self._begin_step()
        elif self.phase == Phase.TURN:
            left_m = max(self.goal.max_distance_m - self.distance_m, 0.0)
            drive_m = max(0.0, min(self.step.drive_m, self.timing.max_step_m, left_m))
            self._enter(Phase.DRIVE, Drive(pose, motion.yaw_rad, drive_m))
        else:
            self._end_step()

    def _end_step(self) -> None:
        self.steps += 1
        if self.distance_m >= self.goal.max_distance_m - 0.02:
            self.finish(Outcome.LIMIT_REACHED, 'the way of the goal is driven')
        elif self.steps >= self.goal.max_steps:
            self.finish(Outcome.LIMIT_REACHED, 'the steps of the goal are done')
        else:
            self._begin_step()
