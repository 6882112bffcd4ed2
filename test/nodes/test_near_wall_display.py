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

"""What near_wall shows beside its readings, over DDS: markers, ranges, frames, camera overlay."""

import math

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')

from rclpy.qos import qos_profile_sensor_data, QoSDurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image, Range
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.nodes.camera_messages import image_to_msg
from quiet_nav.nodes.near_wall.display import IMAGE_TOPIC, NearWallDisplay
from quiet_nav.nodes.runtime import ns_to_stamp
from quiet_nav.perception.display.display import (
    colors,
    FAN_LIFETIME_S,
    TRACE_LENGTH,
    TRACE_SHEETS_S,
)
from quiet_nav.perception.display.overlay import NEAR_COLOR
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import CAMERA_RIG, find_rig
from quiet_nav.perception.transforms import Transform

pytestmark = pytest.mark.realtime

S = 1_000_000_000
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


def heard(side, p, end_ns=100 * S):
    return NearWallReading(side, p, end_ns - 3 * S, end_ns)


def deaf(side, end_ns=100 * S):
    return NearWallReading.invalid(side, end_ns - 3 * S, end_ns, 'clipped')


class Bench:
    """A node that shows readings and one that looks at them, in a namespace of their own."""

    def __init__(self, ros, space, rig='pair', base_frame='base_link'):
        self.ros = ros
        self.node = ros.node('shower', namespace=space)
        self.viewer = ros.node('viewer', namespace=space)
        self.arrays, self.ranges, self.left, self.images, self.frames = [], [], [], [], []
        for kind, topic, into in (
            (MarkerArray, 'near_wall/markers', self.arrays),
            (Range, 'near_wall/range', self.ranges),
            (Range, 'near_wall/range/left', self.left),
        ):
            self.viewer.create_subscription(kind, topic, into.append, 50)
        self.viewer.create_subscription(TFMessage, '/tf_static', self.frames.append, LATCHED)
        self.display = NearWallDisplay(self.node, find_rig(rig), base_frame)
        topics = ('near_wall/markers', 'near_wall/range', 'near_wall/range/left')
        assert ros.spin_until(lambda: all(self.node.count_subscribers(topic) for topic in topics))
        ros.spin_for(0.2)

    def show(self, *readings, still=True):
        """Show readings and return the markers that arrive by (namespace, id)."""
        before = len(self.arrays)
        self.display.show(readings, still)
        assert self.ros.spin_until(lambda: len(self.arrays) > before)
        return {(m.ns, m.id): m for m in self.arrays[-1].markers}


def test_fan_sits_at_the_ear_looks_to_its_side_and_says_the_probability(ros):
    bench = Bench(ros, 'fans', base_frame='robot/base_link')
    markers = bench.show(heard(Side.LEFT, 0.75), heard(Side.RIGHT, 0.1))
    fan = markers['near_wall', Side.LEFT]
    assert fan.type == Marker.TRIANGLE_LIST and fan.action == Marker.ADD
    assert fan.header.frame_id == 'robot/base_link'
    assert stamp_to_ns(fan.header.stamp) == 100 * S
    place = fan.pose.position
    assert (place.x, place.y, place.z) == pytest.approx((0.0, 0.15, 0.25))
    turn = 2.0 * math.atan2(fan.pose.orientation.z, fan.pose.orientation.w)
    assert turn == pytest.approx(math.pi / 2.0)
    assert max(math.hypot(p.x, p.y) for p in fan.points) == pytest.approx(0.4)
    color = [fan.colors[0].r, fan.colors[0].g, fan.colors[0].b]
    assert color == pytest.approx(list(colors(np.array(0.75))), abs=1e-6)
    assert len(fan.points) == len(fan.colors) and len(fan.points) % 3 == 0
    text = markers['probability', Side.LEFT]
    assert text.text == '0.75' and text.type == Marker.TEXT_VIEW_FACING
    assert text.pose.position.y > 0.15 + 0.4, 'beyond the end of the fan'
    assert markers['probability', Side.RIGHT].text == '0.10'
    assert markers['near_wall', Side.RIGHT].pose.position.y == pytest.approx(-0.15)


