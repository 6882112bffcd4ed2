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

import numpy as np
import pytest

pytest.importorskip('matplotlib')
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.perception.display.display import colours
from quiet_nav.perception.maps.files import save_map
from quiet_nav.perception.maps.probability_grid import GridMap


def share_of(picture, colour):
    """Share of the picture in a color, to a hair's breadth."""
    return (np.abs(picture[..., :3] - colour).max(axis=-1) < 0.02).mean()


@pytest.mark.slow
def test_command_draws_known_cells_in_their_colours_and_leaves_the_rest_white(tmp_path):
    from matplotlib.image import imread

    cells = np.full((20, 40), np.nan)
    cells[:10, :20], cells[10:, 20:] = 0.0, 1.0
    _, description = save_map(tmp_path / 'room', GridMap(cells, -1.0, 2.0, 0.05))
    done = CliRunner().invoke(build_app(), ['draw-map', str(description), '--title', 'room'])
    assert done.exit_code == 0, done.output
    picture = imread(tmp_path / 'room.png')
    dark, light, white = (
        share_of(picture, colour) for colour in (*colours(np.array([0.0, 1.0])), np.ones(3))
    )
    # Two quarters of the map of the same size, and the unknown half is paper.
    assert dark > 0.1 and light == pytest.approx(dark, rel=0.05)
    assert white > 2.0 * dark
    rows, columns = np.nonzero(np.abs(picture[..., :3] - colours(np.array(1.0))).max(-1) < 0.02)
    below, left = np.nonzero(np.abs(picture[..., :3] - colours(np.array(0.0))).max(-1) < 0.02)
    assert rows.mean() < below.mean(), 'y points up'
    assert np.median(columns) > np.median(left), 'x points right'


def test_command_says_what_is_wrong_with_a_file(tmp_path):
    done = CliRunner().invoke(build_app(), ['draw-map', str(tmp_path / 'none.yaml')])
    assert isinstance(done.exception, QuietNavError)
    assert 'none.yaml' in str(done.exception)


@pytest.mark.slow
def test_spectra_are_red_above_the_mean_of_the_room_and_blue_below(tmp_path):
    from matplotlib.image import imread

    from quiet_nav.evaluation.plots import wall_spectra

    frequencies, distances = np.geomspace(60.0, 2000.0, 8), np.linspace(0.1, 1.5, 6)
    ones = np.ones((6, 8))
    wall_spectra(
        tmp_path / 'spectra.png', frequencies, distances, 3.0 * ones, -3.0 * ones, 'left', 'right'
    )
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
