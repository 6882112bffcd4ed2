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

"""`quiet_nav draw-view`: RViz's view of a bag as a picture, from its messages, without RViz."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    bag: Annotated[Path, typer.Argument(help='rosbag2 folder or ROS 1 .bag.')],
    out: Annotated[Path, typer.Option(help='PNG, SVG or PDF.')] = Path('view.png'),
    map_out: Annotated[
        Path | None, typer.Option('--map', help='Draw the near-wall map there, too.')
    ] = None,
    at: Annotated[
        float | None, typer.Option(min=0.0, help='Seconds of the bag; default: its end.')
    ] = None,
    rig: Annotated[
        str, typer.Option(help='Rig by name (config/rigs) or a YAML; default: by the sides heard.')
    ] = '',
    base_frame: Annotated[str, typer.Option(help='Frame of the robot.')] = 'base_link',
    title: Annotated[str, typer.Option(help='Title of the picture.')] = '',
    overwrite: Overwrite = False,
) -> None:
    """Draw markers, near-wall map, path and frames from above, as quiet_nav.rviz shows them."""
    from quiet_nav.errors import QuietNavError
    from quiet_nav.evaluation.plots import check_picture, near_wall_map
    from quiet_nav.files.writing import refuse_existing
    from quiet_nav.view.bag import look_into, rig_of
    from quiet_nav.view.picture import draw, look

    wanted = [path for path in (out, map_out) if path is not None]
    for path in wanted:
        check_picture(path)
    refuse_existing(wanted, overwrite)
    view = look_into(bag)
    scene = look(view, rig_of(view, rig), base_frame, at)
    count = draw(out, scene, title)
    print(f'{out}: {count} markers, path of {len(scene.path)} poses')
    if map_out is not None:
        if scene.grid is None:
            raise QuietNavError(f'bag {bag}: no near-wall map: no valid reading could be placed')
        near_wall_map(map_out, scene.grid, title)
        print(map_out)
