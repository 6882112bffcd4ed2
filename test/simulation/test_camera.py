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

"""The camera: depth against hand-computed distances, errors as the data sheet says, pictures."""

from dataclasses import replace
import math

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.simulation.rooms.plan import Furniture, rectangle, shoebox
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.sight.camera import (
    D415_BASELINE_M,
    D415_COLOR,
    D415_DEPTH,
    DepthErrors,
    Mount,
    RoomCamera,
)
from quiet_nav.simulation.sight.raycast import cast, surfaces

EYE = Mount(x=0.0, y=0.0, z=0.5, yaw=0.0)
BOX = Furniture('box', rectangle((3.0, 2.0), 1.0, 1.0), 0.3)
ROOM = shoebox('room', (6.0, 4.0, 2.5))
ROW, COLUMN = 239.5, 319.5


@pytest.fixture(scope='module')
def empty():
    return RoomCamera(ROOM, np.random.default_rng(0), EYE)


@pytest.fixture(scope='module')
def furnished():
    return RoomCamera(replace(ROOM, furniture=(BOX,)), np.random.default_rng(0), EYE)


def test_fields_of_view_are_the_data_sheets():
    def degrees(pixels, focal):
        return math.degrees(2.0 * math.atan(0.5 * pixels / focal))

    assert degrees(480, D415_DEPTH.fy) == pytest.approx(40.0, abs=0.1)
    across = degrees(640, D415_DEPTH.fx)
    overlap = across / 2 + math.degrees(
        math.atan(math.tan(math.radians(across / 2)) - D415_BASELINE_M / 2.0)
    )
    assert overlap == pytest.approx(50.0, abs=2.0)
    assert degrees(480, D415_COLOR.fy) == pytest.approx(42.5, abs=0.1)
    assert degrees(480 * 16 / 9, D415_COLOR.fx) == pytest.approx(69.4, abs=0.2)


def test_a_wall_ahead_is_at_one_depth_and_floor_and_ceiling_rise_to_it(empty):
    depth = empty.true_depth(Pose2D(4.0, 2.0, 0.0))
    assert abs(depth[240, 320] - 2.0) < 1e-3
    assert abs(depth[240, 0] - 2.0) < 1e-3
    floor = 0.5 * 659.4 / (np.array([420, 450, 479]) - ROW)
    np.testing.assert_allclose(depth[[420, 450, 479], 100], floor, atol=1e-3)
    high = RoomCamera(ROOM, np.random.default_rng(0), replace(EYE, z=2.3))
    ceiling = 0.2 * 659.4 / (ROW - np.array([0, 100]))
    np.testing.assert_allclose(
        high.true_depth(Pose2D(4.0, 2.0, 0.0))[[0, 100], 5], ceiling, atol=1e-3
    )


def test_a_wall_seen_obliquely_and_the_corner_are_where_hand_computed(empty):
    yaw = math.radians(30.0)
    depth = empty.true_depth(Pose2D(4.0, 2.0, yaw))
    for column in (0, 100, 319, 400, 639):
        # Ray of a column: forward + slope to the right; depth is where it first meets x=6 or y=4.
        slope = (column - COLUMN) / 659.4
        dx = math.cos(yaw) + slope * math.sin(yaw)
        dy = math.sin(yaw) - slope * math.cos(yaw)
        meets = [2.0 / dx] + ([2.0 / dy] if dy > 0 else [2.0 / -dy])
        assert abs(depth[240, column] - min(meets)) < 1e-3


def test_the_face_and_the_top_of_a_box_are_where_hand_computed(furnished):
    depth = furnished.true_depth(Pose2D(1.0, 2.0, 0.0))
    # Box from x = 2.5, 0.3 m high, eye at 0.5 m: the face fills rows 0.2 to 0.5 m down at 1.5 m.
    first, last = ROW + 659.4 * 0.2 / 1.5, ROW + 659.4 * 0.5 / 1.5
    face = depth[math.ceil(first) + 1 : math.floor(last), 320]
    np.testing.assert_allclose(face, 1.5, atol=1e-3)
    row = math.floor(first) - 5
    assert abs(depth[row, 320] - 0.2 * 659.4 / (row - ROW)) < 1e-3
    behind = ROW + 659.4 * 0.2 / 2.5
    assert abs(depth[math.floor(behind) - 1, 320] - 5.0) < 1e-3
    names = surfaces(furnished.plan)
    seen = cast(furnished.plan, Pose2D(1.0, 2.0), 0.5, D415_DEPTH).surface
    assert names[seen[math.ceil(first) + 1, 320]] == 'box side 3'
    assert names[seen[row, 320]] == 'box top'
    assert names[seen[240, 320]] == 'wall 1'
    assert names[seen[479, 320]] == 'floor'


