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

"""What ``recipe.network.options`` may say of a task's network and examples."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from quiet_nav.errors import QuietNavError
from quiet_nav.files.schema import checked, file_format
from quiet_nav.learning.recipe import Recipe

KIND = 'task'
#: A trunk that stays as it was drawn.
RANDOM = 'random'


@file_format
@dataclass(frozen=True)
class TaskOptions:
    """Beside ``network.width`` (of VGGish); every one may be set by name."""

    #: Multiplies the channels of ResNet-18.
    image_width: float = 1.0
    #: Change images at random as ``recipe.image`` says.
    image_augment: bool = False
    #: The trunks stay as they are; a linear layer on their mean features learns.
    probe: bool = False
    #: So many places of a recording that a clip may begin at, evenly spread; 0 for anywhere.
    starts: int = 0
    #: Of a classification.
    bins: int = 8
    #: Most examples an epoch, drawn anew every epoch; 0 for all.
    examples: int = 0
    #: Most examples to validate on; 0 for all.
    val_examples: int = 0
    #: Of the training rooms.
    fraction: float = 1.0
    #: Mel bands that are heard, Hz (Fig. 8).
    band_hz: tuple[float, float] = (0.0, 8000.0)
    #: Spread of a random equalizer that is the same for all sounds of an example, dB.
    equalizer_db: float = 0.0

    @classmethod
    def of(cls, recipe: Recipe) -> TaskOptions:
        """Read a recipe's options; QuietNavError names what is not known."""
        if recipe.network.kind != KIND:
            raise QuietNavError(
                f'recipe {recipe.name}: network kind {recipe.network.kind!r}, expected {KIND!r}'
            )
        return checked(cls, recipe.network.options, f'recipe {recipe.name}: options')


def with_options(recipe: Recipe, **options: object) -> Recipe:
    """Return a recipe with some options set."""
    network = dataclasses.replace(recipe.network, options={**recipe.network.options, **options})
    changed = dataclasses.replace(recipe, network=network)
    TaskOptions.of(changed)
    return changed
