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

"""A run along a track as it goes on: how far, what was heard, how it ended; kept as a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
import json
import math
from pathlib import Path

from quiet_nav.files.writing import write_json
from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.tracks import Track
from quiet_nav.trials.protocol import Listened, TrialOutcome, TrialResult

#: Positions of the path lie at least this far apart, in meters.
_PATH_STEP_M = 0.02


@dataclass(frozen=True)
class Progress:
    """
    What the terminal shows of a run: one line of JSON between the processes.

    probabilities: the P that the follower last decided by, by side name, None for one without.
    time_factor: simulated seconds a second of late. time_s: simulated seconds since the goal.
    """

    phase: str
    probabilities: dict[str, float | None]
    distance_m: float
    length_m: float
    steps: int
    wall_distance_m: float | None
    time_s: float
    time_factor: float

    def to_line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Progress | None:
        """Return the progress that a line holds, None where it is something else."""
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError):
            return None


class TrackRun:
    """
    Follows true poses along a track and says when and how the run has ended.

    outcome is '' while it goes on; then destination, collision, left the track, or what was
    given to ``end``. Times are integer nanoseconds of the simulation.
    """

    def __init__(self, track: Track) -> None:
        self.track = track
        self.time_ns = 0
        self.pose: Pose2D | None = None
        self.distance_m = 0.0
        self.outcome: TrialOutcome | str = ''
        self.phase = 'waiting'
        self.steps = 0
        self.wall_distance_m: float | None = None
        self.probabilities: dict[str, float | None] = {}
        self.path: list[tuple[float, float]] = []
        self.listened: list[Listened] = []
        self._began_ns = 0
        self._noted = -1

    @property
    def time_s(self) -> float:
        """Return simulated seconds since ``begin``; 0 before."""
        return (self.time_ns - self._began_ns) * 1e-9 if self._began_ns else 0.0

    def begin(self) -> None:
        """Note that the goal was accepted: from now on the way counts."""
        self._began_ns = self.time_ns

    def moved(self, time_ns: int, pose: Pose2D) -> None:
        """Take a true pose in the room."""
        self.time_ns, self.pose = time_ns, pose
        if self.outcome or not self._began_ns:
            return
        last = self.path[-1] if self.path else None
        if last is None or math.dist(last, (pose.x, pose.y)) >= _PATH_STEP_M:
            self.path.append((pose.x, pose.y))
        if not self.track.contains(pose.x, pose.y):
            self.outcome = TrialOutcome.LEFT_TRACK
            return
        self.distance_m = max(self.distance_m, self.track.progress(pose.x, pose.y))
        if self.track.reached(pose.x, pose.y):
            self.distance_m = self.track.length_m
            self.outcome = TrialOutcome.DESTINATION

    def bumped(self) -> None:
        """Take a contact."""
        self.end('collision')

    def said(
        self, phase: str, steps: int, left: float, right: float, wall_distance_m: float
    ) -> None:
        """Take the follower's feedback; NaN for what is not known."""
        self.phase, self.steps = phase, steps
        self.wall_distance_m = wall_distance_m if math.isfinite(wall_distance_m) else None
        decided = phase in ('turn', 'drive')
        if decided:
            # What comes while it listens is asked in the axes of a robot that may have turned.
            self.probabilities = {
                side: p if math.isfinite(p) else None
                for side, p in (('left', left), ('right', right))
            }
        if decided and steps != self._noted and self.pose is not None:
            self._noted = steps
            self.listened.append(Listened(self.pose, (left, right)))

    def end(self, outcome: str) -> None:
        """End the run in another way, unless it has ended."""
        self.outcome = self.outcome or outcome

    def progress(self, time_factor: float) -> Progress:
        return Progress(
            phase=self.phase,
            probabilities=dict(self.probabilities),
            distance_m=self.distance_m,
            length_m=self.track.length_m,
            steps=self.steps,
            wall_distance_m=self.wall_distance_m,
            time_s=self.time_s,
            time_factor=time_factor,
        )

    def result(
        self, room: str, policy: str, rig: str, start: int, detector: str = ''
    ) -> TrialResult:
        """Return the run as a trial from the track's start pose ``start``."""
        begin = self.track.starts()[start]
        return TrialResult(
            room=room,
            track=self.track.name,
            policy=policy,
            rig=rig,
            index=start,
            offset_m=begin.offset_m,
            heading=begin.heading_name,
            distance_m=self.distance_m,
            length_m=self.track.length_m,
            outcome=self.outcome,
            steps=self.steps,
            duration_s=self.time_s,
            path=tuple(self.path),
            listened=tuple(self.listened),
            detector=detector,
        )


def save_run(path: Path, result: TrialResult) -> None:
    """Write a run as JSON."""
    write_json(path, asdict(result), overwrite=True)
