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

"""Ways to a wall and back, a recording a room (SFS-Motion)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.quiet_campus.annotation import read_annotation
from quiet_nav.quiet_campus.folders import (
    SUBSETS,
    write_annotation,
    write_color,
    write_motion_depth,
    write_sound,
)
from quiet_nav.quiet_campus.listing import write_motion_lists
from quiet_nav.quiet_campus.lists import MOTION_FPS
from quiet_nav.simulation.campus.drawing import facing_nearest, FAR_M, NEAR_M, QUANTILES, TRIES
from quiet_nav.simulation.campus.kinds.kind import CampusKind
from quiet_nav.simulation.campus.recording import Camera, distractor_said, hearing_of, samples_of
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.campus.robots import carrier
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.hearing import Hearing

MOTION_FRAMES = 292
#: Where a motion recording is nearest to the wall, as quantiles, and how far from there it goes
#: (the official pairs of a recording differ by up to 0.6 to 1.4 m).
_STOP_M = tuple(0.2 + 0.25 * q for q in QUANTILES)
_TRAVEL_M = (0.8, 1.4)
#: From 1 (away) by 0 (nearest) to 1 again, or half of it; of 222 official recordings 175 go to the
#: wall and back, 40 to it and 5 away from it.
_DIRECTIONS = {'there and back': (-1.0, 1.0), 'toward': (-1.0, 0.0), 'away': (0.0, 1.0)}
_DIRECTION_SHARES = (0.79, 0.18, 0.03)
#: The distance left grows with the time to the nearest point to this power: slower near the wall.
_SLOWNESS = 1.5


class MotionKind(CampusKind):
    """The paper's motion recordings."""

    NAME = 'motion'
    SUBSET = SUBSETS['motion']
    ROOM = 'scene-{:04d}'
    OPTIONS = ('motor',)

    def places(
        self,
        room: AcousticRoom,
        rng: np.random.Generator,
        seed: int,
        request: CampusRequest,
        reach_m: float,
    ) -> list[Place]:
        """
        Draw one straight way to a wall and back, or one of the two, as the official ones.

        A third of the time is spent near the wall.
        """
        for _ in range(TRIES):
            end = facing_nearest(room, rng, _STOP_M)
            yaw = wrap_angle(end.yaw + math.radians(rng.uniform(-20.0, 20.0)))
            travel = rng.uniform(*_TRAVEL_M)
            far = (end.x - travel * math.cos(yaw), end.y - travel * math.sin(yaw))
            if room.contains(np.array(far), max(0.3, reach_m)):
                break
        else:
            raise QuietNavError('no straight path to a wall in the room')
        direction = str(rng.choice(list(_DIRECTIONS), p=_DIRECTION_SHARES))
        begin, stop = _DIRECTIONS[direction]
        steps = math.ceil((stop - begin) * _SLOWNESS * travel / 0.01)
        left = np.abs(np.linspace(begin, stop, steps + 1)) ** _SLOWNESS
        path = tuple(
            (float(end.x + s * (far[0] - end.x)), float(end.y + s * (far[1] - end.y))) for s in left
        )
        return [
            Place(
                'recording',
                Pose2D(*path[0], yaw),
                float(rng.uniform(0.2, 1.2)),
                10.0,
                MOTION_FRAMES / MOTION_FPS,
                path,
                {'direction': direction},
            )
        ]

    def write(self, folder: Path, room: RoomPlan, request: CampusRequest) -> None:
        """Record the way, with images and depth a frame where the request has images."""
        hearing = hearing_of(room, _way(room.places[0]))
        camera = Camera(room) if request.images else None
        _write_motion(folder, room.places[0], room, hearing, camera, request.motor)

    def write_lists(
        self, root: Path, rooms: list[str], split: str, rng: np.random.Generator
    ) -> None:
        """Near and far frames as in the official lists."""
        depths = {
            room: read_annotation(root / 'ProcessedData' / room, 'depth_m').depth_m[:MOTION_FRAMES]
            for room in rooms
        }
        write_motion_lists(root, self.SUBSET, depths, split, rng, NEAR_M[-1], FAR_M[0])


def _way(place: Place) -> np.ndarray:
    """Where the microphone goes, (K, 3)."""
    return np.column_stack([np.array(place.path), np.full(len(place.path), place.height)])


def _write_motion(
    folder: Path,
    place: Place,
    room: RoomPlan,
    hearing: Hearing,
    camera: Camera | None,
    motor: bool,
) -> None:
    for name in ('Audio', 'RGB', 'Depth'):
        (folder / name).mkdir()
    path = _way(place)
    start, count = samples_of(place)
    robots = [carrier(Pose2D(x, y, place.pose.yaw)) for x, y, _ in path.tolist()]
    heard = hearing.along(path, start, count, motor=float(motor), robots=robots)
    write_sound(folder / 'Audio' / 'sound.wav', heard)
    share = np.arange(MOTION_FRAMES) / (MOTION_FRAMES - 1)
    nodes = np.linspace(0.0, 1.0, len(path))
    at = np.column_stack([np.interp(share, nodes, path[:, k]) for k in range(2)])
    points = np.column_stack([at, np.full(len(at), place.height)])
    depth_m = [room.scene.room.surface_along(point, place.pose.yaw) for point in points]
    if camera is not None:
        for frame in range(MOTION_FRAMES):
            pose = Pose2D(float(at[frame, 0]), float(at[frame, 1]), place.pose.yaw)
            image, depth = camera.take(pose, place.height, frame)
            write_color(folder / 'RGB' / f'c{frame:03d}.png', image)
            write_motion_depth(folder / 'Depth' / f'd{frame:03d}.png', depth)
    annotation = {
        'Audio Length': place.length_s,
        'depth': [round(float(d), 6) for d in depth_m],
        'frames a second': MOTION_FPS,
        'heading': place.pose.yaw,
        'height': place.height,
        'path': [[round(float(v), 6) for v in point] for point in at],
        'start': place.start_s,
        'distractor': distractor_said(room, place),
        'motor': motor,
        **place.notes,
    }
    if room.scene.own is not None:
        annotation['own sound'] = {'robot': room.scene.own.name}
    write_annotation(folder / 'annotation.json', annotation)


KIND = MotionKind()
