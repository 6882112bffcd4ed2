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

"""What a vision model's card says: figures on furnished rooms that it never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.card import Measured, part_of
from quiet_nav.evaluation.image_predictor import ImagePredictor
from quiet_nav.evaluation.report import by_distance, judge
from quiet_nav.quiet_campus.annotation import Annotation, read_annotation
from quiet_nav.quiet_campus.lists import image_rows, load_splits, Row

SUBSET = 'SFS-Views'
LOOKS = 'Furnished rooms: 6 places looked at to the left, ahead and to the right, 12 facing a wall'
BY_DISTANCE = 'The same images by true distance along the optical axis'


@dataclass(frozen=True)
class ImageFigures:
    """measured: lines of the card. refused: share of images that a robot would not use."""

    measured: tuple[Measured, ...]
    images: int
    refused: float


def measure_images(
    model: str | Path,
    data: str | Path,
    rooms: str | Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> ImageFigures:
    """
    Measure a vision model on a campus of kind ``views``.

    rooms: another such campus, of which every room is tested; else the test rooms of ``data`` are.
    Raises QuietNavError where there is none.
    """
    folder = Path(rooms or data)
    if not (folder / SUBSET).is_dir():
        raise QuietNavError(f'{folder}: no {SUBSET}; make it with quiet_nav campus --kind views')
    splits = load_splits(folder, SUBSET, needs=('image',))
    listed = splits.test if rooms is None else (*splits.train, *splits.val, *splits.test)
    rows = image_rows(listed)
    predictor = ImagePredictor(model)
    say(f'{len(rows)} images')
    found = predictor.predict(rows)
    notes = [read_annotation(row.folder, 'situation', 'light') for row in rows]
    parts: dict[str, Callable[[Annotation], bool]] = {
        'every image': lambda note: True,
        'as a robot stands: along walls, any heading': lambda note: note.situation != 'facing',
        'facing a wall': lambda note: note.situation == 'facing',
        'light on': lambda note: note.light == 1.0,
        'dim: 2 to 79 % of the light': lambda note: note.light < 1.0,
    }
    measured = []
    for name, wanted in parts.items():
        which = [i for i, note in enumerate(notes) if wanted(note)]
        part: Sequence[Row] = [rows[i] for i in which]
        if which:
            line = judge('views', name, part, part_of(found, which))
            measured.append(Measured(LOOKS, line))
    measured.append(Measured(BY_DISTANCE, measured[0].line))
    measured += [Measured(BY_DISTANCE, line) for line in by_distance(rows, found)]
    return ImageFigures(tuple(measured), len(rows), predictor.refused)
