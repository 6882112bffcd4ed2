"""What commands that write a file for their user ask alike."""

from __future__ import annotations

from typing import Annotated

import typer

Overwrite = Annotated[
    bool, typer.Option('--overwrite', help='Replace what is there already under these names.')
]
