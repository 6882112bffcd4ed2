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

"""VGGish as a kind of detector: network, clips to learn from, and what is exported of it."""

from __future__ import annotations

import torch
from torch import nn

from quiet_nav.learning.calibration import Platt
from quiet_nav.learning.detectors.kinds import Kind
from quiet_nav.learning.detectors.vggish.data import clip_datasets
from quiet_nav.learning.detectors.vggish.network import DenseVggish, NearWallVggish
from quiet_nav.learning.detectors.vggish.options import VggishOptions
from quiet_nav.learning.onnx_export import Exportable
from quiet_nav.learning.recipe import NetworkRecipe
from quiet_nav.sound.windows import CLIP_SAMPLES, WINDOW_SAMPLES

UNCHANGED = Platt()


def calibrated(logits: torch.Tensor, calibration: Platt) -> torch.Tensor:
    """Return probabilities of near-wall logits."""
    return torch.sigmoid((logits - calibration.shift) / calibration.temperature)


class ClipProbabilities(nn.Module):
    """Clips (N, 15360) to probabilities: near (N,), distance (N, bins)."""

    def __init__(self, network: NearWallVggish, calibration: Platt = UNCHANGED) -> None:
        super().__init__()
        self.network = network
        self.calibration = calibration

    def forward(self, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.network(waveform)
        near = calibrated(logits.near, self.calibration)
        return near, torch.softmax(logits.distance, dim=-1)


class WindowProbabilities(nn.Module):
    """
    Windows (N, 48000) to the mean and the spread over their clips, in one dense pass.

    Returns near (N,), distance (N, bins), spread (N,): standard deviation over the clips.
    """

    def __init__(self, network: NearWallVggish, calibration: Platt = UNCHANGED) -> None:
        super().__init__()
        self.network = DenseVggish(network)
        self.calibration = calibration

    def forward(self, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        logits = self.network(waveform)
        near = calibrated(logits.near, self.calibration)
        mean = near.mean(dim=1)
        spread = torch.sqrt(((near - mean[:, None]) ** 2).mean(dim=1))
        return mean, torch.softmax(logits.distance, dim=-1).mean(dim=1), spread


def build(recipe: NetworkRecipe) -> NearWallVggish:
    return NearWallVggish(recipe.width, recipe.distance, rank=VggishOptions.of(recipe).rank)


def exportable(network: NearWallVggish, dense: bool, calibration: Platt = UNCHANGED) -> Exportable:
    """Return what ``onnx_export.export`` takes, a window at once (dense) or single clips."""
    outputs = ('probability', 'distance_probabilities')
    if dense:
        return Exportable(
            WindowProbabilities(network, calibration),
            {'waveform': torch.zeros(2, WINDOW_SAMPLES)},
            (*outputs, 'spread'),
        )
    return Exportable(
        ClipProbabilities(network, calibration),
        {'waveform': torch.zeros(2, CLIP_SAMPLES)},
        outputs,
    )


KIND = Kind(network=build, datasets=clip_datasets, export=exportable)
