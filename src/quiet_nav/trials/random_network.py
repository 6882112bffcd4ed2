"""A network of random weights that hears: the paper's random baseline of a detector, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from quiet_nav.perception.detector import HeardWindow
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.sound.logmel import log_mel
from quiet_nav.sound.validity import window_fault
from quiet_nav.sound.windows import clip_batch, clip_starts, CLIPS_PER_WINDOW

#: VGGish's layers, 'M' a maximum over 2 x 2, at a sixteenth of its width: what random weights say
#: does not get better by more of them.
LAYOUT = (4, 'M', 8, 'M', 16, 16, 'M', 32, 32, 'M')
HIDDEN = 64


class RandomNetwork:
    """
    Near-wall probabilities of windows by weights that were never trained.

    Weights are drawn so that every layer keeps the scale of its input (He); the log-mel of a clip
    is taken to mean 0 and deviation 1 first, as batch normalisation of a trained network does.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._filters: list[np.ndarray | None] = []
        channels = 1
        for item in LAYOUT:
            if isinstance(item, int):
                shape = (3, 3, channels, item)
                self._filters.append(_he(rng, shape, 9 * channels))
                channels = item
            else:
                self._filters.append(None)
        flat = (96 // 16) * (64 // 16) * channels
        self._dense = [
            _he(rng, (flat, HIDDEN), flat),
            _he(rng, (HIDDEN, HIDDEN), HIDDEN),
            _he(rng, (HIDDEN, 1), HIDDEN),
        ]

    def probabilities(self, clips: np.ndarray) -> np.ndarray:
        """Return the probability of each clip of 0.96 s, shape (N,); clips: (N, 15360)."""
        x = log_mel(clips, pad=True)
        x = x - x.mean(axis=(1, 2), keepdims=True)
        x = x / np.maximum(x.std(axis=(1, 2), keepdims=True), 1e-6)
        x = x[..., None]
        for filters in self._filters:
            x = _pooled(x) if filters is None else np.maximum(_convolved(x, filters), 0.0)
        x = x.reshape(len(x), -1)
        for weights in self._dense[:-1]:
            x = np.maximum(x @ weights, 0.0)
        return 1.0 / (1.0 + np.exp(-np.clip((x @ self._dense[-1])[:, 0], -30.0, 30.0)))

    def read(self, heard: Sequence[HeardWindow]) -> list[NearWallReading]:
        """Return a reading a window, as a detector's session does: the mean over its clips."""
        return [self._reading(item) for item in heard]

    def _reading(self, heard: HeardWindow) -> NearWallReading:
        window = heard.window
        fault = window_fault(window)
        if fault:
            return NearWallReading.invalid(heard.side, window.start_ns, window.end_ns, fault)
        starts = clip_starts(len(window.samples))
        p = self.probabilities(clip_batch(window.samples, starts))
        return NearWallReading(
            heard.side,
            float(p.mean()),
            window.start_ns,
            window.end_ns,
            float(p.std()),
            CLIPS_PER_WINDOW,
        )


def _he(rng: np.random.Generator, shape: tuple[int, ...], inputs: int) -> np.ndarray:
    return (math.sqrt(2.0 / inputs) * rng.standard_normal(shape)).astype(np.float32)


def _convolved(x: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Return x (N, H, W, C) under filters (3, 3, C, K), edges padded with 0."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    views = sliding_window_view(padded, (1, 3, 3, 1))[..., 0, :, :, 0]
    said: np.ndarray = np.einsum('nhwcij,ijck->nhwk', views, filters, optimize=True)
    return said


def _pooled(x: np.ndarray) -> np.ndarray:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))
