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

"""What the web view shows: readings, poses, map and images as Foxglove's own messages."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.extras import how_to_get
from quiet_nav.geometry import Side
from quiet_nav.perception.display.display import (
    caption,
    colors,
    fan,
    FAN_LIFETIME_S,
    is_near,
    NEAR_PROBABILITY,
    Trace,
)
from quiet_nav.perception.display.overlay import ProbabilityStrip
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.transforms import Transform

#: Color of the path, as in quiet_nav.rviz: red, green, blue from 0 to 1.
PATH_COLOR = (86 / 255, 180 / 255, 233 / 255)
#: Points of the path lie at least so far apart, and so many make one piece of it.
_PATH_STEP_M, _PIECE = 0.05, 100
#: Images come at most so often, and fixed frames are said again so often, for those who come late.
_IMAGE_EVERY_NS, _FIXED_EVERY_NS = 200_000_000, 1_000_000_000
_READING = {
    'type': 'object',
    'properties': {
        'probability': {'type': 'number'},
        'distance_m': {'type': 'number'},
        'near': {'type': 'boolean'},
        'hears_by': {'type': 'string'},
        'valid': {'type': 'boolean'},
        'reason': {'type': 'string'},
    },
}
_DISTANCE = {'type': 'object', 'properties': {'distance_m': {'type': 'number'}}}


def need_foxglove() -> ModuleType:
    """Return the Foxglove SDK; QuietNavError says how to install it."""
    try:
        import foxglove
    except ImportError as error:
        raise QuietNavError(f'the web view needs a library: {how_to_get("foxglove")}') from error
    return foxglove


class Scene:
    """
    Logs what arrives to Foxglove topics of a context, which a file or a server writes out.

    Topics: /near_wall/SIDE (JSON: probability, distance_m, near, valid, reason),
    /near_wall/markers and /path (SceneUpdate), /near_wall/map (Grid of RGBA), /near_wall/image
    (RawImage), /wall_distance (JSON) and /tf (FrameTransform). A value that is not known is left
    out of its message. All times are integer nanoseconds; messages are logged at them. What is
    kept is bounded. Raises QuietNavError where the SDK is not installed.
    """

    def __init__(
        self,
        context: object,
        rig: Rig,
        base_frame: str = 'base_link',
        threshold: float = NEAR_PROBABILITY,
    ) -> None:
        from functools import partial

        foxglove = need_foxglove()
        from foxglove import channels, messages

        self._m = messages
        self._base_frame, self._threshold = base_frame, threshold
        self._ears = {ear.side: ear for ear in reversed(rig.ears)}
        self._json = partial(foxglove.Channel, message_encoding='json', context=context)
        self._sides: dict[Side, object] = {}
        self._markers = channels.SceneUpdateChannel('/near_wall/markers', context=context)
        self._path = channels.SceneUpdateChannel('/path', context=context)
        self._map = channels.GridChannel('/near_wall/map', context=context)
        self._image = channels.RawImageChannel('/near_wall/image', context=context)
        self._tf = channels.FrameTransformChannel('/tf', context=context)
        self._distance = self._json('/wall_distance', schema=_DISTANCE)
        self._fixed: dict[str, tuple[str, Transform]] = {}
        self._points: list[tuple[float, float]] = []
        self.begin_again()

    def begin_again(self) -> None:
        """Forget the path and what was left behind, as when a bag is played again."""
        self._trace, self._strip = Trace(), ProbabilityStrip(threshold=self._threshold)
        self._fixed_ns = self._image_ns = -math.inf
        self._points.clear()
        self._piece = 0

    def reading(self, reading: NearWallReading, frame: str, still: bool | None = None) -> None:
        """Show a reading; ``still``: whether the robot stood meanwhile, None where not known."""
        side, time_ns = reading.side, reading.end_ns
        self._strip.add(reading)
        if side not in self._sides:
            topic = f'/near_wall/{side.name.lower()}'
            self._sides[side] = self._json(topic, schema=_READING)
        said = {'valid': reading.valid, 'near': is_near(reading, self._threshold)}
        if reading.valid:
            said['hears_by'] = str(reading.hears_by)
            said['probability'] = reading.probability
            if math.isfinite(distance := reading.median_distance_m):
                said['distance_m'] = distance
        else:
            said['reason'] = reading.reason
        self._sides[side].log(said, log_time=time_ns)
        self._show_fan(reading, frame, still)

    def wall_distance(self, time_ns: int, meters: float) -> None:
        """Show what the depth camera saw; infinities and NaN are left out."""
        self._strip.saw(meters, time_ns)
        if math.isfinite(meters):
            self._distance.log({'distance_m': meters}, log_time=time_ns)

    def placed(self, parent: str, frame: str, time_ns: int | None, at: Transform) -> None:
        """Show where a frame is, and the path of the base; without a time it holds always."""
        if time_ns is None:
            self._fixed[frame] = (parent, at)
            self._fixed_ns = -math.inf
            return
        self._log_frame(parent, frame, time_ns, at)
        if not 0 <= time_ns - self._fixed_ns < _FIXED_EVERY_NS:
            self._fixed_ns = time_ns
            for child, (above, transform) in self._fixed.items():
                self._log_frame(above, child, time_ns, transform)
        if frame == self._base_frame:
            self._extend_path(parent, time_ns, at)

    def map(self, grid: GridMap, frame: str, time_ns: int) -> None:
        """Show a near-wall map in the fans' colors; cells that nothing is known of are clear."""
        rows, columns = grid.probability.shape
        if not rows * columns:
            return
        m = self._m
        rgba = np.empty((rows, columns, 4))
        rgba[..., :3] = colors(grid.probability)
        rgba[..., 3] = np.isfinite(grid.probability)
        kind = m.PackedElementFieldNumericType.Uint8
        message = m.Grid(
            timestamp=self._time(time_ns),
            frame_id=frame,
            pose=self._pose(grid.x, grid.y),
            column_count=columns,
            cell_size=m.Vector2(x=grid.resolution_m, y=grid.resolution_m),
            row_stride=4 * columns,
            cell_stride=4,
            fields=[
                m.PackedElementField(name=name, offset=i, type=kind)
                for i, name in enumerate(('red', 'green', 'blue', 'alpha'))
            ],
            data=np.round(255.0 * rgba).astype(np.uint8).tobytes(),
        )
        self._map.log(message, log_time=time_ns)

    def room(self, *_: object) -> None:
        """Leave the room's own map to Foxglove, which reads maps itself."""

    def image(self, pixels: np.ndarray, frame: str, time_ns: int) -> None:
        """Show red, green, blue of uint8, shape (h, w, 3), with the strips; 5 a second."""
        if 0 <= time_ns - self._image_ns < _IMAGE_EVERY_NS:
            return
        self._image_ns = time_ns
        drawn = self._strip.draw(pixels)
        height, width = drawn.shape[:2]
        message = self._m.RawImage(
            timestamp=self._time(time_ns),
            frame_id=frame,
            width=width,
            height=height,
            encoding='rgb8',
            step=3 * width,
            data=drawn.tobytes(),
        )
        self._image.log(message, log_time=time_ns)

    def sound(self, _stream: object) -> None:
        """Not shown."""

    # Parts

    def _show_fan(self, reading: NearWallReading, frame: str, still: bool | None) -> None:
        """Log the live fan with its number, and the sheets of the one left behind."""
        m, drawn, name = self._m, fan(reading), reading.side.name.lower()
        ear = self._ears.get(reading.side)
        # An ear's own frame has its x axis toward the side already.
        in_base = frame == self._base_frame
        x, y, z = (ear.x, ear.y, ear.z) if in_base and ear else (0.0, 0.0, 0.0)
        yaw = reading.side.yaw_rad if in_base else 0.0
        points = [m.Point3(x=px, y=py, z=0.0) for px, py in drawn.triangles]
        r, g, b = drawn.color

        def sector(alpha: float, height: float) -> object:
            color, pose = m.Color(r=r, g=g, b=b, a=alpha), self._pose(x, y, height, yaw)
            return m.TriangleListPrimitive(pose=pose, points=points, color=color)

        along, across = drawn.label_at
        label = m.TextPrimitive(
            pose=self._pose(
                x + math.cos(yaw) * along - math.sin(yaw) * across,
                y + math.sin(yaw) * along + math.cos(yaw) * across,
                z + 0.05,
            ),
            billboard=True,
            font_size=0.12 if reading.valid else 0.07,
            color=m.Color(r=1.0, g=1.0, b=1.0, a=1.0 if reading.valid else 0.6),
            text=caption(reading),
        )
        shared = {'timestamp': self._time(reading.end_ns), 'frame_id': frame}
        entities = [
            m.SceneEntity(
                id=f'near_wall/{name}',
                lifetime=_duration(m, FAN_LIFETIME_S),
                frame_locked=True,
                triangles=[sector(drawn.alpha, z)],
                texts=[label],
                **shared,
            )
        ]
        if reading.valid and still is not False:
            entities += [
                m.SceneEntity(
                    id=f'trace/{name}/{sheet.number}',
                    lifetime=_duration(m, sheet.lifetime_s),
                    triangles=[sector(sheet.alpha, sheet.z)],
                    **shared,
                )
                for sheet in self._trace.leave(reading)
            ]
        self._markers.log(m.SceneUpdate(entities=entities), log_time=reading.end_ns)

    def _log_frame(self, parent: str, frame: str, time_ns: int, at: Transform) -> None:
        m = self._m
        message = m.FrameTransform(
            timestamp=self._time(time_ns),
            parent_frame_id=parent,
            child_frame_id=frame,
            translation=m.Vector3(x=at.x, y=at.y, z=at.z),
            rotation=m.Quaternion(x=at.qx, y=at.qy, z=at.qz, w=at.qw),
        )
        self._tf.log(message, log_time=time_ns)

    def _extend_path(self, frame: str, time_ns: int, at: Transform) -> None:
        """Add a point to the newest piece and say that piece again; the others stay as they are."""
        if self._points and math.dist(self._points[-1], (at.x, at.y)) < _PATH_STEP_M:
            return
        if len(self._points) >= _PIECE:
            self._points, self._piece = self._points[-1:], self._piece + 1
        self._points.append((at.x, at.y))
        m = self._m
        r, g, b = PATH_COLOR
        line = m.LinePrimitive(
            pose=self._pose(0.0, 0.0, 0.02),
            thickness=0.03,
            points=[m.Point3(x=x, y=y, z=0.0) for x, y in self._points],
            color=m.Color(r=r, g=g, b=b, a=1.0),
        )
        entity = m.SceneEntity(
            id=f'path/{self._piece}',
            timestamp=self._time(time_ns),
            frame_id=frame,
            lines=[line],
        )
        self._path.log(m.SceneUpdate(entities=[entity]), log_time=time_ns)

    def _pose(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> object:
        m = self._m
        turned = m.Quaternion(x=0.0, y=0.0, z=math.sin(yaw / 2.0), w=math.cos(yaw / 2.0))
        return m.Pose(position=m.Vector3(x=x, y=y, z=z), orientation=turned)

    def _time(self, time_ns: int) -> object:
        seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
        return self._m.Timestamp(seconds, nanoseconds)


def _duration(messages: ModuleType, seconds: float) -> object:
    return messages.Duration.from_secs(seconds)