def test_old_markers_fade_and_expire(ros):
    bench = Bench(ros, 'expiry')
    markers = bench.show(heard(Side.LEFT, 0.75))
    sheets = [m for m in markers.values() if m.ns.startswith('trace/')]
    # What is left behind is sheets on each other, of which one goes after the other.
    assert [stamp_to_ns(m.lifetime) / 1e9 for m in sheets] == list(TRACE_SHEETS_S)
    assert len({m.pose.position.z for m in sheets}) == len(sheets)
    assert sorted(TRACE_SHEETS_S) == list(TRACE_SHEETS_S)
    for marker in markers.values():
        trace = marker in sheets
        if trace:
            assert 0.0 < marker.colors[0].a < 0.3
        else:
            assert stamp_to_ns(marker.lifetime) == FAN_LIFETIME_S * 1e9
        # Fans go with the robot; what it leaves behind stays in the fixed frame.
        assert marker.frame_locked == (not trace)
        assert marker.header.frame_id == 'base_link'
        assert stamp_to_ns(marker.header.stamp) == 100 * S


def test_invalid_reading_is_dimmed_says_why_and_leaves_nothing_behind(ros):
    bench = Bench(ros, 'dimmed')
    markers = bench.show(deaf(Side.LEFT))
    shown = ('outline', 'near_wall', 'plate', 'probability')
    assert set(markers) == {(name, Side.LEFT) for name in shown}
    assert markers['near_wall', Side.LEFT].colors[0].a < 0.5
    assert 'clipped' in markers['probability', Side.LEFT].text


def test_trace_has_a_fan_for_windows_that_share_no_sound_and_never_grows(ros):
    bench = Bench(ros, 'trace')
    ids = set()
    for i in range(7):
        markers = bench.show(heard(Side.LEFT, 0.5, (100 + i) * S))
        ids |= {key for key in markers if key[0] == 'trace/left'}
    # Windows of 3 s ending at 100 to 106 s: three that do not overlap.
    assert ids == {('trace/left', i) for i in range(3 * len(TRACE_SHEETS_S))}
    assert not [key for key in bench.show(heard(Side.LEFT, 0.5), still=False) if 'trace' in key[0]]

    collected = []
    bench.display._markers.publish = lambda array: collected.append(
        {(m.ns, m.id) for m in array.markers}
    )
    for i in range(1200):
        bench.display.show([heard(Side.LEFT, 0.5, (200 + 3 * i) * S)], True)
    assert len(collected) == 1200
    assert len(set().union(*collected)) == 4 + TRACE_LENGTH * len(TRACE_SHEETS_S)
    assert len(bench.display._shown._trace) == 1


def range_layer(message):
    """Return what Nav2's range_sensor_layer.cpp (jazzy) makes of a range where it may clear."""
    if message.min_range == message.max_range:
        # A ranger of fixed distance: an error is logged for anything but an infinity.
        return 'clears' if message.range == math.inf else 'marks' if (
            message.range == -math.inf
        ) else 'error'  # fmt: skip
    if not message.min_range <= message.range <= message.max_range:
        return 'ignored'
    return 'clears' if message.range >= message.max_range else 'marks'


def test_range_says_half_a_meter_or_clear_in_the_frame_of_its_ear(ros):
    bench = Bench(ros, 'ranges', rig='trio', base_frame='robot/base_link')
    bench.display.show([heard(Side.LEFT, 0.9), heard(Side.FRONT, 0.2)], True)
    assert ros.spin_until(lambda: len(bench.ranges) == 2 and len(bench.left) == 1)
    left, front = bench.ranges
    assert (left.range, front.range) == (0.5, 1.0)
    assert left.header.frame_id == 'robot/microphone_0'
    assert front.header.frame_id == 'robot/microphone_2'
    assert bench.left[0] == left
    for message in bench.ranges:
        assert message.min_range < message.range <= message.max_range == 1.0
        assert math.isfinite(message.range) and 0.0 < message.field_of_view < 1.0
        assert stamp_to_ns(message.header.stamp) == 100 * S
        # Which waves is said for people alone; no reader of Nav2 asks.
        assert message.radiation_type == Range.ULTRASOUND and message.min_range == 0.0
    assert [range_layer(message) for message in bench.ranges] == ['marks', 'clears']
    [frames] = [m for m in bench.frames if m.transforms[0].header.frame_id == 'robot/base_link']
    by_name = {t.child_frame_id: t.transform for t in frames.transforms}
    # canTransform of the layer: every header names a frame that is placed.
    assert {message.header.frame_id for message in bench.ranges} <= set(by_name)
    rotation = by_name['robot/microphone_0'].rotation
    # The x axis of an ear's frame, along which Nav2 reads a range, points to its side.
    assert 2.0 * math.atan2(rotation.z, rotation.w) == pytest.approx(math.pi / 2.0)
    place = by_name['robot/microphone_0'].translation
    assert (place.x, place.y, place.z) == pytest.approx((0.0, 0.15, 0.25))


