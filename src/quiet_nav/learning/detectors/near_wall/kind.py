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
"""The near-wall detector as a kind: network, examples, and what is exported of it."""

from __future__ import annotations

import torch

from quiet_nav.learning.detectors.kinds import Kind
from quiet_nav.learning.detectors.near_wall.data import near_wall_datasets
from quiet_nav.learning.detectors.near_wall.network import (
    Calibration,
    NearWall,
    NearWallProbabilities,
)
from quiet_nav.learning.onnx_export import Exportable
from quiet_nav.learning.recipe import NetworkRecipe
from quiet_nav.perception.bands import BANDS
from quiet_nav.perception.context import clip_weights, SLOTS
from quiet_nav.perception.model_file import NEAREST
from quiet_nav.perception.standing_sound import band_frequencies_hz
from quiet_nav.sound.windows import WINDOW_SAMPLES

OUTPUTS = ('probability', 'distance_probabilities', 'spectrum', 'transient')


def build(recipe: NetworkRecipe) -> NearWall:
    return NearWall(recipe.width, float(recipe.options.get('dropout', 0.3)))


def exportable(network: NearWall, calibration: Calibration | None = None) -> Exportable:
    """Return what ``onnx_export.export`` takes: all windows of a listen in one run."""
    ears = 3
    inputs = {
        'waveform': 0.01 * torch.randn(ears, WINDOW_SAMPLES),
        'clip_weights': torch.from_numpy(clip_weights()),
        'reference': torch.zeros(ears, BANDS),
        'own_reference': torch.zeros(ears, BANDS),
        'has_reference': torch.zeros(ears),
        'fingerprint': torch.zeros(ears, len(band_frequencies_hz())),
        'has_fingerprint': torch.zeros(ears),
        'others': torch.full((ears, len(SLOTS)), -1, dtype=torch.int64),
        'simultaneous': torch.zeros(ears, len(SLOTS)),
        NEAREST: torch.zeros(ears),
    }
    module = NearWallProbabilities(network, calibration)
    return Exportable(module, inputs, OUTPUTS, {'clip_weights': {0: 'runs'}})


KIND = Kind(network=build, datasets=near_wall_datasets, export=exportable)
