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

"""Experiments as figures: curves with their intervals, or a bar a line with chance marked."""

from __future__ import annotations

import math
from pathlib import Path
import textwrap

import numpy as np

from quiet_nav.evaluation.plots import COLORS, figure
from quiet_nav.study.run import Found, Outcome
from quiet_nav.study.scores import Figure
from quiet_nav.study.tables import SHARES

#: Characters that fit above a figure.
_TITLE = 72
_TICKS_HZ = (30, 100, 300, 1000, 3000, 8000)
_UNITS = {'meters': 'mean error, m', 'level': 'level near a wall over far from it, dB'}


def draw(path: str | Path, outcome: Outcome) -> list[str]:
    """Draw an experiment's figure of merit; returns what was drawn: series, or lines' labels."""
    name = outcome.experiment.figure
    kept = [line for line in outcome.lines if any(f.name == name for f in line.report.figures)]
    if outcome.experiment.x_label:
        return _curves(path, outcome, kept, name)
    return _bars(path, outcome, kept, name)


def _curves(path: str | Path, outcome: Outcome, lines: list[Found], name: str) -> list[str]:
    series = list(dict.fromkeys(line.series for line in lines))
    with figure(path, 6.5, 4.5) as (_, axes):
        for one in series:
            points = sorted((p for p in lines if p.series == one), key=lambda p: p.x)
            x = np.array([p.x for p in points], float)
            value, low, high = _numbers(points, name)
            (drawn,) = axes.plot(x, value, marker='o', markersize=4, label=one)
            axes.fill_between(x, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)
        chance = [_one(p, name).chance for p in lines if _one(p, name).chance is not None]
        if chance:
            axes.axhline(_scaled(name, chance[0].value), color='#888888', linestyle='--',
                         linewidth=1, label='chance')  # fmt: skip
        if name == 'level':
            axes.axhline(0.0, color='#888888', linewidth=1)
            axes.set_xscale('log')
            axes.set_xticks(_TICKS_HZ, [f'{hz}' for hz in _TICKS_HZ], minor=False)
        axes.set(xlabel=outcome.experiment.x_label, ylabel=_label(outcome, name))
        axes.set_title(_title(outcome), fontsize=11)
        if any(series):
            axes.legend()
    return series


def _bars(path: str | Path, outcome: Outcome, lines: list[Found], name: str) -> list[str]:
    value, low, high = _numbers(lines, name)
    places = np.arange(len(lines))[::-1]
    with figure(path, 7.5, 1.2 + 0.36 * len(lines)) as (_, axes):
        axes.barh(places, value, 0.6, color=COLORS[0])
        axes.errorbar(value, places, xerr=np.maximum([value - low, high - value], 0.0), fmt='none',
                      ecolor='#000000', elinewidth=1.2, capsize=3)  # fmt: skip
        told = [(p, _one(line, name).no_input) for p, line in zip(places, lines, strict=True)]
        told = [(p, one.value) for p, one in told if one is not None and np.isfinite(one.value)]
        if told:
            values = [_scaled(name, value) for _, value in told]
            axes.plot(values, [place for place, _ in told], '|', color=COLORS[1], markersize=16,
                      markeredgewidth=2.5, label='no input')  # fmt: skip
            axes.legend(loc='upper left', bbox_to_anchor=(1.0, 1.0))
        axes.set_yticks(places, [line.label for line in lines])
        axes.grid(axis='y', visible=False)
        axes.set(xlabel=_label(outcome, name))
        if name in SHARES:
            axes.set_xlim(0, 100)
        axes.set_title(_title(outcome), fontsize=11, loc='right')
    return [line.label for line in lines]


def _one(line: Found, name: str) -> Figure:
    return line.report[name]


def _numbers(lines: list[Found], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = [_one(line, name).value for line in lines]
    return tuple(
        np.array([_scaled(name, getattr(e, part)) for e in found])
        for part in ('value', 'low', 'high')
    )


def _scaled(name: str, value: float) -> float:
    return 100.0 * value if name in SHARES else value


def _title(outcome: Outcome) -> str:
    """Return the title in lines of about one length."""
    text = outcome.experiment.title
    lines = math.ceil(len(text) / _TITLE)
    return textwrap.fill(text, _TITLE if lines == 1 else len(text) // lines + 8)


def _label(outcome: Outcome, name: str) -> str:
    if name in SHARES:
        return f'{name}, %'
    unit = outcome.experiment.unit
    return f'{name}, {unit}' if unit else _UNITS.get(name, name)
