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

"""How loud sound is and how much of it is clipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A sample at or beyond this share of full scale counts as clipped.
CLIP_LEVEL = 0.999
FLOOR_DBFS = -200.0


def level_dbfs(samples: np.ndarray, axis: int = 0) -> np.ndarray | float:
    """
    Return the RMS level without its mean, in dB relative to full scale 1.0.

    A full-scale square wave has 0 dBFS, a full-scale sine -3.01 dBFS; nothing is below -200 dBFS.
    samples: any shape, reduced along ``axis``; empty ones are at -200 dBFS.
    """
    samples = np.asarray(samples, np.float64)
    if samples.shape[axis] == 0:
        power = np.zeros(np.delete(samples.shape, axis))
    else:
        power = samples.var(axis=axis)
    return 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DBFS / 10.0)))


def is_clipped(samples: np.ndarray) -> np.ndarray:
    """Return where samples are at full scale: bool, same shape."""
    return np.abs(samples) >= CLIP_LEVEL


@dataclass(frozen=True)
class LevelReport:
    """What a LevelMeter saw: frames, level (dBFS) and clipped share, one a channel."""

    frames: int
    level_dbfs: tuple[float, ...]
    clipped: tuple[float, ...]


class LevelMeter:
    """Gather level and clipping chunk by chunk, so that a report can be made now and then."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._start()

    def _start(self) -> None:
        self._frames = 0
        self._sum, self._squares, self._clipped = np.zeros((3, self._channels))

    def add(self, frames: np.ndarray) -> None:
        """Take float samples of shape (frames, channels), full scale 1.0; NaN counts as 0."""
        finite = np.nan_to_num(frames, nan=0.0, posinf=1.0, neginf=-1.0).astype(np.float64)
        self._frames += len(finite)
        self._sum += finite.sum(axis=0)
        self._squares += (finite * finite).sum(axis=0)
        self._clipped += is_clipped(finite).sum(axis=0)

    def report(self) -> LevelReport:
        """Return what was seen since the last report and begin afresh."""
        count = max(self._frames, 1)
        power = np.maximum(self._squares / count - (self._sum / count) ** 2, 1e-20)
        levels = np.maximum(10.0 * np.log10(power), FLOOR_DBFS)
        clipped = self._clipped / count
        report = LevelReport(self._frames, tuple(levels.tolist()), tuple(clipped.tolist()))
        self._start()
        return report
