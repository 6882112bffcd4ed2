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

"""Profiles and stamps of RealSense cameras: pure logic, without camera and library."""

import math
import sys

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.sight.realsense.camera import (
    _millimeters,
    CameraRequest,
    DEPTH,
    Frame,
    Lens,
)
from quiet_nav.perception.sight.realsense.library import library
from quiet_nav.perception.sight.realsense.meter import StreamMeter
from quiet_nav.perception.sight.realsense.profiles import chosen, Profile
from quiet_nav.perception.sight.realsense.stamps import FrameClock, FrameStamps

S = 1_000_000_000
D435 = [Profile(w, h, f) for w, h in ((424, 240), (640, 480), (1280, 720)) for f in (6, 15, 30)]
D405 = [Profile(640, 480, 5), Profile(640, 480, 30), Profile(848, 480, 5)]


@pytest.mark.parametrize('text', ['640x480x6', '640,480,6', ' 640 x 480 x 6 ', '640X480X6'])
def test_profiles_are_read_as_realsense2_camera_writes_them(text):
    profile = Profile.parse(text, 'color_profile')
    assert profile == Profile(640, 480, 6) and str(profile) == '640x480x6'


@pytest.mark.parametrize('text', ['', ' ', '0,0,0', '0x0x0'])
def test_no_profile_leaves_the_choice_to_the_node(text):
    assert Profile.parse(text, 'color_profile') is None


@pytest.mark.parametrize('text', ['640x480', 'big', '640x480x6x2', '-640x480x6', '640x480x6.5'])
def test_what_is_no_profile_is_refused_with_an_example(text):
    with pytest.raises(QuietNavError, match=r'color_profile .*expected WIDTHx.*640x480x6'):
        Profile.parse(text, 'color_profile')


def test_the_usual_profile_is_the_one_nearest_to_640_by_480_at_few_images_a_second():
    assert chosen(None, D435, 'color_profile', 'D435') == Profile(640, 480, 6)
    assert chosen(None, D405, 'color_profile', 'D405') == Profile(640, 480, 5)


def test_a_profile_that_is_not_offered_is_refused_with_those_that_are():
    with pytest.raises(QuietNavError, match=r'640x480x6.*D405 7.*640x480x5, 640x480x30, 848x480x5'):
        chosen(Profile(640, 480, 6), D405, 'color_profile', 'D405 7')
    with pytest.raises(QuietNavError, match='no such stream'):
        chosen(None, [], 'depth_profile', 'T265')


def test_a_request_for_nothing_or_for_alignment_with_nothing_is_refused():
    with pytest.raises(QuietNavError, match='neither'):
        CameraRequest(color=False, depth=False)
    with pytest.raises(QuietNavError, match='aligned'):
        CameraRequest(color=False, align=True)


def test_host_times_are_stamps_as_they_are():
    assert FrameStamps().stamp_ns('color', 7 * S, FrameClock.HOST, 9 * S) == 7 * S


def test_the_first_frame_of_the_cameras_own_clock_is_stamped_with_its_arrival():
    stamps = FrameStamps()
    assert stamps.stamp_ns('color', 5 * S, FrameClock.DEVICE, 100 * S) == 100 * S
    # Late by 50 ms on its way, but seen 0.1 s after the first.
    late = stamps.stamp_ns('color', 5 * S + S // 10, FrameClock.DEVICE, 100 * S + 3 * S // 20)
    assert late == 100 * S + S // 10


@given(
    st.lists(st.integers(0, 60_000_000), min_size=2, max_size=60),
    st.floats(-200e-6, 200e-6),
)
def test_stamps_are_never_ahead_of_now_nor_change_places_whatever_delays_and_drift(delays, drift):
    stamps, before = FrameStamps(), -math.inf
    for number, delay_ns in enumerate(delays):
        seen_ns = number * S // 15
        now_ns = 1000 * S + seen_ns + delay_ns
        device_ns = round(S + seen_ns * (1.0 + drift))
        stamp_ns = stamps.stamp_ns('color', device_ns, FrameClock.DEVICE, now_ns)
        assert before < stamp_ns <= now_ns
        before = stamp_ns


def test_drift_of_the_cameras_clock_is_followed_for_hours():
    stamps = FrameStamps()
    for second in range(0, 4 * 3600):
        device_ns = round(second * S * (1.0 - 100e-6))
        now_ns = 10**18 + second * S
        stamp_ns = stamps.stamp_ns('depth', device_ns, FrameClock.DEVICE, now_ns)
    # Without following it would be 1.44 s behind.
    assert now_ns - stamp_ns < 5_000_000


@pytest.mark.parametrize(
    'device_s, now_s', [(0.0, 101.0), (6.0, 500.0), (6.0, 50.0)], ids=['camera', 'ahead', 'back']
)
def test_a_clock_that_was_set_or_began_again_is_taken_anew(device_s, now_s):
    stamps = FrameStamps()
    stamps.stamp_ns('color', 5 * S, FrameClock.DEVICE, 100 * S)
    now_ns = round(now_s * S)
    assert stamps.stamp_ns('color', round(device_s * S), FrameClock.DEVICE, now_ns) == now_ns


def test_frames_of_a_file_are_stamped_as_played_now():
    stamps = FrameStamps(follow_host=False)
    assert stamps.stamp_ns('color', 7 * S, FrameClock.HOST, 900 * S) == 900 * S


@pytest.mark.parametrize('units_m', [0.001, 0.0001, 0.00025])
def test_depth_is_in_millimeters_whatever_the_cameras_unit(units_m):
    true_mm = np.array([[0, 1, 400, 6000]])
    raw = np.rint(true_mm * 0.001 / units_m).astype(np.uint16)
    assert _millimeters(raw, units_m) == pytest.approx(true_mm, abs=1)


def test_depth_too_far_for_millimeters_is_no_reading():
    raw = np.array([[0, 60_000]], np.uint16)
    assert _millimeters(raw, 0.002).tolist() == [[0, 0]]


def _frame(number, pixels=None):
    pixels = np.zeros((2, 2), np.uint16) if pixels is None else pixels
    lens = Lens(2, 2, 1.0, 1.0, 0.5, 0.5)
    return Frame(DEPTH, pixels, '16UC1', number, 0, FrameClock.DEVICE, lens)


def test_lost_images_are_counted_by_the_numbers_that_are_missing():
    meter = StreamMeter()
    for number in (3, 4, 7, 8):
        meter.add(_frame(number))
    report = meter.report()
    assert (report.frames, report.lost, report.lost_in_all) == (4, 2, 2)
    # A file that is looped and a camera that is opened again count from the beginning.
    meter.add(_frame(1))
    meter.begin_again()
    meter.add(_frame(50, np.array([[0, 5], [5, 5]], np.uint16)))
    report = meter.report()
    assert (report.frames, report.lost, report.lost_in_all) == (2, 0, 2)
    assert report.unread == 0.25


def test_a_missing_library_is_one_line_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pyrealsense2', None)
    with pytest.raises(QuietNavError) as told:
        library()
    assert str(told.value).endswith(f'{sys.executable} -m pip install pyrealsense2')
    assert '\n' not in str(told.value)
