"""`quiet_nav card`: measure a model on a campus and write its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[Path, typer.Argument(help='ONNX model with context.')],
    data: Annotated[Path, typer.Option(help='Campus with SFS-Static and SFS-Robot.')],
    out: Annotated[Path, typer.Option(help='Markdown file to write; a .json goes beside it.')],
    rooms: Annotated[
        Path | None,
        typer.Option(help='Another campus, all rooms of which are tested. Default: test rooms.'),
    ] = None,
    about: Annotated[
        Path | None, typer.Option(help='Markdown that goes before the figures.')
    ] = None,
) -> None:
    """Write the card of a model: its figures on test rooms, boosted trees beside."""
    from rich.console import Console

    from quiet_nav.evaluation.card import measure, tables, to_json
    from quiet_nav.perception.detector import NearWallDetector

    metadata = NearWallDetector.load(model).model.metadata
    with Console(stderr=True).status('measuring') as status:
        measured = measure(model, data, rooms, status.update)
    text = about.read_text() if about else f'# {model.name}\n'
    fitted = '\n'.join(f'- {key}: {value}' for key, value in metadata.extra.items())
    text = f'{text.rstrip()}\n\n## Figures\n\n{tables(measured)}\n## Metadata\n\n{fitted}\n'
    out.write_text(text)
    out.with_suffix('.json').write_text(to_json(measured))
    print(f'{out}: {len(measured)} measurements')
