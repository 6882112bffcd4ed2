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

"""What Rerun shows: fans, path, map and image in space; probability, distance and sound in time."""

from __future__ import annotations

from collections.abc import Sequence
import math
import os
from types import ModuleType
from typing import Any

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.extras import how_to_get
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.display.display import (
    caption,
    colors,
    Fan,
    fan,
    FAN_LIFETIME_S,
    NEAR_PROBABILITY,
    Trace,
)
from quiet_nav.perception.display.overlay import ProbabilityStrip
from quiet_nav.perception.fingerprint import Fingerprint
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import Ear, Rig
from quiet_nav.perception.transforms import Transform, TransformBuffer
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.view.bag import top_frame
from quiet_nav.view.rerun_layout import BACKGROUND, layout, SIDE_COLORS, SPECTRUM_SIZE

#: Of set_time: stamps of the messages.
TIMELINE = 'stamp'
_IMAGE_EVERY_NS, _SOUND_EVERY_NS = 200_000_000, 250_000_000
_PATH_STEP_M, _PIECE = 0.02, 200
_PATH_COLOR = (86, 180, 233)
_ROBOT_RADIUS_M, _ROBOT_HEIGHT_M = 0.17, 0.12
_TRACE_Z_M, _TRACE_ALPHA = 0.01, 0.3
#: Sound that level and spectrum are taken of, and the part of the spectrum that tells of walls.
_LEVEL_S, _SPECTRUM_S = 0.25, 1.0
_LOWEST_HZ, _HIGHEST_HZ, _SEGMENT = 40.0, 2000.0, 2048
_SILENCE_DBFS = -120.0
SPECTRUM_DBFS = (-120.0, -20.0)
_JPEG_QUALITY = 85
#: What is in space below the near-wall map, and how a plan and a room's own map are drawn.
_ROOM_Z_M = -0.01
_WALL_COLOR, _FURNITURE_COLOR, _TRACK_COLOR = (214, 216, 222), (140, 142, 150), (110, 112, 120)
_FREE_COLOR, _OCCUPIED_COLOR = (58, 60, 66), (214, 216, 222)
#: The frame of floor plans.
PLAN_FRAME = 'map'
_FAR_SHADE = 0.55
#: Decibels of power of a natural logarithm of 1.
_DB_A_NEPER = 10.0 / math.log(10.0)


def need_rerun() -> ModuleType:
    """Return the Rerun SDK; QuietNavError says how to install it."""
    own = 'RUST_LOG' not in os.environ
    if own:
        # Of a file that it cannot write whoever asked for the file says so.
        os.environ['RUST_LOG'] = 'warn,re_log_encoding=off,re_sdk=off'
    try:
        import rerun
    except ImportError as error:
        raise QuietNavError(f'this view needs a library: {how_to_get("rerun")}') from error
    finally:
        if own:
            del os.environ['RUST_LOG']
    return rerun


