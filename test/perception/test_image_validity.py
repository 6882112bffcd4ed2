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

"""Which images may be used: what cameras do wrong is named, near plain walls are not refused."""

import numpy as np
import pytest

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.sight.image_validity import FrozenWatch, image_fault, ImageLimits

NOW = 5_000_000_000


@pytest.fixture(scope='module')
def views():
    """Return a near plain wall and a view into the room, by the simulated camera."""
    pytest.importorskip('cv2')
    from quiet_nav.simulation.rooms.plan import shoebox
    from quiet_nav.simulation.sight.camera import RoomCamera

    camera = RoomCamera(shoebox('room', (6.0, 5.0, 2.8)), np.random.default_rng(3))
    rng = np.random.default_rng(4)
    near = camera.color(Pose2D(5.62, 2.5, 0.0), rng)
    return near, camera.color(Pose2D(1.0, 2.0, 0.4), rng), camera


def noisy(level, shape=(480, 640, 3), sigma=3.0, seed=0):
    noise = sigma * np.random.default_rng(seed).standard_normal(shape)
    return np.clip(np.rint(level + noise), 0, 255).astype(np.uint8)


def test_near_wall_and_room_are_used(views):
    near, room, _ = views
    assert image_fault(near) == '' and image_fault(room) == ''
    assert image_fault(room[::3, ::3]) == ''


def test_plain_lit_wall_without_texture_is_not_taken_for_a_cover():
    """White paint at 0.3 m: nothing but light that falls off by a tenth across the image."""
    light = np.linspace(190.0, 170.0, 640)[None, :, None] + np.zeros((480, 1, 3))
    assert image_fault(noisy(light)) == ''


def test_lights_off_is_too_dark(views):
    camera = views[2]
    dark = camera.color(Pose2D(1.0, 2.0, 0.4), np.random.default_rng(0), light=0.0)
    assert image_fault(dark).startswith('too dark')
    dim = camera.color(Pose2D(1.0, 2.0, 0.4), np.random.default_rng(0), light=0.05)
    assert image_fault(dim) == ''


def test_over_exposed_covered_and_blurred_are_told_apart(views):
    import cv2

    assert image_fault(noisy(254.0, sigma=1.0)).startswith('over-exposed')
    assert image_fault(noisy(90.0)).startswith('covered')
    smeared = cv2.GaussianBlur(views[1].astype(np.float32), (0, 0), 14.0)
    assert image_fault(noisy(smeared)).startswith('blurred')


@pytest.mark.parametrize(
    ('pixels', 'said'),
    [
        (np.zeros((0, 0, 3), np.uint8), 'zero-sized'),
        (np.zeros((480, 0, 3), np.uint8), 'zero-sized'),
        (np.zeros((8, 8, 3), np.uint8), 'too few'),
        (np.zeros((480, 640), np.uint8), 'no RGB image'),
        (np.zeros((480, 640, 3), np.float32), 'no RGB image'),
    ],
)
def test_what_is_no_image_is_said(pixels, said):
    assert said in image_fault(pixels)


def test_stale_and_future_images_are_refused(views):
    room = views[1]
    assert image_fault(room, stamp_ns=NOW - 400_000_000, now_ns=NOW) == ''
    assert 'stale: the newest image' in image_fault(room, stamp_ns=NOW - 2 * 10**9, now_ns=NOW)
    assert 'in the future' in image_fault(room, stamp_ns=NOW + 2 * 10**9, now_ns=NOW)


def test_a_stream_that_repeats_itself_is_frozen():
    watch = FrozenWatch(ImageLimits(frozen_frames=3))
    image = noisy(100.0)
    assert watch.fault(image, 1) == '' and watch.fault(image, 2) == ''
    assert 'last 3 images' in watch.fault(image.copy(), 3)
    assert watch.fault(noisy(100.0, seed=1), 4) == ''


def test_one_image_shown_again_is_not_frozen():
    watch = FrozenWatch(ImageLimits(frozen_frames=2))
    image = noisy(100.0)
    assert [watch.fault(image, 1) for _ in range(4)] == [''] * 4
    never = FrozenWatch(ImageLimits(frozen_frames=0))
    assert [never.fault(image, stamp) for stamp in range(9)] == [''] * 9
