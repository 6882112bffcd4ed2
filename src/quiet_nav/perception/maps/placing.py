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

"""From readings to the near-wall map: where the ear was when it heard, and what counts."""

from __future__ import annotations

from collections import deque, OrderedDict
from dataclasses import dataclass
import itertools

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.maps.probability_grid import ProbabilityGrid
from quiet_nav.perception.odometry import STILL_M, STILL_RAD
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.transforms import TransformBuffer

#: Readings that may wait for the transforms of their time.
_WAITING = 64
#: So much newer than a reading others may be before it is given up.
_PATIENCE_S = 5.0
#: Readings that a better one of the same window may still replace.
_REVISABLE = 256
#: Whether the robot stood is looked up this often within a window.
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class MapSettings:
    """What goes into a map of probabilities, and in which frames."""

    #: Frame of the map.
    fixed_frame: str = 'odom'
    #: The frame in whose axes sides are meant.
    base_frame: str = 'base_link'
    #: Count windows in which the robot moved, too, where it was in their middle.
    moving: bool = False
    #: The readings that count.
    modality: Modality = Modality.AUDIO


@dataclass(frozen=True)
class _Waiting:
    reading: NearWallReading
    frame: str


class NearWallMapper:
    """
    Places readings on a grid; ``rig`` says where ears are that speak for the base's frame.

    A window may come twice, the second time better read: the later reading counts. Everything that
    is kept is bounded. The counters say what became of the readings.
    """

    def __init__(
        self, grid: ProbabilityGrid, frames: TransformBuffer, rig: Rig, settings: MapSettings
    ) -> None:
        self.grid, self.frames = grid, frames
        self._rig, self._settings = rig, settings
        self._waiting: deque[_Waiting] = deque()
        self._placed: OrderedDict[tuple, tuple[Pose2D, float]] = OrderedDict()
        self._newest_ns = 0
        #: Changes of the grid, new readings and better ones alike.
        self.changes = 0
        self.placed = self.not_valid = self.moved = self.lost = self.outside = 0

    @property
    def newest_ns(self) -> int:
        """End of the newest window that is on the map; 0 where none is."""
        return self._newest_ns

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, reading: NearWallReading, frame: str) -> None:
        """Take a reading of an ear in a frame; ``settle`` places it when its time is known."""
        if reading.modality != self._settings.modality:
            return
        if not reading.valid:
            self.not_valid += 1
            return
        self._waiting.append(_Waiting(reading, frame))
        if len(self._waiting) > _WAITING:
            self._waiting.popleft()
            self.lost += 1

    def settle(self) -> int:
        """Place the readings whose transforms have come; return how many were placed."""
        newest = max((w.reading.end_ns for w in self._waiting), default=0)
        kept: deque[_Waiting] = deque()
        placed = 0
        for item in self._waiting:
            ear, known = self._ear(item)
            if not known:
                if newest - item.reading.end_ns <= _PATIENCE_S * 1e9:
                    kept.append(item)
                else:
                    self.lost += 1
            elif ear is None:
                self.moved += 1
            else:
                placed += self._place(item.reading, ear)
        self._waiting = kept
        return placed

    def _ear(self, item: _Waiting) -> tuple[Pose2D | None, bool]:
        """
        Return the ear and the direction asked on the map, and whether all transforms are there.

        The pose is None where the robot moved.
        """
        s, reading = self._settings, item.reading
        look_ns = round(_LOOK_EVERY_S * 1e9)
        times = [*range(reading.start_ns, reading.end_ns, look_ns), reading.end_ns]
        looked = [self.frames.lookup(s.fixed_frame, s.base_frame, t) for t in times]
        poses = [found.pose for found in looked if found is not None]
        if len(poses) < len(looked):
            return None, False
        if not s.moving and not _stood(poses):
            return None, True
        middle = len(poses) // 2
        base = poses[middle]
        if item.frame == s.base_frame:
            ear = next((e for e in self._rig.ears if e.side == reading.side), None)
            x, y = base.transform(ear.x, ear.y) if ear else (base.x, base.y)
        else:
            frame = self.frames.lookup(s.fixed_frame, item.frame, times[middle])
            if frame is None:
                return None, False
            x, y = frame.x, frame.y
        return Pose2D(x, y, wrap_angle(base.yaw + reading.side.yaw_rad)), True

    def _place(self, reading: NearWallReading, ear: Pose2D) -> int:
        key = (reading.side, reading.start_ns, reading.end_ns)
        if key in self._placed:
            pose, before = self._placed[key]
            self.grid.replace(pose, before, reading.probability)
            self._placed[key] = (pose, reading.probability)
            self.changes += 1
            return 1
        if not self.grid.add(ear, reading.probability):
            self.outside += 1
            return 0
        self._placed[key] = (ear, reading.probability)
        if len(self._placed) > _REVISABLE:
            self._placed.popitem(last=False)
        self._newest_ns = max(self._newest_ns, reading.end_ns)
        self.placed += 1
        self.changes += 1
        return 1


def _stood(poses: list[Pose2D]) -> bool:
    rest = poses[-1]
    return all(
        pose.distance_to(rest) <= STILL_M and abs(wrap_angle(pose.yaw - rest.yaw)) <= STILL_RAD
        for pose in itertools.islice(poses, len(poses) - 1)
    )
