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

"""The log-mel front end as a network layer, so that an exported model takes plain waveform."""

from __future__ import annotations

import numpy as np
import scipy.signal
import torch
from torch import nn
from torch.nn import functional

from quiet_nav.sound.logmel import (
    FFT_SIZE,
    FRAME_SAMPLES,
    HOP_SAMPLES,
    LOG_OFFSET,
    mel_filterbank,
)

#: Samples mirrored at either end, and frames dropped at the end, by alignment of the frames.
ALIGNMENTS = {
    'none': (0, 0),
    'mirrored': ((FRAME_SAMPLES - HOP_SAMPLES) // 2, 0),
    'centered': (FRAME_SAMPLES // 2, 1),
}


class LogMel(nn.Module):
    """
    ``quiet_nav.sound.logmel.log_mel`` as a layer.

    The short-time Fourier transform is a strided convolution with the windowed cosines and sines
    and the mel filters are a matrix product, so the layer exports to ONNX without an FFT operator.

    alignment: 'mirrored' is ``log_mel(pad=True)``, ``n // 160`` frames (96 a clip, 300 a window of
    3 s); 'none' is ``log_mel(pad=False)`` (298 a window); 'centered' puts frame ``t`` on sample
    ``160 t``, mirrors the ends and drops the last frame, as the paper's authors do (96 a clip).
    filterbank: mel weights, shape (64, 257), HTK without area normalization by default.
    window: shape (400,), periodic Hann by default.
    """

    def __init__(
        self,
        alignment: str = 'mirrored',
        filterbank: np.ndarray | None = None,
        window: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.padding, self.dropped = ALIGNMENTS[alignment]
        if filterbank is None:
            filterbank = mel_filterbank()
        if window is None:
            window = scipy.signal.get_window('hann', FRAME_SAMPLES)
        bases = fourier_bases(window)
        self.register_buffer('bases', torch.tensor(bases, dtype=torch.float32)[:, None])
        self.register_buffer(
            'filterbank', torch.tensor(filterbank, dtype=torch.float32).T.contiguous()
        )

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Return log-mel, shape (N, frames, 64), of a waveform of shape (N, samples)."""
        x = waveform[:, None]
        if self.padding:
            x = functional.pad(x, (self.padding, self.padding), mode='reflect')
        spectrum = functional.conv1d(x, self.bases, stride=HOP_SAMPLES)
        if self.dropped:
            spectrum = spectrum[:, :, : -self.dropped]
        bins = self.bases.shape[0] // 2
        power = spectrum[:, :bins] ** 2 + spectrum[:, bins:] ** 2
        mel = torch.matmul(power.transpose(1, 2), self.filterbank)
        return torch.log(mel + LOG_OFFSET)


def fourier_bases(window: np.ndarray) -> np.ndarray:
    """
    Return windowed cosines above windowed sines, shape (514, 400), float64.

    Phase is counted from the frame's first sample: it does not matter to a power spectrum.
    """
    bins = np.arange(FFT_SIZE // 2 + 1)[:, None]
    angle = 2.0 * np.pi * bins * np.arange(len(window))[None, :] / FFT_SIZE
    return np.concatenate([np.cos(angle), np.sin(angle)]) * np.asarray(window, float)
