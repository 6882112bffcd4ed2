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


"""Trials in files: what the command `trials` and the demo wrote, read back and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.trials.protocol import CLASSROOM, Listened, TrialResult

_Number = Annotated[float, Field(ge=-1e9, le=1e9)]
_Length = Annotated[float, Field(ge=0.0, le=1e9)]
_Count = Annotated[int, Field(ge=0, lt=2**63)]
#: NaN where a side was not heard.
_Probability = Annotated[float, Field(allow_inf_nan=True)]


class _Pose(Schema):
    x: _Number
    y: _Number
    yaw: _Number


class _Listened(Schema):
    pose: _Pose
    probabilities: tuple[_Probability, _Probability]


class _Trial(Schema):
    # Newer versions say more of a trial.
    model_config = ConfigDict(extra='ignore')

    room: Name
    track: Name
    policy: Name
    rig: Name
    index: _Count
    offset_m: _Number
    heading: Name
    distance_m: _Length
    length_m: Annotated[float, Field(gt=0.0, le=1e9)]
    outcome: Annotated[str, Field(max_length=1000)]
    steps: _Count
    duration_s: _Length
    path: tuple[tuple[_Number, _Number], ...] = ()
    listened: tuple[_Listened, ...] = ()
    seed: _Count = 0
    modality: Name = 'audio'
    switches: _Count = 0
    variant: Name = ''
    detector: Name = ''

    def to_result(self) -> TrialResult:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        listened = tuple(
            Listened(Pose2D(at.pose.x, at.pose.y, at.pose.yaw), at.probabilities)
            for at in self.listened
        )
        return TrialResult(**{**values, 'listened': listened})


class _Trials(Schema):
    # The tables are made anew from the trials.
    model_config = ConfigDict(extra='ignore')

    trials: tuple[_Trial, ...]


def read_trials(path: str | Path) -> list[TrialResult]:
    """
    Return the trials of a file that ``trials_to_json`` made, without their paths.

    Raises QuietNavError naming file and field where it is no such file.
    """
    where = f'{path}: no trials of quiet_nav trials --json'
    results = [trial.to_result() for trial in checked(_Trials, _content(path, where), where).trials]
    # Of these tables ask where the corner is.
    for track in sorted({result.track for result in results if result.room == CLASSROOM}):
        try:
            load_plan(CLASSROOM).track(track)
        except QuietNavError as error:
            raise QuietNavError(f'{where} ({error})') from error
    return results


def read_run(path: str | Path) -> TrialResult:
    """Return the run that a demo wrote; QuietNavError naming file and field where it is none."""
    where = f'{path}: not a run of the demo'
    return checked(_Trial, _content(path, where), where).to_result()


def _content(path: str | Path, where: str) -> object:
    try:
        return read_json(path, finite=False)
    except QuietNavError as error:
        raise QuietNavError(f'{where} ({error})') from error
