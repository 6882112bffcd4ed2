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

"""What surfaces swallow: absorption per octave band, named materials and random draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.values import short

#: Octave band centers in Hz of every absorption in this package.
BANDS_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)

Absorption = tuple[float, ...]

#: Energy absorption coefficients of common surfaces (textbook values, e.g. Vorländer,
#: "Auralization", appendix; 8 kHz repeats the trend of 4 kHz).
MATERIALS: dict[str, Absorption] = {
    'brick': (0.03, 0.03, 0.03, 0.04, 0.05, 0.07, 0.07),
    'concrete': (0.01, 0.01, 0.02, 0.02, 0.02, 0.03, 0.04),
    'plaster': (0.02, 0.02, 0.03, 0.04, 0.05, 0.05, 0.06),
    'plasterboard': (0.15, 0.11, 0.06, 0.05, 0.05, 0.06, 0.07),
    'wood': (0.14, 0.10, 0.07, 0.06, 0.06, 0.06, 0.07),
    'glass': (0.18, 0.10, 0.05, 0.04, 0.03, 0.02, 0.02),
    'linoleum': (0.02, 0.02, 0.03, 0.03, 0.04, 0.04, 0.05),
    'parquet': (0.04, 0.04, 0.07, 0.06, 0.06, 0.07, 0.07),
    'carpet': (0.04, 0.08, 0.17, 0.24, 0.28, 0.30, 0.35),
    'acoustic_tile': (0.20, 0.35, 0.55, 0.65, 0.65, 0.60, 0.55),
    'curtain': (0.05, 0.12, 0.25, 0.35, 0.42, 0.45, 0.48),
}


def absorption(value: str | float | Sequence[float] | Mapping[str, float]) -> Absorption:
    """
    Return energy absorption per band of ``BANDS_HZ``, shape (7,), each 0 to 1.

    value: a name in ``MATERIALS``, one number for all bands, seven numbers, or a mapping with
    ``coeffs`` and ``center_freqs`` (Hz), which is interpolated over the logarithm of frequency.
    Raises QuietNavError for an unknown name or an impossible coefficient.
    """
    if isinstance(value, str):
        if value not in MATERIALS:
            raise QuietNavError(
                f'material {short(value)} is unknown; known: {", ".join(MATERIALS)}, '
                'a number from 0 to 1, or seven of them'
            )
        return MATERIALS[value]
    try:
        if isinstance(value, Mapping):
            coefficients = np.interp(
                np.log(BANDS_HZ), np.log(value['center_freqs']), np.asarray(value['coeffs'], float)
            )
        else:
            coefficients = np.atleast_1d(np.asarray(value, float))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise QuietNavError(
            f'material {short(value)} is neither a name, a number from 0 to 1, seven '
            'numbers, nor coeffs with center_freqs'
        ) from error
    if coefficients.shape == (1,):
        coefficients = np.repeat(coefficients, len(BANDS_HZ))
    if coefficients.shape != (len(BANDS_HZ),):
        raise QuietNavError(
            f'material with {coefficients.size} coefficients; expected one, or '
            f'one for each band {[int(f) for f in BANDS_HZ]} Hz'
        )
    if not np.all(np.isfinite(coefficients)) or coefficients.min() < 0 or coefficients.max() > 1:
        raise QuietNavError(
            f'impossible material: absorption {coefficients.round(3).tolist()} '
            'must lie between 0 (rigid) and 1 (open window) in every band'
        )
    return tuple(float(c) for c in coefficients)


def draw_absorption(rng: np.random.Generator, low: float, high: float) -> Absorption:
    """Return a random absorption whose mid-band value lies in low..high, with less in the bass."""
    mid = rng.uniform(low, high)
    bass = rng.uniform(0.3, 0.9)
    treble = rng.uniform(0.8, 1.3)
    octaves = np.log2(np.asarray(BANDS_HZ) / 1000.0)
    shape = np.interp(octaves, (-3.0, 0.0, 3.0), (bass, 1.0, treble))
    return tuple(float(c) for c in np.clip(mid * shape, 0.005, 0.95).round(4))
