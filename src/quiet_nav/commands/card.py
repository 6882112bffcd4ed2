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

"""`quiet_nav card`: measure a model on a campus and write its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    model: Annotated[Path, typer.Argument(help='ONNX model with context, of clips, or of images.')],
    out: Annotated[Path, typer.Option(help='Markdown file to write; a .json goes beside it.')],
    data: Annotated[
        Path | None,
        typer.Option(
            help='Campus with SFS-Static and SFS-Robot, or SFS-Views; not needed for --own-sound.'
        ),
    ] = None,
    rooms: Annotated[
        Path | None,
        typer.Option(help='Another campus, all rooms of which are tested. Default: test rooms.'),
    ] = None,
    wider: Annotated[
        Path | None,
        typer.Option(help="Robots' rooms of more shapes and materials, all tested (sound alone)."),
    ] = None,
    own_sound: Annotated[
        int,
        typer.Option(
            min=0, help='Rooms in which the robot is heard at every level, rendered for this.'
        ),
    ] = 0,
    beside: Annotated[
        Path | None, typer.Option(help='Another model that is measured in the same rooms, too.')
    ] = None,
    own_sound_seed: Annotated[int, typer.Option(min=0, help='Of these rooms.')] = 9401,
    about: Annotated[
        Path | None, typer.Option(help='Markdown that goes before the figures.')
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the card of a model: its figures on test rooms, boosted trees beside."""
    from rich.console import Console

    from quiet_nav.errors import QuietNavError
    from quiet_nav.evaluation.card import measure, Measured, tables, to_json
    from quiet_nav.evaluation.clip_card import measure_clips
    from quiet_nav.evaluation.image_card import measure_images
    from quiet_nav.evaluation.own_sound import measure_own_sound
    from quiet_nav.files.opening import read_text
    from quiet_nav.files.writing import refuse_existing, write_file
    from quiet_nav.perception.model_file import open_model

    refuse_existing([out, out.with_suffix('.json')], overwrite)
    if data is None and not own_sound:
        raise QuietNavError('a card needs --data, recordings to measure on, or --own-sound')
    metadata = open_model(model).metadata
    before = read_text(about) if about else f'# {model.name}\n'
    refused = ''
    with Console(stderr=True).status('measuring') as status:
        measured: list[Measured] = []
        if data is not None and metadata.modality == 'vision':
            found = measure_images(model, data, rooms, status.update)
            measured = found.measured
            refused = (
                f'{100 * found.refused:.1f} % of the {found.images} images would be refused on a '
                'robot (dark, covered, blurred ...); the figures count them all.\n\n'
            )
        elif data is not None and metadata.kind == 'vggish':
            measured = measure_clips(model, data, rooms, status.update)
        elif data is not None:
            measured = measure(model, data, rooms, wider, status.update)
        if own_sound:
            models = [model] if beside is None else [model, beside]
            measured += measure_own_sound(
                models, own_sound, own_sound_seed, status.update, trees=2 * own_sound
            )
    kept = {key: value for key, value in metadata.extra.items() if key != 'seed'}
    fitted = '\n'.join(f'- {key}: {value}' for key, value in kept.items())
    text = (
        f'{before.rstrip()}\n\n## Figures\n\n{refused}{tables(measured)}\n## Metadata\n\n{fitted}\n'
    )
    write_file(out, text, overwrite)
    write_file(out.with_suffix('.json'), to_json(measured), overwrite)
    print(f'{out}: {len(measured)} measurements')
