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

"""`quiet_nav reality`: the simulator held against what others measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    measured_room: Annotated[
        Path | None,
        typer.Option(
            help='R3VIVAL (github.com/facebookresearch/R3VIVAL, CC BY 4.0): its folder, or the '
            'compact .npz.'
        ),
    ] = None,
    epuck: Annotated[
        Path | None,
        typer.Option(
            help='Folder 2021_07_27_epuck_wall of github.com/LCAV/audio-localization-dataset '
            '(CC0), or the compact .npz.'
        ),
    ] = None,
    panels: Annotated[
        int, typer.Option(help="How many per cent of the room's panels are turned to absorb.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help='Of halves of the places and intervals.')] = 0,
    json: Annotated[Path | None, typer.Option(help='Write the figures to this file.')] = None,
    plots: Annotated[Path | None, typer.Option(help='Write drawings to this folder.')] = None,
    overwrite: Annotated[bool, typer.Option(help='Replace files that are there.')] = False,
) -> None:
    """Say how near simulated rooms come to a measured room, and to a real robot at a real wall."""
    from rich.console import Console

    from quiet_nav.errors import QuietNavError
    from quiet_nav.evaluation.reality import measurements
    from quiet_nav.files.writing import refuse_existing, whole_file, write_json

    if measured_room is None and epuck is None:
        raise QuietNavError('give --measured-room PATH, --epuck PATH, or both')
    room = measurements.load_measured_room(measured_room, panels) if measured_room else None
    wall = measurements.load_epuck_wall(epuck) if epuck else None
    if json is not None:
        refuse_existing(json, overwrite)
    console, said = Console(), {}
    # A table cut to 80 columns in a pipe or a log would lose its figures.
    console.width = console.width if console.is_terminal else 180
    if room is not None:
        from quiet_nav.evaluation.reality import report
        from quiet_nav.evaluation.reality.room import room_report
        from quiet_nav.evaluation.reality.room import said as room_said

        with Console(stderr=True).status('measured room') as status:
            found = room_report(room, seed, status.update)
        for table in report.room_tables(found):
            console.print(table)
        console.print(f'Measured: {measurements.ROOM_CREDIT}')
        said['room'] = room_said(found)
        if plots is not None:
            with whole_file(plots / 'measured_room.png', overwrite) as part:
                report.draw_room(part, found)
    if wall is not None:
        from quiet_nav.evaluation.reality import report
        from quiet_nav.evaluation.reality.wall import wall_report

        at_wall = wall_report(wall, seed)
        console.print(report.wall_table(at_wall))
        console.print(f'Measured: {measurements.EPUCK_CREDIT}')
        said['wall'] = report.wall_said(at_wall)
        if plots is not None:
            with whole_file(plots / 'epuck_wall.png', overwrite) as part:
                report.draw_wall(part, at_wall)
    if json is not None:
        write_json(json, said, overwrite)