class RerunScene:
    """
    Logs what arrives to a Rerun recording, which a file or a viewer takes.

    Entities: robot, ears/SIDE/fan, trace/SIDE/N, path/N, map, room (floor plan or the room's own
    map) and camera in space; probability/SIDE (0 to 1), distance/SIDE and distance/camera (m),
    level/NAME (dBFS), spectrum/NAME (dB over frequency), spectrum/far/NAME (the ear's fingerprint)
    and reasons (text) in time. A value that is not known leaves a gap. All times are
    integer nanoseconds. What is kept is bounded. live: views are laid out as things appear; a file
    has them from its beginning. Raises QuietNavError where Rerun is missing.
    """

    def __init__(
        self,
        recording: Any,
        rig: Rig,
        base_frame: str = 'base_link',
        threshold: float = NEAR_PROBABILITY,
        live: bool = False,
    ) -> None:
        self._rr = need_rerun()
        self._to, self._rig = recording, rig
        self._base_frame, self._threshold, self._live = base_frame, threshold, live
        self._ears: dict[Side, Ear] = {ear.side: ear for ear in reversed(rig.ears)}
        self._parents: dict[str, str] = {}
        self._spaces: dict[str, str] = {}
        self._seen: set[str] = set()
        self._sides: list[Side] = []
        self.begin_again()
        self._log_robot()

    def begin_again(self) -> None:
        """Forget the path and what was left behind, as when a bag is played again."""
        self._trace, self._strip = Trace(), ProbabilityStrip(threshold=self._threshold)
        self._frames = TransformBuffer(memory_s=30.0)
        self._image_ns = self._sound_ns = -math.inf
        self._fans: dict[Side, int] = {}
        self._points: list[tuple[float, float, float]] = []
        self._piece = 0
        self._stream: AudioStream | None = None
        self._fingerprint: Fingerprint | None = None
        self._places: dict[Side, int] = {}

    def reading(self, reading: NearWallReading, frame: str, still: bool | None = None) -> None:
        """Show a reading; ``still``: whether the robot stood meanwhile, None where not known."""
        rr, side, time_ns = self._rr, reading.side, reading.end_ns
        name = side.name.lower()
        if side not in self._sides:
            self._sides.append(side)
            for kind in ('probability', 'distance'):
                style = rr.SeriesLines(colors=[SIDE_COLORS[side]], names=[name], widths=[2.0])
                self._to.log(f'{kind}/{name}', style, static=True)
            self._show('readings')
        self._strip.add(reading)
        self._at(time_ns)
        p = reading.probability if reading.valid else math.nan
        distance_m = reading.median_distance_m if reading.valid else math.nan
        self._to.log(f'probability/{name}', rr.Scalars(p))
        known = math.isfinite(distance_m)
        self._to.log(f'distance/{name}', rr.Scalars(distance_m if known else math.nan))
        if not reading.valid:
            self._show('reasons')
            self._to.log('reasons', rr.TextLog(f'{name}: {reading.reason}', level='WARN'))
        self._show_fan(reading, frame, still)

    def wall_distance(self, time_ns: int, meters: float) -> None:
        """Show what the depth camera saw; infinities and NaN are gaps."""
        rr = self._rr
        self._strip.saw(meters, time_ns)
        if 'wall distance' not in self._seen:
            style = rr.SeriesLines(colors=[(150, 150, 150)], names=['depth camera'], widths=[1.5])
            self._to.log('distance/camera', style, static=True)
            self._show('wall distance')
        self._at(time_ns)
        self._to.log('distance/camera', rr.Scalars(meters if math.isfinite(meters) else math.nan))

    def placed(self, parent: str, frame: str, time_ns: int | None, at: Transform) -> None:
        """Show where a frame is, and the path of the base; without a time it holds always."""
        rr = self._rr
        if self._parents.get(frame) != parent:
            self._parents[frame] = parent
            self._show(f'root {self.root}')
        transform = rr.Transform3D(
            translation=(at.x, at.y, at.z),
            quaternion=rr.Quaternion(xyzw=(at.qx, at.qy, at.qz, at.qw)),
            parent_frame=parent,
            child_frame=frame,
        )
        entity = rr.new_entity_path(['tf', frame])
        if time_ns is None:
            self._frames.add_fixed(parent, frame, at)
            self._to.log(entity, transform, static=True)
            return
        self._frames.add(parent, frame, time_ns, at)
        self._at(time_ns)
        self._to.log(entity, transform)
        if frame == self._base_frame:
            self._end_fans(time_ns)
            self._extend_path(time_ns)

    def map(self, grid: GridMap, frame: str, time_ns: int) -> None:
        """Show a near-wall map in the fans' colors; cells that nothing is known of are dark."""
        rr, (rows, columns) = self._rr, grid.probability.shape
        if not rows * columns:
            return
        known = np.isfinite(grid.probability)[..., None]
        rgb = np.where(known, 255.0 * colors(grid.probability), BACKGROUND)
        self._at(time_ns)
        self._to.log(
            self._in('map', frame),
            rr.GridMap(
                # Rows of an image begin at its top.
                data=np.round(rgb[::-1]).astype(np.uint8).tobytes(),
                format=rr.components.ImageFormat(
                    width=columns, height=rows, color_model='RGB', channel_datatype='U8'
                ),
                cell_size=grid.resolution_m,
                translation=(grid.x, grid.y, 0.0),
            ),
        )

    def room(self, grid: GridMap, frame: str, time_ns: int) -> None:
        """Show the room's own map, as SLAM or a map server gives it, below everything else."""
        rr, (rows, columns) = self._rr, grid.probability.shape
        if not rows * columns:
            return
        p = grid.probability[..., None]
        rgb = np.where(p < 0.5, _FREE_COLOR, _OCCUPIED_COLOR)
        rgb = np.where(np.isfinite(p), rgb, BACKGROUND)
        self._at(time_ns)
        self._to.log(
            self._in('room/map', frame),
            rr.GridMap(
                data=rgb[::-1].astype(np.uint8).tobytes(),
                format=rr.components.ImageFormat(
                    width=columns, height=rows, color_model='RGB', channel_datatype='U8'
                ),
                cell_size=grid.resolution_m,
                translation=(grid.x, grid.y, _ROOM_Z_M),
            ),
        )

    def plan(self, plan: Plan, frame: str = PLAN_FRAME) -> None:
        """Show a floor plan: walls, furniture, and the edges of its tracks; it holds always."""
        starts, ends, _ = plan.obstacle_segments
        walls = len(plan.corners)
        strips: list[list[tuple[float, float, float]]] = [
            [(*map(float, a), _ROOM_Z_M), (*map(float, b), _ROOM_Z_M)]
            for a, b in zip(starts, ends, strict=True)
        ]
        tracks = [
            [(*map(float, corner), _ROOM_Z_M) for corner in (*track.boundary, track.boundary[0])]
            for track in plan.tracks
        ]
        for name, lines, color, radius_m in (
            ('walls', strips[:walls], _WALL_COLOR, 0.03),
            ('furniture', strips[walls:], _FURNITURE_COLOR, 0.015),
            ('tracks', tracks, _TRACK_COLOR, 0.008),
        ):
            if lines:
                drawn = self._rr.LineStrips3D(lines, radii=[radius_m], colors=[color])
                self._to.log(self._in(f'room/{name}', frame), drawn, static=True)

    def image(self, pixels: np.ndarray, frame: str, time_ns: int) -> None:
        """Show red, green, blue of uint8, shape (h, w, 3), with the strips; 5 a second."""
        if 0 <= time_ns - self._image_ns < _IMAGE_EVERY_NS:
            return
        self._image_ns = time_ns
        self._show('camera')
        self._at(time_ns)
        drawn = self._rr.Image(self._strip.draw(pixels))
        self._to.log('camera', drawn.compress(jpeg_quality=_JPEG_QUALITY))

    def sound(self, stream: AudioStream) -> None:
        """Show level and spectrum of the newest sound of every ear, four times a second."""
        self._stream, end_ns = stream, stream.end_ns
        if 0 <= end_ns - self._sound_ns < _SOUND_EVERY_NS:
            return
        self._sound_ns = end_ns
        rr, names = self._rr, self._channel_names(stream.channels)
        for channel, (name, color) in enumerate(names):
            if f'sound {name}' not in self._seen:
                style = rr.SeriesLines(colors=[color], names=[name], widths=[1.5])
                self._to.log(f'level/{name}', style, static=True)
                self._log_spectrum_axes()
                self._show(f'sound {name}')
            self._at(end_ns)
            heard = stream.ending_at(end_ns, channel, round(_LEVEL_S * SAMPLE_RATE)).samples
            self._to.log(f'level/{name}', rr.Scalars(level_dbfs(heard)))
            heard = stream.ending_at(end_ns, channel, round(_SPECTRUM_S * SAMPLE_RATE)).samples
            if len(heard) >= _SEGMENT:
                line = spectrum_at(*spectrum(heard))
                self._to.log(
                    f'spectrum/{name}', rr.LineStrips2D([line], radii=[1.2], colors=[color])
                )

    @property
    def root(self) -> str:
        """Return the frame in which everything is shown: the one above all others of the robot."""
        return top_frame(self._base_frame, self._parents)

    # Parts

    def _at(self, time_ns: int) -> None:
        self._to.set_time(TIMELINE, timestamp=np.datetime64(time_ns, 'ns'))

    def _show(self, part: str) -> None:
        """Take note of what is there; live it is given a view."""
        if part in self._seen:
            return
        self._seen.add(part)
        if self._live:
            has = {name.split()[0] for name in self._seen}
            self._to.send_blueprint(layout(self.root, has, live=True))

    def _in(self, entity: str, frame: str) -> str:
        """Return the entity, which stands in a frame at all times."""
        if self._spaces.get(entity) != frame:
            self._spaces[entity] = frame
            self._to.log(entity, self._rr.CoordinateFrame(frame), static=True)
        return entity

    def _log_robot(self) -> None:
        rr, base = self._rr, self._base_frame
        middle = (0.0, 0.0, 0.5 * _ROBOT_HEIGHT_M)
        body = rr.Cylinders3D(
            lengths=[_ROBOT_HEIGHT_M],
            radii=[_ROBOT_RADIUS_M],
            centers=[middle],
            colors=[(120, 120, 130)],
            fill_mode='solid',
        )
        self._to.log(self._in('robot/body', base), body, static=True)
        nose = rr.Arrows3D(
            origins=[(0.0, 0.0, _ROBOT_HEIGHT_M)],
            vectors=[(1.4 * _ROBOT_RADIUS_M, 0.0, 0.0)],
            radii=[0.012],
            colors=[(230, 230, 235)],
        )
        self._to.log(self._in('robot/ahead', base), nose, static=True)
        ears = rr.Points3D(
            [(ear.x, ear.y, ear.z) for ear in self._rig.ears],
            radii=[0.02],
            colors=[SIDE_COLORS[ear.side] for ear in self._rig.ears],
        )
        self._to.log(self._in('robot/ears', base), ears, static=True)

    def _log_spectrum_axes(self) -> None:
        """Draw what a spectrum is read by: lines at round frequencies and levels."""
        rr, low, high = self._rr, SPECTRUM_DBFS[0], SPECTRUM_DBFS[1]
        hz_marks = (50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
        db_marks = np.arange(low, high + 1.0, 20.0)
        across = [spectrum_at(np.array([h, h]), np.array([low, high])) for h in hz_marks]
        ends = np.array([_LOWEST_HZ, _HIGHEST_HZ])
        along = [spectrum_at(ends, np.array([d, d])) for d in db_marks]
        lines = rr.LineStrips2D([*across, *along], radii=[0.4], colors=[(90, 92, 98)])
        self._to.log('spectrum/axes/lines', lines, static=True)
        texts = [f'{h:g}' for h in hz_marks] + [f'{d:g}' for d in db_marks[1:]]
        points = [line[0] for line in across] + [line[0] for line in along[1:]]
        texts.append('in 8 Hz; dark: far from walls')
        points.append(spectrum_at(np.array([400.0]), np.array([high - 6.0]))[0])
        marks = rr.Points2D(
            points, radii=[0.0], labels=texts, show_labels=True, colors=[(200, 202, 208)]
        )
        self._to.log('spectrum/axes/marks', marks, static=True)

    def _show_fan(self, reading: NearWallReading, frame: str, still: bool | None) -> None:
        rr, name, drawn = self._rr, reading.side.name.lower(), fan(reading)
        ear = self._ears.get(reading.side)
        # An ear's own frame has its x axis toward the side already.
        in_base = frame == self._base_frame
        x, y, z = (ear.x, ear.y, ear.z) if in_base and ear else (0.0, 0.0, 0.0)
        at = Pose2D(x, y, reading.side.yaw_rad if in_base else 0.0)
        self._at(reading.end_ns)
        fan_mesh = self._mesh(drawn, at, z, drawn.alpha)
        self._to.log(self._in(f'ears/{name}/fan', frame), fan_mesh)
        text = rr.Points3D(
            [(*at.transform(*drawn.label_at), z + 0.05)],
            radii=[0.0],
            # Why there is none stands among the reasons.
            labels=[caption(reading) if reading.valid else '–'],
            show_labels=True,
            colors=[(255, 255, 255)],
        )
        self._to.log(self._in(f'ears/{name}/label', frame), text)
        self._fans[reading.side] = reading.end_ns
        where = self._frames.lookup(self.root, frame, reading.end_ns)
        if not reading.valid or still is False or where is None or self.root == frame:
            return
        sheet = self._trace.leave(reading)[0]
        self._learn_far(reading, sheet.number)
        left = self._mesh(drawn, where.pose.compose(at), _TRACE_Z_M, _TRACE_ALPHA)
        self._to.log(self._in(f'trace/{name}/{sheet.number}', self.root), left)

    def _learn_far(self, reading: NearWallReading, place: int) -> None:
        """Learn what an ear hears far from walls, once a place, and draw it below its spectrum."""
        ear, stream = self._ears.get(reading.side), self._stream
        if stream is None or ear is None or self._places.get(reading.side) == place:
            return
        if ear.channel >= stream.channels:
            return
        window = stream.ending_at(reading.end_ns, ear.channel)
        if not window.valid:
            return
        self._places[reading.side] = place
        hz, dbfs = spectrum(window.samples)
        if self._fingerprint is None:
            self._fingerprint = Fingerprint(self._rig.identity, 'viewed', hz)
        known = self._fingerprint
        if not known.learn(ear.channel, dbfs / _DB_A_NEPER, reading.probability, reading.end_ns):
            return
        own = known.get(ear.channel)
        if own is None:
            return
        name, (r, g, b) = reading.side.name.lower(), SIDE_COLORS[reading.side]
        shade = tuple(round(_FAR_SHADE * v) for v in (r, g, b))
        line = self._rr.LineStrips2D(
            [spectrum_at(hz, own * _DB_A_NEPER)], radii=[0.7], colors=[shade]
        )
        self._at(reading.end_ns)
        self._to.log(f'spectrum/far/{name}', line)

    def _mesh(self, drawn: Fan, at: Pose2D, z: float, alpha: float) -> Any:
        corners = [(*at.transform(*corner), z) for corner in drawn.triangles]
        order = np.arange(len(corners)).reshape(-1, 3)
        # Seen from below, too.
        triangles = np.concatenate([order, order[:, ::-1]])
        color = [round(255.0 * v) for v in (*drawn.color, alpha)]
        return self._rr.Mesh3D(
            vertex_positions=corners, triangle_indices=triangles, albedo_factor=color
        )

    def _end_fans(self, time_ns: int) -> None:
        """Take away the fans that had no news for long."""
        for side, shown_ns in list(self._fans.items()):
            if time_ns - shown_ns > FAN_LIFETIME_S * 1e9:
                del self._fans[side]
                self._to.log(f'ears/{side.name.lower()}', self._rr.Clear(recursive=True))

    def _extend_path(self, time_ns: int) -> None:
        """Add a point to the newest piece and say that piece again; the others stay as they are."""
        place = self._frames.lookup(self.root, self._base_frame, time_ns)
        if place is None or self.root == self._base_frame:
            return
        point = (place.x, place.y, 0.02)
        if self._points and math.dist(self._points[-1], point) < _PATH_STEP_M:
            return
        if len(self._points) >= _PIECE:
            self._points, self._piece = self._points[-1:], self._piece + 1
        self._points.append(point)
        if len(self._points) > 1:
            line = self._rr.LineStrips3D([self._points], radii=[0.015], colors=[_PATH_COLOR])
            self._to.log(self._in(f'path/{self._piece}', self.root), line)

    def _channel_names(self, channels: int) -> Sequence[tuple[str, tuple[int, int, int]]]:
        """Return a name and a color a channel: the side of its ear, where the rig has one."""
        sides = {ear.channel: ear.side for ear in self._rig.ears}
        if self._rig.channels > channels:
            sides = {}
        return [
            (sides[c].name.lower(), SIDE_COLORS[sides[c]])
            if c in sides
            else (f'channel_{c}', (150, 150, 150))
            for c in range(channels)
        ]


def level_dbfs(samples: np.ndarray) -> float:
    """
    Return the level of samples, full scale 1.0; NaN where there are none.

    0 dBFS is a sine of full scale; silence is -120.
    """
    if not len(samples):
        return math.nan
    power = 2.0 * float(np.mean(np.square(samples, dtype=np.float64)))
    return max(10.0 * math.log10(power), _SILENCE_DBFS) if power > 0.0 else _SILENCE_DBFS


def spectrum_at(hz: np.ndarray, dbfs: np.ndarray) -> np.ndarray:
    """Return where points of a spectrum are drawn, (n, 2): octaves to the right, levels upward."""
    low, high = SPECTRUM_DBFS
    right = SPECTRUM_SIZE[0] * np.log(hz / _LOWEST_HZ) / math.log(_HIGHEST_HZ / _LOWEST_HZ)
    up = SPECTRUM_SIZE[1] * (np.clip(dbfs, low, high) - low) / (high - low)
    return np.stack([right, -up], axis=1)


def spectrum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Return frequencies (Hz, 40 to 2000) and levels (dBFS in 7.8 Hz) of sound at 16 kHz.

    Source: Welch's method, Hann windows of 2048 samples that overlap by half.
    """
    from scipy.signal import welch

    hz, power = welch(samples, SAMPLE_RATE, nperseg=_SEGMENT, scaling='spectrum')
    kept = (hz >= _LOWEST_HZ) & (hz <= _HIGHEST_HZ)
    least = 10.0 ** (_SILENCE_DBFS / 10.0)
    return hz[kept], 10.0 * np.log10(np.maximum(2.0 * power[kept], least))
