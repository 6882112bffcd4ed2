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

"""What `quiet_nav reality` prints and draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.table import Table

from quiet_nav.evaluation.reality.room import Figure, RoomReport
from quiet_nav.evaluation.reality.spectra import BANDS_HZ, OCTAVES_HZ, THIRDS_HZ
from quiet_nav.evaluation.reality.wall import APART_M, DEPTH_AT_M, RANGES_HZ, WallReport

_COLORS = {'measured': 'black', 'images': 'tab:orange', 'waves': 'tab:blue'}
_COLORS['simulated'] = _COLORS['images']


def room_tables(report: RoomReport) -> list[Table]:
    """Return tables of a room: correlation, decay times and spread over places."""
    bands = Table(title='Relative spectra over places: correlation with the measured ones (95 %)')
    bands.add_column('simulated by')
    for low, high in BANDS_HZ:
        bands.add_column(f'{low:g}-{high:g} Hz', no_wrap=True)
    for name, row in report.correlation.items():
        bands.add_row(name, *(str(figure) for figure in row))
    decay = _by_name('Decay time T20, s', [f'{f:g} Hz' for f in OCTAVES_HZ], report.decay_s)
    for name, absorption in report.absorption.items():
        decay.add_row(f'absorption, {name}', *(f'{a:.2f}' for a in absorption[: len(OCTAVES_HZ)]))
    pick = range(0, len(THIRDS_HZ), 3)
    spread = _by_name(
        'Standard deviation of level over places, dB',
        [f'{THIRDS_HZ[k]:.0f} Hz' for k in pick],
        {name: [row[k] for k in pick] for name, row in report.spread_db.items()},
    )
    return [bands, decay, spread]


def _by_name(title: str, columns: list[str], rows: dict[str, list[Figure]]) -> Table:
    table = Table(title=title)
    table.add_column('')
    for column in columns:
        table.add_column(column, no_wrap=True)
    for name, row in rows.items():
        table.add_row(name, *(str(figure) for figure in row))
    return table


def wall_table(report: WallReport) -> Table:
    """Return a table of a robot at a wall."""
    table = Table(title="A robot's own notes at a wall: ripple over distance (95 % over notes)")
    table.add_column('')
    for name in report.depth:
        table.add_column(name, no_wrap=True)

    def row(title: str, figures: dict[str, tuple[float, float, float]], digits: int) -> None:
        table.add_row(
            title,
            *(
                f'{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})'
                for value, low, high in figures.values()
            ),
        )

    row(f'depth at {DEPTH_AT_M:g} m, median of notes and microphones', report.depth, 3)
    titles = [f'depth, {low / 1000:g} to {high / 1000:g} kHz' for low, high in RANGES_HZ]
    titles += [f'{titles[0]}, {part} half of the distances' for part in ('near', 'far')]
    for n, title in enumerate(titles):
        table.add_row(title, *(f'{depths[n]:.3f}' for depths in report.depth_by.values()))
    row('depth, dB an octave', report.depth_slope_db_per_octave, 1)
    row('phase, spread over notes, rad', report.phase_spread_rad, 2)
    ripples = (report.measured, report.simulated)
    table.add_row(
        'offset of microphones, m', *(' '.join(f'{o:+.3f}' for o in r.offset_m) for r in ripples)
    )
    table.add_row(
        'share of the variance over distance', *(f'{np.median(r.kept):.2f}' for r in ripples)
    )
    median, ninety = report.distance_error_m
    table.add_row('a distance from all others, error', f'{median:.3f} m (90 %: {ninety:.3f} m)', '')
    median, ninety = report.distance_error_apart_m
    table.add_row(
        f'the same, from those over {APART_M:g} m away',
        f'{median:.3f} m (90 %: {ninety:.3f} m)',
        '',
    )
    return table


def wall_said(report: WallReport) -> dict[str, object]:
    """Return the figures of a robot at a wall as JSON has them."""
    return {
        'depth': report.depth,
        'ranges_hz': [list(r) for r in RANGES_HZ],
        'depth_by': report.depth_by,
        'depth_db_per_octave': report.depth_slope_db_per_octave,
        'phase_spread_rad': report.phase_spread_rad,
        'offset_m': {
            'measured': report.measured.offset_m.round(3).tolist(),
            'simulated': report.simulated.offset_m.round(3).tolist(),
        },
        'distance_error_m': list(report.distance_error_m),
        'distance_error_apart_m': list(report.distance_error_apart_m),
    }


def draw_room(path: Path, report: RoomReport) -> None:
    """Draw relative spectra of three places, spread over places and decay times."""
    from matplotlib.figure import Figure as Drawing
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    drawing = Drawing(figsize=(11, 7), layout='constrained')
    axes = drawing.subplot_mosaic([['a', 'b', 'c'], ['s', 's', 't']])
    for place, key in enumerate('abc'):
        for name in ('measured', 'images', 'waves'):
            shown = report.examples[name][place]
            axes[key].semilogx(report.frequency_hz, shown, color=_COLORS[name], label=name)
        axes[key].set(title=f'place {place + 1}', xlim=(40, 1000), ylim=(-14, 12))
        axes[key].set_xlabel('Hz')
    axes['a'].set_ylabel('level less the mean over places, dB')
    axes['a'].legend()
    for key, frequencies, figures, label in (
        ('s', THIRDS_HZ, report.spread_db, 'standard deviation over places, dB'),
        ('t', OCTAVES_HZ, report.decay_s, 'T20, s'),
    ):
        for name, row in figures.items():
            low, high = [f.low for f in row], [f.high for f in row]
            axes[key].semilogx(frequencies, [f.value for f in row], color=_COLORS[name], label=name)
            axes[key].fill_between(frequencies, low, high, color=_COLORS[name], alpha=0.15, lw=0)
        axes[key].set(xlabel='Hz', ylabel=label, ylim=(0, None))
    axes['s'].legend()
    for axis in axes.values():
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.xaxis.set_major_formatter(ScalarFormatter())
    drawing.savefig(path, dpi=110)


def draw_wall(path: Path, report: WallReport) -> None:
    """Draw depth and phase of the ripple against frequency, and levels of a note over distance."""
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(11, 4), layout='constrained')
    depth, phase, over = drawing.subplots(1, 3)
    wall = report.wall
    for name, r in (('measured', report.measured), ('simulated', report.simulated)):
        depth.semilogy(wall.frequency_hz, r.depth.mean(axis=1), '.-', color=_COLORS[name])
        phase.plot(wall.frequency_hz, r.phase, '.', color=_COLORS[name])
        depth.lines[-1].set_label(name)
    depth.set(xlabel='Hz', ylabel=f'depth at {DEPTH_AT_M:g} m, mean of microphones')
    depth.legend()
    phase.set(xlabel='Hz', ylabel='phase of the ripple, rad', ylim=(-np.pi, np.pi))
    note = int(np.nanargmax(np.nanmean(report.measured.kept, axis=1)))
    levels = wall.magnitude[:, note] / np.nanmean(wall.magnitude[:, note], axis=0)
    over.plot(wall.distance_m, 20.0 * np.log10(levels))
    over.set(xlabel='distance told, m', ylabel='dB over the mean')
    over.set_title(f'measured, {wall.frequency_hz[note]:.0f} Hz, by microphone')
    drawing.savefig(path, dpi=110)
