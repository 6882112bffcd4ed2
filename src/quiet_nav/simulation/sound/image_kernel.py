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

"""The inner loop of the image-source method, compiled with Numba."""

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit(cache=True, fastmath=True, nogil=True)
def accumulate(
    positions: np.ndarray,
    amplitudes: np.ndarray,
    mic: np.ndarray,
    look: np.ndarray,
    air: np.ndarray,
    samples_per_m: float,
    table: np.ndarray,
    out: np.ndarray,
) -> float:
    """
    Add every image source's delayed impulse to ``out``, float32, shape (bands, length).

    positions (n, 3) m, amplitudes (n, bands), mic (3,), look (3,): direction of a cardioid or
    zeros, air (bands,): energy lost a meter, table (steps + 1, taps): fractional delays.
    Returns the latest arrival in samples.
    """
    steps, taps = table.shape[0] - 1, table.shape[1]
    bands = amplitudes.shape[1]
    cardioid = look[0] != 0.0 or look[1] != 0.0 or look[2] != 0.0
    latest = 0.0
    taps_here = np.empty(taps, np.float32)
    for i in range(positions.shape[0]):
        x = positions[i, 0] - mic[0]
        y = positions[i, 1] - mic[1]
        z = positions[i, 2] - mic[2]
        distance = math.sqrt(x * x + y * y + z * z)
        gain = 1.0 / distance
        if cardioid:
            gain *= 0.5 + 0.5 * (x * look[0] + y * look[1] + z * look[2]) / distance
        delay = distance * samples_per_m
        latest = max(latest, delay)
        whole = int(delay)
        position = (1.0 - (delay - whole)) * steps
        row = min(int(position), steps - 1)
        blend = np.float32(position - row)
        lower, upper = table[row], table[row + 1]
        for k in range(taps):
            taps_here[k] = lower[k] + blend * (upper[k] - lower[k])
        for b in range(bands):
            a = np.float32(gain * amplitudes[i, b] * math.exp(-0.5 * air[b] * distance))
            # A slice from 0 on: an index that might be negative would keep SIMD away.
            here = out[b, whole : whole + taps]
            for k in range(taps):
                here[k] += a * taps_here[k]
    return latest
