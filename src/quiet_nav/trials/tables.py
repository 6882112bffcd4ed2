"""Trials as tables in the layout of the paper's Figs. 9 and 10, with its figures beside ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Group
from rich.table import Table

from quiet_nav.evaluation.metrics import Estimate, estimate, mean
from quiet_nav.evaluation.tables import metres, percent
from quiet_nav.trials.protocol import HEADINGS, PAPER_ROOMS, TrialResult

#: The paper, Fig. 10, on its real robots: percent of the track over four rooms, 30 degrees left,
#: straight, 30 degrees right, all.
PAPER_FIG_10 = {
    'sound, two microphones, p by hand': (60.4, 82.1, 55.4, 65.9),
    'straight line': (32.2, 81.9, 40.5, 51.5),
}
#: The paper on its classroom track, in its words.
PAPER_FIG_9 = {
    'sound, one microphone': 'past the corner in nearly half of the trials',
    'straight line': 'about a third of the track',
}
HEADING_TITLES = {'left': '30° left', 'straight': 'straight', 'right': '30° right'}
CAPTION = (
    'Mean and 95 % interval by bootstrap over trials, each with sources of its own. '
    '* The paper measured real robots in real rooms.'
)


def figure(results: Sequence[TrialResult], value: Callable[[TrialResult], float]
           ) -> Estimate | None:  # fmt: skip
    """Return the mean of a value over trials with its interval, None without trials."""
    if not results:
        return None
    values = np.array([value(result) for result in results], float)
    return estimate(mean(values), np.arange(len(values)))


def share_of(results: Sequence[TrialResult]) -> Estimate | None:
    """Return the mean share of the track, 0 to 1, None without trials."""
    return figure(results, lambda result: result.share)


def by_policy(results: Sequence[TrialResult]) -> dict[str, list[TrialResult]]:
    """Return the trials of each policy and rig, in the order in which they come."""
    groups: dict[str, list[TrialResult]] = {}
    for result in results:
        groups.setdefault(f'{result.policy}, {result.rig}', []).append(result)
    return groups


def table_fig_9(results: Sequence[TrialResult]) -> Table:
    """Return the distance on the classroom track, in metres, by start."""
    results = [result for result in results if result.room == PAPER_ROOMS[0]]
    offsets = sorted({result.offset_m for result in results})
    paper = ''.join(f'\n* {name}: {words}.' for name, words in PAPER_FIG_9.items())
    table = Table(title='Fig. 9: distance along the classroom track, m', caption=CAPTION + paper)
    table.add_column('policy, rig', no_wrap=True)
    for offset in offsets:
        table.add_column(f'{offset:.2f} m off')
    for name in (*HEADING_TITLES.values(), 'all', '% of track'):
        table.add_column(name)
    for name, group in by_policy(results).items():
        cells = [[r for r in group if r.offset_m == offset] for offset in offsets]
        cells += [[r for r in group if r.heading == heading] for heading in HEADINGS]
        cells.append(group)
        told = [metres(figure(cell, lambda r: r.distance_m)) for cell in cells]
        table.add_row(f'{name} ({len(group)})', *told, percent(share_of(group)))
    return table


def table_fig_10(results: Sequence[TrialResult]) -> Table:
    """Return the percentage of the track by start heading, over all rooms driven in."""
    rooms = list(dict.fromkeys(result.room for result in results))
    table = Table(title=f'Fig. 10: % of the track over {", ".join(rooms)}', caption=CAPTION)
    table.add_column('policy, rig', no_wrap=True)
    for name in (*HEADING_TITLES.values(), 'all'):
        table.add_column(name)
    for name, group in by_policy(results).items():
        cells = [[r for r in group if r.heading == heading] for heading in HEADINGS]
        told = [percent(share_of(cell)) for cell in (*cells, group)]
        table.add_row(f'{name} ({len(group)})', *told)
    table.add_section()
    for name, values in PAPER_FIG_10.items():
        table.add_row(f'the paper*: {name}', *(f'{value:.1f}' for value in values))
    return table


def table_rooms(results: Sequence[TrialResult]) -> Table:
    """Return share, ends, steps and simulated time by room."""
    table = Table(title='By room')
    for name in ('policy, rig', 'room, track', '% of track', 'ended by', 'steps', 'time s'):
        table.add_column(name, no_wrap=name in ('policy, rig', 'room, track'))
    for name, group in by_policy(results).items():
        for room, track in dict.fromkeys((r.room, r.track) for r in group):
            part = [r for r in group if (r.room, r.track) == (room, track)]
            ends = Counter(r.outcome for r in part).most_common()
            table.add_row(
                name,
                f'{room}, {track} ({len(part)})',
                percent(share_of(part)),
                ', '.join(f'{count} {outcome}' for outcome, count in ends),
                f'{np.mean([r.steps for r in part]):.0f}',
                f'{np.mean([r.duration_s for r in part]):.0f}',
            )
    return table


def trial_tables(results: Sequence[TrialResult]) -> Group:
    """Return the tables that the trials have rows for."""
    tables = [table_fig_10(results), table_rooms(results)]
    if any(result.room == PAPER_ROOMS[0] for result in results):
        tables.insert(0, table_fig_9(results))
    return Group(*tables)


def trials_to_json(results: Sequence[TrialResult]) -> dict:
    """Return figures and every trial (without its path) as plain values."""
    figures = {}
    for name, group in by_policy(results).items():
        cells = {heading: [r for r in group if r.heading == heading] for heading in HEADINGS}
        cells['all'] = group
        figures[name] = {
            key: None if cell is None else [cell.value, cell.low, cell.high]
            for key, cell in ((key, share_of(part)) for key, part in cells.items())
        }
    names = (
        'room', 'track', 'policy', 'rig', 'index', 'offset_m', 'heading', 'distance_m',
        'length_m', 'share', 'outcome', 'steps', 'duration_s', 'seed',
        'modality', 'switches',
    )  # fmt: skip
    trials = [{name: getattr(result, name) for name in names} for result in results]
    return {'share of track [mean, low, high]': figures, 'trials': trials}
