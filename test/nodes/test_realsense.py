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

"""The node `realsense` over real topics, with a camera of software and with files of one."""

import json
from pathlib import Path
import signal

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')
pytest.importorskip('cv_bridge', reason='cv_bridge is not installed (make setup does)')
pytest.importorskip(
    'pyrealsense2',
    reason='no pyrealsense2 here (extra: realsense) or no libusb-1.0-0',
    exc_type=ImportError,
)

from brightness_model import write_model
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import (
    qos_profile_sensor_data,
    QoSDurabilityPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
)
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from software_camera import COLOR_PLACE, HEIGHT, WIDTH, write_recording
from tf2_msgs.msg import TFMessage

from quiet_nav.msg import NearWall
from quiet_nav.nodes.camera_messages import image_from_msg
from quiet_nav.nodes.image_input import picture_of
from quiet_nav.nodes.runtime import now_ns
from quiet_nav.perception.messages import stamp_to_ns

pytestmark = pytest.mark.realtime

PROGRAM = Path(__file__).parents[1] / 'software_camera.py'
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
ROOT = 'camera/camera'
TOPICS = {
    f'{ROOT}/color/image_raw': Image,
    f'{ROOT}/color/camera_info': CameraInfo,
    f'{ROOT}/depth/image_rect_raw': Image,
    f'{ROOT}/depth/camera_info': CameraInfo,
    f'{ROOT}/aligned_depth_to_color/image_raw': Image,
    f'{ROOT}/aligned_depth_to_color/camera_info': CameraInfo,
}


class Viewer:
    """Collects what the camera publishes and says of itself."""

    def __init__(self, ros, *, images=True):
        self.ros, self.node = ros, ros.node('viewer')
        self.seen = {topic: [] for topic in TOPICS}
        self.frames, self.statuses = [], []
        self._subscribe(TFMessage, '/tf_static', self.frames.append, LATCHED)
        self._subscribe(DiagnosticArray, '/diagnostics', self._on_status, 100)
        if images:
            self.look()

    def _subscribe(self, kind, topic, take, qos):
        self.node.create_subscription(kind, topic, take, qos)

    def look(self):
        for topic, kind in TOPICS.items():
            self._subscribe(kind, topic, self.seen[topic].append, qos_profile_sensor_data)

    def _on_status(self, message):
        self.statuses += [s for s in message.status if s.name == 'realsense: camera']

    def until_said(self, word, timeout_s=60):
        self.statuses.clear()
        said = self.ros.spin_until(lambda: any(word in s.message for s in self.statuses), timeout_s)
        assert said, [s.message for s in self.statuses[-3:]]
        status = next(s for s in self.statuses if word in s.message)
        return status.level, {v.key: v.value for v in status.values}

    def until_seen(self, images=3, streams=('color/image_raw', 'depth/image_rect_raw')):
        assert self.ros.spin_until(
            lambda: all(len(self.seen[f'{ROOT}/{s}']) >= images for s in streams), 40
        ), {topic: len(messages) for topic, messages in self.seen.items()}


@pytest.fixture
def plugged(tmp_path):
    file = tmp_path / 'plugged'
    file.touch()
    return file


@pytest.fixture
def start(node_process, plugged):
    """Start the node with a software camera; options of the camera, then parameters."""

    def start(options=None, **parameters):
        program = (PROGRAM, plugged, json.dumps(options or {}))
        return node_process('realsense', parameters, program=program)

    return start


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    return write_recording(tmp_path_factory.mktemp('recording') / 'wall.db3', images=30)


