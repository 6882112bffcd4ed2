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

"""ResNet-18 as a trunk for anything that learns from images, and weights of elsewhere for it."""

from __future__ import annotations

from pathlib import Path
import re

import torch
from torch import nn

from quiet_nav.errors import QuietNavError
from quiet_nav.learning.checkpoints import load_weights, read_tensors

CHANNELS = (64, 128, 256, 512)
#: What a classifier adds to a trunk: not taken over.
_HEADS = ('fc.', 'classifier.')
_TORCHVISION = re.compile(r'layer(\d)\.(\d)\.(conv|bn|downsample)(?:\.)?(\d)\.(.+)')


class ImageTrunk(nn.Module):
    """
    ResNet-18 up to its global mean: normalized images (N, 3, h, w) to (N, features).

    width multiplies every number of channels (1: 512 features, 11.2 M weights), rounded to
    multiples of 8. The convolutions come from ``transformers``; initialized after He et al.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        from transformers.models.resnet.configuration_resnet import ResNetConfig
        from transformers.models.resnet.modeling_resnet import ResNetModel

        sizes = [max(8, 8 * round(width * channels / 8)) for channels in CHANNELS]
        config = ResNetConfig(
            layer_type='basic', depths=[2, 2, 2, 2], hidden_sizes=sizes, embedding_size=sizes[0]
        )
        self.width = width
        self.features = sizes[-1]
        self.net = ResNetModel(config)

    def map(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature map before the mean, shape (N, features, h / 32, w / 32)."""
        return self.net.encoder(self.net.embedder(images), return_dict=False)[0]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.map(images).mean(dim=(2, 3))

    def load_imagenet(self, path: str | Path) -> None:
        """
        Take over ResNet-18's weights from a file of plain tensors that the user has.

        Names may be torchvision's (``resnet18-f37072fd.pth``) or those of transformers
        (``microsoft/resnet-18``, pytorch_model.bin); its classifier is left out.
        Raises QuietNavError where the file holds something else, or the trunk is not of width 1.
        """
        if self.width != 1.0:
            raise QuietNavError(
                f'{path}: ImageNet weights fit a ResNet-18 of width 1 alone, not {self.width:g}; '
                'take a recipe with network width 1'
            )
        loaded = read_tensors(path)
        state = loaded.get('state_dict', loaded)
        own = {name: value for name, value in state.items() if not name.startswith(_HEADS)}
        if 'conv1.weight' in own:
            own = {to_transformers(name, str(path)): value for name, value in own.items()}
        own = {name.removeprefix('resnet.'): value for name, value in own.items()}
        if 'embedder.embedder.convolution.weight' not in own:
            some = ', '.join(sorted(map(str, own))[:3]) or 'nothing'
            raise QuietNavError(
                f"{path}: expected ResNet-18's parameters under torchvision's or transformers' "
                f'names; found {some} ...'
            )
        for name, value in self.net.state_dict().items():
            if name.endswith('num_batches_tracked'):
                own.setdefault(name, value)
        load_weights(self.net, own, str(path))


def to_transformers(name: str, where: str = 'checkpoint') -> str:
    """
    Return what transformers calls a parameter of torchvision's ResNet-18.

    Raises QuietNavError for a name that torchvision's ResNet-18 does not have.
    """
    stem, _, last = name.partition('.')
    if stem in ('conv1', 'bn1'):
        return f'embedder.embedder.{"convolution" if stem == "conv1" else "normalization"}.{last}'
    found = _TORCHVISION.fullmatch(name)
    if found is None:
        raise QuietNavError(f"{where}: {name} is no parameter of torchvision's ResNet-18")
    stage, block, what, number, last = found.groups()
    layer = f'encoder.stages.{int(stage) - 1}.layers.{block}'
    if what == 'downsample':
        part = 'convolution' if number == '0' else 'normalization'
        return f'{layer}.shortcut.{part}.{last}'
    part = 'convolution' if what == 'conv' else 'normalization'
    return f'{layer}.layer.{int(number) - 1}.{part}.{last}'
