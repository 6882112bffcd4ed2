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
"""Training examples of the near-wall detector: batches drawn from the transfers of rooms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from quiet_nav.errors import QuietNavError
from quiet_nav.files.csv_files import read_csv
from quiet_nav.learning.detectors.context.data import context_datasets, ContextDataset
from quiet_nav.learning.detectors.context.spectra import FrontEnd
from quiet_nav.learning.detectors.near_wall.frontend import banded, cross_power, FrameSpectra
from quiet_nav.learning.detectors.near_wall.network import INPUTS
from quiet_nav.learning.detectors.near_wall.remix import Options, Remix
from quiet_nav.learning.recipe import Recipe
from quiet_nav.quiet_campus.folders import SUBSETS
from quiet_nav.quiet_campus.lists import find_lists, OBSTACLE, SPLITS
from quiet_nav.quiet_campus.transfers import FILE, RoomTransfers

SUBSET = SUBSETS['transfers']
#: Examples drawn of a place in an epoch, and in validation.
_A_PLACE, _VAL_A_PLACE = 16, 6


class NearWallDataset(Dataset):
    """Batches drawn from rooms; items are whole batches, drawn by (seed, epoch, index) alone."""

    whole_batches = True

    def __init__(
        self,
        rooms: Sequence[RoomTransfers],
        recipe: Recipe,
        training: bool,
        like: Remix | None = None,
    ) -> None:
        self.remix = Remix(rooms, recipe.seed, like)
        self.options = Options.of(recipe)
        self.seed, self.batch_size, self.training = recipe.seed, recipe.optim.batch_size, training
        repeat = _A_PLACE * recipe.data.repeat if training else _VAL_A_PLACE
        self.batches = max(1, self.remix.places * repeat // self.batch_size)

    def __len__(self) -> int:
        return self.batches

    @property
    def places(self) -> int:
        """How many places there are in all rooms."""
        return self.remix.places

    @property
    def positive_weight(self) -> float:
        """1: probabilities are to be calibrated, so classes keep their weight."""
        return 1.0

    def __getitem__(self, item: tuple[int, int] | int) -> dict[str, torch.Tensor]:
        epoch, index = item if isinstance(item, tuple) else (0, item)
        return self.draw(index, self.options, epoch)

    def draw(self, index: int, options: Options, epoch: int = 0) -> dict[str, torch.Tensor]:
        """Return a batch drawn with other options than the recipe's."""
        rng = np.random.default_rng([self.seed, int(self.training), epoch, index])
        drawn = self.remix.draw(rng, self.batch_size, options)
        return {
            name: torch.from_numpy(v.astype(np.float32 if v.dtype.kind == 'f' else v.dtype))
            for name, v in drawn.items()
        }


#: Of recordings, too, as the context detector learns from them.
FRONT = FrontEnd('near_wall', FrameSpectra, banded, cross_power)


def near_wall_datasets(
    data: str | Path, recipe: Recipe
) -> tuple[NearWallDataset, NearWallDataset] | tuple[ContextDataset, ContextDataset]:
    """
    Return training and validation batches of every SFS-Transfers in a folder, or one folder down.

    Where there is none: of the recordings there, SFS-Robot and SFS-Static, without fingerprints.
    """
    if not _roots(Path(data)):
        return context_datasets(data, recipe, FRONT, INPUTS)
    train, val = rooms_in(Path(data))
    learned = NearWallDataset(train, recipe, True)
    return learned, NearWallDataset(val, recipe, False, learned.remix)


def rooms_in(data: Path) -> tuple[list[RoomTransfers], list[RoomTransfers]]:
    """
    Return the rooms to train on and to validate with.

    Test rooms train, too: what the figures of a model rest on are rooms that are rendered to sound
    (``quiet_nav card``). Those of a campus that has no others (--test-only) validate.
    """
    rooms: dict[str, list[RoomTransfers]] = {'train': [], 'val': []}
    for root in _roots(data):
        listed = {
            split: [
                RoomTransfers.load(root / 'ProcessedData' / row['room'] / FILE)
                for _, row in read_csv(find_lists(root, OBSTACLE) / f'{split}.csv', ('room',))
            ]
            for split in SPLITS
        }
        learned = listed['train'] or listed['val']
        rooms['train' if learned else 'val'] += listed['test']
        for split in ('train', 'val'):
            rooms[split] += listed[split]
    if not rooms['train'] or not rooms['val']:
        raise QuietNavError(f'{data}: expected rooms to train on and rooms to validate with')
    return rooms['train'], rooms['val']


def _roots(data: Path) -> list[Path]:
    folders = [data, *sorted(p for p in data.iterdir() if p.is_dir())] if data.is_dir() else []
    return [f / SUBSET for f in folders if (f / SUBSET / 'ProcessedData').is_dir()]
