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

"""Listening poses of a robot with a rig (SFS-Robot): now, later, and turned."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.perception.rig import Rig
from quiet_nav.quiet_campus.folders import (
    MOTION_DEPTH_M,
    SUBSETS,
    write_annotation,
    write_color,
    write_list,
    write_sound,
    write_static_depth,
)
from quiet_nav.quiet_campus.listing import list_paths, listed
from quiet_nav.simulation.campus.drawing import TRIES
from quiet_nav.simulation.campus.kinds.kind import CampusKind, said_of_room
from quiet_nav.simulation.campus.recording import (
    Camera,
    distractor_said,
    hearing_of,
    pose_said,
    samples_of,
)
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.campus.robots import own_said
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.hearing import ears_in_room, Hearing
from quiet_nav.simulation.sound.own_hearing import RobotEars
from quiet_nav.sound.windows import SAMPLE_RATE

WINDOW_S = 3.0
#: A robot's center is at least so far from every wall.
LEAST_M = 0.2
#: When the second windows of a listening pose begin, after the first ones.
LATER_S = 6.0


class RobotKind(CampusKind):
    """A robot's rig at 16 to 24 poses a room."""

    NAME = 'robot'
    SUBSET = SUBSETS['robot']
    HAS_RIG = True

    def places(
        self,
        room: AcousticRoom,
        rng: np.random.Generator,
        seed: int,
        request: CampusRequest,
        reach_m: float,
    ) -> list[Place]:
        """
        Poses 0.2 to 2 m from a wall: along it, at any heading, or in a corner, in turns.

        A little farther where ears reach beyond the robot.
        """
        least = max(LEAST_M, reach_m + 0.03)
        places, start = [], 0.0
        for i in range(int(rng.integers(16, 25))):
            situation = ('along', 'any', 'corner')[int(rng.choice(3, p=(0.4, 0.4, 0.2)))]
            pose = _near_pose(room, rng, situation, least)
            start += rng.uniform(12.0, 30.0)
            places.append(
                Place(
                    f'pose-{i:03d}',
                    pose,
                    0.0,
                    round(start, 3),
                    WINDOW_S,
                    notes={'situation': situation},
                )
            )
        return places

    def write(self, folder: Path, room: RoomPlan, request: CampusRequest) -> None:
        """Record every pose by all ears of the rig."""
        poses = [pose for place in room.places for pose in _turns(place.pose)]
        ears = [ears_in_room(room.rig, pose) for pose in poses]
        mics, looks = (np.concatenate(part) for part in zip(*ears, strict=True))
        hearing = hearing_of(room, mics, looks)
        camera = Camera(room) if request.images else None
        for place in room.places:
            _write_pose(folder / place.name, place, room, hearing, room.rig, camera)

    def write_lists(
        self, root: Path, rooms: list[str], split: str, rng: np.random.Generator
    ) -> None:
        """Write the near-wall list, a row an ear, with channel and side."""
        rows = [
            [
                listed(self.SUBSET, room, place),
                repr(ear.distance),
                '0',
                str(ear.channel),
                ear.side,
                str(int(ear.near)),
            ]
            for room in rooms
            for place, said in said_of_room(root, room, 'ears').items()
            for ear in said.ears
        ]
        columns = ['path', 'depth', 'start second', 'channel', 'side', 'IfObstacle']
        write_list(list_paths(root, split)[0], columns, rows)


def _near_pose(
    room: AcousticRoom, rng: np.random.Generator, situation: str, least_m: float
) -> Pose2D:
    corners = np.asarray(room.footprint)
    ends = np.roll(corners, -1, axis=0)
    for _ in range(TRIES):
        wall = int(rng.integers(len(corners)))
        length = float(np.linalg.norm(ends[wall] - corners[wall]))
        along = (ends[wall] - corners[wall]) / length
        distance = rng.uniform(least_m, 1.0 if situation == 'corner' else 2.0)
        reach = rng.uniform(0.2, 1.0) if situation == 'corner' else rng.uniform(0.2, length - 0.2)
        if situation == 'corner' and rng.random() < 0.5:
            reach = length - reach
        x, y = corners[wall] + along * reach + distance * np.array([-along[1], along[0]])
        if room.contains(np.array([x, y]), least_m - 1e-6):
            yaw = rng.uniform(-np.pi, np.pi)
            if situation == 'along':
                yaw = math.atan2(along[1], along[0]) + math.radians(rng.uniform(-30.0, 30.0))
                yaw += math.pi * int(rng.integers(2))
            return Pose2D(float(x), float(y), wrap_angle(float(yaw)))
    raise QuietNavError(f'no pose in the room is {least_m:g} m from every wall')