def brute_depth(plan, pose, z, camera, row, column):
    """Depth of one pixel by asking every face in turn: an independent way to the same number."""
    across, down = (column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy
    ahead = math.cos(pose.yaw), math.sin(pose.yaw)
    dx, dy = ahead[0] + across * ahead[1], ahead[1] - across * ahead[0]
    best = (z if down > 0 else plan.height - z) / abs(down)
    prisms = [(plan.footprint, plan.height)] + [(f.footprint, f.height) for f in plan.furniture]
    for corners, height in prisms:
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            det = dx * (y1 - y0) - dy * (x1 - x0)
            if abs(det) < 1e-12:
                continue
            t = ((x0 - pose.x) * (y1 - y0) - (y0 - pose.y) * (x1 - x0)) / det
            s = ((x0 - pose.x) * dy - (y0 - pose.y) * dx) / det
            if t > 0 and 0 <= s <= 1 and 0 <= z - t * down <= height:
                best = min(best, t)
        if height < z and down > 0:
            t = (z - height) / down
            inside = False
            x, y = pose.x + t * dx, pose.y + t * dy
            for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
                if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
                    inside = not inside
            if inside:
                best = min(best, t)
    return best


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(['classroom', 'lounge', 'hallway', 'laboratory']),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_pixel_of_any_room_agrees_with_asking_every_face(name, seed):
    plan, rng = load_plan(name), np.random.default_rng(seed)
    low, high = plan.corners.min(axis=0), plan.corners.max(axis=0)
    while True:
        x, y = rng.uniform(low, high)
        if plan.clearance(np.array([x, y])) > 0.2:
            break
    pose, z = Pose2D(x, y, rng.uniform(-np.pi, np.pi)), rng.uniform(0.2, 1.4)
    camera = D415_DEPTH.scaled(0.25)
    depth = cast(plan, pose, z, camera).depth
    rows, columns = rng.integers(0, camera.height, 60), rng.integers(0, camera.width, 60)
    expected = [
        brute_depth(plan, pose, z, camera, r, c) for r, c in zip(rows, columns, strict=True)
    ]
    error = np.abs(depth[rows, columns] - expected)
    # A pixel on an edge may fall to either side of it.
    assert np.sum(error > 1e-3) <= 1, (pose, z, rows[error > 1e-3], columns[error > 1e-3])


def test_the_depth_image_without_a_generator_is_the_truth_in_millimeters(empty):
    depth = empty.depth(Pose2D(4.0, 2.0, 0.0))
    assert depth.dtype == np.uint16
    assert depth.shape == (480, 640)
    assert depth[240, 320] == 2000


@pytest.mark.parametrize('distance', [1.0, 2.0, 4.0])
def test_depth_noise_grows_with_the_square_of_the_distance(empty, distance):
    errors = [
        empty.depth(Pose2D(6.0 - distance, 2.0), np.random.default_rng(seed))[
            200:280:8, 200:440:8
        ].astype(float)
        for seed in range(12)
    ]
    stack = np.stack(errors)
    assert np.mean(stack == 0) < 0.05
    spread = np.std(stack[stack > 0])
    subpixel = DepthErrors().subpixel
    expected = 1000.0 * distance**2 * subpixel / (659.4 * D415_BASELINE_M)
    assert spread == pytest.approx(math.hypot(expected, 0.29), rel=0.15)
    assert np.mean(stack[stack > 0]) == pytest.approx(1000.0 * distance, rel=0.005)


def test_what_the_right_imager_cannot_see_is_zero(empty):
    depth = empty.depth(Pose2D(5.0, 2.0), np.random.default_rng(0))
    band = math.floor(659.4 * D415_BASELINE_M / 1.0)
    assert not depth[100:300, : band - 1].any()
    assert np.mean(depth[100:300, band + 2 :] == 0) < 0.05


def test_a_box_casts_a_shadow_of_no_readings_on_its_left(furnished):
    exact = furnished.true_depth(Pose2D(1.0, 2.0))
    depth = furnished.depth(Pose2D(1.0, 2.0), np.random.default_rng(3))
    row = 380
    left = int(np.flatnonzero(np.abs(exact[row] - 1.5) < 1e-3)[0])
    near, far = (659.4 * D415_BASELINE_M / z for z in (1.5, exact[row, left - 2]))
    width = math.floor(near - far)
    assert width >= 2
    assert not depth[row, left - width + 1 : left - 1].any()


def test_too_near_and_too_far_are_zero(empty):
    errors = DepthErrors(near_m=0.8, far_m=3.0, blank_share=0.0)
    camera = RoomCamera(ROOM, np.random.default_rng(0), EYE, errors)
    near = camera.depth(Pose2D(5.5, 2.0), np.random.default_rng(0))
    far = camera.depth(Pose2D(1.0, 2.0), np.random.default_rng(0))
    assert not near[200:280, 320:].any()
    assert not far[200:280, 200:400].any()
    assert far[479, 320] > 0


def test_patches_without_a_reading_cover_about_the_share_asked_for():
    errors = DepthErrors(blank_share=0.1)
    camera = RoomCamera(ROOM, np.random.default_rng(0), EYE, errors)
    images = [camera.depth(Pose2D(4.0, 2.0), np.random.default_rng(i)) for i in range(8)]
    assert np.mean([np.mean(image[:, 60:] == 0) for image in images]) == pytest.approx(
        0.1, abs=0.03
    )


def test_the_same_seeds_give_the_same_pictures_and_others_do_not():
    def picture(room_seed, image_seed):
        camera = RoomCamera(ROOM, np.random.default_rng(room_seed), EYE)
        rng = np.random.default_rng(image_seed)
        return camera.color(Pose2D(2.0, 2.0, 0.4), rng), camera.depth(Pose2D(2.0, 2.0, 0.4), rng)

    first, again, noise, room = (picture(*seeds) for seeds in ((1, 1), (1, 1), (1, 2), (2, 1)))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], noise[0])
    assert np.abs(first[0].astype(float) - room[0]).mean() > 5.0


