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

"""Floor plans: distances against hand-computed cases, mirrors, absorption."""

from dataclasses import replace
import math

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.plan import Furniture, Material, Panel, Plan, rectangle, shoebox
from quiet_nav.simulation.rooms.plan_check import check_plan
from quiet_nav.simulation.rooms.plan_files import load_plan, room_names

DESK = Furniture('desk', rectangle((2.0, 1.5), 1.0, 0.6), 0.7)
ROOM = shoebox('room', (5.0, 4.0, 3.0), furniture=(DESK,))
L_ROOM = Plan(
    'l',
    ((0.0, 0.0), (6.0, 0.0), (6.0, 2.0), (3.0, 2.0), (3.0, 5.0), (0.0, 5.0)),
    2.5,
    (Material.named('plaster'),) * 6,
    Material.named('carpet'),
    Material.named('acoustic_tile'),
)


def test_inside_knows_walls_and_furniture_and_the_height_above_it():
    points = np.array([[1.0, 3.0], [2.0, 1.5], [-0.1, 1.0], [4.9, 3.9], [5.1, 2.0]])
    assert ROOM.inside(points).tolist() == [True, False, False, True, False]
    assert ROOM.inside(points, z=0.8).tolist() == [True, True, False, True, False]
    assert not ROOM.inside(np.array([1.0, 3.0]), z=3.1)


def test_clearance_is_the_distance_to_the_nearest_wall_or_furniture():
    points = np.array([[0.3, 3.0], [2.0, 2.0], [2.7, 2.0], [2.0, 1.5], [6.0, 2.0]])
    corner = math.hypot(0.2, 0.2)
    expected = [0.3, 0.2, corner, -0.3, -1.0]
    np.testing.assert_allclose(ROOM.clearance(points), expected, atol=1e-12)
    assert float(ROOM.clearance(points[1], z=1.0)) == pytest.approx(2.0)


def test_rays_meet_walls_and_furniture_where_hand_computed():
    yaws = np.radians([0.0, 90.0, 180.0, -90.0, 45.0])
    hits = ROOM.ray_distances(np.array([1.0, 3.0]), yaws)
    np.testing.assert_allclose(hits, [4.0, 1.0, 1.0, 3.0, math.sqrt(2.0)], atol=1e-12)
    toward_desk = np.array([0.5, 1.5])
    assert float(ROOM.ray_distances(toward_desk, 0.0)) == pytest.approx(1.0)
    assert float(ROOM.ray_distances(toward_desk, 0.0, z=0.8)) == pytest.approx(4.5)
    assert float(ROOM.ray_distances(toward_desk, 0.0, furniture=False)) == pytest.approx(4.5)


def test_rays_of_many_origins_broadcast():
    origins = np.array([[1.0, 1.0], [2.0, 1.0], [5.0, 1.0]])
    hits = L_ROOM.ray_distances(origins, np.radians([90.0]))
    np.testing.assert_allclose(hits, [4.0, 4.0, 1.0], atol=1e-12)
    grid = L_ROOM.ray_distances(origins[:, None], np.radians([0.0, 180.0]))
    np.testing.assert_allclose(grid, [[5.0, 1.0], [4.0, 2.0], [1.0, 5.0]], atol=1e-12)


@given(x=st.floats(0.05, 2.95), y=st.floats(0.05, 4.95))
def test_no_ray_is_shorter_than_the_distance_to_the_nearest_wall(x, y):
    rays = L_ROOM.ray_distances(np.array([x, y]), np.linspace(-np.pi, np.pi, 361))
    nearest = L_ROOM.nearest_wall(x, y)
    assert np.all(np.isfinite(rays))
    assert nearest.distance_m <= rays.min() + 1e-9
    along = float(L_ROOM.ray_distances(np.array([x, y]), nearest.yaw_rad))
    assert along == pytest.approx(nearest.distance_m, abs=1e-6)


def test_nearest_wall_says_which_how_far_and_where():
    hit = L_ROOM.nearest_wall(2.6, 3.5)
    assert (hit.wall, hit.yaw_rad) == (3, 0.0)
    assert hit.distance_m == pytest.approx(0.4)


def test_sector_finds_a_wall_that_is_off_the_middle_of_the_direction():
    assert ROOM.sector_distance(1.0, 3.0, math.pi) == pytest.approx(1.0)
    assert ROOM.sector_distance(1.0, 3.0, math.radians(160.0)) == pytest.approx(1.0)
    aside = ROOM.sector_distance(1.0, 3.0, math.radians(130.0), math.radians(10.0))
    assert aside == pytest.approx(1.0 / math.cos(math.radians(30.0)))


def test_a_round_robot_collides_at_its_radius():
    assert ROOM.collides(Pose2D(0.16, 2.0))
    assert not ROOM.collides(Pose2D(0.18, 2.0))
    assert ROOM.collides(Pose2D(2.0, 1.95))


def test_absorption_of_a_wall_is_weighted_by_the_area_of_its_panels():
    plain, opening = Material('plain', (0.1,) * 7), Material('opening', (1.0,) * 7)
    room = shoebox('room', (4.0, 5.0, 2.5), walls=plain)
    panel = Panel('window', 1, offset=1.0, width=2.0, height=1.0, bottom=1.0, material=opening)
    walls = replace(room, panels=(panel,)).wall_absorption()
    np.testing.assert_allclose(walls[[0, 2, 3]], 0.1)
    np.testing.assert_allclose(walls[1], 0.1 + 0.9 * 2.0 / 12.5)


def test_absorption_area_of_furniture_is_top_and_sides():
    area = 1.0 * 0.6 + 2 * (1.0 + 0.6) * 0.7
    expected = area * np.array(DESK.material.absorption)
    np.testing.assert_allclose(ROOM.furniture_absorption_m2(), expected)


def test_volume_area_and_shape():
    assert ROOM.volume_m3 == pytest.approx(60.0)
    assert L_ROOM.floor_area_m2 == pytest.approx(21.0)
    assert ROOM.is_shoebox
    assert not L_ROOM.is_shoebox


@pytest.mark.parametrize('name', room_names())
def test_a_mirrored_room_is_sound_and_its_walls_are_on_the_other_side(name):
    plan, mirror = load_plan(name), load_plan(f'{name}_mirrored')
    check_plan(mirror)
    axis = plan.corners[:, 0].min() + plan.corners[:, 0].max()
    for track, other in zip(plan.tracks, mirror.tracks, strict=True):
        assert other.side == track.side.opposite
        pose = track.pose_at(0.4 * track.length_m, 0.3)
        ahead = plan.ray_distances(np.array([pose.x, pose.y]), pose.yaw)
        mirrored = mirror.ray_distances(np.array([axis - pose.x, pose.y]), np.pi - pose.yaw)
        assert float(mirrored) == pytest.approx(float(ahead))
    np.testing.assert_allclose(
        sorted(plan.wall_absorption()[:, 0]), sorted(mirror.wall_absorption()[:, 0])
    )
    for panel, other in zip(plan.panels, mirror.panels, strict=True):
        start, end = (segment[panel.wall] for segment in plan.wall_segments)
        middle = start + (panel.offset + 0.5 * panel.width) * (end - start) / np.linalg.norm(
            end - start
        )
        start, end = (segment[other.wall] for segment in mirror.wall_segments)
        flipped = start + (other.offset + 0.5 * other.width) * (end - start) / np.linalg.norm(
            end - start
        )
        np.testing.assert_allclose(flipped, [axis - middle[0], middle[1]], atol=1e-9)
