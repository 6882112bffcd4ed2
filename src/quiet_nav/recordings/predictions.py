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

"""Readings as a bag that opens beside the one they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import heapq
import math
from pathlib import Path
from typing import Any, TYPE_CHECKING

import numpy as np

from quiet_nav.perception.display.markers import ReadingMarkers, ShownMarker
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.recordings.replay import Replayed

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

NEAR_WALL = '/replay/near_wall'
MARKERS = '/replay/near_wall/markers'
DISTANCE = '/replay/wall_distance'
_NEAR_WALL_TYPE, _RANGE_TYPE = 'quiet_nav/msg/NearWall', 'sensor_msgs/msg/Range'
_MARKERS_TYPE, _MARKER_TYPE = 'visualization_msgs/msg/MarkerArray', 'visualization_msgs/msg/Marker'
_TEXT, _TRIANGLES = 9, 11
_FRAME, _CAMERA_FRAME = 'base_link', 'camera_depth_optical_frame'
_INFRARED = 1
_NOTHING = np.zeros(0, np.uint8)
#: Time (ns), topic and data of a message.
_Item = tuple[int, str, bytes]


def write_predictions(path: str | Path, found: Replayed) -> int:
    """
    Write readings and the depth camera's distances as an mcap bag; return how many messages.

    Readings come as messages, and as fans with their numbers, which RViz and Foxglove draw at the
    robot of the original.

    They go under /replay, so that a recorded near_wall can be looked at beside them, at the times
    of the original's sound. The same replay gives the same bytes. Raises QuietNavError where the
    folder is there already.
    """
    store = bag_typestore()
    markers = ReadingMarkers(found.rig)

    def heard() -> Iterator[_Item]:
        for time_ns, decision in found.decisions:
            for reading in (*decision.revised, *decision.readings):
                message = near_wall_message(store, reading, _FRAME, found.rig.identity)
                yield time_ns, NEAR_WALL, bytes(store.serialize_cdr(message, _NEAR_WALL_TYPE))
            shown = [marker for reading in decision.readings for marker in markers.live(reading)]
            yield time_ns, MARKERS, _markers(store, shown)

    def seen() -> Iterator[_Item]:
        for time_ns, meters in zip(found.depth.times_ns, found.depth.distances_m, strict=True):
            message = _range(store, int(time_ns), float(meters))
            yield int(time_ns), DISTANCE, bytes(store.serialize_cdr(message, _RANGE_TYPE))

    topics = [BagTopic(NEAR_WALL, _NEAR_WALL_TYPE), BagTopic(MARKERS, _MARKERS_TYPE)]
    if len(found.depth.times_ns):
        topics.append(BagTopic(DISTANCE, _RANGE_TYPE))
    # Hours of messages do not fit into memory: they are made one by one, in order.
    with BagWriter(path, topics) as bag:
        for time_ns, topic, data in heapq.merge(heard(), seen(), key=lambda item: item[0]):
            bag.write(topic, time_ns, data)
        return bag.count


def near_wall_message(
    store: Typestore, reading: NearWallReading, frame_id: str, rig: str = ''
) -> Any:
    """
    Return a reading as quiet_nav/msg/NearWall of a rosbags type store.

    rig: ``Rig.identity`` of the ears, '' for none.
    """
    bins = reading.distance_probabilities
    return store.types[_NEAR_WALL_TYPE](
        header=_header(store, reading.end_ns, frame_id),
        window_start=_time(store, reading.start_ns),
        side=int(reading.side),
        probability=float(reading.probability),
        spread=float(reading.spread),
        clips=int(reading.clips),
        context=int(reading.context),
        modality=int(reading.modality),
        distance_edges=np.array(reading.bins.edges_m if bins else (), np.float64),
        distance_prior=np.array(reading.bins.prior if bins else (), np.float64),
        distance_probabilities=np.array(bins, np.float64),
        rig=rig,
        hears_by=str(reading.hears_by),
        valid=bool(reading.valid),
        reason=reading.reason,
    )


def _markers(store: Typestore, shown: Sequence[ShownMarker]) -> bytes:
    messages = [_marker(store, item) for item in shown]
    return bytes(store.serialize_cdr(store.types[_MARKERS_TYPE](markers=messages), _MARKERS_TYPE))


def _marker(store: Typestore, shown: ShownMarker) -> Any:
    def make(name: str, **values: Any) -> Any:
        return store.types[name](**values)

    point, header = 'geometry_msgs/msg/Point', _header(store, shown.time_ns, _FRAME)
    r, g, b = shown.color
    half = shown.place.yaw / 2.0
    wide = 1.0 if shown.triangles else 0.0
    return make(
        _MARKER_TYPE,
        header=header,
        ns=shown.namespace,
        id=shown.number,
        type=_TRIANGLES if shown.triangles else _TEXT,
        action=0,
        pose=make(
            'geometry_msgs/msg/Pose',
            position=make(point, x=shown.place.x, y=shown.place.y, z=shown.z),
            orientation=make(
                'geometry_msgs/msg/Quaternion', x=0.0, y=0.0, z=math.sin(half), w=math.cos(half)
            ),
        ),
        scale=make('geometry_msgs/msg/Vector3', x=wide, y=wide, z=shown.text_m or 1.0),
        color=make('std_msgs/msg/ColorRGBA', r=r, g=g, b=b, a=shown.alpha),
        lifetime=make('builtin_interfaces/msg/Duration', sec=int(shown.lifetime_s), nanosec=0),
        frame_locked=shown.frame_locked,
        points=[make(point, x=x, y=y, z=0.0) for x, y in shown.triangles],
        colors=[],
        texture_resource='',
        texture=make('sensor_msgs/msg/CompressedImage', header=header, format='', data=_NOTHING),
        uv_coordinates=[],
        text=shown.text,
        mesh_resource='',
        mesh_file=make('visualization_msgs/msg/MeshFile', filename='', data=_NOTHING),
        mesh_use_embedded_materials=False,
    )


def _range(store: Typestore, time_ns: int, meters: float) -> Any:
    return store.types[_RANGE_TYPE](
        header=_header(store, time_ns, _CAMERA_FRAME),
        radiation_type=_INFRARED,
        field_of_view=2.0 * math.atan2(160.0, 640.0),
        min_range=0.0,
        max_range=10.0,
        range=meters,
        variance=0.0,
    )


def _header(store: Typestore, time_ns: int, frame_id: str) -> Any:
    return store.types['std_msgs/msg/Header'](stamp=_time(store, time_ns), frame_id=frame_id)


def _time(store: Typestore, time_ns: int) -> Any:
    sec, nanosec = divmod(time_ns, 1_000_000_000)
    return store.types['builtin_interfaces/msg/Time'](sec=sec, nanosec=nanosec)
