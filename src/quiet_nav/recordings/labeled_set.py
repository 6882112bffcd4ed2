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

"""Labeled places on disk: a data set in the Quiet Campus layout that grows bag by bag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass
import math
from pathlib import Path
import shutil
from types import TracebackType
from typing import Literal
import unicodedata

import numpy as np
from pydantic import Field

from quiet_nav.errors import QuietNavError
from quiet_nav.files.csv_files import read_csv
from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Schema
from quiet_nav.files.values import short
from quiet_nav.files.writing import clear_parts, whole_folder, write_file
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.quiet_campus.annotation import Annotation, read_annotation
from quiet_nav.quiet_campus.folders import (
    SUBSETS,
    to_json,
    write_annotation,
    write_color,
    write_sound,
    write_static_depth,
)
from quiet_nav.quiet_campus.listing import ListedPlace, write_motion_lists, write_place_lists
from quiet_nav.quiet_campus.lists import SPLITS
from quiet_nav.recordings.bag_folder import bag_name
from quiet_nav.recordings.bags import Bag
from quiet_nav.recordings.labeling import label_bag, Labeled, LabeledPlace, LabelSettings
from quiet_nav.recordings.motion import label_motion, MotionLabeled
from quiet_nav.recordings.playback import Wav
from quiet_nav.streams import generator

SUBSET = SUBSETS['static']
_MOST_NAME = 100


@dataclass(frozen=True)
class Assigned:
    """A bag, the room that it was recorded in, and the part that the room belongs to."""

    bag: Path
    room: str
    split: str


def read_assignment(path: str | Path) -> list[Assigned]:
    """
    Read a CSV of bag, room, split; bags are relative to its folder.

    Raises QuietNavError naming the line where a value is missing, and for other columns.
    """
    path = Path(path)
    rows = []
    for line, row in read_csv(path, ('bag', 'room', 'split')):
        bag, room, split = (tidy(row[name]) for name in ('bag', 'room', 'split'))
        missing = [n for n, v in (('bag', bag), ('room', room), ('split', split)) if not v]
        if missing:
            raise QuietNavError(f'{path}: line {line}: no {missing[0]}')
        rows.append(Assigned(path.parent / bag, room, split))
    if not rows:
        raise QuietNavError(f'{path}: names no bags')
    return rows


def tidy(name: str) -> str:
    """Return a name as it is meant: without blanks around it, composed letters as one."""
    return unicodedata.normalize('NFC', ' '.join(name.split()))


class _BagEntry(Schema):
    """What ``labels.json`` says of a bag; begun_ns: time of its first message, 0 where unknown."""

    room: str
    duration: float
    places: int
    kept: float
    left_out: dict[str, float] = Field(alias='left out')
    notes: tuple[str, ...] = ()
    begun_ns: int = 0


class _Labels(Schema):
    """``labels.json``: the part of every room, and the bags that were labeled by name."""

    rooms: dict[str, Literal['train', 'val', 'test']]
    bags: dict[str, _BagEntry]


class LabeledSet:
    """
    A data set below ``out``: which room is in which part, and the bags it was made from.

    It grows bag by bag: what was added stays, whatever happens to the next. Raises QuietNavError
    where ``labels.json`` is there but cannot be read, or recordings are that it does not know.
    """

    def __init__(self, out: str | Path) -> None:
        self.root = Path(out) / SUBSET
        self._path = self.root / 'labels.json'
        self.rooms: dict[str, str] = {}
        self.bags: dict[str, _BagEntry] = {}
        if self._path.exists():
            said = checked(_Labels, read_json(self._path), str(self._path))
            self.rooms, self.bags = dict(said.rooms), dict(said.bags)
            lost = sorted({b.room for b in self.bags.values()} - set(self.rooms))
            if lost:
                raise QuietNavError(
                    f'{self._path}: bags of room {short(lost[0])}, which has no part'
                )
        elif (self.root / 'ProcessedData').exists():
            raise QuietNavError(
                f'{self.root} holds recordings that this command did not write; choose another '
                'folder'
            )

    def claim(self, assigned: Sequence[Assigned]) -> list[Assigned]:
        """
        Take rooms into their parts and return the bags that are not in yet.

        Everything that can be refused is, before anything is read or written: rooms in two parts,
        unknown parts, two bags of one name. Raises QuietNavError, also where the folder cannot be
        written.
        """
        rooms = dict(self.rooms)
        for item in assigned:
            _check_room(item)
            if rooms.setdefault(item.room, item.split) != item.split:
                raise QuietNavError(
                    f'room {item.room} would be in both {rooms[item.room]} and {item.split}; '
                    'each room must be in one'
                )
        names = [bag_name(item.bag) for item in assigned]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise QuietNavError(f'two bags are called {", ".join(sorted(twice))}; rename one')
        new = [i for i, name in zip(assigned, names, strict=True) if not self._is_in(i, name)]
        self.rooms = rooms
        clear_parts(self.root / 'ProcessedData')
        clear_parts(self.motion_root / 'ProcessedData')
        self._write_labels()
        return new

    def _is_in(self, item: Assigned, name: str) -> bool:
        """Return whether a bag was labeled already; QuietNavError where it is not the same."""
        if name not in self.bags:
            return False
        there = self.bags[name]
        with Bag(item.bag) as bag:
            same = there.begun_ns in (0, bag.start_ns)
        if there.room == item.room and same:
            return True
        other = '' if same else 'another '
        raise QuietNavError(f'{other}bag {name} is in {self.root} already, as {there.room}')

    def add(
        self,
        item: Assigned,
        settings: LabelSettings,
        wav: Wav | None = None,
        motion: bool = False,
    ) -> tuple[Labeled, MotionLabeled | None]:
        """
        Label a bag into its room's folder and write the lists; motion: moving stretches, too.

        Where it raises nothing of the bag counts.
        """
        name, moved = bag_name(item.bag), None
        self._clear(name, item.room)
        with _PlaceFolders(self.root / 'ProcessedData' / item.room) as folders:
            found = label_bag(item.bag, settings, folders, wav)
            for place in found.places:
                folders.annotate(place, found.name)
            if motion:
                moved = label_motion(item.bag, item.room, self.motion_root, settings, wav)
        entry = {
            'room': item.room,
            'duration': found.duration_s,
            'places': len(found.places),
            'kept': found.kept_s,
            'left out': dict(sorted(found.left_out.items())),
            'notes': found.notes,
            'begun_ns': found.begun_ns,
        }
        self.bags[name] = _BagEntry.model_validate(entry)
        self.finish()
        return found, moved

    @property
    def motion_root(self) -> Path:
        """Folder of the moving stretches, SFS-Motion beside SFS-Static."""
        return self.root.parent / SUBSETS['motion']

    def finish(self) -> None:
        """Write the lists of every part, empty ones too, and ``labels.json``."""
        if (self.motion_root / 'ProcessedData').is_dir():
            self._write_motion_lists()
        for split in SPLITS:
            rooms = sorted(room for room in self.rooms if self.rooms[room] == split)
            self._write_lists(split, rooms)
        self._write_labels()

    def _write_labels(self) -> None:
        used = {entry.room for entry in self.bags.values()}
        content = {
            'rooms': {room: split for room, split in self.rooms.items() if room in used},
            'bags': {
                name: b.model_dump(mode='json', by_alias=True) for name, b in self.bags.items()
            },
        }
        write_file(self._path, to_json(content), overwrite=True)

    def _clear(self, bag: str, room: str) -> None:
        """Remove what a run that was ended left of a bag: it is not in ``labels.json``."""
        for folder in (self.root / 'ProcessedData' / room, self.motion_root / 'ProcessedData'):
            for path, said in _annotations(folder):
                if said.bag == bag:
                    shutil.rmtree(path)

    def _write_motion_lists(self) -> None:
        depths: dict[str, dict[str, Sequence[float]]] = {split: {} for split in SPLITS}
        for path, said in _annotations(self.motion_root / 'ProcessedData', 'depth_m'):
            if said.bag in self.bags:
                room = self.bags[said.bag].room
                depths[self.rooms[room]][path.name] = said.depth_m
        for split in SPLITS:
            rng = generator(0, 'lists', split)
            limit = NEAR_WALL_M, math.nextafter(NEAR_WALL_M, math.inf)
            subset = SUBSETS['motion']
            write_motion_lists(self.motion_root, subset, depths[split], split, rng, *limit)

    def _write_lists(self, split: str, rooms: Sequence[str]) -> None:
        listed: dict[str, dict[str, ListedPlace]] = {}
        for room in rooms:
            listed[room] = {}
            folder = self.root / 'ProcessedData' / room
            for path, said in _annotations(folder, 'depth_m', 'length_s'):
                if said.bag not in self.bags:
                    continue
                is_near = said.distance_m <= NEAR_WALL_M
                length_s = said.length_s or 0.0
                listed[room][path.name] = ListedPlace(said.distance_m, length_s, is_near)
        write_place_lists(self.root, SUBSET, listed, split)


def _annotations(folder: Path, *needed: str) -> Iterator[tuple[Path, Annotation]]:
    """Yield the places or recordings in a folder and what is said of them."""
    for path in sorted(folder.glob('*/annotation.json')):
        yield path.parent, read_annotation(path.parent, *needed)


def _check_room(item: Assigned) -> None:
    if item.split not in SPLITS:
        raise QuietNavError(f'split {short(item.split)} is none of {", ".join(SPLITS)}')
    room = item.room
    if not room or '/' in room or '\0' in room or room.startswith('.') or len(room) > _MOST_NAME:
        raise QuietNavError(f'room {short(room)} cannot be the name of a folder')


class _PlaceFolders:
    """Places on their way to the disk: each a folder, all of which appear when the context ends."""

    def __init__(self, room: Path) -> None:
        self._room = room
        self._open = contextlib.ExitStack()
        self._folders: dict[str, Path] = {}
        self._most_depth: dict[str, float] = {}

    def __enter__(self) -> _PlaceFolders:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def sound(self, place: str, samples: np.ndarray) -> None:
        self._folders[place] = self._open.enter_context(whole_folder(self._room / place))
        write_sound(self._folders[place] / 'sound.wav', samples)

    def depth(self, place: str, image: np.ndarray) -> None:
        self._most_depth[place] = write_static_depth(self._folders[place] / 'Depth.png', image)

    def color(self, place: str, image: np.ndarray) -> None:
        write_color(self._folders[place] / 'RGB.png', image)

    def annotate(self, place: LabeledPlace, bag: str) -> None:
        annotation = {
            'Audio Length': place.duration_s,
            'depth': place.distance_m,
            'bag': bag,
            'start_ns': place.start_ns,
        }
        if place.side is not None:
            annotation['side'] = place.side.name
        if place.name in self._most_depth:
            annotation['Max depth in map'] = self._most_depth[place.name]
        write_annotation(self._folders[place.name] / 'annotation.json', annotation)
