"""The lists of a simulated campus, in the format of the official ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.quiet_campus.folders import SUBSETS, write_list
from quiet_nav.simulation.campus.places import FAR_M, MOTION_FPS, MOTION_FRAMES, NEAR_M
from quiet_nav.simulation.campus.rooms import read_annotation
from quiet_nav.sound.windows import CLIP_S
from quiet_nav.streams import generator

#: A pair is worth ordering from this difference in distance on (the official lists' least).
_LEAST_DIFFERENCE_M = 0.1
#: The first frame that the official motion lists name.
_FIRST_FRAME = 15
_CLIP_FRAMES = round(CLIP_S * MOTION_FPS)
_MOTION_PAIRS = 400
#: A grid of places has many more pairs than anyone trains on: so many of a room are listed.
_ROOM_PAIRS = 1000


def write_lists(kind: str, root: Path, splits: dict[str, list[str]], seed: int) -> None:
    """Write ``data-split/<task>/{train,val,test}.csv`` from the annotations below ``root``.

    Static lists have a row a place in train and a row a whole second in val and test, as the
    official ones. ``robot`` adds channel and side: a row an ear. Near and far as in the official
    lists where a camera faces the wall; every pose with its label for ``robot``, ``dense`` and
    ``views`` (a row an image).
    """
    for split, rooms in splits.items():
        rng = generator(seed, 'lists', split)
        folder = root / 'data-split'
        near = folder / 'obstacle-detection' / f'{split}.csv'
        order = folder / 'relative-depth' / f'{split}.csv'
        if kind == 'motion':
            _motion(root, rooms, split, near, order, rng)
        elif kind == 'robot':
            _robot(root, rooms, near)
        else:
            _static(kind, root, rooms, split, near, order, rng)


def _listed(kind: str, room: str, place: str = '') -> str:
    parts = ['.', 'data', SUBSETS[kind], 'ProcessedData', room, place]
    return '/'.join(part for part in parts if part)


def _static(
    kind: str,
    root: Path,
    rooms: list[str],
    split: str,
    near: Path,
    order: Path,
    rng: np.random.Generator,
) -> None:
    rows, pairs = [], []
    for room in rooms:
        depths = {}
        for place in sorted((root / 'ProcessedData' / room).iterdir()):
            said = read_annotation(place)
            depths[place.name] = said['depth']
            close = said['depth'] <= (NEAR_M[-1] if kind == 'static' else NEAR_WALL_M)
            if kind == 'static' and not close and said['depth'] < FAR_M[0] - 0.01:
                continue
            path = _listed(kind, room, place.name)
            row = [path, repr(said['depth'])]
            if split == 'train' or kind == 'views':
                rows.append([*row, str(int(close))])
            else:
                rows += [[*row, str(s), str(int(close))] for s in range(int(said['Audio Length']))]
        both = [
            [_listed(kind, room), one, other, str(int(depths[one] < depths[other]))]
            for one in depths
            for other in depths
            if abs(depths[one] - depths[other]) >= _LEAST_DIFFERENCE_M
        ]
        if len(both) > _ROOM_PAIRS:
            both = [both[i] for i in sorted(rng.choice(len(both), _ROOM_PAIRS, replace=False))]
        pairs += both
    start = [] if split == 'train' or kind == 'views' else ['start second']
    write_list(near, ['path', 'depth', *start, 'IfObstacle'], rows)
    write_list(order, ['path', 'clip_1', 'clip_2', 'label'], pairs)


def _robot(root: Path, rooms: list[str], near: Path) -> None:
    rows = []
    for room in rooms:
        for place in sorted((root / 'ProcessedData' / room).iterdir()):
            rows += [
                [
                    _listed('robot', room, place.name),
                    repr(ear['distance']),
                    '0',
                    str(ear['channel']),
                    ear['side'],
                    str(int(ear['near'])),
                ]
                for ear in read_annotation(place)['ears']
            ]
    columns = ['path', 'depth', 'start second', 'channel', 'side', 'IfObstacle']
    write_list(near, columns, rows)


def _motion(
    root: Path, rooms: list[str], split: str, near: Path, order: Path, rng: np.random.Generator
) -> None:
    depths = {
        room: read_annotation(root / 'ProcessedData' / room)['depth'][:MOTION_FRAMES]
        for room in rooms
    }
    write_motion_lists(depths, split, near, order, rng, NEAR_M[-1], FAR_M[0])


def write_motion_lists(
    depths: dict[str, list[float]],
    split: str,
    near: Path,
    order: Path,
    rng: np.random.Generator,
    near_m: float,
    far_m: float,
) -> None:
    """Write the near-wall and the relative-depth list of motion recordings.

    depths: of each recording, metres a frame. Frames between near_m and far_m are left out.
    """
    rows, pairs = [], []
    for room, depth in depths.items():
        path = _listed('motion', room)
        last = len(depth) - _CLIP_FRAMES - 1
        for frame in range(_FIRST_FRAME, last + 1):
            middle = depth[frame + _CLIP_FRAMES // 2]
            if middle <= near_m or middle >= far_m:
                rows.append([path, f'd{frame:03d}.png', str(int(middle <= near_m))])
        if split == 'train':
            pairs.append([path])
            continue
        for one, other in rng.integers(_FIRST_FRAME, last + 1, (_MOTION_PAIRS, 2)).tolist():
            difference = depth[one + _CLIP_FRAMES // 2] - depth[other + _CLIP_FRAMES // 2]
            if abs(difference) >= _LEAST_DIFFERENCE_M:
                pairs.append([path, f'd{one:03d}.png', f'd{other:03d}.png', repr(difference)])
    write_list(near, ['path', 'depth_path_1', 'IfObstacle'], rows)
    more = [] if split == 'train' else ['depth_path_1', 'depth_path_2', 'distance']
    write_list(order, ['path', *more], pairs)
