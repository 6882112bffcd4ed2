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

"""A camera's images at a rate: which are read, what is said of those that must not be."""

import math

import numpy as np
import pytest

pytest.importorskip('onnx')

from brightness_model import room, write_model

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.readings import Modality
from quiet_nav.perception.sight.image_detector import ImageDetector
from quiet_nav.perception.sight.looking import (
    Looker,
    LookingSettings,
    optical_axis,
    Picture,
)
from quiet_nav.perception.transforms import Transform

S = 10**9
NOW = 1000 * S


@pytest.fixture
def looker(tmp_path):
    return Looker(ImageDetector.load(write_model(tmp_path / 'v.onnx'), threads=1))


def look(looker, stamp_ns=NOW, pixels=None, fault='', now_ns=NOW, seed=0):
    if pixels is None and not fault:
        pixels = room(100, seed)
    return looker.look(Picture(pixels, stamp_ns, fault), Side.LEFT, now_ns)


def test_an_image_is_a_window_without_length(looker):
    reading = look(looker)
    assert reading.valid and reading.modality == Modality.VISION and reading.side == Side.LEFT
    assert reading.start_ns == reading.end_ns == NOW


@pytest.mark.parametrize(
    ('change', 'word'),
    [
        ({'pixels': np.zeros((120, 160, 3), np.uint8)}, 'dark'),
        ({'pixels': np.full((120, 160, 3), 90, np.uint8)}, 'covered'),
        ({'fault': 'zero-sized: 0 x 0 pixels'}, 'zero-sized'),
        ({'stamp_ns': NOW - 2 * S}, 'stale'),
        ({'stamp_ns': NOW + S // 2}, 'future'),
    ],
)
def test_what_must_not_be_used_says_why(looker, change, word):
    reading = look(looker, **change)
    assert not reading.valid and word in reading.reason and math.isnan(reading.probability)
    # A stamp of the future must not make a camera look alive that long.
    assert reading.end_ns <= NOW


def test_a_stamp_a_little_ahead_is_no_fault(looker):
    assert look(looker, NOW + S // 20).valid


def test_a_camera_that_sends_the_same_image_again_is_frozen(looker):
    said = [look(looker, NOW + i * S // 2, now_ns=NOW + i * S // 2) for i in range(8)]
    assert said[0].valid and not said[-1].valid and 'frozen' in said[-1].reason
    assert look(looker, NOW + 5 * S, now_ns=NOW + 5 * S, seed=1).valid


@pytest.mark.parametrize(
    ('images_hz', 'rate_hz', 'read'), [(6, 2.0, 2.0), (30, 4.0, 4.0), (1, 2.0, 1.0)]
)
def test_images_are_read_at_the_rate_and_no_more_than_come(looker, images_hz, rate_hz, read):
    looker.settings = LookingSettings(rate_hz)
    due = [looker.due(NOW + i * S // images_hz) for i in range(20 * images_hz)]
    assert sum(due) == pytest.approx(20 * read, abs=1)


def test_time_that_runs_back_is_a_new_start(looker):
    assert looker.due(NOW) and looker.due(NOW - 100 * S)


def test_silence_is_said_once_images_are_missed(looker):
    assert 'no image yet' in looker.silence(Side.FRONT, NOW).reason
    look(looker)
    assert looker.silence(Side.FRONT, NOW + S) is None
    said = looker.silence(Side.FRONT, NOW + 2 * S)
    assert 'no image for 2.0 s' in said.reason and said.end_ns == NOW


def test_settings_are_checked():
    with pytest.raises(QuietNavError, match='images a second'):
        LookingSettings(0.0)


@pytest.mark.parametrize('side', list(Side))
def test_the_side_is_where_the_axis_of_the_frame_points(side):
    mount = Transform.of_pose(Pose2D(0.1, 0.0, side.yaw_rad + 0.3), 0.4)
    # Optical frames look along z, with x to the right (REP-103).
    optical = mount.compose(Transform(qx=-0.5, qy=0.5, qz=-0.5, qw=0.5))
    for camera, name in ((mount, 'camera_link'), (optical, 'camera_color_optical_frame')):
        axis = optical_axis(camera, name)
        assert Side.nearest(axis.pose.yaw) == side
        assert math.remainder(axis.pose.yaw - side.yaw_rad - 0.3, math.tau) == pytest.approx(0.0)
        assert (axis.x, axis.y, axis.z) == (0.1, 0.0, 0.4)
