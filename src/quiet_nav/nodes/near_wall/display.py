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

"""What the node `near_wall` shows beside its readings: markers, ranges for Nav2, camera overlay."""

from __future__ import annotations

from collections.abc import Sequence
import threading
import time

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data, QoSDurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image, Range
from std_msgs.msg import ColorRGBA
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.nodes.base import log_of
from quiet_nav.nodes.camera_messages import image_to_msg, make_bridge
from quiet_nav.nodes.conversions import pose_to_msg, transform_to_msg
from quiet_nav.nodes.image_input import IMAGE_TOPIC, picture_of, subscribe_images
from quiet_nav.nodes.runtime import now_ns, ns_to_stamp
from quiet_nav.perception.display.display import (
    CLEAR_RANGE_M,
    NEAR_PROBABILITY,
    RANGE_FIELD_OF_VIEW_RAD,
    range_m,
)
from quiet_nav.perception.display.markers import ReadingMarkers, ShownMarker
from quiet_nav.perception.display.overlay import ProbabilityStrip
from quiet_nav.perception.messages import checked_ns
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import CAMERA_RIG, Ear, Rig
from quiet_nav.perception.transforms import Transform

#: The overlay asks so often whether anybody looks.
LOOK_EVERY_S = 0.5
#: Without an image for so long the strips are shown alone.
BLIND_AFTER_S = 1.0
_LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


def ear_frame(base_frame: str, ear: Ear) -> str:
    """Return the frame beside the base's whose x axis looks from an ear to its side."""
    return _beside(base_frame, f'microphone_{ear.channel}')


def camera_frame(base_frame: str, side: Side) -> str:
    """Return the frame whose x axis is the camera's axis; an optical frame has its z there."""
    return _beside(base_frame, f'near_wall_camera_{side.name.lower()}')


def _beside(base_frame: str, name: str) -> str:
    prefix, slash, _ = base_frame.rpartition('/')
    return f'{prefix}{slash}{name}'


def marker_to_msg(shown: ShownMarker, frame_id: str) -> Marker:
    """Return the message of a marker."""
    kind = Marker.TRIANGLE_LIST if shown.triangles else Marker.TEXT_VIEW_FACING
    marker = Marker(ns=shown.namespace, id=shown.number, type=kind, action=Marker.ADD)
    marker.header.frame_id = frame_id
    marker.header.stamp = ns_to_stamp(shown.time_ns)
    marker.pose = pose_to_msg(shown.place, shown.z)
    if shown.triangles:
        marker.scale.x = marker.scale.y = 1.0
    marker.scale.z = shown.text_m or 1.0
    r, g, b = shown.color
    marker.color = ColorRGBA(r=r, g=g, b=b, a=shown.alpha)
    marker.points = [Point(x=x, y=y) for x, y in shown.triangles]
    marker.colors = [marker.color] * len(shown.triangles)
    marker.text = shown.text
    marker.frame_locked = shown.frame_locked
    marker.lifetime = _duration(shown.lifetime_s)
    return marker


