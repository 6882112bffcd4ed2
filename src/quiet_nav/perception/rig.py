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

"""Rigs: which microphones (ears) sit where on the robot, read from YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.files.values import short
from quiet_nav.files.yaml_files import read_yaml
from quiet_nav.geometry import Side, wrap_angle

#: Farther than any ear from base_link on a robot that drives indoors.
MOST_REACH_M = 10.0
#: AudioInfo counts channels in one byte.
_MOST_CHANNEL = 254
#: The rig of a microphone with so many channels, where none is named.
RIGS = {1: 'single', 2: 'pair', 3: 'trio'}


@dataclass(frozen=True)
class Ear:
    """One microphone: channel in the audio stream, position in base_link (m), side, pattern."""

    channel: int
    x: float
    y: float
    z: float
    side: Side
    pattern: str = 'omni'

    @property
    def yaw_rad(self) -> float:
        """Direction in which the ear sits (and a cardioid looks), from base_link x."""
        return math.atan2(self.y, self.x) if self.x or self.y else self.side.yaw_rad


@dataclass(frozen=True)
class Rig:
    """The ears of a robot; ``turns`` says that the robot turns to listen to both sides."""

    name: str
    ears: tuple[Ear, ...]
    turns: bool = False

    @property
    def channels(self) -> int:
        return max(ear.channel for ear in self.ears) + 1

    @property
    def identity(self) -> str:
        """Its name and a digest of all that it says, as ``pair#1c0d5ae2``; equal for equal rigs."""
        said = [[e.channel, e.x, e.y, e.z, int(e.side), e.pattern] for e in self.ears]
        digest = hashlib.sha256(json.dumps([said, self.turns]).encode()).hexdigest()
        return f'{self.name}#{digest[:8]}'

    def ear_toward(self, side: Side, turn_rad: float = 0.0) -> Ear | None:
        """Return the ear that faces ``side`` (asked in the unturned base_link) after a turn."""
        for ear in self.ears:
            if Side.nearest(wrap_angle(ear.side.yaw_rad + turn_rad)) == side:
                return ear
        return None


#: One camera in front (the Mount of the simulated one): to look to its sides the robot turns.
CAMERA_RIG = Rig('camera', (Ear(0, 0.08, 0.0, 0.3, Side.FRONT),), turns=True)


_Meters = Annotated[float, Field(ge=-MOST_REACH_M, le=MOST_REACH_M)]


class _EarFile(Schema):
    channel: int = Field(ge=0, le=_MOST_CHANNEL)
    position: tuple[_Meters, _Meters, _Meters]
    side: str
    pattern: Literal['omni', 'cardioid'] = 'omni'


class _RigFile(Schema):
    name: Name = 'unnamed'
    turns: bool = False
    ears: tuple[_EarFile, ...] = Field(min_length=1)


def load_rig(path: str | Path) -> Rig:
    """
    Read a rig from YAML.

    Raises QuietNavError naming the file and the key where something is missing or unknown.
    """
    where = f'rig {path}'
    return rig_from_dict(read_yaml(path, where), where)


def rig_from_dict(raw: object, where: str = 'rig') -> Rig:
    """Build a rig from what the YAML holds; same errors as ``load_rig``."""
    file = checked(_RigFile, raw, where)
    ears = tuple(_ear(item, f'{where}: ears[{i}]') for i, item in enumerate(file.ears))
    if len({ear.channel for ear in ears}) != len(ears):
        raise QuietNavError(f'{where}: two ears share a channel')
    return Rig(file.name, ears, file.turns)


def parse_ear(text: str, channel: int) -> Ear:
    """Return an ear that a user writes as side and position: LEFT=0.0,0.15,0.25."""
    side, _, place = text.partition('=')
    raw = {'channel': channel, 'position': place.split(','), 'side': side.strip()}
    try:
        raw['position'] = [float(number) for number in place.split(',')]
    except ValueError:
        raise QuietNavError(
            f'ear {text!r}: expected a side and x, y, z in m, as LEFT=0.0,0.15,0.25'
        ) from None
    return _ear(checked(_EarFile, raw, f'ear {text!r}'), f'ear {text!r}')


def rig_as_yaml(rig: Rig, remarks: Sequence[str] = ()) -> str:
    """Return the file of a rig, which ``load_rig`` reads back as it is; remarks become comments."""
    lines = [f'# {remark}' for remark in remarks]
    lines += ['# Positions in base_link meters (x forward, y left, z up from the floor).']
    lines += [f'name: {json.dumps(rig.name)}', f'turns: {str(rig.turns).lower()}', 'ears:']
    lines += [
        f'  - {{channel: {e.channel}, position: [{e.x}, {e.y}, {e.z}], side: {e.side.name}, '
        f'pattern: {e.pattern}}}'
        for e in rig.ears
    ]
    return '\n'.join(lines) + '\n'


def _ear(file: _EarFile, where: str) -> Ear:
    try:
        side = Side[file.side.upper()]
    except KeyError:
        raise QuietNavError(
            f'{where}.side: found {short(file.side)}, expected one of LEFT, RIGHT, FRONT, BACK'
        ) from None
    return Ear(file.channel, *file.position, side, file.pattern)


def rig_for(channels: int, where: str) -> Rig:
    """Return the rig that ships for so many channels; QuietNavError, naming where, for others."""
    if channels not in RIGS:
        raise QuietNavError(f'{where}: {channels} channels; name their places by --rig')
    return find_rig(RIGS[channels])


def find_rig(name: str | Path) -> Rig:
    """
    Return a rig by the name of one that ships (config/rigs) or by its YAML file.

    Raises QuietNavError naming the rigs there are, and as ``load_rig`` does.
    """
    return load_rig(resources.find(resources.RIG, name))
