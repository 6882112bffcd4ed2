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

"""A replay drawn: probability and distance over time, beside what the depth camera saw."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from quiet_nav.evaluation import plots
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.recordings.replay import Replayed

#: Distances are drawn up to here; what is heard as farther than the last bin lies at the top.
TOP_M = 2.0


def over_time(path: str | Path, found: Replayed) -> dict[str, int]:
    """
    Draw every ear's probability and median distance over time; returns the points of each.

    Thin, on gray bands: windows in which the robot moved, which no one drives by. Crosses below:
    readings that are not valid.
    """
    counts: dict[str, int] = {}
    begin = found.sound_ns[0]
    moved = np.array([decision.still is False for _, decision in found.decisions])
    drawn = _drawn(found)
    with plots.figure(path, 10.0, 6.0, nrows=2, sharex=True) as (_, axes):
        for ear, _ in enumerate(found.rig.ears):
            seconds, said, median = drawn[:, ear].T
            name = found.rig.ears[ear].side.name.lower()
            (line,) = axes[0].plot(seconds, np.where(moved, np.nan, said), '.-', label=name)
            axes[0].plot(seconds, said, lw=0.8, alpha=0.5, color=line.get_color())
            silent = seconds[np.isnan(said)]
            axes[0].plot(silent, np.full(len(silent), -0.04), 'x', ms=3, color=line.get_color())
            still = np.where(moved, np.nan, median)
            axes[1].plot(seconds, still, '.-', color=line.get_color(), label=f'{name}, heard')
            axes[1].plot(seconds, median, lw=0.8, alpha=0.5, color=line.get_color())
            counts[name] = int(np.isfinite(said).sum())
        if len(found.depth.times_ns):
            seconds = (found.depth.times_ns - begin) / 1e9
            meters = np.minimum(found.depth.distances_m, TOP_M)
            axes[1].plot(seconds, meters, color='#000000', lw=1.2, ls='--', label='depth camera')
            counts['depth'] = len(seconds)
        for start, end in _moving(found):
            for axis in axes:
                axis.axvspan((start - begin) / 1e9, (end - begin) / 1e9, color='#eeeeee', zorder=0)
        axes[1].axhline(NEAR_WALL_M, color='#888888', linewidth=1, linestyle=':')
        axes[0].set(ylabel='near-wall probability', ylim=(-0.08, 1.04))
        axes[0].set_title(found.name, loc='left')
        axes[1].set(ylabel='distance (m)', ylim=(0.0, TOP_M * 1.04), xlabel='time (s)')
        for axis in axes:
            # Above the lines: they may be anywhere below.
            axis.legend(loc='lower right', bbox_to_anchor=(1.0, 1.0), ncols=5, borderaxespad=0.2)
    return counts


def _drawn(found: Replayed) -> np.ndarray:
    """Return time (s), probability and median distance (m) by decision and ear, (N, ears, 3)."""
    values = np.full((len(found.decisions), len(found.rig.ears), 3), np.nan)
    for row, (_, decision) in zip(values, found.decisions, strict=True):
        for cell, reading in zip(row, decision.readings, strict=True):
            cell[0] = (reading.end_ns - found.sound_ns[0]) / 1e9
            if reading.valid:
                cell[1] = reading.probability
                if reading.distance_probabilities:
                    cell[2] = min(reading.median_distance_m, TOP_M)
    return values


def _moving(found: Replayed) -> list[tuple[int, int]]:
    """Return the stretches (ns) in which windows were heard while the robot moved."""
    spans: list[tuple[int, int]] = []
    for (_, before), (_, decision) in itertools.pairwise(found.decisions):
        if decision.still is not False:
            continue
        if spans and spans[-1][1] == before.end_ns:
            spans[-1] = spans[-1][0], decision.end_ns
        else:
            spans.append((before.end_ns, decision.end_ns))
    return spans
