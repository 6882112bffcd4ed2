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
"""The bands of the near-wall detector's spectra, and how the fingerprint's fit into them."""

from __future__ import annotations

import numpy as np

from quiet_nav.perception.context import FRAME_SAMPLES
from quiet_nav.sound.windows import SAMPLE_RATE

#: (bands, bins of 7.8 Hz each): single bins to 1 kHz for a room's modes; 31 Hz to 3 kHz, because
#: the ripple of a wall at 1.5 m repeats every 114 Hz; 63 Hz to 8 kHz.
LAYOUT = ((129, 1), (64, 4), (79, 8))
BANDS = sum(count for count, _ in LAYOUT)
#: The first bin, above the constant part, and the first above the last band.
FIRST_BIN = 1
END_BIN = FIRST_BIN + sum(count * bins for count, bins in LAYOUT)
#: The fingerprint's bands are of 4 bins from bin 26 on (``standing_sound``); in groups they are
#: what single bands above, pairs of them, and four single bins are averaged to: (bands, bins).
OWN_LAYOUT = ((26, 4), (64, 4), (79, 8))
OWN_FIRST_BIN = 26
OWN_BANDS = sum(count for count, _ in OWN_LAYOUT)


def edges_bins() -> np.ndarray:
    """Return the first bin of every band and the end of the last, int, shape (273,)."""
    widths = np.concatenate([np.full(count, bins) for count, bins in LAYOUT])
    return FIRST_BIN + np.concatenate([[0], np.cumsum(widths)])


def centers_hz() -> np.ndarray:
    """Return the middle frequency of every band in Hz, shape (272,)."""
    edges = edges_bins()
    return (SAMPLE_RATE / FRAME_SAMPLES) * (edges[:-1] + edges[1:] - 1) / 2.0


def banded(power: np.ndarray) -> np.ndarray:
    """Return means over the bins of each band, (..., 1025) to (..., 272)."""
    edges = edges_bins()
    total = np.add.reduceat(power[..., : edges[-1]], edges[:-1], axis=-1)
    return np.asarray(total / np.diff(edges))


def own_bands(power: np.ndarray) -> np.ndarray:
    """Return means of power in bands (..., 272) over the fingerprint's groups, (..., 169)."""
    skipped, fine = OWN_FIRST_BIN - FIRST_BIN, LAYOUT[0][0]
    low = power[..., skipped:fine]
    low = low.reshape(*low.shape[:-1], -1, OWN_LAYOUT[0][1]).mean(-1)
    return np.concatenate([low, power[..., fine:]], axis=-1)
