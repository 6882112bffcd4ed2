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

"""Distance with something known of the room: a reference sound and how far the wall was there."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from quiet_nav.quiet_campus.lists import Row
from quiet_nav.study.tasks.data import LEAST_DIFFERENCE_M, TaskData
from quiet_nav.study.tasks.heads import EMBEDDING
from quiet_nav.study.tasks.single import Distance, FARTHEST_M, scaled_distance
from quiet_nav.study.tasks.task import Example

REFERENCE = 'reference'


class ConditionalDistance(Distance):
    """
    As ``distance``, the feature of a reference and the embedding of its distance added (A.8).

    The reference is another place of the room (motion: moment of the recording), at another
    distance; in training another is drawn every time.
    """

    NAME = 'conditional-distance'
    VIEWS = 2
    needs = ', each with two places of different distances'

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self._others: dict[str, list[Row]] = {}

    def listed(self, data: TaskData, split: str, seed: int) -> list[Example]:
        rng = np.random.default_rng([seed, len(split)])
        places = data.places(split)
        found = []
        for row in data.rows(split):
            others = self._other(row, places.get(row.room, []))
            if others:
                found.append(self.pair(row, others[int(rng.integers(len(others)))]))
        if split == 'train':
            self._others = places
        return found

    def draw(self, example: Example, data: TaskData, rng: np.random.Generator) -> Example:
        row = (example.sounds or example.images)[0]
        others = self._other(row, self._others[row.room])
        return self.pair(row, others[int(rng.integers(len(others)))])

    def pair(self, row: Row, reference: Row) -> Example:
        """Return the example of a place with its reference."""
        return Example(
            row.room,
            target=self.target(row),
            known={REFERENCE: float(scaled_distance(reference.distance_m))},
            extra={
                'distance_m': row.distance_m,
                'reference_m': min(reference.distance_m, FARTHEST_M),
            },
            **self.places(row, reference),
        )

    def _other(self, row: Row, places: list[Row]) -> list[Row]:
        return [
            place
            for place in places
            if abs(place.distance_m - row.distance_m) >= LEAST_DIFFERENCE_M
        ]

    def head(self, modalities: int) -> nn.Module:
        return Added(self.outputs)


class Added(nn.Module):
    """Feature of the place, of the reference, and of the reference's distance, added."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.reference = nn.Linear(EMBEDDING, EMBEDDING)
        self.distance = nn.Sequential(
            nn.Linear(1, EMBEDDING), nn.ReLU(), nn.Linear(EMBEDDING, EMBEDDING)
        )
        self.out = nn.Sequential(
            nn.ReLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.ReLU(), nn.Linear(EMBEDDING, outputs)
        )

    def forward(
        self, views: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        feature = self.distance(batch[REFERENCE][:, None])
        for view in views.values():
            feature = feature + view[:, 0] + self.reference(view[:, 1])
        return self.out(feature)
