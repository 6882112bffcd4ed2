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

"""Experiments as text, the paper's values beside ours, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from quiet_nav.evaluation.metrics import Estimate
from quiet_nav.evaluation.tables import percent
from quiet_nav.study.run import Found, Outcome
from quiet_nav.study.scores import Figure, TaskReport

#: Figures that are shares; all others have the unit of what is said (meters, bins, nepers, dB).
SHARES = ('AP', 'accuracy', 'top-1', 'top-5', 'order AP', 'share', 'energy ratio')
BAND_MARGIN = 0.03


@dataclass(frozen=True)
class Conclusion:
    """A comparison in words with its figures; holds is None where they cannot say."""

    text: str
    holds: bool | None

    def __str__(self) -> str:
        word = {True: 'yes', False: 'NO', None: 'not known'}[self.holds]
        return f'{word:9} {self.text}'


def shown(name: str, estimate: Estimate | None) -> str:
    """Return an estimate with its interval, shares in percent, or a dash."""
    if estimate is None or estimate.value != estimate.value:
        return '–'
    if name in SHARES:
        return percent(estimate)
    return f'{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]'


def short(name: str, estimate: Estimate | None) -> str:
    """Return the value alone."""
    if estimate is None or estimate.value != estimate.value:
        return '–'
    return f'{estimate.value * 100:.1f}' if name in SHARES else f'{estimate.value:.3f}'


def table(outcome: Outcome) -> Table:
    """Return one experiment as a table: a row a line and figure, chance and the paper beside."""
    one = outcome.experiment
    found = Table(title=f'{one.name} ({one.source}): {one.title}', title_justify='left')
    for name in ('', 'figure', 'measured, 95 %', 'chance', 'no input', 'clear of both',
                 'the paper', 'rows', 'rooms'):  # fmt: skip
        found.add_column(name, no_wrap=True)
    for line in outcome.lines:
        for i, figure in enumerate(line.report.figures):
            found.add_row(line.label if i == 0 else '', *_cells(line, figure, i == 0))
    for line, _ in one.absent:
        for i, (name, said) in enumerate(line.paper or ((one.figure, '–'),)):
            told = 'not measured' if i == 0 else '–'
            found.add_row(line.label if i == 0 else '', name, told, '', '', '', said, '', '')
    return found


def absences(outcome: Outcome) -> list[str]:
    """Return why lines were not measured, a sentence a reason."""
    reasons: dict[str, list[str]] = {}
    for line, why in outcome.experiment.absent:
        reasons.setdefault(why, []).append(line.label)
    return [f'Not measured: {"; ".join(labels)}: {why}.' for why, labels in reasons.items()]


def report_table(report: TaskReport, title: str = '') -> Table:
    """Return one report as a table."""
    found = Table(title=title or report.task, title_justify='left')
    for name in ('figure', 'measured, 95 %', 'chance', 'no input', 'clear of both'):
        found.add_column(name, no_wrap=True)
    for figure in report.figures:
        found.add_row(*_cells(Found('', report), figure, False)[:5])
    return found


def _cells(line: Found, figure: Figure, first: bool) -> list[str]:
    clear = {True: 'yes', False: 'no', None: ''}[figure.beats_baselines]
    counts = [str(line.report.rows), str(line.report.rooms)] if first else ['', '']
    paper = dict(line.paper).get(figure.name, '–')
    return [
        figure.name,
        shown(figure.name, figure.value),
        short(figure.name, figure.chance),
        short(figure.name, figure.no_input),
        clear,
        paper,
        *counts,
    ]


def conclusions(outcomes: Sequence[Outcome]) -> list[Conclusion]:
    """Return what a study must show (and whether it does), of the experiments that were run."""
    by_name = {outcome.experiment.name: outcome for outcome in outcomes}
    found = _against_baselines(by_name)
    found += _order_and_near_wall(by_name)
    found += _probes(by_name)
    found += _bands(by_name)
    found += _pretraining(by_name)
    return found


def _against_baselines(by_name: dict[str, Outcome]) -> list[Conclusion]:
    best: dict[str, tuple[Found, bool | None]] = {}
    for name in ('near-wall-and-order', 'ratio', 'distance', 'conditional-distance',
                 'self-supervision', 'motion', 'locate'):  # fmt: skip
        for line in by_name[name].lines if name in by_name else ():
            best.setdefault(f'{name}: {line.label}', (line, line.report.main.beats_baselines))
    return [
        Conclusion(
            f'{name}: {figure.name} {shown(figure.name, figure.value)} is clear of chance '
            f'{shown(figure.name, figure.chance)} and of no input '
            f'{shown(figure.name, figure.no_input)}',
            beats,
        )
        for name, (line, beats) in best.items()
        for figure in (line.report.main,)
    ]


def _order_and_near_wall(by_name: dict[str, Outcome]) -> list[Conclusion]:
    found = []
    for name in ('near-wall-and-order', 'motion'):
        if name not in by_name:
            continue
        for word in ('sound', 'image'):
            labels = f'order, {word}', f'near-wall, {word}'
            if all(label in by_name[name] for label in labels):
                found.append(_greater(by_name[name], *labels, 'AP'))
    return found


def _probes(by_name: dict[str, Outcome]) -> list[Conclusion]:
    if 'probes' not in by_name:
        return []
    probes, found = by_name['probes'], []
    supervised = by_name.get('near-wall-and-order')
    for line in probes.lines:
        stem, _, origin = line.label.rpartition(': ')
        random = f'{stem}: random'
        if origin in ('AV-Order', 'AV-Sync') and random in probes:
            found.append(_greater(probes, line.label, random, 'AP'))
        # What a whole network learns from the same labels.
        if origin == 'AV-Order' and supervised is not None and stem in supervised:
            trained = (f'{stem}, trained as a whole', supervised[stem])
            found.append(_above('probes', (line.label, line.report), trained, 'AP'))
    return found


def _pretraining(by_name: dict[str, Outcome]) -> list[Conclusion]:
    if 'pretraining' not in by_name:
        return []
    one, scratch = by_name['pretraining'], 'from scratch'
    return [
        _greater(one, line.label, line.label.replace(line.series, scratch), 'AP')
        for line in one.lines
        if line.series != scratch and line.label.replace(line.series, scratch) in one
    ]


def _bands(by_name: dict[str, Outcome]) -> list[Conclusion]:
    labels = '0-1000 Hz', 'all frequencies'
    if 'bands' not in by_name or not all(label in by_name['bands'] for label in labels):
        return []
    reports = [by_name['bands'][label] for label in labels]
    low, whole = (report['AP'].value for report in reports)
    away = reports[0].above(reports[1])
    by = '' if away is None else f' (by {shown("AP", away)} in the same rooms)'
    text = (
        f'bands: AP of 0-1000 Hz {percent(low)} is within {BAND_MARGIN:g} of all frequencies '
        f'{percent(whole)}{by}'
    )
    return [Conclusion(text, whole.value - low.value <= BAND_MARGIN)]


def _greater(outcome: Outcome, label: str, other: str, name: str) -> Conclusion:
    return _above(outcome.experiment.name, (label, outcome[label]), (other, outcome[other]), name)


def _above(
    where: str, one: tuple[str, TaskReport], two: tuple[str, TaskReport], name: str
) -> Conclusion:
    """
    Say whether one report's first figure is above another's.

    Of the same rooms the difference decides, draw by draw: its interval must lie above 0. Of
    others the values do, and it is said whether their intervals touch.
    """
    first, second = (report.main.value for _, report in (one, two))
    difference = one[1].above(two[1])
    if difference is None:
        holds = first.value > second.value
        said = 'intervals apart' if first.low > second.high else 'intervals overlap'
    else:
        holds = difference.low > 0
        said = f'by {shown(name, difference)} in the same rooms'
    return Conclusion(
        f'{where}: {name} of {one[0]} {shown(name, first)} is above {two[0]} '
        f'{shown(name, second)} ({said})',
        holds,
    )
