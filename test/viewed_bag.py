"""A bag to be viewed: a robot that stands and hears a wall at its left."""

import math

import numpy as np

from quiet_nav.geometry import Side
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.recordings.bag_writer import BagTopic, BagWriter
from quiet_nav.recordings.predictions import near_wall_message

S = 1_000_000_000
BEGIN = 1000 * S
TYPES = {
    '/near_wall': 'quiet_nav/msg/NearWall',
    '/odom': 'nav_msgs/msg/Odometry',
    '/camera/camera/color/image_raw': 'sensor_msgs/msg/Image',
    '/wall_distance': 'sensor_msgs/msg/Range',
}


def heard(side, p, end_ns=BEGIN + 4 * S):
    # All of the distance in the third bin, 0.3 to 0.4 m.
    bins = tuple(float(i == 2) for i in range(STANDARD_BINS.count))
    return NearWallReading(side, p, end_ns - 3 * S, end_ns, distance_probabilities=bins)


def write_viewed_bag(path):
    """Write a robot at (1, 2), heading along y, that stands for 5 s and hears a wall left."""
    store = bag_typestore()
    t = store.types

    def header(time_ns, frame):
        stamp = t['builtin_interfaces/msg/Time'](*divmod(time_ns, S))
        return t['std_msgs/msg/Header'](stamp=stamp, frame_id=frame)

    def odometry(time_ns):
        xyz, zero = t['geometry_msgs/msg/Vector3'], np.zeros(36)
        half = math.sqrt(0.5)
        turned = t['geometry_msgs/msg/Quaternion'](0.0, 0.0, half, half)
        pose = t['geometry_msgs/msg/Pose'](t['geometry_msgs/msg/Point'](1.0, 2.0, 0.0), turned)
        twist = t['geometry_msgs/msg/Twist'](xyz(0.0, 0.0, 0.0), xyz(0.0, 0.0, 0.0))
        return t[TYPES['/odom']](
            header(time_ns, 'odom'),
            'base_link',
            t['geometry_msgs/msg/PoseWithCovariance'](pose, zero),
            t['geometry_msgs/msg/TwistWithCovariance'](twist, zero),
        )

    def image(time_ns):
        pixels = np.full(120 * 160 * 3, 77, np.uint8)
        return t['sensor_msgs/msg/Image'](
            header(time_ns, 'optical'), 120, 160, 'bgr8', 0, 160 * 3, pixels
        )

    distance = t['sensor_msgs/msg/Range'](header(BEGIN + S, 'camera'), 1, 0.5, 0.0, 10.0, 0.75, 0.0)
    silent = NearWallReading.invalid(Side.RIGHT, BEGIN + S, BEGIN + 4 * S, 'clipped')
    items = [(BEGIN + i * S // 10, '/odom', odometry(BEGIN + i * S // 10)) for i in range(51)]
    items += [(BEGIN + S, '/wall_distance', distance)]
    items += [
        (BEGIN + 4 * S, '/near_wall', near_wall_message(store, reading, 'base_link'))
        for reading in (heard(Side.LEFT, 0.75), silent)
    ]
    items += [(BEGIN + 45 * S // 10, '/camera/camera/color/image_raw', image(BEGIN + 45 * S // 10))]
    with BagWriter(path, [BagTopic(*item) for item in TYPES.items()]) as writer:
        for time_ns, topic, message in sorted(items, key=lambda item: item[0]):
            writer.write(topic, time_ns, bytes(store.serialize_cdr(message, TYPES[topic])))
    return path
