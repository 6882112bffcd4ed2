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

"""Tracks: the paper's classroom protocol and progress along a track."""

import math

import numpy as np
import pytest

from quiet_nav.geometry import Side
from quiet_nav.simulation.rooms.plan_files import load_plan, room_names
from quiet_nav.simulation.rooms.tracks import Track

CORNER = Track('corner', ((0.0, 1.0), (4.0, 1.0), (4.0, 3.0)), 2.0, Side.RIGHT)


def test_the_classroom_is_the_papers():
    plan = load_plan('classroom')
    track = plan.track()
    assert plan.is_shoebox
    np.testing.assert_allclose(np.ptp(plan.corners, axis=0), [9.40, 7.40])
    np.testing.assert_allclose(track.legs_m, [4.85, 3.15])
    assert track.length_m == pytest.approx(8.0)
    assert track.width == 2.0
    assert len(track.starts()) == 9


@pytest.mark.parametrize('name', room_names())
def test_starts_are_as_far_from_the_wall_as_they_say(name):
    plan = load_plan(name)
    for track in plan.tracks:
        for start in track.starts():
            pose = start.pose
            toward = track.pose_at(0.0).yaw + track.side.yaw_rad
            wall = plan.ray_distances(np.array([pose.x, pose.y]), toward, furniture=False)
            assert float(wall) == pytest.approx(start.offset_m, abs=0.02)
            assert track.progress(pose.x, pose.y) == pytest.approx(0.0, abs=1e-9)
            assert track.contains(pose.x, pose.y)
            assert not track.reached(pose.x, pose.y)


def test_headings_are_named_as_the_paper_groups_them():
    names = [start.heading_name for start in CORNER.starts()[:3]]
    yaws = [start.pose.yaw for start in CORNER.starts()[:3]]
    assert names == ['left', 'straight', 'right']
    np.testing.assert_allclose(yaws, np.radians([30.0, 0.0, -30.0]))


def test_progress_follows_the_center_line_round_the_corner():
    assert CORNER.progress(1.5, 0.3) == pytest.approx(1.5)
    assert CORNER.progress(4.6, 0.4) == pytest.approx(4.0)
    assert CORNER.progress(4.9, 2.5) == pytest.approx(5.5)
    assert CORNER.progress(4.0, 9.0) == pytest.approx(6.0)


def test_boundary_and_destination_of_an_l():
    assert CORNER.contains(4.9, 0.1)
    assert not CORNER.contains(5.1, 0.5)
    assert not CORNER.contains(2.9, 2.1)
    assert CORNER.contains(3.1, 2.1)
    assert CORNER.contains(-0.4, 1.0)
    assert not CORNER.contains(-0.6, 1.0)
    np.testing.assert_allclose(CORNER.destination, [[5.0, 3.0], [3.0, 3.0]])
    assert CORNER.reached(4.2, 3.01)
    assert not CORNER.reached(4.2, 2.99)
    assert not CORNER.reached(5.2, 3.01)
    np.testing.assert_allclose(CORNER.wall_line, [[0.0, 0.0], [5.0, 0.0], [5.0, 3.0]], atol=1e-12)


def test_pose_at_turns_with_the_track_and_keeps_its_distance():
    pose = CORNER.pose_at(5.0, 0.4)
    assert (pose.x, pose.y) == pytest.approx((4.6, 2.0))
    assert pose.yaw == pytest.approx(math.pi / 2.0)


@pytest.mark.slow
def test_the_strip_of_every_track_is_free_of_furniture():
    for name in room_names():
        plan = load_plan(name)
        for track in plan.tracks:
            for distance in np.arange(0.0, track.length_m, 0.1):
                for offset in np.arange(0.2, track.width, 0.2):
                    pose = track.pose_at(float(distance), float(offset))
                    assert plan.inside(np.array([pose.x, pose.y])), (name, track.name, pose)
