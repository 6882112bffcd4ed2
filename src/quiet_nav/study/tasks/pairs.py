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

"""Tasks of two places of one room, the network the same for both (Siamese)."""

from __future__ import annotations

from abc import abstractmethod
import dataclasses

import numpy as np

from quiet_nav.quiet_campus.lists import Row
from quiet_nav.study.tasks.data import LEAST_DIFFERENCE_M, MARGIN, TaskData
from quiet_nav.study.tasks.task import Example, Task
from quiet_nav.study.tasks.valued import Valued

#: Pairs that are listed of a motion recording to learn bins from, and draws that are tried.
_LISTED, _TRIES = 20, 200


class Paired(Task):
    """
    A task with an example a pair of the relative-depth lists.

    Pairs of motion recordings to train on are drawn as the authors draw them: 0.1 m apart or more,
    their clips a second apart or more, both orders alike often.
    """

    FAMILY = 'pair'
    VIEWS = 2
    needs = ', each with two places of different distances'

    def listed(self, data: TaskData, split: str, seed: int) -> list[Example]:
        if data.motion and split == 'train':
            rng = np.random.default_rng([seed, len(self.NAME)])
            return [
                self.pair(*pair)
                for recording in data.recordings(split)
                for _ in range(_LISTED)
                if (pair := drawn_pair(recording, data, rng))
            ]
        return [
            self.pair(pair.first, pair.second)
            for pair in data.pairs(split)
            if pair.first.distance_m != pair.second.distance_m
        ]

    def draw(self, example: Example, data: TaskData, rng: np.random.Generator) -> Example:
        if not data.motion:
            return example
        recording = dataclasses.replace((example.sounds or example.images)[0], frame=0)
        pair = drawn_pair(recording, data, rng)
        return self.pair(*pair) if pair else example

    def pair(self, first: Row, second: Row) -> Example:
        """Return the example of two places."""
        return Example(
            first.room,
            target=self.target(first.distance_m, second.distance_m),
            extra={
                'depth_difference_m': abs(first.distance_m - second.distance_m),
                'log_ratio': float(np.log(first.distance_m / second.distance_m)),
            },
            **self.places(first, second),
        )

    @abstractmethod
    def target(self, first_m: float, second_m: float) -> float:
        """Return the answer of a pair at these distances, in the task's unit."""


class Order(Paired):
    """Is the first nearer to the wall than the second? Section 4.2."""

    NAME = 'order'

    def target(self, first_m: float, second_m: float) -> float:
        return float(first_m < second_m)


class Ratio(Valued, Paired):
    """The natural logarithm of the first distance over the second."""

    NAME = 'ratio'
    VALUE = 'ratio'

    def target(self, first_m: float, second_m: float) -> float:
        return float(np.log(first_m / second_m))


def drawn_pair(recording: Row, data: TaskData, rng: np.random.Generator) -> tuple[Row, Row] | None:
    """Return two frames of a motion recording that a pair may have, None where there are none."""
    last = len(data.distances(recording)) - 2 * MARGIN
    if last <= MARGIN:
        return None
    nearer = bool(rng.integers(2))
    for _ in range(_TRIES):
        one, other = (int(f) for f in rng.integers(MARGIN, last + 1, 2))
        if abs(one - other) < MARGIN:
            continue
        first, second = data.at(recording, one), data.at(recording, other)
        if abs(first.distance_m - second.distance_m) >= LEAST_DIFFERENCE_M:
            return (first, second) if (first.distance_m < second.distance_m) == nearer else (
                second, first)  # fmt: skip
    return None
