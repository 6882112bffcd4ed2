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

"""One evaluation of a detector on a data set: overall, by context, distance, distractor, band."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
import dataclasses
from dataclasses import dataclass
import math
import zlib

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation import metrics
from quiet_nav.evaluation.metrics import Estimate, estimate
from quiet_nav.evaluation.predictors import Change, Predictions, Predictor
from quiet_nav.geometry import Side
from quiet_nav.perception.readings import Context
from quiet_nav.quiet_campus.lists import rooms_of, Row
from quiet_nav.sound.windows import SAMPLE_RATE

#: Ranges of true distance that accuracy is told for, meters.
DISTANCES_M = ((0.0, 0.3), (0.3, 0.5), (0.5, 0.8), (0.8, 1.2), (1.2, 2.0), (2.0, math.inf))
#: Ambience over distractor, dB (paper, A.7), and bands kept, Hz (paper, Fig. 8).
SNRS_DB = (30.0, 20.0, 10.0, 0.0, -10.0)
BANDS_HZ = ((0, 1000), (1000, 2000), (2000, 4000), (4000, 8000))
WITHIN_M = 1.0

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Line:
    """Figures of one condition; None where the data cannot say."""

    section: str
    name: str
    rows: int
    rooms: int
    positives: int
    ap: Estimate | None = None
    accuracy: Estimate | None = None
    calibration_error: Estimate | None = None
    median_distance_error_m: Estimate | None = None
    nearer_side: Estimate | None = None
    mean_probability: Estimate | None = None


@dataclass(frozen=True)
class Report:
    """Every line of an evaluation, and the predictions behind the overall ones by context."""

    model: str
    data: str
    lines: tuple[Line, ...]
    predictions: dict[str, Predictions] = dataclasses.field(default_factory=dict)

    def section(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.section == name]

    def to_json(self) -> dict:
        """Return plain values without the draws of intervals; NaN becomes None."""

        def kept(items: list[tuple[str, object]]) -> dict[str, object]:
            return {name: value for name, value in items if name != 'draws'}

        lines = [dataclasses.asdict(line, dict_factory=kept) for line in self.lines]
        return {'model': self.model, 'data': self.data, 'lines': _plain(lines)}


def evaluate(
    predictor: Predictor,
    rows: Sequence[Row],
    *,
    contexts: Sequence[Context] | None = None,
    distractor: Callable[[np.random.Generator, int], np.ndarray] | None = None,
    bands: bool = True,
    model: str = '',
    data: str = '',
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """
    Judge a predictor on labeled rows.

    contexts: to ask with, by default those of the predictor that the rows have; distances,
    distractors and bands are told for the last of them, the richest. distractor: draws an event
    of so many samples; None leaves that section out. Intervals are of 95 % by bootstrap over rooms.
    """
    rows = [row for row in rows if row.near is not None]
    if not rows:
        raise QuietNavError('no labeled rows to evaluate')
    contexts = tuple(contexts or heard_contexts(predictor.contexts, rows))
    say = progress or (lambda text: None)
    lines, kept = [], {}
    for context in contexts:
        say(f'context {context_name(context)}')
        found = predictor.predict(rows, context)
        kept[context_name(context)] = found
        lines.append(judge('context', context_name(context), rows, found, seed))
    lines += by_distance(rows, found, seed)
    if distractor is not None:
        for snr in SNRS_DB:
            say(f'distractors at {snr:g} dB')
            change = with_distractor(distractor, snr, seed)
            found = predictor.predict(rows, contexts[-1], change)
            lines.append(judge('distractor', f'{snr:g} dB', rows, found, seed))
    for low, high in BANDS_HZ if bands else ():
        say(f'band {low}-{high} Hz')
        found = predictor.predict(rows, contexts[-1], keep_band(low, high))
        lines.append(judge('band', f'{low}-{high} Hz', rows, found, seed))
    return Report(model, data, tuple(lines), kept)


def heard_contexts(contexts: Sequence[Context], rows: Sequence[Row]) -> tuple[Context, ...]:
    """Return the contexts that rows have: other ears only where several heard a place."""
    ears = {(row.folder, row.channel) for row in rows}
    several = len(ears) > len({folder for folder, _ in ears})
    return tuple(one for one in contexts if several or not one & Context.OTHER_EARS)


def judge(section: str, name: str, rows: Sequence[Row], found: Predictions, seed: int = 0) -> Line:
    """Return every figure of one condition."""
    near = np.array([bool(row.near) for row in rows])
    rooms = rooms_of(rows)
    p = np.clip(np.asarray(found.near, float), 0.0, 1.0)
    if not np.isfinite(found.near).all():
        raise QuietNavError(f'{section} {name}: probabilities that are not finite')
    if len(found.near) and (found.near.min() < 0.0 or found.near.max() > 1.0):
        said = f'{found.near.min():g} to {found.near.max():g}'
        raise QuietNavError(f'{section} {name}: probabilities of {said}, expected 0 to 1')
    line = Line(
        section,
        name,
        len(rows),
        len(set(rooms)),
        int(near.sum()),
        accuracy=estimate(metrics.accuracy(p, near), rooms, seed),
        calibration_error=estimate(metrics.expected_calibration_error(p, near), rooms, seed),
        mean_probability=estimate(metrics.mean(p), rooms, seed),
        nearer_side=nearer_side(rows, nearness(found), seed),
    )
    if 0 < near.sum() < len(near):
        ap = estimate(metrics.average_precision(p, near), rooms, seed)
        line = dataclasses.replace(line, ap=ap)
    if found.distance is not None:
        truth = np.array([row.distance_m for row in rows])
        close = truth <= WITHIN_M
        if close.any():
            error = np.abs(found.bins.medians_m(found.distance[close]) - truth[close])
            distance = estimate(metrics.median(error), rooms[close], seed)
            line = dataclasses.replace(line, median_distance_error_m=distance)
    return line


def by_distance(rows: Sequence[Row], found: Predictions, seed: int = 0) -> list[Line]:
    """Return a line for every range of true distance that has rows."""
    truth = np.array([row.distance_m for row in rows])
    lines = []
    for low, high in DISTANCES_M:
        inside = np.flatnonzero((truth >= low) & (truth < high))
        if not len(inside):
            continue
        told = None if found.distance is None else found.distance[inside]
        part = Predictions(found.near[inside], told, found.bins)
        name = f'{low:g}-{high:g} m' if math.isfinite(high) else f'over {low:g} m'
        lines.append(judge('distance', name, [rows[i] for i in inside], part, seed))
    return lines


def nearness(found: Predictions) -> np.ndarray:
    """Return scores that are higher for nearer walls: by mean distance where that is said."""
    if found.distance is None:
        return np.asarray(found.near, float)
    return -found.bins.means_m(found.distance)


def nearer_side(rows: Sequence[Row], p: np.ndarray, seed: int = 0) -> Estimate | None:
    """
    Return how often the nearer of left and right is named, where one is within 1 m.

    p: shape (N,), the higher the nearer.
    """
    places: dict[object, dict[Side, int]] = defaultdict(dict)
    for i, row in enumerate(rows):
        if row.side in (Side.LEFT, Side.RIGHT):
            places[row.audio][row.side] = i
    right, rooms = [], []
    for ears in places.values():
        if len(ears) < 2:
            continue
        left_row, right_row = ears[Side.LEFT], ears[Side.RIGHT]
        gap = rows[right_row].distance_m - rows[left_row].distance_m
        if min(rows[left_row].distance_m, rows[right_row].distance_m) > WITHIN_M or gap == 0:
            continue
        said = p[left_row] - p[right_row]
        right.append(0.5 if said == 0 else float((said > 0) == (gap > 0)))
        rooms.append(rows[left_row].room)
    if not right:
        return None
    return estimate(metrics.mean(np.array(right)), np.array(rooms), seed)


def with_distractor(
    draw: Callable[[np.random.Generator, int], np.ndarray], snr_db: float, seed: int
) -> Change:
    """Return a change that mixes an event in, the same one for the same recording."""
    from quiet_nav.learning.augment import mix_at_snr

    def change(samples: np.ndarray, row: Row) -> np.ndarray:
        key = f'{row.room}/{row.audio.parent.name}/{row.start_s}'
        rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
        return mix_at_snr(samples, draw(rng, len(samples)), snr_db)

    return change


def keep_band(low_hz: float, high_hz: float) -> Change:
    """Return a change that leaves the frequencies from low to high alone, and none beside."""

    def change(samples: np.ndarray, _row: Row) -> np.ndarray:
        spectrum = np.fft.rfft(samples)
        hz = np.fft.rfftfreq(len(samples), 1.0 / SAMPLE_RATE)
        spectrum[(hz < low_hz) | (hz >= high_hz)] = 0.0
        return np.fft.irfft(spectrum, len(samples)).astype(np.float32)

    return change


def context_name(context: Context) -> str:
    """Return 'alone', 'reference', 'other ears' or 'reference + other ears'."""
    names = {Context.REFERENCE: 'reference', Context.OTHER_EARS: 'other ears'}
    return ' + '.join(name for flag, name in names.items() if context & flag) or 'alone'


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