def test_topics_frames_and_qos_are_those_of_realsense2_camera(ros, start):
    viewer = Viewer(ros)
    start(align_depth=True)
    viewer.until_seen(streams=[topic.removeprefix(f'{ROOT}/') for topic in TOPICS])
    assert ros.spin_until(lambda: viewer.frames)
    color, color_info, depth, depth_info, aligned, aligned_info = (
        viewer.seen[topic][-1] for topic in TOPICS
    )
    assert [m.encoding for m in (color, depth, aligned)] == ['rgb8', '16UC1', '16UC1']
    assert color.header.frame_id == 'camera_color_optical_frame'
    assert depth.header.frame_id == depth_info.header.frame_id == 'camera_depth_optical_frame'
    # Aligned depth is in the pixels, and in the frame, of the color image.
    assert aligned.header.frame_id == aligned_info.header.frame_id == color.header.frame_id
    assert (color_info.width, color_info.height) == (WIDTH, HEIGHT)
    assert list(color_info.k) == [60.0, 0.0, 31.5, 0.0, 60.0, 23.5, 0.0, 0.0, 1.0]
    assert color_info.distortion_model == 'plumb_bob'
    assert list(color_info.d) == pytest.approx([0.1, 0.0, 0.0, 0.0, 0.0])
    assert (image_from_msg(depth) == 400).all() and 0 < (image_from_msg(aligned) == 400).mean() < 1
    for topic in TOPICS:
        (endpoint,) = viewer.node.get_publishers_info_by_topic(topic)
        assert endpoint.qos_profile.reliability == QoSReliabilityPolicy.RELIABLE
    (infos,) = viewer.node.get_publishers_info_by_topic(f'{ROOT}/color/camera_info')
    assert infos.qos_profile.durability == QoSDurabilityPolicy.VOLATILE
    frames = {t.child_frame_id: t for message in viewer.frames for t in message.transforms}
    assert set(frames) == {
        f'camera_{stream}_{kind}' for stream in ('depth', 'color')
        for kind in ('frame', 'optical_frame')
    }  # fmt: skip
    # In optical axes the color camera is to the right; in those of a body that is -y.
    place = frames['camera_color_frame'].transform.translation
    assert frames['camera_color_frame'].header.frame_id == 'camera_link'
    assert (place.x, place.y, place.z) == pytest.approx((0.0, -COLOR_PLACE[0], 0.0))
    turn = frames['camera_color_optical_frame'].transform.rotation
    # As a rotation and with the other sign alike.
    found = np.array((turn.x, turn.y, turn.z, turn.w)) * np.sign(turn.w)
    assert found == pytest.approx((-0.5, 0.5, -0.5, 0.5))


@pytest.mark.parametrize('own_clock', [True, False])
def test_stamps_are_of_now_by_either_clock_of_the_camera(ros, start, own_clock):
    viewer = Viewer(ros)
    start({'own_clock': own_clock})
    viewer.until_seen(10)
    images = viewer.seen[f'{ROOT}/depth/image_rect_raw']
    stamps = [stamp_to_ns(m.header.stamp) for m in images]
    assert (np.diff(stamps) > 0).all()
    assert 0 <= now_ns(viewer.node) - stamps[-1] < 5_000_000_000


def test_diagnostics_name_the_camera_its_rates_and_its_losses(ros, start):
    viewer = Viewer(ros)
    process = start({'skip': 4, 'usb': '2.1', 'unread': 0.95})
    viewer.until_seen(12)
    level, values = viewer.until_said('images lost')
    assert level == b'\1' and values['USB'] == '2.1'
    told = [s.message for s in viewer.statuses][-1]
    assert 'connected by USB 2.1' in told and '% of the depth image without a reading' in told
    assert (values['device'], values['serial number']) == ('Software D435', '0123')
    assert values['firmware'] == '5.16.0.1' and int(values['color lost']) >= 1
    assert values['depth profile'] == '64x48x15'
    assert float(values['depth without reading']) == pytest.approx(46 / 48, abs=0.01)
    assert process.stop(signal.SIGTERM) == 0
    assert 'Traceback' not in process.log


def test_a_camera_unplugged_is_an_error_and_one_plugged_in_again_is_seen(ros, start, plugged):
    viewer = Viewer(ros)
    process = start(reconnect_timeout=0.3)
    viewer.until_seen()
    plugged.unlink()
    level, _ = viewer.until_said('no RealSense camera found')
    assert level == b'\2'
    assert 'no color and no depth for' in process.log
    for messages in viewer.seen.values():
        messages.clear()
    plugged.touch()
    viewer.until_seen()
    level, values = viewer.until_said('')
    assert values['reconnects'] == '1' and 'again: ' in process.log


def test_a_profile_that_is_not_offered_is_an_error_that_lists_the_others(ros, start):
    viewer = Viewer(ros, images=False)
    process = start(color_profile='640x480x6')
    level, _ = viewer.until_said('color_profile 640x480x6: Software D435 0123 does not offer it')
    assert level == b'\2' and 'it offers 64x48x15, 64x48x30' in process.log
    assert process.stop() == 0


def test_no_camera_is_an_error_and_the_node_goes_on(ros, start, plugged):
    plugged.unlink()
    viewer = Viewer(ros, images=False)
    process = start(reconnect_timeout=0.2)
    level, _ = viewer.until_said('no RealSense camera found')
    assert level == b'\2'
    ros.spin_for(1.0)
    assert process.log.count('no RealSense camera found') == 1
    assert process.stop() == 0


