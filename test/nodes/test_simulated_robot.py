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

"""The simulated robot over real DDS: drives, stops, bumps, hears, sees, makes time."""

import math

from audio_common_msgs.msg import AudioDataStamped, AudioInfo
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import qos_profile_sensor_data, QoSDurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from quiet_nav.nodes.conversions import pose_from_msg
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.scenes import scene_in_plan

pytestmark = pytest.mark.realtime

LATCHED = QoSProfile(depth=10, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
FAST = {'time_factor': 4.0, 'perfect': True}


class Driver:
    """A node that drives the robot and keeps what it publishes."""

    def __init__(self, ros, stamped=True):
        self.ros = ros
        self.node = ros.node('driver')
        self.odometry, self.truth, self.clock, self.bumps = [], [], [], []
        keep = self.node.create_subscription
        keep(Odometry, 'odom', self.odometry.append, qos_profile_sensor_data)
        keep(Odometry, 'ground_truth', self.truth.append, 10)
        keep(Clock, '/clock', lambda m: self.clock.append(stamp_to_ns(m.clock)), 10)
        keep(Bool, 'bump', lambda m: self.bumps.append(m.data), LATCHED)
        self._stamped = stamped
        self._twist = (0.0, 0.0)
        self._publisher = self.node.create_publisher(
            TwistStamped if stamped else Twist, 'cmd_vel', 10
        )
        self._timer = self.node.create_timer(0.01, self._command)
        self._timer.cancel()

    def _command(self):
        message = TwistStamped() if self._stamped else Twist()
        twist = message.twist if self._stamped else message
        twist.linear.x, twist.angular.z = self._twist
        self._publisher.publish(message)

    def go(self, linear, angular=0.0):
        self._twist = (linear, angular)
        self._timer.reset()

    def fall_silent(self):
        self._timer.cancel()

    def wait(self, timeout_s=90.0):
        assert self.ros.spin_until(
            lambda: self.truth and self.clock and self._publisher.get_subscription_count(),
            timeout_s,
        ), self.process.log

    @property
    def pose(self):
        return pose_from_msg(self.truth[-1].pose.pose)

    @property
    def speed(self):
        return self.truth[-1].twist.twist.linear.x

    def parameters(self, **values):
        client = AsyncParameterClient(self.node, 'simulated_robot')
        assert client.wait_for_services(10.0)
        future = client.set_parameters([Parameter(k, value=v) for k, v in values.items()])
        assert all(result.successful for result in self.ros.result_of(future).results)


@pytest.fixture
def start(ros, node_process):
    def make(stamped=True, **parameters):
        driver = Driver(ros, stamped)
        driver.process = node_process('simulated_robot', {**FAST, **parameters})
        driver.wait()
        return driver

    return make


@pytest.mark.parametrize('stamped', [True, False], ids=['TwistStamped', 'Twist'])
def test_robot_drives_as_told_and_odometry_is_the_truth_seen_from_the_start(start, ros, stamped):
    robot = start(stamped, enable_stamped_cmd_vel=stamped)
    begin = robot.pose
    robot.go(0.3, 0.1)
    assert ros.spin_until(lambda: robot.pose.distance_to(begin) > 0.8, 20.0)
    robot.go(0.0)
    assert ros.spin_until(lambda: abs(robot.speed) < 1e-3, 10.0)
    ros.spin_for(0.2)
    # Either may be on its way still: take the newest moment of which both have come.
    truths = {stamp_to_ns(m.header.stamp): m for m in robot.truth}
    last = next(m for m in reversed(robot.odometry) if stamp_to_ns(m.header.stamp) in truths)
    truth = truths[stamp_to_ns(last.header.stamp)]
    seen = pose_from_msg(truth.pose.pose).relative_to(begin)
    odometry = pose_from_msg(last.pose.pose)
    assert odometry.distance_to(seen) < 1e-6
    assert odometry.yaw == pytest.approx(seen.yaw)
    assert robot.odometry[-1].header.frame_id == 'odom'
    assert robot.odometry[-1].child_frame_id == 'base_link'
    assert max(m.twist.twist.linear.x for m in robot.odometry) == pytest.approx(0.3)


def test_robot_stops_half_a_second_after_the_last_command(start, ros):
    robot = start(time_factor=1.0)
    robot.go(0.3)
    assert ros.spin_until(lambda: robot.speed > 0.29, 10.0)
    robot.fall_silent()
    silent_ns = robot.clock[-1]
    assert ros.spin_until(lambda: robot.speed < 1e-3, 10.0)
    first = next(
        stamp_to_ns(m.header.stamp)
        for m in robot.truth
        if stamp_to_ns(m.header.stamp) > silent_ns and m.twist.twist.linear.x < 1e-3
    )
    # 0.5 s of time-out, 0.33 s of braking at 0.9 m/s2, and what is under way.
    assert 0.7 < (first - silent_ns) * 1e-9 < 1.1


def test_robot_bumps_at_a_wall_and_stays_in_the_room(start, ros):
    robot = start(room='seminar_room', pose='[1.0, 1.0, -1.5708]')
    assert ros.spin_until(lambda: robot.bumps == [False], 10.0)
    robot.go(0.3)
    assert ros.spin_until(lambda: True in robot.bumps, 20.0)
    ros.spin_for(0.5)
    assert robot.pose.y == pytest.approx(0.17, abs=3e-3)
    robot.go(-0.3)
    assert ros.spin_until(lambda: robot.bumps[-1] is False, 10.0)


def test_audio_is_contiguous_and_is_what_the_ears_hear_there(start, ros):
    robot = start(rig='trio', seed=3, time_factor=2.0)
    chunks, info, epoch = [], [], []
    # The frames that never change are published at sample 0.
    robot.node.create_subscription(
        TFMessage,
        '/tf_static',
        lambda m: epoch.append(stamp_to_ns(m.transforms[0].header.stamp)),
        LATCHED,
    )
    robot.node.create_subscription(AudioDataStamped, 'audio/audio_stamped', chunks.append, 10)
    robot.node.create_subscription(AudioInfo, 'audio/audio_info', info.append, LATCHED)
    assert ros.spin_until(lambda: len(chunks) >= 25 and info and epoch, 30.0)
    assert (info[0].channels, info[0].sample_rate, info[0].sample_format) == (3, 16000, 'S16LE')
    assert info[0].coding_format == 'wave'
    stamps = [stamp_to_ns(m.header.stamp) for m in chunks]
    samples = [np.frombuffer(m.audio.data, '<i2').reshape(-1, 3) for m in chunks]
    for stamp, after, piece in zip(stamps, stamps[1:], samples, strict=False):
        assert after - stamp == len(piece) * 62_500
    plan = load_plan('classroom')
    hearing = Hearing(scene_in_plan(plan, 3))
    heard = np.concatenate(samples) / 32768.0
    start_sample = round((stamps[0] - epoch[0]) / 62_500)
    exact = hearing.rig(find_rig('trio'), robot.pose, start_sample, len(heard)).T
    error = np.sqrt(np.mean((heard - exact) ** 2))
    assert error < 0.02 * np.sqrt(np.mean(heard**2)) + 2.0 / 32768.0


def test_the_motor_is_heard_while_the_robot_moves(start, ros):
    robot = start(seed=2)
    levels = []
    robot.node.create_subscription(
        AudioDataStamped,
        'audio/audio_stamped',
        lambda m: levels.append(np.frombuffer(m.audio.data, '<i2').astype(float).std()),
        10,
    )
    assert ros.spin_until(lambda: len(levels) >= 20, 20.0)
    rest = np.median(levels)
    robot.go(0.0, 1.0)
    count = len(levels)
    assert ros.spin_until(lambda: len(levels) >= count + 20, 20.0)
    moving = np.median(levels[count + 5 :])
    assert moving > 1.05 * rest


def test_images_come_with_intrinsics_and_show_the_wall_ahead(start, ros):
    robot = start(room='seminar_room', pose='[7.0, 2.5, 0.0]')
    images, depths, infos = [], [], []
    prefix = 'camera/camera'
    robot.node.create_subscription(Image, f'{prefix}/color/image_raw', images.append, 2)
    robot.node.create_subscription(Image, f'{prefix}/depth/image_rect_raw', depths.append, 2)
    robot.node.create_subscription(CameraInfo, f'{prefix}/depth/camera_info', infos.append, 2)
    assert ros.spin_until(lambda: images and len(depths) > 2 and infos, 30.0)
    assert (images[0].encoding, images[0].width, images[0].height) == ('rgb8', 640, 480)
    assert images[0].step == 3 * 640
    assert len(images[0].data) == 480 * 3 * 640
    assert depths[0].encoding == '16UC1'
    depth = np.frombuffer(depths[0].data, '<u2').reshape(480, 640)
    middle = depth[120:240, 240:400]
    assert np.median(middle[middle > 0]) == pytest.approx(1000 * (8.6 - 7.0 - 0.08), rel=0.01)
    assert infos[0].k[0] == pytest.approx(659.4)
    # A busy machine may drop images, never move them in time.
    periods = np.diff([stamp_to_ns(m.header.stamp) for m in depths]) * 6.0e-9
    assert np.all(periods > 0.5)
    assert np.abs(periods - np.round(periods)).max() < 0.13


def test_frames_place_the_robot_its_ears_and_its_camera(start, ros):
    robot = start(rig='trio')
    frames = {}

    def keep(message):
        frames.update({t.child_frame_id: t for t in message.transforms})

    robot.node.create_subscription(TFMessage, '/tf', keep, 100)
    robot.node.create_subscription(TFMessage, '/tf_static', keep, LATCHED)
    wanted = {'odom', 'base_link', 'microphone_2', 'camera_depth_optical_frame'}
    assert ros.spin_until(lambda: wanted <= set(frames), 10.0)
    assert frames['base_link'].header.frame_id == 'odom'
    assert frames['odom'].transform.translation.x == pytest.approx(robot.pose.x)
    assert frames['microphone_2'].transform.translation.x == pytest.approx(0.15)
    optical = frames['camera_depth_optical_frame'].transform.rotation
    assert (optical.x, optical.y, optical.z, optical.w) == pytest.approx((-0.5, 0.5, -0.5, 0.5))


def test_time_runs_as_fast_as_asked_and_can_be_changed(start, ros):
    robot = start(time_factor=1.0)

    def factor():
        import time

        ros.spin_for(0.3)
        wall, sim = time.monotonic(), robot.clock[-1]
        ros.spin_for(1.5)
        return (robot.clock[-1] - sim) * 1e-9 / (time.monotonic() - wall)

    assert factor() == pytest.approx(1.0, abs=0.25)
    robot.parameters(time_factor=3.0)
    assert factor() == pytest.approx(3.0, abs=1.0)
    steps = np.diff(robot.clock)
    assert np.all(steps > 0)


def test_a_sensor_that_fails_falls_silent_and_comes_back(start, ros):
    robot = start()
    audio = []
    robot.node.create_subscription(AudioDataStamped, 'audio/audio_stamped', audio.append, 10)
    assert ros.spin_until(lambda: audio, 20.0)
    robot.parameters(audio=False, odometry=False)
    ros.spin_for(0.3)
    heard, seen = len(audio), len(robot.odometry)
    ros.spin_for(0.5)
    assert (len(audio), len(robot.odometry)) == (heard, seen)
    robot.parameters(audio=True, odometry=True)
    assert ros.spin_until(lambda: len(audio) > heard and len(robot.odometry) > seen, 10.0)


def test_reset_puts_the_robot_at_a_start_pose(start, ros):
    robot = start()
    begin = robot.pose
    robot.go(0.3)
    assert ros.spin_until(lambda: robot.pose.distance_to(begin) > 0.3, 20.0)
    robot.fall_silent()
    robot.parameters(start=0)
    client = robot.node.create_client(Trigger, 'reset')
    assert client.wait_for_service(10.0)
    assert ros.result_of(client.call_async(Trigger.Request())).success
    expected = load_plan('classroom').track().starts()[0].pose
    assert ros.spin_until(lambda: robot.pose.distance_to(expected) < 1e-6, 5.0)
    assert robot.pose.yaw == pytest.approx(math.radians(30.0))


@pytest.mark.parametrize(
    'parameters, said',
    [
        ({'room': 'ballroom'}, 'rooms: classroom'),
        ({'start': 12}, 'start poses 0 to 8'),
        ({'pose': '[0.0, 0.0, 0.0]'}, 'nearer than 0.17 m to a wall'),
    ],
)
def test_bad_parameters_end_the_node_with_one_line(node_process, parameters, said):
    process = node_process('simulated_robot', parameters)
    assert process.process.wait(60.0) == 2
    assert said in process.log
    assert 'Traceback' not in process.log


def test_a_camera_fault_falls_when_it_is_due(start, ros):
    robot = start(camera_fault='covered', camera_fault_s=86400.0)
    images = []
    robot.node.create_subscription(
        Image, 'camera/camera/color/image_raw', images.append, qos_profile_sensor_data
    )

    def spread():
        return float(np.frombuffer(memoryview(images[-1].data), np.uint8).std()) if images else -1

    assert ros.spin_until(lambda: spread() > 15.0, 60.0), 'no image of a camera without fault'
    robot.parameters(camera_fault_s=0.0)
    assert ros.spin_until(lambda: 0.0 < spread() < 8.0, 60.0), 'the fault was due and did not fall'
    robot.parameters(camera_fault='killed')
    count = len(images)
    ros.spin_for(1.0)
    assert len(images) <= count + 1
