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

"""What a kind of campus is: where it records, what it writes of a place, and its lists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np

from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.quiet_campus.annotation import Annotation, read_annotation
from quiet_nav.quiet_campus.listing import ListedPlace
from quiet_nav.simulation.campus.request import CampusRequest, Place, RoomPlan
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom


class CampusKind(ABC):
    """
    One kind of campus; ``kinds`` finds every module here that has a ``KIND``.

    NAME: what users write. SUBSET: the folder of the data set. ROOM: pattern of a room's name.
    OPTIONS: fields of the request that this kind alone has, left out of other kinds' manifests.
    HAS_RIG: a robot's rig records, and the robot itself is written where it makes noise.
    """

    NAME: ClassVar[str]
    SUBSET: ClassVar[str]
    ROOM: ClassVar[str] = 'SIM-{:04d}'
    OPTIONS: ClassVar[tuple[str, ...]] = ()
    HAS_RIG: ClassVar[bool] = False

    def check(self, request: CampusRequest) -> None:
        """Raise QuietNavError where this kind cannot be made as asked."""
        return

    @abstractmethod
    def places(
        self,
        room: AcousticRoom,
        rng: np.random.Generator,
        seed: int,
        request: CampusRequest,
        reach_m: float,
    ) -> list[Place]:
        """
        Return what is recorded in a room; ``seed``: the room's.

        reach_m: how far from a robot's center, or a single microphone, its farthest part is that
        must be in the room.
        """

    @abstractmethod
    def write(self, folder: Path, room: RoomPlan, request: CampusRequest) -> None:
        """Record a room and write its places below ``folder``."""

    @abstractmethod
    def write_lists(
        self, root: Path, rooms: list[str], split: str, rng: np.random.Generator
    ) -> None:
        """Write the lists of a split from the annotations below ``root``."""


def said_of_room(root: Path, room: str, *needed: str) -> dict[str, Annotation]:
    """
    Return the annotations of a room's places by their names, in order.

    needed: as for ``read_annotation``, whose errors these are.
    """
    folders = sorted((root / 'ProcessedData' / room).iterdir())
    return {folder.name: read_annotation(folder, *needed) for folder in folders}


def is_near(said: Annotation) -> bool:
    """Return the label of a place."""
    return said.distance_m <= NEAR_WALL_M


def listed_places(
    root: Path, room: str, label: Callable[[Annotation], bool | None] = is_near
) -> dict[str, ListedPlace]:
    """Return a room's places for its lists; label: whether a place is near."""
    return {
        name: ListedPlace(said.distance_m, said.length_s or 0.0, label(said))
        for name, said in said_of_room(root, room, 'depth_m', 'length_s').items()
    }
