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

"""The near_wall node that looks, over real DDS: readings of images, faults of cameras."""

from collections import defaultdict
import math
from pathlib import Path
import re

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')
pytest.importorskip('cv_bridge', reason='cv_bridge is not installed (make setup does)')
pytest.importorskip('onnx')

from brightness_model import room, write_model
import cv2
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import qos_profile_sensor_data, QoSDurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tf2_msgs.msg import TFMessage

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.msg import NearWall
from quiet_nav.nodes.camera_messages import camera_info_to_msg, image_to_msg, optical_rotation
from quiet_nav.nodes.conversions import transform_to_msg
from quiet_nav.nodes.image_input import picture_of
from quiet_nav.nodes.near_wall.parameters import NearWallParameters
from quiet_nav.nodes.runtime import now_ns, ns_to_stamp
from quiet_nav.simulation.sight.raycast import Intrinsics

pytestmark = pytest.mark.realtime

FRAME = 'camera_color_optical_frame'
COLOR = 'camera/camera/color'
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
SOUND_MODEL = Path(__file__).parents[2] / 'models' / 'near_wall.onnx'


class Camera:
    """A camera with its place on the robot, and what the node says of its images."""

    def __init__(self, ros):
        self.ros, self.node = ros, ros.node('camera')
        self.said, self.statuses, self.shots = [], [], 0
        deep = QoSProfile(depth=1000)
        self.node.create_subscription(NearWall, 'near_wall', self.said.append, deep)
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._on_status, 100)
        self.plug()
        self.compressed = self.node.create_publisher(
            CompressedImage, f'{COLOR}/image_raw/compressed', qos_profile_sensor_data
        )
        self.info = self.node.create_publisher(
            CameraInfo, f'{COLOR}/camera_info', qos_profile_sensor_data
        )
        self.frames = self.node.create_publisher(TFMessage, '/tf_static', LATCHED)

    def plug(self):
        self.images = self.node.create_publisher(
            Image, f'{COLOR}/image_raw', qos_profile_sensor_data
        )

    def _on_status(self, message):
        self.statuses += [s for s in message.status if s.name.startswith('near_wall')]

    def look_to(self, side):
        frame = transform_to_msg(Pose2D(0.1, 0.0, 0.0), 0, 'base_link', FRAME)
        frame.transform.rotation = optical_rotation(side.yaw_rad)
        self.frames.publish(TFMessage(transforms=[frame]))

    def shoot(self, change=None, level=100, ahead_s=0.0):
        self.shots += 1
        stamp = ns_to_stamp(now_ns(self.node) + round(ahead_s * 1e9))
        message = image_to_msg(room(level, self.shots), 'rgb8', stamp, FRAME)
        if change is not None:
            change(message)
        self.images.publish(message)

    def until(self, told, **shot):
        """Take ten images a second until the node has said something of a kind."""

        def found():
            self.shoot(**shot)
            self.ros.spin_for(0.1)
            return any(told(m) for m in self.said)

        assert self.ros.spin_until(found, 30), [m.reason for m in self.said[-3:]]

    def values(self):
        items = self.statuses[-1].values if self.statuses else ()
        return defaultdict(str, {item.key: item.value for item in items})


@pytest.fixture
def camera(ros):
    return Camera(ros)


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp('model') / 'vision.onnx')


@pytest.fixture
def start(node_process, model):
    def start(**parameters):
        known = {'modality': 'vision', 'vision_model': model, 'threads': 1, 'image_rate_hz': 8.0}
        return node_process('near_wall', {**known, **parameters})

    return start


def valid(message):
    return message.valid


def test_images_are_read_toward_the_side_that_tf_gives_the_camera(camera, start):
    start()
    camera.until(valid)
    said = camera.said[-1]
    assert said.side == int(Side.FRONT) and said.modality == NearWall.MODALITY_VISION
    assert said.header.stamp == said.window_start and said.header.frame_id == FRAME
    assert said.probability == pytest.approx(100 / 255, abs=0.1)
    assert len(said.distance_probabilities) == len(said.distance_edges) + 1
    frames = []
    camera.node.create_subscription(TFMessage, '/tf_static', frames.append, LATCHED)
    camera.look_to(Side.LEFT)
    camera.until(lambda m: m.valid and m.side == int(Side.LEFT))

    def shown_there():
        camera.shoot()
        return any(
            t.child_frame_id == 'near_wall_camera_left' and t.transform.translation.x == 0.1
            for message in frames
            for t in message.transforms
        )

    assert camera.ros.spin_until(shown_there, 15), 'ranges stay where cameras usually are'
    assert camera.ros.spin_until(lambda: camera.values()['camera side'] == 'left', 10)
    # Without camera_info all goes on; it is said.
    assert camera.values()['camera field of view deg'] == 'no camera_info'
    camera.info.publish(camera_info_to_msg(Intrinsics(160, 120, 154.0, 154.0, 79.5, 59.5),
                                           ns_to_stamp(0), FRAME))  # fmt: skip
    assert camera.ros.spin_until(
        lambda: camera.values()['camera field of view deg'].startswith('54.9'), 10
    )


def depth(message):
    message.encoding, message.step = '16UC1', 2 * message.width


def empty(message):
    message.width = message.height = message.step = 0
    message.data = []


def cut(message):
    message.data = message.data[:100]


