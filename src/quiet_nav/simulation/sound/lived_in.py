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

"""Rooms as people leave them: things at the walls, open doors, somebody sitting, pipes in walls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from quiet_nav.simulation.rooms.absorption import Absorption, BANDS_HZ, draw_absorption, MATERIALS
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.rooms.wall_patches import Patch, WallFrame
from quiet_nav.simulation.sound.ambient_kinds import AMBIENT_KINDS
from quiet_nav.simulation.sound.sources import Source

#: Absorption area in m2 of somebody who sits, by band (textbook values, e.g. Kuttruff, table 6.5).
PERSON_M2 = np.array([0.15, 0.25, 0.45, 0.55, 0.55, 0.5, 0.5])
_OPEN: Absorption = (1.0,) * len(BANDS_HZ)
#: Shares of walls with a thing of each kind, of rooms with an open door, of sources in walls, of
#: sources that are an ambient kind instead of noise.
_SHELVES, _RADIATOR, _GLASS, _CURTAIN = 0.3, 0.2, 0.1, 0.12
_OPEN_DOOR, _IN_WALL, _AMBIENT = 0.4, 0.25, 0.3
_MOST_PEOPLE = 4
#: Next to corners and to each other things keep so far apart, meters.
_GAP_M = 0.1


def furnished(room: AcousticRoom, rng: np.random.Generator) -> AcousticRoom:
    """
    Return a room with things at its walls, perhaps an open door, and up to four people.

    Its walls are then what each is on average; people and shelves add to what the floor absorbs.
    """
    patches: list[Patch] = []
    if rng.random() < _OPEN_DOOR:
        wall = int(rng.integers(len(room.footprint)))
        beyond = round(float(rng.uniform(1.2, 4.0)), 3)
        _put(patches, room, rng, wall, _Thing('door', 0.9, (0.0, 2.05), _OPEN, beyond_m=beyond))
    for wall in range(len(room.footprint)):
        length = WallFrame.of(room.footprint, wall).length
        if rng.random() < _GLASS:
            width = length * rng.uniform(0.4, 0.9)
            top = room.height - rng.uniform(0.0, 0.4)
            sill = rng.choice((0.0, 0.9))
            pane = _Thing('glass', width, (sill, top), MATERIALS['glass'])
            _put(patches, room, rng, wall, pane)
        if rng.random() < _CURTAIN:
            width, top = length * rng.uniform(0.2, 0.7), room.height - rng.uniform(0.0, 0.4)
            curtain = _Thing('curtain', width, (0.0, top), MATERIALS['curtain'], 0.1)
            _put(patches, room, rng, wall, curtain)
        if rng.random() < _SHELVES:
            surface = draw_absorption(rng, 0.08, 0.45)
            depth = round(float(rng.uniform(0.25, 0.45)), 3)
            span = (0.0, rng.uniform(0.7, min(2.2, room.height - 0.1)))
            shelf = _Thing('shelf', rng.uniform(0.8, 3.0), span, surface, depth)
            _put(patches, room, rng, wall, shelf)
        if rng.random() < _RADIATOR:
            span = (0.1, rng.uniform(0.5, 0.9))
            metal = draw_absorption(rng, 0.03, 0.08)
            radiator = _Thing('radiator', rng.uniform(0.6, 1.6), span, metal, 0.1)
            _put(patches, room, rng, wall, radiator)
    people = int(rng.integers(_MOST_PEOPLE + 1))
    floor_m2 = room.surfaces[-1][0]
    floor = np.clip(np.asarray(room.floor) + people * PERSON_M2 / floor_m2, 0.0, 0.95)
    walls = tuple(
        _average(absorption, area, [p for p in patches if p.wall == wall])
        for wall, (area, absorption) in enumerate(room.surfaces[: len(room.walls)])
    )
    return replace(room, walls=walls, floor=tuple(floor.round(5).tolist()), patches=tuple(patches))


def with_hidden_sources(
    room: AcousticRoom, sources: Sequence[Source], rng: np.random.Generator
) -> tuple[Source, ...]:
    """Return sources, some of them in a wall and some a clock, water and the like."""
    changed = []
    for source in sources:
        in_wall, ambient = rng.random(2)
        wall_place = _wall_place(room, rng)
        kind = str(rng.choice(list(AMBIENT_KINDS)))
        if in_wall < _IN_WALL:
            source = replace(source, kind='in_wall', position=wall_place)
        if ambient < _AMBIENT and not source.recording:
            source = replace(source, kind=kind)
        changed.append(source)
    return tuple(changed)


def with_near_source(
    room: AcousticRoom,
    sources: tuple[Source, ...],
    at: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Source, ...]:
    """Return sources of which one stands on the floor 0.3 to 1 m beside a place, if it can."""
    which = int(rng.integers(len(sources)))
    for _ in range(100):
        angle, away = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.3, 1.0)
        x, y = at[0] + away * np.cos(angle), at[1] + away * np.sin(angle)
        place = (round(float(x), 4), round(float(y), 4), round(float(rng.uniform(0.05, 0.6)), 4))
        if room.contains(np.array(place), 0.03):
            moved = replace(sources[which], position=place)
            return (*sources[:which], moved, *sources[which + 1 :])
    return sources


def _wall_place(room: AcousticRoom, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return a place on a wall's surface, at any height: a pipe, a duct, a machine behind it."""
    while True:
        frame = WallFrame.of(room.footprint, int(rng.integers(len(room.footprint))))
        u, out = frame.length * rng.uniform(0.03, 0.97), rng.uniform(0.004, 0.02)
        x, y = frame.start + u * frame.along + out * frame.inward
        place = np.array([x, y, rng.uniform(0.05, room.height - 0.1)])
        if room.contains(place, 0.002):
            return tuple(round(float(v), 4) for v in place)  # type: ignore[return-value]


@dataclass(frozen=True)
class _Thing:
    """Something on a wall: how wide it is, from which height to which, of what, how deep."""

    kind: str
    width: float
    span: tuple[float, float]
    absorption: Absorption
    depth: float = 0.0
    beyond_m: float = 0.0


def _put(
    patches: list[Patch], room: AcousticRoom, rng: np.random.Generator, wall: int, thing: _Thing
) -> None:
    """Add a thing to a wall where it fits beside those that are there; else leave it out."""
    length = WallFrame.of(room.footprint, wall).length
    # Clear of the corners, so that nothing that stands out there is met from the side.
    free = length - 2.0 * (0.5 + _GAP_M) - thing.width
    start = rng.random()
    if free <= 0.0:
        return
    begin = round(0.5 + _GAP_M + float(start) * free, 3)
    end = round(begin + float(thing.width), 3)
    for other in patches:
        if other.wall == wall and begin < other.end + _GAP_M and other.start < end + _GAP_M:
            return
    low, high = (round(float(z), 3) for z in thing.span)
    patches.append(
        Patch(
            thing.kind,
            wall,
            begin,
            end,
            low,
            high,
            thing.absorption,
            room.walls[wall],
            thing.depth,
            thing.beyond_m,
        )
    )


def _average(bare: Absorption, area_m2: float, patches: Sequence[Patch]) -> Absorption:
    absorbed = np.asarray(bare) * area_m2
    for patch in patches:
        absorbed += patch.area_m2 * np.subtract(patch.absorption, bare)
    return tuple((absorbed / area_m2).round(5).tolist())
