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

from collections.abc import Iterable
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.files.renames import as_now
from quiet_nav.files.schema import checked, file_format, Name
from quiet_nav.files.yaml_files import read_yaml

#: Figure of a detector's validation, as it is logged, that picks the best epoch.
MONITOR = 'val/ap'
#: What ``optim.precision`` may be: auto, or one of Lightning's.
PRECISIONS = ('auto', '32-true', 'bf16-mixed')
SCHEDULES = ('cosine', 'constant', 'one-cycle')

#: Nothing in a recipe is as large.
_Real = Annotated[float, Field(ge=-1e6, le=1e6)]
_Whole = Annotated[int, Field(ge=0, le=2**32)]


@file_format
@dataclass(frozen=True)
class NetworkRecipe:
    """Which network."""

    #: As registered in ``kinds``.
    kind: str = 'vggish'
    #: Multiplies the network's channels; 1 is the published size.
    width: _Real = 1.0
    #: Whether the distance to the wall is learned, too.
    distance: bool = True
    #: What the kind's own network takes beside that.
    options: dict[str, Any] = field(default_factory=dict)


@file_format
@dataclass(frozen=True)
class OptimRecipe:
    """Optimizer, schedule and loss; the defaults are the paper's (section 4)."""

    #: sgd (with momentum) or adamw.
    name: str = 'sgd'
    #: At the first step.
    learning_rate: _Real = 1e-3
    #: Of SGD.
    momentum: _Real = 0.9
    #: L2 penalty of all weights.
    weight_decay: _Real = 5e-4
    #: How the rate falls over the epochs: cosine, constant or one-cycle (rises first).
    schedule: str = 'cosine'
    #: Passes over the data.
    epochs: _Whole = 100
    #: Examples a step.
    batch_size: _Whole = 256
    #: Lightning's, or auto: what the processor computes with (``learning.precision``).
    precision: str = 'auto'
    #: Weight of a positive in the near-wall loss; None: negatives over positives of the list.
    positive_weight: _Real | None = None
    #: Of the loss of distances, beside that of near walls.
    distance_weight: _Real = 0.5


@file_format
@dataclass(frozen=True)
class AugmentRecipe:
    """What is drawn anew for every training example."""

    #: Range of a factor on the waveform (the paper's 0.5 to 1.5), clipped to full scale.
    amplitude: tuple[_Real, _Real] = (0.5, 1.5)
    #: Range in decibels, added to that.
    gain_db: tuple[_Real, _Real] = (0.0, 0.0)
    #: Folder of audio files with events to mix in; None for none.
    distractors: str | None = None
    #: Share of examples with such an event.
    distractor_probability: _Real = 0.0
    #: Range of the ambience over the event, dB.
    distractor_snr_db: tuple[_Real, _Real] = (0.0, 30.0)
    #: Share of examples with a run of mel bands hidden.
    band_mask_probability: _Real = 0.0
    #: Most mel bands in such a run.
    band_mask_bands: _Whole = 16
    #: Probability that each context is withheld.
    context_drop: _Real = 0.0


@file_format
@dataclass(frozen=True)
class ImageRecipe:
    """
    How images are seen, and what is drawn anew for every training example.

    The defaults are the authors' (their public code, ``--aug_img``).
    """

    #: Pixels across and down that an image is squeezed to.
    size: _Whole = 224
    #: Probability of mirroring left and right.
    flip: _Real = 0.5
    #: Probability of a Gaussian blur.
    blur: _Real = 0.5
    #: Range of its standard deviation, pixels of 224.
    blur_sigma: tuple[_Real, _Real] = (0.1, 2.0)
    #: Least share of width and height that is kept; 1 for all of it.
    crop: _Real = 1.0
    #: Most stops, either way; 0 for none.
    exposure: _Real = 0.0
    #: Most change of contrast, as a share; 0 for none.
    contrast: _Real = 0.0
    #: Most change of saturation and of each channel, as a share; 0 for none.
    color: _Real = 0.0
    #: Most standard deviation of noise, gray values of 255; 0 for none.
    noise: _Real = 0.0


@file_format
@dataclass(frozen=True)
class DataRecipe:
    """How the data are visited."""

    #: How often every place is visited in an epoch.
    repeat: _Whole = 10
    #: Loader processes; 0: the training's own.
    workers: _Whole = 0
    #: Sound kept in memory, megabytes a process.
    cache_mb: _Whole = 1024
    #: The lists' test rooms train, too: for a detector that is tested on other data.
    test_rooms: bool = False


@file_format
@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training gives, but for the data."""

    #: What it is called in cards and messages.
    name: Name = 'paper'
    #: Of all that is drawn: weights, order, augmentation.
    seed: _Whole = 0
    #: Which network.
    network: NetworkRecipe = NetworkRecipe()
    #: How its weights are found.
    optim: OptimRecipe = OptimRecipe()
    #: How sound is changed at random.
    augment: AugmentRecipe = AugmentRecipe()
    #: How images are, for networks that see.
    image: ImageRecipe = ImageRecipe()
    #: How often places are visited.
    data: DataRecipe = DataRecipe()


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe; QuietNavError names the file, the key and what was expected."""
    where = f'recipe {path}'
    return recipe_from_dict(read_yaml(path, where) or {}, where)


def recipe_from_dict(raw: object, where: str = 'recipe') -> Recipe:
    """Build a recipe from what the YAML or a checkpoint holds; same errors."""
    recipe = checked(Recipe, as_now(raw), where)
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


def refuse_bad_recipe(name: str, kinds: Iterable[str]) -> None:
    """
    Raise QuietNavError where a recipe cannot be read or is of none of the kinds; without torch.

    name: as for ``recipe_file``; also the first part of names (``small`` of ``small_pair``).
    """
    if any(known.startswith(f'{name}_') for known in resources.names(resources.RECIPE)):
        return
    recipe, known = load_recipe(recipe_file(name)), list(kinds)
    if recipe.network.kind not in known:
        raise QuietNavError(
            f'recipe {recipe.name}: network kind {recipe.network.kind!r} is none of '
            f'{", ".join(known)}'
        )
