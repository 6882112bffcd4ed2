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

"""Training recipes: typed dataclasses read from YAML, unknown keys and wrong types refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.files.schema import checked, file_format, Name
from quiet_nav.files.yaml_files import read_yaml

#: Figure of a detector's validation, as it is logged, that picks the best epoch.
MONITOR = 'val/ap'
#: Nothing in a recipe is as large.
#: What ``optim.precision`` may be: auto, or one of Lightning's.
PRECISIONS = ('auto', '32-true', 'bf16-mixed')
SCHEDULES = ('cosine', 'constant', 'one-cycle')

_Real = Annotated[float, Field(ge=-1e6, le=1e6)]
_Whole = Annotated[int, Field(ge=0, le=2**32)]


@file_format
@dataclass(frozen=True)
class NetworkRecipe:
    """
    Which network: ``kind`` as registered in ``kinds``; width multiplies its channels.

    options: what the kind's own network takes beside that.
    """

    kind: str = 'vggish'
    width: _Real = 1.0
    distance: bool = True
    options: dict[str, Any] = field(default_factory=dict)


@file_format
@dataclass(frozen=True)
class OptimRecipe:
    """Optimizer, schedule and loss; the defaults are the paper's (section 4)."""

    name: str = 'sgd'
    learning_rate: _Real = 1e-3
    momentum: _Real = 0.9
    weight_decay: _Real = 5e-4
    schedule: str = 'cosine'
    epochs: _Whole = 100
    batch_size: _Whole = 256
    #: Lightning's, or auto: what the processor computes with (``learning.precision``).
    precision: str = 'auto'
    #: Weight of a positive in the near-wall loss; None: negatives over positives of the list.
    positive_weight: _Real | None = None
    distance_weight: _Real = 0.5


@file_format
@dataclass(frozen=True)
class AugmentRecipe:
    """
    What is drawn anew for every training example.

    amplitude: range of a factor (the paper's 0.5-1.5, clipped to full scale). gain_db: range in
    decibels added to that. distractor_*: events from a folder of audio files, mixed with a
    probability at a range of ambient-to-event ratios. band_mask_*: a run of up to so many mel
    bands hidden with a probability. context_drop: probability that each context is withheld.
    """

    amplitude: tuple[_Real, _Real] = (0.5, 1.5)
    gain_db: tuple[_Real, _Real] = (0.0, 0.0)
    distractors: str | None = None
    distractor_probability: _Real = 0.0
    distractor_snr_db: tuple[_Real, _Real] = (0.0, 30.0)
    band_mask_probability: _Real = 0.0
    band_mask_bands: _Whole = 16
    context_drop: _Real = 0.0


@file_format
@dataclass(frozen=True)
class ImageRecipe:
    """
    How images are seen, and what is drawn anew for every training example.

    size: pixels across and down that an image is squeezed to. flip: probability of mirroring.
    blur: probability, blur_sigma: pixels of 224. The defaults are the authors' (their public
    code, ``--aug_img``). crop: least share of width and height that is kept. exposure: stops,
    contrast, colour: shares, noise: gray values of 255; each drawn up to that, 0 for none.
    """

    size: _Whole = 224
    flip: _Real = 0.5
    blur: _Real = 0.5
    blur_sigma: tuple[_Real, _Real] = (0.1, 2.0)
    crop: _Real = 1.0
    exposure: _Real = 0.0
    contrast: _Real = 0.0
    colour: _Real = 0.0
    noise: _Real = 0.0


@file_format
@dataclass(frozen=True)
class DataRecipe:
    """
    How often every place is visited in an epoch, and with how many loader processes.

    test_rooms: the lists' test rooms train, too: for a detector that is tested on other data.
    """

    repeat: _Whole = 10
    workers: _Whole = 0
    cache_mb: _Whole = 1024
    test_rooms: bool = False


@file_format
@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training gives, but for the data."""

    name: Name = 'paper'
    seed: _Whole = 0
    network: NetworkRecipe = NetworkRecipe()
    optim: OptimRecipe = OptimRecipe()
    augment: AugmentRecipe = AugmentRecipe()
    image: ImageRecipe = ImageRecipe()
    data: DataRecipe = DataRecipe()


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe; QuietNavError names the file, the key and what was expected."""
    where = f'recipe {path}'
    return recipe_from_dict(read_yaml(path, where) or {}, where)


def recipe_from_dict(raw: object, where: str = 'recipe') -> Recipe:
    """Build a recipe from what the YAML or a checkpoint holds; same errors."""
    recipe = checked(Recipe, raw, where)
    checks = {
        'optim.epochs': recipe.optim.epochs >= 1,
        'optim.batch_size': recipe.optim.batch_size >= 1,
        'optim.learning_rate': recipe.optim.learning_rate > 0,
        'network.width': 0 < recipe.network.width <= 4,
        'data.repeat': recipe.data.repeat >= 1,
        'augment.amplitude': 0 < recipe.augment.amplitude[0] <= recipe.augment.amplitude[1],
        'image.size': 32 <= recipe.image.size <= 1024,
        'image.crop (0.5 to 1)': 0.5 <= recipe.image.crop <= 1.0,
        'optim.name (sgd, adamw)': recipe.optim.name in ('sgd', 'adamw'),
        f'optim.precision ({", ".join(PRECISIONS)})': recipe.optim.precision in PRECISIONS,
        f'optim.schedule ({", ".join(SCHEDULES)})': recipe.optim.schedule in SCHEDULES,
        'augment.distractors (needed by distractor_probability)': recipe.augment.distractors
        is not None
        or recipe.augment.distractor_probability == 0,
    }
    wrong = [name for name, good in checks.items() if not good]
    if wrong:
        raise QuietNavError(f'{where}: out of range: {", ".join(wrong)}')
    return recipe


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Return plain lists, dicts and numbers, as a checkpoint keeps them."""
    return _plain(dataclasses.asdict(recipe))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def recipe_file(name: str) -> Path:
    """Return the file of a recipe given by path or by name in ``config/learning``."""
    return resources.find(resources.RECIPE, name)
