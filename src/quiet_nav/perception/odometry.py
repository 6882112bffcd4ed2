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

"""What odometry says of a window: whether the robot stood still meanwhile, and where."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
import enum
import itertools
import math

from quiet_nav.geometry import Pose2D, wrap_angle

#: Less than this is standing: encoders tick and gyroscopes drift at rest, too.
STILL_M = 0.005
STILL_RAD = 0.01
#: With a longer pause between two poses nobody knows what the robot did in between.
MAX_GAP_S = 0.3


#: Odometry that runs ahead of sound by less may be sound that comes late.
_MOST_AHEAD_S = 5.0
#: Steps between poses that tell how often they come.
_STEPS = 20


class OdometryFaultKind(enum.Enum):
    """Why odometry cannot tell whether the robot stood."""

    SLOW = enum.auto()
    BEHIND = enum.auto()
    AHEAD = enum.auto()


@dataclass(frozen=True)
class OdometryFault:
    """A kind of fault and a sentence with its numbers."""

    kind: OdometryFaultKind
    text: str


def rate_fault(times_ns: Sequence[int]) -> str:
    """Return that poses of these times come too seldom to tell a standing robot, or ''."""
    # The middle step is short enough: counted, as hours of poses would be long to sort.
    all_, short = 0, 0
    for before, after in itertools.pairwise(times_ns):
        all_ += after > before
        short += 0 < after - before <= MAX_GAP_S * 1e9
    if not all_ or short > all_ // 2:
        return ''
    steps = sorted(b - a for a, b in itertools.pairwise(times_ns) if b > a)
    return (
        f'odometry too slow: {1e9 / steps[len(steps) // 2]:.1f} Hz, at least '
        f'{math.ceil(1.0 / MAX_GAP_S)} Hz needed to tell whether the robot stood'
    )


class OdometryTrack:
    """Poses by time, as far back as ``memory_s``; times are those of the windows asked about."""

    def __init__(self, memory_s: float = 60.0) -> None:
        self._memory_ns = round(memory_s * 1e9)
        self._times: list[int] = []
        self._poses: list[Pose2D] = []
        self.known = False

    @property
    def latest_ns(self) -> int | None:
        """Time of the newest pose, None before the first."""
        return self._times[-1] if self._times else None

    def add(self, time_ns: int, pose: Pose2D) -> None:
        """Take a pose; one that is not finite is left out, time that runs backwards starts anew."""
        if not all(map(math.isfinite, (pose.x, pose.y, pose.yaw))):
            return
        self.known = True
        if self._times and time_ns <= self._times[-1]:
            if time_ns == self._times[-1]:
                return
            self._times, self._poses = [], []
        self._times.append(time_ns)
        self._poses.append(pose)
        old = bisect.bisect_left(self._times, time_ns - self._memory_ns)
        # Cut seldom: dropping one at a time would move the whole list at every pose.
        if old > 256:
            del self._times[:old], self._poses[:old]

    def fault(self, end_ns: int) -> OdometryFault | None:
        """Return why nothing can be told of a window that ends so; None where all is well."""
        if not self._times:
            return None
        slow = rate_fault(self._times[-_STEPS - 1 :])
        if slow:
            return OdometryFault(OdometryFaultKind.SLOW, slow)
        behind_s = (end_ns - self._times[-1]) / 1e9
        if behind_s > MAX_GAP_S:
            return OdometryFault(
                OdometryFaultKind.BEHIND,
                f'odometry is {behind_s:.1f} s behind the sound: does it still come, and do both '
                'take their stamps from one clock?',
            )
        if -behind_s > _MOST_AHEAD_S:
            return OdometryFault(
                OdometryFaultKind.AHEAD,
                f'odometry is {-behind_s:.1f} s ahead of the sound: do both take their stamps '
                'from one clock?',
            )
        return None

    def standing(self, start_ns: int, end_ns: int) -> Pose2D | None:
        """
        Return where the robot stood all the time from start to end; None where it moved.

        None as well where poses are missing for more than 0.3 s in between.
        """
        first = max(bisect.bisect_right(self._times, start_ns) - 1, 0)
        last = bisect.bisect_left(self._times, end_ns) + 1
        times, poses = self._times[first:last], self._poses[first:last]
        if not times:
            return None
        gap_ns = MAX_GAP_S * 1e9
        seams = [min(start_ns, times[0]), *times, max(end_ns, times[-1])]
        if any(b - a > gap_ns for a, b in itertools.pairwise(seams)):
            return None
        rest = poses[-1]
        for pose in poses:
            turned = abs(wrap_angle(pose.yaw - rest.yaw))
            if pose.distance_to(rest) > STILL_M or turned > STILL_RAD:
                return None
        return rest
