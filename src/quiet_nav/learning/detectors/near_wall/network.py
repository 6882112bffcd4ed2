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
"""The near-wall detector's network, and the graph of it that is exported."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from quiet_nav.learning.detectors.context.frontend import coherence, log_power, transient
from quiet_nav.learning.detectors.near_wall.frontend import (
    banded,
    Comparison,
    cross_power,
    FrameSpectra,
    grouped_fingerprint,
)
from quiet_nav.learning.detectors.vggish.network import LAYOUT, Logits, scaled
from quiet_nav.perception.bands import BANDS, centers_hz
from quiet_nav.perception.context import band_centers_hz, FRAME_SAMPLES
from quiet_nav.perception.distance_bins import STANDARD_BINS

#: What ``Comparison`` takes, in its order; a batch has these and the labels.
INPUTS = (
    'spectrum',
    'steadiness',
    'reference',
    'own_reference',
    'has_reference',
    'fingerprint',
    'has_fingerprint',
    'others',
    'other_references',
    'other_own_references',
    'other_fingerprints',
    'has_other',
    'simultaneous',
    'nearest',
    'coherences',
)
#: Where the channels of a network without own sound are now: the ear, its difference from the
#: reference, steadiness, place, differences from other ears and of differences, what there is, the
#: question, coherences.
_OLDER_CHANNELS = [0, 1, 4, 5, *range(6, 12), 18, *range(20, 27), *range(27, 33)]
#: A fingerprint is of frames with the Hann window as it is, spectra here with unit gain.
_FINGERPRINT_OFFSET = 2.0 * float(np.log(FRAME_SAMPLES / 2.0))
#: Contexts that are calibrated apart: reference, other ears and fingerprint, each there or not,
#: where a direction is asked about; reference and fingerprint where the nearest wall is.
CONTEXTS = 12


class NearWall(nn.Module):
    """
    VGGish's convolutions 64-M-128-M-256-256-M-512-512-M along frequency, then one hidden layer.

    The noise of a room and of a robot is steady, so time is averaged in the front end.
    ``width`` multiplies every number of channels.
    """

    def __init__(self, width: float = 0.375, dropout: float = 0.3) -> None:
        super().__init__()
        self.compare = Comparison()
        layers: list[nn.Module] = []
        channels, bands = Comparison.channels, BANDS
        for item in LAYOUT:
            if item == 'M':
                layers.append(nn.MaxPool1d(2))
                bands //= 2
                continue
            out = scaled(item, width)
            layers += [nn.Conv1d(channels, out, 3, padding=1), nn.BatchNorm1d(out), nn.ReLU()]
            channels = out
        self.features = nn.Sequential(*layers)
        hidden = scaled(512, width)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels * bands, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1 + STANDARD_BINS.count),
        )

    def forward(self, *inputs: torch.Tensor) -> Logits:
        """Return logits (N,) and (N, bins) of the inputs that ``Comparison`` takes."""
        out = self.head(self.features(self.compare(*inputs)))
        return Logits(out[:, 0], out[:, 1:])

    def upgraded(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """
        Return the weights of a context network, which hears by ambience alone, as this one's.

        What it lacks, the inputs of the own sound and the bands above 3 kHz, begins at 0; its
        bands of 63 Hz from 1 to 3 kHz serve twice.
        """
        first, head, mean, spread = (
            weights.get(name)
            for name in (
                'features.0.weight',
                'head.2.weight',
                'compare.colour.running_mean',
                'compare.colour.running_var',
            )
        )
        if first is None or first.shape[1] != len(_OLDER_CHANNELS):
            return weights
        assert head is not None and mean is not None and spread is not None
        wider = first.new_zeros(first.shape[0], Comparison.channels, first.shape[2])
        wider[:, _OLDER_CHANNELS] = first
        # Of 16 bands a position: eight are of single bins, two of 1 to 3 kHz.
        older = head.unflatten(1, (-1, 10))
        longer = torch.cat(
            [
                older[..., :8],
                older[..., 8:].repeat_interleave(2, dim=-1) / 2.0,
                older.new_zeros(*older.shape[:2], BANDS // 16 - 12),
            ],
            dim=-1,
        )
        hz = centers_hz()
        before = band_centers_hz()
        return {
            **weights,
            'features.0.weight': wider,
            'head.2.weight': longer.flatten(1),
            **{
                f'compare.colour.running_{name}': torch.tensor(
                    np.interp(hz, before, value.numpy()), dtype=value.dtype
                )
                for name, value in (('mean', mean), ('var', spread))
            },
        }

    def from_batch(self, batch: dict[str, torch.Tensor]) -> Logits:
        return self(*(batch[name] for name in INPUTS))


class Calibration(NamedTuple):
    """
    Temperature and offset of the near-wall logit and temperature of the distances, by context.

    Direction asked about: number of reference + 2 other ears + 4 fingerprint, each 0 or 1; nearest
    wall: 8 + reference + 2 fingerprint.
    """

    temperature: tuple[float, ...] = (1.0,) * CONTEXTS
    offset: tuple[float, ...] = (0.0,) * CONTEXTS
    distance_temperature: tuple[float, ...] = (1.0,) * CONTEXTS


class NearWallProbabilities(nn.Module):
    """
    All windows of a listen to probabilities: the graph that is exported.

    waveform (E, 48000); clip_weights (K, 45): runs by how they average frames; reference and
    own_reference (E, 272) with has_reference (E,); fingerprint (E, 249) as
    ``perception.fingerprint`` has it, with has_fingerprint (E,); others (E, 3): which window fills
    which slot, -1 for none; simultaneous (E, 3); nearest (E,): 1 where the nearest wall is asked
    about. Returns probability (E, K), distance_probabilities (E, K, bins), spectrum (E, 272) for
    the references, and transient (E,).
    """

    def __init__(self, network: NearWall, calibration: Calibration | None = None) -> None:
        super().__init__()
        calibration = calibration or Calibration()
        self.frames = FrameSpectra()
        self.network = network
        for name, values in calibration._asdict().items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def forward(
        self,
        waveform: torch.Tensor,
        clip_weights: torch.Tensor,
        reference: torch.Tensor,
        own_reference: torch.Tensor,
        has_reference: torch.Tensor,
        fingerprint: torch.Tensor,
        has_fingerprint: torch.Tensor,
        others: torch.Tensor,
        simultaneous: torch.Tensor,
        nearest: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        parts = self.frames(waveform)
        power = banded(parts[0] ** 2 + parts[1] ** 2)
        mean_power = torch.matmul(clip_weights, power)
        runs = log_power(mean_power)
        steadiness = runs - torch.matmul(clip_weights, log_power(power))
        there = (others >= 0).to(power.dtype)
        index = others.clamp(min=0)
        count = clip_weights.shape[0]
        # (E, slots, frames, bins) of both, to (E, slots, 2, runs, bands).
        both = cross_power(
            (parts[0][:, None], parts[1][:, None]), (parts[0][index], parts[1][index])
        )
        cross = torch.matmul(clip_weights, both.transpose(2, 3)).transpose(2, 3)
        together = coherence(cross, mean_power[:, None], mean_power[index])
        together = together * (there * simultaneous)[:, :, None, None, None]
        own = grouped_fingerprint(fingerprint - _FINGERPRINT_OFFSET)

        def per_run(x: torch.Tensor) -> torch.Tensor:
            return x[:, None].expand(-1, count, *x.shape[1:]).flatten(0, 1)

        known = (has_reference[:, None] * has_reference[index] * there)[..., None]
        logits = self.network(
            runs.flatten(0, 1),
            steadiness.flatten(0, 1),
            per_run(reference),
            per_run(own_reference),
            per_run(has_reference),
            per_run(own),
            per_run(has_fingerprint),
            runs[index].transpose(1, 2).flatten(0, 1),
            per_run(torch.where(known > 0, reference[index], 0.0)),
            per_run(torch.where(known > 0, own_reference[index], 0.0)),
            per_run(own[index]),
            per_run(there),
            per_run(simultaneous),
            per_run(nearest),
            together.transpose(1, 2).flatten(0, 1),
        )
        referred, printed = has_reference.long(), has_fingerprint.long()
        context = referred + 2 * (there.sum(1) > 0).long() + 4 * printed
        # The nearest wall is asked about with one microphone: other ears change nothing there.
        context = torch.where(nearest > 0.5, 8 + referred + 2 * printed, context)
        context = per_run(context)
        near = torch.sigmoid(logits.near / self.temperature[context] + self.offset[context])
        scale = self.distance_temperature[context][:, None]
        distance = torch.softmax(logits.distance / scale, dim=-1)
        return (
            near.unflatten(0, (-1, count)),
            distance.unflatten(0, (-1, count)),
            runs[:, 0],
            transient(power),
        )
