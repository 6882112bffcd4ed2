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

"""RViz's view of a bag as a picture: markers, map, path and frames drawn from the very messages."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.plots import figure
from quiet_nav.geometry import Pose2D, yaw_of_quaternion
from quiet_nav.perception.display.display import colors, TRACE_SHEETS_S
from quiet_nav.perception.maps.probability_grid import GridMap
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.transforms import Transform, TransformBuffer
from quiet_nav.view.bag import BagPlayer, BagView
from quiet_nav.view.scene import PATH_COLOR

#: Of visualization_msgs/Marker.
_ADD, _DELETE, _DELETE_ALL = 0, 2, 3
_TEXT, _TRIANGLES = 9, 11
_BACKGROUND, _FLOOR_GRID = '#707070', '#7a7a7c'
#: What the bars of colors take at the right, and the height that their names need (inches).
_BARS_IN, _LEAST_UP_IN = 1.7, 3.6
_FAN_MEANS = 'fans: P(wall within 0.5 m), newest reading'
_MAP_MEANS = 'map: mean P of all readings about a cell'


@dataclass(frozen=True)
class Shown:
    """A marker that is shown: the message and when it came, integer nanoseconds."""

    marker: object
    came_ns: int

    def over(self, now_ns: int) -> bool:
        """Whether its lifetime has run out; one of 0 s never does."""
        lifetime_ns = stamp_to_ns(self.marker.lifetime)
        return bool(lifetime_ns) and now_ns > self.came_ns + lifetime_ns


class PictureScene:
    """
    Keeps of a bag what RViz would show at one moment; takes what ``BagPlayer`` gives.

    Only triangle lists and texts are drawn, which are what `near_wall/markers` has.
    """

    def __init__(self, base_frame: str = 'base_link') -> None:
        self._base_frame = base_frame
        self._frames = TransformBuffer(memory_s=2.0 * max(TRACE_SHEETS_S))
        self._fixed_frames: set[str] = set()
        self.fixed_frame = ''
        self.path: list[tuple[float, float]] = []
        self.grid: GridMap | None = None
        self.now_ns = self._placed_ns = 0
        self.shown: OrderedDict[tuple[str, int], Shown] = OrderedDict()

    def reading(self, *_: object) -> None:
        """Leave readings to their markers."""

    def wall_distance(self, *_: object) -> None:
        """Not shown."""

    def image(self, *_: object) -> None:
        """Not shown."""

    def sound(self, *_: object) -> None:
        """Not shown."""

    def map(self, grid: GridMap, _frame: str, _time_ns: int) -> None:
        """Take the newest map."""
        self.grid = grid

    def room(self, *_: object) -> None:
        """Not shown."""

    def placed(self, parent: str, frame: str, time_ns: int | None, at: Transform) -> None:
        """Take where a frame is; the base's parent is the fixed frame."""
        if time_ns is None:
            self._frames.add_fixed(parent, frame, at)
            self._fixed_frames.add(frame)
            return
        self._frames.add(parent, frame, time_ns, at)
        if frame == self._base_frame:
            self.fixed_frame, self._placed_ns = parent, time_ns
            self.path.append((at.x, at.y))

    def markers(self, time_ns: int, array: object) -> None:
        """Take a visualization_msgs/MarkerArray that came at a time."""
        for marker in array.markers:
            if marker.action == _DELETE_ALL:
                self.shown.clear()
            elif marker.action == _DELETE:
                self.shown.pop((marker.ns, marker.id), None)
            else:
                self.shown[marker.ns, marker.id] = Shown(marker, time_ns)

    def alive(self) -> list[tuple[object, Pose2D]]:
        """
        Return the markers whose time is not over, with their poses in the fixed frame.

        A frame-locked one goes with its frame, another stays where that was at its stamp. One
        whose frame was nowhere then is left out, as in RViz.
        """
        found = []
        for shown in self.shown.values():
            marker = shown.marker
            if shown.over(self.now_ns):
                continue
            when = self._placed_ns if marker.frame_locked else stamp_to_ns(marker.header.stamp)
            place = self._frames.lookup(self.fixed_frame, marker.header.frame_id, when)
            if place is not None:
                p, q = marker.pose.position, marker.pose.orientation
                own = Pose2D(p.x, p.y, yaw_of_quaternion(q.x, q.y, q.z, q.w))
                found.append((marker, place.pose.compose(own)))
        return sorted(found, key=lambda item: item[0].pose.position.z)

    def frames(self) -> list[Pose2D]:
        """Return where the base and the frames fixed to it are, in the fixed frame."""
        names = [self._base_frame, *sorted(self._fixed_frames)]
        found = (self._frames.lookup(self.fixed_frame, n, self._placed_ns) for n in names)
        return [place.pose for place in found if place is not None]


