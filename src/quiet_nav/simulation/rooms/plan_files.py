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

"""Floor plans from YAML: reading ``config/rooms/*.yaml`` and saying what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.files.renames import as_now
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.files.values import short
from quiet_nav.files.yaml_files import read_yaml
from quiet_nav.geometry import Side
from quiet_nav.simulation.rooms.absorption import absorption, MATERIALS
from quiet_nav.simulation.rooms.plan import (
    Furniture,
    Material,
    Panel,
    Plan,
    rectangle,
    Source,
)
from quiet_nav.simulation.rooms.plan_check import check_plan
from quiet_nav.simulation.rooms.tracks import PAPER_HEADINGS_RAD, PAPER_OFFSETS_M, Track

_USUAL_PANEL = {'door': 'wood', 'window': 'glass', 'board': 'plasterboard'}

Lookup = Callable[[object, str], Material]
#: More of anything is no room but a mistake; checks take the square of it.
_MOST_PARTS = 500
_Meters = Annotated[float, Field(ge=-1000, le=1000)]
_Degrees = Annotated[float, Field(ge=-3600, le=3600)]
_Point = tuple[_Meters, _Meters]
_Corners = Annotated[tuple[_Point, ...], Field(min_length=3, max_length=_MOST_PARTS)]


class _PanelFile(Schema):
    kind: Literal['door', 'window', 'board']
    wall: int
    offset: _Meters
    width: _Meters
    height: _Meters
    bottom: _Meters = 0.0
    material: str | None = None


class _FurnitureFile(Schema):
    name: Name = 'furniture'
    footprint: _Corners | None = None
    center: _Point | None = None
    length: _Meters | None = None
    width: _Meters | None = None
    yaw_deg: _Degrees = 0.0
    height: _Meters
    material: str = 'wood'


class _SourceFile(Schema):
    name: Name | None = None
    position: tuple[_Meters, _Meters, _Meters]
    kind: Literal['ceiling_vent', 'wall_vent', 'window', 'machine']
    level_db: float = Field(0.0, ge=-200, le=200)


class _TrackFile(Schema):
    name: Name = 'track'
    center: Annotated[tuple[_Point, ...], Field(min_length=2, max_length=_MOST_PARTS)]
    width: _Meters
    side: Name
    offsets: Annotated[tuple[_Meters, ...], Field(max_length=_MOST_PARTS)] = PAPER_OFFSETS_M
    headings_deg: Annotated[tuple[_Degrees, ...], Field(max_length=_MOST_PARTS)] | None = None


class _RoomFile(Schema):
    name: Name | None = None
    description: str = ''
    height: _Meters
    footprint: _Corners | None = None
    size: _Point | None = None
    # What absorption() knows: a name, a number, seven, or a mapping.
    materials: dict[str, Any] | None = None
    # One for all walls, or a list.
    walls: Any = 'plaster'
    floor: str = 'linoleum'
    ceiling: str = 'acoustic_tile'
    panels: Annotated[tuple[_PanelFile, ...], Field(max_length=_MOST_PARTS)] | None = None
    furniture: Annotated[tuple[_FurnitureFile, ...], Field(max_length=_MOST_PARTS)] | None = None
    sources: Annotated[tuple[_SourceFile, ...], Field(max_length=_MOST_PARTS)] | None = None
    tracks: Annotated[tuple[_TrackFile, ...], Field(max_length=_MOST_PARTS)] | None = None


def room_names() -> list[str]:
    """Return the names of the rooms that ship with the package."""
    return resources.names(resources.ROOM)


def load_plan(room: str | Path) -> Plan:
    """
    Read and check a floor plan: a YAML file, or the name of a room that ships with us.

    A name that ends in ``_mirrored`` is that room in a mirror, so that walls change sides.
    Raises QuietNavError in one line: no such room (with those there are), an unknown key (with the
    known ones), or what is impossible about the room.
    """
    name = str(room)
    if name.endswith('_mirrored') and name not in room_names():
        return load_plan(name[: -len('_mirrored')]).mirrored()
    path = resources.find(resources.ROOM, room)
    return plan_from_dict(read_yaml(path, f'room {path}'), f'room {path.name}', path.stem)


def plan_from_dict(raw: object, where: str = 'room', name: str = 'room') -> Plan:
    """Build and check a plan from what the YAML holds; same errors as ``load_plan``."""
    file = checked(_RoomFile, as_now(raw), where)
    material = _materials(file.materials or {}, where)
    footprint = _footprint(file, where)
    walls = file.walls if isinstance(file.walls, list) else [file.walls] * len(footprint)
    if len(walls) != len(footprint):
        raise QuietNavError(
            f'{where}: walls: {len(walls)} materials for {len(footprint)} walls; '
            'give one for all or one for each'
        )
    plan = Plan(
        name=name if file.name is None else file.name,
        description=' '.join(file.description.split()),
        footprint=footprint,
        height=file.height,
        walls=tuple(material(value, f'{where}: walls') for value in walls),
        floor=material(file.floor, f'{where}: floor'),
        ceiling=material(file.ceiling, f'{where}: ceiling'),
        panels=tuple(
            _panel(item, f'{where}: panels[{i}]', material)
            for i, item in enumerate(file.panels or ())
        ),
        furniture=tuple(
            _furniture(item, f'{where}: furniture[{i}]', material)
            for i, item in enumerate(file.furniture or ())
        ),
        sources=tuple(
            Source(
                item.kind if item.name is None else item.name,
                item.position,
                item.kind,
                item.level_db,
            )
            for item in file.sources or ()
        ),
        tracks=tuple(
            _track(item, f'{where}: tracks[{i}]') for i, item in enumerate(file.tracks or ())
        ),
    )
    try:
        check_plan(plan)
    except QuietNavError as error:
        raise QuietNavError(f'{where}: {error}') from error
    return plan


def _materials(raw: Mapping[str, Any], where: str) -> Lookup:
    materials = {name: Material(name, values) for name, values in MATERIALS.items()}
    for name, values in raw.items():
        try:
            materials[name] = Material(name, absorption(values))
        except QuietNavError as error:
            raise QuietNavError(f'{where}: material {short(name)}: {error}') from error

    def material(name: object, what: str) -> Material:
        if not isinstance(name, str) or name not in materials:
            known = ', '.join(sorted(materials))
            raise QuietNavError(f'{what}: unknown material {short(name)}; known: {known}')
        return materials[name]

    return material


def _footprint(file: _RoomFile, where: str) -> tuple[tuple[float, float], ...]:
    if (file.footprint is None) == (file.size is None):
        raise QuietNavError(f'{where}: give either footprint (corners) or size (length and width)')
    if file.footprint is not None:
        return file.footprint
    length, width = file.size or (0.0, 0.0)
    return (0.0, 0.0), (length, 0.0), (length, width), (0.0, width)


def _panel(file: _PanelFile, where: str, material: Lookup) -> Panel:
    surface = material(file.material or _USUAL_PANEL[file.kind], f'{where}.material')
    return Panel(
        file.kind,
        file.wall,
        offset=file.offset,
        width=file.width,
        height=file.height,
        bottom=file.bottom,
        material=surface,
    )


def _furniture(file: _FurnitureFile, where: str, material: Lookup) -> Furniture:
    footprint = file.footprint
    if footprint is None:
        if file.center is None or file.length is None or file.width is None:
            raise QuietNavError(f'{where}: give either footprint or center, length and width')
        footprint = rectangle(file.center, file.length, file.width, math.radians(file.yaw_deg))
    surface = material(file.material, f'{where}.material')
    return Furniture(file.name, footprint, file.height, surface)


def _track(file: _TrackFile, where: str) -> Track:
    side = file.side.upper()
    if side not in ('LEFT', 'RIGHT'):
        raise QuietNavError(f'{where}.side: {short(file.side)} is none of LEFT, RIGHT')
    headings: tuple[float, ...] = PAPER_HEADINGS_RAD
    if file.headings_deg is not None:
        headings = tuple(math.radians(value) for value in file.headings_deg)
    return Track(file.name, file.center, file.width, Side[side], file.offsets, headings)
