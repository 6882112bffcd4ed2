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

"""Which kinds of detector can be trained: a name gives the network and its examples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from quiet_nav.errors import QuietNavError

if TYPE_CHECKING:
    from torch import nn
    from torch.utils.data import Dataset

    from quiet_nav.learning.recipe import NetworkRecipe, Recipe


@dataclass(frozen=True)
class Kind:
    """
    One kind of detector.

    network: builds it; ``network.from_batch(batch)`` returns ``Logits``.
    datasets: training and validation examples; an item is asked for as (epoch, index) and is a
    dict with at least ``near`` (float) and ``distance_bin`` (int, -1 unknown); the training set
    has ``positive_weight``.
    export: makes the module to be exported, its example inputs and names (``Exportable``).
    input: what it learns from, audio or image.
    """

    network: Callable[[NetworkRecipe], nn.Module]
    datasets: Callable[[Path, Recipe], tuple[Dataset, Dataset]]
    export: Callable[..., object]
    input: str = 'audio'


#: Dotted paths, imported when asked for.
KINDS = {
    'context': 'quiet_nav.learning.detectors.context.kind:KIND',
    'near_wall': 'quiet_nav.learning.detectors.near_wall.kind:KIND',
    'resnet': 'quiet_nav.learning.detectors.resnet.kind:KIND',
    'vggish': 'quiet_nav.learning.detectors.vggish.kind:KIND',
}


def kind_of(recipe: Recipe) -> Kind:
    """Return the kind that a recipe names, or raise QuietNavError with the known ones."""
    try:
        module, name = KINDS[recipe.network.kind].split(':')
    except KeyError:
        raise QuietNavError(f'recipe {recipe.name}: network kind {recipe.network.kind!r} is none '
                            f'of {", ".join(KINDS)}') from None  # fmt: skip
    return getattr(importlib.import_module(module), name)
