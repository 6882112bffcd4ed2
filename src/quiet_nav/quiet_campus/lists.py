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

"""Readers for folders and lists in the Quiet Campus layout, recorded or simulated alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
import math
import os
from pathlib import Path
import re
from typing import TypeVar

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.csv_files import read_csv
from quiet_nav.files.opening import inside
from quiet_nav.files.values import short
from quiet_nav.geometry import Side
from quiet_nav.quiet_campus.folders import SUBSETS
from quiet_nav.sound.windows import CLIP_S

SPLITS = ('train', 'val', 'test')
MOTION_FPS = 15
OBSTACLE = 'obstacle-detection'
ORDER = 'relative-depth'
#: Subsets that detectors learn from, wherever they lie in a folder (``campuses``).
LISTENED = ('SFS-Robot', 'SFS-Static')
#: Missing files named in an error; the rest are counted.
NAMED_MISSING = 20


_FRAME = re.compile(r'd*([0-9]{1,6})(?:\.[A-Za-z0-9]+)?')
T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class Row:
    """
    One place that was listened to: where its audio lies and how far the wall was.

    room: no room may be in two splits (for motion: the recording). audio: path of the WAV.
    start_s: where in the file the example begins; None: anywhere. near: the list's label, None
    where there is none. distance_m: to the wall asked about, NaN where unknown.
    channel: of the WAV, -1 for the mean of all. frame: depth image number (motion), else -1.
    side: that the ear of a rig faces (SFS-Robot: a row an ear), else None.
    """

    room: str
    audio: Path
    start_s: float | None = None
    near: bool | None = None
    distance_m: float = math.nan
    channel: int = -1
    frame: int = -1
    side: Side | None = None

    @property
    def folder(self) -> Path:
        """Folder of the place (static) or of the recording (motion)."""
        return self.audio.parent.parent if self.audio.parent.name == 'Audio' else self.audio.parent

    @property
    def image(self) -> Path:
        """Color image in the middle of the clip."""
        if self.frame < 0:
            return self.folder / 'RGB.png'
        return self.folder / 'RGB' / f'c{middle_frame(self.frame):03d}.png'

    @property
    def depth_image(self) -> Path:
        """Depth image in the middle of the clip."""
        if self.frame < 0:
            return self.folder / 'Depth.png'
        return self.folder / 'Depth' / f'd{middle_frame(self.frame):03d}.png'


@dataclass(frozen=True)
class Pair:
    """Two places of one room; ``first_nearer`` is None where the list gives no label."""

    first: Row
    second: Row
    first_nearer: bool | None


@dataclass(frozen=True)
class Splits:
    """Rows of the three parts of a data set."""

    train: tuple[Row, ...]
    val: tuple[Row, ...]
    test: tuple[Row, ...]

    def __getitem__(self, split: str) -> tuple[Row, ...]:
        return getattr(self, known_split(split))


def middle_frame(frame: int) -> int:
    """Return the frame in the middle of the 0.96 s that begin at a motion frame."""
    return frame + int(MOTION_FPS * CLIP_S) // 2


def campuses(data: Path) -> list[tuple[Path, str | None]]:
    """Return the data sets in a folder and in the folders in it, as ``load_splits`` takes them."""
    found: list[tuple[Path, str | None]] = [
        (folder, subset)
        for folder in (data, *sorted(p for p in data.iterdir() if p.is_dir()))
        for subset in LISTENED
        if (folder / subset / 'data-split').is_dir()
    ]
    return found or [(data, None)]


def load_splits(
    data: str | Path,
    subset: str | None = None,
    lists: str | Path | None = None,
    needs: Sequence[str] = ('audio',),
) -> Splits:
    """
    Read the near-wall lists of a data set, all files checked.

    data: folder that holds a subset (``folders.SUBSETS``), or one of these itself.
    subset: which of them, where both are there. lists: folder of train.csv, val.csv, test.csv
    where they are elsewhere than in ``data-split/obstacle-detection``. needs: which files of a
    row must be there: audio, image, depth_image.
    Raises QuietNavError for lists that share a room, rows that cannot be read and missing files,
    all of them at once.
    """
    root, name = find_subset(Path(data), subset)
    folder = find_lists(root, OBSTACLE, lists)
    rows = {split: tuple(read_obstacle_list(folder / f'{split}.csv', root)) for split in SPLITS}
    refuse_shared_rooms({s: {row.room for row in rows[s]} for s in SPLITS}, folder)
    every = [row for split in SPLITS for row in rows[split]]
    refuse_missing(every, name, needs)
    return Splits(**rows)


def load_pairs(
    data: str | Path, subset: str | None = None, lists: str | Path | None = None
) -> dict[str, tuple[Pair, ...]]:
    """
    Read the relative-depth lists (which of two is nearer); arguments and errors as above.

    The official motion train list names recordings alone: its pairs are for the user to draw and
    its rows come back by ``read_motion_recordings``; here that split is empty.
    """
    root, name = find_subset(Path(data), subset)
    folder = find_lists(root, ORDER, lists)
    pairs = {split: tuple(read_order_list(folder / f'{split}.csv', root)) for split in SPLITS}
    rooms = {s: {pair.first.room for pair in pairs[s]} for s in SPLITS}
    refuse_shared_rooms(rooms, folder)
    refuse_missing((r for s in SPLITS for p in pairs[s] for r in (p.first, p.second)), name)
    return pairs


def find_subset(data: Path, subset: str | None = None) -> tuple[Path, str]:
    """Return the folder above ``ProcessedData`` and the subset's name."""
    refuse_no_folder(data)
    if (data / 'ProcessedData').is_dir():
        return data, subset or data.name
    found = [name for name in SUBSETS.values() if (data / name / 'ProcessedData').is_dir()]
    if subset is not None:
        if subset not in found:
            raise QuietNavError(f'{data}: no {subset}/ProcessedData in it; found {found or "none"}')
        return data / subset, subset
    if len(found) != 1:
        what = f'found {", ".join(found)}: name one' if found else 'found none'
        raise QuietNavError(
            f'{data}: expected ProcessedData in it or in one of '
            f'{", ".join(SUBSETS.values())}; {what}'
        )
    return data / found[0], found[0]


