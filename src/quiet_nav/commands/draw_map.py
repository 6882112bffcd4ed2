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

"""`quiet_nav draw-map`: a picture of a map that probability_map saved, or of dense recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    source: Annotated[
        Path,
        typer.Argument(help="A map's YAML file, or a folder of dense recordings (SFS-Dense)."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help='PNG, SVG or PDF; default: beside the map as PNG, of a room near_wall_ROOM.png.'
        ),
    ] = None,
    title: Annotated[str, typer.Option(help='Title of the picture.')] = '',
    detector: Annotated[
        str,
        typer.Option(
            '--detector', '--model', help='Of dense recordings: a model that ships, or ONNX file.'
        ),
    ] = 'vggish',
    room: Annotated[
        str, typer.Option(help='Of dense recordings: which room; its first by default.')
    ] = '',
    walls: Annotated[
        str,
        typer.Option(
            help='Floor plan whose walls are drawn: a room that ships or a YAML file, in the frame '
            "of the map. A simulated campus's own are drawn without."
        ),
    ] = '',
    overwrite: Overwrite = False,
) -> None:
    """Draw the mean near-wall probability over the floor (the paper's Fig. 6)."""
    from quiet_nav.evaluation.plots import check_picture, near_wall_map
    from quiet_nav.files.writing import refuse_existing
    from quiet_nav.perception.maps.files import load_map
    from quiet_nav.simulation.rooms.plan_files import load_plan

    dense = source.is_dir()
    if out is not None:
        check_picture(out)
        refuse_existing(out, overwrite)
    corners = load_plan(walls).footprint if walls else None
    if not dense:
        path = out or source.with_suffix('.png')
        refuse_existing(path, overwrite)
        near_wall_map(path, load_map(source), title, overwrite, walls=corners)
        print(path)
        return

    from quiet_nav.errors import QuietNavError
    from quiet_nav.evaluation.dense_map import dense_map, dense_rooms
    from quiet_nav.evaluation.predictors import load_predictor
    from quiet_nav.resources import model_file

    rooms = dense_rooms(source)
    chosen = room or next(iter(rooms))
    if chosen not in rooms:
        raise QuietNavError(f'{source}: no room {chosen}; rooms: {", ".join(rooms)}')
    path = out or Path(f'near_wall_{chosen}.png')
    check_picture(path)
    refuse_existing(path, overwrite)
    model = model_file(detector)
    found = dense_map(rooms[chosen], load_predictor(model))
    named = title or f'{chosen}, {model.stem}: {found.recordings} recordings'
    drawn = found.walls if corners is None else corners
    near_wall_map(path, found.grid, named, overwrite, walls=drawn, numbers=True)
    edge, inside = found.edge_and_inside
    print(f'{chosen}: mean P {edge:.2f} in cells at the edge, {inside:.2f} inside')
    print(path)
