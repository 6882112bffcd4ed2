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

"""Trials as tables in the layout of the paper's Figs. 9 and 10, with its figures beside ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table

from quiet_nav.evaluation.metrics import Estimate, estimate, mean, wilson
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.trials.protocol import CLASSROOM, HEADINGS, TrialResult

#: The paper, Fig. 10, on its real robots: percent of the track, 30 degrees left, straight, 30
#: degrees right, all.
PAPER_FIG_10 = {
    'sound, two microphones, p by hand': (60.4, 82.1, 55.4, 65.9),
    'straight line': (32.2, 81.9, 40.5, 51.5),
}
#: The paper's Fig. 9 in the words of its section 5.3: its bars carry no numbers.
PAPER_FIG_9 = (
    'sound gets farther than straight and random and "past the corner in nearly half of the '
    'trials"; vision gets farther than sound'
)
HEADING_TITLES = {'left': '30° left', 'straight': 'straight', 'right': '30° right'}
PLANS = (
    "Floor plans: the classroom has the paper's size and track; of the paper's three additional "
    'rooms no sizes are told, so seminar room, laboratory and lounge are ours.'
)
INTERVALS = (
    'Mean [95 % interval by bootstrap over trials, each with sources of its own; where all trials '
    'end alike, marked w, by Wilson]; completed tracks with 95 % by Wilson.'
)
_REAL = '* The paper measured real robots in real rooms.'


@dataclass(frozen=True)
class Cell:
    """
    The trials of one cell of a table.

    mean: of the share of the track; by_wilson: its interval is Wilson's, as all trials ended
    alike. completed: of whole tracks. length_m: of the tracks, None where they differ.
    """

    trials: int
    mean: Estimate
    by_wilson: bool
    completed: Estimate
    length_m: float | None

    @classmethod
    def of(cls, results: Sequence[TrialResult]) -> Cell | None:
        """Return the cell of some trials, None for none."""
        if not results:
            return None
        shares = np.array([result.share for result in results])
        alike = bool(np.ptp(shares) < 1e-9)
        lengths = {result.length_m for result in results}
        return cls(
            len(results),
            wilson(min(float(shares.sum()), len(shares)), len(shares))
            if alike
            else estimate(mean(shares), np.arange(len(shares))),
            alike,
            wilson(int((shares >= 1.0).sum()), len(shares)),
            lengths.pop() if len(lengths) == 1 else None,
        )

    @property
    def told(self) -> str:
        """Return the mean in per cent with its interval, and completed tracks of all."""
        return f'{self._interval(100.0, 1)}\n{self._completed}'

    @property
    def told_m(self) -> str:
        """Return the mean in meters with its interval, and completed tracks of all."""
        return f'{self._interval(self.length_m or 1.0, 2)}\n{self._completed}'

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers: shares of the track, 0 to 1."""
        return {
            'trials': self.trials,
            'share': self.mean.value,
            'share_95': [self.mean.low, self.mean.high],
            'interval': 'wilson' if self.by_wilson else 'bootstrap',
            'completed': round(self.completed.value * self.trials),
            'completed_95': [self.completed.low, self.completed.high],
            'length_m': self.length_m,
        }

    def _interval(self, scale: float, places: int) -> str:
        value, low, high = (
            f'{x * scale:.{places}f}' for x in (self.mean.value, self.mean.low, self.mean.high)
        )
        return f'{value} [{low}, {high}]{"w" if self.by_wilson else ""}'

    @property
    def _completed(self) -> str:
        c = self.completed
        done = round(c.value * self.trials)
        return f'{done}/{self.trials} done [{100 * c.low:.0f}, {100 * c.high:.0f}]'


def share_of(results: Sequence[TrialResult]) -> Estimate | None:
    """Return the mean share of the track, 0 to 1, None without trials."""
    cell = Cell.of(results)
    return None if cell is None else cell.mean


def by_policy(results: Sequence[TrialResult]) -> dict[str, list[TrialResult]]:
    """
    Return the trials of each row of a table by its name, in the order in which they come.

    A row has one policy with its settings, one rig and one detector; the detector is named where
    there are several.
    """
    told = {result.detector for result in results if result.modality == 'audio'}
    several = len(told - {''}) > 1
    groups: dict[str, list[TrialResult]] = {}
    for result in results:
        names = [result.policy, result.rig, result.variant]
        if several:
            names.append(result.detector)
        groups.setdefault(', '.join(name for name in names if name), []).append(result)
    return groups


def by_heading(results: Sequence[TrialResult]) -> dict[str, Cell | None]:
    """Return the cells of Fig. 10: a start heading each, and all."""
    parts = {name: [r for r in results if r.heading == name] for name in HEADINGS}
    return {name: Cell.of(part) for name, part in {**parts, 'all': list(results)}.items()}


def past_corner(results: Sequence[TrialResult]) -> Estimate:
    """Return the share of trials that got past the first corner of their track."""
    legs = {r.track: load_plan(r.room).track(r.track).legs_m[0] for r in results}
    return wilson(sum(r.distance_m > legs[r.track] for r in results), len(results))


