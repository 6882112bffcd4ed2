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

"""Tracks: the paths along walls that trials are driven on, and how far along one a robot is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
import math

import numpy as np

from quiet_nav.geometry import Pose2D, Side, wrap_angle
from quiet_nav.simulation.rooms.polygons import nearest_on_segments, offset_polyline, points_inside

#: Start distances from the wall (m) and headings (radians, left positive) of the paper, section 5.
PAPER_OFFSETS_M = (0.40, 0.80, 1.20)
PAPER_HEADINGS_RAD = (math.radians(30.0), 0.0, math.radians(-30.0))
#: How far the track goes on behind its start and beyond its destination, in meters.
RUN_OUT_M = 0.5

Point = tuple[float, float]


@dataclass(frozen=True)
class Start:
    """A start pose with what it was made from: meters from the wall, heading from the track's."""

    pose: Pose2D
    offset_m: float
    heading_rad: float

    @property
    def heading_name(self) -> str:
        """'left', 'straight' or 'right', as the paper's Fig. 10 groups its trials."""
        if abs(self.heading_rad) < 1e-6:
            return 'straight'
        return 'left' if self.heading_rad > 0.0 else 'right'


@dataclass(frozen=True)
class Track:
    """
    A strip along a wall from a start line to a destination line.

    center: polyline of the strip's middle in meters, driven from first to last point; its length
    is the track's. width: meters across. side: where the wall is (LEFT or RIGHT) on the way.
    offsets_m: start distances from the wall; headings_rad: start headings, 0 along the track.
    """

    name: str
    center: tuple[Point, ...]
    width: float
    side: Side
    offsets_m: tuple[float, ...] = PAPER_OFFSETS_M
    headings_rad: tuple[float, ...] = PAPER_HEADINGS_RAD

    @cached_property
    def _line(self) -> np.ndarray:
        return np.asarray(self.center, dtype=float)

    @cached_property
    def _marks(self) -> np.ndarray:
        legs = np.linalg.norm(np.diff(self._line, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(legs)])

    @property
    def length_m(self) -> float:
        return float(self._marks[-1])

    @property
    def legs_m(self) -> tuple[float, ...]:
        """Lengths of the straight pieces in meters."""
        return tuple(float(leg) for leg in np.diff(self._marks))

    @property
    def _wall_sign(self) -> float:
        return 1.0 if self.side == Side.LEFT else -1.0

    @cached_property
    def wall_line(self) -> np.ndarray:
        """Return the edge of the strip on the wall's side, shape (n, 2)."""
        return offset_polyline(self._line, self._wall_sign * 0.5 * self.width)

    @cached_property
    def boundary(self) -> np.ndarray:
        """Corners of the strip, RUN_OUT_M longer at both ends, counter-clockwise, shape (m, 2)."""
        line = self._line.copy()
        first, last = line[0] - line[1], line[-1] - line[-2]
        line[0] += RUN_OUT_M * first / np.linalg.norm(first)
        line[-1] += RUN_OUT_M * last / np.linalg.norm(last)
        right = offset_polyline(line, -0.5 * self.width)
        left = offset_polyline(line, 0.5 * self.width)
        return np.concatenate([right, left[::-1]])

    @cached_property
    def destination(self) -> np.ndarray:
        """Return the destination across the strip, shape (2, 2): its right and its left end."""
        across = [offset_polyline(self._line, s * 0.5 * self.width)[-1] for s in (-1.0, 1.0)]
        return np.stack(across)

    def pose_at(self, distance_m: float, offset_m: float | None = None) -> Pose2D:
        """
        Return the pose along the track after a distance, ``offset_m`` from the wall's edge.

        Without an offset the pose is on the center line. Distances are clipped to the track.
        """
        s = float(np.clip(distance_m, 0.0, self.length_m))
        leg = int(np.clip(np.searchsorted(self._marks, s, 'right') - 1, 0, len(self._marks) - 2))
        step = self._line[leg + 1] - self._line[leg]
        along = step / np.linalg.norm(step)
        x, y = self._line[leg] + (s - self._marks[leg]) * along
        left = 0.0 if offset_m is None else self._wall_sign * (0.5 * self.width - offset_m)
        yaw = math.atan2(along[1], along[0])
        return Pose2D(float(x - left * along[1]), float(y + left * along[0]), yaw)

    def starts(self) -> tuple[Start, ...]:
        """Return every start pose: each distance from the wall with each heading."""
        starts = []
        for offset in self.offsets_m:
            pose = self.pose_at(0.0, offset)
            starts += [
                Start(replace(pose, yaw=wrap_angle(pose.yaw + heading)), offset, heading)
                for heading in self.headings_rad
            ]
        return tuple(starts)

    def progress(self, x: float, y: float) -> float:
        """Return how far along the center line the nearest point of it is, 0 to ``length_m``."""
        line = self._line
        distance, feet = nearest_on_segments(np.array([[x, y]]), line[:-1], line[1:])
        leg = int(np.argmin(distance[0]))
        return float(self._marks[leg] + np.linalg.norm(feet[0, leg] - line[leg]))

    def contains(self, x: float, y: float) -> bool:
        """Return whether a point is on the strip (its run-out at both ends included)."""
        return bool(points_inside(np.array([x, y]), self.boundary))

    def reached(self, x: float, y: float) -> bool:
        """Return whether a point on the strip is at or beyond the destination line."""
        return self.contains(x, y) and self.at_end(self.progress(x, y))

    def at_end(self, along_m: float) -> bool:
        """Return whether so far along the center line is at its end."""
        return along_m >= self.length_m - 1e-6

    def mirrored(self, axis: float) -> Track:
        """Return the track of a room mirrored by x -> axis - x; start headings stay as named."""
        center = tuple((axis - x, y) for x, y in self.center)
        return replace(self, center=center, side=self.side.opposite)
