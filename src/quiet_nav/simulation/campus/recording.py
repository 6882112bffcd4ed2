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

"""What the kinds of a campus share: the room's camera, and what annotations say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.campus.request import Place, RoomPlan
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator


class Camera:
    """The room's camera; every place has noise of its own, whatever the order they come in."""

    def __init__(self, room: RoomPlan) -> None:
        from quiet_nav.simulation.sight.camera import Mount, RoomCamera

        self._seed = room.scene.seed
        plan = plan_of(room.scene.room, room.name)
        self._camera = RoomCamera(plan, generator(self._seed, 'camera'))
        self._mount: Callable[[float], Mount] = lambda z: Mount(0.0, 0.0, z, 0.0)
        self._robot = Mount()

    def take(
        self, pose: Pose2D, height: float | None, *names: int | str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return RGB (480, 640, 3) and depth in mm (480, 640); height None: the robot's mount."""
        rng = generator(self._seed, 'image', *names)
        self._camera.mount = self._robot if height is None else self._mount(height)
        return self._camera.color(pose, rng), self._camera.depth(pose, rng)


def hearing_of(room: RoomPlan, mics: np.ndarray, looks: np.ndarray | None = None) -> Hearing:
    """Return ears in a room, by waves where it says so, at mics (M, 3) and no other places then."""
    if not room.waves:
        return Hearing(room.scene)
    from quiet_nav.simulation.sound.waves.scene_waves import hearing_by_waves

    return hearing_by_waves(room.scene, room.name, mics, looks)


def plan_of(room: AcousticRoom, name: str):  # type: ignore[no-untyped-def]
    """Return a floor plan of a drawn room, for the camera."""
    from quiet_nav.simulation.rooms.plan import Material, Plan

    usual = ('plaster', 'linoleum', 'acoustic_tile')
    wall, floor, ceiling = usual
    return Plan(
        name,
        room.footprint,
        room.height,
        tuple(Material(wall, a) for a in room.walls),
        Material(floor, room.floor),
        Material(ceiling, room.ceiling),
    )


def samples_of(place: Place) -> tuple[int, int]:
    """Return the first sample and the number of samples of a place."""
    return round(place.start_s * SAMPLE_RATE), round(place.length_s * SAMPLE_RATE)


def pose_said(pose: Pose2D) -> dict[str, float]:
    """Return a pose as annotations have it."""
    return {'x': pose.x, 'y': pose.y, 'yaw': pose.yaw}


def distractor_said(room: RoomPlan, place: Place) -> dict[str, object] | None:
    """Say which event, if any, begins while a place is recorded."""
    for event in room.scene.events:
        if place.start_s <= event.start_s < place.start_s + place.length_s:
            return {
                'kind': event.kind,
                'recording': event.recording,
                'snr': event.snr_db,
                'start': event.start_s - place.start_s,
            }
    return None