def _write_pose(
    folder: Path, place: Place, room: RoomPlan, hearing: Hearing, rig: Rig, camera: Camera | None
) -> None:
    """
    One listening pose: the windows of all ears now, later, and later with the robot turned.

    By 180 degrees, as one ear turns to hear its other side, and to the left by 90, as the
    follower looks ahead (``navigation.listening``).
    """
    folder.mkdir()
    start, count = samples_of(place)
    later = start + round(LATER_S * SAMPLE_RATE)
    _, turned, quarter = _turns(place.pose)
    windows = {
        'sound.wav': (place.pose, start),
        'later.wav': (place.pose, later),
        'turned.wav': (turned, later),
        'quarter.wav': (quarter, later),
    }
    channels = rig.channels
    for name, (pose, begin) in windows.items():
        recorded = np.zeros((channels, count), np.float32)
        recorded[[ear.channel for ear in rig.ears]] = hearing.rig(rig, pose, begin, count)
        write_sound(folder / name, recorded)
    annotation = {
        'Audio Length': place.length_s,
        'pose': pose_said(place.pose),
        'rig': rig.name,
        'ears': _ears(rig, place.pose, room.scene.room),
        'ears turned': _ears(rig, turned, room.scene.room),
        'ears quarter': _ears(rig, quarter, room.scene.room),
        'windows': {
            name: [begin / SAMPLE_RATE, begin / SAMPLE_RATE + place.length_s]
            for name, (_, begin) in windows.items()
        },
        'distractor': distractor_said(room, place),
        **place.notes,
    }
    middle = np.array([place.pose.x, place.pose.y, rig.ears[0].z])
    annotation['depth'] = room.scene.room.surface_along(middle, place.pose.yaw)
    annotation['Max depth in map'] = MOTION_DEPTH_M
    spans = {name: (begin, count) for name, (_, begin) in windows.items()}
    own = own_said(room, hearing, place.pose, RobotEars.of(rig), spans)
    if own is not None:
        annotation['own sound'] = own
    if camera is not None:
        image, depth = camera.take(place.pose, None, place.name)
        write_color(folder / 'RGB.png', image)
        annotation['Max depth in map'] = write_static_depth(folder / 'Depth.png', depth)
    write_annotation(folder / 'annotation.json', annotation)


def _turns(pose: Pose2D) -> list[Pose2D]:
    """Return a listening pose as it is, turned by 180 degrees, and by 90 to the left."""
    return [
        Pose2D(pose.x, pose.y, wrap_angle(pose.yaw + turn)) if turn else pose
        for turn in (0.0, math.pi, math.pi / 2.0)
    ]


def _ears(rig: Rig, pose: Pose2D, room: AcousticRoom) -> list[dict[str, object]]:
    """
    Say for each ear where it is and how far the wall is in the direction of its side.

    distance: along the ray from the microphone in the side's direction to the wall, or to what
    stands at it; near says whether it is at most 0.5 m: the label. nearest wall: the wall itself,
    in whatever direction.
    """
    mics, _ = ears_in_room(rig, pose)
    said = []
    for ear, mic in zip(rig.ears, mics, strict=True):
        bearing = wrap_angle(pose.yaw + ear.side.yaw_rad)
        distance = room.surface_along(mic, bearing)
        said.append(
            {
                'channel': ear.channel,
                'side': ear.side.name,
                'position': [round(float(v), 6) for v in mic],
                'bearing': bearing,
                'distance': distance,
                'near': distance <= NEAR_WALL_M,
                'nearest wall': float(room.nearest_wall(mic)[0]),
            }
        )
    return said


KIND = RobotKind()
