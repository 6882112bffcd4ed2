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

"""What a simulated campus is asked for, and what a room of it records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.sound.scenes import Scene

#: What own sound is drawn at, dB over the ambience at the ears.
OWN_LEVEL_DB = (-5.0, 20.0)


@dataclass(frozen=True)
class CampusRequest:
    """What was asked for; the files that come of it follow from this alone."""

    #: Name of a campus kind: what a room records.
    kind: str
    #: How many.
    rooms: int
    #: Of every room, with its number.
    seed: int
    #: Whether images and depth are rendered, too.
    images: bool = True
    #: Folder of recordings that replace noise; '' for none.
    sounds: str = ''
    #: YAML of a rig (``robot``); '' for the kind's own.
    rig: str = ''
    #: Share of places with a distractor event ...
    distractors: float = 0.0
    #: ... at so many dB of ambience over event.
    distractor_snr_db: float = 0.0
    #: No source drifts, starts or stops.
    steady: bool = False
    #: Of the robot's camera over the floor, meters (``views``).
    camera_height: float = 0.3
    #: How obliquely the camera faces a wall at most, degrees (``views``).
    facing_within_deg: float = 70.0
    #: A robot carries the microphone and its own noise is heard (``motion``).
    motor: bool = False
    #: Every room is in the test lists.
    test_only: bool = False
    #: Share of rooms that lose a corner.
    cut: float = 0.0
    #: Share of rooms all surfaces of which are hard.
    hard: float = 0.0
    #: A room has 1 to so many sources.
    most_sources: int = 5
    #: Rooms are bare, microphones flat and alike, ears where the rig says, as in the first
    #: campuses.
    plain: bool = False
    #: Share of rooms in which a robot is heard ...
    own_sound: float = 0.0
    #: ... so many dB over the ambience at its ears (least, most).
    own_level_db: tuple[float, float] = OWN_LEVEL_DB
    #: Share in which it is heard alone.
    silent_rooms: float = 0.0
    #: File of its profile; '' for robots that are drawn.
    robot: str = ''
    #: Share of rooms whose band below 700 Hz is solved by waves.
    waves: float = 0.0
    #: The microphone is a cardioid that is turned as the recorder is (``dense``), as the paper's;
    #: else it hears all around.
    directional: bool = False

    def __post_init__(self) -> None:
        if self.rooms < 1:
            raise QuietNavError(f'{self.rooms} rooms; expected at least 1')
        if not 0.0 <= self.distractors <= 1.0:
            raise QuietNavError(f'distractors {self.distractors}; expected a share from 0 to 1')
        for name in ('cut', 'hard', 'own_sound', 'silent_rooms', 'waves'):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise QuietNavError(f'{name} {getattr(self, name)}; expected a share from 0 to 1')
        if self.silent_rooms > self.own_sound:
            raise QuietNavError(
                f'silent rooms {self.silent_rooms}: in a silent room a robot is heard alone; '
                f'expected no more than the share with own sound, {self.own_sound}'
            )
        low, high = self.own_level_db
        if not -60.0 <= low <= high <= 60.0:
            raise QuietNavError(
                f'own level {low:g} to {high:g} dB; expected two levels from -60 to 60, the '
                'smaller first'
            )
        if self.most_sources < 1:
            raise QuietNavError(f'at most {self.most_sources} sources; expected 1 or more')
        if not 0.05 <= self.camera_height <= 2.0:
            raise QuietNavError(f'camera height {self.camera_height} m; expected 0.05 to 2')
        if self.directional and self.kind != 'dense':
            raise QuietNavError(f'directional: of kind dense alone, not of {self.kind}')
        if not 0.0 <= self.facing_within_deg < 90.0:
            raise QuietNavError(f'facing within {self.facing_within_deg} degrees; expected 0 to 90')


@dataclass(frozen=True)
class Place:
    """
    One recording: where, when and how long.

    pose: of the microphone, or of the robot's base for ``robot``, facing ``pose.yaw``.
    path: (x, y) of the microphone over time (``motion``). notes go into the annotation.
    """

    name: str
    pose: Pose2D
    height: float
    start_s: float
    length_s: float
    path: tuple[tuple[float, float], ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RoomPlan:
    """
    A room of the campus: its name, scene, the places that are recorded in it, and the ears.

    rig: of the robot in this room; one ear in front of it where a single microphone records.
    waves: its band below 700 Hz is solved by waves.
    """

    name: str
    scene: Scene
    places: tuple[Place, ...]
    rig: Rig
    waves: bool = False
