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

"""A RealSense camera of librealsense's own software device, and files recorded from it."""

from collections import Counter
import gzip
from pathlib import Path
import threading

import numpy as np
import pytest

pytest.importorskip(
    'pyrealsense2',
    reason='no pyrealsense2 here (extra: realsense) or no libusb-1.0-0',
    exc_type=ImportError,
)

from software_camera import COLOR_PLACE, HEIGHT, software_context, SoftwareCamera, write_recording

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.sight.realsense import camera as module
from quiet_nav.perception.sight.realsense.camera import (
    ALIGNED,
    CameraRequest,
    COLOR,
    DEPTH,
    RealSense,
)
from quiet_nav.perception.sight.realsense.profiles import Profile
from quiet_nav.perception.sight.realsense.stamps import FrameClock

pytestmark = pytest.mark.slow

OLD_BAG = Path(__file__).parents[1] / 'data' / 'realsense_2_55.bag.gz'


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp('recording') / 'wall.db3', unread=0.25)


@pytest.fixture
def plugged(monkeypatch):
    """Plug a software camera in and let it send until the test ends."""
    stop, senders = threading.Event(), []

    def plug(**options):
        camera = SoftwareCamera(**options)
        monkeypatch.setattr(module, 'make_context', lambda: software_context(camera))
        senders.append(threading.Thread(target=camera.run, args=(stop,), daemon=True))
        senders[-1].start()
        return stop

    yield plug
    stop.set()
    for sender in senders:
        sender.join()


def read(request, images=0):
    """All frames of a file, or so many of a camera."""
    found = []
    with RealSense(request) as camera:
        for frame in camera.frames(threading.Event()):
            found.append(frame)
            if images and len(found) == images:
                break
    return found


def test_a_file_gives_what_was_recorded_and_ends(recorded):
    frames = read(CameraRequest(file=str(recorded)))
    counts = Counter(frame.stream for frame in frames)
    assert counts == {COLOR: 20, DEPTH: 20}
    depth = next(frame for frame in frames if frame.stream == DEPTH)
    color = next(frame for frame in frames if frame.stream == COLOR)
    assert (depth.encoding, color.encoding) == ('16UC1', 'rgb8')
    assert not depth.pixels[: HEIGHT // 4].any() and (depth.pixels[HEIGHT // 4 :] == 400).all()
    assert np.abs(color.pixels - SoftwareCamera.color_image(color.number).astype(int)).mean() < 20
    assert depth.clock is FrameClock.DEVICE and 1.0e9 <= depth.time_ns < 3.0e9
    assert (color.lens.model, color.lens.fx) == ('plumb_bob', 60.0)
    assert color.lens.coefficients[0] == pytest.approx(0.1)


def test_a_bag_of_an_older_library_is_read(tmp_path):
    path = tmp_path / 'old.bag'
    path.write_bytes(gzip.decompress(OLD_BAG.read_bytes()))
    frames = read(CameraRequest(file=str(path)))
    assert {frame.stream for frame in frames} == {COLOR, DEPTH} and len(frames) >= 22
    assert all((f.pixels == 400).all() for f in frames if f.stream == DEPTH)


def test_aligned_depth_lies_in_the_pixels_of_the_color_image(recorded):
    frames = read(CameraRequest(file=str(recorded), align=True))
    aligned = [frame for frame in frames if frame.stream == ALIGNED]
    assert len(aligned) >= 17
    # The color camera is to the right: the wall at 0.4 m moves left by f x 15 mm / 0.4 m.
    shift = 60.0 * COLOR_PLACE[0] / 0.4
    rows = aligned[0].pixels[HEIGHT // 2 :]
    assert (rows[:, : 64 - 4] == 400).all() and not rows[:, 64 - int(shift) :].any()


def test_a_running_camera_gives_frames_of_both_streams_in_millimeters(plugged):
    plugged(unit_m=0.0001, own_clock=False)
    frames = read(CameraRequest(), images=10)
    assert {frame.stream for frame in frames} == {COLOR, DEPTH}
    assert all((f.pixels == 400).all() for f in frames if f.stream == DEPTH)
    assert {frame.clock for frame in frames} == {FrameClock.HOST}


def test_the_color_cameras_place_is_known_also_where_color_alone_is_asked_for(plugged):
    plugged()
    rotation, place = RealSense(CameraRequest(depth=False)).color_in_depth
    assert rotation == pytest.approx(np.eye(3)) and place == pytest.approx(COLOR_PLACE)


def test_a_profile_is_taken_where_it_is_offered_and_refused_with_the_others(plugged):
    plugged()
    camera = RealSense(CameraRequest(color_profile='64x48x30'))
    assert camera.profiles == {COLOR: Profile(64, 48, 30), DEPTH: Profile(64, 48, 15)}
    with pytest.raises(QuietNavError, match=r'color_profile 640x480x6.* 64x48x15, 64x48x30$'):
        RealSense(CameraRequest(color_profile='640x480x6'))


def test_another_serial_number_is_refused_with_the_cameras_there_are(plugged):
    plugged()
    with pytest.raises(QuietNavError, match='number 9; there are: Software D435 0123'):
        RealSense(CameraRequest(serial='9'))


def test_without_a_camera_the_reason_says_what_to_look_at(monkeypatch):
    monkeypatch.setattr(module, 'make_context', lambda: software_context(None))
    with pytest.raises(QuietNavError, match='no RealSense camera found: is it plugged in'):
        RealSense(CameraRequest())


def test_a_camera_that_falls_silent_is_lost(plugged, monkeypatch):
    for name in ('FIRST_FRAME_S', 'LOST_AFTER_S'):
        monkeypatch.setattr(module, name, 0.3)
    stop = plugged()
    with (
        RealSense(CameraRequest()) as camera,
        pytest.raises(QuietNavError, match=r'0123: no color and no depth for .*unplugged'),
    ):
        for number, _ in enumerate(camera.frames(threading.Event())):
            if number == 5:
                stop.set()


@pytest.mark.parametrize('name', ['wall.db3', 'wall.bag'])
@pytest.mark.parametrize('content', ['cut', 'other', 'empty', 'missing'])
def test_a_file_that_is_none_or_not_whole_is_one_line(recorded, tmp_path, name, content):
    whole = recorded.read_bytes() if name == 'wall.db3' else gzip.decompress(OLD_BAG.read_bytes())
    path = tmp_path / name
    if content != 'missing':
        made = {'cut': whole[: len(whole) * 2 // 3], 'other': b'no recording' * 99, 'empty': b''}
        path.write_bytes(made[content])
    with pytest.raises(QuietNavError) as told:
        read(CameraRequest(file=str(path)))
    assert str(path) in str(told.value) and '\n' not in str(told.value)
    assert ('no such file' if content == 'missing' else 'not a recording') in str(told.value)
