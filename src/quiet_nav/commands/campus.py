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

"""`quiet_nav campus`: write a simulated data set in the Quiet Campus layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    out: Annotated[Path, typer.Argument(help='Folder to write; SFS-Static (...) appears in it.')],
    kind: Annotated[
        str, typer.Option(help='static, dense, motion, robot, views or transfers.')
    ] = 'static',
    rooms: Annotated[int, typer.Option(min=1, help='How many (motion: recordings).')] = 46,
    seed: Annotated[int, typer.Option(min=0, help='Of everything that is drawn.')] = 0,
    workers: Annotated[int, typer.Option(min=0, help='Processes; 0: one a core.')] = 0,
    images: Annotated[bool, typer.Option(help='Write RGB and depth images, too.')] = True,
    sounds: Annotated[
        Path | None,
        typer.Option(help='Folder of ambient-* and event-* recordings that some sources play.'),
    ] = None,
    rig: Annotated[
        str, typer.Option(help='Rig of --kind robot: a name in config/rigs or a file.')
    ] = 'trio',
    distractors: Annotated[
        float, typer.Option(help='Share of places with a distractor event.')
    ] = 0.0,
    distractor_snr: Annotated[float, typer.Option(help='Ambience over distractor, dB.')] = 0.0,
    steady: Annotated[bool, typer.Option(help='No source drifts, starts or stops.')] = False,
    motor: Annotated[
        bool, typer.Option(help="A robot's own noise is heard in --kind motion.")
    ] = False,
    test_only: Annotated[
        bool, typer.Option(help='Every room in the test lists: rooms to judge on alone.')
    ] = False,
    camera_height: Annotated[
        float, typer.Option(help="Of the robot's camera in --kind views, m.")
    ] = 0.3,
    facing_within: Annotated[
        float, typer.Option(help='How obliquely the camera of --kind views faces a wall, degrees.')
    ] = 70.0,
    directional: Annotated[
        bool,
        typer.Option(
            help='The microphone of --kind dense is a cardioid that faces as the recorder '
            "does, as the paper's; else it hears all around."
        ),
    ] = False,
    cut: Annotated[
        float, typer.Option(help='Share of rooms that lose a corner: L-shaped, or cut off.')
    ] = 0.0,
    hard: Annotated[
        float, typer.Option(help='Share of rooms whose walls, floor and ceiling are all hard.')
    ] = 0.0,
    most_sources: Annotated[
        int, typer.Option(help='Sound sources in a room, at most: 1 to so many.')
    ] = 5,
    plain: Annotated[
        bool,
        typer.Option(
            help='Bare rooms, flat microphones, ears where the rig says, and the official gap in '
            'distances: what the first figures rest on.'
        ),
    ] = False,
    own_sound: Annotated[
        float, typer.Option(help="Share of rooms in which a robot's own sound is heard.")
    ] = 0.0,
    own_level: Annotated[
        tuple[float, float],
        typer.Option(help='Of own sound at the ears over the ambience, dB: least and most.'),
    ] = (-5.0, 20.0),
    silent_rooms: Annotated[
        float, typer.Option(help='Share of rooms without ambience: the robot is heard alone.')
    ] = 0.0,
    robot: Annotated[
        str,
        typer.Option(
            help='Profile of the robots that are heard: a name in config/robots, a .sound.yaml '
            'file, or "drawn": of any make.'
        ),
    ] = 'drawn',
    waves: Annotated[
        float,
        typer.Option(help='Share of rooms whose band below 700 Hz is solved by waves; slower.'),
    ] = 0.0,
    cluster: Annotated[str, typer.Option(help="A Dask scheduler's address, or 'local'.")] = '',
) -> None:
    """
    Simulate rooms and write what microphones and cameras in them record.

    Stopped and started again, it goes on where it stopped; the files are the same byte for byte.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from quiet_nav import resources
    from quiet_nav.simulation.campus.build import make_campus
    from quiet_nav.simulation.campus.request import CampusRequest
    from quiet_nav.simulation.sound.robot_profile import profile_path

    request = CampusRequest(
        kind=kind,
        rooms=rooms,
        seed=seed,
        images=images,
        sounds=str(sounds) if sounds else '',
        rig=str(resources.find(resources.RIG, rig).resolve())
        if kind in ('robot', 'transfers')
        else '',
        distractors=distractors,
        distractor_snr_db=distractor_snr,
        steady=steady,
        camera_height=camera_height,
        facing_within_deg=facing_within,
        motor=motor,
        directional=directional,
        test_only=test_only,
        cut=cut,
        hard=hard,
        most_sources=most_sources,
        # Images alone have no sound that could be plain.
        plain=plain or kind == 'views',
        own_sound=own_sound,
        own_level_db=own_level,
        silent_rooms=silent_rooms,
        robot='' if robot == 'drawn' else str(profile_path(robot).resolve()),
        waves=waves,
    )
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f'{kind} rooms', total=rooms)
        root = make_campus(
            request,
            out,
            workers,
            cluster,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(root)
