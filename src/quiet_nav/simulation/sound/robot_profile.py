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

"""Robot profiles: which parts of a robot make noise, where they sit, and how loud they are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from quiet_nav import resources
from quiet_nav.files.renames import as_now
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.files.yaml_files import read_yaml
from quiet_nav.simulation.sound.sources import EQUALIZER_HZ

#: The profile that levels alone ("0 dB") stand for in trials: one fan.
USUAL = 'fan'
_KIND = resources.Kind('robot profile', 'config/robots', '.sound.yaml')


def _both(value: object) -> object:
    """One number is a range, too."""
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value, value)


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f'expected the smaller number first, found {list(pair)}')
    return pair


Decibels = Annotated[float, Field(ge=-60.0, le=140.0)]
Positive = Annotated[float, Field(gt=0.0, le=1e6)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
_Slope = Annotated[float, Field(ge=-2.0, le=4.0)]
#: One number, or two between which each robot draws.
_Both, _Rising = BeforeValidator(_both), AfterValidator(_rising)
DecibelRange = Annotated[tuple[Decibels, Decibels], _Both, _Rising]
PositiveRange = Annotated[tuple[Positive, Positive], _Both, _Rising]
SlopeRange = Annotated[tuple[_Slope, _Slope], _Both, _Rising]


class ToneProfile(Schema):
    """
    Harmonics of one rotation rate. Where two numbers are given, each robot draws between them.

    hz: the rotation rate. count: harmonics, from the first on. level_db: power of all of them over
    that of the source's noise. fall_db: how much each octave up is weaker. wobble: standard
    deviation of the rate as a share of it; wobble_s: how slowly it wanders.
    """

    hz: PositiveRange
    count: Annotated[int, Field(ge=1, le=200)] = 1
    level_db: DecibelRange = (0.0, 0.0)
    fall_db: Annotated[float, Field(ge=0.0, le=40.0)] = 3.0
    wobble: Annotated[float, Field(ge=0.0, le=0.2)] = 0.003
    wobble_s: Positive = 5.0


class SourceProfile(Schema):
    """
    One part that makes noise.

    position: base_link meters. standing_db, driving_db: its level while the robot stands and while
    it drives, dB re 20 uPa at 1 m in free field; none where it is silent then. slope: power falls
    as 1/f^slope. equalizer_db: on top of that at ``EQUALIZER_HZ``; each robot adds a random walk of
    walk_db an octave. flutter: how much the noise swells once a turn of the first tones. drift_db:
    standard deviation of the level, which wanders within minutes. on_s, off_s: it switches on and
    off. stops_s: it stops for good at this time.
    """

    name: Name
    position: tuple[float, float, float]
    standing_db: DecibelRange | None = None
    driving_db: DecibelRange | None = None
    slope: SlopeRange = (1.0, 1.0)
    equalizer_db: tuple[float, ...] = (0.0,) * len(EQUALIZER_HZ)
    walk_db: Annotated[float, Field(ge=0.0, le=10.0)] = 1.5
    tones: tuple[ToneProfile, ...] = ()
    flutter: Share = 0.0
    drift_db: Annotated[float, Field(ge=0.0, le=20.0)] = 0.5
    on_s: PositiveRange | None = None
    off_s: PositiveRange | None = None
    stops_s: PositiveRange | None = None

    @model_validator(mode='after')
    def _whole(self) -> SourceProfile:
        if len(self.equalizer_db) != len(EQUALIZER_HZ):
            raise ValueError(
                f'{self.name}: equalizer_db has {len(self.equalizer_db)} values; expected one for '
                f'each of {[round(f) for f in EQUALIZER_HZ]} Hz'
            )
        if (self.on_s is None) != (self.off_s is None):
            raise ValueError(f'{self.name}: on_s and off_s belong together')
        if self.on_s is not None and self.stops_s is not None:
            raise ValueError(f'{self.name}: it switches (on_s) or stops for good (stops_s)')
        return self


class RobotProfile(Schema):
    """
    A robot's own sound; ``config/robots/NAME.sound.yaml`` holds one.

    radius_m, height_m: of the robot; every source lies within. ambience_db: level of the room's
    ambience, dB re 20 uPa, that the sources' levels are heard beside. body_db: how far the robot's
    body raises or lowers, by frequency, what an ear hears of a source.
    """

    name: Name
    description: str = ''
    radius_m: Annotated[float, Field(gt=0.0, le=2.0)] = 0.17
    height_m: Annotated[float, Field(gt=0.0, le=3.0)] = 0.35
    ambience_db: Decibels = 40.0
    body_db: Annotated[float, Field(ge=0.0, le=20.0)] = 6.0
    sources: tuple[SourceProfile, ...] = ()

    @model_validator(mode='after')
    def _on_the_robot(self) -> RobotProfile:
        for source in self.sources:
            x, y, z = source.position
            if math.hypot(x, y) > self.radius_m or not 0.0 < z <= self.height_m:
                raise ValueError(
                    f'source {source.name} at ({x:g}, {y:g}, {z:g}) m is outside the robot '
                    f'(radius {self.radius_m:g} m, height {self.height_m:g} m); move it into it'
                )
        return self


def find_profile(name: str | Path) -> RobotProfile:
    """
    Return a profile by the name of one that ships (turtlebot4 ...) or by its YAML file.

    Raises QuietNavError naming the profiles there are, and what is wrong with a file.
    """
    path = profile_path(name)
    where = f'robot profile {path}'
    return profile_from(read_yaml(path, where), where)


def profile_path(name: str | Path) -> Path:
    """Return the file of a profile; QuietNavError names the profiles there are."""
    return resources.find(_KIND, name)


def profile_from(content: object, where: str = 'robot profile') -> RobotProfile:
    """Build a profile from what the YAML holds; same errors as ``find_profile``."""
    return checked(RobotProfile, as_now(content), where)
