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

"""`quiet_nav evaluate`: how good a model is on labeled recordings, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    model: Annotated[
        Path, typer.Argument(help="ONNX model, or the checkpoint (.ckpt) of a task's training.")
    ],
    data: Annotated[Path, typer.Option(help='Folder in the Quiet Campus layout.')],
    split: Annotated[str, typer.Option(help='train, val or test.')] = 'test',
    lists: Annotated[Path | None, typer.Option(help='Folder of lists kept elsewhere.')] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            help='alone, reference, other_ears, both; again for more. Default: all that the '
            'recordings have.'
        ),
    ] = None,
    image_model: Annotated[
        Path | None, typer.Option(help="Vision model to judge on the same places' images.")
    ] = None,
    distractors: Annotated[
        str,
        typer.Option(
            help='Events over the ambience, by level (A.7): "synthetic", a folder of event-* '
            'sounds, or ESC-50 as published.'
        ),
    ] = '',
    bands: Annotated[bool, typer.Option(help='By frequency band kept (Fig. 8).')] = True,
    clips: Annotated[
        int, typer.Option(min=1, help='Clips a window; 1 is the protocol of the paper.')
    ] = 20,
    json: Annotated[Path | None, typer.Option(help='Write every figure to this file.')] = None,
    plots: Annotated[Path | None, typer.Option(help='Folder for reliability and PR plots.')] = None,
    seed: Annotated[int, typer.Option(min=0, help='Of bootstrap and distractors.')] = 0,
    threads: Annotated[int, typer.Option(min=1, help='Threads of onnxruntime.')] = 2,
    overwrite: Overwrite = False,
) -> None:
    """
    Print AP, accuracy and more with 95 % intervals, the paper's figures beside them.

    A checkpoint is judged by the figures of the task that it was trained for, beside chance and
    the best answer without any input; so are the authors' order and AV-Order networks.
    """
    from rich.console import Console

    from quiet_nav.evaluation.predictors import load_predictor, PAIR_KINDS, read_metadata
    from quiet_nav.files.opening import open_regular
    from quiet_nav.files.writing import refuse_existing, write_json
    from quiet_nav.perception.readings import parse_context
    from quiet_nav.quiet_campus.lists import known_split, refuse_no_folder

    # What can be wrong at once is said before anything is read, or torch imported.
    refuse_existing([json] if json is not None else [], overwrite)
    refuse_existing(sorted(plots.glob('*.png')) if plots is not None else [], overwrite)
    kind = '' if model.suffix == '.ckpt' else read_metadata(model).kind
    if model.suffix == '.ckpt':
        open_regular(model, f'checkpoint {model}').close()
    if image_model is not None:
        read_metadata(image_model)
    refuse_no_folder(data)
    known_split(split)
    contexts = [parse_context(text) for text in context] if context else None
    draw = None
    if distractors:
        from quiet_nav.learning.augment import DistractorBank

        draw = DistractorBank.of(distractors).draw
    if model.suffix == '.ckpt' or kind in PAIR_KINDS:
        _evaluate_task(
            _TaskRequest(model, kind, data, split, lists, distractors, seed, threads),
            json,
            overwrite,
        )
        return

    from quiet_nav.evaluation.image_predictor import ImagePredictor, with_images
    from quiet_nav.evaluation.report import evaluate
    from quiet_nav.evaluation.tables import full
    from quiet_nav.quiet_campus.lists import image_rows, load_splits
    from quiet_nav.quiet_campus.rows import with_distance

    predictor = load_predictor(model, threads, clips)
    sees = isinstance(predictor, ImagePredictor)
    needs = ('image',) if sees else ('audio', 'image') if image_model else ('audio',)
    listed = load_splits(data, lists=lists, needs=needs)[split]
    rows = [with_distance(row) for row in (image_rows(listed) if sees else listed)]
    errors = Console(stderr=True)
    with errors.status('reading') as status:
        report = evaluate(
            predictor,
            rows,
            contexts=contexts,
            distractor=draw,
            bands=bands and not sees,
            model=model.name,
            data=f'{data.name} {split}',
            seed=seed,
            progress=status.update,
        )
        if image_model is not None:
            status.update('images')
            report = with_images(report, image_model, rows, threads, seed)
    console = Console()
    # A table cut to 80 columns in a pipe or a log would lose its figures.
    console.width = console.width if console.is_terminal else 160
    console.print(full(report))
    if json is not None:
        write_json(json, report.to_json(), overwrite, indent=2)
    if plots is not None:
        _plot(plots, rows, report)


@dataclass(frozen=True)
class _TaskRequest:
    """A network of a task, and what it is judged on."""

    #: A checkpoint, or an ONNX file of a pair of places.
    model: Path
    #: Of the ONNX file; '' for a checkpoint.
    kind: str
    #: Folder in the Quiet Campus layout.
    data: Path
    #: train, val or test.
    split: str
    #: Folder of lists kept elsewhere: none can be.
    lists: Path | None
    #: Events over the ambience; '' for none.
    distractors: str
    #: Of bootstrap and distractors.
    seed: int
    #: Of onnxruntime.
    threads: int


def _evaluate_task(asked: _TaskRequest, json: Path | None, overwrite: bool) -> None:
    import functools

    from rich.console import Console

    from quiet_nav.errors import QuietNavError

    if asked.lists is not None:
        raise QuietNavError(
            '--lists is for near-wall ONNX models; put the lists into data-split of the data'
        )

    from quiet_nav.evaluation.report import SNRS_DB
    from quiet_nav.files.writing import write_json
    from quiet_nav.study.scores import score
    from quiet_nav.study.tables import report_table
    from quiet_nav.study.tasks import imported, run

    ask = functools.partial(run.predict, asked.model)
    if asked.kind:
        ask = functools.partial(imported.predict, asked.model, asked.kind, threads=asked.threads)
    levels: list[float | None] = [None, *(SNRS_DB if asked.distractors else ())]
    console, found = Console(), []
    console.width = console.width if console.is_terminal else 160
    of = f'{asked.data.name} {asked.split}'
    for snr in levels:
        folder = None if snr is None else asked.distractors
        said = ask(asked.data, asked.split, asked.seed, distractors=folder, snr_db=snr or 0.0)
        report = score(said, asked.seed)
        where = '' if snr is None else f', events {-snr:g} dB over the ambience'
        title = f'{report.task} on {of}{where}: {report.rows} rows'
        console.print(report_table(report, f'{title} in {report.rooms} rooms'))
        found.append({'snr_db': snr, **report.to_json()})
    if json is not None:
        content = {'model': asked.model.name, 'data': of, 'reports': found}
        write_json(json, content, overwrite, indent=2)


def _plot(folder: Path, rows: list, report) -> None:
    import numpy as np

    from quiet_nav.evaluation import plots

    labels = np.array([bool(row.near) for row in rows if row.near is not None])
    curves = {
        name: (found.near, labels)
        for name, found in report.predictions.items()
        if len(found.near) == len(labels)
    }
    plots.precision_recall(folder / 'precision_recall.png', curves)
    for name, (near, _) in curves.items():
        plots.reliability(folder / f'reliability_{name.replace(" ", "_")}.png', near, labels)
