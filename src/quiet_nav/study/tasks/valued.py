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

"""Tasks whose answer is a value, learned by regression or by classification into bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.study.predictions import Kind
from quiet_nav.study.tasks.options import TaskOptions
from quiet_nav.study.tasks.task import Example, softmax, Task
from quiet_nav.study.tasks.views import Views


class Valued(Task):
    """
    regression: L1 loss on ``scaled`` values. classification: into bins of the training values.

    Bins are numbered in the order of their values and found by k-means (the paper's, for ratios)
    unless a task says otherwise.
    """

    VARIANTS = ('regression', 'classification')
    #: Kind of the predictions of a regression.
    VALUE: ClassVar[Kind] = 'regression'

    def __init__(
        self, variant: str = '', inputs: str = 'audio', state: dict[str, Any] | None = None
    ) -> None:
        super().__init__(variant, inputs, state)
        self.KIND = self.VALUE if variant == 'regression' else 'multiclass'

    @property
    def outputs(self) -> int:
        return 1 if self.variant == 'regression' else len(self.state['centers'])

    def learn(self, train: Sequence[Example], options: TaskOptions, views: Views) -> None:
        if self.variant == 'classification':
            values = np.array([example.target for example in train])
            different = len(np.unique(values))
            if different < options.bins:
                raise QuietNavError(
                    f'task {self.NAME}: {different} different values to train on, fewer than '
                    f'{options.bins} bins; record more places or set the option bins lower'
                )
            self.state['centers'] = self.centers(values, options.bins)

    def centers(self, values: np.ndarray, count: int) -> list[float]:
        """Return the ascending centers of bins of the training values (N,)."""
        return clustered(values, count)

    def scaled(self, value: np.ndarray) -> np.ndarray:
        """Return values as regression learns them."""
        return value

    def unscaled(self, value: np.ndarray) -> np.ndarray:
        """Return what regression says in the task's unit."""
        return value

    def encoded(self, target: np.ndarray) -> np.ndarray:
        if self.variant == 'regression':
            return self.scaled(target)
        return bin_numbers(target, self.state['centers'])

    def truth(self, target: np.ndarray) -> np.ndarray:
        return target if self.variant == 'regression' else self.encoded(target)

    def answers(self, output: np.ndarray, examples: Sequence[Example]) -> np.ndarray:
        if self.variant == 'regression':
            return self.unscaled(output[:, 0].astype(float))
        return softmax(output)


def clustered(values: np.ndarray, count: int) -> list[float]:
    """Return the ascending centers of ``count`` clusters (k-means) of values (N,)."""
    from sklearn.cluster import KMeans

    found = KMeans(count, n_init=4, random_state=0).fit(np.asarray(values)[:, None])
    return sorted(float(center) for center in found.cluster_centers_[:, 0])


def bin_numbers(values: np.ndarray, centers: Sequence[float]) -> np.ndarray:
    """Return the number of the center that each value is nearest to, (N,), from 0 on."""
    edges = np.add(centers[:-1], centers[1:]) / 2.0
    return np.searchsorted(edges, values)
