"""Readings as a bag that opens beside the one they were made from."""

from __future__ import annotations

import math
from pathlib import Path

from quiet_nav.perception.readings import DISTANCE_EDGES_M, NearWallReading
from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.recordings.replay import Replayed

NEAR_WALL = '/replay/near_wall'
DISTANCE = '/replay/wall_distance'
_NEAR_WALL_TYPE, _RANGE_TYPE = 'quiet_nav/msg/NearWall', 'sensor_msgs/msg/Range'
_FRAME, _CAMERA_FRAME = 'base_link', 'camera_depth_optical_frame'
_INFRARED = 1


def write_predictions(path: str | Path, found: Replayed) -> int:
    """Write readings and the depth camera's distances as an mcap bag; return how many messages.

    They go under /replay, so that a recorded near_wall can be looked at beside them, at the times
    of the original's sound. The same replay gives the same bytes. Raises QuietNavError where the
    folder is there already.
    """
    store = bag_typestore()
    items: list[tuple[int, str, bytes]] = []
    for time_ns, decision in found.decisions:
        for reading in (*decision.revised, *decision.readings):
            message = near_wall_message(store, reading, _FRAME)
            data = bytes(store.serialize_cdr(message, _NEAR_WALL_TYPE))
            items.append((time_ns, NEAR_WALL, data))
    for time_ns, metres in zip(found.depth.times_ns, found.depth.distances_m, strict=True):
        message = _range(store, int(time_ns), float(metres))
        items.append((int(time_ns), DISTANCE, bytes(store.serialize_cdr(message, _RANGE_TYPE))))
    topics = [BagTopic(NEAR_WALL, _NEAR_WALL_TYPE)]
    if len(found.depth.times_ns):
        topics.append(BagTopic(DISTANCE, _RANGE_TYPE))
    with BagWriter(path, topics) as bag:
        for time_ns, topic, data in sorted(items, key=lambda item: item[:2]):
            bag.write(topic, time_ns, data)
    return len(items)


def near_wall_message(store: object, reading: NearWallReading, frame_id: str) -> object:
    """Return a reading as quiet_nav/msg/NearWall of a rosbags type store."""
    import numpy as np

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
        distance_edges=np.array(DISTANCE_EDGES_M if bins else (), np.float64),
        distance_probabilities=np.array(bins, np.float64),
        valid=bool(reading.valid),
        reason=reading.reason,
    )


def _range(store: object, time_ns: int, metres: float) -> object:
    return store.types[_RANGE_TYPE](
        header=_header(store, time_ns, _CAMERA_FRAME),
        radiation_type=_INFRARED,
        field_of_view=2.0 * math.atan2(160.0, 640.0),
        min_range=0.0,
        max_range=10.0,
        range=metres,
        variance=0.0,
    )


def _header(store: object, time_ns: int, frame_id: str) -> object:
    return store.types['std_msgs/msg/Header'](stamp=_time(store, time_ns), frame_id=frame_id)


def _time(store: object, time_ns: int) -> object:
    sec, nanosec = divmod(time_ns, 1_000_000_000)
    return store.types['builtin_interfaces/msg/Time'](sec=sec, nanosec=nanosec)
