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

"""Scenes solved by waves: what a drawn room is on a grid, and what its ears then hear."""

from __future__ import annotations

import numpy as np

from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.rooms.plan import Furniture, Material, Panel, Plan
from quiet_nav.simulation.rooms.wall_patches import WallFrame
from quiet_nav.simulation.sound.hearing import Hearing, reference_points
from quiet_nav.simulation.sound.scenes import Scene
from quiet_nav.simulation.sound.waves.hybrid import HybridAcoustics, places_read, solve_places
from quiet_nav.simulation.sound.waves.solver import WaveSettings


def plan_of_room(room: AcousticRoom, name: str, cell_m: float) -> Plan:
    """
    Return a plan of a drawn room for the solver; materials are named after what they cover.

    What stands out of the walls by half a cell or more is solid from the floor up, the rest of what
    is on them a panel.
    """
    walls = list(room.walls)
    panels, boxes = [], []
    for patch in room.patches:
        # A wall is given as the mean over what is on it; here it is as it is beside that.
        walls[patch.wall] = patch.beside
        surface = Material(patch.kind, patch.absorption)
        if patch.depth >= cell_m / 2.0:
            frame = WallFrame.of(room.footprint, patch.wall)
            ends = [frame.start + frame.along * u for u in (patch.start, patch.end)]
            front = [end + frame.inward * patch.depth for end in reversed(ends)]
            footprint = tuple((float(x), float(y)) for x, y in (*ends, *front))
            boxes.append(Furniture(patch.kind, footprint, patch.top, surface))
        else:
            panels.append(
                Panel(
                    patch.kind,
                    patch.wall,
                    patch.start,
                    patch.end - patch.start,
                    patch.top - patch.bottom,
                    patch.bottom,
                    surface,
                )
            )
    return Plan(
        name,
        room.footprint,
        room.height,
        tuple(Material('wall', wall) for wall in walls),
        Material('floor', room.floor),
        Material('ceiling', room.ceiling),
        tuple(panels),
        tuple(boxes),
    )


def hearing_by_waves(
    scene: Scene,
    name: str,
    mics: np.ndarray,
    looks: np.ndarray | None = None,
    settings: WaveSettings | None = None,
) -> Hearing:
    """
    Return ears in a scene whose low band is solved for mics (M, 3), and at no other place.

    looks: as of ``RoomAcoustics.render``. Distractors and the robot's own sound stay with image
    sources: they are at places of their own, which would take a run each.
    Raises QuietNavError as ``WaveSolver`` and its ``responses`` do; name: the room's, in errors.
    """
    if not scene.sources:
        return Hearing(scene)
    settings = settings or WaveSettings()
    sources = np.array([source.position for source in scene.sources])
    places = np.concatenate([places_read(mics, looks), reference_points(scene)])
    plan = plan_of_room(scene.room, name, settings.cell_m)
    low = solve_places(plan, sources, places, settings)
    return Hearing(scene, HybridAcoustics(scene.room, sources, low))
