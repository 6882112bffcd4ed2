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

"""The simulated robot: a differential drive that slips, drifts and stops at walls."""

from __future__ import annotations

from dataclasses import dataclass, fields
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.simulation.rooms.plan import Plan, ROBOT_RADIUS_M

_LONGEST_STEP_S = 0.05
_REST_MPS, _REST_RPS = 1e-3, 1e-3


@dataclass(frozen=True)
class RobotSettings:
    """How the robot moves; defaults are a TurtleBot 4 (Create 3 base) on a hard floor."""

    #: Of its round body.
    radius_m: float = ROBOT_RADIUS_M
    #: Commands are cut to this ...
    max_linear_mps: float = 0.46
    #: ... and to this.
    max_angular_rps: float = 1.9
    #: How fast speed changes.
    linear_accel_mps2: float = 0.9
    #: How fast the rate of a turn changes.
    angular_accel_rps2: float = 7.0
    #: A command holds this long, then the robot stops.
    command_timeout_s: float = 0.5
    #: Standard deviation of how much farther than its wheels say the robot goes, as a share, drawn
    #: once a robot.
    slip: float = 0.02
    #: The same for turns.
    turn_slip: float = 0.02
    #: Random walk of the heading, a square root of a meter driven.
    heading_noise_rad: float = 0.02
    #: Standard deviation of the heading error that odometry gains a meter, drawn once a robot
    #: (wheels of unequal size).
    odometry_drift_rad_m: float = 0.01
    #: Share of the way into a wall that the wheels still turn, and odometry counts, while the robot
    #: stands.
    blocked_wheels: float = 0.2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0.0):
                raise QuietNavError(
                    f'robot: {field.name} is {value!r}; expected 0 or more, in its unit'
                )
        if min(self.linear_accel_mps2, self.angular_accel_rps2) <= 0.0:
            raise QuietNavError('robot: accelerations must be above 0, or it never moves')

    @classmethod
    def perfect(cls) -> RobotSettings:
        """Return a robot that neither slips nor drifts, so that odometry is the truth."""
        return cls(
            slip=0.0,
            turn_slip=0.0,
            heading_noise_rad=0.0,
            odometry_drift_rad_m=0.0,
            blocked_wheels=0.0,
        )


@dataclass(frozen=True)
class RobotState:
    """
    What is true at ``time_s``, and what odometry says.

    pose: truth in the room. odometry: pose since the start in the odom frame. linear_mps,
    angular_rps: speeds of the wheels, as odometry gives them. bump: something stops the robot.
    """

    time_s: float
    pose: Pose2D
    odometry: Pose2D
    linear_mps: float
    angular_rps: float
    bump: bool

    @property
    def at_rest(self) -> bool:
        return abs(self.linear_mps) < _REST_MPS and abs(self.angular_rps) < _REST_RPS


