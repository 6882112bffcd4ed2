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

"""Campus kinds that are seen as well as heard: dense grids, motion, images and their depth."""

import json

import numpy as np
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus.lists import load_pairs, load_splits
from quiet_nav.quiet_campus.rows import with_distance
from quiet_nav.simulation.campus import views as campus_views
from quiet_nav.simulation.campus.build import make_campus
from quiet_nav.simulation.campus.kinds import get_kind
from quiet_nav.simulation.campus.kinds import motion as motion_kind
from quiet_nav.simulation.campus.kinds import static as static_kind
from quiet_nav.simulation.campus.kinds.views import mounted
from quiet_nav.simulation.campus.places import plan_room
from quiet_nav.simulation.campus.request import CampusRequest
from quiet_nav.simulation.sight.camera import D415_DEPTH, Mount, RoomCamera

pytest.importorskip('pyroomacoustics')
cv2 = pytest.importorskip('cv2')


def central(depth):
    return depth[120:360, 160:480]


@pytest.mark.slow
def test_static_depth_image_shows_the_annotated_distance(tmp_path, monkeypatch):
    monkeypatch.setattr(static_kind, 'STATIC_LENGTH_S', 0.5)
    root = make_campus(CampusRequest('static', 1, 7, plain=True), tmp_path, workers=1)
    places = sorted((root / 'ProcessedData' / 'SIM-0000').iterdir())
    assert len(places) >= 16
    for place in places[:6]:
        said = json.loads((place / 'annotation.json').read_text())
        depth = cv2.imread(str(place / 'Depth.png'), cv2.IMREAD_UNCHANGED)
        assert depth.dtype == np.uint16 and depth.shape == (480, 640)
        meters = central(depth) * said['Max depth in map'] / 2**16
        assert np.median(meters[meters > 0]) == pytest.approx(said['depth'], rel=0.05)
        assert cv2.imread(str(place / 'RGB.png')).shape == (480, 640, 3)


@pytest.mark.slow
def test_motion_goes_to_the_wall_and_back_with_15_frames_a_second(tmp_path, monkeypatch):
    monkeypatch.setattr(motion_kind, 'MOTION_FRAMES', 45)
    root = make_campus(CampusRequest('motion', 2, 2, plain=True), tmp_path, workers=1)
    for scene in sorted((root / 'ProcessedData').iterdir()):
        said = json.loads((scene / 'annotation.json').read_text())
        depth = np.array(said['depth'])
        nearest = {'there and back': 22, 'toward': 44, 'away': 0}[said['direction']]
        assert abs(int(depth.argmin()) - nearest) <= 1
        assert np.all(np.diff(depth[: nearest + 1]) <= 1e-9)
        assert np.all(np.diff(depth[nearest:]) >= -1e-9)
        assert depth.min() < 0.6 and depth.max() > 0.95
        assert len(list((scene / 'RGB').iterdir())) == len(list((scene / 'Depth').iterdir())) == 45
        last = cv2.imread(str(scene / 'Depth' / 'd030.png'), cv2.IMREAD_UNCHANGED)
        meters = central(last) * (10 / 2**16)
        assert np.median(meters[meters > 0]) == pytest.approx(depth[30], rel=0.15)
    splits = load_splits(root)
    rows = [row for split in ('train', 'val', 'test') for row in splits[split]]
    assert rows and {row.near for row in rows} == {True, False}
    for row in rows[::15]:
        near = with_distance(row).distance_m < 0.8
        assert near == row.near
    assert all(pair.first.frame >= 0 for pair in load_pairs(root)['val'])


def test_motion_spends_time_near_and_far_and_mostly_comes_back():
    near, far, directions = [], [], []
    for index in range(30):
        room = plan_room(CampusRequest('motion', 30, 0, plain=True), index)
        place = room.places[0]
        depth = room.scene.room.distance_along(np.array(place.path), place.pose.yaw)
        near.append(np.mean(depth <= 0.56))
        far.append(np.mean(depth >= 1.0))
        directions.append(place.notes['direction'])
        steps = np.linalg.norm(np.diff(np.array(place.path), axis=0), axis=1)
        assert steps.max() < 0.011
        # As far as the official pairs of a recording differ.
        assert 0.6 < np.ptp(depth) < 1.6
    assert np.mean(near) > 0.25 and np.mean(far) > 0.2
    assert 0.6 < directions.count('there and back') / 30 < 0.95


@pytest.mark.slow
def test_the_motor_is_heard_in_motion_recordings_where_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(motion_kind, 'MOTION_FRAMES', 45)
    heard = {}
    for motor in (False, True):
        request = CampusRequest('motion', 1, 6, images=False, motor=motor, plain=True)
        root = make_campus(request, tmp_path / str(motor), workers=1)
        assert json.loads((root / 'manifest.json').read_text())['request']['motor'] is motor
        heard[motor] = soundfile.read(root / 'ProcessedData/scene-0000/Audio/sound.wav')[0]
    scene = plan_room(CampusRequest('motion', 1, 6, plain=True), 0).scene
    own = 10 * np.log10(np.mean((heard[True] - heard[False]) ** 2))
    hum = sum(a * a for a in scene.motor.hum_amplitudes) / 2
    # Within the microphone's gain.
    assert own == pytest.approx(scene.motor.level_db + 10 * np.log10(1 + hum), abs=4.5)


