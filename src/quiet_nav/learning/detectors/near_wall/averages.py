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
"""What averaged spectra of Gaussian noise do: drawn once by the front end's own frames, kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, signal

from quiet_nav.perception.bands import banded, BANDS
from quiet_nav.perception.context import CLIP_FRAMES, FRAME_SAMPLES, FRAMES, HOP_SAMPLES
from quiet_nav.sound.windows import WINDOW_SAMPLES

#: Frames of a window at which its three clips begin.
_CLIPS = (0, 15, FRAMES - CLIP_FRAMES)
#: Transfers are kept in half precision: no ear hears less of its own than this share.
_LEAST = 3e-3


@dataclass(frozen=True)
class Averages:
    """
    Averages over the frames of three independent white noises of unit density, K times.

    power (K, 3, B); cross (K, 3, B): of 0 with 1, 0 with 2, 1 with 2, complex; steadiness
    (K, B): of the first noise, log of mean minus mean of log.
    """

    power: np.ndarray
    cross: np.ndarray
    steadiness: np.ndarray

    def mixed(
        self, which: np.ndarray, power: np.ndarray, cross: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        Return what is measured of three noises with given densities: power and cross power.

        which (n,): of the K. power (n, 3, B), cross (n, 3, B) complex, of 0 with 1, 0 with 2, 1
        with 2: of the noises. Cross is returned of 0 with 1 and 0 with 2, (n, 2, B).
        By the Cholesky factor of the density in every band, as a Wishart matrix is drawn.
        """
        w, x = self.power[which], self.cross[which]
        a = np.sqrt(np.maximum(power[:, 0], 1e-30))
        b, d = cross[:, 0].conj() / a, cross[:, 1].conj() / a
        c = np.sqrt(np.maximum(power[:, 1] - np.abs(b) ** 2, _LEAST * power[:, 1] + 1e-30))
        e = (cross[:, 2].conj() - d * b.conj()) / c
        left = np.maximum(power[:, 2] - np.abs(d) ** 2, _LEAST * power[:, 2] + 1e-30)
        e = e * np.minimum(1.0, np.sqrt(left) / np.maximum(np.abs(e), 1e-15))
        f = np.sqrt(np.maximum(left - np.abs(e) ** 2, _LEAST * power[:, 2] + 1e-30))
        first = a**2 * w[:, 0]
        second = np.abs(b) ** 2 * w[:, 0] + c**2 * w[:, 1] + 2.0 * (b * c * x[:, 0]).real
        third = np.abs(d) ** 2 * w[:, 0] + np.abs(e) ** 2 * w[:, 1] + f**2 * w[:, 2]
        third = third + 2.0 * (d * e.conj() * x[:, 0] + d * f * x[:, 1] + e * f * x[:, 2]).real
        one = a * (b.conj() * w[:, 0] + c * x[:, 0])
        two = a * (d.conj() * w[:, 0] + e.conj() * x[:, 0] + f * x[:, 1])
        return np.stack([first, second, third], 1), np.stack([one, two], 1)


def draw_averages(rng: np.random.Generator, count: int) -> tuple[Averages, Averages]:
    """Return averages over whole windows, ``count`` of them, and over the three clips of each."""
    window = signal.get_window('hann', FRAME_SAMPLES)
    scale = (window**2).sum()
    parts: dict[bool, list[tuple[np.ndarray, ...]]] = {True: [], False: []}
    for _ in range(count):
        noise = rng.standard_normal((3, WINDOW_SAMPLES), dtype=np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(noise, FRAME_SAMPLES, axis=1)
        spectra = fft.rfft(frames[:, ::HOP_SAMPLES] * window.astype(np.float32), axis=-1)
        power = banded(np.abs(spectra) ** 2) / scale
        crossed = spectra[[0, 0, 1]] * spectra[[1, 2, 2]].conj()
        cross = (banded(crossed.real) + 1j * banded(crossed.imag)) / scale
        for start in (None, *_CLIPS):
            cut = slice(None) if start is None else slice(start, start + CLIP_FRAMES)
            mean = power[:, cut].mean(1)
            steady = np.log(mean[0]) - np.log(power[0, cut]).mean(0)
            parts[start is None].append((mean, cross[:, cut].mean(1), steady))
    whole, clips = (
        Averages(
            *(
                np.stack(values).astype(kind)
                for values, kind in zip(
                    zip(*parts[is_whole], strict=True),
                    (np.float32, np.complex64, np.float32),
                    strict=True,
                )
            )
        )
        for is_whole in (True, False)
    )
    assert whole.power.shape == (count, 3, BANDS)
    return whole, clips
