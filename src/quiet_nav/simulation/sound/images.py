"""What an image source is: where it seems to be, and what its way left of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SPEED_OF_SOUND = 343.0


@dataclass(frozen=True)
class ImageSources:
    """Image sources of one source: positions (n, 3) in m, amplitudes (n, bands), order (n,)."""

    positions: np.ndarray
    amplitudes: np.ndarray
    orders: np.ndarray
