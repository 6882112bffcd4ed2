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

"""Images to learn from: read, squeezed to one size, kept in memory, changed at random."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
import torch

from quiet_nav.files.images import read_rgb
from quiet_nav.learning.recipe import ImageRecipe

#: Pixels across and down of what networks see (the authors' ``img_size``).
IMAGE_SIZE = 224
#: Mean and standard deviation of ImageNet's RGB, values 0 to 1 (the authors' ``Normalize``).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def squeeze(pixels: np.ndarray, size: int = IMAGE_SIZE) -> np.ndarray:
    """
    Return all of an image, uint8 (h, w, 3), at size x size pixels, whatever its shape was.

    Bilinear with antialiasing, as the authors' ``Resize((224, 224))`` of a PIL image: nothing is
    cut off, since a wall's distance is told by what is seen at the edges, too.
    Source: IFICL/structure-from-silence, data/audio_base_loader.py, generate_vision_transform.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """Return uint8 (h, w, 3) as a uint8 tensor (3, h, w), as batches carry images."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def normalize(images: torch.Tensor) -> torch.Tensor:
    """Return uint8 images (N, 3, h, w) as what networks take: float32 with ImageNet's moments."""
    mean = 255.0 * torch.tensor(MEAN, device=images.device)[:, None, None]
    std = 255.0 * torch.tensor(STD, device=images.device)[:, None, None]
    return (images.float() - mean) / std


class ImageCache:
    """Squeezed images kept in memory as uint8, the oldest dropped beyond a budget."""

    def __init__(self, megabytes: int, size: int = IMAGE_SIZE) -> None:
        self.budget = megabytes * 2**20
        self.size = size
        self.used = 0
        self.kept: OrderedDict[Path, np.ndarray] = OrderedDict()

    def read(self, path: Path) -> np.ndarray:
        """Return uint8 RGB, shape (size, size, 3); errors as ``read_rgb``."""
        image = self.kept.get(path)
        if image is None:
            image = self.load(path)
            self.kept[path] = image
            self.used += image.nbytes
            while self.used > self.budget and len(self.kept) > 1:
                self.used -= self.kept.popitem(last=False)[1].nbytes
        return image

    def load(self, path: Path) -> np.ndarray:
        """Return an image that is not in memory, squeezed."""
        return squeeze(read_rgb(path), self.size)


class ImageAugment:
    """
    Changes an image as a recipe says; every draw comes from the generator given.

    None of them changes whether a wall is near: mirroring, blur, exposure, contrast, color and
    noise, and a crop of a few percent, no more than cameras of one type differ in focal length.
    """

    def __init__(self, recipe: ImageRecipe) -> None:
        self.recipe = recipe

    def __call__(self, rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
        """Return uint8 of the same shape (h, w, 3)."""
        r = self.recipe
        image = Image.fromarray(pixels)
        if r.crop < 1.0:
            image = _crop(rng, image, r.crop)
        if rng.random() < r.flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if rng.random() < r.blur:
            radius = rng.uniform(*r.blur_sigma) * pixels.shape[0] / IMAGE_SIZE
            image = image.filter(ImageFilter.GaussianBlur(radius))
        if r.color > 0.0:
            image = ImageEnhance.Color(image).enhance(1.0 + r.color * rng.uniform(-1.0, 1.0))
        changed = np.asarray(image)
        if r.exposure > 0.0 or r.noise > 0.0 or r.contrast > 0.0:
            changed = _develop(rng, changed, r)
        return changed


def _crop(rng: np.random.Generator, image: Image.Image, least: float) -> Image.Image:
    """Cut off at most 1 - least of width and height, alike, and enlarge what is left."""
    size = image.size
    share = rng.uniform(least, 1.0)
    width, height = (share * n for n in size)
    left, top = rng.uniform(0.0, size[0] - width), rng.uniform(0.0, size[1] - height)
    box = (left, top, left + width, top + height)
    return image.resize(size, Image.Resampling.BILINEAR, box=box)


def _develop(rng: np.random.Generator, pixels: np.ndarray, r: ImageRecipe) -> np.ndarray:
    """Draw exposure (a factor), contrast (around the mean), tint (a channel) and noise."""
    stops = r.exposure * rng.uniform(-1.0, 1.0)
    tint = 1.0 + 0.3 * r.color * rng.uniform(-1.0, 1.0, 3)
    gain = np.float32(2.0**stops) * tint.astype(np.float32)
    changed = pixels * gain
    if r.contrast > 0.0:
        mean = changed.mean()
        changed = mean + (changed - mean) * np.float32(1.0 + r.contrast * rng.uniform(-1.0, 1.0))
    if r.noise > 0.0:
        sigma = np.float32(rng.uniform(0.0, r.noise))
        changed += sigma * rng.standard_normal(changed.shape, dtype=np.float32)
    return np.clip(np.rint(changed), 0.0, 255.0).astype(np.uint8)
