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

"""ResNet-18 as a kind of detector: network, images to learn from, and what is exported of it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from quiet_nav.learning.calibration import Platt
from quiet_nav.learning.detectors.kinds import Kind
from quiet_nav.learning.detectors.resnet.data import image_datasets
from quiet_nav.learning.detectors.resnet.images import IMAGE_SIZE, normalize
from quiet_nav.learning.detectors.resnet.network import ImageTrunk
from quiet_nav.learning.detectors.vggish.kind import calibrated, UNCHANGED
from quiet_nav.learning.detectors.vggish.network import Logits
from quiet_nav.learning.onnx_export import Exportable
from quiet_nav.learning.recipe import NetworkRecipe
from quiet_nav.perception.distance_bins import STANDARD_BINS

OUTPUTS = ('probability', 'distance_probabilities')
#: Height and width of the example that the export is traced with; any others serve.
_EXAMPLE = (480, 640)


class NearWallResnet(nn.Module):
    """Normalized images (N, 3, h, w) to near-wall and distance logits."""

    def __init__(self, width: float = 1.0, distance: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.trunk = ImageTrunk(width)
        self.dropout = nn.Dropout(dropout)
        self.near = nn.Linear(self.trunk.features, 1)
        self.distance = nn.Linear(self.trunk.features, STANDARD_BINS.count) if distance else None

    def forward(self, images: torch.Tensor) -> Logits:
        features = self.dropout(self.trunk(images))
        # Under bfloat16 the heads give too few digits for a ranking.
        near = self.near(features).squeeze(-1).float()
        if self.distance is None:
            return Logits(near, near.new_zeros((*near.shape, 0)))
        return Logits(near, self.distance(features).float())

    def from_batch(self, batch: dict[str, torch.Tensor]) -> Logits:
        """Return the logits of a batch of ``ImageDataset`` examples."""
        images = normalize(batch['image'])
        # Channels last is what CPUs convolve fastest: 1.3 times here.
        return self(images.contiguous(memory_format=torch.channels_last))

    def load_pretrained(self, path: str) -> None:
        """Begin with the trunk that classifies ImageNet; the heads stay as they are."""
        self.trunk.load_imagenet(path)


class ImageProbabilities(nn.Module):
    """
    Camera images, uint8 RGB (N, h, w, 3) of any size, to calibrated probabilities.

    Returns near (N,), distance (N, bins). Squeezes and normalizes as ``images.squeeze`` does, so
    that a robot needs nothing beside the graph.
    """

    def __init__(
        self,
        network: NearWallResnet,
        size: int = IMAGE_SIZE,
        calibration: Platt = UNCHANGED,
        distance_temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.calibration = calibration
        self.distance_temperature = distance_temperature

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = functional.interpolate(
            image.permute(0, 3, 1, 2).float(),
            size=(self.size, self.size),
            mode='bilinear',
            align_corners=False,
            antialias=True,
        )
        logits = self.network(normalize(pixels))
        near = calibrated(logits.near, self.calibration)
        return near, torch.softmax(logits.distance / self.distance_temperature, dim=-1)


def build(recipe: NetworkRecipe) -> NearWallResnet:
    dropout = float(recipe.options.get('dropout', 0.0))
    network = NearWallResnet(recipe.width, recipe.distance, dropout)
    return network.to(memory_format=torch.channels_last)


def exportable(
    network: NearWallResnet,
    size: int = IMAGE_SIZE,
    calibration: Platt = UNCHANGED,
    distance_temperature: float = 1.0,
) -> Exportable:
    """Return what ``onnx_export.export`` takes: images of a camera's own size."""
    return Exportable(
        ImageProbabilities(network, size, calibration, distance_temperature),
        {'image': torch.zeros(2, *_EXAMPLE, 3, dtype=torch.uint8)},
        OUTPUTS,
        {'image': {1: 'height', 2: 'width'}},
    )


KIND = Kind(network=build, datasets=image_datasets, export=exportable, input='image')
