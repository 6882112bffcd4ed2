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

"""Microphone capsules as they are: response curves and noise that differ from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
import functools

import numpy as np
from scipy import fft

from quiet_nav.simulation.sound.sources import EQUALIZER_HZ
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator

#: Half the length of a capsule's filter, in samples.
CAPSULE_HALF = 512


@dataclass(frozen=True)
class Capsule:
    """
    A small MEMS or electret microphone on its board.

    corner_hz: below it the response falls by 12 dB an octave. peak_hz, peak_db: the resonance of
    its port. ripple_db: at EQUALIZER_HZ, what the board and the holes around do. pink_hz: below it
    its noise rises by 3 dB an octave.
    """

    corner_hz: float
    peak_hz: float
    peak_db: float
    ripple_db: tuple[float, ...]
    pink_hz: float

    @classmethod
    @functools.lru_cache(maxsize=256)
    def draw(cls, seed: int, channel: int) -> Capsule:
        """
        Return the capsule of a channel; those of a robot are of one make, within tolerances.

        Ranges after data sheets of MEMS microphones (corner 20 to 80 Hz, port resonance beyond 6
        kHz, +-1 dB between samples); what boards and cases add is a guess.
        """
        make, own = generator(seed, 'capsule'), generator(seed, 'capsule', channel)
        ripple = np.cumsum(make.normal(0.0, 0.8, len(EQUALIZER_HZ)))
        ripple += own.normal(0.0, 0.4, len(EQUALIZER_HZ))
        return cls(
            round(float(make.uniform(20.0, 80.0) * own.uniform(0.8, 1.25)), 2),
            round(float(make.uniform(6000.0, 14_000.0) * own.uniform(0.97, 1.03)), 1),
            round(float(make.uniform(1.0, 9.0)), 3),
            tuple((ripple - ripple.mean()).round(3).tolist()),
            round(float(make.uniform(30.0, 300.0)), 2),
        )

    def response_db(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Return its response in dB at frequencies of any shape, about 0 at 1 kHz."""
        f = np.maximum(frequency_hz, 1.0)
        low = -10.0 * np.log10(1.0 + (self.corner_hz / f) ** 4)
        width = 0.25 * self.peak_hz
        peak = self.peak_db / (1.0 + ((f - self.peak_hz) / width) ** 2)
        return low + peak + np.interp(np.log(f), np.log(EQUALIZER_HZ), self.ripple_db)

    def noise_db(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Return the spectrum of its noise in dB, 0 for white."""
        return 10.0 * np.log10(1.0 + self.pink_hz / np.maximum(frequency_hz, 10.0))

    def record(self, heard: np.ndarray, white: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Return sound and noise as it gives them, float32, both (n - 2 * CAPSULE_HALF,).

        heard, white: (n,), from CAPSULE_HALF samples before to as many after what is returned.
        """
        size = fft.next_fast_len(len(heard), real=True)
        out = []
        for samples, taps in zip((heard, white), self._filters(), strict=True):
            padded = np.zeros(size)
            padded[: len(taps)] = taps
            spectrum = fft.rfft(samples, size) * fft.rfft(padded)
            whole = fft.irfft(spectrum, size)[2 * CAPSULE_HALF : len(samples)]
            out.append(whole.astype(np.float32))
        return out[0], out[1]

    @functools.lru_cache(maxsize=64)  # noqa: B019
    def _filters(self) -> tuple[np.ndarray, np.ndarray]:
        """Taps (2 * CAPSULE_HALF + 1,), zero phase, of the response and of the noise."""
        size = 2 * CAPSULE_HALF
        frequency = np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
        made = []
        for level in (self.response_db(frequency), self.noise_db(frequency)):
            taps = np.fft.fftshift(np.fft.irfft(10 ** (level / 20), size))
            made.append(np.append(taps, taps[0]) * np.hanning(size + 1))
        return made[0], made[1] / np.linalg.norm(made[1])
