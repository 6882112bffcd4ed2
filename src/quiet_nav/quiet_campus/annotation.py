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

"""What ``annotation.json`` of a place or of a recording says, as far as anything here asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Name, Schema

#: No room is as large, and no recording as long.
_Meters = Annotated[float, Field(ge=0, le=1000)]
_Coordinate = Annotated[float, Field(ge=-1000, le=1000)]
_Seconds = Annotated[float, Field(ge=0, le=1e6)]
_Channel = Annotated[int, Field(ge=0, le=254)]


def _several(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


class _Part(Schema):
    # Whoever recorded may have noted more.
    model_config = ConfigDict(extra='ignore')


class AnnotatedEar(_Part):
    """Where an ear of a rig was and how far the wall was in the direction of its side."""

    channel: _Channel
    side: Literal['LEFT', 'RIGHT', 'FRONT', 'BACK']
    distance: _Meters
    near: bool


class AnnotatedPose(_Part):
    """Where a place is in its room; meters."""

    x: _Coordinate
    y: _Coordinate


class AnnotatedOwn(_Part):
    """
    A robot's own sound at a place.

    level_db: of each ear (in the order of ``ears``; one microphone alone has one) over the room's
    ambience, with everything on that the robot has. on: share of each window (sound file) that each
    of the robot's sources is on.
    """

    robot: Name
    level_db: tuple[float, ...] = Field((), alias='level')
    on: dict[Name, tuple[float, ...]] = Field(default_factory=dict)


class Annotation(_Part):
    """
    One annotation; empty or None is what it does not say.

    depth_m: to the wall asked about, one of a place, one a frame of a recording. length_s: of the
    sound. cell, start_s, pose: of a densely recorded room. ears, turned: of a robot as it stood
    and after its turn. situation, light: of a view. room, bag: of a labeled one. near: the label
    where it is said. own: of a robot that is heard itself.
    """

    depth_m: Annotated[tuple[_Meters, ...], BeforeValidator(_several)] = Field((), alias='depth')
    length_s: _Seconds | None = Field(None, alias='Audio Length')
    cell: tuple[int, ...] | None = None
    start_s: float | None = Field(None, alias='start')
    pose: AnnotatedPose | None = None
    ears: tuple[AnnotatedEar, ...] = ()
    turned: tuple[AnnotatedEar, ...] = Field((), alias='ears turned')
    situation: Name | None = None
    light: float | None = None
    room: Name | None = None
    bag: Name | None = None
    near: bool | None = None
    own: AnnotatedOwn | None = Field(None, alias='own sound')

    @property
    def distance_m(self) -> float:
        """Distance of a place; of a recording the first."""
        return self.depth_m[0]


def read_annotation(folder: Path, *needed: str) -> Annotation:
    """
    Return the annotation of a place's or a recording's folder.

    needed: fields of Annotation that must be there. Raises QuietNavError naming file and field.
    """
    path = folder / 'annotation.json'
    found = checked(Annotation, read_json(path), str(path))
    for name in needed:
        if getattr(found, name) in (None, ()):
            said = Annotation.model_fields[name].alias or name
            raise QuietNavError(f'{path}: {said} is missing')
    return found
