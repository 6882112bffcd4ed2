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

"""The authors' networks on two places, as ONNX models: asked like the tasks that we train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.models import OnnxModel
from quiet_nav.learning.detectors.resnet.images import ImageCache
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.quiet_campus.rows import read_audio
from quiet_nav.sound.windows import CLIP_S
from quiet_nav.study.predictions import Predictions
from quiet_nav.study.tasks import get_task
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.run import ExamplesRequest, predictions_of
from quiet_nav.study.tasks.task import Example
from quiet_nav.study.tasks.views import Change

#: Pairs that are asked about at once.
_BATCH = 32
_CACHE_MB = 512
#: Probabilities nearer to 0 or 1 than this count as so near.
_LEAST = 1e-7


class PairModel:
    """
    A model that ``import-checkpoint`` made of a network on two places.

    kind: of its metadata, ``order`` or ``av-order``; the task of that name says what is asked.
    """

    def __init__(self, path: str | Path, kind: str, threads: int = 2) -> None:
        self.model = OnnxModel(path, threads, f'model {path}')
        self.task = get_task(kind)
        self.images = ImageCache(_CACHE_MB)

    def outputs(self, examples: Sequence[Example], change: Change | None = None) -> np.ndarray:
        """Return logits as the task's own network gives them, (N, 1) or (N, 4)."""
        parts = []
        for first in range(0, len(examples), _BATCH):
            some = examples[first : first + _BATCH]
            feeds = {}
            for place, name in enumerate(('first', 'second')):
                sounds = [self._sound(one.sounds[place], change) for one in some]
                feeds[f'{name}_sound'] = np.stack(sounds)
                if self.task.sees:
                    images = [self.images.read(one.images[place].image) for one in some]
                    feeds[f'{name}_image'] = np.stack(images).transpose(0, 3, 1, 2)
            parts.append(self._said(feeds, len(some)))
        chance = np.clip(np.concatenate(parts).astype(float), _LEAST, 1.0 - _LEAST)
        return np.log(chance) - np.log1p(-chance)

    def _said(self, feeds: dict[str, np.ndarray], count: int) -> np.ndarray:
        said = self.model.run(feeds)[0]
        if said.ndim < 1 or len(said) != count or said.dtype.kind != 'f':
            raise QuietNavError(
                f'{self.model.where}: gives {said.dtype} of shape {said.shape}, expected '
                f'probabilities of {count} pairs'
            )
        return said.reshape(count, -1)

    def _sound(self, row: Row, change: Change | None) -> np.ndarray:
        wave = read_audio(row, row.start_s or 0.0, CLIP_S)
        return np.asarray(wave if change is None else change(row, wave), np.float32)


def predict(
    path: str | Path,
    kind: str,
    data: str | Path,
    split: str = 'test',
    seed: int = 0,
    *,
    threads: int = 2,
    distractors: str | Path | None = None,
    snr_db: float = 0.0,
) -> Predictions:
    """Return what a model of a kind says of a split of a data set, as ``run.predict``."""
    model = PairModel(path, kind, threads)
    asked = ExamplesRequest(TaskData(data), split, seed, distractors, snr_db)
    said = predictions_of(model.task, model.outputs, asked)
    # The task's variants are of our own networks.
    return replace(said, task=kind)
