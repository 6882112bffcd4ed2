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

"""Writing lists: near-wall and relative-depth lists of places and of motion recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quiet_nav.quiet_campus.folders import write_list
from quiet_nav.quiet_campus.lists import MOTION_FPS, OBSTACLE, ORDER
from quiet_nav.sound.windows import CLIP_S

#: A pair is worth ordering from this difference in distance on (the official lists' least).
LEAST_DIFFERENCE_M = 0.1
#: The first frame that the official motion lists name.
FIRST_FRAME = 15
CLIP_FRAMES = round(CLIP_S * MOTION_FPS)
MOTION_PAIRS = 400


@dataclass(frozen=True)
class ListedPlace:
    """
    One place of a room: how far its wall is (meters), how long its sound, and its label.

    is_near: None leaves the place out of the near-wall list; it still counts for pairs.
    """

    distance_m: float
    length_s: float
    is_near: bool | None


def listed(subset: str, *parts: str) -> str:
    """Return a path as the official lists have it: './data/SFS-Static/ProcessedData/room/place'."""
    return '/'.join(('.', 'data', subset, 'ProcessedData', *parts))


def write_place_lists(
    root: Path,
    subset: str,
    rooms: Mapping[str, Mapping[str, ListedPlace]],
    split: str,
    by_second: bool = True,
    most_pairs: int | None = None,
    rng: np.random.Generator | None = None,
) -> None:
    """
    Write ``data-split/<task>/<split>.csv`` of places, in the order of ``rooms``.

    A place is a row in train and, where ``by_second``, a row a whole second of its sound in val and
    test. Of a room's pairs no more than most_pairs are kept, drawn by ``rng``.
    """
    by_second = by_second and split != 'train'
    rows: list[Sequence[str]] = []
    pairs: list[Sequence[str]] = []
    for room, places in rooms.items():
        for name, place in places.items():
            if place.is_near is None:
                continue
            row = [listed(subset, room, name), repr(place.distance_m)]
            label = str(int(place.is_near))
            if by_second:
                rows += [[*row, str(s), label] for s in range(int(place.length_s))]
            else:
                rows.append([*row, label])
        distances = {name: place.distance_m for name, place in places.items()}
        both = [
            [listed(subset, room), one, other, str(int(distances[one] < distances[other]))]
            for one in distances
            for other in distances
            if abs(distances[one] - distances[other]) >= LEAST_DIFFERENCE_M
        ]
        if most_pairs is not None and rng is not None and len(both) > most_pairs:
            both = [both[i] for i in sorted(rng.choice(len(both), most_pairs, replace=False))]
        pairs += both
    start = ['start second'] if by_second else []
    near, order = list_paths(root, split)
    write_list(near, ['path', 'depth', *start, 'IfObstacle'], rows)
    write_list(order, ['path', 'clip_1', 'clip_2', 'label'], pairs)


def list_paths(root: Path, split: str) -> tuple[Path, Path]:
    """Return the near-wall and the relative-depth list of a split."""
    near, order = (root / 'data-split' / task / f'{split}.csv' for task in (OBSTACLE, ORDER))
    return near, order


def write_motion_lists(
    root: Path,
    subset: str,
    depths: Mapping[str, Sequence[float]],
    split: str,
    rng: np.random.Generator,
    near_m: float,
    far_m: float,
) -> None:
    """
    Write the near-wall and the relative-depth list of motion recordings.

    depths: of each recording, meters a frame. Frames between near_m and far_m are left out.
    """
    rows: list[Sequence[str]] = []
    pairs: list[Sequence[str]] = []
    for recording, depth in depths.items():
        path = listed(subset, recording)
        last = len(depth) - CLIP_FRAMES - 1
        for frame in range(FIRST_FRAME, last + 1):
            middle = depth[frame + CLIP_FRAMES // 2]
            if middle <= near_m or middle >= far_m:
                rows.append([path, f'd{frame:03d}.png', str(int(middle <= near_m))])
        if split == 'train':
            pairs.append([path])
            continue
        for one, other in rng.integers(FIRST_FRAME, last + 1, (MOTION_PAIRS, 2)).tolist():
            difference = depth[one + CLIP_FRAMES // 2] - depth[other + CLIP_FRAMES // 2]
            if abs(difference) >= LEAST_DIFFERENCE_M:
                pairs.append([path, f'd{one:03d}.png', f'd{other:03d}.png', repr(difference)])
    near, order = list_paths(root, split)
    write_list(near, ['path', 'depth_path_1', 'IfObstacle'], rows)
    more = [] if split == 'train' else ['depth_path_1', 'depth_path_2', 'distance']
    write_list(order, ['path', *more], pairs)
