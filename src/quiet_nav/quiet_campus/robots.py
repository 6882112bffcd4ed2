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

"""The robots of a data set that are heard themselves: ``Robots/ROOM``, one a room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.quiet_campus.folders import ROBOTS

_Place = tuple[float, float, float]


class _Part(Schema):
    # Whoever recorded may have noted more.
    model_config = ConfigDict(extra='ignore')


class RobotEar(_Part):
    """An ear: position in base_link (m), and how far the robot is above the ambience at it, dB."""

    channel: Annotated[int, Field(ge=0, le=254)]
    side: Literal['LEFT', 'RIGHT', 'FRONT', 'BACK']
    position: _Place
    own_level_db: float = Field(alias='own level')


class RobotSource(_Part):
    """A part that makes noise: position in base_link (m), level at 1 m in dBFS, None if silent."""

    name: Name
    position: _Place
    standing_dbfs: float | None = Field(alias='standing')
    driving_dbfs: float | None = Field(alias='driving')
    switches: bool


class HeardRobot(_Part):
    """
    One robot. ambience_dbfs: level of its room; silent_room: the ambience is not heard at all.

    ears: in the rig's order, which is that of a place's ``ears``.
    """

    robot: Name
    rig: Name
    ambience_dbfs: float = Field(alias='ambience')
    silent_room: bool = Field(alias='silent room')
    ears: tuple[RobotEar, ...]
    sources: tuple[RobotSource, ...]


def robot_folder(root: Path, room: str) -> Path:
    """Return the folder of a room's robot below a subset's folder; it may not be there."""
    return root / ROBOTS / room


def fingerprint_file(root: Path, room: str) -> Path:
    """Return the WAV of what each ear hears of the standing robot far from any wall."""
    return robot_folder(root, room) / 'fingerprint.wav'


def read_robot(root: Path, room: str) -> HeardRobot | None:
    """
    Return a room's robot, None where none is heard.

    Raises QuietNavError naming file and field where its annotation cannot be read.
    """
    path = robot_folder(root, room) / 'annotation.json'
    if not path.is_file():
        return None
    return checked(HeardRobot, read_json(path), str(path))
