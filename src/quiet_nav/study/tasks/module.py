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

"""The Lightning module of every task: loss and validation as the task says."""

from __future__ import annotations

import lightning
import torch
from torch import nn
from torchmetrics import MeanAbsoluteError, MeanMetric, Metric
from torchmetrics.classification import BinaryAveragePrecision

from quiet_nav.learning.module import optimizers
from quiet_nav.learning.recipe import Recipe, recipe_to_dict
from quiet_nav.study.tasks.task import Task

#: By kind of task: name of the validation figure, and whether more or less of it is better.
MONITORS = {
    'binary': ('val/ap', 'max'),
    'multiclass': ('val/accuracy', 'max'),
    'regression': ('val/mae', 'min'),
    'ratio': ('val/mae', 'min'),
}


class TaskModule(lightning.LightningModule):
    """Trains a ``TaskNetwork``; the checkpoint keeps recipe and task."""

    def __init__(self, network: nn.Module, task: Task, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.task, self.recipe = network, task, recipe
        self.save_hyperparameters({'recipe': recipe_to_dict(recipe), 'task': task.described()})
        self.monitor, _ = MONITORS[task.KIND]
        self.figure: Metric = {
            'val/ap': BinaryAveragePrecision,
            'val/accuracy': MeanMetric,
            'val/mae': MeanAbsoluteError,
        }[self.monitor]()

    def training_step(self, batch: dict[str, torch.Tensor], _index: int) -> torch.Tensor:
        loss = self.task.loss(self.network(batch).float(), batch)
        self.log('train/loss', loss, prog_bar=True, batch_size=len(batch['target']))
        return loss

    def validation_step(self, batch: dict[str, torch.Tensor], _index: int) -> None:
        output = self.network(batch).float()
        said, truth = self.task.judged(output, batch)
        if self.monitor == 'val/ap':
            self.figure.update(said, truth.long())
        elif self.monitor == 'val/accuracy':
            self.figure.update((said == truth).float())
        else:
            self.figure.update(said, truth)
        loss = self.task.loss(output, batch)
        self.log('val/loss', loss, batch_size=len(batch['target']), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking:
            self.log(self.monitor, self.figure.compute(), prog_bar=True, sync_dist=True)
        self.figure.reset()

    def configure_optimizers(self) -> dict[str, object]:
        return optimizers(self.network, self.recipe.optim, self.trainer)