def test_range_is_silent_while_nothing_valid_is_known(ros):
    bench = Bench(ros, 'silence')
    bench.show(deaf(Side.LEFT))
    bench.show(heard(Side.LEFT, 0.9), still=False)
    ros.spin_for(0.3)
    assert not bench.ranges
    bench.show(heard(Side.LEFT, 0.9), still=None)
    assert ros.spin_until(lambda: len(bench.ranges) == 1)


def test_overlay_is_drawn_only_while_somebody_looks(ros):
    pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    bench = Bench(ros, 'overlay')
    camera = bench.viewer.create_publisher(Image, IMAGE_TOPIC, 1)
    picture = np.full((120, 160, 3), 77, np.uint8)
    bench.show(heard(Side.LEFT, 0.9))
    ros.spin_for(1.0)
    assert camera.get_subscription_count() == 0

    look = bench.viewer.create_subscription(
        Image, 'near_wall/image', bench.images.append, qos_profile_sensor_data
    )

    def pictured():
        # bgr8 comes from some cameras: the overlay is rgb8 whatever comes.
        camera.publish(image_to_msg(picture, 'bgr8', ns_to_stamp(42 * S), 'optical'))
        return bench.images

    assert ros.spin_until(pictured, 15.0)
    overlay = bench.images[-1]
    assert (overlay.encoding, overlay.width, overlay.height) == ('rgb8', 160, 120)
    assert overlay.header.frame_id == 'optical'
    assert stamp_to_ns(overlay.header.stamp) == 42 * S
    pixels = np.frombuffer(overlay.data, np.uint8).reshape(120, 160, 3)
    assert (pixels[0] == NEAR_COLOR).all()
    assert (pixels[40, 40] == 77).all()

    bench.viewer.destroy_subscription(look)
    assert ros.spin_until(lambda: camera.get_subscription_count() == 0, 15.0)


def test_without_a_camera_the_strips_alone_are_shown(ros):
    pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    bench = Bench(ros, 'blind')
    bench.viewer.create_subscription(Image, 'near_wall/image', bench.images.append, 1)

    def pictured():
        bench.show(heard(Side.LEFT, 0.2))
        return bench.images

    assert ros.spin_until(pictured, 15.0)
    image = bench.images[-1]
    assert (image.encoding, image.width, image.height) == ('rgb8', 640, 80)


def test_overlay_is_of_the_topic_that_is_named_compressed_too(ros):
    cv2 = pytest.importorskip('cv2')
    pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    viewer, images = ros.node('lookout_viewer', namespace='lookout'), []
    display = NearWallDisplay(
        ros.node('lookout', namespace='lookout'), CAMERA_RIG, image_topic='eye', compressed=True
    )
    viewer.create_subscription(Image, 'near_wall/image', images.append, 1)
    camera = viewer.create_publisher(CompressedImage, 'eye/compressed', 1)
    data = cv2.imencode('.png', np.full((32, 48, 3), 77, np.uint8))[1].tobytes()

    def pictured():
        camera.publish(CompressedImage(format='png', data=data))
        return images

    assert ros.spin_until(pictured, 15.0)
    assert (images[0].encoding, images[0].width, images[0].height) == ('rgb8', 48, 32)
    display.destroy()


