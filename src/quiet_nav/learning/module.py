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

"""The Lightning module of near-wall training: loss, optimizer, schedule and validation figures."""

from __future__ import annotations

import lightning
import torch
from torch import nn
from torch.nn import functional
from torchmetrics.classification import BinaryAccuracy, BinaryAveragePrecision

from quiet_nav.learning.checkpoints import hold_folded
from quiet_nav.learning.detectors.vggish.network import Logits
from quiet_nav.learning.recipe import MONITOR, OptimRecipe, Recipe, recipe_to_dict
from quiet_nav.learning.row_dataset import UNKNOWN_BIN


class NearWallModule(lightning.LightningModule):
    """Trains any network with ``from_batch(batch) -> Logits``, shapes (N,) and (N, bins)."""

    def __init__(self, network: nn.Module, recipe: Recipe, positive_weight: float) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.positive_weight = recipe.optim.positive_weight or positive_weight
        self.save_hyperparameters(
            {'recipe': recipe_to_dict(recipe), 'positive_weight': self.positive_weight}
        )
        self.ap = BinaryAveragePrecision()
        self.accuracy = BinaryAccuracy()

    def on_train_epoch_start(self) -> None:
        hold_folded(self.network)

    def training_step(self, batch: dict[str, torch.Tensor], _index: int) -> torch.Tensor:
        loss = self.loss(self.network.from_batch(batch), batch)
        self.log('train/loss', loss, prog_bar=True, batch_size=len(batch['near']))
        return loss

    def validation_step(self, batch: dict[str, torch.Tensor], _index: int) -> None:
        logits = self.network.from_batch(batch)
        size = len(batch['near'])
        target = (batch['near'] > 0.5).long()
        self.ap.update(logits.near, target)
        self.accuracy.update(logits.near, target)
        self.log('val/loss', self.loss(logits, batch), batch_size=size, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        if self.trainer.sanity_checking:
            self.ap.reset()
            self.accuracy.reset()
            return
        self.log(MONITOR, self.ap.compute(), prog_bar=True, sync_dist=True)
        self.log('val/accuracy', self.accuracy.compute(), prog_bar=True, sync_dist=True)
        self.ap.reset()
        self.accuracy.reset()

    def loss(self, logits: Logits, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return weighted binary cross-entropy plus weighted cross-entropy of known distances."""
        weight = logits.near.new_tensor(self.positive_weight)
        loss = functional.binary_cross_entropy_with_logits(
            logits.near, batch['near'], pos_weight=weight
        )
        known = batch['distance_bin'] != UNKNOWN_BIN
        if logits.distance.shape[-1] and bool(known.any()):
            bins = batch['distance_bin'][known]
            distance = functional.cross_entropy(logits.distance[known], bins)
            loss = loss + self.recipe.optim.distance_weight * distance
        return loss

    def configure_optimizers(self) -> dict[str, object]:
        return optimizers(self.network, self.recipe.optim, self.trainer)


def optimizers(
    network: nn.Module, optim: OptimRecipe, trainer: lightning.Trainer
) -> dict[str, object]:
    """
    Return what ``configure_optimizers`` gives Lightning: optimizer and schedule of a recipe.

    one-cycle: the rate rises to the recipe's over a quarter of the steps of all its epochs, and
    falls to nearly nothing.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    if optim.name == 'sgd':
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            parameters, optim.learning_rate, optim.momentum, weight_decay=optim.weight_decay
        )
    else:
        optimizer = torch.optim.AdamW(
            parameters, optim.learning_rate, weight_decay=optim.weight_decay
        )
    if optim.schedule == 'constant':
        return {'optimizer': optimizer}
    if optim.schedule == 'one-cycle':
        # Fewer epochs than the recipe's may be trained at a time.
        steps = int(trainer.estimated_stepping_batches) // int(trainer.max_epochs) * optim.epochs
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, optim.learning_rate, total_steps=max(steps, 4), pct_start=0.25
        )
        return {'optimizer': optimizer, 'lr_scheduler': {'scheduler': cycle, 'interval': 'step'}}
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, optim.epochs)
    return {'optimizer': optimizer, 'lr_scheduler': {'scheduler': schedule}}
