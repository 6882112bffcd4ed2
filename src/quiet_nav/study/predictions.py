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

"""What a network says of the rows of a split: made by learning, scored by evaluation."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from quiet_nav.errors import QuietNavError

Kind = Literal['binary', 'multiclass', 'regression', 'ratio']
KINDS = ('binary', 'multiclass', 'regression', 'ratio')


@dataclass(frozen=True)
class Predictions:
    """
    What a network said of the rows of a split, N of them, in any order.

    rooms: each row's room, (N,). target: (N,), a truth value (binary), a class from 0 on
    (multiclass, in an order in which neighbors are alike), meters (regression) or the natural
    logarithm of a ratio of two distances, first over second (ratio). output: probability (N,)
    for binary, scores or probabilities (N, K) for multiclass, else the value said, (N,), in the
    target's unit. train_target: what the training rows had, (M,), as ``target``: what is known
    without any input. extra: more about the rows, each with N along its first axis:
    ``depth_difference_m`` (N,), ``distractor_snr_db`` (N,), ``position_m`` (N, 2) true places and,
    with these, ``cell_m`` (N, K, 2) the middle of every class in the row's room.
    """

    task: str
    kind: Kind
    rooms: np.ndarray
    target: np.ndarray
    output: np.ndarray
    train_target: np.ndarray
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.rooms)
        if self.kind not in KINDS:
            raise QuietNavError(f'{self.task}: kind {self.kind!r} is none of {", ".join(KINDS)}')
        if not count or not len(self.train_target):
            raise QuietNavError(f'{self.task}: no rows to evaluate, or none that were trained on')
        parts = {'target': self.target, 'output': self.output, **self.extra}
        wrong = [f'{name} {np.shape(part)}' for name, part in parts.items() if len(part) != count]
        if np.ndim(self.output) != (2 if self.kind == 'multiclass' else 1):
            wrong.append(f'output {np.shape(self.output)} of a {self.kind} task')
        if wrong:
            raise QuietNavError(f'{self.task}: {count} rooms, but {", ".join(wrong)}')
        if not np.isfinite(self.output).all():
            raise QuietNavError(f'{self.task}: outputs that are not finite')

    def __len__(self) -> int:
        return len(self.rooms)

    def where(self, chosen: np.ndarray) -> Predictions:
        """Return the chosen rows alone (a mask (N,) or indices)."""
        extra = {name: part[chosen] for name, part in self.extra.items()}
        return dataclasses.replace(
            self,
            rooms=self.rooms[chosen],
            target=self.target[chosen],
            output=self.output[chosen],
            extra=extra,
        )