def test_bad_images_give_invalid_readings_with_the_reason_and_a_diagnostic(camera, start):
    start()
    camera.until(valid)
    for shot, word in (
        ({'change': depth}, "'16UC1'; expected one of rgb8, .* image_topic"),
        ({'change': empty}, 'zero-sized'),
        ({'change': cut}, 'not whole'),
        ({'level': -200}, 'dark'),
        ({'ahead_s': 5.0}, 'future'),
        ({'ahead_s': -5.0}, 'stale'),
    ):
        camera.said.clear(), camera.statuses.clear()
        camera.until(lambda m, word=word: not m.valid and re.search(word, m.reason), **shot)
        assert all(math.isnan(m.probability) for m in camera.said if not m.valid)
        assert camera.ros.spin_until(
            lambda word=word: any(re.search(word, s.message) for s in camera.statuses), 10
        )
    camera.said.clear()
    camera.until(valid)


def test_a_camera_unplugged_is_said_and_one_plugged_in_again_is_read(camera, start):
    start()
    camera.until(valid)
    camera.node.destroy_publisher(camera.images)
    camera.said.clear()
    told = 'no image for .* s: nobody publishes /.*/color/image_raw; is the camera on'
    assert camera.ros.spin_until(lambda: any(re.search(told, m.reason) for m in camera.said), 15)
    camera.plug()
    camera.said.clear()
    camera.until(valid)


def test_compressed_images_are_read_and_what_is_none_is_said(camera, start):
    start(image_transport='compressed')
    assert camera.ros.spin_until(lambda: camera.said, 30)
    shots = iter(range(10**6))

    def shoot(said, data, kind):
        def shot():
            message = CompressedImage(format=kind)
            message.header.stamp = ns_to_stamp(now_ns(camera.node))
            message.data = data(room(100, next(shots)))
            camera.compressed.publish(message)
            camera.ros.spin_for(0.1)
            return any(said(m) for m in camera.said)

        camera.said.clear()
        assert camera.ros.spin_until(shot, 30), [m.reason for m in camera.said[-3:]]

    shoot(valid, lambda pixels: encoded('.jpg', pixels), 'rgb8; jpeg compressed bgr8')
    shoot(valid, lambda pixels: encoded('.png', pixels), 'rgb8; png compressed bgr8')
    shoot(valid, lambda pixels: encoded('.jpg', pixels[..., 0]), 'mono8; jpeg compressed mono8')
    shoot(lambda m: 'name the topic of the color image' in m.reason,
          lambda pixels: encoded('.png', pixels[..., 0].astype(np.uint16)),
          '16UC1; png compressed')  # fmt: skip


def encoded(kind, pixels):
    return cv2.imencode(kind, pixels)[1].tobytes()


@pytest.mark.parametrize('kind', ['.jpg', '.png'])
def test_a_compressed_image_has_its_colors_and_its_left_at_the_left(kind):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :24], pixels[:, 24:] = (200, 40, 90), (10, 150, 220)
    shown = picture_of(CompressedImage(data=encoded(kind, pixels[..., ::-1]))).pixels
    assert np.abs(shown.astype(int) - pixels)[:, [4, 40]].max() < 8
    gray = picture_of(CompressedImage(data=encoded(kind, pixels[..., 0]))).pixels
    assert gray.shape == (32, 48, 3)
    assert np.abs(gray[:, [4, 40]].astype(int) - pixels[:, [4, 40], :1]).max() < 8


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (encoded('.jpg', room(100))[:1000], 'not whole: 1000 bytes.*losing data'),
        (encoded('.jpg', room(100))[:-2], 'not whole'),
        (encoded('.png', room(100))[:-2], 'not whole'),
        (encoded('.png', room(100))[:100], 'not whole'),
        (b'H264 or whatever else', "compressed as 'x': neither JPEG nor PNG.*image_transport"),
        (b'', 'empty'),
        (encoded('.png', np.zeros((32, 48), np.uint16)), "'x' with 16 bits, as depth.*image_topic"),
    ],
)
def test_what_is_no_compressed_image_says_what_to_do(data, words):
    picture = picture_of(CompressedImage(format='x', data=data))
    assert picture.pixels is None and re.search(words, picture.fault)


def test_the_topic_of_a_compressed_image_is_named_by_its_transport():
    with pytest.raises(QuietNavError, match='set image_transport to compressed'):
        NearWallParameters(image_topic='camera/image_raw/compressed')


def test_one_node_hears_and_sees(camera, start):
    if not SOUND_MODEL.is_file():
        pytest.skip('models/near_wall.onnx is not there')
    start(modality='both', model=SOUND_MODEL)
    camera.until(valid)
    assert camera.ros.spin_until(
        lambda: (
            {m.modality for m in camera.said} == {NearWall.MODALITY_AUDIO, NearWall.MODALITY_VISION}
        ),
        15,
    )
    # No microphone is there: that is said, and the camera is read all the same.
    heard = [m for m in camera.said if m.modality == NearWall.MODALITY_AUDIO]
    assert all(not m.valid and m.reason for m in heard)


@pytest.mark.parametrize('encoding', ['rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8'])
def test_every_encoding_of_color_becomes_rgb(encoding):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = 200, 50
    raw = {
        'rgb8': pixels,
        'bgr8': pixels[..., ::-1],
        'rgba8': np.dstack([pixels, np.full((4, 6), 255, np.uint8)]),
        'bgra8': np.dstack([pixels[..., ::-1], np.full((4, 6), 255, np.uint8)]),
        'mono8': pixels[..., 0],
    }[encoding]
    message = image_to_msg(np.ascontiguousarray(raw), encoding, ns_to_stamp(5), FRAME)
    picture = picture_of(message)
    assert picture.fault == '' and picture.stamp_ns == 5 and picture.pixels.shape == (4, 6, 3)
    expected = pixels if encoding != 'mono8' else np.full((4, 6, 3), 200)
    assert np.array_equal(picture.pixels, expected)
