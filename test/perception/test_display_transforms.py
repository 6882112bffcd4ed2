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

"""Frames over time: composed, interpolated, never guessed, never growing."""

import math

import pytest

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.transforms import Transform, TransformBuffer

S = 1_000_000_000


def place(x, y, yaw=0.0, z=0.0):
    return Transform.of_pose(Pose2D(x, y, yaw), z)


def assert_pose(transform, x, y, yaw):
    pose = transform.pose
    assert (pose.x, pose.y, pose.yaw) == pytest.approx((x, y, yaw), abs=1e-9)


def robot():
    """Map -> odom is (1, 2) turned left; the base drives 1 m along odom's x in 0.5 s."""
    frames = TransformBuffer()
    frames.add_fixed('map', 'odom', place(1.0, 2.0, math.pi / 2.0))
    frames.add('odom', 'base_link', 10 * S, place(0.0, 0.0))
    frames.add('odom', 'base_link', 10 * S + S // 2, place(1.0, 0.0, math.pi / 2.0))
    frames.add_fixed('base_link', 'mic', place(0.0, 0.15, math.pi / 2.0, 0.25))
    return frames


def test_chain_and_time_are_interpolated():
    frames = robot()
    # Halfway: 0.5 m along odom's x, 45 degrees; the microphone 0.15 m to the left of that.
    reach = 0.15 * math.sqrt(0.5)
    found = frames.lookup('odom', 'mic', 10 * S + S // 4)
    assert_pose(found, 0.5 - reach, reach, 3.0 * math.pi / 4.0)
    assert found.z == pytest.approx(0.25)
    assert_pose(frames.lookup('map', 'base_link', 10 * S + S // 2), 1.0, 3.0, math.pi)


def test_both_ways_and_from_branch_to_branch():
    frames = robot()
    frames.add_fixed('base_link', 'camera', place(0.2, 0.0))
    assert_pose(frames.lookup('camera', 'mic', 10 * S), -0.2, 0.15, math.pi / 2.0)
    there, back = (frames.lookup(*pair, 10 * S) for pair in (('map', 'mic'), ('mic', 'map')))
    assert_pose(there.compose(back), 0.0, 0.0, 0.0)


@pytest.mark.parametrize('time_ns', [10 * S - 1, 10 * S + S // 2 + 1])
def test_nothing_is_said_before_the_first_and_after_the_newest_pose(time_ns):
    assert robot().lookup('odom', 'base_link', time_ns) is None


def test_nothing_is_said_within_a_gap_and_of_unknown_frames():
    frames = robot()
    frames.add('odom', 'base_link', 13 * S, place(2.0, 0.0))
    assert frames.lookup('odom', 'base_link', 12 * S) is None
    assert frames.lookup('odom', 'base_link', 13 * S) is not None
    assert frames.lookup('odom', 'lidar', 13 * S) is None


def test_turn_goes_the_shorter_way_round():
    frames = TransformBuffer()
    frames.add('odom', 'base_link', 0, place(0.0, 0.0, math.radians(170.0)))
    frames.add('odom', 'base_link', S, place(0.0, 0.0, math.radians(-170.0)))
    yaw = frames.lookup('odom', 'base_link', S // 2).pose.yaw
    assert abs(yaw) == pytest.approx(math.pi)


def test_camera_that_looks_sideways_keeps_its_height():
    # An optical frame: z forward, x right.
    optical = Transform(0.1, 0.0, 0.3, -0.5, 0.5, -0.5, 0.5)
    ahead = optical.rotate(0.0, 0.0, 1.0)
    assert ahead == pytest.approx((1.0, 0.0, 0.0))
    back = optical.compose(optical.inverse())
    assert (back.x, back.y, back.z, abs(back.qw)) == pytest.approx((0.0, 0.0, 0.0, 1.0))


def test_late_pose_is_sorted_in_and_time_that_runs_back_starts_anew():
    frames = TransformBuffer()
    for time_ns, x in ((S, 1.0), (2 * S, 3.0), (3 * S // 2, 1.5)):
        frames.add('odom', 'base_link', time_ns, place(x, 0.0))
    assert_pose(frames.lookup('odom', 'base_link', 3 * S // 2), 1.5, 0.0, 0.0)
    frames.add('odom', 'base_link', 0, place(9.0, 0.0))
    assert frames.lookup('odom', 'base_link', S) is None
    assert_pose(frames.lookup('odom', 'base_link', 0), 9.0, 0.0, 0.0)


def test_frames_in_a_circle_end():
    frames = TransformBuffer()
    frames.add_fixed('a', 'b', place(1.0, 0.0))
    frames.add_fixed('b', 'a', place(1.0, 0.0))
    assert frames.lookup('map', 'a', 0) is None


def test_pose_that_is_not_a_number_is_left_out():
    frames = robot()
    frames.add('odom', 'base_link', 11 * S, place(math.nan, 0.0))
    assert frames.lookup('odom', 'base_link', 11 * S) is None


def test_an_hour_of_poses_does_not_grow():
    frames = TransformBuffer(memory_s=10.0)
    for i in range(10 * 3600):
        frames.add('odom', 'base_link', i * S // 10, place(0.001 * i, 0.0))
    assert len(frames) <= 10 * 10 + 257
    assert frames.lookup('odom', 'base_link', 3599 * S) is not None
