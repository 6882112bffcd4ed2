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

"""What can be evaluated: anything that gives near-wall probabilities for rows of a data set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
import importlib
from pathlib import Path
from typing import Protocol

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.models import OnnxModel
from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.model_file import open_model, refuse_other
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import Context
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.windows import (
    clip_batch,
    clip_starts,
    CLIPS_PER_WINDOW,
    WINDOW_S,
)

#: Changes a window before it is judged (a distractor, a band removed): (samples, row) -> samples.
Change = Callable[[np.ndarray, Row], np.ndarray]

#: Model kinds (``ModelMetadata.kind``) and the predictor that serves each, as dotted paths.
PREDICTORS = {
    'context': 'quiet_nav.evaluation.context_predictor:ContextPredictor',
    'resnet': 'quiet_nav.evaluation.image_predictor:ImagePredictor',
    'vggish': 'quiet_nav.evaluation.predictors:ClipPredictor',
    'window': 'quiet_nav.evaluation.predictors:WindowPredictor',
}
#: Kinds that compare two places instead (``quiet_nav.study.tasks.imported``).
PAIR_KINDS = ('order', 'av-order')


@dataclass(frozen=True)
class Predictions:
    """near: probabilities, shape (N,), in the rows' order; distance: (N, bins.count) or None."""

    near: np.ndarray
    distance: np.ndarray | None = None
    bins: DistanceBins = STANDARD_BINS


class Predictor(Protocol):
    """Anything that can be evaluated."""

    #: Every combination of contexts that it can be asked with.
    contexts: tuple[Context, ...]

    def predict(
        self, rows: Sequence[Row], context: Context = Context.ALONE, change: Change | None = None
    ) -> Predictions:
        """Return probabilities of rows; ``change`` applies to every window that is read."""
        ...


class OnnxPredictor(ABC):
    """A model file of ours run on 3 s windows: the base of the predictors below."""

    contexts: tuple[Context, ...] = (Context.ALONE,)

    def __init__(self, path: str | Path, threads: int = 2, clips: int = CLIPS_PER_WINDOW) -> None:
        self.model = open_model(path, threads)
        refuse_other(self.model, 'audio')
        self.metadata = self.model.metadata
        self.clips = clips

    def predict(
        self, rows: Sequence[Row], context: Context = Context.ALONE, change: Change | None = None
    ) -> Predictions:
        """Return probabilities of windows of 3 s that begin where the rows say (or at 0 s)."""
        if context not in self.contexts:
            raise QuietNavError(f'the model takes no context {context.name}')
        near, distance = [], []
        for row in rows:
            window = read_audio(row, row.start_s or 0.0, WINDOW_S)
            if change is not None:
                window = change(window, row)
            one, bins = self.window(np.ascontiguousarray(window, np.float32))
            near.append(one)
            distance.append(bins)
        stacked = np.stack(distance)
        told = stacked if stacked.shape[1] else None
        return Predictions(np.array(near), told, self.metadata.bins)

    @abstractmethod
    def window(self, samples: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the near-wall probability and the distance distribution of one window."""


class ClipPredictor(OnnxPredictor):
    """The mean over a window's clips; one clip is the paper's protocol, where the row begins."""

    def window(self, samples: np.ndarray) -> tuple[float, np.ndarray]:
        near, distance = self.read(samples)
        return float(near.mean()), distance.mean(axis=0)

    def read(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities (clips,) and distances (clips, bins) of a window's clips."""
        starts = clip_starts(len(samples), self.clips) if self.clips > 1 else np.zeros(1, int)
        near, *distance = self.model.run({'waveform': clip_batch(samples, starts)})[:2]
        return near, distance[0] if distance else np.zeros((len(near), 0))


class WindowPredictor(OnnxPredictor):
    """A model that takes the whole window."""

    def window(self, samples: np.ndarray) -> tuple[float, np.ndarray]:
        near, distance = self.model.run({'waveform': samples[None]})[:2]
        return float(near[0]), distance[0]


def read_metadata(path: str | Path) -> ModelMetadata:
    """Return a model file's metadata; QuietNavError where it is missing, corrupt or not ours."""
    where = f'model {path}'
    return ModelMetadata.from_strings(OnnxModel(path, where=where).properties, where)


def load_predictor(path: str | Path, threads: int = 2, clips: int = CLIPS_PER_WINDOW) -> Predictor:
    """Return the predictor that serves a model file's kind."""
    metadata = read_metadata(path)
    dotted = PREDICTORS.get(metadata.kind)
    if metadata.kind in PAIR_KINDS:
        raise QuietNavError(f'{path}: kind {metadata.kind!r} compares two places; expected one of '
                            f'{", ".join(PREDICTORS)}')  # fmt: skip
    if dotted is None:
        raise QuietNavError(f'{path}: kind {metadata.kind!r} is none of {", ".join(PREDICTORS)}')
    module, name = dotted.split(':')
    return getattr(importlib.import_module(module), name)(path, threads=threads, clips=clips)