class SimulatedRobot:
    """
    A round robot in a floor plan, driven by velocity commands and stepped through time.

    Everything random comes from ``rng``: the same plan, pose, seed and commands give the same run.
    Raises QuietNavError where the robot would start in a wall or in furniture.
    """

    def __init__(
        self,
        plan: Plan,
        pose: Pose2D,
        rng: np.random.Generator,
        settings: RobotSettings | None = None,
    ) -> None:
        self.plan = plan
        self.settings = settings or RobotSettings()
        self._rng = rng
        s = self.settings
        self._reach = 1.0 + s.slip * float(rng.standard_normal())
        self._turn_reach = 1.0 + s.turn_slip * float(rng.standard_normal())
        self._drift = s.odometry_drift_rad_m * float(rng.standard_normal())
        self._time_s = 0.0
        self._linear = self._angular = 0.0
        self._target = (0.0, 0.0)
        self._commanded_s = -math.inf
        self._bump = False
        self._odometry = Pose2D()
        self.place(pose)

    @property
    def state(self) -> RobotState:
        return RobotState(
            self._time_s, self._pose, self._odometry, self._linear, self._angular, self._bump
        )

    def place(self, pose: Pose2D) -> None:
        """Put the robot somewhere, at rest; odometry does not notice, as on a robot lifted up."""
        if self.plan.collides(pose, self.settings.radius_m):
            raise QuietNavError(
                f"robot: ({pose.x:.2f}, {pose.y:.2f}) in room '{self.plan.name}' is outside, in "
                f'furniture or nearer than {self.settings.radius_m:g} m to a wall'
            )
        self._pose = pose
        self._linear = self._angular = 0.0
        self._target = (0.0, 0.0)
        self._bump = False
        #: Nothing is nearer to the robot's middle, as far as is known without looking.
        self._clear_m = 0.0

    def command(self, linear_mps: float, angular_rps: float) -> None:
        """
        Take a velocity command; it holds until the next one or the time-out.

        Raises QuietNavError where a speed is not finite; the robot is then told to stop.
        """
        s = self.settings
        if not (math.isfinite(linear_mps) and math.isfinite(angular_rps)):
            self._target = (0.0, 0.0)
            raise QuietNavError(
                f'robot: command ({linear_mps}, {angular_rps}) is not finite; stopping'
            )
        self._target = (
            float(np.clip(linear_mps, -s.max_linear_mps, s.max_linear_mps)),
            float(np.clip(angular_rps, -s.max_angular_rps, s.max_angular_rps)),
        )
        self._commanded_s = self._time_s

    def step(self, dt_s: float) -> RobotState:
        """Advance by ``dt_s`` seconds (cut into steps of at most 0.05 s) and return the state."""
        if dt_s <= 0.0:
            return self.state
        pieces = max(1, math.ceil(dt_s / _LONGEST_STEP_S - 1e-9))
        bumped = False
        for _ in range(pieces):
            self._advance(dt_s / pieces)
            bumped |= self._bump
        self._bump = bumped
        return self.state

    def _advance(self, dt: float) -> None:
        s = self.settings
        self._time_s += dt
        expired = self._time_s - self._commanded_s > s.command_timeout_s + 1e-9
        linear, angular = (0.0, 0.0) if expired else self._target
        before = self._linear, self._angular
        self._linear = _approach(self._linear, linear, s.linear_accel_mps2 * dt)
        self._angular = _approach(self._angular, angular, s.angular_accel_rps2 * dt)
        distance = 0.5 * (before[0] + self._linear) * dt
        turn = 0.5 * (before[1] + self._angular) * dt
        if distance == 0.0 and turn == 0.0:
            self._bump = False
            return
        noise = s.heading_noise_rad * math.sqrt(abs(distance)) * float(self._rng.standard_normal())
        wanted = _arc(distance * self._reach, turn * self._turn_reach + noise)
        share = self._free_share(wanted)
        self._bump = share < 1.0
        if self._bump:
            self._linear = 0.0
            distance *= share + (1.0 - share) * s.blocked_wheels
        self._pose = self._pose.compose(Pose2D(share * wanted.x, share * wanted.y, wanted.yaw))
        counted = _arc(distance, turn + self._drift * distance)
        self._odometry = self._odometry.compose(counted)

    def _free_share(self, motion: Pose2D) -> float:
        """Return the share of a small motion that is free before the robot touches something."""
        radius = self.settings.radius_m
        # Whoever moves a little comes nearer to anything by that little at most.
        self._clear_m -= math.hypot(motion.x, motion.y)
        if self._clear_m > radius:
            return 1.0
        start = np.array([self._pose.x, self._pose.y])
        move = np.array(self._pose.transform(motion.x, motion.y)) - start
        here, there = self.plan.clearance(np.stack([start, start + move]))
        self._clear_m = float(min(here, there))
        if there > radius or there >= here:
            return 1.0
        shares = np.linspace(0.0, 1.0, 65)
        free = self.plan.clearance(start + shares[:, None] * move) > radius
        return float(shares[max(int(np.argmin(free)) - 1, 0)])


def _arc(distance: float, turn: float) -> Pose2D:
    """Return the end of an arc of a given length and turn, as seen from its start."""
    if abs(turn) < 1e-6:
        return Pose2D(distance, 0.5 * distance * turn, turn)
    radius = distance / turn
    return Pose2D(radius * math.sin(turn), radius * (1.0 - math.cos(turn)), wrap_angle(turn))


def _approach(value: float, target: float, most: float) -> float:
    return value + float(np.clip(target - value, -most, most))