def test_dense_places_stand_in_every_cell_at_many_headings():
    room = plan_room(CampusRequest('dense', 1, 3, plain=True), 0)
    size = np.ptp(np.array(room.scene.room.footprint), axis=0)
    cells = {tuple(place.notes['cell']) for place in room.places}
    assert len(cells) == np.prod(size // 1.5)
    for cell in cells:
        yaws = sorted(p.pose.yaw for p in room.places if tuple(p.notes['cell']) == cell)
        assert len(yaws) == 8
        assert np.diff(yaws) == pytest.approx(np.full(7, np.pi / 4))
    for place in room.places:
        assert room.scene.room.contains(np.array([place.pose.x, place.pose.y]), 0.1)


@pytest.mark.slow
def test_views_hold_images_with_the_distance_along_their_axis(tmp_path):
    request = CampusRequest('views', 3, 5)
    root = make_campus(request, tmp_path, workers=1)
    splits = load_splits(root, needs=('image',))
    rows = [row for split in ('train', 'val', 'test') for row in splits[split]]
    assert len(rows) == len({row.image for row in rows}) == 3 * 30
    assert {row.near for row in rows} == {True, False}
    assert all(row.near == (row.distance_m <= 0.5) for row in rows)
    assert cv2.imread(str(rows[0].image)).shape == (240, 320, 3)
    room = plan_room(request, 0)
    plan = campus_views.furnished(
        room.scene.seed, '', room.scene.room.footprint, room.scene.room.height
    )
    for place in room.places:
        camera = RoomCamera(
            plan,
            np.random.default_rng(0),
            Mount(campus_views.CAMERA_AHEAD_M, 0.0, place.height),
            depth=D415_DEPTH.scaled(0.1),
        )
        depth = camera.true_depth(place.pose)
        said = place.notes['distance']
        # The axis lies between the pixels in the middle, which see another thing at an edge.
        assert depth[23:25, 31:33].min() - 0.05 <= said <= depth[23:25, 31:33].max() * 1.05


@pytest.mark.slow
def test_views_look_left_ahead_and_right_or_face_a_wall():
    places = plan_room(CampusRequest('views', 4, 1), 2).places
    turned = [place for place in places if place.notes['situation'] != 'facing']
    assert (len(places), len(turned)) == (30, 18)
    for first in range(0, len(turned), 3):
        left, ahead, right = (place.pose for place in turned[first : first + 3])
        assert (left.x, left.y) == (ahead.x, ahead.y) == (right.x, right.y)
        assert np.cos(left.yaw - ahead.yaw - np.pi / 2) == pytest.approx(1.0)
        assert np.cos(ahead.yaw - right.yaw - np.pi / 2) == pytest.approx(1.0)
    near = [
        place.notes['distance'] <= 0.5
        for index in range(30)
        for place in plan_room(CampusRequest('views', 30, 1), index).places
    ]
    assert 0.2 < np.mean(near) < 0.4


def test_a_room_has_one_camera_near_the_height_that_is_asked_for():
    for index in range(5):
        places = plan_room(CampusRequest('views', 5, 1, camera_height=0.6), index).places
        (height,) = {place.height for place in places}
        (pitch,) = {place.notes['pitch'] for place in places}
        assert height == pytest.approx(0.6, rel=0.08) and abs(pitch) < np.radians(1.01)
    with pytest.raises(QuietNavError, match='camera height'):
        CampusRequest('views', 3, 5, camera_height=0.0)


def test_facing_a_wall_is_as_oblique_as_asked_for():
    def most(within_deg):
        request = CampusRequest('views', 8, 1, facing_within_deg=within_deg)
        rooms = [plan_room(request, index) for index in range(8)]
        yaws = [p.pose.yaw for r in rooms for p in r.places if p.notes['situation'] == 'facing']
        # Walls lie along the axes, in rooms that lose a corner, too.
        return np.degrees(np.max(np.abs(np.arcsin(np.sin(2.0 * np.array(yaws))))) / 2.0)

    assert most(5.0) < 5.01 < 30.0 < most(40.0) < 45.0
    with pytest.raises(QuietNavError, match='facing within'):
        CampusRequest('views', 3, 5, facing_within_deg=90.0)


def test_a_camera_pitched_up_sees_less_floor():
    request = CampusRequest('views', 12, 5)
    pitches = [plan_room(request, i).places[0].notes['pitch'] for i in range(12)]
    assert min(pitches) < 0.0 < max(pitches)
    assert mounted(1.0, 0.02).cy == pytest.approx(239.5 + 617.1 * np.tan(0.02))
    assert mounted(1.02, 0.0).fx == pytest.approx(1.02 * 617.1)


def test_views_without_images_are_refused():
    with pytest.raises(QuietNavError, match='images alone'):
        get_kind('views').check(CampusRequest('views', 3, 5, images=False))
