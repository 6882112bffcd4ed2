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

"""Evaluations as tables for the terminal, in the paper's layout with its figures beside ours."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from quiet_nav.evaluation.metrics import Estimate
from quiet_nav.evaluation.report import Line, Report

#: Table 1 of the paper, in real rooms, (AP, accuracy) in percent, static and in motion: near wall
#: by sound, near wall by image (from random weights), and which of two is nearer by sound.
PAPER_NEAR_WALL = ((68.3, 60.0), (65.6, 64.5))
PAPER_NEAR_WALL_BY_IMAGE = ((99.2, 95.5), (73.4, 68.2))
PAPER_ORDER = ((85.5, 77.2), (87.1, 81.3))
#: Name of the line that a vision model's figures stand in.
IMAGE = 'image'
SECTIONS = {
    'distance': 'By true distance',
    'distractor': 'By distractor (ambience over event, A.7)',
    'band': 'By frequency band kept (Fig. 8)',
}


def percent(estimate: Estimate | None) -> str:
    """Return '68.3 [60.1, 75.0]' of a share, or a dash."""
    if estimate is None:
        return '–'
    return f'{estimate.value * 100:.1f} [{estimate.low * 100:.1f}, {estimate.high * 100:.1f}]'


def meters(estimate: Estimate | None) -> str:
    """Return '0.12 [0.10, 0.15]', or a dash."""
    if estimate is None:
        return '–'
    return f'{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]'


def table_1(report: Report) -> Table:
    """Return near-wall figures by context in the layout of the paper's Table 1, theirs below."""
    lines = report.section('context')
    some = lines[0]
    table = Table(
        title=f'Near wall: {report.model or "model"} on {report.data or "data"}',
        caption=(
            f'{some.rows} rows in {some.rooms} rooms, {some.positives} near a wall; 95 % intervals '
            'by bootstrap over rooms.\n* The paper measured on other rooms: real ones (Quiet '
            'Campus), static / in motion; not comparable figure by figure.'
        ),
        caption_justify='left',
        title_justify='left',
    )
    for name in ('model', 'context', 'AP %', 'accuracy %', 'ECE %', 'distance error m',
                 'nearer side %'):  # fmt: skip
        table.add_column(name, no_wrap=name in ('model', 'context'))
    chance = some.positives / some.rows * 100.0
    table.add_row('chance', '', f'{chance:.1f}', '', '', '', '50.0')
    for line in lines:
        table.add_row('ours', line.name, *_figures(line))
    table.add_section()
    table.add_row('the paper*', 'alone', *_of_paper(PAPER_NEAR_WALL))
    if any(line.name == IMAGE for line in lines):
        table.add_row('the paper*', IMAGE, *_of_paper(PAPER_NEAR_WALL_BY_IMAGE))
    table.add_row('the paper*, nearer of two places', 'pair', *_of_paper(PAPER_ORDER))
    return table


def _of_paper(said: tuple[tuple[float, float], ...]) -> tuple[str, ...]:
    ap, accuracy = (
        ' / '.join(f'{value:.1f}' for value in part) for part in zip(*said, strict=True)
    )
    return ap, accuracy, '', '', ''


def breakdown(report: Report, section: str) -> Table:
    """Return one section of a report as a table."""
    table = Table(title=SECTIONS[section], title_justify='left')
    for name in ('', 'rows', 'AP %', 'accuracy %', 'ECE %', 'distance error m', 'mean P %'):
        table.add_column(name, no_wrap=name == '')
    for line in report.section(section):
        figures = _figures(line)[:-1]
        table.add_row(line.name, str(line.rows), *figures, percent(line.mean_probability))
    return table


def full(report: Report) -> Group:
    """Return every table of a report."""
    parts: list[Table | Text] = [table_1(report)]
    for section in SECTIONS:
        if report.section(section):
            parts += [Text(''), breakdown(report, section)]
    return Group(*parts)


def _figures(line: Line) -> tuple[str, ...]:
    return (
        percent(line.ap),
        percent(line.accuracy),
        percent(line.calibration_error),
        meters(line.median_distance_error_m),
        percent(line.nearer_side),
    )
