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

"""The watch over what a moving robot relies on: odometry, its motion, fresh readings, bumpers."""

from __future__ import annotations

from dataclasses import dataclass
import math

from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.life import LifeSettings, LifeWatch
from quiet_nav.navigation.limits import SafetyLimits, STOP, Twist2D
from quiet_nav.navigation.motion_watch import MotionSettings, MotionWatch
from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.perception.readings import Modality, NearWallReading


@dataclass(frozen=True)
class Fault:
    """Why the robot must stand: an outcome and the same in words."""

    outcome: Outcome
    reason: str


class Watch:
    """
    Collects what arrives and says whether the robot may move.

    odometry_timeout_s: longest silence of odometry. sensor_timeout_s: oldest end of a window that
    still counts as live. motion: how far odometry may stay behind what is commanded. life: when
    the detector counts as dead. All times are nanoseconds of the same clock, one that never jumps;
    odometry is judged by when it arrived, readings by the end of their window.
    """

    def __init__(
        self,
        limits: SafetyLimits,
        odometry_timeout_s: float,
        sensor_timeout_s: float,
        motion: MotionSettings | None = None,
        life: LifeSettings | None = None,
    ) -> None:
        self._limits = limits
        self._odometry_timeout_s = odometry_timeout_s
        self._sensor_timeout_s = sensor_timeout_s
        self._pose: Pose2D | None = None
        self._pose_ns = 0
        self._wrong: Fault | None = None
        self.motion = MotionWatch(motion)
        self.life = LifeWatch(life)
        self._heard_until_ns: dict[Modality, int] = {}
        self._had: set[Modality] = set()
        self._pressed: dict[Outcome, bool] = {}

    def start(self) -> None:
        """Forget jumps, readings and motion of before; a new run begins."""
        self._wrong = None
        self._heard_until_ns.clear()
        self._had.clear()
        self.motion.reset()
        self.life.forget()

    def odometry(self, now_ns: int, pose: Pose2D, twist: Twist2D = STOP) -> None:
        """Take a pose and twist of odometry that arrived now."""
        if self._pose is not None:
            dt_s = (now_ns - self._pose_ns) * 1e-9
            if self._limits.jumped(self._pose, pose, dt_s):
                self._find(
                    Outcome.ODOMETRY_LOST,
                    f'odometry jumped {self._pose.distance_to(pose):.2f} m '
                    f'in {max(dt_s, 0.0):.2f} s',
                )
        numbers = (pose.x, pose.y, pose.yaw, twist.linear_mps, twist.angular_rps)
        finite = all(map(math.isfinite, numbers))
        self._pose, self._pose_ns = (pose if finite else None), now_ns
        if finite:
            self.motion.odometry(pose)
        else:
            self._find(Outcome.ODOMETRY_LOST, 'odometry is not finite')

    def odometry_refused(self, reason: str) -> None:
        """Take note of an odometry that cannot be what it says to be; it ends a run."""
        self._pose = None
        self._find(Outcome.ODOMETRY_LOST, reason)

    def commanded(self, now_ns: int, command: Twist2D) -> None:
        """Take the velocity that is sent now, to hold motion against it."""
        self.motion.commanded(now_ns, command)
        stays_behind = self.motion.fault()
        if stays_behind:
            self._find(Outcome.MOTION_MISMATCH, stays_behind)

    def _find(self, outcome: Outcome, reason: str) -> None:
        """Keep the first fault of the run: what follows from it says less."""
        self._wrong = self._wrong or Fault(outcome, reason)

    def reading(self, reading: NearWallReading) -> None:
        """Take a reading, valid or not: both show that the sensor lives."""
        before_ns = self._heard_until_ns.get(reading.modality, reading.end_ns)
        self._heard_until_ns[reading.modality] = max(reading.end_ns, before_ns)
        if reading.valid:
            self._had.add(reading.modality)

    def had_reading(self, *modalities: Modality) -> bool:
        """Return whether a valid reading of each (without any, of sound) came since the start."""
        return self._had.issuperset(modalities or (Modality.AUDIO,))

    def pressed(self, outcome: Outcome, is_pressed: bool) -> None:
        """Take the state of a bumper (Outcome.BUMP) or cliff sensor (Outcome.CLIFF)."""
        self._pressed[outcome] = is_pressed

    def sensor_age_s(self, now_ns: int, *modalities: Modality) -> float:
        """
        Return how long ago the newest window (or image) ended, in seconds; inf before one came.

        The oldest of some modalities; without any, sound's.
        """
        until_ns = [self._heard_until_ns.get(m) for m in modalities or (Modality.AUDIO,)]
        return max(math.inf if ns is None else (now_ns - ns) * 1e-9 for ns in until_ns)

    def sensor_lost(self, now_ns: int, *modalities: Modality) -> bool:
        """
        Return whether one of the modalities (without any, sound) has gone silent.

        So has one whose windows end as far ahead of now: its clock cannot be relied on.
        """
        ages = [self.sensor_age_s(now_ns, m) for m in modalities or (Modality.AUDIO,)]
        return any(abs(age_s) > self._sensor_timeout_s for age_s in ages)

    def silence(self, now_ns: int, steady_ns: int, *modalities: Modality) -> str:
        """
        Return why nothing can be driven by now, '' where the detector lives and is fresh.

        now_ns: as everywhere. steady_ns: the steady clock, by which the detector's life is judged.
        """
        dead = self.life.silent(steady_ns, *modalities)
        if dead:
            return dead
        if not self.sensor_lost(now_ns, *modalities):
            return ''
        age_s = self.sensor_age_s(now_ns, *modalities)
        if age_s < 0.0:
            return f'the newest reading lies {-age_s:.1f} s ahead of the clock'
        return f'no fresh reading for {age_s:.1f} s'

    def fault(self, now_ns: int) -> Fault | None:
        """Return what ends a run now (contact, odometry, motion), None where nothing does."""
        for outcome, is_pressed in self._pressed.items():
            if is_pressed:
                return Fault(outcome, f'{outcome.name.lower()} reported by the robot')
        if self._wrong is not None:
            return self._wrong
        silent_s = (now_ns - self._pose_ns) * 1e-9
        if self._pose is None or silent_s > self._odometry_timeout_s:
            return Fault(
                Outcome.ODOMETRY_LOST,
                'no odometry yet' if self._pose is None else f'no odometry for {silent_s:.2f} s',
            )
        return None
