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

"""Node `probability_map`: places the readings of `near_wall` on a map of the floor; saves it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
import sys

from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from quiet_nav.errors import QuietNavError
from quiet_nav.msg import NearWall
from quiet_nav.nodes.base import PlainNode
from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status
from quiet_nav.nodes.failures import one_line
from quiet_nav.nodes.files import below, DATA_FOLDER, data_folder
from quiet_nav.nodes.parameters import parameter, Parameters
from quiet_nav.nodes.runtime import ns_to_stamp, run
from quiet_nav.perception.maps.files import save_map
from quiet_nav.perception.maps.placing import MapSettings, NearWallMapper
from quiet_nav.perception.maps.probability_grid import GridMap, ProbabilityGrid
from quiet_nav.perception.messages import FrameListener, reading_from_msg
from quiet_nav.perception.readings import Modality, NEAR_WALL_M
from quiet_nav.perception.rig import find_rig

#: Readings are placed so often, as soon as the transforms of their time are there.
SETTLE_EVERY_S = 0.2
#: A latched message as map_server publishes its map.
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)

STATIC_FRAMES = QoSProfile(depth=100, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
#: As sensor data, and as patient as tf: every window is asked about after its end.
ODOMETRY = QoSProfile(depth=100, reliability=QoSReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class ProbabilityMapParameters:
    """Parameters of the node; all are set at start."""

    frame: str = parameter('odom', 'frame of the map: odom, or map where tf has it', read_only=True)
    base_frame: str = parameter('base_link', 'frame whose axes sides are meant in', read_only=True)
    rig: str = parameter(
        'pair',
        'places of the ears that speak for base_frame: a rig by name, or a YAML file',
        read_only=True,
    )
    resolution_m: float = parameter(
        0.05, 'side of a cell (m)', minimum=0.01, maximum=1.0, read_only=True
    )
    reach_m: float = parameter(
        NEAR_WALL_M, 'length of a reading on the map (m)', minimum=0.0, maximum=5.0, read_only=True
    )
    opening_rad: float = parameter(
        1.05, 'width of a reading on the map (rad)', minimum=0.0, maximum=3.14, read_only=True
    )
    max_side_m: float = parameter(
        100.0, 'largest width and height of the map (m)', minimum=1.0, maximum=500.0, read_only=True
    )
    moving: bool = parameter(
        False, 'count windows in which the robot moved, too, where it was halfway', read_only=True
    )
    modality: str = parameter(
        'audio', 'readings that count', choices=('audio', 'vision', 'fusion'), read_only=True
    )
    data_folder: str = parameter('', DATA_FOLDER, read_only=True)
    file: str = parameter(
        'near_wall_map',
        'written below data_folder by save_map and at the end as .pgm and .yaml; empty: never',
        read_only=True,
    )
    publish_every_s: float = parameter(
        1.0, 'least time between two maps (s)', minimum=0.1, maximum=60.0, read_only=True
    )

    def settings(self) -> MapSettings:
        modality = Modality[self.modality.upper()]
        return MapSettings(self.frame, self.base_frame, self.moving, modality)


class ProbabilityMapNode(PlainNode):
    """Publishes `near_wall/map`, latched; where the robot was comes from tf, else from `odom`."""

    def __init__(self, **options: object) -> None:
        super().__init__('probability_map', **options)
        self._settings = p = Parameters(self, ProbabilityMapParameters).value
        frames = FrameListener(p.base_frame, refused=lambda text: self.intake.refuse('tf', text))
        grid = ProbabilityGrid(p.resolution_m, p.reach_m, p.opening_rad, p.max_side_m)
        self._mapper = NearWallMapper(grid, frames.buffer, find_rig(p.rig), p.settings())
        self._published = 0
        # Where the map is kept is settled before anything is mapped.
        self._file = below(data_folder(p.data_folder), p.file, 'file') if p.file else None
        self._map = self.create_publisher(OccupancyGrid, 'near_wall/map', LATCHED)
        for kind, topic, handle, qos in (
            (NearWall, 'near_wall', self._on_reading, QoSProfile(depth=50)),
            (TFMessage, '/tf', frames.on_tf, QoSProfile(depth=100)),
            (TFMessage, '/tf_static', frames.on_tf_static, STATIC_FRAMES),
            (Odometry, 'odom', frames.on_odom, ODOMETRY),
        ):
            self.create_subscription(kind, topic, self.intake.checked(topic, handle), qos)
        self.create_service(Trigger, 'save_map', self._on_save)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(SETTLE_EVERY_S, self._mapper.settle, clock=steady)
        self.create_timer(p.publish_every_s, self._publish, clock=steady)
        self._diagnostics = Diagnostics(self, 'map', self._health)

    def before_shutdown(self) -> None:
        """Keep the map, whatever ends the node; an empty one leaves no file."""
        try:
            self._mapper.settle()
        except Exception as error:
            self.log.error(f'the last readings are not on the map: {one_line(error)}')
        if self._settings.file and not self._mapper.grid.empty:
            try:
                self.log.info(self._save())
            except QuietNavError as error:
                self.log.error(str(error))

    # What arrives

    def _on_reading(self, message: NearWall) -> None:
        self._mapper.add(reading_from_msg(message), message.header.frame_id)

    def _on_save(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        try:
            response.message = self._save()
            response.success = True
        except QuietNavError as error:
            response.message = str(error)
        return response

    # What is said

    def _save(self) -> str:
        if self._file is None:
            raise QuietNavError('parameter file is empty: say where the map is to be written')
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QuietNavError(f'{self._file.parent}: {error.strerror}') from error
        image, description = save_map(self._file, self._mapper.grid.map())
        return f'{description}, {image.name}'

    def _publish(self) -> None:
        mapper = self._mapper
        if mapper.changes == self._published:
            return
        self._published = mapper.changes
        self._map.publish(_grid_to_msg(mapper.grid.map(), self._settings.frame, mapper.newest_ns))

    def _health(self) -> Status:
        mapper, p = self._mapper, self._settings
        values = {
            'placed': mapper.placed,
            'not valid': mapper.not_valid,
            'robot moved': mapper.moved,
            'no transform': mapper.lost,
            'beyond max_side_m': mapper.outside,
            'waiting for tf': mapper.waiting,
            'cells held': mapper.grid.shape[0] * mapper.grid.shape[1],
        }
        if mapper.lost and not mapper.placed:
            message = f'no transform from {p.base_frame} to {p.frame}: nothing can be placed'
            return Status(Level.WARN, message, values)
        if mapper.outside:
            return Status(Level.WARN, 'readings beyond max_side_m are left out', values)
        return Status(Level.OK, 'mapping' if mapper.placed else 'no reading placed yet', values)


def _grid_to_msg(grid: GridMap, frame_id: str, time_ns: int) -> OccupancyGrid:
    message = OccupancyGrid()
    message.header.frame_id = frame_id
    message.header.stamp = message.info.map_load_time = ns_to_stamp(time_ns)
    message.info.resolution = grid.resolution_m
    message.info.height, message.info.width = grid.probability.shape
    message.info.origin.position.x, message.info.origin.position.y = grid.x, grid.y
    message.info.origin.orientation.w = 1.0
    message.data = array('b', grid.occupancy().tobytes())
    return message


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(ProbabilityMapNode, args)


if __name__ == '__main__':
    sys.exit(main())
