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

"""A data set as tasks see it: places by room with their distances, and pairs of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import dataclasses
from functools import cached_property
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus.lists import (
    find_lists,
    find_subset,
    load_pairs,
    load_splits,
    middle_frame,
    MOTION_FPS,
    ORDER,
    Pair,
    read_motion_recordings,
    refuse_missing_files,
    Row,
    SPLITS,
    Splits,
)
from quiet_nav.quiet_campus.rows import motion_distances, with_distance
from quiet_nav.sound.windows import CLIP_S

#: Two places are worth comparing from this difference on (the authors' ``filter_distance``).
LEAST_DIFFERENCE_M = 0.1
#: Frames of a motion recording that are left out at either end, and between two clips, so that
#: they do not overlap (the authors': a second of each).
MARGIN = MOTION_FPS


class TaskData:
    """
    Rows and pairs of one data set in the Quiet Campus layout, read once.

    data: folder as ``load_splits`` takes it. fraction: share of the training rooms that is used
    (few-shot); a smaller share's rooms are among those of a larger one for the same seed.
    """

    def __init__(self, data: str | Path, fraction: float = 1.0, seed: int = 0) -> None:
        self.root, self.name = find_subset(Path(data))
        self._fraction, self._seed = fraction, seed
        self._motion: dict[Path, np.ndarray] = {}
        self._static: dict[Path, float] = {}
        if not 0.0 < fraction <= 1.0:
            raise QuietNavError(f'fraction {fraction:g} of the training rooms: expected 0 to 1')

    @cached_property
    def _splits(self) -> Splits:
        return load_splits(self.root, self.name)

    @cached_property
    def _pairs(self) -> dict[str, tuple[Pair, ...]]:
        return load_pairs(self.root, self.name)

    @property
    def motion(self) -> bool:
        """Whether recordings are drives, their places frames."""
        return next(row for split in SPLITS for row in self._splits[split]).frame >= 0

    @cached_property
    def train_rooms(self) -> frozenset[str]:
        """Rooms (motion: recordings) that are trained on."""
        rooms = sorted({row.room for row in self._splits.train})
        count = min(len(rooms), max(2, round(self._fraction * len(rooms))))
        order = np.random.default_rng([self._seed, len(rooms)]).permutation(len(rooms))
        return frozenset(rooms[i] for i in order[:count])

    def rows(self, split: str) -> list[Row]:
        """Return the near-wall rows of a split that have a label, with their distances."""
        found = [row for row in self._splits[split] if row.near is not None]
        return [self.measured(row) for row in self._kept(found, split)]

    def pairs(self, split: str) -> list[Pair]:
        """
        Return the listed pairs of a split, with their distances.

        Those of official motion recordings to train on are drawn: ``recordings``.
        """
        kept = [p for p in self._pairs[split] if split != 'train' or p.first.room in
                self.train_rooms]  # fmt: skip
        return [
            dataclasses.replace(p, first=self.measured(p.first), second=self.measured(p.second))
            for p in kept
        ]

    def places(self, split: str) -> dict[str, list[Row]]:
        """
        Return the places of every room of a split, once each, with distances.

        Of a motion recording: frames a clip apart from each other.
        """
        if self.motion:
            return {row.room: self.frames(row) for row in self.recordings(split)}
        rooms: dict[str, dict[Path, Row]] = {}
        for row in self.rows(split):
            once = dataclasses.replace(row, start_s=None if split == 'train' else 0.0)
            rooms.setdefault(row.room, {}).setdefault(row.folder, once)
        return {room: list(found.values()) for room, found in rooms.items()}

    def recordings(self, split: str) -> list[Row]:
        """Return a motion split's recordings once each."""
        folder = find_lists(self.root, ORDER)
        return self._kept(read_motion_recordings(folder / f'{split}.csv', self.root), split)

    def frames(self, recording: Row, step: int = round(MOTION_FPS * CLIP_S)) -> list[Row]:
        """Return every ``step``-th frame of a motion recording that a clip may begin at."""
        last = len(self.distances(recording)) - 2 * MARGIN
        return [self.at(recording, frame) for frame in range(MARGIN, last + 1, step)]

    def at(self, recording: Row, frame: int) -> Row:
        """Return the row that begins at a frame of a motion recording."""
        row = dataclasses.replace(
            recording, frame=frame, start_s=frame / MOTION_FPS, distance_m=np.nan
        )
        return self.measured(row)

    def distances(self, recording: Row) -> np.ndarray:
        """Return the distance at every frame of a motion recording, meters."""
        if recording.folder not in self._motion:
            self._motion[recording.folder] = motion_distances(recording)
        return self._motion[recording.folder]

    def measured(self, row: Row) -> Row:
        """Return the row with its distance."""
        if not np.isnan(row.distance_m):
            return row
        if row.frame < 0:
            # Hundreds of pairs name the same place.
            if row.folder not in self._static:
                self._static[row.folder] = with_distance(row).distance_m
            return dataclasses.replace(row, distance_m=self._static[row.folder])
        distances = self.distances(row)
        if middle_frame(row.frame) >= len(distances):
            raise QuietNavError(f'{row.folder}: no distance at frame {middle_frame(row.frame)}')
        return dataclasses.replace(row, distance_m=float(distances[middle_frame(row.frame)]))

    def refuse_missing(self, task: str, sounds: Iterable[Row], images: Iterable[Row]) -> None:
        """Raise QuietNavError naming the sounds and images that are not there, all at once."""
        seen = dict.fromkeys(row.image for row in images)
        if seen and not any(path.is_file() for path in seen):
            raise QuietNavError(
                f'task {task} needs images and {self.name} has none ({next(iter(seen))} ...): '
                'record with a camera, or simulate without --no-images'
            )
        heard = dict.fromkeys(row.audio for row in sounds)
        refuse_missing_files({**heard, **seen}, f'task {task}: {self.name}')

    def _kept(self, rows: Sequence[Row], split: str) -> list[Row]:
        if split != 'train' or self._fraction == 1.0:
            return list(rows)
        return [row for row in rows if row.room in self.train_rooms]


def comparable(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Return every ordered pair of places whose distances differ enough."""
    return [
        (one, other)
        for one in rows
        for other in rows
        if abs(one.distance_m - other.distance_m) >= LEAST_DIFFERENCE_M
    ]
