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

"""Training examples of one clip each (the paper's setting), drawn the same for the same seed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
import math
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from quiet_nav.errors import QuietNavError
from quiet_nav.learning.augment import Augment, hide_bands
from quiet_nav.learning.detectors.vggish.options import VggishOptions
from quiet_nav.learning.log_mels import CLIP_FRAMES, FRAMES_PER_S, LogMels
from quiet_nav.learning.recipe import Recipe
from quiet_nav.learning.row_dataset import distance_bin, RowDataset
from quiet_nav.quiet_campus.lists import campuses, load_splits, Row, SPLITS, Splits
from quiet_nav.quiet_campus.rows import duration_s, read_audio
from quiet_nav.sound.logmel import MEL_BANDS
from quiet_nav.sound.windows import CLIP_S, CLIP_SAMPLES, SAMPLE_RATE


class AudioCache:
    """Whole recordings kept in memory as float32, the oldest dropped beyond a budget."""

    def __init__(self, megabytes: int) -> None:
        self.budget = megabytes * 2**20
        self.used = 0
        self.kept: OrderedDict[tuple[Path, int], np.ndarray] = OrderedDict()

    def read(self, row: Row, start_s: float, samples: int) -> np.ndarray:
        """Return float32 samples, shape (samples,), as ``read_audio`` does."""
        key = (row.audio, row.channel)
        whole = self.kept.get(key)
        if whole is None:
            whole = read_audio(row, 0.0, duration_s(row))
            self.kept[key] = whole
            self.used += whole.nbytes
            while self.used > self.budget and len(self.kept) > 1:
                self.used -= self.kept.popitem(last=False)[1].nbytes
        start = min(max(round(start_s * SAMPLE_RATE), 0), max(len(whole) - samples, 0))
        piece = whole[start : start + samples]
        return piece if len(piece) == samples else np.resize(piece, samples)


class ClipDataset(RowDataset, Dataset):
    """
    Rows as clips: dicts of ``audio`` (15360,), ``near``, ``distance_bin``, ``keep`` (64,).

    Items are asked for as (epoch, index): what is drawn depends on seed, epoch and index alone,
    never on which process draws or what came before. In training a clip begins anywhere in the
    recording unless the row says where; otherwise at the row's start or in the middle.
    """

    def __init__(self, rows: Sequence[Row], recipe: Recipe, training: bool) -> None:
        self.rows = [row for row in rows if row.near is not None]
        if not self.rows:
            raise QuietNavError('no rows with a near-wall label to learn from')
        self.training = training
        self.repeat = recipe.data.repeat if training else 1
        self.seed = recipe.seed
        self.augment = Augment(recipe.augment) if training else None
        self.cache = AudioCache(recipe.data.cache_mb)
        self.lengths: dict[Path, float] = {}

    def __getitem__(self, item: tuple[int, int] | int) -> dict[str, torch.Tensor]:
        epoch, index = item if isinstance(item, tuple) else (0, item)
        row = self.rows[index % len(self.rows)]
        rng = np.random.default_rng([self.seed, epoch, index])
        audio = self.cache.read(row, self.start_s(row, rng), CLIP_SAMPLES)
        keep = np.ones(MEL_BANDS, np.float32)
        if self.augment is not None:
            audio = self.augment.waveform(rng, audio)
            keep = self.augment.keep_bands(rng, MEL_BANDS)
        return {
            'audio': torch.from_numpy(np.ascontiguousarray(audio, np.float32)),
            'keep': torch.from_numpy(keep)[None],
            'near': torch.tensor(float(row.near)),
            'distance_bin': torch.tensor(distance_bin(row.distance_m)),
            'index': torch.tensor(index),
        }

    def start_s(self, row: Row, rng: np.random.Generator) -> float:
        """Return where the clip begins."""
        if row.start_s is not None:
            return row.start_s
        if row.audio not in self.lengths:
            self.lengths[row.audio] = duration_s(row)
        room = max(self.lengths[row.audio] - CLIP_S, 0.0)
        return rng.uniform(0.0, room) if self.training else room / 2.0


class EpochSampler(Sampler):
    """
    Gives (epoch, index) in an order that seed and epoch decide, shared out over processes.

    Lightning tells it the epoch, after a resume as well, so an interrupted training goes on with
    the examples that an uninterrupted one would have had.
    """

    def __init__(self, length: int, seed: int, shuffle: bool) -> None:
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return math.ceil(self.length / self._world()[1])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        rank, world = self._world()
        # Every process takes as many: the order is wrapped to a multiple of their number.
        order = np.resize(order, len(self) * world)[rank::world]
        epoch = self.epoch if self.shuffle else 0
        return iter([(epoch, int(index)) for index in order])

    @staticmethod
    def _world() -> tuple[int, int]:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.distributed.get_rank(), torch.distributed.get_world_size()
        return 0, 1


class LogMelDataset(RowDataset, Dataset):
    """
    Places as clips of log-mel: dicts of ``log_mel`` (96, 64), ``near``, ``distance_bin``.

    A place's recording of one ear is visited ``repeat`` times an epoch, however often the lists
    name it. Asked for and drawn as by ``ClipDataset``; gain, equalizer and hidden bands act on the
    log-mel itself. Raises QuietNavError where the recipe mixes in distractors.
    """

    def __init__(self, rows: Sequence[Row], recipe: Recipe, training: bool) -> None:
        once: dict[tuple[Path, int], Row] = {}
        for row in rows:
            if row.near is not None:
                once.setdefault((row.audio, row.channel), row)
        self.rows = list(once.values())
        if not self.rows:
            raise QuietNavError('no rows with a near-wall label to learn from')
        if recipe.augment.distractor_probability > 0.0:
            raise QuietNavError(
                f'recipe {recipe.name}: distractors need waveforms; expected log_mels: false'
            )
        self.training, self.seed = training, recipe.seed
        self.repeat = recipe.data.repeat if training else 1
        self.augment = Augment(recipe.augment) if training else None
        self.equalizer_db = VggishOptions.of(recipe.network).equalizer_db
        self.log_mels = LogMels(recipe.data.cache_mb)

    def __getitem__(self, item: tuple[int, int] | int) -> dict[str, torch.Tensor]:
        epoch, index = item if isinstance(item, tuple) else (0, item)
        row = self.rows[index % len(self.rows)]
        rng = np.random.default_rng([self.seed, epoch, index])
        free = len(self.log_mels.whole(row)) - CLIP_FRAMES
        first = int(rng.integers(free + 1)) if self.training else free // 2
        clip = self.log_mels.clip(row, first / FRAMES_PER_S)
        if self.augment is not None:
            clip = clip + self.augment.level(rng, MEL_BANDS, self.equalizer_db)
            clip = hide_bands(clip[None], self.augment.keep_bands(rng, MEL_BANDS) > 0.0)[0]
        return {
            'log_mel': torch.from_numpy(np.ascontiguousarray(clip, np.float32)),
            'near': torch.tensor(float(row.near)),
            'distance_bin': torch.tensor(distance_bin(row.distance_m)),
            'index': torch.tensor(index),
        }


def clip_datasets(
    data: str | Path, recipe: Recipe
) -> tuple[ClipDataset | LogMelDataset, ClipDataset | LogMelDataset]:
    """
    Return training and validation examples of a data set in the Quiet Campus layout.

    Those of log-mels: of every data set in the folder, or one folder down, static rooms and
    robots' alike.
    """
    if not VggishOptions.of(recipe.network).log_mels:
        splits = load_splits(data)
        return ClipDataset(splits.train, recipe, True), ClipDataset(splits.val, recipe, False)
    splits = all_splits(data)
    train = (*splits.train, *splits.test) if recipe.data.test_rooms else splits.train
    return LogMelDataset(train, recipe, True), LogMelDataset(splits.val, recipe, False)


def all_splits(data: str | Path) -> Splits:
    """Return the splits of every data set in a folder, or one folder down, joined."""
    rows: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for folder, subset in campuses(Path(data)):
        found = load_splits(folder, subset)
        for split in rows:
            rows[split] += found[split]
    return Splits(**{split: tuple(found) for split, found in rows.items()})
