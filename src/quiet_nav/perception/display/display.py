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

"""How a near-wall reading is shown, as plain numbers: color, fan, label, and range for Nav2."""

from __future__ import annotations

from dataclasses import dataclass
import itertools
import math

import numpy as np

from quiet_nav.geometry import Side
from quiet_nav.perception.readings import NEAR_WALL_M, NearWallReading

#: From this probability on a wall counts as near where one has to decide.
NEAR_PROBABILITY = 0.5
#: What ``NearWallRange`` says where no wall is near, in meters.
CLEAR_RANGE_M = 1.0
#: Width of the cone that a range is meant for: a wall is flat, an ear hears more than one point.
RANGE_FIELD_OF_VIEW_RAD = math.radians(30.0)

#: So long a fan stays without news, in seconds: what is not renewed must not look alive.
FAN_LIFETIME_S = 3.0
#: A fan left behind is as many sheets on each other; as one after the other expires, it fades.
TRACE_SHEETS_S = (20.0, 120.0, 600.0)
_SHEET_ALPHA = 0.2
#: Fans left behind a side; the oldest gives way.
TRACE_LENGTH = 30

#: The color map of probabilities wherever they are drawn, by Matplotlib's name: perceptually even
#: and safe for every color vision.
PROBABILITY_MAP = 'viridis'
#: The same, evenly spaced from 0 to 1: a table, so that a robot draws without Matplotlib.
_VIRIDIS = (
    '440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c '
    '1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725'
)
_TABLE = np.array([list(bytes.fromhex(code)) for code in _VIRIDIS.split()]) / 255.0
_UNKNOWN = (0.55, 0.55, 0.55)
_DIMMED = 0.35


def colors(probability: np.ndarray) -> np.ndarray:
    """
    Return red, green and blue from 0 to 1, shape (..., 3), of probabilities (...).

    ``PROBABILITY_MAP`` to 0.03 a channel; gray where the probability is NaN.
    """
    p = np.asarray(probability, float)
    known = np.isfinite(p)
    at = np.where(known, p, 0.0)
    places = np.linspace(0.0, 1.0, len(_TABLE))
    rgb = np.stack([np.interp(at, places, channel) for channel in _TABLE.T], axis=-1)
    return np.where(known[..., None], rgb, _UNKNOWN)


@dataclass(frozen=True)
class Fan:
    """
    A reading as a sector in its ear's frame: apex at the ear, x axis toward the side.

    triangles: corners in meters, three a triangle, counter-clockwise. color: red, green, blue.
    label stands at ``label_at``. A reading that is not valid is gray, dimmed and says why.
    """

    triangles: tuple[tuple[float, float], ...]
    color: tuple[float, float, float]
    alpha: float
    label: str
    label_at: tuple[float, float]


def fan(reading: NearWallReading, opening_rad: float = math.pi / 3.0, segments: int = 8) -> Fan:
    """Return the fan of a reading, 0.1 m long at P = 0 and 0.5 m, as far as near is, at P = 1."""
    p = reading.probability if reading.valid else math.nan
    radius = 0.1 + (NEAR_WALL_M - 0.1) * (p if reading.valid else 0.25)
    angles = np.linspace(-opening_rad / 2.0, opening_rad / 2.0, segments + 1)
    rim = [(radius * math.cos(a), radius * math.sin(a)) for a in angles]
    corners = [corner for a, b in itertools.pairwise(rim) for corner in ((0.0, 0.0), a, b)]
    red, green, blue = map(float, colors(np.array(p)))
    return Fan(
        tuple(corners),
        (red, green, blue),
        0.9 if reading.valid else _DIMMED,
        label(reading),
        (radius + 0.12, 0.0),
    )


def label(reading: NearWallReading) -> str:
    """Return the text beside a reading: its probability, or why there is none."""
    return f'{reading.probability:.2f}' if reading.valid else f'not valid: {reading.reason}'


def caption(reading: NearWallReading) -> str:
    """Return the label, with the sound that the reading lives by where that is known."""
    text = label(reading)
    return f'{text}, {reading.hears_by}' if reading.valid and reading.hears_by else text


@dataclass(frozen=True)
class Sheet:
    """One layer of a fan left behind: its number, height over the floor in meters and lifetime."""

    number: int
    z: float
    alpha: float
    lifetime_s: float


class Trace:
    """
    The fans that a robot leaves behind: one for each window that shares no sound with the last.

    Windows overlap: those that share sound with the one left behind last replace its fan. Numbers
    go round after ``TRACE_LENGTH`` fans a side; nothing else is kept.
    """

    def __init__(self) -> None:
        self._newest: dict[Side, tuple[int, int, int]] = {}

    def __len__(self) -> int:
        """Sides that something is kept of."""
        return len(self._newest)

    def leave(self, reading: NearWallReading) -> tuple[Sheet, ...]:
        """Return the sheets of a reading's fan, the one that goes first on top."""
        number, start_ns, end_ns = self._newest.get(reading.side, (-1, 0, 0))
        if reading.start_ns >= end_ns or reading.end_ns <= start_ns:
            number = (number + 1) % TRACE_LENGTH
            self._newest[reading.side] = (number, reading.start_ns, reading.end_ns)
        count = len(TRACE_SHEETS_S)
        return tuple(
            Sheet(number * count + i, 0.01 + 0.002 * (count - i), _SHEET_ALPHA, lifetime_s)
            for i, lifetime_s in enumerate(TRACE_SHEETS_S)
        )


def is_near(reading: NearWallReading, threshold: float = NEAR_PROBABILITY) -> bool:
    """Return whether a reading says that a wall is near; one that is not valid never does."""
    return reading.valid and reading.probability >= threshold


def range_m(
    reading: NearWallReading, still: bool | None, threshold: float = NEAR_PROBABILITY
) -> float | None:
    """
    Return the range that stands for a reading in meters, None where nothing may be said.

    0.5 m where a wall is near and 1.0 m (the largest range) where it is not: finite values, which
    every consumer takes, where REP-117's infinities of a fixed-distance ranger are refused by some.
    Nothing of a reading that is not valid or whose window the robot moved in (``still`` False).
    """
    if not reading.valid or still is False:
        return None
    return NEAR_WALL_M if is_near(reading, threshold) else CLEAR_RANGE_M
