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

"""What the follower lets in, and who else it sees: on messages and lists of the test's."""

import math

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')

from nav_msgs.msg import Odometry

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.control_clock import Clocks, ControlClock
from quiet_nav.nodes.conversions import pose_to_msg, reading_to_msg
from quiet_nav.nodes.intake import cause_of
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.nodes.surroundings import Endpoint, sole_fault, type_fault
from quiet_nav.nodes.wall_follower.emergency_stop import EmergencyStop, latch_file
from quiet_nav.nodes.wall_follower.senses import Base, Readings
from quiet_nav.perception.readings import Modality, NearWallReading

pytestmark = pytest.mark.realtime

S = 10**9
NOW = 1_700_000_000 * S
OWN = 'pair#12345678'


@pytest.fixture
def clock():
    clock = ControlClock()
    clock.update(Clocks(5 * S, NOW))
    return clock


def heard(ago_s=0.2, rig=OWN, modality=Modality.AUDIO):
    end_ns = NOW - round(ago_s * S)
    reading = NearWallReading(Side.LEFT, 0.5, end_ns - 3 * S, end_ns, modality=modality)
    return reading_to_msg(reading, 'mic', rig)


def test_a_reading_comes_on_the_clock_of_control(clock):
    readings = Readings(OWN, 0.5)
    assert readings.take(heard(), clock, NOW).end_ns == NOW - S // 5
    clock.update(Clocks(6 * S, NOW + S - 20 * S))  # Set back by 20 s; stamps follow.
    late = heard()
    late.header.stamp, late.window_start = ns_to_stamp(NOW - 19 * S), ns_to_stamp(NOW - 22 * S)
    assert readings.take(late, clock, NOW - 19 * S).end_ns == NOW + S


@pytest.mark.parametrize(
    ('message', 'said'),
    [
        (heard(ago_s=-1.5), 'stamp lies 1.50 s ahead'),
        (heard(ago_s=-3591.0), 'stamp lies 3591.00 s ahead'),
        (heard(ago_s=3600.0), 'stamp is 3600 s old'),
        (heard(rig='trio#87654321'), 'rig is trio#87654321, not pair#12345678'),
    ],
)
def test_a_reading_that_cannot_be_right_is_refused_by_field(clock, message, said):
    with pytest.raises(QuietNavError, match=said):
        Readings(OWN, 0.5).take(message, clock, NOW)


def test_a_rig_that_differs_is_held_until_it_does_not(clock):
    readings = Readings(OWN, 0.5)
    with pytest.raises(QuietNavError):
        readings.take(heard(rig='trio#87654321'), clock, NOW)
    assert 'trio#87654321' in readings.fault and OWN in readings.fault
    readings.take(heard(rig='', modality=Modality.VISION), clock, NOW)
    assert readings.fault, 'a camera has no ears'
    readings.take(heard(), clock, NOW)
    assert readings.fault == ''


def odometry(frame='odom', child='base_link', ago_s=0.0, **twist):
    message = Odometry(child_frame_id=child)
    message.header.frame_id = frame
    message.header.stamp = ns_to_stamp(NOW - round(ago_s * S))
    message.pose.pose = pose_to_msg(Pose2D(1.0, 2.0, 0.5))
    message.twist.twist.linear.x = twist.get('x', 0.1)
    return message


@pytest.mark.parametrize(
    ('frame', 'child'),
    [('odom', 'base_link'), ('', ''), ('/robot1/odom', 'robot1/base_footprint')],
)
def test_odometry_of_this_base_is_taken(frame, child):
    pose, twist = Base('odom', 'base_link').take(odometry(frame, child), NOW)
    assert (pose.x, pose.y, round(pose.yaw, 6)) == (1.0, 2.0, 0.5) and twist.linear_mps == 0.1


@pytest.mark.parametrize(
    ('message', 'said'),
    [
        (odometry(frame='map'), 'in frame map, expected odom: set odom_frame'),
        (odometry(child='camera_link'), 'of frame camera_link, expected base_link'),
        (odometry(x=math.nan), 'twist of nan'),
    ],
)
def test_odometry_of_something_else_is_refused_by_name(message, said):
    with pytest.raises(QuietNavError, match=said):
        Base('odom', 'base_link').take(message, NOW)


def test_a_rotation_that_is_none_is_refused():
    message = odometry()
    message.pose.pose.orientation.z = message.pose.pose.orientation.w = 0.0
    with pytest.raises(QuietNavError, match='not a rotation'):
        Base('odom', 'base_link').take(message, NOW)


@pytest.mark.parametrize(('ago_s', 'said'), [(10.0, '10 s old'), (-900.0, '900 s ahead')])
def test_stamps_of_odometry_that_are_off_are_named_with_their_number(ago_s, said):
    base = Base('odom', 'base_link')
    base.take(odometry(ago_s=ago_s), NOW)
    assert said in base.warning
    base.take(odometry(ago_s=0.1), NOW)
    assert base.warning == ''


ME, OTHER = Endpoint('/wall_follower', 'a'), Endpoint('/teleop', 'a')


def test_who_else_publishes_is_named():
    assert sole_fault('cmd_vel', [ME], ME.node) == ''
    assert sole_fault('cmd_vel', [], ME.node) == ''
    assert '/teleop, too' in sole_fault('cmd_vel', [ME, OTHER], ME.node)
    assert 'second node of the same name' in sole_fault('cmd_vel', [ME, ME], ME.node)
    assert sole_fault('odom', [OTHER]) == ''
    assert '2 publishers: /teleop, /wall_follower' in sole_fault('odom', [ME, OTHER])


def test_types_are_named_where_nobody_expects_ours():
    assert type_fault('cmd_vel', [], 'a') == ''
    assert type_fault('cmd_vel', [ME, Endpoint('/base', 'b')], 'a') == ''
    said = type_fault('cmd_vel', [Endpoint('/base', 'b')], 'a')
    assert 'sent as a, /base expects b' in said


def test_a_latch_outlives_its_process_until_it_is_released(tmp_path):
    path = latch_file(tmp_path, '/robot/wall_follower')
    assert path.is_relative_to(tmp_path)
    first = EmergencyStop(path)
    assert first.latch('pressed') and not first.latch('again')
    second = EmergencyStop(path)
    assert second.reason == 'pressed' and second.fault == ''
    second.release()
    assert EmergencyStop(path).reason == ''


@pytest.mark.parametrize(
    'content',
    ['', '{', '[1]', '{"reason": ""}', '{"reason": 5}', 'null x', 'null', '[' * 50_000],
)
def test_a_latch_that_cannot_be_read_counts_as_pressed(tmp_path, content):
    path = latch_file(tmp_path, '/wall_follower')
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert EmergencyStop(path).reason


def test_a_latch_that_cannot_be_written_holds_and_says_so(tmp_path):
    (tmp_path / 'file').write_text('')
    latch = EmergencyStop(latch_file(tmp_path / 'file', '/wall_follower'))
    assert latch.latch('pressed')
    assert latch.reason == 'pressed' and latch.fault


def test_latches_of_two_robots_are_two(tmp_path):
    paths = {latch_file(tmp_path, name) for name in ('/a/wall_follower', '/b/wall_follower')}
    assert len(paths) == 2


def test_a_cause_is_what_does_not_change_with_its_numbers():
    one, two = (cause_of(f'NearWall: stamp lies {s} s ahead of the clock') for s in ('1.50', '9'))
    assert one == two == 'NearWall: stamp lies'
    assert cause_of('probability nan, expected 0 to 1') == 'probability'
