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

"""Drawings of trials: floor plan, track, and paths colored by near-wall probability."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TYPE_CHECKING

import numpy as np

from quiet_nav.evaluation.plots import COLORS, figure
from quiet_nav.perception.display.display import PROBABILITY_MAP
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.rooms.tracks import Track
from quiet_nav.trials.protocol import HEADINGS, TrialOutcome, TrialResult
from quiet_nav.trials.tables import (
    by_policy,
    fig_10_parts,
    HEADING_TITLES,
    PAPER_FIG_10,
    share_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection


def draw_plan(axes: Axes, plan: Plan, track: Track | None = None) -> None:
    """Draw walls, furniture and a track (strip, middle and destination) to scale."""
    from matplotlib.patches import Polygon

    axes.add_patch(Polygon(plan.footprint, fill=False, linewidth=2.5, edgecolor='black'))
    for box in plan.furniture:
        axes.add_patch(Polygon(box.footprint, facecolor='#c8c0b4', edgecolor='#8a8378'))
    if track is not None:
        axes.add_patch(Polygon(track.boundary, facecolor='#eef3f8', edgecolor='none', zorder=0))
        axes.plot(*np.asarray(track.center).T, color='#9bb0c4', linewidth=1.0, linestyle='--')
        axes.plot(*track.destination.T, color=COLORS[2], linewidth=3.0)
    axes.set_aspect('equal')
    axes.autoscale_view()
    axes.margins(0.02)
    axes.grid(False)
    axes.set_xlabel('x, m')
    axes.set_ylabel('y, m')


def draw_path(axes: Axes, result: TrialResult) -> LineCollection | None:
    """Draw the path of a trial, colored by the larger P of both sides; return the colors."""
    from matplotlib.collections import LineCollection

    path = np.asarray(result.path, float).reshape(-1, 2)
    if len(path) < 2:
        return None
    p = np.full(len(path) - 1, np.nan)
    places = np.array([(at.pose.x, at.pose.y) for at in result.listened]).reshape(-1, 2)
    if len(places):
        said = np.array([at.probabilities for at in result.listened], float)
        louder = np.where(np.isnan(said).all(axis=1), np.nan, np.fmax(said[:, 0], said[:, 1]))
        # What was heard where a step began holds for the whole step.
        begins = [int(np.argmin(np.hypot(*(path - place).T))) for place in places]
        held = np.maximum.accumulate(begins)
        for begin, value in zip(held, louder, strict=True):
            p[begin:] = value
    lines = LineCollection(
        list(np.stack([path[:-1], path[1:]], axis=1)), array=p, cmap=PROBABILITY_MAP,
        clim=(0.0, 1.0), linewidths=2.0,
    )  # fmt: skip
    axes.add_collection(lines)
    axes.plot(*path[0], marker='o', color='black', markersize=4)
    if result.outcome != TrialOutcome.DESTINATION:
        axes.plot(*path[-1], marker='x', color=COLORS[1], markersize=9, markeredgewidth=2.5)
    return lines


def plot_paths(path: Path, results: Sequence[TrialResult]) -> None:
    """Write a picture of the trials of one policy in one room: every path on the floor plan."""
    plan = load_plan(results[0].room)
    with figure(path, 8.0, 6.0) as (drawn, axes):
        draw_plan(axes, plan, plan.track(results[0].track))
        lines = [draw_path(axes, result) for result in results]
        lines = [line for line in lines if line is not None]
        if lines:
            drawn.colorbar(lines[0], ax=axes, label='near-wall probability, larger of both sides')
        share, first = share_of(results), results[0]
        assert share is not None
        axes.set_title(
            f'{first.policy}, {first.rig}: {share.value * 100:.0f} % of {first.length_m:.1f} m, '
            f'{len(results)} trials in {first.room}'
        )


def plot_fig_10(path: Path, results: Sequence[TrialResult]) -> None:
    """Write bars as in Fig. 10: share of the track by start heading, the paper's as lines."""
    groups = by_policy(results)
    with figure(path, 8.0, 4.5) as (_, axes):
        width = 0.8 / max(len(groups), 1)
        for i, (name, group) in enumerate(groups.items()):
            cells = [[r for r in group if r.heading == heading] for heading in HEADINGS]
            shares = [share_of(cell) for cell in (*cells, group)]
            told = {k: share for k, share in enumerate(shares) if share is not None}
            values = np.array([100 * share.value for share in told.values()])
            errors: list[Any] = [
                values - [100 * share.low for share in told.values()],
                [100 * share.high for share in told.values()] - values,
            ]
            x = np.array(list(told)) + (i - (len(groups) - 1) / 2) * width
            axes.bar(x, values, 0.9 * width, yerr=np.maximum(errors, 0.0), label=name, capsize=3)
        # Their bars are of four rooms (or of three): of the classroom alone they say nothing.
        paper = PAPER_FIG_10 if fig_10_parts(results) else {}
        for (name, theirs), style in zip(paper.items(), ('-', ':'), strict=False):
            for k, value in enumerate(theirs):
                axes.plot(
                    [k - 0.42, k + 0.42], [value, value], color='black', linestyle=style,
                    linewidth=1.5, label=f'the paper, real robots: {name}' if k == 0 else None,
                )  # fmt: skip
        axes.set_xticks(range(4), [*HEADING_TITLES.values(), 'all'])
        axes.set_ylabel('% of the track')
        if paper:
            axes.set_xlabel("start heading; floor plans: classroom the paper's, other rooms ours")
        axes.set_ylim(0, 105)
        axes.legend(fontsize=8, loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=2)


def plot_trials(folder: Path, results: Sequence[TrialResult]) -> list[Path]:
    """Write a picture a policy and room, for trials with paths, and bars; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for group in by_policy(results).values():
        for room, track in dict.fromkeys((r.room, r.track) for r in group):
            part = [r for r in group if (r.room, r.track) == (room, track) and r.path]
            if not part:
                continue
            names = (room, track, part[0].policy, part[0].rig, part[0].variant)
            files.append(folder / f'{"_".join(filter(None, names)).replace(", ", "_")}.png')
            plot_paths(files[-1], part)
    files.append(folder / 'by_heading.png')
    plot_fig_10(files[-1], results)
    return files
