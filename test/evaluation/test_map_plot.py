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

"""The picture of a near-wall map: the colors of its cells where the cells are."""

import json

import numpy as np
import pytest
import soundfile

pytest.importorskip('matplotlib')
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.dense_map import dense_map, dense_rooms
from quiet_nav.evaluation.predictors import Predictions
from quiet_nav.perception.display.display import colors
from quiet_nav.perception.maps.files import save_map
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.quiet_campus.rows import read_audio


def share_of(picture, color):
    """Share of the picture in a color, to a hair's breadth."""
    return (np.abs(picture[..., :3] - color).max(axis=-1) < 0.02).mean()


@pytest.mark.slow
def test_command_draws_known_cells_in_their_colors_and_leaves_the_rest_white(tmp_path):
    from matplotlib.image import imread

    cells = np.full((20, 40), np.nan)
    cells[:10, :20], cells[10:, 20:] = 0.0, 1.0
    _, description = save_map(tmp_path / 'room', GridMap(cells, -1.0, 2.0, 0.05))
    done = CliRunner().invoke(build_app(), ['draw-map', str(description), '--title', 'room'])
    assert done.exit_code == 0, done.output
    picture = imread(tmp_path / 'room.png')
    dark, light, white = (
        share_of(picture, color) for color in (*colors(np.array([0.0, 1.0])), np.ones(3))
    )
    # Two quarters of the map of the same size, and the unknown half is paper.
    assert dark > 0.1 and light == pytest.approx(dark, rel=0.05)
    assert white > 2.0 * dark
    rows, columns = np.nonzero(np.abs(picture[..., :3] - colors(np.array(1.0))).max(-1) < 0.02)
    below, left = np.nonzero(np.abs(picture[..., :3] - colors(np.array(0.0))).max(-1) < 0.02)
    assert rows.mean() < below.mean(), 'y points up'
    assert np.median(columns) > np.median(left), 'x points right'


def test_command_says_what_is_wrong_with_a_file(tmp_path):
    done = CliRunner().invoke(build_app(), ['draw-map', str(tmp_path / 'none.yaml')])
    assert isinstance(done.exception, QuietNavError)
    assert 'none.yaml' in str(done.exception)


@pytest.mark.slow
def test_spectra_are_red_above_the_mean_of_the_room_and_blue_below(tmp_path):
    from matplotlib.image import imread

    from quiet_nav.evaluation.plots import wall_spectra, WallSpectra

    frequencies, distances = np.geomspace(60.0, 2000.0, 8), np.linspace(0.1, 1.5, 6)
    ones = np.ones((6, 8))
    spectra = WallSpectra(frequencies, distances, 3.0 * ones, -3.0 * ones)
    wall_spectra(tmp_path / 'spectra.png', spectra, 'left', 'right')
    picture = imread(tmp_path / 'spectra.png')[..., :3].astype(float)
    red = (picture[..., 0] > 0.3) & (picture[..., 1:].max(axis=-1) < 0.15)
    blue = (picture[..., 2] > 0.3) & (picture[..., 0] < 0.05)
    assert min(red.mean(), blue.mean()) > 0.15
    assert np.nonzero(red)[1].mean() < np.nonzero(blue)[1].mean()


def test_a_picture_that_is_there_is_kept_unless_it_may_be_replaced(tmp_path):
    cells = np.full((4, 5), 0.5)
    _, description = save_map(tmp_path / 'room', GridMap(cells, 0.0, 0.0, 0.05))
    picture = tmp_path / 'room.png'
    picture.write_text('mine')
    done = CliRunner().invoke(build_app(), ['draw-map', str(description)])
    assert 'room.png is there already; --overwrite' in str(done.exception)
    assert picture.read_text() == 'mine'
    done = CliRunner().invoke(build_app(), ['draw-map', str(description), '--overwrite'])
    assert done.exit_code == 0 and picture.read_bytes().startswith(b'\x89PNG')
    assert sorted(p.name for p in tmp_path.iterdir()) == ['room.pgm', 'room.png', 'room.yaml']


