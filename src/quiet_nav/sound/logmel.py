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

"""The log-mel spectrogram, in NumPy: 25 ms Hann, 10 ms hop, 512-point FFT, 64 HTK mel bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.signal

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.windows import SAMPLE_RATE

FRAME_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SIZE = 512
MEL_BANDS = 64
MEL_TOP_HZ = 8_000.0
LOG_OFFSET = 1e-10


def hz_to_mel(hz: float | np.ndarray) -> float | np.ndarray:
    """Return mel of frequencies in Hz by HTK's formula, 2595 log10(1 + f / 700)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0)


def mel_to_hz(mel: float | np.ndarray) -> float | np.ndarray:
    """Return frequencies in Hz of HTK mel."""
    return 700.0 * (10.0 ** (np.asarray(mel) / 2595.0) - 1.0)


def mel_filterbank(
    sample_rate: int = SAMPLE_RATE,
    fft_size: int = FFT_SIZE,
    bands: int = MEL_BANDS,
    low_hz: float = 0.0,
    high_hz: float = MEL_TOP_HZ,
) -> np.ndarray:
    """
    Return triangular filters of height 1: float32, shape (bands, fft_size // 2 + 1).

    Corners are evenly spaced in HTK mel, flanks straight in Hz. Equal to
    ``librosa.filters.mel(htk=True, norm=None)``.
    Raises QuietNavError where the range is empty or exceeds half the sample rate.
    """
    if not 0.0 <= low_hz < high_hz <= sample_rate / 2:
        raise QuietNavError(
            f'mel bands from {low_hz} to {high_hz} Hz at {sample_rate} Hz; expected '
            f'0 <= low < high <= {sample_rate / 2}'
        )
    corners = _corners_hz(low_hz, high_hz, bands)
    bins = np.arange(fft_size // 2 + 1) * sample_rate / fft_size
    distance = bins - corners[:, None]
    width = np.diff(corners)[:, None]
    rising = distance[:-2] / width[:-1]
    falling = -distance[2:] / width[1:]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def _corners_hz(low_hz: float, high_hz: float, bands: int) -> np.ndarray:
    """Return where the bands' triangles begin, peak and end, in Hz, shape (bands + 2,)."""
    return np.asarray(mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bands + 2)))


def mel_centers_hz() -> np.ndarray:
    """Return the frequency at which each of the 64 bands peaks, in Hz, shape (64,)."""
    return _corners_hz(0.0, MEL_TOP_HZ, MEL_BANDS)[1:-1]


@lru_cache(maxsize=1)
def _constants() -> tuple[np.ndarray, np.ndarray]:
    hann = scipy.signal.get_window('hann', FRAME_SAMPLES).astype(np.float32)
    bank = mel_filterbank().T
    hann.setflags(write=False)
    bank.setflags(write=False)
    return hann, bank


def frame_count(samples: int, pad: bool = False) -> int:
    """Return how many frames ``log_mel`` makes of so many samples."""
    if pad:
        samples += FRAME_SAMPLES - HOP_SAMPLES
    return max(0, 1 + (samples - FRAME_SAMPLES) // HOP_SAMPLES)


def mel_power(samples: np.ndarray, pad: bool = False) -> np.ndarray:
    """Return mel band powers, float32; shapes, padding and errors as in ``log_mel``."""
    samples = np.asarray(samples, np.float32)
    if pad and samples.shape[-1] > FRAME_SAMPLES:
        side = (FRAME_SAMPLES - HOP_SAMPLES) // 2
        widths = [(0, 0)] * (samples.ndim - 1) + [(side, side)]
        samples = np.pad(samples, widths, mode='reflect')
    if samples.shape[-1] < FRAME_SAMPLES:
        raise QuietNavError(
            f'{samples.shape[-1]} samples are too few for a spectrum; give at least '
            f'{FRAME_SAMPLES} (25 ms at 16 kHz)'
        )
    hann, bank = _constants()
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES, axis=-1)
    frames = frames[..., ::HOP_SAMPLES, :] * hann
    spectrum = scipy.fft.rfft(frames, FFT_SIZE, axis=-1)
    return (spectrum.real**2 + spectrum.imag**2) @ bank


def log_mel(samples: np.ndarray, pad: bool = False) -> np.ndarray:
    """
    Return log(mel power + 1e-10), natural logarithm: float32, shape (..., frames, 64).

    samples: full scale 1.0, 16 kHz, shape (..., n). The power is ``|FFT|^2`` of Hann-windowed
    frames, unscaled; frame i begins at sample 160 i, so that 48000 samples give 298 frames. With
    ``pad`` 120 samples are mirrored at either end and n samples give n / 160 frames: 96 a clip.
    Raises QuietNavError where there is not one frame.
    """
    return np.log(mel_power(samples, pad) + np.float32(LOG_OFFSET))