def refuse_no_folder(data: Path) -> None:
    """Raise QuietNavError where the folder of a data set is not there."""
    if not data.is_dir():
        raise QuietNavError(f'{data}: no such folder of recordings')


def find_lists(root: Path, task: str, lists: str | Path | None = None) -> Path:
    """Return the folder with train.csv, val.csv and test.csv of a task."""
    candidates = [root / 'data-split' / task, root / task]
    if lists is not None:
        base = Path(lists)
        candidates = [base, base / task, base / root.name / task, base / 'data-split' / task]
    for folder in candidates:
        if all((folder / f'{split}.csv').is_file() for split in SPLITS):
            return folder
    tried = ', '.join(str(c) for c in candidates)
    raise QuietNavError(f'{root}: no train.csv, val.csv and test.csv of {task}; looked in {tried}')


def read_obstacle_list(path: str | Path, root: Path) -> list[Row]:
    """Read one near-wall list, static or motion, as rows under ``root``."""
    return _read(path, {'path', 'IfObstacle'}, lambda record: _obstacle_row(record, root))


def read_order_list(path: str | Path, root: Path) -> list[Pair]:
    """
    Read one list of pairs; label 1 (static) says that the first is nearer.

    The motion lists give the signed difference of the two distances, first minus second.
    """
    pairs = _read(
        path,
        {'path'},
        lambda record: None if set(record) == {'path'} else _order_pair(record, root),
    )
    return [pair for pair in pairs if pair is not None]


def read_motion_recordings(path: str | Path, root: Path) -> list[Row]:
    """Read the recordings of a list once each (the motion train list of pairs has no more)."""
    found = _read(path, {'path'}, lambda record: _motion_row(local_path(record['path'], root), -1))
    return list({row.folder: row for row in found}.values())


def local_path(listed: str, root: Path) -> Path:
    """Return a listed path (``./data/SFS-Static/ProcessedData/...``) under the user's root."""
    parts = Path(listed).parts
    if 'ProcessedData' not in parts[:-1]:
        raise QuietNavError(f'path {short(listed)} has no ProcessedData with a folder in it')
    return inside(root, str(Path(*parts[parts.index('ProcessedData') :])), 'path')


def refuse_shared_rooms(rooms: dict[str, set[str]], where: object) -> None:
    """Raise QuietNavError where a room is in two splits: its test would not be one."""
    names = list(rooms)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            shared = sorted(rooms[one] & rooms[other])
            if shared:
                listed = ', '.join(shared[:NAMED_MISSING])
                raise QuietNavError(
                    f'{where}: rooms in both {one} and {other}: {listed}; each room must be in one'
                )


