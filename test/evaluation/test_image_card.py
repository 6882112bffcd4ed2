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

"""The card of a vision model: which images it counts, and what it says of them."""

import csv
import json

import numpy as np
import pytest

pytest.importorskip('onnx')

from brightness_model import write_model
from PIL import Image

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.image_card import measure_images


def write_views(root, rooms=6, places=4):
    rng = np.random.default_rng(0)
    names = [f'SIM-{i:04d}' for i in range(rooms)]
    for split, part in (('train', names[:-3]), ('val', names[-3:-2]), ('test', names[-2:])):
        rows = []
        for room in part:
            for i in range(places):
                near = i % 2 == 0
                folder = root / 'SFS-Views' / 'ProcessedData' / room / f'view-{i:03d}'
                folder.mkdir(parents=True)
                patches = rng.normal(180.0 if near else 60.0, 20.0, (6, 8, 1))
                pixels = np.kron(patches, np.ones((8, 8, 3))).clip(0, 255).astype(np.uint8)
                # The first image of every room is black: no robot would use it.
                Image.fromarray(pixels * (i > 0)).save(folder / 'RGB.png')
                situation = 'facing' if i == 3 else 'along'
                note = {'depth': 0.3 if near else 2.0, 'situation': situation, 'light': 1.0}
                (folder / 'annotation.json').write_text(json.dumps(note))
                listed = f'./data/SFS-Views/ProcessedData/{room}/{folder.name}'
                rows.append([listed, note['depth'], int(near)])
        path = root / 'SFS-Views' / 'data-split' / 'obstacle-detection' / f'{split}.csv'
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('w', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['path', 'depth', 'IfObstacle'])
            writer.writerows(rows)
    return root


def test_card_counts_test_rooms_or_every_room_of_another_campus(tmp_path):
    model, views = write_model(tmp_path / 'm.onnx'), write_views(tmp_path / 'views')
    test = measure_images(model, views)
    assert test.images == 2 * 4 and test.refused == pytest.approx(0.25)
    every = measure_images(model, views, views)
    assert every.images == 6 * 4
    lines = {m.line.name: m.line for m in every.measured}
    assert lines['every image'].rooms == 6 and lines['every image'].positives == 12
    assert lines['facing a wall'].rows == 6
    assert 'dim: 2 to 79 % of the light' not in lines
    assert lines['0.3-0.5 m'].rows == 12 and lines['over 2 m'].rows == 12
    # Half of the near images are black: 6 of 12 stand before the far ones.
    assert lines['every image'].accuracy.value == pytest.approx(0.75)


def test_campus_without_views_is_named(tmp_path):
    with pytest.raises(QuietNavError, match='no SFS-Views; make it with'):
        measure_images(write_model(tmp_path / 'm.onnx'), tmp_path)
