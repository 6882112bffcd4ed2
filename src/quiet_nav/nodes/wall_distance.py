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

"""Node `wall_distance`: how far the wall ahead is by the depth camera, beside what is heard."""

from __future__ import annotations

from dataclasses import dataclass
import sys

from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, Range

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.base import PlainNode
from quiet_nav.nodes.camera_messages import image_from_msg
from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status
from quiet_nav.nodes.parameters import parameter, Parameters
from quiet_nav.nodes.runtime import now_ns, run
from quiet_nav.perception.messages import checked_ns
from quiet_nav.recordings.depth import depth_unit_m, LEAST_VALID, wall_distance, WallDistance

DEPTH_TOPIC = 'camera/camera/depth/image_rect_raw'


@dataclass(frozen=True)
class WallDistanceParameters:
    """Parameters of the node; a change counts from the next image on."""

    least_valid: float = parameter(
        LEAST_VALID,
        'share of the central pixels that must have a depth',
        minimum=0.0,
        maximum=1.0,
    )
    without_reading: str = parameter(
        'nan',
        'what is published where too few pixels read: nan (REP-117), or silent: nothing',
        choices=('nan', 'silent'),
    )
    field_of_view: float = parameter(
        0.49, 'of the central pixels, for the message (rad)', minimum=0.0, maximum=3.1
    )
    min_range: float = parameter(
        0.15, "the camera's nearest, for the message (m)", minimum=0.0, maximum=10.0
    )
    max_range: float = parameter(
        10.0, "the camera's farthest, for the message (m)", minimum=0.1, maximum=100.0
    )
    max_age_s: float = parameter(
        1.0, 'older images are an error in the diagnostics (s)', minimum=0.1, maximum=60.0
    )


class WallDistanceNode(PlainNode):
    """Publishes `wall_distance` with every depth image; without enough pixels as configured."""

    def __init__(self, **options: object) -> None:
        super().__init__('wall_distance', **options)
        self._settings = Parameters(self, WallDistanceParameters)
        self._last: WallDistance | None = None
        self._last_ns = 0
        self._images = self._without = 0
        self._fault = ''
        self._publisher = self.create_publisher(Range, 'wall_distance', 10)
        self.create_subscription(
            Image,
            DEPTH_TOPIC,
            self.intake.checked(DEPTH_TOPIC, self._on_image),
            qos_profile_sensor_data,
        )
        self._diagnostics = Diagnostics(self, 'depth', self._health)

    def _on_image(self, image: Image) -> None:
        p = self._settings.value
        try:
            found = wall_distance(image_from_msg(image), depth_unit_m(image), p.least_valid)
            stamp_ns = checked_ns(image.header.stamp, 'depth image')
        except QuietNavError as error:
            self._fault = str(error)
            raise
        self._fault, self._last, self._last_ns = '', found, stamp_ns
        self._images += 1
        self._without += not found.valid
        if not found.valid and p.without_reading == 'silent':
            return
        message = Range(
            header=image.header,
            radiation_type=Range.INFRARED,
            field_of_view=p.field_of_view,
            min_range=p.min_range,
            max_range=p.max_range,
            range=found.distance_m,
        )
        self._publisher.publish(message)

    def _health(self) -> Status:
        if self._fault:
            return Status(Level.ERROR, self._fault)
        if self._last is None:
            return Status(Level.ERROR, 'no depth image received yet')
        age_s = (now_ns(self) - self._last_ns) / 1e9
        values = {
            'distance m': self._last.distance_m,
            'valid share': self._last.valid_share,
            'images': self._images,
            'images without distance': self._without,
            'image age s': age_s,
        }
        if age_s > self._settings.value.max_age_s:
            return Status(Level.ERROR, f'no depth image for {age_s:.1f} s', values)
        if not self._last.valid:
            return Status(Level.WARN, self._last.reason, values)
        return Status(Level.OK, f'wall at {self._last.distance_m:.2f} m', values)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(WallDistanceNode, args)


if __name__ == '__main__':
    sys.exit(main())