def test_pictures_of_no_form_are_refused_before_the_work(tmp_path):
    out = str(tmp_path / 'x.txt')
    done = CliRunner().invoke(build_app(), ['draw-map', str(tmp_path / 'no.yaml'), '--out', out])
    assert 'x.txt: pictures are .png, .svg, .pdf, .jpg, not .txt' in str(done.exception)


class Louder:
    """Says near where the recording is loud."""

    contexts = ()

    def predict(self, rows, context=None, change=None):
        near = [float(np.abs(read_audio(row, 0.0, 1.0)).max() > 0.1) for row in rows]
        return Predictions(np.array(near))


def dense_campus(root, cells, manifest=True):
    """Write one room: in every cell two recordings, the second loud where ``cells`` says."""
    rows = []
    for column, row, loud in cells:
        for turn in range(2):
            folder = root / 'ProcessedData' / 'R' / f'clip-{len(rows):03d}'
            folder.mkdir(parents=True)
            level = 0.5 if loud and turn else 0.01
            soundfile.write(folder / 'sound.wav', np.full(16000, level), 16000)
            pose = {'x': 0.7 + 1.5 * column + 0.4 * turn, 'y': 1.0 + 1.5 * row, 'yaw': 0.0}
            said = {'depth': 1.0, 'cell': [column, row], 'pose': pose}
            (folder / 'annotation.json').write_text(json.dumps(said))
            rows.append(f'"./data/SFS-Dense/ProcessedData/R/{folder.name}","1.0","0"')
    lists = root / 'data-split' / 'obstacle-detection'
    lists.mkdir(parents=True)
    header = '"path","depth","IfObstacle"\n'
    for split in ('train', 'val', 'test'):
        text = header + ('\n'.join(rows) + '\n' if split == 'test' else '')
        (lists / f'{split}.csv').write_text(text)
    if manifest:
        room = {'scene': {'room': {'footprint': [[0, 0], [4, 0], [4, 5], [0, 5]]}}}
        (root / 'manifest.json').write_text(json.dumps({'rooms': {'R': room}}))
    return root


def test_a_dense_room_has_the_mean_of_each_cell_where_the_cell_is(tmp_path):
    dense_campus(tmp_path / 'SFS-Dense', [(0, 0, True), (1, 0, False), (1, 2, True)])
    ((name, rows),) = dense_rooms(tmp_path).items()
    found = dense_map(rows, Louder())
    assert name == found.room == 'R' and found.recordings == 6
    np.testing.assert_array_equal(
        found.grid.probability, [[0.5, 0.0], [np.nan, np.nan], [np.nan, 0.5]]
    )
    left, right, bottom, top = found.grid.extent
    # Every place is in its cell: those of column 0 from 0.7 to 1.1 m.
    assert -0.4 <= left <= 0.7 and right - left == pytest.approx(3.0)
    assert -0.5 <= bottom <= 1.0 and top - bottom == pytest.approx(4.5)
    assert found.walls.max(axis=0).tolist() == [4, 5]
    assert np.isnan(found.edge_and_inside[1])


def test_dense_recordings_whose_poses_are_outside_their_cells_are_refused(tmp_path):
    root = dense_campus(tmp_path / 'SFS-Dense', [(0, 0, True), (1, 0, False)], manifest=False)
    (rows,) = dense_rooms(root).values()
    assert dense_map(rows, Louder()).walls is None
    file = rows[0].folder / 'annotation.json'
    file.write_text(file.read_text().replace('"cell": [0, 0]', '"cell": [7, 0]'))
    with pytest.raises(QuietNavError, match='do not lie in their cells'):
        dense_map(rows, Louder())


def test_command_draws_a_dense_room_with_its_walls_and_refuses_one_that_is_not_there(tmp_path):
    dense_campus(tmp_path / 'SFS-Dense', [(0, 0, True), (1, 0, False), (1, 2, True)])
    asked = ['draw-map', str(tmp_path), '--out', str(tmp_path / 'map.png')]
    done = CliRunner().invoke(build_app(), [*asked, '--room', 'S'])
    assert 'no room S; rooms: R' in str(done.exception)
    done = CliRunner().invoke(build_app(), asked)
    assert done.exit_code == 0, done.output
    assert 'R: mean P' in done.output and (tmp_path / 'map.png').stat().st_size > 5000
