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

"""What goes into networks: clips cut out of log-mels computed once, and images squeezed once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quiet_nav.learning.augment import Augment, hide_bands
from quiet_nav.learning.detectors.resnet.images import ImageAugment, ImageCache, to_tensor
from quiet_nav.learning.detectors.vggish.data import AudioCache
from quiet_nav.learning.log_mels import LogMels, on_disk
from quiet_nav.learning.recipe import Recipe
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import duration_s
from quiet_nav.sound.logmel import log_mel, MEL_BANDS, mel_centers_hz
from quiet_nav.sound.windows import CLIP_S, CLIP_SAMPLES
from quiet_nav.study.tasks.options import TaskOptions

#: Nepers: bands that hardly change in a room are not blown up.
_LEAST_SPREAD = 0.05

#: Changes a clip's waveform (15360,); called with the row, too.
Change = Callable[[Row, np.ndarray], np.ndarray]


class KeptImages(ImageCache):
    """Images kept on the disk as they are squeezed: to read a PNG takes longer than to learn."""

    def load(self, path: Path) -> np.ndarray:
        squeezed = super().load
        return on_disk(path, f'image{self.size}', lambda: squeezed(path))


class Views:
    """
    Clips and images of rows as a recipe says; everything random comes from the generator given.

    change: makes clips anew from their waveform first (a distractor in evaluation). levels: of
    rooms by name, mean and spread of log-mels, 64 bands each: their sounds are standardized.
    """

    def __init__(
        self,
        recipe: Recipe,
        training: bool,
        change: Change | None = None,
        levels: dict[str, Any] | None = None,
    ) -> None:
        self.options = TaskOptions.of(recipe)
        self.recipe, self.training, self.change = recipe, training, change
        self.log_mels = LogMels(recipe.data.cache_mb)
        self.images = KeptImages(recipe.data.cache_mb, recipe.image.size)
        self.augment = Augment(recipe.augment) if training else None
        self.image_augment = ImageAugment(recipe.image) if training else None
        self.waves = AudioCache(recipe.data.cache_mb)
        self.lengths: dict[Path, float] = {}
        centers = mel_centers_hz()
        low, high = self.options.band_hz
        self.band = (centers >= low) & (centers <= high)
        self.levels = {
            room: (np.array(mean, np.float32), np.maximum(spread, _LEAST_SPREAD, dtype=np.float32))
            for room, (mean, spread) in (levels or {}).items()
        }

    def start_s(self, row: Row, rng: np.random.Generator) -> float:
        """Return where a row's clip begins: where it says, in training anywhere, else 0 s."""
        if row.start_s is not None:
            return row.start_s
        if not self.training:
            return 0.0
        if row.audio not in self.lengths:
            self.lengths[row.audio] = duration_s(row)
        free = max(self.lengths[row.audio] - CLIP_S, 0.0)
        if self.options.starts:
            return free * int(rng.integers(self.options.starts)) / max(self.options.starts - 1, 1)
        return rng.uniform(0.0, free)

    def sounds(self, rows: tuple[Row, ...], rng: np.random.Generator) -> torch.Tensor:
        """Return log-mels (V, 96, 64); gain, equalizer and hidden bands are those of all rows."""
        starts = [self.start_s(row, rng) for row in rows]
        if self.augment is None:
            clips = [self.plain(row, s) for row, s in zip(rows, starts, strict=True)]
            return torch.from_numpy(np.stack(clips))
        r = self.recipe.augment
        take = self._distracted if r.distractor_probability > 0.0 else self._clip
        clips = np.stack([take(row, s, rng) for row, s in zip(rows, starts, strict=True)])
        clips += self.augment.level(rng, MEL_BANDS, self.options.equalizer_db)
        clips = hide_bands(clips, self.band & (self.augment.keep_bands(rng, MEL_BANDS) > 0.0))
        return torch.from_numpy(np.ascontiguousarray(clips, np.float32))

    def plain(self, row: Row, start_s: float) -> np.ndarray:
        """Return the clip alone, (96, 64), nothing drawn: what evaluation and probes take."""
        if self.change is not None:
            clip = log_mel(self.change(row, self.waves.read(row, start_s, CLIP_SAMPLES)), pad=True)
        else:
            clip = self.log_mels.clip(row, start_s)
        return hide_bands(self._standard(row, clip)[None], self.band)[0]

    def seen(self, rows: tuple[Row, ...], rng: np.random.Generator) -> torch.Tensor:
        """Return uint8 images (V, 3, size, size)."""
        found = []
        for row in rows:
            pixels = self.images.read(row.image)
            if self.image_augment is not None and self.options.image_augment:
                pixels = self.image_augment(rng, pixels)
            found.append(to_tensor(pixels))
        return torch.stack(found)

    def _clip(self, row: Row, start_s: float, _rng: np.random.Generator) -> np.ndarray:
        return self._standard(row, self.log_mels.clip(row, start_s))

    def _standard(self, row: Row, clip: np.ndarray) -> np.ndarray:
        if row.room not in self.levels:
            return clip
        mean, spread = self.levels[row.room]
        return (clip - mean) / spread

    def _distracted(self, row: Row, start_s: float, rng: np.random.Generator) -> np.ndarray:
        wave = self.augment.distracted(rng, self.waves.read(row, start_s, CLIP_SAMPLES))
        return self._standard(row, log_mel(wave, pad=True))
