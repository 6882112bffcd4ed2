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

"""Training examples of one image each, drawn the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from quiet_nav.errors import QuietNavError
from quiet_nav.learning.detectors.resnet.images import ImageAugment, ImageCache, to_tensor
from quiet_nav.learning.recipe import Recipe
from quiet_nav.learning.row_dataset import distance_bin, RowDataset
from quiet_nav.quiet_campus.lists import image_rows, load_splits, Row
from quiet_nav.quiet_campus.rows import with_distance


class ImageDataset(RowDataset, Dataset):
    """
    Rows as images: dicts of ``image`` uint8 (3, size, size), ``near``, ``distance_bin``.

    Items are asked for as (epoch, index): what is drawn depends on seed, epoch and index alone.
    """

    def __init__(self, rows: Sequence[Row], recipe: Recipe, training: bool) -> None:
        self.rows = [with_distance(row) for row in image_rows(rows)]
        if not self.rows:
            raise QuietNavError('no rows with an image and a near-wall label to learn from')
        self.repeat = recipe.data.repeat if training else 1
        self.seed = recipe.seed
        self.augment = ImageAugment(recipe.image) if training else None
        self.cache = ImageCache(recipe.data.cache_mb, recipe.image.size)

    def __getitem__(self, item: tuple[int, int] | int) -> dict[str, torch.Tensor]:
        epoch, index = item if isinstance(item, tuple) else (0, item)
        row = self.rows[index % len(self.rows)]
        pixels = self.cache.read(row.image)
        if self.augment is not None:
            pixels = self.augment(np.random.default_rng([self.seed, epoch, index]), pixels)
        return {
            'image': to_tensor(pixels),
            'near': torch.tensor(float(row.near)),
            'distance_bin': torch.tensor(distance_bin(row.distance_m)),
            'index': torch.tensor(index),
        }


def image_datasets(data: str | Path, recipe: Recipe) -> tuple[ImageDataset, ImageDataset]:
    """Return training and validation examples of a data set in the Quiet Campus layout."""
    splits = load_splits(data, needs=('image',))
    rows = (*splits.train, *splits.test) if recipe.data.test_rooms else splits.train
    return ImageDataset(rows, recipe, True), ImageDataset(splits.val, recipe, False)
