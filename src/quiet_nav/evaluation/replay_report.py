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

"""How right a replay was where a depth camera looked along: rows, figures, tables."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
import csv
import dataclasses
from dataclasses import dataclass
import io
import math
from pathlib import Path
from typing import TextIO

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.predictors import Predictions
from quiet_nav.evaluation.report import by_distance, judge, Line, Report
from quiet_nav.evaluation.tables import meters, percent
from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import DistanceBins
from quiet_nav.perception.readings import NEAR_WALL_M, NearWallReading
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.recordings.replay import Replayed

#: Windows of one stretch overlap and are alike: intervals resample stretches of this length.
BLOCK_S = 30.0
#: Within a window the wall may come nearer or go away by so much (meters).
MOST_CHANGE_M = 0.1
#: Depth images begin and end at most so far from a window's ends (seconds).
_SLACK_S = 0.5
_SECTIONS = {'bag': 'By bag', 'robot': 'By what the robot did', 'distance': 'By true distance'}


@dataclass(frozen=True)
class Judged:
    """
    Windows of a replay with the distance that the depth camera saw meanwhile.

    rows, predictions and ends_ns (N,), the windows' ends, belong together; still: whether the robot
    stood, None where unknown. left_out: why the other windows cannot be judged, and how many.
    """

    rows: tuple[Row, ...]
    predictions: Predictions
    ends_ns: np.ndarray
    still: tuple[bool | None, ...]
    left_out: Counter[str]


def judged(found: Replayed, camera: Side = Side.FRONT) -> Judged:
    """Match the readings of the ears on the camera's side with the distances that it saw."""
    times, distances = found.depth.times_ns, found.depth.distances_m
    rows, stills = [], []
    # Hours of windows: plain numbers, and what is the same for many but once.
    near, ends_ns, distance = array('d'), array('q'), array('d')
    bins: DistanceBins | None = None
    path, names = Path(found.name), dict[int, str]()
    left: Counter[str] = Counter()
    for _, decision in found.decisions:
        for reading in decision.readings:
            if reading.side != camera:
                left[f'asked about another side than the camera sees ({camera.name})'] += 1
                continue
            if not reading.valid:
                left['the reading is not valid'] += 1
                continue
            truth, why = _truth(times, distances, reading)
            if why:
                left[why] += 1
                continue
            block = int((reading.end_ns - found.start_ns) / (BLOCK_S * 1e9))
            name = names.setdefault(block, f'{found.name} {block}')
            rows.append(
                Row(
                    name,
                    path,
                    near=truth <= NEAR_WALL_M,
                    distance_m=truth,
                    side=reading.side,
                )
            )
            near.append(reading.probability)
            ends_ns.append(reading.end_ns)
            if reading.distance_probabilities:
                distance.extend(reading.distance_probabilities)
                bins = bins or reading.bins
            stills.append(decision.still)
    predictions = Predictions(np.array(near))
    if bins is not None and len(distance) == len(near) * bins.count:
        predictions = Predictions(predictions.near, np.reshape(distance, (-1, bins.count)), bins)
    return Judged(tuple(rows), predictions, np.array(ends_ns, np.int64), tuple(stills), left)


def _truth(times: np.ndarray, distances: np.ndarray, reading: NearWallReading) -> tuple[float, str]:
    first, last = np.searchsorted(times, [reading.start_ns, reading.end_ns + 1])
    seen = distances[first:last]
    slack = _SLACK_S * 1e9
    if not len(seen) or (
        times[first] > reading.start_ns + slack or times[last - 1] < reading.end_ns - slack
    ):
        return math.nan, 'no depth through all of the window'
    if np.ptp(seen) > MOST_CHANGE_M:
        return math.nan, f'the distance changed by more than {MOST_CHANGE_M} m in the window'
    return float(seen.mean()), ''


def report(replays: Sequence[Replayed], camera: Side = Side.FRONT) -> Report | None:
    """
    Return figures of all bags, of each, standing and moving, and by true distance.

    None where no window can be judged.
    """
    parts = [judged(found, camera) for found in replays]
    rows = [row for part in parts for row in part.rows]
    if not rows:
        return None
    stills = np.array([s is not None and s for part in parts for s in part.still])
    known = np.array([s is not None for part in parts for s in part.still])
    predictions = _joined([part.predictions for part in parts if part.rows])
    lines = [judge('all', 'all', rows, predictions)]
    names = np.array([row.audio.name for row in rows])
    groups = [('bag', found.name, names == found.name) for found in replays]
    groups += [('robot', 'stood', known & stills), ('robot', 'moved', known & ~stills)]
    for section, name, mask in groups:
        inside = np.flatnonzero(mask)
        if len(inside):
            chosen = [rows[i] for i in inside]
            lines.append(judge(section, name, chosen, _chosen(predictions, inside)))
    lines += by_distance(rows, predictions)
    lines = [_without_intervals(line) if line.rooms < 2 else line for line in lines]
    data = ', '.join(found.name for found in replays)
    return Report(replays[0].model, data, tuple(lines), {'all': predictions})


