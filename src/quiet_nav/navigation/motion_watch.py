"""Motion commanded held against motion measured: odometry that is frozen, scaled, reversed."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.navigation.limits import STOP, Twist2D

#: The way back that is looked at: less finds faults late, more hides them behind good way.
_WINDOW_M, _WINDOW_RAD = 0.12, 0.6
#: What was longer ago says nothing of now, however little was commanded since.
_LONGEST_S = 10.0
#: A pause between two samples counts as no longer than this: what was not commanded is no way.
_LONGEST_GAP_S = 0.5


@dataclass(frozen=True)
class MotionSettings:
    """How far measured motion may stay behind what was commanded.

    motion_delay_s: from a command to odometry that shows it. motion_margin_m, motion_margin_rad:
    may always be missing; motion_share: may be missing of what was commanded. A robot that does
    not move at 0.15 m/s is found after some 0.5 s; one that slips by a fifth never.
    Raises QuietNavError where a value is negative or not finite.
    """

    motion_delay_s: float = 0.2
    motion_margin_m: float = 0.04
    motion_margin_rad: float = 0.2
    motion_share: float = 0.25

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0.0):
                raise QuietNavError(f'{name} is {value}; expected a number from 0 up')


@dataclass(frozen=True)
class _Sample:
    """Sums since the start at a time: commanded and measured way (m) and angle (rad), signed."""

    time_ns: int
    commanded_m: float
    commanded_rad: float
    measured_m: float
    measured_rad: float


class MotionWatch:
    """Takes commands and poses of odometry; says where the robot does not do what it is told.

    Way is counted along the robot's heading, so that one that goes backwards loses twice.
    """

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self.settings = settings or MotionSettings()
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new run begins, or the robot was stopped by something else."""
        self._pose: Pose2D | None = None
        self._measured_m = self._measured_rad = 0.0
        self._command, self._command_ns = STOP, 0
        self._commanded_m = self._commanded_rad = 0.0
        #: Commands on their way: what is commanded now is expected after the delay.
        self._coming: deque[tuple[int, float, float]] = deque()
        self._samples: deque[_Sample] = deque()

    def odometry(self, pose: Pose2D) -> None:
        """Take a finite pose of odometry."""
        before, self._pose = self._pose, pose
        if before is not None:
            dx, dy = pose.x - before.x, pose.y - before.y
            self._measured_m += dx * math.cos(pose.yaw) + dy * math.sin(pose.yaw)
            self._measured_rad += wrap_angle(pose.yaw - before.yaw)

    def commanded(self, now_ns: int, command: Twist2D) -> None:
        """Take the command that is sent now; to be called with every one."""
        if self._command_ns:
            dt_s = min(max(now_ns - self._command_ns, 0) * 1e-9, _LONGEST_GAP_S)
            due_ns = now_ns + round(self.settings.motion_delay_s * 1e9)
            moved = self._command.linear_mps * dt_s, self._command.angular_rps * dt_s
            self._coming.append((due_ns, *moved))
        self._command, self._command_ns = command, now_ns
        while self._coming and self._coming[0][0] <= now_ns:
            _, way_m, turn_rad = self._coming.popleft()
            self._commanded_m += way_m
            self._commanded_rad += turn_rad
        self._samples.append(
            _Sample(
                now_ns,
                self._commanded_m,
                self._commanded_rad,
                self._measured_m,
                self._measured_rad,
            )
        )
        self._shorten(now_ns)

    def _shorten(self, now_ns: int) -> None:
        """Drop samples that lie farther back than the windows reach, and one that is too old."""
        samples, newest = self._samples, self._samples[-1]
        while len(samples) > 2 and (
            now_ns - samples[0].time_ns > _LONGEST_S * 1e9
            or (
                abs(newest.commanded_m - samples[1].commanded_m) >= _WINDOW_M
                and abs(newest.commanded_rad - samples[1].commanded_rad) >= _WINDOW_RAD
            )
        ):
            samples.popleft()

    def fault(self) -> str:
        """Return in words how far the robot stays behind, '' where it does what it is told."""
        if not self._samples:
            return ''
        s = self.settings
        newest = self._samples[-1]
        way = self._since(newest, 'commanded_m', _WINDOW_M)
        told_m = newest.commanded_m - way.commanded_m
        went_m = newest.measured_m - way.measured_m
        if _behind(told_m, went_m, s.motion_margin_m, s.motion_share):
            return (
                f'commanded {told_m:.2f} m, odometry says {went_m:.2f} m: '
                'odometry is wrong, or the robot is stuck'
            )
        turn = self._since(newest, 'commanded_rad', _WINDOW_RAD)
        told_rad = newest.commanded_rad - turn.commanded_rad
        turned_rad = newest.measured_rad - turn.measured_rad
        if _behind(told_rad, turned_rad, s.motion_margin_rad, s.motion_share):
            return (
                f'commanded a turn of {told_rad:.2f} rad, odometry says {turned_rad:.2f} rad: '
                'odometry is wrong, or the robot is stuck'
            )
        return ''

    def _since(self, newest: _Sample, name: str, window: float) -> _Sample:
        """Return the newest sample before which a window of the commanded motion begins."""
        now = getattr(newest, name)
        for sample in reversed(self._samples):
            if abs(now - getattr(sample, name)) >= window:
                return sample
        return self._samples[0]


def _behind(told: float, measured: float, margin: float, share: float) -> bool:
    if told < 0.0:
        told, measured = -told, -measured
    return told - measured > margin + share * told
