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

"""How Rerun lays out what is shown: space at the left, what changes over time at the right."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from quiet_nav.geometry import Side

#: Okabe and Ito's colors, safe for every color vision, one a side.
SIDE_COLORS: dict[Side, tuple[int, int, int]] = {
    Side.LEFT: (86, 180, 233),
    Side.RIGHT: (230, 159, 0),
    Side.FRONT: (0, 158, 115),
    Side.BACK: (204, 121, 167),
}
BACKGROUND = (32, 33, 36)
#: Width and height of a spectrum, in units of its view.
SPECTRUM_SIZE = (400.0, 250.0)
_IN_SPACE = ('robot', 'ears', 'trace', 'path', 'map', 'room')


def layout(root: str, has: Collection[str], live: bool = False) -> Any:
    """
    Return the blueprint of what there is.

    root: the frame that everything in space is shown in. has: 'readings', 'wall', 'camera',
    'sound', 'reasons'; views of what is not there are left out. live: the newest is followed.
    """
    import rerun.blueprint as rrb

    space = rrb.Spatial3DView(
        origin='/',
        contents=[f'+ /{part}/**' for part in _IN_SPACE],
        name='Walls that are heard',
        spatial_information=rrb.SpatialInformation(target_frame=root, show_axes=False),
        background=BACKGROUND,
        line_grid=rrb.LineGrid3D(visible=True, spacing=1.0, color=(70, 72, 78)),
        eye_controls=rrb.EyeControls3D(
            position=(-1.5, -2.5, 3.5),
            look_target=(1.0, 0.5, 0.0),
            eye_up=(0.0, 0.0, 1.0),
            tracking_entity='/robot/body',
        ),
    )
    over_time: list[Any] = []
    if 'readings' in has:
        over_time.append(
            rrb.TimeSeriesView(
                contents=['/probability/**'],
                name='Probability of a wall within 0.5 m',
                axis_y=rrb.ScalarAxis(range=(0.0, 1.0), zoom_lock=True),
            )
        )
    if 'readings' in has or 'wall' in has:
        over_time.append(
            rrb.TimeSeriesView(
                contents=['/distance/**'],
                name='Distance to the wall, m',
                axis_y=rrb.ScalarAxis(range=(0.0, 2.0)),
            )
        )
    if 'sound' in has:
        over_time.append(
            rrb.Horizontal(
                rrb.Spatial2DView(
                    origin='/spectrum',
                    name='Spectrum, dBFS by Hz',
                    background=BACKGROUND,
                    visual_bounds=rrb.VisualBounds2D(
                        x_range=(-0.12 * SPECTRUM_SIZE[0], 1.05 * SPECTRUM_SIZE[0]),
                        y_range=(-1.05 * SPECTRUM_SIZE[1], 0.12 * SPECTRUM_SIZE[1]),
                    ),
                ),
                rrb.TimeSeriesView(
                    contents=['/level/**'],
                    name='Level, dBFS',
                    axis_y=rrb.ScalarAxis(range=(-100.0, 0.0)),
                ),
            )
        )
    below: list[Any] = []
    if 'camera' in has:
        below.append(rrb.Spatial2DView(origin='/camera', name='Camera'))
    if 'reasons' in has:
        below.append(
            rrb.TextLogView(
                origin='/reasons',
                name='Why there is no reading',
            )
        )
    if below:
        over_time.append(below[0] if len(below) == 1 else rrb.Horizontal(*below))
    views = rrb.Horizontal(space, rrb.Vertical(*over_time), column_shares=[3, 2])
    return rrb.Blueprint(
        views if over_time else space,
        rrb.BlueprintPanel(state='hidden'),
        rrb.SelectionPanel(state='hidden'),
        rrb.TimePanel(
            state='collapsed', timeline='stamp', play_state='following' if live else 'playing'
        ),
        auto_views=False,
        auto_layout=False,
    )