def _without_intervals(line: Line) -> Line:
    """One stretch cannot tell how much others would differ: say no interval instead of none."""
    changed = {}
    for field in dataclasses.fields(line):
        value = getattr(line, field.name)
        if dataclasses.is_dataclass(value):
            changed[field.name] = dataclasses.replace(value, low=math.nan, high=math.nan)
    return dataclasses.replace(line, **changed)


def _joined(parts: Sequence[Predictions]) -> Predictions:
    near = np.concatenate([part.near for part in parts])
    known = [part.distance for part in parts if part.distance is not None]
    if len(known) < len(parts):
        return Predictions(near)
    return Predictions(near, np.concatenate(known), parts[0].bins)


def _chosen(all_: Predictions, rows: np.ndarray) -> Predictions:
    distance = None if all_.distance is None else all_.distance[rows]
    return Predictions(all_.near[rows], distance, all_.bins)


def table(found: Report) -> Group:
    """Return the report as tables for the terminal."""
    whole = found.section('all')[0]
    main = _table(
        f'Near wall: {found.model} on {found.data}',
        [whole],
        f'{whole.rows} windows, {whole.positives} near a wall by the depth camera; 95 % intervals '
        f'by bootstrap over stretches of {BLOCK_S:g} s ({whole.rooms} of them).',
    )
    parts: list[Table | Text] = [main]
    for section, title in _SECTIONS.items():
        lines = found.section(section)
        if len(lines) > 1 or (lines and section == 'distance'):
            parts += [Text(''), _table(title, lines)]
    return Group(*parts)


def _table(title: str, lines: Sequence[Line], caption: str | None = None) -> Table:
    drawn = Table(title=title, caption=caption, title_justify='left', caption_justify='left')
    for name in ('', 'windows', 'near', 'AP %', 'accuracy %', 'ECE %', 'distance error m',
                 'mean P %'):  # fmt: skip
        drawn.add_column(name, no_wrap=name == '')
    for line in lines:
        drawn.add_row(
            line.name,
            str(line.rows),
            str(line.positives),
            _plain(percent(line.ap)),
            _plain(percent(line.accuracy)),
            _plain(percent(line.calibration_error)),
            _plain(meters(line.median_distance_error_m)),
            _plain(percent(line.mean_probability)),
        )
    return drawn


def _plain(text: str) -> str:
    return text.replace(' [nan, nan]', '')


def to_csv(found: Report) -> str:
    """Return every figure as CSV: a row a line of the report, interval ends as columns."""
    buffer = io.StringIO()
    names = ('ap', 'accuracy', 'calibration_error', 'median_distance_error_m', 'mean_probability')
    columns = [f'{name}{end}' for name in names for end in ('', '_low', '_high')]
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['section', 'name', 'windows', 'stretches', 'near', *columns])
    for line in found.lines:
        values = []
        for name in names:
            value = getattr(line, name)
            ends = (math.nan,) * 3 if value is None else (value.value, value.low, value.high)
            values += ['' if math.isnan(v) else repr(float(v)) for v in ends]
        writer.writerow([line.section, line.name, line.rows, line.rooms, line.positives, *values])
    return buffer.getvalue()


def write_readings(file: TextIO, found: Replayed) -> None:
    """Write every reading as CSV, one a row, with the distance seen where the camera looked."""
    times, distances = found.depth.times_ns, found.depth.distances_m
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(['start_ns', 'end_ns', 'side', 'probability', 'spread', 'median_distance_m',
                     'context', 'still', 'valid', 'reason', 'camera_distance_m'])  # fmt: skip
    for _, decision in found.decisions:
        for r in decision.readings:
            truth, _ = _truth(times, distances, r)
            median = r.median_distance_m if r.distance_probabilities else math.nan
            still = '' if decision.still is None else int(decision.still)
            writer.writerow([r.start_ns, r.end_ns, r.side.name, _number(r.probability),
                             _number(r.spread), _number(median), r.context.text, still,
                             int(r.valid), r.reason, _number(truth)])  # fmt: skip


def parse_side(text: str) -> Side:
    """Return a side by its name, in any case."""
    try:
        return Side[text.upper()]
    except KeyError:
        names = ', '.join(side.name.lower() for side in Side)
        raise QuietNavError(f'side {text!r} is none of {names}') from None


def _number(value: float) -> str:
    return '' if math.isnan(value) else repr(float(value))
