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

"""What the terminal shows of a run: live where it is a terminal, now and then a line where not."""

from __future__ import annotations

import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from quiet_nav.demo.run import Progress

#: Seconds between two lines where the output is a file or a pipe.
_LINE_S = 5.0
_SIDES = ('left', 'right')


class RunView:
    """A context that shows progress; ``title`` stands above it."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._live = Live(console=console, refresh_per_second=8, transient=True)
        self._line_at = 0.0

    def __enter__(self) -> RunView:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._console.print(self._title)
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show a line of progress."""
        if self._console.is_terminal:
            self._live.update(Group(self._title, render(progress)))
        elif time.monotonic() - self._line_at >= _LINE_S:
            self._line_at = time.monotonic()
            self._console.print(one_line(progress))


def render(progress: Progress) -> RenderableType:
    """Return the progress as a table of bars."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=8)
    table.add_column(width=22)
    table.add_column(width=40)
    table.add_row('phase', progress.phase.replace('_', ' '), '')
    for side in _SIDES:
        if side not in progress.probabilities:
            continue
        p = progress.probabilities[side]
        bar = ProgressBar(total=1.0, completed=p or 0.0, width=40)
        table.add_row(f'P({side[0].upper()})', 'no reading' if p is None else f'{p:.2f}', bar)
    table.add_row(
        'track',
        f'{progress.distance_m:.2f} of {progress.length_m:.2f} m',
        ProgressBar(total=progress.length_m, completed=progress.distance_m, width=40),
    )
    wall = progress.wall_distance_m
    table.add_row('wall', 'not known' if wall is None else f'at {wall:.2f} m', '')
    table.add_row('step', str(progress.steps), '')
    table.add_row('time', f'{progress.time_s:.0f} s', f'{progress.time_factor:.1f} x real time')
    return table


def one_line(progress: Progress) -> str:
    """Return the progress for a log."""
    heard = ' '.join(
        f'P({side[0].upper()}) ' + ('--' if p is None else f'{p:.2f}')
        for side in _SIDES
        if side in progress.probabilities
        for p in [progress.probabilities[side]]
    )
    return (
        f'{progress.time_s:5.0f} s  {progress.distance_m:.2f} of {progress.length_m:.2f} m  '
        f'{progress.phase.replace("_", " "):<14} {heard}  {progress.time_factor:.1f} x real time'
    ).rstrip()
