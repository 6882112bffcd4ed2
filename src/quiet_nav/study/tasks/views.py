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

from collections import OrderedDict
from collections.abc import Callable
import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file
from quiet_nav.learning.augment import Augment
from quiet_nav.learning.detectors.resnet.images import ImageAugment, ImageCache, to_tensor
from quiet_nav.learning.detectors.vggish.data import AudioCache
from quiet_nav.learning.recipe import Recipe
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import duration_s, read_audio
from quiet_nav.sound.logmel import HOP_SAMPLES, log_mel, MEL_BANDS, mel_centres_hz
from quiet_nav.sound.windows import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE
from quiet_nav.study.tasks.options import TaskOptions

CLIP_FRAMES = CLIP_SAMPLES // HOP_SAMPLES
FRAMES_PER_S = SAMPLE_RATE // HOP_SAMPLES
#: Folder beside ``ProcessedData`` that keeps log-mels and squeezed images.
CACHE = '.views'
_NEPERS_PER_DB = np.log(10.0) / 10.0
#: Bands at which a random equalizer is drawn; between them it is straight.
_KNOTS = 9
#: Nepers: bands that hardly change in a room are not blown up.
_LEAST_SPREAD = 0.05

#: Changes a clip's waveform (15360,); called with the row, too.
Change = Callable[[Row, np.ndarray], np.ndarray]


class LogMels:
    """
    Log-mels of whole recordings, computed once, kept on disk as float16 and in memory.

    A clip cut out of one differs from the log-mel of the clip alone in its first and last frame
    only (neighbors there, mirrored audio here).
    """

    def __init__(self, megabytes: int) -> None:
        self.budget, self.used = megabytes * 2**20, 0
        self.kept: OrderedDict[tuple[Path, int], np.ndarray] = OrderedDict()

    def whole(self, row: Row) -> np.ndarray:
        """Return float16, shape (frames, 64), of a row's recording, at least one clip long."""
        key = (row.audio, row.channel)
        found = self.kept.get(key)
        if found is None:
            found = self._load(row)
            self.kept[key] = found
            self.used += found.nbytes
            while self.used > self.budget and len(self.kept) > 1:
                self.used -= self.kept.popitem(last=False)[1].nbytes
        return found

    def clip(self, row: Row, start_s: float) -> np.ndarray:
        """Return float32, shape (96, 64), of the 0.96 s from the 10 ms at which it starts."""
        whole = self.whole(row)
        first = min(max(round(start_s * FRAMES_PER_S), 0), len(whole) - CLIP_FRAMES)
        return whole[first : first + CLIP_FRAMES].astype(np.float32)

    def _load(self, row: Row) -> np.ndarray:
        def make() -> np.ndarray:
            length = max(duration_s(row), CLIP_S)
            return log_mel(read_audio(row, 0.0, length), pad=True).astype(np.float16)

        return _on_disk(row.audio, f'log-mel{row.channel}', make)


class KeptImages(ImageCache):
    """Images kept on the disk as they are squeezed: to read a PNG takes longer than to learn."""

    def load(self, path: Path) -> np.ndarray:
        squeezed = super().load
        return _on_disk(path, f'image{self.size}', lambda: squeezed(path))


def _on_disk(path: Path, what: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """
    Return what was made of a file, kept beside ``ProcessedData`` until the file changes.

    Where that cannot be written to, memory alone keeps it.
    """
    above = next((up for up in path.parents if up.name == 'ProcessedData'), None)
    if above is None:
        return make()
    stat = path.stat()
    name = '-'.join(path.relative_to(above).with_suffix('').parts)
    kept = above.parent / CACHE / f'{name}-{what}-{stat.st_size:x}-{stat.st_mtime_ns:x}.npy'
    with contextlib.suppress(OSError, ValueError, EOFError):
        return np.load(kept, allow_pickle=False)
    found = make()
    with contextlib.suppress(QuietNavError), whole_file(kept, overwrite=True) as part:
        np.save(part, found)
    return found


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
        centres = mel_centres_hz()
        low, high = self.options.band_hz
        self.band = (centres >= low) & (centres <= high)
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
        factor = rng.uniform(*r.amplitude) * 10.0 ** (rng.uniform(*r.gain_db) / 20.0)
        clips += np.float32(2.0 * np.log(factor))
        if self.options.equaliser_db > 0.0:
            knots = rng.normal(0.0, self.options.equaliser_db * _NEPERS_PER_DB, _KNOTS)
            bands = np.linspace(0.0, _KNOTS - 1.0, MEL_BANDS)
            clips += np.interp(bands, np.arange(_KNOTS), knots).astype(np.float32)
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


def hide_bands(clips: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """
    Return log-mels (V, T, 64) whose bands not in ``keep`` (64,) have each clip's mean level.

    The mean is that of the bands kept: what is hidden says nothing.
    """
    if keep.all():
        return clips
    mean = clips[..., keep].mean(axis=(1, 2), keepdims=True) if keep.any() else np.float32(0.0)
    return np.where(keep, clips, mean)
