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

"""What a task puts on the embeddings of its views."""

from __future__ import annotations

import torch
from torch import nn

#: Embedding of a clip or an image (the paper's ``feat_dim``).
EMBEDDING = 128


class Fusion(nn.Module):
    """
    All embeddings of an example, one after the other, to outputs.

    One view: ReLU and a linear layer; more: a hidden layer of 128 between, both as the authors'.
    """

    def __init__(self, views: int, outputs: int) -> None:
        super().__init__()
        if views == 1:
            self.layers = nn.Sequential(nn.ReLU(), nn.Linear(EMBEDDING, outputs))
        else:
            self.layers = mlp(views * EMBEDDING, outputs)

    def forward(
        self, views: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        return self.layers(torch.cat([views[name].flatten(1) for name in views], dim=-1))


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    """Return the authors' fusion: a hidden layer of 128."""
    return nn.Sequential(nn.Linear(inputs, EMBEDDING), nn.ReLU(), nn.Linear(EMBEDDING, outputs))
