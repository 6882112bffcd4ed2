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

"""Where frames are over time (what tf says), kept for a while and asked for any moment."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
import math

from quiet_nav.geometry import Pose2D

#: Between two poses further apart than this nobody knows where a frame was.
MAX_GAP_S = 1.0
#: Time that runs back further than this is a new start, as when a bag is played again.
JUMP_BACK_S = 1.0
#: Frames whose chain of parents is longer stand in a circle.
_LONGEST_CHAIN = 64


@dataclass(frozen=True)
class Transform:
    """Position in meters and rotation (unit quaternion) of a frame in its parent."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    qx: float = 0.0
    qy: float = 0.0
    qz: float = 0.0
    qw: float = 1.0

    @classmethod
    def of_pose(cls, pose: Pose2D, z: float = 0.0) -> Transform:
        """Return the transform of a pose in the plane at a height."""
        half = pose.yaw / 2.0
        return cls(pose.x, pose.y, z, qz=math.sin(half), qw=math.cos(half))

    @property
    def pose(self) -> Pose2D:
        """Return the part in the plane; the yaw is that of the frame's x axis."""
        dx, dy, _ = self.rotate(1.0, 0.0, 0.0)
        return Pose2D(self.x, self.y, math.atan2(dy, dx))

    def rotate(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Return a direction given in this frame in the parent."""
        qx, qy, qz, qw = self.qx, self.qy, self.qz, self.qw
        tx, ty, tz = 2 * (qy * z - qz * y), 2 * (qz * x - qx * z), 2 * (qx * y - qy * x)
        return (
            x + qw * tx + qy * tz - qz * ty,
            y + qw * ty + qz * tx - qx * tz,
            z + qw * tz + qx * ty - qy * tx,
        )

    def compose(self, other: Transform) -> Transform:
        """Return ``other``, given in this frame, in this frame's parent."""
        dx, dy, dz = self.rotate(other.x, other.y, other.z)
        ax, ay, az, aw = self.qx, self.qy, self.qz, self.qw
        bx, by, bz, bw = other.qx, other.qy, other.qz, other.qw
        return Transform(
            self.x + dx,
            self.y + dy,
            self.z + dz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        )

    def inverse(self) -> Transform:
        """Return the parent's place in this frame."""
        back = Transform(qx=-self.qx, qy=-self.qy, qz=-self.qz, qw=self.qw)
        x, y, z = back.rotate(-self.x, -self.y, -self.z)
        return Transform(x, y, z, back.qx, back.qy, back.qz, back.qw)

    def toward(self, other: Transform, share: float) -> Transform:
        """Return the transform a share of the way to another, the shorter way round."""
        a = (self.x, self.y, self.z, self.qx, self.qy, self.qz, self.qw)
        b = (other.x, other.y, other.z, other.qx, other.qy, other.qz, other.qw)
        sign = -1.0 if sum(p * q for p, q in zip(a[3:], b[3:], strict=True)) < 0.0 else 1.0
        place = [p + share * (q - p) for p, q in zip(a[:3], b[:3], strict=True)]
        turn = [p + share * (sign * q - p) for p, q in zip(a[3:], b[3:], strict=True)]
        norm = math.hypot(*turn)
        return Transform(*place, *(v / norm for v in turn))


@dataclass
class _Link:
    """A frame in its parent over time; a fixed one has a single pose that holds always."""

    parent: str
    fixed: bool
    times: list[int] = field(default_factory=list)
    poses: list[Transform] = field(default_factory=list)

    def at(self, time_ns: int) -> Transform | None:
        if self.fixed:
            return self.poses[0]
        i = bisect.bisect_left(self.times, time_ns)
        if i < len(self.times) and self.times[i] == time_ns:
            return self.poses[i]
        if not 0 < i < len(self.times):
            return None
        before, after = self.times[i - 1], self.times[i]
        if after - before > MAX_GAP_S * 1e9:
            return None
        share = (time_ns - before) / (after - before)
        return self.poses[i - 1].toward(self.poses[i], share)


class TransformBuffer:
    """
    A tree of frames as far back as ``memory_s``; poses between two that came are interpolated.

    Nothing is guessed: before the first pose, after the newest and within gaps of more than 1 s
    there is none.
    """

    def __init__(self, memory_s: float = 60.0) -> None:
        self._memory_ns = round(memory_s * 1e9)
        self._links: dict[str, _Link] = {}

    def __len__(self) -> int:
        """Return number of poses kept."""
        return sum(len(link.poses) for link in self._links.values())

    def __contains__(self, frame: str) -> bool:
        """Whether the frame has a parent."""
        return frame in self._links

    def forget(self, frame: str) -> None:
        """Drop what is known of a frame."""
        self._links.pop(frame, None)

    def add_fixed(self, parent: str, frame: str, transform: Transform) -> None:
        """Take a transform that holds for all times (tf_static)."""
        self._links[frame] = _Link(parent, True, [0], [transform])

    def add(self, parent: str, frame: str, time_ns: int, transform: Transform) -> None:
        """Take where a frame was at a time; order does not matter within 1 s."""
        values = (transform.x, transform.y, transform.z, transform.qw)
        if not all(map(math.isfinite, values)):
            return
        link = self._links.get(frame)
        if (
            link is None
            or link.fixed
            or link.parent != parent
            or time_ns < link.times[-1] - JUMP_BACK_S * 1e9
        ):
            link = self._links[frame] = _Link(parent, False)
        i = bisect.bisect_left(link.times, time_ns)
        if i < len(link.times) and link.times[i] == time_ns:
            return
        link.times.insert(i, time_ns)
        link.poses.insert(i, transform)
        old = bisect.bisect_left(link.times, link.times[-1] - self._memory_ns)
        # Cut seldom: dropping one at a time would move the whole list at every pose.
        if old > 256:
            del link.times[:old], link.poses[:old]

    def lookup(self, target: str, source: str, time_ns: int) -> Transform | None:
        """Return where ``source`` was in ``target`` at a time; None where that is not known."""
        above = dict(self._climb(target, time_ns))
        for frame, transform in self._climb(source, time_ns):
            if frame in above:
                return above[frame].inverse().compose(transform)
        return None

    def _climb(self, frame: str, time_ns: int) -> list[tuple[str, Transform]]:
        """Return the frame and its ancestors with the frame's place in each."""
        found, transform = [(frame, Transform())], Transform()
        while (link := self._links.get(frame)) is not None and len(found) < _LONGEST_CHAIN:
            step = link.at(time_ns)
            if step is None:
                break
            frame, transform = link.parent, step.compose(transform)
            found.append((frame, transform))
        return found