def test_a_picture_is_exposed_and_shows_edges_between_surfaces():
    camera = RoomCamera(load_plan('classroom'), np.random.default_rng(4))
    image = camera.color(Pose2D(2.2, 1.0, 0.3), np.random.default_rng(0))
    assert (image.dtype, image.shape) == (np.uint8, (480, 640, 3))
    assert 60.0 < image.mean() < 190.0
    assert image.std() > 15.0
    assert np.mean(image == 255) < 0.15


def test_light_off_leaves_a_dark_noisy_picture(empty):
    pose = Pose2D(2.0, 2.0)
    bright = empty.color(pose, np.random.default_rng(0)).mean()
    dim = empty.color(pose, np.random.default_rng(0), light=0.02).mean()
    dark = empty.color(pose, np.random.default_rng(0), light=0.0)
    assert dark.mean() < 5.0 < dim < 0.7 * bright


def test_the_mount_turns_and_moves_the_camera():
    left = RoomCamera(ROOM, np.random.default_rng(0), Mount(0.0, 0.1, 0.5, math.pi / 2.0))
    assert abs(left.true_depth(Pose2D(3.0, 2.0, 0.0))[240, 320] - 1.9) < 1e-3


def test_a_camera_in_a_wall_or_above_the_ceiling_is_refused(furnished):
    with pytest.raises(
        QuietNavError, match=r'camera: \(6\.50, 2\.00\).*is outside or in furniture'
    ):
        furnished.depth(Pose2D(6.5, 2.0))
    with pytest.raises(QuietNavError, match=r'height 2\.6 m is not between floor and ceiling'):
        RoomCamera(ROOM, np.random.default_rng(0), Mount(z=2.6))
