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

"""Where in a known room a sound was recorded: which cell of a grid (A.4)."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus.annotation import AnnotatedPose, Annotation, read_annotation
from quiet_nav.quiet_campus.lists import Row, SPLITS
from quiet_nav.quiet_campus.rows import duration_s
from quiet_nav.sound.windows import CLIP_S
from quiet_nav.study.tasks.data import TaskData
from quiet_nav.study.tasks.options import TaskOptions
from quiet_nav.study.tasks.task import Example, Task
from quiet_nav.study.tasks.views import Views

#: Of a cell's recordings in the order in which they were made: to train on, validate and test.
_TRAIN, _VAL = 5, 6
#: Share of a recording that is trained on where there is no time shift.
_SHARE = 0.6
#: Clips of a recording.
_CLIPS = 3


class Locate(Task):
    """
    Which cell of the room's grid? Every room is known: it is trained and tested in.

    Tested on the last two recordings of every cell. later: trained on its first five alone, made
    10 s and more before (the paper's time shift). together: also on the first 60 % of those two.
    A room has classes of its own; the network is one for all rooms and told which room it is: it
    hears by how much a sound differs from what the room sounds like on average, since rooms differ
    far more than places do.
    """

    NAME = 'locate'
    KIND = 'multiclass'
    VARIANTS = ('later', 'together')
    LEAST_ROOMS = 1
    KNOWN_ROOMS = True
    needs = ': SFS-Dense, with several recordings in each of several cells'

    def listed(self, data: TaskData, split: str, seed: int) -> list[Example]:
        rooms: dict[str, list[tuple[Row, Annotation]]] = {}
        for part in SPLITS:
            for room, rows in data.places(part).items():
                rooms[room] = [
                    (row, read_annotation(row.folder, 'cell', 'start_s', 'pose'))
                    for row in rows
                    if read_annotation(row.folder).cell
                ]
        found = []
        for number, room in enumerate(sorted(rooms)):
            cells: dict[tuple[int, ...], list[tuple[Row, Annotation]]] = {}
            for row, annotation in rooms[room]:
                cells.setdefault(annotation.cell, []).append((row, annotation))
            if len(cells) < 2:
                continue
            for cell, places in enumerate(cells[key] for key in sorted(cells)):
                places.sort(key=lambda place: place[1].start_s)
                for turn, (row, annotation) in enumerate(places):
                    begin, end = self._span(split, turn)
                    if begin < end:
                        found += self._clips(row, annotation.pose, number, cell, begin, end)
        return found

    def _span(self, split: str, turn: int) -> tuple[float, float]:
        """Return from where to where a recording is of a split, in shares of its length."""
        tested, whole = turn >= _VAL, (0.0, 1.0)
        if split == 'train':
            if self.variant == 'together':
                return (0.0, _SHARE)
            return whole if turn < _TRAIN else (0.0, 0.0)
        if split == 'val':
            return (_SHARE, 1.0) if turn == _TRAIN else (0.0, 0.0)
        return (_SHARE, 1.0) if tested else (0.0, 0.0)

    def _clips(
        self, row: Row, pose: AnnotatedPose, room: int, cell: int, begin: float, end: float
    ) -> list[Example]:
        length = duration_s(row)
        last = max(end * length - CLIP_S, begin * length)
        return [
            Example(
                row.room,
                target=float(cell),
                known={'room': float(room)},
                extra={'x_m': pose.x, 'y_m': pose.y},
                **self.places(dataclasses.replace(row, start_s=float(start))),
            )
            for start in np.linspace(begin * length, last, _CLIPS)
        ]

    def learn(self, train: Sequence[Example], options: TaskOptions, views: Views) -> None:
        cells: dict[int, dict[int, list[tuple[float, float]]]] = {}
        for example in train:
            room, cell = int(example.known['room']), int(example.target)
            place = (example.extra['x_m'], example.extra['y_m'])
            cells.setdefault(room, {}).setdefault(cell, []).append(place)
        if not cells:
            raise QuietNavError(f'task {self.NAME}: no cells to learn')
        #: Of every room that is trained on, the middle of every cell's places.
        self.state['cells'] = {
            str(room): [np.mean(found[cell], axis=0).tolist() for cell in sorted(found)]
            for room, found in cells.items()
        }
        heard: dict[str, list[np.ndarray]] = {}
        for example in train:
            for row in example.sounds:
                clip = views.plain(row, row.start_s or 0.0)
                heard.setdefault(row.room, []).append(clip.mean(axis=0))
        self.state['levels'] = {
            room: [np.mean(found, axis=0).tolist(), np.std(found, axis=0).tolist()]
            for room, found in heard.items()
        }

    @property
    def levels(self) -> dict[str, Any] | None:
        return self.state.get('levels')

    @property
    def figures(self) -> tuple[str, ...]:
        return (*super().figures, 'meters')

    @property
    def outputs(self) -> int:
        return sum(len(cells) for cells in self.state['cells'].values())

    def _slices(self) -> dict[int, slice]:
        """Return which outputs are a room's."""
        slices, first = {}, 0
        for room, cells in self.state['cells'].items():
            slices[int(room)] = slice(first, first + len(cells))
            first += len(cells)
        return slices

    def _of_rooms(
        self, output: torch.Tensor, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return outputs with those of other rooms at minus infinity, and the true outputs."""
        slices = self._slices()
        room = batch['room'].long().tolist()
        mask = torch.full_like(output, float('-inf'))
        for row, number in enumerate(room):
            mask[row, slices[number]] = 0.0
        first = torch.tensor([slices[number].start for number in room], device=output.device)
        return output + mask, batch['target'].long() + first

    def loss(self, output: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return functional.cross_entropy(*self._of_rooms(output.float(), batch))

    def judged(
        self, output: torch.Tensor, batch: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        masked, truth = self._of_rooms(output, batch)
        return masked.argmax(dim=-1), truth

    def answers(self, output: np.ndarray, examples: Sequence[Example]) -> np.ndarray:
        """Return probabilities (N, K), K the most cells of a room, 0 beyond a room's own."""
        slices = self._slices()
        most = max(s.stop - s.start for s in slices.values())
        found = np.zeros((len(examples), most))
        for row, example in enumerate(examples):
            logits = output[row, slices[int(example.known['room'])]].astype(float)
            shifted = np.exp(logits - logits.max())
            found[row, : len(logits)] = shifted / shifted.sum()
        return found

    def extra(self, examples: Sequence[Example]) -> dict[str, np.ndarray]:
        """Return ``position_m`` (N, 2) and ``cell_m`` (N, K, 2), NaN beyond a room's own cells."""
        cells = self.state['cells']
        most = max(len(found) for found in cells.values())
        middles = np.full((len(examples), most, 2), np.nan)
        for row, example in enumerate(examples):
            own = cells[str(int(example.known['room']))]
            middles[row, : len(own)] = own
        position = np.array([[e.extra['x_m'], e.extra['y_m']] for e in examples])
        return {'position_m': position, 'cell_m': middles}
