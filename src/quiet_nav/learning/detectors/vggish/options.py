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

"""What a recipe may say of the paper's network beyond its width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from quiet_nav.files.schema import checked, file_format
from quiet_nav.learning.recipe import NetworkRecipe

#: How weights of an exported model may be kept: as they are, or as int8.
QUANTIZATIONS = ('none', 'dynamic', 'static')


@file_format
@dataclass(frozen=True)
class VggishOptions:
    """Beside ``network.width``; every one may be set by name."""

    #: Of the fully connected matrices while they learn; 0 for whole ones, as the paper's.
    rank: Annotated[int, Field(ge=0, le=4096)] = 0
    #: Clips are cut out of log-mels made once, on their 10 ms, instead of waveforms: many times as
    #: fast where the network is narrow; no distractors then.
    log_mels: bool = False
    #: Spread of a random equalizer of every clip, dB (with ``log_mels``).
    equalizer_db: Annotated[float, Field(ge=0.0, le=40.0)] = 0.0

    @classmethod
    def of(cls, recipe: NetworkRecipe) -> VggishOptions:
        """Read a network's options; QuietNavError names what is not known."""
        return checked(cls, recipe.options, 'recipe: network.options')
