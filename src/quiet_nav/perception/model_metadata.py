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

"""What a model file says about itself in its ONNX metadata: one format for writer and reader."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass, field
import json
from typing import Annotated, Any

from pydantic import Field

from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import parse_json
from quiet_nav.files.renames import as_now
from quiet_nav.files.schema import checked, file_format
from quiet_nav.files.values import short
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.sound.windows import CLIP_SAMPLES, SAMPLE_RATE

FORMAT = '1'
PREFIX = 'quiet_nav.'
#: Keys that files of this format written before them lack.
_MAY_LACK = {'distance_prior'}


_MOST_TEXT = 1_000_000
_MOST_KEY = 80
_Meters = Annotated[float, Field(gt=0, le=1000)]


@file_format
@dataclass(frozen=True)
class ModelMetadata:
    """Everything that a user of the file must know."""

    #: Which inputs the network takes (``vggish`` clips or ``window`` dense, ``context`` ...).
    kind: str
    #: Length of the waveform input.
    input_samples: Annotated[int, Field(ge=0, le=1_000_000)] = CLIP_SAMPLES
    #: Of the waveform input, Hz.
    sample_rate: Annotated[int, Field(ge=0, le=1_000_000)] = SAMPLE_RATE
    #: What the network takes: audio or vision.
    modality: str = 'audio'
    #: Names that the model can use beside the window itself (reference, other_ears).
    contexts: tuple[str, ...] = ()
    #: Upper edges of the distance bins; empty where the model says no distances.
    distance_edges_m: tuple[_Meters, ...] = STANDARD_BINS.edges_m
    #: A wall within this counts as near.
    near_wall_m: _Meters = 0.5
    #: What was done to the probabilities.
    calibration: str = 'none'
    #: Data, seed, recipe, rooms, in words.
    training: str = ''
    #: Of the model.
    version: str = ''
    #: SPDX identifier.
    license: str = 'Apache-2.0'
    #: What one kind needs beside that.
    extra: dict[str, Any] = field(default_factory=dict)
    #: Share of each bin where the model was calibrated, one more than edges; empty: that of the
    #: shipped detectors.
    distance_prior: tuple[float, ...] = ()

    @property
    def bins(self) -> DistanceBins:
        """Return the bins of its distances; the standard ones where it says none."""
        if not self.distance_edges_m:
            return STANDARD_BINS
        return DistanceBins(self.distance_edges_m, self.distance_prior)

    def to_strings(self) -> dict[str, str]:
        """Return ONNX metadata properties, JSON values under ``quiet_nav.*`` keys."""
        items = {'format': FORMAT, **dataclasses.asdict(self)}
        return {PREFIX + key: json.dumps(value) for key, value in items.items()}

    @classmethod
    def from_strings(cls, properties: Mapping[str, str], where: str = 'model') -> ModelMetadata:
        """
        Read ``to_strings`` back.

        Raises QuietNavError naming what is missing, unreadable or of another format.
        """
        raw = {}
        for key, text in properties.items():
            if key.startswith(PREFIX):
                name = key if len(key) < _MOST_KEY else short(key)
                if len(text) > _MOST_TEXT:
                    raise QuietNavError(f'{where}: metadata {name} is longer than {_MOST_TEXT}')
                raw[key[len(PREFIX) :]] = parse_json(text, f'{where}: metadata {name}')
        found = raw.pop('format', None)
        if found != FORMAT:
            raise QuietNavError(
                f'{where}: no metadata of quiet_nav format {FORMAT} in it (found {short(found)}); '
                'export it with quiet_nav export or import-checkpoint'
            )
        raw = as_now(raw)
        names = [item.name for item in dataclasses.fields(cls)]
        missing = sorted(set(names) - set(raw) - _MAY_LACK)
        if missing:
            raise QuietNavError(f'{where}: metadata lack {", ".join(missing)}')
        # What a later version says besides is its own affair.
        said = {name: raw[name] for name in names if name in raw}
        return checked(cls, said, f'{where}: metadata')
