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

"""The model card: what a model file was measured at, written from one run of measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import json
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.baseline import BoostedTrees
from quiet_nav.evaluation.context_predictor import ContextPredictor, Turn
from quiet_nav.evaluation.metrics import average_precision, Estimate, estimate, of_rows
from quiet_nav.evaluation.predictors import Predictions, Predictor
from quiet_nav.evaluation.report import judge, Line
from quiet_nav.geometry import Side
from quiet_nav.perception.readings import Context
from quiet_nav.quiet_campus.annotation import read_annotation
from quiet_nav.quiet_campus.lists import load_splits, rooms_of, Row

BOTH = Context.REFERENCE | Context.OTHER_EARS
SIDES = (Side.LEFT, Side.RIGHT)
#: The paper's static AP with one window, on real rooms (Table 1).
PAPER_ALONE_AP = 0.683
#: Whole seconds at which the static test windows begin; the lists name every second of ten.
STATIC_STARTS = (0.0, 3.0, 6.0)
#: Ways to hear a wall ahead. By the second the robot turns where the front ear leaves it in doubt;
#: by the third it stood a quarter turned from the first, so that an ear at a side faces it.
ONCE, DOUBTED, SIDE_EAR = (
    'front ear, at once',
    'front ear, a quarter turn where in doubt',
    'ear at a side',
)
#: Probabilities of a wall ahead between which the tracker (as shipped) turns for a second look.
IN_DOUBT = (0.15, 0.97)
COLUMNS = ('near-wall AP', 'accuracy', 'ECE', 'median distance error < 1 m', 'nearer side right')


@dataclass(frozen=True)
class Measured:
    """One row of the card."""

    section: str
    line: Line


def measure(
    model: str | Path,
    data: str | Path,
    rooms: str | Path | None = None,
    wider: str | Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Measured]:
    """
    Measure a context model, and boosted trees fitted on the train rooms of ``data``.

    data: folder with SFS-Static and SFS-Robot, as ``quiet_nav campus`` writes them. rooms: another
    such folder, of which every room is tested; else the test rooms of ``data`` are. wider: a folder
    with SFS-Robot, rooms drawn from wider ranges (shapes, materials), all of them tested.
    Raises QuietNavError where a subset is missing.
    """
    out = []
    for subset, judged in (('SFS-Static', _static), ('SFS-Robot', _robot)):
        for folder in {str(data), str(rooms or data)}:
            refuse_without(folder, subset)
        splits = load_splits(data, subset)
        test = splits.test if rooms is None else every_row(rooms, subset)
        out += judged(model, splits.train, test, say)
    if wider is not None:
        refuse_without(wider, 'SFS-Robot')
        out += _wider(model, every_row(wider, 'SFS-Robot'), say)
    return out


def refuse_without(folder: str | Path, subset: str) -> None:
    """Raise QuietNavError where a folder has no such subset."""
    if not (Path(folder) / subset).is_dir():
        raise QuietNavError(f'{folder}: no {subset}; make it with quiet_nav campus')


def every_row(folder: str | Path, subset: str) -> tuple[Row, ...]:
    """Return the rows of all splits of a subset."""
    splits = load_splits(folder, subset)
    return (*splits.train, *splits.val, *splits.test)


def _static(
    model: str | Path, train: Sequence[Row], test: Sequence[Row], say: Callable[[str], None]
) -> list[Measured]:
    rows = [row for row in test if row.start_s is None or row.start_s in STATIC_STARTS]
    section = 'Facing the nearest wall, 0.27-0.56 m against 1.0 m and more, one microphone'
    network, trees = ContextPredictor(model, clips=1, places=4), BoostedTrees(train, places=4)
    out = []
    for context, name in (
        (Context.ALONE, 'one window alone'),
        (Context.REFERENCE, 'reference of 4 other places'),
    ):
        for predictor, who in ((network, ''), (trees, ', boosted trees')):
            say(f'static, {name}{who}')
            found = predictor.predict(rows, context)
            out.append(Measured(section, judge('static', name + who, rows, found)))
    return out


def _robot(
    model: str | Path, train: Sequence[Row], rows: Sequence[Row], say: Callable[[str], None]
) -> list[Measured]:
    section = 'On the robot, ears 0.15 m off center, along a wall, at any heading, in corners'
    test = [row for row in rows if row.start_s == 0.0]
    sides = [row for row in test if row.side in SIDES]
    front = [row for row in test if row.side == Side.FRONT]
    four = ContextPredictor(model, clips=1, places=4)
    eight = four.given(places=8)
    turning = four.given(places=8, turn=Turn.EACH_EAR)
    trees = BoostedTrees([row for row in train if row.side in SIDES], places=8)
    out: list[Measured] = []

    def add(name: str, predictor: Predictor, rows: Sequence[Row], context: Context) -> Predictions:
        say(f'robot, {name}')
        found = predictor.predict(rows, context)
        out.append(Measured(section, judge('robot', name, rows, found)))
        return found

    add('pair: one ear alone', eight, sides, Context.ALONE)
    add('pair: reference of 8 places', eight, sides, Context.REFERENCE)
    add('pair: other ear', eight, sides, Context.OTHER_EARS)
    add('pair: other ear and reference of 4 places', four, sides, BOTH)
    add('pair: other ear and reference of 8 places', eight, sides, BOTH)
    for name, context in (
        ('one ear alone', Context.ALONE),
        ('reference of 8 places', Context.REFERENCE),
        ('other ear', Context.OTHER_EARS),
        ('other ear and reference of 8 places', BOTH),
    ):
        add(f'pair: {name}, boosted trees', trees, sides, context)
    say('robot, trio')
    trio = eight.predict(test, BOTH)
    for poses, count in POSES.items():
        for ears, wanted in (('left and right', SIDES), ('front', (Side.FRONT,))):
            which = [i for i, row in enumerate(test) if row.side in wanted and count(row)]
            name = f'trio: {ears}, {poses}'
            line = judge('robot', name, [test[i] for i in which], part_of(trio, which))
            out.append(Measured(section, line))
    add('single: front ear, then turned by 180° 6 s later', turning, front, BOTH)
    add('single: left and right ears each, then turned', turning, sides, BOTH)
    return [*out, *_ahead(eight, test, trio, say)]


def _wider(model: str | Path, rows: Sequence[Row], say: Callable[[str], None]) -> list[Measured]:
    section = 'On the robot, in rooms of more shapes and materials'
    eight = ContextPredictor(model, clips=1, places=8)
    out = []
    for name, predictor, wanted in (
        ('pair: other ear and reference', eight.given(8, ears=SIDES), SIDES),
        ('trio: left and right, all context', eight, SIDES),
        ('trio: front, all context', eight, (Side.FRONT,)),
        ('trio: front, then a quarter turn', eight.given(8, Turn.QUARTER), (Side.FRONT,)),
    ):
        say(f'wider, {name}')
        which = [i for i, row in enumerate(rows) if row.side in wanted]
        found = part_of(predictor.predict(rows, BOTH), which)
        line = judge('wider', f'wider rooms, {name}', [rows[i] for i in which], found)
        out.append(Measured(section, line))
    return out


def _ahead(
    eight: ContextPredictor, rows: list[Row], trio: Predictions, say: Callable[[str], None]
) -> list[Measured]:
    """
    Measure a wall ahead as robots hear it: at once, and after the follower's quarter turn.

    trio: what is said of the rows, places of robots with three ears, at once.
    """
    section = 'A wall ahead of the robot, all context'
    found = {ONCE: trio}
    for name, turn, ears in (
        ('front ear, then a quarter turn', Turn.QUARTER, None),
        ('pair, a quarter turn', Turn.QUARTER, SIDES),
        (SIDE_EAR, Turn.QUARTER_ALONE, None),
    ):
        say(f'robot, ahead: {name}')
        found[name] = eight.given(eight.places, turn, ears).predict(rows, BOTH)
    turned = found['front ear, then a quarter turn']
    doubt = (trio.near > IN_DOUBT[0]) & (trio.near < IN_DOUBT[1])
    found[DOUBTED] = Predictions(
        np.where(doubt, turned.near, trio.near),
        np.where(doubt[:, None], turned.distance, trio.distance),
        trio.bins,
    )
    out: list[Measured] = []
    for poses, count in POSES.items():
        ahead, beside = (
            [i for i, row in enumerate(rows) if row.side in wanted and count(row)]
            for wanted in ((Side.FRONT,), SIDES)
        )
        walls = [rows[i] for i in ahead]
        for name, said in found.items():
            line = judge('ahead', f'{name}, {poses}', walls, part_of(said, ahead))
            out.append(Measured(section, line))
        others = [('the same walls', found[SIDE_EAR], ahead)]
        if count is _any_heading:
            # Elsewhere poses along walls give ears at the sides other walls than the front.
            others.append(('their own walls', trio, beside))
        for one in (ONCE, DOUBTED):
            for walls_of, said, which in others:
                name = f'{one}, {poses}: AP less that of ears at the sides, {walls_of}'
                line = less(name, rows, (found[one], ahead), (said, which))
                out.append(Measured(section, line))
    return out


def less(
    name: str,
    rows: Sequence[Row],
    one: tuple[Predictions, list[int]],
    other: tuple[Predictions, list[int]],
) -> Line:
    """
    Return how much better the AP of some of the rows is than another's: of the first rows.

    one, other: predictions of all rows and which of them count; rooms are resampled for both.
    """
    near, rooms, which = np.array([bool(row.near) for row in rows]), rooms_of(rows), one[1]
    mine, theirs = (
        of_rows(average_precision(said.near[some], near[some]), some) for said, some in (one, other)
    )
    return Line(
        'ahead',
        name,
        len(which),
        len(set(rooms[which])),
        int(near[which].sum()),
        ap=estimate(lambda weights: mine(weights) - theirs(weights), rooms),
    )


def _any_heading(row: Row) -> bool:
    """Whether the robot's heading was drawn without regard to the walls (not along one)."""
    return read_annotation(row.folder).situation in (None, 'any')


