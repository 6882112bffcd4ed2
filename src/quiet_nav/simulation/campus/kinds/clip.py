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

"""Places of one microphone that faces a wall: what static and dense campuses record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.quiet_campus.annotation import Annotation
from quiet_nav.quiet_campus.folders import (
    MOTION_DEPTH_M,
    write_annotation,
    write_color,
    write_sound,
    write_static_depth,
)
from quiet_nav.quiet_campus.listing import write_place_lists
from quiet_nav.simulation.campus.kinds.kind import CampusKind, is_near, listed_places
from quiet_nav.simulation.campus.recording import (
    Camera,
    distractor_said,
    hearing_of,
    pose_said,
    samples_of,
)
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.campus.robots import carrier, own_said
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.own_hearing import RobotEars

#: A grid of places has many more pairs than anyone trains on: so many of a room are listed.
ROOM_PAIRS = 1000


class ClipKind(CampusKind):
    """A kind whose places are clips of one microphone."""

    def write(self, folder: Path, room: RoomPlan, request: CampusRequest) -> None:
        """Record every place; an image beside it where the request has images."""
        mics = np.array([[place.pose.x, place.pose.y, place.height] for place in room.places])
        looks = np.array([_look(place.pose) for place in room.places])
        hearing = hearing_of(room, mics, looks if request.directional else None)
        camera = Camera(room) if request.images else None
        for place in room.places:
            write_clip(
                folder / place.name,
                place,
                room,
                hearing,
                camera,
                request.plain,
                request.directional,
            )

    def is_near(self, said: Annotation) -> bool | None:
        """Return how the lists call a place; None leaves it out."""
        return is_near(said)

    def write_lists(
        self, root: Path, rooms: list[str], split: str, rng: np.random.Generator
    ) -> None:
        """Every place with its label, and pairs."""
        listed = {room: listed_places(root, room, self.is_near) for room in rooms}
        write_place_lists(root, self.SUBSET, listed, split, most_pairs=ROOM_PAIRS, rng=rng)


def write_clip(
    folder: Path,
    place: Place,
    room: RoomPlan,
    hearing: Hearing,
    camera: Camera | None,
    plain: bool,
    directional: bool = False,
) -> None:
    """
    Record one place; directional: by a cardioid that is turned to the place's heading.

    Where a robot is heard it carries the microphone in front of it; ``fingerprint.wav`` is then
    what the microphone hears of it, as high, far from any wall.
    """
    folder.mkdir()
    pose, scene = place.pose, room.scene
    mic = np.array([[pose.x, pose.y, place.height]])
    start, count = samples_of(place)
    robot = carrier(pose)
    look = _look(pose)[None] if directional else np.zeros((1, 3))
    heard = hearing.microphones(mic, start, count, look, robot=robot)
    write_sound(folder / 'sound.wav', heard[0])
    distance = scene.room.surface_along(mic[0], pose.yaw)
    annotation = {
        'depth': distance,
        'Audio Length': place.length_s,
        'Max depth in map': MOTION_DEPTH_M,
        'pose': pose_said(pose),
        'height': place.height,
        'start': place.start_s,
        'nearest wall': float(scene.room.nearest_wall(mic[0])[0]),
        'distractor': distractor_said(room, place),
        **place.notes,
    }
    if not plain:
        annotation['near'] = distance <= NEAR_WALL_M
    ears = RobotEars.seen_from(robot, mic, look, [0])
    own = own_said(room, hearing, robot, ears, {'sound.wav': (start, count)})
    if own is not None:
        annotation['own sound'] = own
        ear = replace(room.rig.ears[0], z=place.height)
        alone = hearing.fingerprint(replace(room.rig, ears=(ear,)), start, count)
        write_sound(folder / 'fingerprint.wav', alone[0])
    if camera is not None:
        image, depth = camera.take(pose, place.height, place.name)
        write_color(folder / 'RGB.png', image)
        annotation['Max depth in map'] = write_static_depth(folder / 'Depth.png', depth)
    write_annotation(folder / 'annotation.json', annotation)


def _look(pose: Pose2D) -> np.ndarray:
    """Return the direction that a place faces, (3,)."""
    return np.array([np.cos(pose.yaw), np.sin(pose.yaw), 0.0])
