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

"""Tasks of one place: is a wall near, and how far is it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.options import TaskOptions
from quiet_nav.study.tasks.task import Example, Task
from quiet_nav.study.tasks.valued import clustered, Valued
from quiet_nav.study.tasks.views import Views

#: Farther counts as so far (the authors' ``depth_max``).
FARTHEST_M = 3.0766138931115465


class Placed(Task):
    """A task with an example a row of the near-wall lists."""

    def listed(self, data: TaskData, split: str, seed: int) -> list[Example]:
        return [
            Example(
                row.room,
                target=self.target(row),
                extra={'distance_m': row.distance_m},
                **self.places(row),
            )
            for row in data.rows(split)
        ]

    @abstractmethod
    def target(self, row: Row) -> float:
        """Return the answer of a row, in the task's unit."""


class NearWall(Placed):
    """Is a wall within 0.5 m (the lists' label)? Section 3; Tables 1 and 2."""

    NAME = 'near-wall'

    def target(self, row: Row) -> float:
        return float(bool(row.near))

    def learn(self, train: Sequence[Example], options: TaskOptions, views: Views) -> None:
        positives = sum(example.target for example in train)
        if positives in (0, len(train)):
            raise QuietNavError(
                f'task {self.NAME}: {positives:.0f} of {len(train)} training rows are near a wall: '
                'both classes are needed'
            )
        self.state['positive_weight'] = (len(train) - positives) / positives


class Distance(Valued, Placed):
    """
    How far is the wall ahead, up to 3.08 m; regression scales that to [-0.5, 0.5].

    Bins have as many training places each: k-means puts all that are near a wall, half of them,
    into one, and whoever always says that one is hard to beat.
    """

    NAME = 'distance'

    def target(self, row: Row) -> float:
        return min(row.distance_m, FARTHEST_M)

    def centers(self, values: np.ndarray, count: int) -> list[float]:
        # Where few distances occur often, quantiles are alike.
        shares = (np.arange(count) + 0.5) / count
        found = np.unique(np.quantile(values, shares, method='nearest'))
        return found.tolist() if len(found) == count else clustered(values, count)

    def scaled(self, value: np.ndarray) -> np.ndarray:
        return scaled_distance(value)

    def unscaled(self, value: np.ndarray) -> np.ndarray:
        return unscaled_distance(value)


def scaled_distance(distance_m: np.ndarray) -> np.ndarray:
    """Return distances up to FARTHEST_M scaled to [-0.5, 0.5], as the authors scale them."""
    return np.clip(distance_m, 0.0, FARTHEST_M) / FARTHEST_M - 0.5


def unscaled_distance(scaled: np.ndarray) -> np.ndarray:
    """Return distances from scaled ones, kept between 0 and FARTHEST_M."""
    return np.clip(scaled + 0.5, 0.0, 1.0) * FARTHEST_M