def refuse_missing(rows: Iterable[Row], name: str, needs: Sequence[str] = ('audio',)) -> None:
    """Raise QuietNavError naming every file (audio, image, depth_image) of rows that is missing."""
    needed = dict.fromkeys(getattr(row, what) for row in rows for what in needs)
    refuse_missing_files(needed, name)


def refuse_missing_files(needed: Collection[Path], name: str) -> None:
    """Raise QuietNavError naming the files that are not there, NAMED_MISSING of them at most."""
    missing = [path for path in needed if not os.path.isfile(path)]
    if missing:
        named = '\n  '.join(str(path) for path in missing[:NAMED_MISSING])
        more = len(missing) - NAMED_MISSING
        tail = f'\n  ... and {more} more' if more > 0 else ''
        raise QuietNavError(
            f'{name}: {len(missing)} of {len(needed)} files that the lists name are missing:'
            f'\n  {named}{tail}'
        )


def image_rows(rows: Sequence[Row]) -> list[Row]:
    """
    Return the labeled rows that an image answers, each image once.

    Static lists name a place once a second of its sound; a robot's row of a side ear asks about a
    direction that its camera does not look in.
    """
    kept: dict[Path, Row] = {}
    for row in rows:
        if row.near is not None and row.side in (None, Side.FRONT):
            kept.setdefault(row.image, row)
    return list(kept.values())


def rooms_of(rows: Sequence[Row]) -> np.ndarray:
    """Return each row's room, shape (N,)."""
    return np.array([row.room for row in rows])


def _obstacle_row(record: dict[str, str], root: Path) -> Row:
    folder = local_path(record['path'], root)
    near = _flag(record['IfObstacle'])
    if 'depth_path_1' in record:
        return replace(_motion_row(folder, _frame(record['depth_path_1'])), near=near)
    return Row(
        room=folder.parent.name,
        audio=folder / 'sound.wav',
        start_s=_number(record, 'start second', 0.0) if record.get('start second') else None,
        near=near,
        distance_m=_number(record, 'depth', 0.0, 1000.0),
        channel=int(_number(record, 'channel', 0.0, 254.0)) if record.get('channel') else -1,
        side=_side(record['side']) if record.get('side') else None,
    )


def _motion_row(folder: Path, frame: int) -> Row:
    start = frame / MOTION_FPS if frame >= 0 else None
    audio = folder / 'Audio' / 'sound.wav'
    return Row(room=folder.name, audio=audio, start_s=start, frame=frame)


def _order_pair(record: dict[str, str], root: Path) -> Pair:
    folder = local_path(record['path'], root)
    if 'clip_1' in record:
        first, second = (
            Row(folder.name, inside(folder, _value(record, key), key) / 'sound.wav')
            for key in ('clip_1', 'clip_2')
        )
        return Pair(first, second, _flag(_value(record, 'label')))
    first, second = (
        _motion_row(folder, _frame(_value(record, key))) for key in ('depth_path_1', 'depth_path_2')
    )
    return Pair(first, second, _number(record, 'distance', -1000.0, 1000.0) < 0.0)


def _read(path: str | Path, needed: set[str], make: Callable[[dict[str, str]], T]) -> list[T]:
    found = []
    for number, record in read_csv(path, needed):
        try:
            found.append(make(record))
        except QuietNavError as error:
            raise QuietNavError(f'{path}: row {number} cannot be read ({error})') from error
    return found


def _value(record: dict[str, str], column: str) -> str:
    if column not in record:
        raise QuietNavError(f'no column {column}')
    return record[column]


def _number(record: dict[str, str], column: str, least: float, most: float = 1e6) -> float:
    text = _value(record, column)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise QuietNavError(f'{column} {short(text)} is no number from {least:g} to {most:g}')
    return value


def _flag(text: str) -> bool:
    if text not in ('0', '1', '0.0', '1.0'):
        raise QuietNavError(f'label {short(text)} is neither 0 nor 1')
    return float(text) == 1.0


def _frame(name: str) -> int:
    found = _FRAME.fullmatch(Path(name).name)
    if not found:
        raise QuietNavError(f'{short(name)} is no depth image d000.png')
    return int(found[1])


def _side(name: str) -> Side:
    if name.upper() not in Side.__members__:
        raise QuietNavError(f'side {short(name)} is none of {", ".join(Side.__members__)}')
    return Side[name.upper()]


def known_split(split: str) -> str:
    """Return the name of a split; QuietNavError naming all of them where it is none."""
    if split not in SPLITS:
        raise QuietNavError(f'split {split!r} is none of {", ".join(SPLITS)}')
    return split
