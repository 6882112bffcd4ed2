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

"""`quiet_nav train`: fit a detector, or a network of the paper's study, to recordings."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from quiet_nav.learning.recipe import Recipe
    from quiet_nav.learning.training import TrainingResult

DETECTOR = 'near-wall'
INPUTS = ('audio', 'image', 'both')


def main(
    task: Annotated[
        str,
        typer.Argument(
            help='near-wall, distance, order, ratio, conditional-distance, av-sync, av-order or '
            'locate.'
        ),
    ],
    data: Annotated[Path, typer.Option(help='Folder in the Quiet Campus layout.')],
    out: Annotated[Path, typer.Option(help='Folder for checkpoints and logs.')],
    input: Annotated[
        str, typer.Option(help="audio, image or both. Default: the task's or the recipe's first.")
    ] = '',
    recipe: Annotated[
        str,
        typer.Option(
            help='Name in config/learning or a YAML file; paper and small stand for those of the '
            'task (small_pair ...). Default: paper; for near-wall with --init fine_tune, the '
            "model's own network in it."
        ),
    ] = '',
    variant: Annotated[
        str, typer.Option(help='regression or classification (locate: later or together).')
    ] = '',
    probe: Annotated[
        bool, typer.Option('--probe', help='A linear layer on the frozen trunk that --trunk names.')
    ] = False,
    trunk: Annotated[
        str,
        typer.Option(
            help="Of which the trunks alone are taken: a checkpoint of any task, ResNet-18's "
            'ImageNet weights, or random.'
        ),
    ] = '',
    fraction: Annotated[
        float, typer.Option(min=0.0, max=1.0, help='Share of the training rooms that is used.')
    ] = 1.0,
    init: Annotated[
        Path | None,
        typer.Option(
            help='Checkpoint of the same task to start from (fine-tuning); for near-wall also an '
            "ONNX model or ResNet-18's ImageNet weights (with --recipe)."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    stop_after: Annotated[
        int | None,
        typer.Option(min=1, help='Stop a near-wall training after so many epochs of its schedule.'),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="Instead of the recipe's: auto (bfloat16 where the device has units for it, else "
            'float32), 32-true or bf16-mixed.'
        ),
    ] = '',
    accelerator: Annotated[str, typer.Option(help="Lightning's: auto, cpu, gpu ...")] = 'auto',
    devices: Annotated[str, typer.Option(help="Lightning's: auto, a number or a list.")] = 'auto',
    num_nodes: Annotated[int, typer.Option(min=1, help='Machines that train together.')] = 1,
    progress: Annotated[bool, typer.Option(help='Show a progress bar.')] = True,
) -> None:
    """
    Train a network on recordings; run again with the same OUT, it goes on where it stopped.

    OUT receives best.ckpt (best in validation), last.ckpt, result.json and a TensorBoard log.
    """
    from quiet_nav.errors import QuietNavError
    from quiet_nav.files.opening import open_regular
    from quiet_nav.files.writing import nothing_cut, refuse_no_room
    from quiet_nav.learning.detectors.kinds import KINDS
    from quiet_nav.learning.recipe import load_recipe, PRECISIONS, recipe_file, refuse_bad_recipe
    from quiet_nav.quiet_campus.lists import refuse_no_folder
    from quiet_nav.study.tasks import refuse_unknown
    from quiet_nav.study.tasks.options import KIND, RANDOM

    # What can be wrong at once is said before torch is imported, which takes seconds.
    refuse_unknown(task)
    refuse_no_folder(data)
    refuse_no_room(out / 'last.ckpt')
    if input not in ('', *INPUTS):
        raise QuietNavError(f'--input {input}: expected one of {", ".join(INPUTS)}')
    if precision and precision not in PRECISIONS:
        raise QuietNavError(f'--precision {precision}: expected one of {", ".join(PRECISIONS)}')
    if recipe:
        refuse_bad_recipe(recipe, (*KINDS, KIND))
    if init is not None and trunk:
        raise QuietNavError('--init and --trunk: one of them')
    if init is not None:
        open_regular(init, f'--init {init}').close()
    if trunk and trunk != RANDOM:
        open_regular(Path(trunk), f'--trunk {trunk}').close()
    number = _devices(devices)

    from quiet_nav.learning.checkpoints import of_study
    from quiet_nav.learning.training import Devices, train

    changes = {'probe': probe} if probe else {}
    changes |= {'fraction': fraction} if fraction < 1.0 else {}
    study = task != DETECTOR or bool(changes or variant or trunk or input == 'both')
    if not study and recipe:
        study = load_recipe(recipe_file(recipe)).network.kind == 'task'
    elif not study and init is not None:
        study = of_study(init)
    how = {'devices': Devices(accelerator, number, num_nodes), 'progress': progress}

    def settled(chosen: Recipe) -> Recipe:
        if seed is not None:
            chosen = dataclasses.replace(chosen, seed=seed)
        changed: dict[str, object] = {} if epochs is None else {'epochs': epochs}
        changed |= {'precision': precision} if precision else {}
        return dataclasses.replace(chosen, optim=dataclasses.replace(chosen.optim, **changed))

    if not study:
        chosen = settled(_detector_recipe(input, recipe, init))
        with nothing_cut(out):
            found = train(chosen, data, out, init=init, limit_epochs=stop_after, **how)
        _say(found)
        return

    from quiet_nav.study.tasks import get_task
    from quiet_nav.study.tasks.options import with_options
    from quiet_nav.study.tasks.run import like_trunk, recipe_for, train_task

    found = get_task(task, variant, input)
    chosen = with_options(recipe_for(found, recipe or 'paper', probe), **changes)
    if not recipe and init is not None:
        chosen = like_trunk(chosen, init)
    if trunk and trunk != RANDOM:
        chosen = like_trunk(chosen, trunk)
    with nothing_cut(out):
        made = settled(chosen)
        result = train_task(found, made, data, out, init=init, trunk=trunk or None, **how)
    _say(result)


def _devices(text: str) -> str | int:
    """Return devices as Lightning takes them."""
    from quiet_nav.errors import QuietNavError

    if text == 'auto':
        return text
    parts = text.split(',')
    if not all(part.strip().isdecimal() for part in parts if part) or not any(parts):
        raise QuietNavError(f'--devices {text}: expected auto, a number or a list as 0,2')
    return int(text) if len(parts) == 1 else text


def _detector_recipe(input: str, recipe: str, init: Path | None) -> Recipe:
    """Return the recipe of a near-wall detector; QuietNavError where it takes another input."""
    from quiet_nav.errors import QuietNavError
    from quiet_nav.learning.checkpoints import starting_point
    from quiet_nav.learning.detectors.kinds import kind_of
    from quiet_nav.learning.recipe import load_recipe, recipe_file

    usual = {'': 'paper', 'audio': 'paper', 'image': 'paper_image'}
    chosen = load_recipe(recipe_file(recipe or ('fine_tune' if init else usual[input])))
    if init and not recipe:
        start = starting_point(init)
        own = start.network
        merged = (
            {**chosen.network.options, **own.options}
            if own.kind in ('context', 'near_wall')
            else {}
        )
        chosen = dataclasses.replace(chosen, network=dataclasses.replace(own, options=merged))
        if start.image_size is not None:
            image = dataclasses.replace(chosen.image, size=start.image_size)
            chosen = dataclasses.replace(chosen, image=image)
    takes = kind_of(chosen).input
    if input not in ('', takes):
        raise QuietNavError(
            f'--input {input}: recipe {chosen.name} is for a network of kind '
            f'{chosen.network.kind}, which takes {takes}'
        )
    return chosen


def _say(result: TrainingResult) -> None:
    names = {'val/ap': 'AP', 'val/mae': 'mean absolute error', 'val/accuracy': 'accuracy'}
    print(
        f'{result.best}: validation {names[result.figure]} {result.val_score:.3f} after '
        f'{result.epochs} epochs on {result.train_rows} examples, {result.hours * 60:.1f} min'
    )