def table_fig_9(results: Sequence[TrialResult]) -> Table:
    """Return the distance on the classroom track, in meters, by start."""
    results = [result for result in results if result.room == CLASSROOM]
    offsets = sorted({result.offset_m for result in results})
    table = Table(
        title='Fig. 9: distance along the classroom track, m',
        show_lines=True,
        caption=f'{INTERVALS}\n{_REAL} Fig. 9: {PAPER_FIG_9}.',
    )
    table.add_column('policy, rig')
    for offset in offsets:
        table.add_column(f'{offset:.2f} m off')
    for name in (*HEADING_TITLES.values(), 'all', 'past the corner %'):
        table.add_column(name)
    for name, group in by_policy(results).items():
        cells = [Cell.of([r for r in group if r.offset_m == offset]) for offset in offsets]
        cells += by_heading(group).values()
        past = past_corner(group)
        table.add_row(
            f'{name} ({len(group)})',
            *('–' if cell is None else cell.told_m for cell in cells),
            f'{past.value * 100:.0f} [{past.low * 100:.0f}, {past.high * 100:.0f}]',
        )
    return table


def table_fig_10(results: Sequence[TrialResult], what: str) -> Table:
    """Return the percentage of the track by start heading, over all rooms driven in."""
    rooms = list(dict.fromkeys(result.room for result in results))
    table = Table(
        title=f'Fig. 10, {what}: % of the track over {", ".join(rooms)}',
        show_lines=True,
        caption=f'{INTERVALS}\n{PLANS}\n{_REAL}',
    )
    table.add_column('policy, rig')
    for name in (*HEADING_TITLES.values(), 'all'):
        table.add_column(name)
    for name, group in by_policy(results).items():
        cells = by_heading(group).values()
        told = ('–' if cell is None else cell.told for cell in cells)
        table.add_row(f'{name} ({len(group)})', *told)
    table.add_section()
    for name, values in PAPER_FIG_10.items():
        table.add_row(f'the paper*: {name}', *(f'{value:.1f}' for value in values))
    return table


def table_rooms(results: Sequence[TrialResult]) -> Table:
    """Return share, ends, steps and simulated time by room."""
    table = Table(title='By room')
    for name in ('policy, rig', 'room, track', '% of track', 'ended by', 'steps', 'time s'):
        table.add_column(name, no_wrap=name == 'room, track')
    for name, group in by_policy(results).items():
        for room, track in dict.fromkeys((r.room, r.track) for r in group):
            part = [r for r in group if (r.room, r.track) == (room, track)]
            ends = Counter(str(r.outcome) for r in part).most_common()
            cell = Cell.of(part)
            table.add_row(
                name,
                f'{room}, {track} ({len(part)})',
                '–' if cell is None else cell.told,
                ', '.join(f'{count} {outcome}' for outcome, count in ends),
                f'{np.mean([r.steps for r in part]):.0f}',
                f'{np.mean([r.duration_s for r in part]):.0f}',
            )
    return table


def fig_10_parts(results: Sequence[TrialResult]) -> dict[str, list[TrialResult]]:
    """
    Return the trials of Fig. 10 as it may be read: three rooms, and the classroom counted, too.

    The paper leaves open whether its bars hold the classroom. Other rooms alone are one part; the
    classroom alone is none.
    """
    others = [result for result in results if result.room != CLASSROOM]
    if not others:
        return {}
    if len(others) == len(results):
        return {'rooms driven in': others}
    return {'the three additional rooms': others, 'the classroom counted': list(results)}


def trial_tables(results: Sequence[TrialResult]) -> Group:
    """Return the tables that the trials have rows for."""
    tables = [table_fig_10(part, what) for what, part in fig_10_parts(results).items()]
    if any(result.room == CLASSROOM for result in results):
        tables.insert(0, table_fig_9(results))
    return Group(*tables, table_rooms(results))


_NAMES = (
    'room', 'track', 'policy', 'rig', 'index', 'offset_m', 'heading', 'distance_m', 'length_m',
    'share', 'outcome', 'steps', 'duration_s', 'seed', 'modality', 'switches', 'variant',
    'detector',
)  # fmt: skip


def trials_to_json(results: Sequence[TrialResult]) -> dict[str, Any]:
    """Return every table and every trial (without its path) as plain values."""
    classroom = [result for result in results if result.room == CLASSROOM]

    def cells(part: Sequence[TrialResult], split: Callable[..., dict[str, Cell | None]]) -> dict:
        return {
            name: {key: cell and cell.to_json() for key, cell in split(group).items()}
            for name, group in by_policy(part).items()
        }

    def fig_9_row(group: Sequence[TrialResult]) -> dict[str, Cell | None]:
        offsets = sorted({result.offset_m for result in group})
        near = {f'{o:.2f} m off': Cell.of([r for r in group if r.offset_m == o]) for o in offsets}
        return {**near, **by_heading(group)}

    tables: dict[str, Any] = {
        'fig_10': {
            what: cells(part, by_heading) for what, part in fig_10_parts(results).items()
        },
        'paper_fig_10_percent': {
            name: dict(zip((*HEADINGS, 'all'), values, strict=True))
            for name, values in PAPER_FIG_10.items()
        },
        'floor_plans': PLANS,
        'rooms': cells(results, lambda group: {
            room: Cell.of([r for r in group if r.room == room])
            for room in dict.fromkeys(r.room for r in group)
        }),
    }  # fmt: skip
    if classroom:
        tables['fig_9'] = cells(classroom, fig_9_row)
        tables['fig_9_past_corner'] = {
            name: past_corner(group).to_json() for name, group in by_policy(classroom).items()
        }
        tables['paper_fig_9'] = PAPER_FIG_9
    trials = [{name: getattr(result, name) for name in _NAMES} for result in results]
    return {'tables': tables, 'trials': trials}
