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

import numpy as np

from quiet_nav.geometry import Side
from quiet_nav.perception.display.display import colours, is_near, NEAR_PROBABILITY
from quiet_nav.perception.readings import NearWallReading

#: Border of an image with a near wall: blue of Okabe and Ito's colors, red, green, blue.
NEAR_COLOUR = (0, 114, 178)
#: Strips from top to bottom.
ORDER = (Side.FRONT, Side.LEFT, Side.RIGHT, Side.BACK)


class ProbabilityStrip:
    """
    The last probabilities of every side, one column a reading, the newest at the right.

    length: readings kept a side. threshold: from this probability on the border is drawn.
    """

    def __init__(self, length: int = 120, threshold: float = NEAR_PROBABILITY) -> None:
        self._length, self._threshold = length, threshold
        self._said: dict[Side, deque[float]] = {}
        self.newest: dict[Side, NearWallReading] = {}

    @property
    def sides(self) -> tuple[Side, ...]:
        """Return the sides heard so far, from the top strip to the bottom one."""
        return tuple(side for side in ORDER if side in self.newest)

    @property
    def near(self) -> bool:
        """Whether the newest reading of any side says that a wall is near."""
        return any(is_near(reading, self._threshold) for reading in self.newest.values())

    def add(self, reading: NearWallReading) -> None:
        """Take a reading; one that is not valid becomes a gray column."""
        said = self._said.setdefault(reading.side, deque(maxlen=self._length))
        said.append(reading.probability if reading.valid else np.nan)
        self.newest[reading.side] = reading

    def row_height(self, image_height: int) -> int:
        """Return the height of one side's strip in an image so high, in pixels."""
        return max(image_height // 16, 4)

    def draw(self, image: np.ndarray) -> np.ndarray:
        """
        Return a copy of an image (h, w, 3), red, green, blue of uint8, with strips and border.

        Strips lie at the bottom, a side each; columns that no reading has filled yet are black.
        """
        drawn = np.array(image, np.uint8)
        height, width = drawn.shape[:2]
        row = self.row_height(height)
        for i, side in enumerate(reversed(self.sides)):
            said = np.array(self._said[side])
            strip = np.zeros((self._length, 3))
            strip[self._length - len(said) :] = colours(said)
            columns = np.arange(width) * self._length // width
            bottom = height - i * row
            drawn[max(bottom - row, 0) : bottom] = np.round(255.0 * strip[columns])
        if self.near:
            edge = max(min(height, width) // 60, 2)
            for part in (drawn[:edge], drawn[-edge:], drawn[:, :edge], drawn[:, -edge:]):
                part[:] = NEAR_COLOUR
        return drawn
