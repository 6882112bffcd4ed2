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

"""How waves on the grid are late, and how their responses are put right."""

from __future__ import annotations

import numpy as np

from quiet_nav.sound.air import SPEED_OF_SOUND


def grid_operator(k: np.ndarray, cell_m: float) -> np.ndarray:
    """
    Return what the scheme's second difference makes of a plane wave, times -1, in 1/m2.

    k: wavenumbers in rad/m. Mean over directions of the symbol, which depends on direction from
    the sixth order on alone.
    """
    k = np.asarray(k, float)
    directions, weights = _directions()
    half = np.sin(k[..., None, None] * cell_m * directions / 2.0) ** 2
    x, y, z = half[..., 0], half[..., 1], half[..., 2]
    symbol = 4.0 * (x + y + z) - 16.0 / 6.0 * (x * y + y * z + x * z)
    return np.asarray((symbol * weights).sum(axis=-1)) / cell_m**2


def grid_frequency(frequency_hz: np.ndarray, cell_m: float, step_s: float) -> np.ndarray:
    """Return at which frequency the grid oscillates where air would at ``frequency_hz``."""
    k = 2.0 * np.pi * np.asarray(frequency_hz, float) / SPEED_OF_SOUND
    sine = SPEED_OF_SOUND * step_s / 2.0 * np.sqrt(grid_operator(k, cell_m))
    return np.asarray(np.arcsin(np.minimum(sine, 1.0)) / (np.pi * step_s))


def grid_gain(frequency_hz: np.ndarray, cell_m: float) -> np.ndarray:
    """Return by how much the grid's response is too strong: the slope of k2 over its operator."""
    k2 = (2.0 * np.pi * np.maximum(np.asarray(frequency_hz, float), 1.0) / SPEED_OF_SOUND) ** 2
    step = 1e-4
    rise = grid_operator(np.sqrt(k2 * (1.0 + step)), cell_m)
    rise = rise - grid_operator(np.sqrt(k2 * (1.0 - step)), cell_m)
    return np.asarray(2.0 * step * k2 / rise)


def _directions() -> tuple[np.ndarray, np.ndarray]:
    """Directions (n, 3) over an eighth of a sphere with weights that add to 1."""
    node, node_weight = np.polynomial.legendre.leggauss(8)
    cosine, weight = (node + 1.0) / 2.0, node_weight / 2.0
    angle = cosine * np.pi / 2.0
    up, around = np.meshgrid(cosine, angle, indexing='ij')
    flat = np.sqrt(1.0 - up**2)
    directions = np.stack([flat * np.cos(around), flat * np.sin(around), up], axis=-1)
    return directions.reshape(-1, 3), np.outer(weight, weight).ravel()