def test_a_file_begins_when_somebody_looks_and_ends_with_the_reason(ros, node_process, recorded):
    viewer = Viewer(ros, images=False)
    process = node_process('realsense', {'file': recorded})
    level, _ = viewer.until_said('waiting for a subscriber')
    assert level == b'\1'
    viewer.look()
    level, values = viewer.until_said('end of the file')
    assert level == b'\0' and values['device'] == 'Software D435'
    depth = viewer.seen[f'{ROOT}/depth/image_rect_raw']
    assert 20 <= len(depth) <= 30
    age_s = (now_ns(viewer.node) - stamp_to_ns(depth[-1].header.stamp)) / 1e9
    assert 0.0 <= age_s < 20.0, 'stamped as recorded, not as played'
    assert process.stop() == 0 and f'end of {recorded}' in process.log


def test_a_looped_file_goes_on(ros, node_process, recorded):
    viewer = Viewer(ros)
    node_process('realsense', {'file': recorded, 'loop': True})
    viewer.until_seen(75)
    stamps = [stamp_to_ns(m.header.stamp) for m in viewer.seen[f'{ROOT}/color/image_raw']]
    assert (np.diff(stamps) > 0).all()


@pytest.mark.parametrize('content', [b'no recording' * 99, None])
def test_a_file_that_is_none_leaves_the_node_unconfigured_with_the_reason(
    ros, node_process, tmp_path, content
):
    path = tmp_path / 'wall.bag'
    if content is not None:
        path.write_bytes(content)
    viewer = Viewer(ros, images=False)
    process = node_process('realsense', {'file': path})
    level, _ = viewer.until_said('no such file' if content is None else 'not a recording')
    assert level == b'\2' and process.stop() == 0
    assert process.log.count(str(path)) == 1 and 'Traceback' not in process.log


def test_near_wall_sees_by_the_node_and_its_jpegs(ros, start, node_process, tmp_path):
    said, packed = [], []
    node = ros.node()
    node.create_subscription(NearWall, 'near_wall', said.append, 100)
    topic = f'{ROOT}/color/image_raw/compressed'
    node.create_subscription(CompressedImage, topic, packed.append, qos_profile_sensor_data)
    start(enable_depth=False)
    node_process(
        'near_wall',
        {
            'modality': 'vision',
            'vision_model': write_model(tmp_path / 'vision.onnx'),
            'threads': 1,
            'max_age_s': 10.0,
        },
    )
    assert ros.spin_until(lambda: any(m.valid for m in said), 60), [m.reason for m in said[-3:]]
    valid = next(m for m in said if m.valid)
    assert valid.probability == pytest.approx(100 / 255, abs=0.15)
    assert valid.header.frame_id == 'camera_color_optical_frame'
    assert ros.spin_until(lambda: packed, 30), 'no compressed image'
    assert packed[-1].format == 'rgb8; jpeg compressed bgr8'
    assert picture_of(packed[-1]).pixels.shape == (HEIGHT, WIDTH, 3)


def test_a_bag_recorded_from_the_node_is_labeled(ros, start, tmp_path):
    from bag_recording import DEPTH, Recording, standing, TYPES

    from quiet_nav.recordings.labeled_set import Assigned, LabeledSet
    from quiet_nav.recordings.labeling import LabelSettings

    viewer = Viewer(ros)
    start({'depth_m': 0.35, 'unread': 0.2})
    viewer.until_seen(60)
    images = viewer.seen[f'{ROOT}/depth/image_rect_raw']
    first_ns, last_ns = (stamp_to_ns(images[i].header.stamp) for i in (0, -1))
    seconds = (last_ns - first_ns) / 1e9
    bag = Recording(first_ns / 1e9).info(channels=1).sound(seconds, channels=1)
    bag.odometry(standing, seconds)
    for message in images:
        stored = bag.store.deserialize_cdr(serialize_message(message), TYPES[DEPTH])
        bag.messages.append((stamp_to_ns(message.header.stamp), DEPTH, stored))
    item = Assigned(bag.write(tmp_path / 'drive'), 'hall', 'train')
    found, _ = LabeledSet(tmp_path / 'labeled').add(item, LabelSettings())
    (place,) = found.places
    assert place.distance_m == pytest.approx(0.35)
