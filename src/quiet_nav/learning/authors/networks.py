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

"""The paper's networks on two places of a room, as their authors built them."""

from __future__ import annotations

import torch
from torch import nn

from quiet_nav.learning.detectors.resnet.images import normalize
from quiet_nav.learning.detectors.resnet.network import ImageTrunk
from quiet_nav.learning.detectors.vggish.network import EMBEDDING, Vggish
from quiet_nav.learning.frontend import LogMel

#: The four pairings of two sounds and two images: which stands first, (image, sound).
PAIRINGS = ((0, 0), (0, 1), (1, 0), (1, 1))


def fusion(outputs: int) -> nn.Sequential:
    """Return what makes one of two embeddings side by side: 256-128-outputs."""
    return nn.Sequential(
        nn.Linear(2 * EMBEDDING, EMBEDDING), nn.ReLU(), nn.Linear(EMBEDDING, outputs)
    )


class SoundPair(nn.Module):
    """
    Siamese VGGish (AudioRDNet): two clips, each (N, 15360), to (N, outputs).

    With one output, its logit says that the first clip was recorded nearer to the wall.
    """

    def __init__(self, outputs: int = 1, batch_norm: bool = True,
                 frontend: LogMel | None = None) -> None:  # fmt: skip
        super().__init__()
        self.frontend = frontend or LogMel('centered')
        self.trunk = Vggish(1.0, batch_norm)
        self.fusion = fusion(outputs)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self.both_ways(first, second)[0]

    def both_ways(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs of (first, second) and of (second, first)."""
        one, other = (self.trunk(self.frontend(waveform)) for waveform in (first, second))
        return _both_ways(self.fusion, one, other)


class ImagePair(nn.Module):
    """Siamese ResNet-18 (VisionRDNet): two images, uint8 (N, 3, 224, 224), to (N, outputs)."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.trunk = ImageTrunk()
        self.embedding = nn.Linear(self.trunk.features, EMBEDDING)
        self.fusion = fusion(outputs)

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self.both_ways(first, second)[0]

    def both_ways(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs of (first, second) and of (second, first)."""
        one, other = (self.embedding(self.trunk(normalize(image))) for image in (first, second))
        return _both_ways(self.fusion, one, other)


class SoundImageOrder(nn.Module):
    """
    AV-Order (AVEncoderBinary; paper, Fig. 4): whether two sounds and two images stand in one order.

    Takes clips (N, 15360) and images, uint8 (N, 3, 224, 224), of two places; returns logits (N, 4)
    of the pairings ``PAIRINGS``, of which the first and the last are the right ones.
    """

    def __init__(self, batch_norm: bool = True, frontend: LogMel | None = None) -> None:
        super().__init__()
        self.sounds = SoundPair(EMBEDDING, batch_norm, frontend)
        self.images = ImagePair(EMBEDDING)
        self.fusion = fusion(1)

    def forward(
        self,
        first_sound: torch.Tensor,
        second_sound: torch.Tensor,
        first_image: torch.Tensor,
        second_image: torch.Tensor,
    ) -> torch.Tensor:
        sounds = self.sounds.both_ways(first_sound, second_sound)
        images = self.images.both_ways(first_image, second_image)
        return torch.cat(
            [self.fusion(torch.cat([images[i], sounds[s]], dim=-1)) for i, s in PAIRINGS], dim=-1
        )


def _both_ways(
    layers: nn.Module, one: torch.Tensor, other: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(layers(torch.cat(pair, dim=-1)) for pair in ((one, other), (other, one)))
