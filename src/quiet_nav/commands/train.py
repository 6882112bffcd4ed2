"""`quiet_nav train`: fit a detector to recordings, simulated or real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TASKS = ('near-wall',)


def main(
    task: Annotated[str, typer.Argument(help='near-wall.')],
    data: Annotated[Path, typer.Option(help='Folder in the Quiet Campus layout.')],
    out: Annotated[Path, typer.Option(help='Folder for checkpoints and logs.')],
    input: Annotated[
        str, typer.Option(help="audio or image. Default: what the recipe's network takes.")
    ] = '',
    recipe: Annotated[
        str,
        typer.Option(
            help='Name in config/learning or a YAML file. Default: paper (paper_image); with '
            "--init fine_tune, the model's own network in it."
        ),
    ] = '',
    init: Annotated[
        Path | None,
        typer.Option(
            help='Checkpoint or ONNX model to start from (fine-tuning); for images also '
            "ResNet-18's ImageNet weights (with --recipe)."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    accelerator: Annotated[str, typer.Option(help="Lightning's: auto, cpu, gpu ...")] = 'auto',
    devices: Annotated[str, typer.Option(help="Lightning's: auto, a number or a list.")] = 'auto',
    num_nodes: Annotated[int, typer.Option(min=1, help='Machines that train together.')] = 1,
    progress: Annotated[bool, typer.Option(help='Show a progress bar.')] = True,
) -> None:
    """Train a network on recordings; run again with the same OUT, it goes on where it stopped.

    OUT receives best.ckpt (highest validation AP), last.ckpt, result.json and a TensorBoard log.
    """
    import dataclasses

    from quiet_nav.errors import QuietNavError
    from quiet_nav.learning.checkpoints import network_of
    from quiet_nav.learning.kinds import kind_of
    from quiet_nav.learning.recipe import load_recipe, recipe_file
    from quiet_nav.learning.training import train

    if task not in TASKS:
        raise QuietNavError(f'task {task!r} is none of {", ".join(TASKS)}')
    usual = {'': 'paper', 'audio': 'paper', 'image': 'paper_image'}
    if input not in usual:
        raise QuietNavError(f'input {input!r} is none of audio, image')
    chosen = load_recipe(recipe_file(recipe or ('fine_tune' if init else usual[input])))
    if init and not recipe:
        own = network_of(init)
        merged = {**chosen.network.options, **own.options} if own.kind == 'context' else {}
        chosen = dataclasses.replace(chosen, network=dataclasses.replace(own, options=merged))
    takes = kind_of(chosen).input
    if input not in ('', takes):
        raise QuietNavError(
            f'--input {input}: recipe {chosen.name} is for a network of kind '
            f'{chosen.network.kind}, which takes {takes}'
        )
    if seed is not None:
        chosen = dataclasses.replace(chosen, seed=seed)
    if epochs is not None:
        optim = dataclasses.replace(chosen.optim, epochs=epochs)
        chosen = dataclasses.replace(chosen, optim=optim)
    result = train(
        chosen,
        data,
        out,
        init=init,
        accelerator=accelerator,
        devices=devices if devices == 'auto' or ',' in devices else int(devices),
        num_nodes=num_nodes,
        progress=progress,
    )
    print(
        f'{result.best}: validation AP {result.val_ap:.3f} after {result.epochs} epochs on '
        f'{result.train_rows} examples, {result.hours * 60:.1f} min'
    )
