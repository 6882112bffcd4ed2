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

"""What every task says: examples, inputs, loss, and how outputs become predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus.lists import Row, SPLITS
from quiet_nav.study.predictions import Kind, Predictions
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.heads import Fusion
from quiet_nav.study.tasks.options import TaskOptions

if TYPE_CHECKING:
    from quiet_nav.study.tasks.views import Views

#: By kind: what ``evaluation.task_scores`` says of predictions.
FIGURES = {
    'binary': ('AP', 'accuracy'),
    'multiclass': ('top-1', 'top-5', 'bin distance'),
    'regression': ('MAE', 'median error', 'R2'),
    'ratio': ('MAE', 'median error', 'R2', 'order AP'),
}


@dataclass(frozen=True)
class Example:
    """
    One example: what is heard, what is seen, and the answer.

    sounds, images: places whose clip or image goes in, in order. target: in the task's unit.
    known: numbers that go in beside (a reference's distance). extra: more for ``Predictions``.
    """

    room: str
    sounds: tuple[Row, ...]
    images: tuple[Row, ...]
    target: float
    known: dict[str, float] = field(default_factory=dict)
    extra: dict[str, float] = field(default_factory=dict)


class Task(ABC):
    """
    One task. Subclasses say the class attributes and ``listed``; the rest has defaults.

    state: what was learned from the training examples beside the weights (bins, cells): plain
    lists and numbers that a checkpoint keeps. KIND: as ``Predictions``. INPUTS, VARIANTS: what may
    be asked for, defaults first. FAMILY: which network and which recipes (single, pair, av).
    By which figures it is judged follows from KIND: ``figures``.
    """

    NAME: ClassVar[str]
    KIND: ClassVar[Kind] = 'binary'
    FAMILY: ClassVar[str] = 'single'
    INPUTS: ClassVar[tuple[str, ...]] = ('audio', 'image', 'both')
    VARIANTS: ClassVar[tuple[str, ...]] = ()
    #: Sounds and images of an example, where that input is given.
    VIEWS: ClassVar[int] = 1
    #: Every split needs so many rooms: with one room nothing is said of rooms unseen.
    LEAST_ROOMS: ClassVar[int] = 2
    #: Asked in the rooms that it was trained in, so that no others can be judged.
    KNOWN_ROOMS: ClassVar[bool] = False

    def __init__(
        self, variant: str = '', inputs: str = 'audio', state: dict[str, Any] | None = None
    ) -> None:
        self.variant, self.inputs = variant, inputs
        self.state: dict[str, Any] = dict(state or {})

    # What an example is.

    @property
    def hears(self) -> bool:
        return self.inputs in ('audio', 'both')

    @property
    def sees(self) -> bool:
        return self.inputs in ('image', 'both')

    @abstractmethod
    def listed(self, data: TaskData, split: str, seed: int) -> list[Example]:
        """Return the examples of a split, the same for the same seed."""

    def draw(self, example: Example, data: TaskData, rng: np.random.Generator) -> Example:
        """Return what a training example is this time; as it is listed by default."""
        return example

    def examples(self, data: TaskData, split: str, seed: int = 0) -> list[Example]:
        """Return the examples of one split, checked as ``all_examples`` does."""
        return self.all_examples(data, (split,), seed)[split]

    def all_examples(
        self, data: TaskData, splits: Sequence[str] = SPLITS, seed: int = 0
    ) -> dict[str, list[Example]]:
        """
        Return the examples of splits, their files checked.

        Raises QuietNavError, before any training, where the data cannot serve the task: too few
        rooms in a split, no places to compare, missing sounds or images (all named at once).
        """
        found = {split: self.listed(data, split, seed) for split in splits}
        for split, examples in found.items():
            rooms = len({example.room for example in examples})
            if rooms < self.LEAST_ROOMS:
                raise QuietNavError(
                    f'task {self.NAME}: {data.name} {split} has {rooms} '
                    f'{"room" if rooms == 1 else "rooms"} that can serve it, at least '
                    f'{self.LEAST_ROOMS} needed{self.needs}'
                )
        every = [example for examples in found.values() for example in examples]
        data.refuse_missing(
            self.NAME,
            [row for example in every for row in example.sounds],
            [row for example in every for row in example.images],
        )
        return found

    #: What a room must have, as the end of an error's sentence.
    needs: ClassVar[str] = ''

    def places(self, *rows: Row) -> dict[str, tuple[Row, ...]]:
        """Return rows as ``sounds`` and ``images`` of an example, as far as they go in."""
        return {'sounds': rows if self.hears else (), 'images': rows if self.sees else ()}

    # What is learned.

    @property
    def outputs(self) -> int:
        """Numbers that the network gives for an example."""
        return 1

    @property
    def levels(self) -> dict[str, Any] | None:
        """Mean and spread, 64 bands each, of what is heard in rooms that are known (``Views``)."""
        return None

    def learn(  # noqa: B027 - most tasks have nothing to learn but weights
        self, train: Sequence[Example], options: TaskOptions, views: Views
    ) -> None:
        """
        Set ``state`` from the training examples and their plain views; nothing by default.

        Raises QuietNavError where they cannot serve the task.
        """

    def head(self, modalities: int) -> nn.Module:
        """
        Return the module from embeddings to outputs.

        It is called as ``head(views, batch)``, views a dict of embeddings (N, V, 128) by modality
        (``modalities`` of them, ``VIEWS`` views each), and returns (N, outputs).
        """
        return Fusion(modalities * self.VIEWS, self.outputs)

    def encoded(self, target: np.ndarray) -> np.ndarray:
        """Return targets as the loss takes them, (N,), from those of examples."""
        return target

    def loss(self, output: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the loss of outputs (N, outputs) on a batch with ``target`` (N,), encoded."""
        target = batch['target']
        if self.KIND == 'binary':
            weight = output.new_tensor(float(self.state.get('positive_weight', 1.0)))
            return functional.binary_cross_entropy_with_logits(
                output.squeeze(-1), target, pos_weight=weight
            )
        if self.KIND == 'multiclass':
            return functional.cross_entropy(output, target.long())
        return functional.l1_loss(output.squeeze(-1), target)

    def judged(
        self, output: torch.Tensor, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """
        Return scores and truths, (N,) each, of which validation picks the best checkpoint.

        Binary: logits and 0 or 1, by AP. Multiclass: chosen and true class, by accuracy. Else
        values in the loss's unit, by mean absolute error.
        """
        if self.KIND == 'multiclass':
            return output.argmax(dim=-1), batch['target'].long()
        return output.squeeze(-1), batch['target']

    # What is answered.

    def answers(self, output: np.ndarray, examples: Sequence[Example]) -> np.ndarray:
        """Return ``Predictions.output`` from network outputs (N, outputs)."""
        if self.KIND == 'binary':
            return 1.0 / (1.0 + np.exp(-output[:, 0].astype(float)))
        if self.KIND == 'multiclass':
            return softmax(output)
        return output[:, 0].astype(float)

    def truth(self, target: np.ndarray) -> np.ndarray:
        """Return ``Predictions.target`` from targets of examples, (N,)."""
        return target

    def extra(self, examples: Sequence[Example]) -> dict[str, np.ndarray]:
        """Return ``Predictions.extra``."""
        names = examples[0].extra
        return {name: np.array([e.extra[name] for e in examples]) for name in names}

    def predictions(
        self, output: np.ndarray, examples: Sequence[Example], train: Sequence[Example]
    ) -> Predictions:
        """Return what evaluation scores, of network outputs (N, outputs)."""
        train_target = self.truth(np.array([example.target for example in train]))
        return Predictions(
            task=self.title,
            kind=self.KIND,
            rooms=np.array([example.room for example in examples]),
            target=self.truth(np.array([example.target for example in examples])),
            output=self.answers(output, examples),
            train_target=train_target,
            extra=self.extra(examples),
        )

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures of merit that evaluation gives, the most telling first."""
        return FIGURES[self.KIND]

    # How it is told from others.

    @property
    def title(self) -> str:
        """Name and variant."""
        return f'{self.NAME} {self.variant}'.strip()

    def described(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of the task."""
        return {
            'name': self.NAME,
            'variant': self.variant,
            'inputs': self.inputs,
            'state': self.state,
        }


def softmax(output: np.ndarray) -> np.ndarray:
    """Return class probabilities of logits (N, K)."""
    shifted = np.exp(output - output.max(axis=1, keepdims=True), dtype=float)
    return shifted / shifted.sum(axis=1, keepdims=True)
