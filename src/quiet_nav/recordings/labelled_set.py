"""Labelled places on disk: a data set in the Quiet Campus layout that grows bag by bag."""

from __future__ import annotations

import contextlib
import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.quiet_campus.folders import (
    SUBSETS,
    to_json,
    whole_folder,
    write_annotation,
    write_color,
    write_list,
    write_sound,
    write_static_depth,
    write_whole,
)
from quiet_nav.quiet_campus.lists import OBSTACLE, ORDER, SPLITS
from quiet_nav.recordings.labelling import Labelled, LabelledPlace, LabelSettings, label_bag
from quiet_nav.recordings.playback import Wav
from quiet_nav.simulation.campus.lists import write_motion_lists
from quiet_nav.streams import generator

SUBSET = SUBSETS['static']
#: A pair is worth ordering from this difference in distance on (the official lists' least).
LEAST_DIFFERENCE_M = 0.1


@dataclass(frozen=True)
class Assigned:
    """A bag, the room that it was recorded in, and the part that the room belongs to."""

    bag: Path
    room: str
    split: str


def read_assignment(path: str | Path) -> list[Assigned]:
    """Read a CSV of bag, room, split; bags are relative to its folder.

    Raises QuietNavError for other columns and parts, and for a room in two parts.
    """
    path = Path(path)
    try:
        with path.open(newline='') as file:
            reader = csv.DictReader(file)
            if set(reader.fieldnames or ()) != {'bag', 'room', 'split'}:
                raise QuietNavError(
                    f'{path}: columns bag, room, split expected, found {reader.fieldnames}'
                )
            rows = [Assigned(path.parent / r['bag'], r['room'], r['split']) for r in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise QuietNavError(f'{path}: cannot be read ({error})') from error
    return rows


class LabelledSet:
    """A data set below ``out``: which room is in which part, and the bags it was made from.

    Raises QuietNavError where ``labels.json`` is there but cannot be read, or recordings are that
    it does not know.
    """

    def __init__(self, out: str | Path) -> None:
        self.root = Path(out) / SUBSET
        self._path = self.root / 'labels.json'
        self.rooms: dict[str, str] = {}
        self.bags: dict[str, dict] = {}
        if self._path.is_file():
            try:
                content = json.loads(self._path.read_text())
                self.rooms, self.bags = dict(content['rooms']), dict(content['bags'])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise QuietNavError(
                    f'{self._path}: not what this command writes ({error})'
                ) from error
        elif (self.root / 'ProcessedData').exists():
            raise QuietNavError(
                f'{self.root} holds recordings that this command did not write; choose another '
                'folder'
            )

    def claim(self, assigned: Sequence[Assigned], names: Sequence[str]) -> None:
        """Take rooms into their parts, before anything is written.

        Raises QuietNavError for a room in two parts, unknown parts, and bags that are in already.
        """
        rooms = dict(self.rooms)
        for item, name in zip(assigned, names, strict=True):
            if item.split not in SPLITS:
                raise QuietNavError(f'split {item.split!r} is none of {", ".join(SPLITS)}')
            if not item.room or '/' in item.room or item.room.startswith('.'):
                raise QuietNavError(f'room {item.room!r} cannot be the name of a folder')
            if rooms.setdefault(item.room, item.split) != item.split:
                raise QuietNavError(
                    f'room {item.room} would be in both {rooms[item.room]} and {item.split}; '
                    'each room must be in one'
                )
            if name in self.bags:
                raise QuietNavError(
                    f'bag {name} is in {self.root} already, as {self.bags[name]["room"]}'
                )
        twice = {name for name in names if list(names).count(name) > 1}
        if twice:
            raise QuietNavError(f'two bags are called {", ".join(sorted(twice))}; rename one')
        self.rooms = rooms

    def add(self, item: Assigned, settings: LabelSettings, wav: Wav | None = None) -> Labelled:
        """Label a bag into its room's folder; where ``label_bag`` raises nothing is left."""
        with _PlaceFolders(self.root / 'ProcessedData' / item.room) as folders:
            found = label_bag(item.bag, settings, folders, wav)
            for place in found.places:
                folders.annotate(place, found.name)
        self.bags[found.name] = {
            'room': item.room,
            'duration': found.duration_s,
            'places': len(found.places),
            'kept': found.kept_s,
            'left out': dict(sorted(found.left_out.items())),
            'notes': list(found.notes),
        }
        return found

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
        write_whole(self._path, to_json({'rooms': self.rooms, 'bags': self.bags}))

    def _write_motion_lists(self) -> None:
        depths: dict[str, dict[str, list[float]]] = {split: {} for split in SPLITS}
        for path in sorted((self.motion_root / 'ProcessedData').glob('*/annotation.json')):
            said = json.loads(path.read_text())
            depths[self.rooms[said['room']]][path.parent.name] = said['depth']
        for split in SPLITS:
            folder = self.motion_root / 'data-split'
            lists = (folder / task / f'{split}.csv' for task in (OBSTACLE, ORDER))
            rng = generator(0, 'lists', split)
            limit = NEAR_WALL_M, math.nextafter(NEAR_WALL_M, math.inf)
            write_motion_lists(depths[split], split, *lists, rng, *limit)

    def _write_lists(self, split: str, rooms: Sequence[str]) -> None:
        rows, pairs = [], []
        for room in rooms:
            distances = {}
            for place in sorted((self.root / 'ProcessedData' / room).glob('*/annotation.json')):
                said = json.loads(place.read_text())
                name, distance = place.parent.name, float(said['depth'])
                distances[name] = distance
                row = [_listed(room, name), repr(distance)]
                near = str(int(distance <= NEAR_WALL_M))
                if split == 'train':
                    rows.append([*row, near])
                else:
                    rows += [[*row, str(s), near] for s in range(int(said['Audio Length']))]
            pairs += [
                [_listed(room), one, other, str(int(distances[one] < distances[other]))]
                for one in distances
                for other in distances
                if abs(distances[one] - distances[other]) >= LEAST_DIFFERENCE_M
            ]
        folder = self.root / 'data-split'
        start = [] if split == 'train' else ['start second']
        columns = ['path', 'depth', *start, 'IfObstacle']
        write_list(folder / OBSTACLE / f'{split}.csv', columns, rows)
        write_list(folder / ORDER / f'{split}.csv', ['path', 'clip_1', 'clip_2', 'label'], pairs)


def _listed(*parts: str) -> str:
    return '/'.join(('.', 'data', SUBSET, 'ProcessedData', *parts))


class _PlaceFolders:
    """Places on their way to the disk: each a folder, all of which appear when the context ends."""

    def __init__(self, room: Path) -> None:
        self._room = room
        self._open = contextlib.ExitStack()
        self._folders: dict[str, Path] = {}
        self._most_depth: dict[str, float] = {}

    def __enter__(self) -> _PlaceFolders:
        return self

    def __exit__(self, *failure: object) -> None:
        self._open.__exit__(*failure)

    def sound(self, place: str, samples: np.ndarray) -> None:
        self._folders[place] = self._open.enter_context(whole_folder(self._room / place))
        write_sound(self._folders[place] / 'sound.wav', samples)

    def depth(self, place: str, image: np.ndarray) -> None:
        self._most_depth[place] = write_static_depth(self._folders[place] / 'Depth.png', image)

    def color(self, place: str, image: np.ndarray) -> None:
        write_color(self._folders[place] / 'RGB.png', image)

    def annotate(self, place: LabelledPlace, bag: str) -> None:
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
