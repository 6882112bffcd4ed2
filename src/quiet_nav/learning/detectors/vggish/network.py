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

"""VGGish with near-wall and distance heads, clip by clip or over a whole window at once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from quiet_nav.learning.frontend import LogMel
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.sound.logmel import MEL_BANDS

LAYOUT = (64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M')
CLIP_FRAMES = 96
#: One column of the feature map covers this many frames of 10 ms.
FRAMES_PER_COLUMN = 16
COLUMNS_PER_CLIP = CLIP_FRAMES // FRAMES_PER_COLUMN
EMBEDDING = 128


class Logits(NamedTuple):
    """Near-wall logit, shape (...), and distance-bin logits, shape (..., bins)."""

    near: torch.Tensor
    distance: torch.Tensor


def scaled(channels: int, width: float) -> int:
    """Return a layer's number of channels under a width multiplier, at least 4."""
    return max(4, round(channels * width))


class Vggish(nn.Module):
    """
    Convolutions 64-M-128-M-256-256-M-512-512-M with batch norm, then 12288-4096-4096-128.

    Takes log-mel of shape (N, 96, 64), returns embeddings of shape (N, 128). Source: the paper's
    section 3; ``width`` multiplies every number of channels (1 is the paper's, 72 M weights).
    rank: of the fully connected matrices, each the product of two; 0 leaves them whole.
    """

    def __init__(self, width: float = 1.0, batch_norm: bool = True, rank: int = 0) -> None:
        super().__init__()
        self.rank = rank
        layers: list[nn.Module] = []
        channels = 1
        for item in LAYOUT:
            if item == 'M':
                layers.append(nn.MaxPool2d(2))
                continue
            out = scaled(item, width)
            layers.append(nn.Conv2d(channels, out, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(out))
            layers.append(nn.ReLU())
            channels = out
        self.features = nn.Sequential(*layers)
        hidden = scaled(4096, width)
        flat = channels * COLUMNS_PER_CLIP * (MEL_BANDS // FRAMES_PER_COLUMN)
        self.embeddings = nn.Sequential(
            _dense(flat, hidden, rank),
            nn.ReLU(),
            _dense(hidden, hidden, rank),
            nn.ReLU(),
            _dense(hidden, EMBEDDING, rank),
        )
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
        # A sixth faster on processors; the numbers are the same.
        self.features.to(memory_format=torch.channels_last)

    def columns(self, log_mel: torch.Tensor) -> torch.Tensor:
        """
        Return the feature map by time, shape (N, frames // 16, 4 * channels).

        Each column holds its 4 frequencies one after the other, channels fastest, as the first
        fully connected layer expects them.
        """
        image = log_mel[:, None].contiguous(memory_format=torch.channels_last)
        features = self.features(image)
        return features.permute(0, 2, 3, 1).flatten(2)

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        return self.embeddings(self.columns(log_mel).flatten(1))


def _dense(inputs: int, outputs: int, rank: int) -> nn.Module:
    if not 0 < rank < inputs * outputs / (inputs + outputs):
        return nn.Linear(inputs, outputs)
    first, second = nn.Linear(inputs, rank, bias=False), nn.Linear(rank, outputs)
    # Together as large as He's for one layer.
    nn.init.normal_(first.weight, std=inputs**-0.5)
    nn.init.normal_(second.weight, std=(2.0 / rank) ** 0.5)
    nn.init.zeros_(second.bias)
    return nn.Sequential(first, second)


class NearWallVggish(nn.Module):
    """One clip of waveform, shape (N, 15360), to near-wall and distance logits."""

    def __init__(
        self,
        width: float = 1.0,
        distance: bool = True,
        batch_norm: bool = True,
        frontend: LogMel | None = None,
        rank: int = 0,
    ) -> None:
        super().__init__()
        self.frontend = frontend or LogMel()
        self.trunk = Vggish(width, batch_norm, rank)
        self.near = nn.Linear(EMBEDDING, 1)
        self.distance = nn.Linear(EMBEDDING, STANDARD_BINS.count) if distance else None

    def heads(self, embedding: torch.Tensor) -> Logits:
        hidden = torch.relu(embedding)
        near = self.near(hidden).squeeze(-1)
        if self.distance is None:
            return Logits(near, near.new_zeros((*near.shape, 0)))
        return Logits(near, self.distance(hidden))

    def forward(self, waveform: torch.Tensor, log_mel_mask: torch.Tensor | None = None) -> Logits:
        """
        Return logits; ``log_mel_mask`` (N, 1 or frames, 64) is 0 where a band is hidden.

        Hidden bands take the clip's mean level, so that masking says nothing of its own.
        """
        log_mel = self.frontend(waveform)
        if log_mel_mask is not None:
            log_mel = mask_bands(log_mel, log_mel_mask)
        return self.heads(self.trunk(log_mel))

    def from_batch(self, batch: dict[str, torch.Tensor]) -> Logits:
        """Return the logits of a batch of ``ClipDataset`` or ``LogMelDataset`` examples."""
        if 'log_mel' in batch:
            return self.heads(self.trunk(batch['log_mel']))
        return self(batch['audio'], batch['keep'])

    def upgraded(self, older: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """
        Return the weights of a narrower network as weights of this one, of the same outputs.

        Every channel is there several times; what reads the copies shares its weight out among
        them unequally, so that they learn different things from then on (Net2Net: Chen et al.,
        2016). Weights that fit already come back as they are.
        """
        generator = torch.Generator().manual_seed(0)
        own = self.state_dict()
        if older.keys() != own.keys():
            return older
        positions = COLUMNS_PER_CLIP * (MEL_BANDS // FRAMES_PER_COLUMN)
        first = 'trunk.embeddings.0.'
        return {
            name: widened(
                value, own[name].shape, generator, positions if _reads_map(name, first) else 1
            )
            for name, value in older.items()
        }


class DenseVggish(nn.Module):
    """
    The same network over a whole window: convolutions once, clips on the shared feature map.

    Clip positions are the columns of the feature map, 160 ms apart: a window of 3 s (300 frames)
    has 18 columns and 13 clips. Weights are shared with ``clips``, not copied. Outputs differ
    from those of separate clips only through what lies beyond a clip's ends: its neighbors here,
    zero padding and mirrored audio there; on exactly one clip of audio both are the same.
    """

    def __init__(self, clips: NearWallVggish) -> None:
        super().__init__()
        self.clips = clips

    def forward(self, waveform: torch.Tensor) -> Logits:
        """Return logits of shape (N, clips) and (N, clips, bins) of windows (N, samples)."""
        columns = self.clips.trunk.columns(self.clips.frontend(waveform))
        positions = columns.shape[1] - COLUMNS_PER_CLIP + 1
        stacked = [columns[:, k : k + positions] for k in range(COLUMNS_PER_CLIP)]
        flat = torch.cat(stacked, dim=-1).flatten(0, 1)
        logits = self.clips.heads(self.clips.trunk.embeddings(flat))
        return Logits(*(part.unflatten(0, (-1, positions)) for part in logits))


def _reads_map(name: str, first: str) -> bool:
    """Whether these are the weights that read the flattened feature map."""
    return name in (f'{first}weight', f'{first}0.weight')


def widened(
    older: torch.Tensor, shape: torch.Size, generator: torch.Generator, positions: int = 1
) -> torch.Tensor:
    """
    Return weights (outputs, inputs, ...) or (outputs,) for a multiple of outputs and inputs.

    positions: of a feature map that the inputs are flattened from, channels fastest. Weights
    whose numbers of channels are no multiples come back as they are, for whoever loads them to
    refuse.
    """
    if older.shape == shape or older.ndim != len(shape) or older.ndim == 0:
        return older
    if shape[0] % older.shape[0] or older.shape[2:] != shape[2:]:
        return older
    wide = older[torch.arange(shape[0]) % older.shape[0]]
    if older.ndim == 1 or older.shape[1] == shape[1]:
        return wide
    had, wanted = older.shape[1] // positions, shape[1] // positions
    if wanted % had:
        return older
    copies = wanted // had
    channel = torch.arange(wanted) % had
    wide = wide[:, (torch.arange(positions)[:, None] * had + channel).flatten()]
    uneven = 0.5 * torch.randn(shape[0], positions, copies, had, generator=generator)
    shares = (1.0 + uneven - uneven.mean(dim=2, keepdim=True)) / copies
    return wide * shares.reshape(shape[0], shape[1], *[1] * (older.ndim - 2))


def mask_bands(log_mel: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Return log-mel (N, T, B) with bands where ``keep`` is 0 set to the clip's mean level."""
    mean = log_mel.mean(dim=(1, 2), keepdim=True)
    return log_mel * keep + mean * (1 - keep)
