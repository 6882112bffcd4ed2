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

"""Examples of a task as a PyTorch data set: drawn by (seed, epoch, index) alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from quiet_nav.learning.recipe import Recipe
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.networks import FEATURES, TaskNetwork
from quiet_nav.study.tasks.options import TaskOptions
from quiet_nav.study.tasks.task import Example, Task
from quiet_nav.study.tasks.views import Views


class TaskDataset(Dataset):
    """
    Dicts of ``audio`` (V, 96, 64), ``image`` (V, 3, h, w), ``target``, ``index`` and more.

    What the task knows beside goes in, too. Items are asked for as (epoch, index), as in
    ``clips.ClipDataset``.
    """

    def __init__(
        self,
        task: Task,
        examples: Sequence[Example],
        data: TaskData,
        recipe: Recipe,
        training: bool,
    ) -> None:
        options = TaskOptions.of(recipe)
        self.task, self.examples, self.data = task, examples, data
        self.training, self.seed = training, recipe.seed
        self.views = Views(recipe, training, levels=task.levels)
        self.targets = task.encoded(np.array([e.target for e in examples], float))
        most = options.examples if training else options.val_examples
        repeat = recipe.data.repeat if training else 1
        self.length = min(len(examples) * repeat, most or len(examples) * repeat)
        self.orders: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, item: tuple[int, int] | int) -> dict[str, torch.Tensor]:
        epoch, index = item if isinstance(item, tuple) else (0, item)
        number = self.chosen(epoch)[index]
        example = self.examples[number]
        rng = np.random.default_rng([self.seed, epoch, index])
        target = self.targets[number]
        if self.training:
            drawn = self.task.draw(example, self.data, rng)
            if drawn is not example:
                example = drawn
                target = self.task.encoded(np.array([example.target], float))[0]
        return {
            **self.inputs(example, rng),
            **{k: torch.tensor(v, dtype=torch.float32) for k, v in example.known.items()},
            'target': torch.tensor(target, dtype=torch.float32),
            'index': torch.tensor(int(number)),
        }

    def inputs(self, example: Example, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Return the views of an example."""
        found = {}
        if example.sounds:
            found['audio'] = self.views.sounds(example.sounds, rng)
        if example.images:
            found['image'] = self.views.seen(example.images, rng)
        return found

    def chosen(self, epoch: int) -> np.ndarray:
        """
        Return the numbers of the examples that an epoch has, shape (len,).

        All in turn where they fit; of more, as many drawn anew every epoch (validation: once).
        """
        if epoch not in self.orders:
            count = len(self.examples)
            if self.length >= count:
                order = np.arange(self.length) % count
            else:
                rng = np.random.default_rng([self.seed, epoch if self.training else 0, count])
                order = rng.permutation(count)[: self.length]
            self.orders = {epoch: order}
        return self.orders[epoch]


class FeatureDataset(TaskDataset):
    """The same examples as a frozen network's mean features: each view is encoded once."""

    def __init__(self, *args: object, network: TaskNetwork) -> None:
        super().__init__(*args)
        self.network = network.eval()
        self.known: dict[tuple[object, ...], torch.Tensor] = {}

    def inputs(self, example: Example, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        found = {}
        if example.sounds:
            starts = [self.views.start_s(row, rng) for row in example.sounds]
            found['audio' + FEATURES] = torch.stack(
                [self._sound(row, s) for row, s in zip(example.sounds, starts, strict=True)]
            )
        if example.images:
            found['image' + FEATURES] = torch.stack([self._image(row) for row in example.images])
        return found

    def _sound(self, row: Row, start_s: float) -> torch.Tensor:
        key = (row.audio, row.channel, round(start_s, 4))
        if key not in self.known:
            views = torch.from_numpy(self.views.plain(row, start_s)[None])
            self.known[key] = self.network.encode('audio', views)[0]
        return self.known[key]

    def _image(self, row: Row) -> torch.Tensor:
        if (row.image,) not in self.known:
            views = self.views.seen((row,), np.random.default_rng(0))
            self.known[(row.image,)] = self.network.encode('image', views)[0]
        return self.known[(row.image,)]
