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

"""Tasks that learn from sounds and images together, without distances (section 5)."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from quiet_nav.learning.authors.networks import PAIRINGS
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.study.predictions import Predictions
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.heads import EMBEDDING, mlp
from quiet_nav.study.tasks.pairs import Paired
from quiet_nav.study.tasks.task import Example, Task

#: Variants of both tasks: ours, and the form of the paper (4.4, Fig. 15).
OURS, PAPER = 'with the product', 'as in the paper'
#: Pairings in which image and sound stand in one order.
_IN_ORDER = tuple(float(image == sound) for image, sound in PAIRINGS)


class AVSync(Task):
    """
    Whether this sound and this image were recorded at one place.

    Half of the images are those of another place of the room (motion: another moment of the
    recording), so that knowing the room does not help. A training example has two places, each
    sound with each image: from one sound and one image at a time nothing was learned, since one
    sound alone hardly says how far the wall is; which of two is nearer it does.
    As in the paper it has one sound and one image, half of them shifted, features side by side.
    """

    NAME = 'av-sync'
    FAMILY = 'av'
    INPUTS = ('both',)
    VARIANTS = (OURS, PAPER)
    needs = ', each with two places'

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self._others: dict[str, list[Row]] = {}

    def listed(self, data: TaskData, split: str, seed: int) -> list[Example]:
        rng = np.random.default_rng([seed, len(split)])
        rooms = {room: rows for room, rows in data.places(split).items() if len(rows) > 1}
        found = []
        for room, rows in rooms.items():
            for row in rows:
                other = _another(row, rows, rng)
                if split == 'train' and self.variant == OURS:
                    found.append(_two_places(row, other))
                    continue
                found += [Example(room, (row,), (row,), 1.0), Example(room, (row,), (other,), 0.0)]
        if split == 'train':
            self._others = rooms
        return found

    def draw(self, example: Example, data: TaskData, rng: np.random.Generator) -> Example:
        row = example.sounds[0]
        other = _another(row, self._others[example.room], rng)
        if self.variant == OURS:
            return _two_places(row, other)
        return example if example.target else dataclasses.replace(example, images=(other,))

    def head(self, modalities: int) -> nn.Module:
        return Matched(product=self.variant == OURS)

    def loss(self, output: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return that of single pairs or, of two places, that and of which is whose."""
        if output.shape[1] == 1:
            return super().loss(output, batch)
        truth = output.new_tensor(_IN_ORDER)
        single = functional.binary_cross_entropy_with_logits(output, truth.expand_as(output))
        # Right pairings over wrong ones: what the room sounds like cancels.
        return single + functional.softplus(-(output @ (2.0 * truth - 1.0))).mean()

    def predictions(
        self, output: np.ndarray, examples: Sequence[Example], train: Sequence[Example]
    ) -> Predictions:
        found = super().predictions(output, examples, train)
        if self.variant == PAPER:
            return found
        return dataclasses.replace(found, train_target=np.tile(_IN_ORDER, len(train)))


class AVOrder(Paired):
    """Do two images and two sounds stand in one order? All four pairings (Figs. 4 and 15)."""

    NAME = 'av-order'
    FAMILY = 'av'
    INPUTS = ('both',)
    VARIANTS = (OURS, PAPER)

    def target(self, first_m: float, second_m: float) -> float:
        return float(first_m < second_m)

    @property
    def outputs(self) -> int:
        return len(PAIRINGS)

    def head(self, modalities: int) -> nn.Module:
        return Pairings(product=self.variant == OURS)

    def loss(self, output: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        truth = output.new_tensor(_IN_ORDER).expand_as(output)
        return functional.binary_cross_entropy_with_logits(output, truth)

    def judged(
        self, output: torch.Tensor, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return output.flatten(), output.new_tensor(_IN_ORDER).expand_as(output).flatten()

    def predictions(
        self, output: np.ndarray, examples: Sequence[Example], train: Sequence[Example]
    ) -> Predictions:
        """Return four rows an example, one a pairing."""
        four = len(PAIRINGS)
        extra = {name: np.repeat(values, four) for name, values in self.extra(examples).items()}
        return Predictions(
            task=self.title,
            kind='binary',
            rooms=np.repeat([example.room for example in examples], four),
            target=np.tile(_IN_ORDER, len(examples)),
            output=1.0 / (1.0 + np.exp(-output.astype(float).reshape(-1))),
            train_target=np.tile(_IN_ORDER, len(train)),
            extra=extra,
        )


class Match(nn.Module):
    """
    Whether what was seen and what was heard, (N, 128) each, go together: a logit (N, 1).

    product: that of both goes in beside them. Whether two things agree is hard to begin to learn
    from the two alone, as the authors' 256-128-1 has it.
    """

    def __init__(self, product: bool = True) -> None:
        super().__init__()
        self.product = product
        self.layers = mlp((3 if product else 2) * EMBEDDING, 1)

    def forward(self, seen: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        both = [seen, heard, seen * heard] if self.product else [seen, heard]
        return self.layers(torch.cat(both, dim=-1))


class Matched(nn.Module):
    """Images and sounds of one place, (N, 1), or each with each of two, (N, 4): ``PAIRINGS``."""

    def __init__(self, product: bool = True) -> None:
        super().__init__()
        self.match = Match(product)

    def forward(
        self, views: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        seen, heard = views['image'], views['audio']
        if heard.shape[1] == 1:
            return self.match(seen[:, 0], heard[:, 0])
        return torch.cat([self.match(seen[:, i], heard[:, s]) for i, s in PAIRINGS], dim=-1)


class Pairings(nn.Module):
    """Sounds in either order, images in either order, and whether the orders are one."""

    def __init__(self, product: bool = True) -> None:
        super().__init__()
        self.sounds = mlp(2 * EMBEDDING, EMBEDDING)
        self.images = mlp(2 * EMBEDDING, EMBEDDING)
        self.match = Match(product)

    def forward(
        self, views: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        sounds = _both_ways(self.sounds, views['audio'])
        images = _both_ways(self.images, views['image'])
        return torch.cat([self.match(images[i], sounds[s]) for i, s in PAIRINGS], dim=-1)


def _both_ways(fuse: nn.Module, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return fuse(views.flatten(1)), fuse(views.flip(1).flatten(1))


def _two_places(row: Row, other: Row) -> Example:
    return Example(row.room, (row, other), (row, other), 1.0)


def _another(row: Row, rows: Sequence[Row], rng: np.random.Generator) -> Row:
    others = [other for other in rows if other.image != row.image]
    return others[int(rng.integers(len(others)))] if others else row
