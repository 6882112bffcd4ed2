"""Messages to and from the project's own types; nothing else knows the messages' fields."""

from __future__ import annotations

import math

from geometry_msgs.msg import Pose, Quaternion, TransformStamped

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side, yaw_of_quaternion
from quiet_nav.msg import NearWall
from quiet_nav.nodes.runtime import ns_to_stamp, stamp_to_ns
from quiet_nav.perception.readings import (
    DISTANCE_EDGES_M,
    Context,
    Modality,
    NearWallReading,
)


def reading_to_msg(reading: NearWallReading, frame_id: str) -> NearWall:
    """Return the message of a reading; ``frame_id`` is the microphone's or camera's frame."""
    message = NearWall()
    message.header.stamp = ns_to_stamp(reading.end_ns)
    message.header.frame_id = frame_id
    message.window_start = ns_to_stamp(reading.start_ns)
    message.side = int(reading.side)
    message.probability = float(reading.probability)
    message.spread = float(reading.spread)
    message.clips = int(reading.clips)
    message.context = int(reading.context)
    message.modality = int(reading.modality)
    if reading.distance_probabilities:
        message.distance_edges = list(DISTANCE_EDGES_M)
        message.distance_probabilities = [float(p) for p in reading.distance_probabilities]
    message.valid = bool(reading.valid)
    message.reason = reading.reason
    return message


def reading_from_msg(message: NearWall) -> NearWallReading:
    """Return the reading of a message.

    Raises QuietNavError where side, modality or distance bins are not ones that we know, or a
    valid reading has no probability between 0 and 1.
    """
    edges = tuple(message.distance_edges)
    if message.distance_probabilities and edges != DISTANCE_EDGES_M:
        raise QuietNavError(
            f'NearWall: distance edges {list(edges)}, expected {list(DISTANCE_EDGES_M)}: '
            'publisher and reader are of different versions'
        )
    if message.valid and not 0.0 <= message.probability <= 1.0:
        raise QuietNavError(
            f'NearWall: marked valid with probability {message.probability}, expected 0 to 1'
        )
    try:
        side, modality = Side(message.side), Modality(message.modality)
    except ValueError as error:
        raise QuietNavError(f'NearWall: {error}') from error
    return NearWallReading(
        side=side,
        probability=message.probability,
        start_ns=stamp_to_ns(message.window_start),
        end_ns=stamp_to_ns(message.header.stamp),
        spread=message.spread,
        clips=message.clips,
        context=Context(message.context),
        distance_probabilities=tuple(message.distance_probabilities),
        modality=modality,
        valid=message.valid,
        reason=message.reason,
    )


def quaternion_from_yaw(yaw_rad: float) -> Quaternion:
    """Return the rotation about z by a yaw, counter-clockwise."""
    return Quaternion(z=math.sin(yaw_rad / 2.0), w=math.cos(yaw_rad / 2.0))


def yaw_from_quaternion(q: Quaternion) -> float:
    """Return the yaw of a rotation in radians, -pi to pi; roll and pitch are dropped."""
    return yaw_of_quaternion(q.x, q.y, q.z, q.w)


def pose_to_msg(pose: Pose2D, z: float = 0.0) -> Pose:
    """Return a plane pose, at a height in metres, as a message."""
    message = Pose(orientation=quaternion_from_yaw(pose.yaw))
    message.position.x, message.position.y, message.position.z = pose.x, pose.y, z
    return message


def pose_from_msg(message: Pose) -> Pose2D:
    """Return the part of a pose in the plane."""
    return Pose2D(message.position.x, message.position.y, yaw_from_quaternion(message.orientation))


def transform_to_msg(
    pose: Pose2D, time_ns: int, frame_id: str, child_frame_id: str
) -> TransformStamped:
    """Return the transform that places ``child_frame_id`` at ``pose`` in ``frame_id``."""
    message = TransformStamped(child_frame_id=child_frame_id)
    message.header.stamp = ns_to_stamp(time_ns)
    message.header.frame_id = frame_id
    message.transform.translation.x = pose.x
    message.transform.translation.y = pose.y
    message.transform.rotation = quaternion_from_yaw(pose.yaw)
    return message
