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

"""Node `live_view`: shows what the other nodes say, in Foxglove or in a browser by Rerun."""

from __future__ import annotations

from collections.abc import Callable
import contextlib
from dataclasses import dataclass
import sys
from typing import Any

from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.qos import (
    qos_profile_sensor_data,
    QoSDurabilityPolicy,
    QoSProfile,
    QoSReliabilityPolicy,
)
from sensor_msgs.msg import Image, Range
from tf2_msgs.msg import TFMessage

from quiet_nav.msg import NearWall
from quiet_nav.nodes.audio_input import AudioInput
from quiet_nav.nodes.base import PlainNode
from quiet_nav.nodes.camera_messages import image_from_msg
from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status
from quiet_nav.nodes.near_wall.display import IMAGE_TOPIC
from quiet_nav.nodes.parameters import parameter, Parameters
from quiet_nav.nodes.runtime import run
from quiet_nav.perception.messages import (
    checked_ns,
    FrameListener,
    grid_from_msg,
    reading_from_msg,
)
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.view.bag import Showing
from quiet_nav.view.rerun_scene import RerunScene
from quiet_nav.view.rerun_serve import live_page
from quiet_nav.view.scene import Scene
from quiet_nav.view.serve import how_to_look, into_server

_LATCHED = QoSProfile(depth=100, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
_ODOMETRY = QoSProfile(depth=100, reliability=QoSReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class LiveViewParameters:
    """Parameters of the node; all are set at start."""

    host: str = parameter('127.0.0.1', 'address to serve at; 0.0.0.0: all', read_only=True)
    port: int = parameter(
        8765, 'port to serve at; 0: a free one', minimum=0, maximum=65535, read_only=True
    )
    rig: str = parameter(
        'trio',
        'places of the ears that speak for base_frame: a rig by name, or a YAML file',
        read_only=True,
    )
    base_frame: str = parameter('base_link', 'frame whose axes sides are meant in', read_only=True)
    viewer: str = parameter(
        'foxglove',
        "foxglove: a WebSocket for its app; rerun: a page for this machine's browser",
        choices=('foxglove', 'rerun'),
        read_only=True,
    )
    room: str = parameter(
        '',
        'floor plan to show in Rerun, in the frame map: a room that ships, or a YAML file',
        read_only=True,
    )
    sound: bool = parameter(True, 'show level and spectrum of the sound, in Rerun', read_only=True)
    images: bool = parameter(True, 'show the color image, five a second', read_only=True)


class LiveView(PlainNode):
    """Passes messages on to a scene as they come; a message that cannot be shown is left out."""

    def __init__(self, **options: object) -> None:
        super().__init__('live_view', **options)
        p = Parameters(self, LiveViewParameters).value
        self._base_frame = p.base_frame
        self._open = contextlib.ExitStack()
        rig = find_rig(p.rig)
        self._audio: AudioInput | None = None
        self.scene: Showing
        if p.viewer == 'rerun':
            recording, self.server = self._open.enter_context(live_page(p.host, p.port))
            self.scene = RerunScene(recording, rig, p.base_frame, live=True)
            if p.room:
                self.scene.plan(load_plan(p.room))
            where = f'open {self.server.address} in a browser'
        else:
            context, self.server = self._open.enter_context(into_server(p.host, p.port))
            self.scene = Scene(context, rig, p.base_frame)
            where = how_to_look(self.server, p.host)
        frames = FrameListener(
            p.base_frame,
            self.scene.placed,
            memory_s=1.0,
            refused=lambda text: self.intake.refuse('tf', text),
        )
        self._shown = 0
        handlers = (
            (NearWall, 'near_wall', self._on_reading, 50),
            (Range, 'wall_distance', self._on_distance, qos_profile_sensor_data),
            (OccupancyGrid, 'near_wall/map', self._on_map, _LATCHED),
            (OccupancyGrid, 'map', self._on_room, _LATCHED),
            (Odometry, 'odom', frames.on_odom, _ODOMETRY),
            (TFMessage, '/tf', frames.on_tf, QoSProfile(depth=100)),
            (TFMessage, '/tf_static', frames.on_tf_static, _LATCHED),
            *([(Image, IMAGE_TOPIC, self._on_image, qos_profile_sensor_data)] if p.images else []),
        )
        for kind, topic, handle, qos in handlers:
            self.create_subscription(
                kind, topic, self.intake.checked(topic, self._counted(handle)), qos
            )
        self._diagnostics = Diagnostics(self, 'view', self._health)
        if p.viewer == 'rerun' and p.sound:
            self._audio = AudioInput(self, self.scene.sound)
        self.log.info(where)

    def before_shutdown(self) -> None:
        """Close the server."""
        if self._audio is not None:
            self._audio.destroy()
        self._open.close()

    def _counted(self, handle: Callable[[Any], object]) -> Callable[[Any], None]:
        def receive(message: Any) -> None:
            handle(message)
            self._shown += 1

        return receive

    def _on_reading(self, message: NearWall) -> None:
        frame = message.header.frame_id.lstrip('/') or self._base_frame
        self.scene.reading(reading_from_msg(message), frame)

    def _on_distance(self, message: Range) -> None:
        self.scene.wall_distance(checked_ns(message.header.stamp, 'wall_distance'), message.range)

    def _on_map(self, message: OccupancyGrid) -> None:
        header = message.header
        self.scene.map(grid_from_msg(message), header.frame_id, checked_ns(header.stamp, 'header'))

    def _on_room(self, message: OccupancyGrid) -> None:
        header = message.header
        stamp_ns = checked_ns(header.stamp, 'header')
        self.scene.room(grid_from_msg(message), header.frame_id, stamp_ns)

    def _on_image(self, message: Image) -> None:
        header = message.header
        self.scene.image(
            image_from_msg(message, 'rgb8'), header.frame_id, checked_ns(header.stamp, 'header')
        )

    def _health(self) -> Status:
        values = {'port': self.server.port, 'messages shown': self._shown}
        return Status(Level.OK, 'showing' if self._shown else 'nothing to show yet', values)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    return run(LiveView, args)


if __name__ == '__main__':
    sys.exit(main())
