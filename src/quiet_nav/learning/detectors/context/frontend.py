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

"""The context detector's front end: averaged power spectra and how they are compared, as layers."""

from __future__ import annotations

import numpy as np
import scipy.signal
import torch
from torch import nn
from torch.nn import functional

from quiet_nav.perception.context import (
    BANDS,
    BINS_PER_COARSE_BAND,
    COARSE_BANDS,
    FINE_BINS,
    FRAME_SAMPLES,
    HOP_SAMPLES,
    SLOTS,
)

#: Power below this is nothing: about -130 dBFS a band.
FLOOR = 1e-13
#: Mean of the logarithm of a periodogram's ordinate below the logarithm of its mean (Euler).
LOG_BIAS = 0.5772


class FramePower(nn.Module):
    """
    Waveform (E, samples) to power in frames and bands, (E, frames, 160).

    A strided convolution with windowed cosines and sines (no FFT operator is needed in ONNX),
    squared; bands above 1 kHz are means over 8 bins.
    """

    def __init__(self) -> None:
        super().__init__()
        bins = FINE_BINS + COARSE_BANDS * BINS_PER_COARSE_BAND
        window = scipy.signal.get_window('hann', FRAME_SAMPLES)
        frequency = np.arange(1, bins + 1)[:, None] / FRAME_SAMPLES
        angle = 2.0 * np.pi * frequency * np.arange(FRAME_SAMPLES)[None, :]
        bases = np.concatenate([np.cos(angle), np.sin(angle)]) * window / window.sum()
        self.bins = bins
        self.register_buffer('bases', torch.tensor(bases, dtype=torch.float32), persistent=False)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return banded(torch.stack(self.parts(waveform)).square().sum(0))

    def parts(self, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the cosine and the sine part of every frame, (E, frames, 384 bins) each."""
        frames = waveform.unfold(1, FRAME_SAMPLES, HOP_SAMPLES)
        spectrum = torch.matmul(frames, self.bases.T)
        return spectrum[..., : self.bins], spectrum[..., self.bins :]


def banded(bins: torch.Tensor) -> torch.Tensor:
    """Return means over the bins of each band, (..., 384) to (..., 160)."""
    coarse = bins[..., FINE_BINS:].unflatten(-1, (COARSE_BANDS, BINS_PER_COARSE_BAND))
    return torch.cat([bins[..., :FINE_BINS], coarse.mean(-1)], dim=-1)


def cross_power(
    one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """
    Return real and imaginary part of X conj(Y) in bands, (..., 2, 160), from frames' parts.

    X is cosine part minus i times sine part; the imaginary part is positive where X is ahead.
    """
    (a, b), (c, d) = one, other
    return torch.stack([banded(a * c + b * d), banded(a * d - b * c)], dim=-2)


def coherence(cross: torch.Tensor, power: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the coherence, complex, (..., 2, 160), of averages of cross power and both powers."""
    return cross / torch.sqrt((power + FLOOR) * (other + FLOOR))[..., None, :]


def log_power(power: torch.Tensor) -> torch.Tensor:
    """Return the natural logarithm of power with a floor."""
    return torch.log(power + FLOOR)


def transient(frames_power: torch.Tensor) -> torch.Tensor:
    """
    Return how much louder bursts make the mean than the frames are, (E,), 0 for steady noise.

    The logarithm of the mean power over frames minus the mean of the logarithms, corrected for
    noise, mean over the fine bands; in nepers of power.
    """
    fine = frames_power[..., :FINE_BINS]
    excess = log_power(fine.mean(1)) - log_power(fine).mean(1)
    return (excess - LOG_BIAS).mean(-1)


class Comparison(nn.Module):
    """
    Spectra to what the network sees, (N, channels, 160).

    Inputs: spectrum (N, 160) of the ear asked about, steadiness (N, 160): its log of mean minus
    mean of log; its reference (N, 160) and whether there is one (N,); the others' spectra and
    references (N, 3, 160), whether each is there (N, 3) and was heard at the same time (N, 3);
    whether the nearest wall is asked about instead of the one in the ear's direction (N,);
    complex coherence with the others (N, 3, 2, 160), 0 where they were not heard at the same
    time or by a clock of their own.
    Everything is a difference: absolute level and the sources' own color cancel.
    """

    channels = 4 + 2 * len(SLOTS) + 1 + 2 * len(SLOTS) + 1 + 2 * len(SLOTS)

    def __init__(self) -> None:
        super().__init__()
        # The weights of models and checkpoints have this name.
        self.colour = nn.BatchNorm1d(BANDS, affine=False)
        place = torch.linspace(-1.0, 1.0, BANDS)
        self.register_buffer('place', place[None, None], persistent=False)

    def forward(
        self,
        spectrum: torch.Tensor,
        steadiness: torch.Tensor,
        reference: torch.Tensor,
        has_reference: torch.Tensor,
        others: torch.Tensor,
        other_references: torch.Tensor,
        has_other: torch.Tensor,
        simultaneous: torch.Tensor,
        nearest: torch.Tensor,
        coherences: torch.Tensor,
    ) -> torch.Tensor:
        known = has_reference[:, None]
        there = has_other[:, :, None]
        alone = self.colour(spectrum - spectrum.mean(-1, keepdim=True))
        change = (spectrum - reference) * known
        apart = (spectrum[:, None] - others) * there
        apart_changes = (change[:, None] - (others - other_references)) * there * known[:, None]
        flags = torch.cat(
            [has_reference[:, None], has_other, simultaneous, nearest[:, None]], dim=1
        )
        return torch.cat(
            [
                torch.stack([alone, change, steadiness - LOG_BIAS], dim=1),
                self.place.expand(spectrum.shape[0], -1, -1),
                apart,
                apart_changes,
                flags[:, :, None].expand(-1, -1, BANDS),
                coherences.flatten(1, 2),
            ],
            dim=1,
        )


def smooth_noise(
    shape: tuple[int, ...], generator: torch.Generator, bands: int = BANDS
) -> torch.Tensor:
    """
    Return random smooth curves over the bands, ``(*shape, bands)``, unit variance: changed sources.

    Drawn at eight knots and interpolated.
    """
    knots = torch.randn(*shape, 8, generator=generator)
    flat = knots.reshape(-1, 1, 8)
    curve = functional.interpolate(flat, size=bands, mode='linear', align_corners=True)
    return curve.reshape(*shape, bands) / 0.8
