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

"""The camera image with the near-wall probability drawn into it (paper, Fig. 5); NumPy alone."""

from __future__ import annotations

from collections import deque
from functools import cache
import math
from typing import Any

import numpy as np

from quiet_nav.geometry import Side
from quiet_nav.perception.display.display import colors, is_near, label, NEAR_PROBABILITY
from quiet_nav.perception.readings import NEAR_WALL_M, NearWallReading

#: Border where the depth camera says how far the wall ahead is: blue where the newest reading of
#: the front agrees, red where it does not (red, green, blue).
RIGHT_COLOR, WRONG_COLOR = (0, 114, 178), (214, 39, 40)
#: ... and where nothing does: orange while a wall is near by the newest readings, else green.
NEAR_COLOR, CLEAR_COLOR = (230, 159, 0), (0, 158, 115)
#: What the depth camera saw counts for a reading whose window ended so little before or after.
TRUTH_WITHIN_S = 1.0
#: Strips from top to bottom.
ORDER = (Side.FRONT, Side.LEFT, Side.RIGHT, Side.BACK)
#: A row is this share of the image: an image of 480 rows that is shown 270 high, as RViz does, has
#: letters of 12 pixels.
_ROW_SHARE = 12
#: In rows: the text before a strip, and the legend's text before its bar.
_TEXT_ROWS, _LEGEND_ROWS = 5.4, 6.1
#: Rows lower than this hold no letters that can be read.
_LEAST_TEXT_PX = 10
#: Height and width of the image whose rows are drawn where there is none.
_ALONE = (480, 640)
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


