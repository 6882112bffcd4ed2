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

"""When a robot stood still, told by its odometry, over a whole recording."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.odometry import MAX_GAP_S, rate_fault, STILL_M, STILL_RAD

#: Of shorter rests nobody asks where they were.
_LEAST_S = 1.0


@dataclass(frozen=True)
class Stretch:
    """From one time to another, integer nanoseconds; pose: where it stood, if it did."""

    start_ns: int
    end_ns: int
    pose: Pose2D | None = field(default=None, compare=False)

    @property
    def duration_s(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


class StillStretches:
    """
    Takes poses in order of time and keeps when they stayed where they were.

    The limits are those of ``OdometryTrack``; of rests shorter than a second no pose is kept. A
    pause in the poses ends a stretch. known_ns: of time that poses tell about, paused_ns: of longer
    pauses between them.
    """

    def __init__(self) -> None:
        # A robot that drives has a rest at every pose: hours of them must fit into memory.
        self._begins, self._ends = array('q'), array('q')
        self._poses: dict[int, Pose2D] = {}
        self._rest: Pose2D | None = None
        self._begin_ns = self._last_ns = 0
        self._times = array('q')
        self.known_ns = self.paused_ns = 0

    def add(self, time_ns: int, pose: Pose2D) -> None:
        """Take a pose."""
        self._times.append(time_ns)
        if self._rest is None:
            self._start(time_ns, pose)
            return
        step_ns = time_ns - self._last_ns
        if step_ns == 0:
            return
        together = 0 < step_ns <= MAX_GAP_S * 1e9
        self.known_ns += step_ns if together else 0
        self.paused_ns += step_ns if step_ns > MAX_GAP_S * 1e9 else 0
        turned = abs(wrap_angle(pose.yaw - self._rest.yaw))
        if together and pose.distance_to(self._rest) <= STILL_M and turned <= STILL_RAD:
            self._last_ns = time_ns
            return
        if self._last_ns - self._begin_ns >= _LEAST_S * 1e9:
            self._poses[len(self._begins)] = self._rest
        self._begins.append(self._begin_ns)
        self._ends.append(self._last_ns)
        self._start(time_ns, pose)

    @property
    def times_ns(self) -> Sequence[int]:
        """Return times of the poses in the order they came."""
        return self._times

    @property
    def fault(self) -> str:
        """Why nothing can be told of poses that come so seldom, or ''."""
        return rate_fault(self._times)

    def stretches(self, least_s: float) -> list[Stretch]:
        """Return those that lasted at least so long, in order."""
        return [s for s in self._every() if s.duration_s >= least_s]

    def moving(self, least_s: float) -> list[Stretch]:
        """Return when it moved: between rests of at least so long, odometry without a pause."""
        found: list[Stretch] = []
        begin: int | None = None
        last: int | None = None
        for one in self._every():
            together = last is not None and one.start_ns - last <= MAX_GAP_S * 1e9
            if begin is not None and last is not None and not together:
                found.append(Stretch(begin, last))
                begin = None
            rests = one.duration_s >= least_s
            if begin is None:
                begin = None if rests else (last if together else one.start_ns)
            elif rests:
                found.append(Stretch(begin, one.start_ns))
                begin = None
            last = one.end_ns
        if begin is not None and last is not None:
            found.append(Stretch(begin, last))
        return [stretch for stretch in found if stretch.end_ns > stretch.start_ns]

    def _every(self) -> Iterator[Stretch]:
        for number, (begin, end) in enumerate(zip(self._begins, self._ends, strict=True)):
            yield Stretch(begin, end, self._poses.get(number))
        if self._rest is not None:
            yield Stretch(self._begin_ns, self._last_ns, self._rest)

    def _start(self, time_ns: int, pose: Pose2D) -> None:
        self._rest, self._begin_ns, self._last_ns = pose, time_ns, time_ns