#: Which poses of robots count: all, or those at headings drawn without regard to the walls.
POSES: dict[str, Callable[[Row], bool]] = {
    'all context': lambda row: True,
    'any heading': _any_heading,
}


def part_of(found: Predictions, which: list[int]) -> Predictions:
    """Return the predictions of some of the rows."""
    distance = None if found.distance is None else found.distance[which]
    return Predictions(found.near[which], distance, found.bins)


def to_json(measured: Sequence[Measured]) -> str:
    """Return every figure as JSON."""
    rows = [{**vars_of(m.line), 'section': m.section} for m in measured]
    return json.dumps(rows, indent=1) + '\n'


def vars_of(line: Line) -> dict:
    """Return a line's figures as plain values, estimates as value, low and high."""
    return {
        key: [value.value, value.low, value.high] if isinstance(value, Estimate) else value
        for key, value in vars(line).items()
    }


def tables(measured: Sequence[Measured]) -> str:
    """Return the figures as Markdown tables, 95 % intervals by bootstrap over rooms."""
    out = []
    for section in dict.fromkeys(m.section for m in measured):
        lines = [m.line for m in measured if m.section == section]
        rooms, positives = lines[0].rooms, lines[0].positives / lines[0].rows
        out += [
            f'### {section}',
            '',
            f'{rooms} rooms never trained or selected on; {positives:.1%} of the rows near a wall.',
            '',
            f'| given | rows | {" | ".join(COLUMNS)} |',
            '|---|---' + '|---' * len(COLUMNS) + '|',
        ]
        for line in lines:
            figures = (
                line.ap,
                line.accuracy,
                line.calibration_error,
                line.median_distance_error_m,
                line.nearer_side,
            )
            shown = ' | '.join('–' if f is None else _shown(f) for f in figures)
            out.append(f'| {line.name} | {line.rows} | {shown} |')
        out.append('')
    return '\n'.join(out)


def _shown(figure) -> str:
    return f'{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]'