class ProbabilityStrip:
    """
    The last probabilities of every side, one column a reading, the newest at the right.

    length: readings kept a side. threshold: from this probability on a wall counts as near.
    camera: the side that the depth camera looks to.
    """

    def __init__(
        self,
        length: int = 120,
        threshold: float = NEAR_PROBABILITY,
        camera: Side = Side.FRONT,
    ) -> None:
        self._length, self._threshold, self._camera = length, threshold, camera
        self._seen: tuple[float, int] | None = None
        self._said: dict[Side, deque[float]] = {}
        self._ends: dict[Side, deque[int]] = {}
        self.newest: dict[Side, NearWallReading] = {}

    @property
    def sides(self) -> tuple[Side, ...]:
        """Return the sides heard so far, from the top strip to the bottom one."""
        return tuple(side for side in ORDER if side in self.newest)

    @property
    def near(self) -> bool:
        """Whether the newest reading of any side says that a wall is near."""
        return any(is_near(reading, self._threshold) for reading in self.newest.values())

    @property
    def right(self) -> bool | None:
        """
        Whether the newest reading of the camera's side agrees with what the depth camera saw.

        None where there is no valid reading of it, or no distance of about the same time.
        """
        reading = self.newest.get(self._camera)
        if reading is None or not reading.valid or self._seen is None:
            return None
        distance_m, time_ns = self._seen
        if abs(time_ns - reading.end_ns) > TRUTH_WITHIN_S * 1e9:
            return None
        return is_near(reading, self._threshold) == (distance_m <= NEAR_WALL_M)

    @property
    def covered_s(self) -> float:
        """Time from the oldest reading that is kept to the newest, in seconds."""
        ends = [(kept[0], kept[-1]) for kept in self._ends.values()]
        return max((newest - oldest for oldest, newest in ends), default=0) / 1e9

    def add(self, reading: NearWallReading) -> None:
        """Take a reading; one that is not valid becomes a gray column."""
        said = self._said.setdefault(reading.side, deque(maxlen=self._length))
        said.append(reading.probability if reading.valid else np.nan)
        self._ends.setdefault(reading.side, deque(maxlen=self._length)).append(reading.end_ns)
        self.newest[reading.side] = reading

    def saw(self, distance_m: float, time_ns: int) -> None:
        """Take the distance of the wall ahead by the depth camera; infinite: none in its range."""
        self._seen = None if math.isnan(distance_m) else (distance_m, time_ns)

    def row_height(self, image_height: int) -> int:
        """Return the height of one side's strip in an image so high, in pixels."""
        return max(image_height // _ROW_SHARE, 4)

    def draw(self, image: np.ndarray) -> np.ndarray:
        """
        Return a copy of an image (h, w, 3), red, green, blue of uint8, with strips and border.

        At the bottom a row for each side: its number, then its strip, in which columns that no
        reading has filled yet are black. Below them what the colors mean.
        """
        return self._draw(np.array(image, np.uint8), self.row_height(len(image)))

    def alone(self) -> np.ndarray:
        """Return the same rows without an image, (h, 640, 3), red, green, blue of uint8."""
        row = self.row_height(_ALONE[0])
        return self._draw(np.zeros(((len(self.sides) + 1) * row, _ALONE[1], 3), np.uint8), row)

    def _draw(self, drawn: np.ndarray, row: int) -> np.ndarray:
        height, width = drawn.shape[:2]
        sides = self.sides
        texts: list[tuple[str, tuple[int, int]]] = []
        if sides:
            top = height - (len(sides) + 1) * row
            drawn[max(top, 0) :] = _BLACK
            begin = min(round(_TEXT_ROWS * row), width // 2)
            for i, side in enumerate(sides):
                at = top + i * row
                self._fill(drawn[max(at, 0) : max(at + row - 1, 0), begin:], side)
                reading = self.newest[side]
                said = label(reading) if reading.valid else '-'
                texts.append((f'{side.name.lower()} {said}', (row // 3, at)))
            texts += self._legend(drawn, row)
        border = self._border()
        if border is not None:
            edge = max(min(height, width) // 60, 2)
            for part in (drawn[:edge], drawn[-edge:], drawn[:, :edge], drawn[:, -edge:]):
                part[:] = border
        return _written(drawn, texts, row)

    def _border(self) -> tuple[int, int, int] | None:
        """Return the color of the border, None where no side has a valid reading."""
        right = self.right
        if right is not None:
            return RIGHT_COLOR if right else WRONG_COLOR
        if not any(reading.valid for reading in self.newest.values()):
            return None
        return NEAR_COLOR if self.near else CLEAR_COLOR

    def _fill(self, strip: np.ndarray, side: Side) -> None:
        said = np.array(self._said[side])
        columns = np.zeros((self._length, 3))
        columns[self._length - len(said) :] = colors(said)
        width = strip.shape[1]
        strip[:] = np.round(255.0 * columns[np.arange(width) * self._length // max(width, 1)])

    def _legend(self, drawn: np.ndarray, row: int) -> list[tuple[str, tuple[int, int]]]:
        """Draw the bar of colors into the lowest row; return the texts about it."""
        height, width = drawn.shape[:2]
        top, begin = height - row, min(round(_LEGEND_ROWS * row), width // 2)
        end = min(begin + 3 * row, width)
        bar = np.round(255.0 * colors(np.linspace(0.0, 1.0, max(end - begin, 0))))
        drawn[top + row // 4 : top + 3 * row // 4, begin:end] = bar
        return [
            ('P(wall < 0.5 m)  0', (row // 3, top)),
            ('1', (end + row // 4, top)),
            (f'last {self.covered_s:.0f} s', (end + 3 * row // 2, top)),
        ]


def _written(image: np.ndarray, texts: list[tuple[str, tuple[int, int]]], row: int) -> np.ndarray:
    """Return an image with white texts, each (left, top) of a row so high."""
    if row < _LEAST_TEXT_PX or not texts:
        return image
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    for text, (left, top) in texts:
        pen.text((left, top + row // 2), text, fill=_WHITE, font=_font(row), anchor='lm')
    return np.asarray(picture)


@cache
def _font(row: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(0.72 * row)
