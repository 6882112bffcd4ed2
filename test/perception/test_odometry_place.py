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

"""Standing still by odometry, and the place in which windows are each other's context."""

import math

import numpy as np
import pytest

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.odometry import OdometryTrack
from quiet_nav.perception.place import ListeningPlace
from quiet_nav.perception.rig import find_rig
from quiet_nav.sound.windows import Window

S = 1_000_000_000


def track_of(pose_at, until_s=10.0, rate=20) -> OdometryTrack:
    track = OdometryTrack()
    for i in range(round(until_s * rate)):
        track.add(i * S // rate, pose_at(i / rate))
    return track


def test_robot_that_stands_has_a_place():
    pose = Pose2D(1.0, 2.0, 0.5)
    assert track_of(lambda t: pose).standing(2 * S, 5 * S) == pose


@pytest.mark.parametrize(
    'moves',
    [
        lambda t: Pose2D(max(0.0, t - 4.9) * 0.2),
        lambda t: Pose2D(yaw=max(0.0, t - 4.9) * 0.5),
        lambda t: Pose2D(min(t, 2.1) * 0.2),
        lambda t: Pose2D(0.1 * (3.0 < t < 3.2)),
        lambda t: Pose2D(0.005 * t),
    ],
)
def test_robot_that_moved_within_the_window_has_none(moves):
    assert track_of(moves).standing(2 * S, 5 * S) is None


def test_moves_before_and_after_the_window_do_not_count():
    track = track_of(lambda t: Pose2D(0.3 * min(t, 1.9) + 0.3 * max(0.0, t - 5.1)))
    assert track.standing(2 * S, 5 * S) == pytest.approx(track.standing(3 * S, 4 * S))


def test_turning_over_pi_is_standing_where_the_yaw_wraps():
    track = track_of(lambda t: Pose2D(yaw=math.pi if round(20 * t) % 2 else -math.pi))
    assert track.standing(2 * S, 5 * S) is not None


def test_missing_odometry_is_not_standing():
    track = track_of(lambda t: Pose2D(), until_s=4.0)
    assert track.standing(0, 3 * S) is not None
    assert track.standing(2 * S, 5 * S) is None
    track.add(6 * S, Pose2D())
    assert track.standing(2 * S, 6 * S) is None
    assert OdometryTrack().standing(0, S) is None


def test_poses_that_are_not_finite_are_left_out_and_time_may_start_anew():
    track = track_of(lambda t: Pose2D())
    track.add(10 * S, Pose2D(math.nan))
    assert track.latest_ns == 199 * S // 20
    track.add(S, Pose2D(5.0))
    assert track.latest_ns == S and track.standing(S, S) == Pose2D(5.0)


def test_memory_does_not_grow():
    track = OdometryTrack(memory_s=10.0)
    for i in range(100_000):
        track.add(i * S // 50, Pose2D())
    assert len(track._times) < 1000


def windows_of(rig, end_s: float) -> list[Window]:
    start_ns = round((end_s - 3.0) * 1e9)
    return [Window.from_samples(np.zeros(48_000), start_ns, ear.channel) for ear in rig.ears]


def test_one_turning_ear_hears_both_sides_of_a_place():
    rig = find_rig('single')
    place = ListeningPlace(rig)
    left = place.hear(windows_of(rig, 3.0), Pose2D(yaw=math.pi / 2))
    right = place.hear(windows_of(rig, 9.0), Pose2D(yaw=-math.pi / 2))
    assert not left.earlier and not left.turned
    assert right.turned and len(right.earlier) == 1
    assert right.earlier[0].bearing_rad == pytest.approx(math.pi / 2)
    assert right.newest[0].bearing_rad == pytest.approx(-math.pi / 2)
    assert [h.learn for h in (*right.earlier, *right.newest)] == [False, True]
    assert {h.side for h in (*right.earlier, *right.newest)} == {Side.FRONT}


def test_newer_windows_replace_those_of_the_same_heading():
    rig = find_rig('single')
    place = ListeningPlace(rig)
    place.hear(windows_of(rig, 3.0), Pose2D(yaw=1.5))
    again = place.hear(windows_of(rig, 3.5), Pose2D(yaw=1.6))
    assert not again.earlier and not again.turned
    turned = place.hear(windows_of(rig, 9.0), Pose2D(yaw=-1.6))
    assert [h.window.end_ns for h in turned.earlier] == [round(3.5 * S)]
    assert not place.hear(windows_of(rig, 9.5), Pose2D(yaw=-1.6)).turned


def test_windows_are_forgotten_after_a_way_and_after_a_time():
    rig = find_rig('single')
    place = ListeningPlace(rig, max_distance_m=0.1, max_age_s=30.0)
    place.hear(windows_of(rig, 3.0), Pose2D(yaw=1.5))
    assert place.hear(windows_of(rig, 9.0), Pose2D(0.09, yaw=-1.6)).earlier
    assert not place.hear(windows_of(rig, 15.0), Pose2D(0.11, yaw=1.5)).earlier
    assert not place.hear(windows_of(rig, 46.0), Pose2D(0.11, yaw=-1.6)).earlier


def test_pair_that_looks_about_has_windows_of_both_ears_at_both_headings():
    rig = find_rig('pair')
    place = ListeningPlace(rig)
    place.hear(windows_of(rig, 3.0), Pose2D())
    looked = place.hear(windows_of(rig, 9.0), Pose2D(yaw=math.pi / 2))
    bearings = [h.bearing_rad for h in (*looked.earlier, *looked.newest)]
    assert np.cos(bearings) == pytest.approx([0, 0, -1, 1], abs=1e-9)
    assert np.sin(bearings) == pytest.approx([1, -1, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ('yaw', 'kept'), [(45, 0), (-46, 0), (80, 1), (118, 1), (135, 0), (180, 1)]
)
def test_only_windows_at_right_angles_are_context(yaw, kept):
    """A turn by half a right angle begins anew, by however little odometry errs."""
    rig = find_rig('single')
    place = ListeningPlace(rig)
    place.hear(windows_of(rig, 3.0), Pose2D(yaw=0.3))
    heard = place.hear(windows_of(rig, 9.0), Pose2D(yaw=0.3 + math.radians(yaw)))
    assert len(heard.earlier) == kept
    assert heard.turned == bool(kept)
