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

"""The near-wall map: cells, means, what counts, files."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.maps.files import load_map, save_map
from quiet_nav.perception.maps.placing import MapSettings, NearWallMapper
from quiet_nav.perception.maps.probability_grid import GridMap, ProbabilityGrid
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.transforms import Transform, TransformBuffer

S = 1_000_000_000


def value_at(grid_map, x, y):
    """Mean probability of the cell that holds a point, NaN where none is known."""
    row = math.floor((y - grid_map.y) / grid_map.resolution_m)
    column = math.floor((x - grid_map.x) / grid_map.resolution_m)
    rows, columns = grid_map.probability.shape
    inside = 0 <= row < rows and 0 <= column < columns
    return grid_map.probability[row, column] if inside else math.nan


# The grid


def test_reading_without_reach_is_the_cell_of_its_ear():
    grid = ProbabilityGrid(0.1, reach_m=0.0)
    assert grid.add(Pose2D(0.25, -0.05, 0.0), 0.75)
    found = grid.map()
    assert found.probability.tolist() == [[0.75]]
    assert (found.x, found.y) == pytest.approx((0.2, -0.1))
    assert found.occupancy().tolist() == [[75]]


def test_reading_covers_the_sector_that_it_is_about():
    grid = ProbabilityGrid(0.05, reach_m=0.5, opening_rad=math.pi / 3.0)
    grid.add(Pose2D(1.0, 2.0, math.pi / 2.0), 1.0)
    found = grid.map()
    # Ahead as far as 0.5 m, to 30 degrees on either side, nothing behind.
    for x, y, known in [
        (1.01, 2.4, True),
        (1.01, 2.49, True),
        (1.01, 2.55, False),
        (1.15, 2.35, True),
        (1.3, 2.3, False),
        (1.0, 1.9, False),
    ]:
        assert math.isfinite(value_at(found, x, y)) == known, (x, y)
    area = np.isfinite(found.probability).sum() * 0.05**2
    assert area == pytest.approx(math.pi * 0.5**2 / 6.0, rel=0.1)


def test_cell_holds_the_mean_of_every_reading_about_it():
    grid = ProbabilityGrid(0.1)
    for p in (0.2, 0.4, 0.9):
        grid.add(Pose2D(), p)
    assert value_at(grid.map(), 0.25, 0.02) == pytest.approx(0.5)
    grid.replace(Pose2D(), 0.9, 0.3)
    assert value_at(grid.map(), 0.25, 0.02) == pytest.approx(0.3)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(-8.0, 8.0)] * 2, st.floats(-3.14, 3.14), st.floats(0.0, 1.0)),
        min_size=1,
        max_size=12,
    )
)
def test_growing_in_any_order_gives_the_means_of_cells_counted_by_hand(items):
    grid = ProbabilityGrid(0.2)
    told = {}
    for x, y, yaw, p in items:
        assert grid.add(Pose2D(x, y, yaw), p)
        for row, column in grid.cells(Pose2D(x, y, yaw)):
            told.setdefault((int(row), int(column)), []).append(p)
    found = grid.map()
    assert np.isfinite(found.probability).sum() == len(told)
    for (row, column), said in told.items():
        at = (row - round(found.y / 0.2), column - round(found.x / 0.2))
        assert found.probability[at] == pytest.approx(np.mean(said), abs=1e-12)


def test_grid_refuses_to_grow_beyond_its_bound_and_goes_on():
    grid = ProbabilityGrid(0.1, max_side_m=10.0)
    assert grid.add(Pose2D(0.0, 0.0, 0.0), 0.5)
    assert grid.add(Pose2D(9.0, 0.0, 0.0), 0.5)
    assert not grid.add(Pose2D(11.0, 0.0, 0.0), 0.5)
    assert not grid.add(Pose2D(1e9, 0.0, 0.0), 0.5)
    assert grid.add(Pose2D(5.0, 5.0, 0.0), 0.5)
    assert max(grid.shape) <= 100


def test_grid_says_what_is_wrong_with_a_reading():
    with pytest.raises(QuietNavError, match=r'probability 1\.5'):
        ProbabilityGrid().add(Pose2D(), 1.5)
    with pytest.raises(QuietNavError, match='probability nan'):
        ProbabilityGrid().add(Pose2D(), math.nan)
    with pytest.raises(QuietNavError, match='finite'):
        ProbabilityGrid().add(Pose2D(math.nan, 0.0, 0.0), 0.5)


# From readings to the grid


class Drive:
    """A robot whose transforms and readings reach a mapper."""

    def __init__(self, rig='pair', **options):
        self.frames = TransformBuffer()
        self.grid = ProbabilityGrid(0.1, reach_m=0.0)
        settings_ = MapSettings(**options)
        self.mapper = NearWallMapper(self.grid, self.frames, find_rig(rig), settings_)

    def stand(self, pose, start_s, end_s):
        for i in range(round(start_s * 10), round(end_s * 10) + 1):
            self.frames.add('odom', 'base_link', i * S // 10, Transform.of_pose(pose))

    def hear(self, side, p, end_s, frame='base_link', **options):
        end_ns = round(end_s * S)
        self.mapper.add(NearWallReading(side, p, end_ns - 3 * S, end_ns, **options), frame)
        return self.mapper.settle()


def test_reading_lies_where_the_ear_of_its_side_was():
    drive = Drive()
    drive.stand(Pose2D(1.0, 2.0, math.pi / 2.0), 0.0, 3.0)
    assert drive.hear(Side.LEFT, 0.8, 3.0) == 1
    # Facing +y, the left ear is 0.15 m toward -x.
    assert value_at(drive.grid.map(), 0.85, 2.0) == 0.8
    assert drive.grid.map().probability.size == 1


def test_direction_is_that_of_the_side_as_the_robot_stood():
    drive = Drive()
    drive.grid = drive.mapper.grid = ProbabilityGrid(0.05, reach_m=0.5)
    drive.stand(Pose2D(0.0, 0.0, math.pi / 2.0), 0.0, 3.0)
    drive.hear(Side.RIGHT, 0.9, 3.0)
    found = drive.grid.map()
    assert value_at(found, 0.5, 0.0) == 0.9
    assert math.isnan(value_at(found, -0.2, 0.0))


def test_microphone_with_a_frame_of_its_own_is_found_through_tf():
    drive = Drive()
    drive.frames.add_fixed('base_link', 'mic', Transform.of_pose(Pose2D(0.0, 0.35, 0.3), 0.4))
    drive.stand(Pose2D(1.0, 1.0, 0.0), 0.0, 3.0)
    assert drive.hear(Side.LEFT, 0.6, 3.0, frame='mic') == 1
    assert value_at(drive.grid.map(), 1.05, 1.35) == 0.6


def test_map_frame_is_used_where_tf_has_it():
    drive = Drive(rig='single', fixed_frame='map')
    drive.frames.add_fixed('map', 'odom', Transform.of_pose(Pose2D(10.0, 0.0, math.pi)))
    drive.stand(Pose2D(1.0, 0.05, 0.0), 0.0, 3.0)
    assert drive.hear(Side.FRONT, 0.6, 3.0) == 1
    assert value_at(drive.grid.map(), 10.0 - 1.15, -0.05) == 0.6


def test_window_in_which_the_robot_moved_does_not_count():
    drive = Drive()
    drive.stand(Pose2D(), 0.0, 1.0)
    drive.stand(Pose2D(0.02, 0.0, 0.0), 1.1, 6.0)
    assert drive.hear(Side.LEFT, 0.9, 3.0) == 0
    assert (drive.mapper.moved, drive.mapper.waiting) == (1, 0)
    assert drive.hear(Side.LEFT, 0.9, 5.0) == 1


def test_moving_windows_count_halfway_where_asked_for():
    drive = Drive(moving=True)
    for i in range(31):
        pose = Pose2D(0.1 * i, 0.0, 0.0)
        drive.frames.add('odom', 'base_link', i * S // 10, Transform.of_pose(pose))
    assert drive.hear(Side.LEFT, 0.7, 3.0) == 1
    assert value_at(drive.grid.map(), 1.55, 0.15) == 0.7


def test_reading_waits_for_its_transforms_and_is_given_up_in_the_end():
    drive = Drive()
    drive.stand(Pose2D(), 0.0, 2.9)
    assert drive.hear(Side.LEFT, 0.9, 3.0) == 0
    assert drive.mapper.waiting == 1
    drive.stand(Pose2D(), 3.0, 3.0)
    assert drive.mapper.settle() == 1
    drive.hear(Side.LEFT, 0.9, 5.0)
    assert drive.mapper.waiting == 1
    drive.hear(Side.LEFT, 0.9, 10.5)
    assert (drive.mapper.waiting, drive.mapper.lost) == (1, 1)


def test_better_reading_of_the_same_window_takes_the_place_of_the_first():
    drive = Drive()
    drive.stand(Pose2D(), 0.0, 8.0)
    drive.hear(Side.LEFT, 0.2, 3.0)
    drive.hear(Side.RIGHT, 0.5, 3.0)
    drive.hear(Side.LEFT, 0.9, 3.0)
    assert value_at(drive.grid.map(), 0.0, 0.15) == pytest.approx(0.9)
    drive.hear(Side.LEFT, 0.7, 6.0)
    assert value_at(drive.grid.map(), 0.0, 0.15) == pytest.approx(0.8)
    assert drive.mapper.placed == 3


def test_invalid_readings_and_other_modalities_leave_no_trace():
    drive = Drive()
    drive.stand(Pose2D(), 0.0, 3.0)
    assert drive.hear(Side.LEFT, math.nan, 3.0, valid=False, reason='clipped') == 0
    assert drive.hear(Side.LEFT, 0.9, 3.0, modality=Modality.VISION) == 0
    assert drive.grid.empty and drive.mapper.not_valid == 1


def test_an_hour_of_readings_does_not_grow():
    drive = Drive()
    for begin in range(0, 3600, 4):
        angle = begin / 100.0
        drive.stand(Pose2D(2.0 * math.cos(angle), 2.0 * math.sin(angle), 0.0), begin, begin + 3.9)
        drive.hear(Side.LEFT, 0.5, begin + 3.5)
    held = len(drive.frames) + len(drive.mapper._placed) + drive.mapper.waiting
    assert held < 60 * 10 + 256 + 64 + 300
    assert drive.grid.shape[0] * drive.grid.shape[1] < 200**2
    assert drive.mapper.placed == 900


# Files


def example():
    return GridMap(np.array([[0.0, 0.25, np.nan], [1.0, 0.5, 0.07]]), -1.5, 2.25, 0.05)


def test_files_hold_the_published_map_as_map_server_reads_it(tmp_path):
    image, description = save_map(tmp_path / 'new' / 'map', example())
    # Raw mode of nav2_map_server: rows from the top, percent, anything above 100 unknown.
    assert image.read_bytes() == b'P5\n3 2\n255\n' + bytes([100, 50, 7, 0, 25, 255])
    text = description.read_text()
    assert 'image: map.pgm' in text
    assert 'mode: raw' in text
    assert 'resolution: 0.05' in text
    assert 'origin: [-1.5, 2.25, 0.0]' in text
    assert 'negate: 0' in text
    assert (
        list(image.parent.iterdir()) == [image, description]
        or len(list(image.parent.iterdir())) == 2
    )


def test_map_comes_back_from_its_files(tmp_path):
    _, description = save_map(tmp_path / 'map', example())
    found = load_map(description)
    np.testing.assert_allclose(found.probability, example().probability, atol=0.005)
    assert found.extent == pytest.approx((-1.5, -1.35, 2.25, 2.35))


def test_empty_map_is_not_written(tmp_path):
    with pytest.raises(QuietNavError, match='empty'):
        save_map(tmp_path / 'map', ProbabilityGrid().map())
    assert not list(tmp_path.iterdir())


def test_map_that_is_broken_or_of_another_kind_is_named(tmp_path):
    image, description = save_map(tmp_path / 'map', example())
    image.write_bytes(image.read_bytes()[:-1])
    with pytest.raises(QuietNavError, match=r'map\.pgm is no whole'):
        load_map(description)
    description.write_text(description.read_text().replace('raw', 'trinary'))
    with pytest.raises(QuietNavError, match='mode trinary, expected raw'):
        load_map(description)
    description.write_text('[]')
    with pytest.raises(QuietNavError, match='expected a mapping of image, mode'):
        load_map(description)
    with pytest.raises(QuietNavError, match='cannot be read'):
        load_map(tmp_path / 'none.yaml')


MAP = 'image: map.pgm\nmode: raw\nresolution: 0.05\norigin: [0, 0, 0]\n'
BAD_MAPS = {
    'elsewhere by ..': (MAP.replace('map.pgm', '../map.pgm'), 'image: .* leads out of'),
    'elsewhere from the root': (MAP.replace('map.pgm', '/etc/passwd'), 'lies elsewhere'),
    'cells of nothing': (MAP.replace('0.05', '-1'), 'resolution: should be greater than 0'),
    'an origin of two': (MAP.replace('[0, 0, 0]', '[0, 0]'), r'origin\[2\] is missing'),
    'brackets': ('[' * 3000, 'nested deeper'),
    'a device': (MAP.replace('map.pgm', '"."'), 'it is a folder'),
}


@pytest.mark.parametrize('case', BAD_MAPS)
def test_maps_that_are_none_are_one_line(tmp_path, case):
    text, said = BAD_MAPS[case]
    (tmp_path / 'map.pgm').write_bytes(b'P5\n1 1\n255\n\0')
    (tmp_path / 'map.yaml').write_text(text)
    with pytest.raises(QuietNavError, match=f'^map .*{said}') as found:
        load_map(tmp_path / 'map.yaml')
    assert '\n' not in str(found.value)


@pytest.mark.parametrize(
    'header', [b'P5 ' + b'9' * 5000 + b' 1', b'P5 99999 99999 255 x', b'P5 0 0 255 ', b'P5 1 1 0 x']
)
def test_images_of_maps_are_as_large_as_they_say(tmp_path, header):
    (tmp_path / 'map.pgm').write_bytes(header)
    (tmp_path / 'map.yaml').write_text(MAP)
    with pytest.raises(QuietNavError, match='no whole binary PGM'):
        load_map(tmp_path / 'map.yaml')


def test_the_image_of_a_map_may_be_named_from_the_root(tmp_path):
    image, description = save_map(tmp_path / 'map', example())
    description.write_text(description.read_text().replace('map.pgm', str(image)))
    assert load_map(description).probability.shape == example().probability.shape
