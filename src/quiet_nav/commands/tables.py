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

"""`quiet_nav tables`: the paper's experiments, trained and measured, as text, JSON and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    data: Annotated[
        Path, typer.Option(help='Folder that holds SFS-Static (and SFS-Dense, SFS-Motion).')
    ],
    names: Annotated[
        list[str] | None, typer.Argument(help='Experiments; without any they are listed.')
    ] = None,
    all_: Annotated[bool, typer.Option('--all', help='Every one that the data can serve.')] = False,
    small: Annotated[
        bool, typer.Option(help='The small recipes, minutes a network on two cores.')
    ] = False,
    out: Annotated[Path, typer.Option(help='Folder for networks, scores and tables.')] = Path(
        'tables'
    ),
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipes'.")] = None,
    sounds: Annotated[
        Path | None,
        typer.Option(help='Folder of event-* for distractors, or ESC-50. Default: synthetic ones.'),
    ] = None,
    imagenet: Annotated[
        Path | None, typer.Option(help="ResNet-18's ImageNet weights, for probes of images.")
    ] = None,
    rooms: Annotated[
        Path | None,
        typer.Option(help="Another such folder: its test rooms are judged, not the data's."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help='Of recipes and bootstrap.')] = 0,
    workers: Annotated[int, typer.Option(min=0, help='Networks at a time; 0: one a core.')] = 1,
    cluster: Annotated[str, typer.Option(help="A Dask scheduler's address, or 'local'.")] = '',
) -> None:
    """
    Make the paper's tables: train and measure; with the same OUT it goes on where it stopped.

    OUT receives NAME.txt, NAME.json and NAME.png of every experiment, and summary.txt: what the
    study must show, and whether it does.
    """
    from rich.console import Console

    from quiet_nav.files.opening import open_regular
    from quiet_nav.files.writing import refuse_no_room
    from quiet_nav.quiet_campus.lists import refuse_no_folder
    from quiet_nav.study.experiments import chosen, EXPERIMENTS
    from quiet_nav.study.files import write_study
    from quiet_nav.study.run import refuse_unserved, run_study, serving
    from quiet_nav.study.training import served, TaskRunner

    if not names and not all_:
        for one in EXPERIMENTS:
            print(f'{one.name:22} {one.source}: {one.title}')
        return
    # What can be wrong at once is said before torch is imported, which takes seconds.
    asked = chosen(names or [])
    for folder in filter(None, (data, rooms, sounds)):
        refuse_no_folder(folder)
    if imagenet is not None:
        open_regular(imagenet, f'--imagenet {imagenet}').close()
    refuse_no_room(out / 'summary.txt')
    recipe = 'small' if small else 'paper'
    runner = TaskRunner(
        data, recipe, epochs=epochs, seed=seed, events=sounds, imagenet=imagenet, rooms=rooms
    ).anywhere()
    errors = Console(stderr=True)
    if all_:
        asked, left = served(EXPERIMENTS, runner)
        for line in left:
            errors.print(f'left out: {line}', markup=False)
    asked = serving(asked, runner)
    if not all_:
        refuse_unserved(asked, runner)
    outcomes = run_study(
        asked,
        runner,
        out,
        workers=workers,
        cluster=cluster,
        seed=seed,
        tell=lambda text: errors.print(text, markup=False),
    )
    write_study(outcomes, out, Console(width=180))
