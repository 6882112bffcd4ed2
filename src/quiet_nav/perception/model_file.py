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

"""Opening a model file: every way in which it can be wrong is refused here, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.models import OnnxModel
from quiet_nav.perception.context import BANDS, clip_weights, SLOTS
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.perception.standing_sound import BANDS as FINGERPRINT_BANDS
from quiet_nav.sound.windows import SAMPLE_RATE

#: What a context model may take beside these, where its metadata name it among the contexts: the
#: question, each ear's own mean spectrum in the room, and its fingerprint of the own sound.
NEAREST, OWN_REFERENCE, FINGERPRINT = 'nearest', 'own_reference', 'fingerprint'
_FURTHER = {
    NEAREST: (NEAREST,),
    OWN_REFERENCE: (OWN_REFERENCE,),
    FINGERPRINT: (FINGERPRINT, 'has_fingerprint'),
}
#: Inputs that a kind of model takes.
INPUTS = {
    'context': (
        'waveform',
        'clip_weights',
        'reference',
        'has_reference',
        'others',
        'simultaneous',
    ),
    'resnet': ('image',),
    'vggish': ('waveform',),
    'window': ('waveform',),
}
#: Kinds that may give the probability alone.
_DISTANCE_MAY_LACK = ('resnet', 'vggish')


@dataclass(frozen=True)
class ModelFile:
    """A model that is ready to run, with what its file says about itself."""

    path: Path
    metadata: ModelMetadata
    model: OnnxModel

    @property
    def bands(self) -> int:
        """Bands of a context model's spectra, and of the reference that it takes."""
        return self.model.widths.get('reference', BANDS)

    def run(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """
        Return the outputs of the kind, in order.

        Raises QuietNavError where the model cannot be run, or gives other outputs than its kind.
        """
        found = self.model.run(feeds)
        expected = self._shapes(feeds)
        if len(found) < len(expected) - (self.metadata.kind in _DISTANCE_MAY_LACK):
            raise QuietNavError(
                f'{self.model.where}: gives {len(found)} outputs, expected {len(expected)}'
            )
        for name, value, shape in zip(self.model.outputs, found, expected, strict=False):
            if value.shape != shape or value.dtype.kind != 'f':
                raise QuietNavError(
                    f'{self.model.where}: gives {name} as {value.dtype} of shape {value.shape}, '
                    f'expected float32 of {shape}'
                )
        return found

    def stop(self) -> None:
        """End a run of another thread; ``run`` raises QuietNavError there."""
        self.model.stop()

    def _shapes(self, feeds: Mapping[str, np.ndarray]) -> list[tuple[int, ...]]:
        bins = self.metadata.bins.count if self.metadata.distance_edges_m else 0
        kind = self.metadata.kind
        n = len(feeds[INPUTS[kind][0]])
        if kind == 'context':
            runs = len(feeds['clip_weights'])
            return [(n, runs), (n, runs, bins), (n, self.bands), (n,)]
        return [(n,), (n, bins), *([(n,)] if kind == 'window' else [])]


def open_model(path: str | Path, threads: int = 2) -> ModelFile:
    """
    Open an ONNX file of quiet_nav.

    threads: of one run (onnxruntime would take every core).
    Raises QuietNavError where the file is missing, empty, no ONNX, of another project, takes other
    inputs than its metadata say, or has distance bins that are none.
    """
    path = Path(path)
    where = f'model {path}'
    model = OnnxModel(path, threads, where)
    metadata = ModelMetadata.from_strings(model.properties, where)
    expected = INPUTS.get(metadata.kind)
    if expected is None:
        raise QuietNavError(
            f'{where}: kind {metadata.kind!r} is unknown here; expected one of {", ".join(INPUTS)}'
        )
    if metadata.kind == 'context':
        for context, inputs in _FURTHER.items():
            expected = (*expected, *(inputs if context in metadata.contexts else ()))
    if sorted(model.inputs) != sorted(expected):
        raise QuietNavError(
            f'{where}: takes {", ".join(model.inputs)}; its metadata say {metadata.kind}, which '
            f'takes {", ".join(expected)}'
        )
    try:
        # Bins that are none show here, with the file's name, not where they are first used.
        _ = metadata.bins
    except QuietNavError as error:
        raise QuietNavError(f'{where}: {error}') from error
    return ModelFile(path, metadata, model)


def _silence(file: ModelFile) -> dict[str, np.ndarray]:
    """Return inputs of one window, or one image, with nothing in them."""
    if file.metadata.kind == 'resnet':
        return {'image': np.zeros((1, 64, 64, 3), np.uint8)}
    feeds: dict[str, np.ndarray] = {
        'waveform': np.zeros((1, file.metadata.input_samples), np.float32)
    }
    if file.metadata.kind == 'context':
        feeds |= {
            'clip_weights': clip_weights(1),
            'others': np.full((1, len(SLOTS)), -1),
            'simultaneous': np.zeros((1, len(SLOTS)), np.float32),
            **without_context(file, 1),
        }
        if NEAREST in file.metadata.contexts:
            feeds[NEAREST] = np.zeros(1, np.float32)
    return feeds


def without_context(file: ModelFile, windows: int) -> dict[str, np.ndarray]:
    """Return the inputs of a context model that say that nothing is known of room and robot."""
    feeds = {
        'reference': np.zeros((windows, file.bands), np.float32),
        'has_reference': np.zeros(windows, np.float32),
    }
    if OWN_REFERENCE in file.metadata.contexts:
        feeds[OWN_REFERENCE] = np.zeros((windows, file.bands), np.float32)
    if FINGERPRINT in file.metadata.contexts:
        feeds[FINGERPRINT] = np.zeros((windows, FINGERPRINT_BANDS), np.float32)
        feeds['has_fingerprint'] = np.zeros(windows, np.float32)
    return feeds


def refuse_other(model: ModelFile, modality: str) -> None:
    """
    Raise QuietNavError where a model reads another modality or calls other walls near.

    Also where it gives other outputs than its kind, which is tried.
    """
    meta = model.metadata
    wrong = {
        f'modality {meta.modality}, expected {modality}': meta.modality != modality,
        f'near wall at {meta.near_wall_m} m, expected {NEAR_WALL_M}': meta.near_wall_m
        != NEAR_WALL_M,
        f'sample rate {meta.sample_rate} Hz, expected {SAMPLE_RATE}': modality == 'audio'
        and meta.sample_rate != SAMPLE_RATE,
    }
    if any(wrong.values()):
        found = '; '.join(text for text, bad in wrong.items() if bad)
        raise QuietNavError(f'model {model.path}: {found}')
    # What is wrong with a model shows now, not when a robot first listens.
    model.run(_silence(model))