def look(
    view: BagView, rig: Rig, base_frame: str = 'base_link', at_s: float | None = None
) -> PictureScene:
    """Return what RViz shows of a bag after so many seconds; None: at its end."""
    scene = PictureScene(base_frame)
    player = BagPlayer(view, scene, rig, base_frame)
    begin = None
    for time_ns, topic, message in view.messages():
        begin = time_ns if begin is None else begin
        if at_s is not None and time_ns - begin > at_s * 1e9:
            break
        scene.now_ns = time_ns
        player.show(time_ns, topic, message)
        if topic == view.markers:
            scene.markers(time_ns, message)
    player.finish()
    return scene


def draw(path: str | Path, scene: PictureScene, title: str = '') -> int:
    """
    Draw a scene from above in RViz's colors and return how many markers are in it.

    Raises QuietNavError where nothing says where the robot is.
    """
    if not scene.path:
        raise QuietNavError('nothing to draw: no odometry and no tf of the base frame')
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import ListedColormap
    from matplotlib.ticker import MultipleLocator

    alive = scene.alive()
    points = np.array(scene.path)
    low, high = points.min(axis=0) - 1.0, points.max(axis=0) + 1.0
    across, up = (high - low) * 7.0 / max(high - low)
    # Letters in RViz are so many meters high.
    an_m_pt = 72.0 * across / (high - low)[0]
    with figure(path, across + 0.8 + _BARS_IN, max(up, _LEAST_UP_IN) + 0.8) as (drawn, axes):
        # Bars keep to axes that keep their shape.
        drawn.set_layout_engine('compressed')
        axes.set_facecolor(_BACKGROUND)
        if scene.grid is not None and scene.grid.probability.size:
            # RViz's scheme `map`: white is 0, black is 100, what is not known a greenish gray.
            axes.imshow(
                scene.grid.probability, origin='lower', extent=scene.grid.extent, cmap='gray_r',
                vmin=0.0, vmax=1.0, alpha=0.7 * np.isfinite(scene.grid.probability),
                interpolation='nearest', zorder=2,
            )  # fmt: skip
        axes.plot(*points.T, color=PATH_COLOR, linewidth=1.5, zorder=3)
        for marker, pose in alive:
            if marker.type == _TRIANGLES:
                corners = [pose.transform(p.x, p.y) for p in marker.points]
                # One color serves for all where the corners have none.
                every = marker.colors[::3] or [marker.color]
                shades = [(c.r, c.g, c.b, c.a) for c in every]
                triangles = np.array(corners).reshape(-1, 3, 2)
                axes.add_collection(PolyCollection(triangles, facecolors=shades, zorder=4))
            elif marker.type == _TEXT:
                c = marker.color
                axes.text(
                    pose.x, pose.y, marker.text, color=(c.r, c.g, c.b, c.a), zorder=6,
                    ha='center', va='center', fontsize=marker.scale.z * an_m_pt,
                )  # fmt: skip
        for frame in scene.frames():
            for (x, y), color in (((0.12, 0.0), '#ff3030'), ((0.0, 0.12), '#30c030')):
                end = frame.transform(x, y)
                axes.plot((frame.x, end[0]), (frame.y, end[1]), color=color, lw=1.5, zorder=5)
        axes.set_aspect('equal')
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MultipleLocator(1.0))
        axes.grid(color=_FLOOR_GRID)
        axes.set(xlabel=f'x in {scene.fixed_frame}, m', ylabel='y, m', title=title)
        # In RViz's own words: the names of its displays say what the colors mean.
        _bar(drawn, axes, ListedColormap(colors(np.linspace(0.0, 1.0, 256))), _FAN_MEANS)
        if scene.grid is not None:
            _bar(drawn, axes, 'gray_r', _MAP_MEANS)
    return len(alive)


def _bar(drawn: Any, axes: Any, colors_of: Any, means: str) -> None:
    """Say beside the axes what probability a color stands for."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(0.0, 1.0), colors_of)
    drawn.colorbar(scale, ax=axes, label=means, fraction=0.04, pad=0.03)
