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

"""What cannot be about a floor plan: walls, panels, furniture, sources and tracks."""

from __future__ import annotations

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.simulation.rooms.plan import Furniture, Panel, Plan, ROBOT_RADIUS_M
from quiet_nav.simulation.rooms.polygons import first_crossing, points_inside, signed_area
from quiet_nav.simulation.rooms.tracks import Track

#: A track's edge on its wall's side may lie this far from the wall, in meters.
TRACK_WALL_TOLERANCE_M = 0.02


def check_plan(plan: Plan) -> None:
    """
    Raise QuietNavError, one line, for the first thing about a plan that cannot be.

    Walls that cross or run clockwise, panels that do not fit their wall, furniture or sources
    outside the room or in each other's way, tracks off their wall, start poses that collide.
    """
    _check_walls(plan)
    for panel in plan.panels:
        _check_panel(plan, panel)
    for box in plan.furniture:
        _check_furniture(plan, box)
    for source in plan.sources:
        x, y, z = source.position
        if not plan.inside(np.array([x, y]), z) or not 0.0 < z < plan.height:
            raise QuietNavError(
                f"source '{source.name}' at {_at(source.position)} is outside the room or in "
                'furniture'
            )
    for track in plan.tracks:
        _check_track(plan, track)


def _check_walls(plan: Plan) -> None:
    crossing = first_crossing(plan.corners)
    if crossing:
        ends = np.roll(plan.corners, -1, axis=0)
        first, second = (f'{i} ({_at(plan.corners[i])} to {_at(ends[i])})' for i in crossing)
        raise QuietNavError(f'walls {first} and {second} cross; order the corners round the room')
    if plan.floor_area_m2 <= 0.0:
        raise QuietNavError('the corners run clockwise; list them counter-clockwise')
    if not 1.0 <= plan.height <= 30.0:
        raise QuietNavError(f'height {plan.height:g} m; expected 1 to 30')


def _check_panel(plan: Plan, panel: Panel) -> None:
    what = f'{panel.kind} on wall {panel.wall}'
    if not 0 <= panel.wall < len(plan.footprint):
        raise QuietNavError(f'{what}: the walls are numbered 0 to {len(plan.footprint) - 1}')
    if min(panel.offset, panel.bottom) < 0.0 or min(panel.width, panel.height) <= 0.0:
        raise QuietNavError(f'{what}: offset and bottom are 0 or more, width and height above 0')
    length = float(plan.wall_lengths[panel.wall])
    end, top = panel.offset + panel.width, panel.bottom + panel.height
    if end > length + 1e-6 or top > plan.height + 1e-6:
        raise QuietNavError(
            f'{what}: ends at {end:.2f} m of {length:.2f} m, {top:.2f} m of {plan.height:.2f} m '
            'up; it must fit its wall'
        )


def _check_furniture(plan: Plan, box: Furniture) -> None:
    what = f"furniture '{box.name}'"
    corners = np.asarray(box.footprint)
    if first_crossing(corners) or signed_area(corners) <= 0.0:
        raise QuietNavError(f'{what}: its footprint must run counter-clockwise without crossing')
    if not 0.0 < box.height <= plan.height:
        raise QuietNavError(f'{what}: height {box.height:g} m is not in the room')
    inward = corners + 1e-6 * (corners.mean(axis=0) - corners)
    if not np.all(points_inside(inward, plan.corners)):
        raise QuietNavError(f'{what} is not all inside the walls')


def _check_track(plan: Plan, track: Track) -> None:
    what = f"track '{track.name}'"
    if track.side not in (Side.LEFT, Side.RIGHT):
        raise QuietNavError(f'{what}: side is LEFT or RIGHT, not {track.side.name}')
    if min(track.legs_m) <= 0.0 or track.width <= 2.0 * ROBOT_RADIUS_M:
        raise QuietNavError(f'{what}: legs must have a length and the width room for a robot')
    away = plan.wall_distance(track.wall_line)
    if np.max(away) > TRACK_WALL_TOLERANCE_M:
        farthest = track.wall_line[int(np.argmax(away))]
        raise QuietNavError(
            f'{what}: its {track.side.name.lower()} edge at {_at(farthest)} is '
            f'{np.max(away):.2f} m from the nearest wall; it must run along one'
        )
    for start in track.starts():
        if plan.collides(start.pose):
            raise QuietNavError(
                f'{what}: start pose {_at((start.pose.x, start.pose.y))} is outside, in furniture '
                f'or nearer than {ROBOT_RADIUS_M:g} m to a wall'
            )


def _at(point: np.ndarray | tuple[float, ...]) -> str:
    return '(' + ', '.join(f'{value:.2f}' for value in point) + ')'