class NearWallDisplay:
    """
    Publishes `near_wall/markers`, `near_wall/range`, `near_wall/image` and the ears' frames.

    Made where a node becomes active and destroyed where it ends; ``show`` may be called from
    another thread. Nothing is kept but the newest readings of every side and one strip of the last
    probabilities. Stamps are the ends of the windows. sees: there are readings of a camera, too.
    image_topic, compressed: where the images for the overlay come from.
    """

    def __init__(
        self,
        node: Node,
        rig: Rig,
        base_frame: str = 'base_link',
        near_probability: float = NEAR_PROBABILITY,
        sees: bool = False,
        image_topic: str = IMAGE_TOPIC,
        compressed: bool = False,
    ) -> None:
        self._source = (image_topic, compressed)
        self._node, self._base_frame, self._threshold = node, base_frame, near_probability
        self._strip = ProbabilityStrip(threshold=near_probability)
        self._lock = threading.Lock()
        self._log = log_of(node)
        self._shown = ReadingMarkers(rig)
        self._bridge = None
        self._images = self._distances = None
        self._imaged_s = 0.0
        # The base class's publishers: a lifecycle node's own ones would need managing beside.
        make = node.create_publisher
        self._markers = make(MarkerArray, 'near_wall/markers', 10)
        self._range = make(Range, 'near_wall/range', 10)
        self._ranges = {
            side: make(Range, f'near_wall/range/{side.name.lower()}', 10)
            for side in (Side if sees else {ear.side for ear in rig.ears})
        }
        self._image = make(Image, 'near_wall/image', 1)
        self._frames = make(TFMessage, '/tf_static', _LATCHED)
        (eye,) = CAMERA_RIG.ears
        self._cameras = {
            side: Transform.of_pose(Pose2D(eye.x, eye.y, side.yaw_rad), eye.z)
            for side in (Side if sees else ())
        }
        # A rig of a camera alone has no microphone.
        self._ears = () if rig is CAMERA_RIG else rig.ears
        self._publish_frames()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(LOOK_EVERY_S, self._look, clock=steady)

    def destroy(self) -> None:
        """Take everything back from the node."""
        node = self._node
        node.destroy_timer(self._timer)
        for taken in (self._images, self._distances):
            if taken is not None:
                node.destroy_subscription(taken)
        published = (self._markers, self._range, self._image, self._frames)
        for publisher in (*published, *self._ranges.values()):
            node.destroy_publisher(publisher)

    def show(
        self,
        readings: Sequence[NearWallReading],
        still: bool | None = None,
        camera: Transform | None = None,
    ) -> None:
        """
        Show the newest readings, one a side; ``still``: whether the robot stood meanwhile.

        camera: where it is in the base and, as x, its optical axis; None: as the last time, at
        first where a camera usually is.
        """
        shown: list[ShownMarker] = []
        if camera is not None:
            self._place(camera)
        for reading in readings:
            with self._lock:
                self._strip.add(reading)
            shown += self._shown.live(reading) + self._shown.left_behind(reading, still)
            self._publish_range(reading, self._shown.ear_of(reading), still)
        self._show_blind(readings)
        if shown:
            markers = [marker_to_msg(item, self._base_frame) for item in shown]
            self._markers.publish(MarkerArray(markers=markers))

    # Ranges

    def _publish_range(self, reading: NearWallReading, ear: Ear, still: bool | None) -> None:
        meters = range_m(reading, still, self._threshold)
        if meters is None:
            return
        message = Range(
            radiation_type=Range.ULTRASOUND,
            field_of_view=RANGE_FIELD_OF_VIEW_RAD,
            min_range=0.0,
            max_range=CLEAR_RANGE_M,
            range=meters,
        )
        message.header.frame_id = (
            camera_frame(self._base_frame, reading.side)
            if reading.modality == Modality.VISION
            else ear_frame(self._base_frame, ear)
        )
        message.header.stamp = ns_to_stamp(reading.end_ns)
        self._range.publish(message)
        if reading.side in self._ranges:
            self._ranges[reading.side].publish(message)

    def _place(self, camera: Transform) -> None:
        """Say where the camera is; a side that it does not look to keeps what was said."""
        side = Side.nearest(camera.pose.yaw)
        if self._cameras.get(side) == camera:
            return
        self._cameras[side] = camera
        self._publish_frames()
        self._shown.put(Ear(0, camera.x, camera.y, camera.z, side))

    def _publish_frames(self) -> None:
        base, message = self._base_frame, TFMessage()
        placed = [
            (ear_frame(base, ear), Pose2D(ear.x, ear.y, ear.side.yaw_rad), ear.z)
            for ear in self._ears
        ]
        placed += [
            (camera_frame(base, side), camera.pose, camera.z)
            for side, camera in self._cameras.items()
        ]
        for name, pose, z in placed:
            frame = transform_to_msg(pose, now_ns(self._node), base, name)
            frame.transform.translation.z = z
            message.transforms.append(frame)
        self._frames.publish(message)

    # Camera

    def _look(self) -> None:
        """Take images only while somebody looks at the overlay: they are most of the traffic."""
        wanted = self._image.get_subscription_count() > 0
        if wanted and self._images is None:
            self._bridge = make_bridge()
            self._imaged_s = time.monotonic()
            self._images = subscribe_images(self._node, self._on_image, *self._source)
            self._distances = self._node.create_subscription(
                Range, 'wall_distance', self._on_distance, qos_profile_sensor_data
            )
        elif not wanted and self._images is not None:
            self._node.destroy_subscription(self._images)
            self._node.destroy_subscription(self._distances)
            self._images = self._distances = self._bridge = None

    def _show_blind(self, readings: Sequence[NearWallReading]) -> None:
        """Where somebody looks and no camera is there, show the strips alone."""
        if not readings or self._images is None:
            return
        if time.monotonic() - self._imaged_s < BLIND_AFTER_S:
            return
        with self._lock:
            drawn = self._strip.alone()
        stamp = ns_to_stamp(max(reading.end_ns for reading in readings))
        self._image.publish(image_to_msg(drawn, 'rgb8', stamp, self._base_frame))

    def _on_distance(self, message: Range) -> None:
        with self._lock:
            self._strip.saw(message.range, checked_ns(message.header.stamp, 'wall_distance'))

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._imaged_s = time.monotonic()
        if self._bridge is None:
            return
        picture = picture_of(message)
        if picture.pixels is None:
            self._log.error(f'image cannot be shown: {picture.fault}', cause='image not shown')
            return
        with self._lock:
            drawn = self._strip.draw(picture.pixels)
        header = message.header
        self._image.publish(image_to_msg(drawn, 'rgb8', header.stamp, header.frame_id))


def _duration(seconds: float) -> Duration:
    stamp = ns_to_stamp(round(seconds * 1e9))
    return Duration(sec=stamp.sec, nanosec=stamp.nanosec)
