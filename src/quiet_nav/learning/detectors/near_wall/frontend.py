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
"""The near-wall detector's front end: averaged spectra and how they are compared, as layers."""

from __future__ import annotations

import numpy as np
import scipy.signal
import torch
from torch import nn

from quiet_nav.learning.detectors.context.frontend import LOG_BIAS
from quiet_nav.perception.bands import (
    BANDS,
    centers_hz,
    END_BIN,
    FIRST_BIN,
    LAYOUT,
    OWN_BANDS,
    OWN_FIRST_BIN,
    OWN_LAYOUT,
)
from quiet_nav.perception.context import FRAME_SAMPLES, HOP_SAMPLES, SLOTS

#: Single bins, of which room modes are made.
FINE_BANDS = LAYOUT[0][0]
_HALF = FRAME_SAMPLES // 2
#: The first band of which a fingerprint says something.
_OWN_FIRST = OWN_FIRST_BIN - FIRST_BIN


class FrameSpectra(nn.Module):
    """
    Waveform (E, samples) to cosine and sine parts of frames, (E, frames, 1017 bins) each.

    A product with windowed cosines and sines: no FFT operator is needed in ONNX.
    """

    def __init__(self) -> None:
        super().__init__()
        window = scipy.signal.get_window('hann', FRAME_SAMPLES)
        frequency = np.arange(FIRST_BIN, END_BIN)[:, None] / FRAME_SAMPLES
        angle = 2.0 * np.pi * frequency * np.arange(1, _HALF + 1)[None, :]
        shape = window[1 : _HALF + 1] / window.sum()
        for name, wave in (('cosines', np.cos(angle)), ('sines', np.sin(angle[:, :-1]))):
            bases = torch.tensor(wave * shape[: wave.shape[1]], dtype=torch.float32)
            self.register_buffer(name, bases, persistent=False)

    def forward(self, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        frames = waveform.unfold(1, FRAME_SAMPLES, HOP_SAMPLES)
        # Window and cosines are even about the middle of a frame, sines are odd: half the product.
        first, last = frames[..., 1:_HALF], frames[..., _HALF + 1 :].flip(-1)
        even = torch.cat([first + last, frames[..., _HALF : _HALF + 1]], dim=-1)
        return torch.matmul(even, self.cosines.T), torch.matmul(first - last, self.sines.T)


def banded(bins: torch.Tensor) -> torch.Tensor:
    """Return means over the bins of each band, (..., 1017) to (..., 272)."""
    parts, at = [], 0
    for count, width in LAYOUT:
        part = bins[..., at : at + count * width]
        parts.append(part if width == 1 else part.unflatten(-1, (count, width)).mean(-1))
        at += count * width
    return torch.cat(parts, dim=-1)


def cross_power(
    one: tuple[torch.Tensor, torch.Tensor], other: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """
    Return real and imaginary part of X conj(Y) in bands, (..., 2, 272), from frames' parts.

    X is cosine part minus i times sine part; the imaginary part is positive where X is ahead.
    """
    (a, b), (c, d) = one, other
    return torch.stack([banded(a * c + b * d), banded(a * d - b * c)], dim=-2)


def over_own(spectrum: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """
    Return log power (..., 272) over a fingerprint (..., 169), (..., 272); 0 below its first band.

    Compared in the fingerprint's bands: single bins are averaged by fours first.
    """
    count, width = OWN_LAYOUT[0]
    fine = spectrum[..., _OWN_FIRST:FINE_BANDS].unflatten(-1, (count, width))
    low = torch.logsumexp(fine, dim=-1) - float(np.log(width))
    grouped = torch.cat([low, spectrum[..., FINE_BANDS:]], dim=-1) - own
    apart = grouped[..., :count, None].expand(*grouped.shape[:-1], count, width).flatten(-2)
    nothing = torch.zeros_like(spectrum[..., :_OWN_FIRST])
    return torch.cat([nothing, apart, grouped[..., count:]], dim=-1)


def grouped_fingerprint(fingerprint: torch.Tensor) -> torch.Tensor:
    """
    Return a fingerprint's log power (..., 249) in the bands that are compared, (..., 169).

    Above 3 kHz those are pairs of its bands.
    """
    single = OWN_LAYOUT[0][0] + OWN_LAYOUT[1][0]
    pairs = fingerprint[..., single : single + 2 * (OWN_BANDS - single)].unflatten(-1, (-1, 2))
    high = torch.logsumexp(pairs, dim=-1) - float(np.log(2.0))
    return torch.cat([fingerprint[..., :single], high], dim=-1)


class Comparison(nn.Module):
    """
    Spectra to what the network sees, (N, channels, 272).

    Inputs: spectrum (N, 272) of the ear asked about, steadiness (N, 272): its log of mean minus
    mean of log; the room's reference, which all ears share, and the ear's own, with whether there
    are (N,); its fingerprint (N, 169) with whether there is one (N,); the others' spectra and
    references (N, 3, 272) and fingerprints (N, 3, 169), whether each is there (N, 3) and was heard
    at the same time (N, 3); whether the nearest wall is asked about instead of the one in the
    ear's direction (N,); complex coherence with the others (N, 3, 2, 272), 0 where they were not
    heard at the same time or by a clock of their own.
    Everything is a difference: absolute level and the sources' own color cancel. The shared
    reference cancels the ambience, an ear's own one and its fingerprint the robot's own sound.
    """

    channels = 6 + 4 * len(SLOTS) + 2 + 2 * len(SLOTS) + 1 + 2 * len(SLOTS)

    def __init__(self) -> None:
        super().__init__()
        # The weights of models and checkpoints have this name.
        self.colour = nn.BatchNorm1d(BANDS, affine=False)
        # Single bins count one each, above 1 kHz 63 Hz do: -1 at the first, 1 at 3 kHz.
        step = np.interp(centers_hz(), (7.8125, 1000.0, 8000.0), (0.0, 127.0, 239.0))
        place = torch.tensor(step / 79.5 - 1.0, dtype=torch.float32)
        self.register_buffer('place', place[None, None], persistent=False)

    def forward(
        self,
        spectrum: torch.Tensor,
        steadiness: torch.Tensor,
        reference: torch.Tensor,
        own_reference: torch.Tensor,
        has_reference: torch.Tensor,
        fingerprint: torch.Tensor,
        has_fingerprint: torch.Tensor,
        others: torch.Tensor,
        other_references: torch.Tensor,
        other_own_references: torch.Tensor,
        other_fingerprints: torch.Tensor,
        has_other: torch.Tensor,
        simultaneous: torch.Tensor,
        nearest: torch.Tensor,
        coherences: torch.Tensor,
    ) -> torch.Tensor:
        known, printed = has_reference[:, None], has_fingerprint[:, None]
        there = has_other[:, :, None]
        alone = self.colour(spectrum - spectrum.mean(-1, keepdim=True))
        change = (spectrum - reference) * known
        own_change = (spectrum - own_reference) * known
        over = over_own(spectrum, fingerprint) * printed
        apart = (spectrum[:, None] - others) * there
        both = there * known[:, None]
        apart_changes = (change[:, None] - (others - other_references)) * both
        apart_own = (own_change[:, None] - (others - other_own_references)) * both
        apart_over = (over[:, None] - over_own(others, other_fingerprints)) * there
        apart_over = apart_over * printed[:, None]
        flags = torch.cat(
            [
                has_reference[:, None],
                has_fingerprint[:, None],
                has_other,
                simultaneous,
                nearest[:, None],
            ],
            dim=1,
        )
        steady = steadiness - LOG_BIAS
        return torch.cat(
            [
                torch.stack([alone, change, own_change, over, steady], dim=1),
                self.place.expand(spectrum.shape[0], -1, -1),
                apart,
                apart_changes,
                apart_own,
                apart_over,
                flags[:, :, None].expand(-1, -1, BANDS),
                coherences.flatten(1, 2),
            ],
            dim=1,
        )