def test_image_that_cannot_be_shown_does_not_end_the_node(ros):
    pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
    bench = Bench(ros, 'odd')
    bench.viewer.create_subscription(Image, 'near_wall/image', bench.images.append, 1)
    camera = bench.viewer.create_publisher(Image, IMAGE_TOPIC, 1)
    assert ros.spin_until(lambda: camera.get_subscription_count() == 1, 15.0)
    camera.publish(Image(height=2, width=2, encoding='nonsense', step=2, data=b'1234'))
    ros.spin_for(0.5)
    good = image_to_msg(np.zeros((32, 32, 3), np.uint8), 'rgb8', ns_to_stamp(S), 'optical')

    def pictured():
        camera.publish(good)
        return bench.images

    assert ros.spin_until(pictured)


def test_what_a_camera_sees_is_in_a_frame_that_looks_there(ros):
    display = NearWallDisplay(node := ros.node('eyes', namespace='eyes'), CAMERA_RIG, sees=True)
    viewer, ranges, frames = ros.node('eyes_viewer', namespace='eyes'), [], []
    viewer.create_subscription(Range, 'near_wall/range/front', ranges.append, 10)
    viewer.create_subscription(TFMessage, '/tf_static', frames.append, LATCHED)
    assert ros.spin_until(lambda: node.count_subscribers('near_wall/range/front') == 1)
    seen = NearWallReading(Side.FRONT, 0.9, S, S, modality=Modality.VISION)
    display.show([seen], still=True)

    def own():
        return [m for m in frames if m.transforms[0].child_frame_id.startswith('near_wall_camera')]

    assert ros.spin_until(lambda: ranges and own())
    assert ranges[0].header.frame_id == 'near_wall_camera_front'
    placed = {t.child_frame_id: t.transform for t in own()[0].transforms}
    assert len(placed) == len(Side) and placed['near_wall_camera_front'].rotation.w == 1.0
    assert placed['near_wall_camera_left'].rotation.z == pytest.approx(math.sqrt(0.5))
    # A camera that tf knows is shown where it is, along its axis; the other sides keep theirs.
    mount = Transform.of_pose(Pose2D(-0.05, 0.02, 0.3), 0.45)
    display.show([seen], still=True, camera=mount)
    assert ros.spin_until(lambda: len(own()) == 2)
    now = {t.child_frame_id: t.transform for t in own()[1].transforms}
    at, turn = now['near_wall_camera_front'].translation, now['near_wall_camera_front'].rotation
    assert (at.x, at.y, at.z) == (-0.05, 0.02, 0.45)
    assert turn.z == pytest.approx(math.sin(0.15))
    assert now['near_wall_camera_left'] == placed['near_wall_camera_left']
    display.show([seen], still=True, camera=mount)
    ros.spin_for(0.3)
    assert len(own()) == 2, 'frames that stay are said once'


def test_everything_is_given_back(ros):
    bench = Bench(ros, 'end')
    assert bench.node.count_publishers('near_wall/markers') == 1
    bench.display.destroy()
    for topic in ('near_wall/markers', 'near_wall/range', 'near_wall/range/left'):
        assert ros.spin_until(lambda topic=topic: bench.node.count_publishers(topic) == 0)


def test_near_wall_node_shows_what_it_says(ros, node_process, context_model):
    process = node_process('near_wall', {'model': context_model, 'threads': 1, 'rig': 'trio'})
    viewer, arrays, ranges = ros.node('viewer'), [], []
    viewer.create_subscription(MarkerArray, 'near_wall/markers', arrays.append, 10)
    viewer.create_subscription(Range, 'near_wall/range', ranges.append, 10)
    # Without a microphone it says so, of each ear.
    assert ros.spin_until(lambda: arrays, 90.0), process.log
    labels = {m.id: m.text for m in arrays[-1].markers if m.ns == 'probability'}
    assert set(labels) == {Side.LEFT, Side.RIGHT, Side.FRONT}
    assert all('no audio received yet' in text for text in labels.values())
    assert not ranges
    assert process.stop() == 0
    assert 'Traceback' not in process.log
