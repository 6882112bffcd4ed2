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

"""The picture of one run: floor plan, track, and the path colored by near-wall probability."""

from __future__ import annotations

from pathlib import Path
import textwrap

from quiet_nav.evaluation.plots import figure
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.trials.plots import draw_path, draw_plan
from quiet_nav.trials.protocol import TrialResult

#: Characters that fit above the picture.
_TITLE = 64


def draw_run(path: Path, result: TrialResult) -> None:
    """Write the picture of a run."""
    plan = load_plan(result.room)
    with figure(path, 8.0, 6.0) as (drawn, axes):
        draw_plan(axes, plan, plan.track(result.track))
        lines = draw_path(axes, result)
        if lines is not None:
            drawn.colorbar(lines, ax=axes, label='near-wall probability, larger of both sides')
        places = [(at.pose.x, at.pose.y) for at in result.listened]
        if places:
            axes.plot(*zip(*places, strict=True), '.', color='black', markersize=4)
        named = [plan.name, result.policy, result.rig, result.detector]
        axes.set_title(
            textwrap.fill(f'{", ".join(name for name in named if name)}: {result.outcome}', _TITLE)
            + f'\n{result.distance_m:.1f} of {result.length_m:.1f} m, {len(places)} listens, '
            f'{result.duration_s:.0f} s'
        )
