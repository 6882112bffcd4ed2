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

"""Networks of the tasks: an encoder for sounds, one for images, and a head on what they give."""

from __future__ import annotations

import torch
from torch import nn

from quiet_nav.learning.detectors.resnet.images import normalize
from quiet_nav.learning.detectors.resnet.network import ImageTrunk
from quiet_nav.learning.detectors.vggish.network import LAYOUT, scaled, Vggish
from quiet_nav.learning.recipe import Recipe
from quiet_nav.study.tasks.heads import EMBEDDING
from quiet_nav.study.tasks.options import TaskOptions
from quiet_nav.study.tasks.task import Task

MODALITIES = ('audio', 'image')
#: Batch entries with mean features instead of the views themselves (probes) end so.
FEATURES = '_features'


class SoundEncoder(nn.Module):
    """VGGish: log-mels (N, 96, 64) to embeddings (N, 128) or to mean features (N, 512 * width)."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.trunk = Vggish(width)
        self.features = scaled(LAYOUT[-2], width)
        # By PyTorch's default three layers leave a hundredth of what differs between clips: narrow
        # networks then hardly begin to learn.
        for layer in self.trunk.embeddings:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
                nn.init.zeros_(layer.bias)

    def pooled(self, log_mel: torch.Tensor) -> torch.Tensor:
        return self.trunk.features(log_mel[:, None]).mean(dim=(2, 3))

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        return self.trunk(log_mel)


class ImageEncoder(nn.Module):
    """ResNet-18: uint8 images (N, 3, h, w) to embeddings (N, 128) or to mean features."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self.trunk = ImageTrunk(width)
        self.features = self.trunk.features
        self.embed = nn.Linear(self.features, EMBEDDING)

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self.trunk(normalize(images))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.embed(self.pooled(images))


class Linear(nn.Module):
    """A linear layer on standardized mean features (probes)."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer('mean', torch.zeros(features))
        self.register_buffer('scale', torch.ones(features))
        self.layer = nn.Linear(features, outputs)
        # As the authors begin it.
        nn.init.normal_(self.layer.weight, std=0.01)
        nn.init.zeros_(self.layer.bias)

    def standardize(self, features: torch.Tensor) -> None:
        """Take mean and spread from features of training examples, (N, features)."""
        self.mean.copy_(features.mean(0))
        self.scale.copy_(features.std(0).clamp_min(1e-3))

    def forward(
        self, views: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        found = torch.cat([views[name].flatten(1) for name in views], dim=-1)
        return self.layer((found - self.mean) / self.scale)


class TaskNetwork(nn.Module):
    """
    Encoders of what a task takes, and its head; ``forward(batch)`` gives (N, outputs).

    A batch has ``audio`` (N, V, 96, 64) log-mels and ``image`` (N, V, 3, h, w) uint8, as far as
    the task takes them.
    """

    def __init__(self, task: Task, recipe: Recipe) -> None:
        super().__init__()
        options = TaskOptions.of(recipe)
        self.probe = options.probe
        self.encoders = nn.ModuleDict()
        if task.hears:
            self.encoders['audio'] = SoundEncoder(recipe.network.width)
        if task.sees:
            self.encoders['image'] = ImageEncoder(options.image_width)
        if self.probe:
            features = sum(encoder.features for encoder in self.encoders.values())
            self.head: nn.Module = Linear(features * task.VIEWS, task.outputs)
            self.encoders.requires_grad_(False)
        else:
            self.head = task.head(len(self.encoders))
        # Twice as fast on CPUs with bfloat16, and no different in what it computes.
        self.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> TaskNetwork:
        super().train(mode)
        if self.probe:
            self.encoders.eval()
        return self

    def encode(self, name: str, views: torch.Tensor) -> torch.Tensor:
        """Return what the head takes of views of one modality, (N, ...) to (N, E)."""
        encoder = self.encoders[name]
        if not self.probe:
            return encoder(views)
        with torch.no_grad():
            return encoder.pooled(views)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        found = {}
        for name in self.encoders:
            if name + FEATURES in batch:
                found[name] = batch[name + FEATURES]
                continue
            views = batch[name]
            found[name] = self.encode(name, views.flatten(0, 1)).unflatten(0, views.shape[:2])
        return self.head(found, batch)
