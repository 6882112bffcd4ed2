"""Options that every command which reads bags has."""

from pathlib import Path
from typing import Annotated

import typer

Camera = Annotated[
    str, typer.Option(help='Side that the depth camera sees: front, left, back, right.')
]
Wavs = Annotated[
    list[Path] | None,
    typer.Option(help='Sound recorded beside a bag; once a bag, in their order.'),
]
WavDelays = Annotated[
    list[float] | None,
    typer.Option(help='Seconds from the start of the bag to that of its WAV; once a WAV.'),
]
AudioTopic = Annotated[str, typer.Option(help='Audio topic; default: found by type.')]
AudioFormat = Annotated[
    str,
    typer.Option(help='Sample format, channels and rate where no info says them: S16LE,1,16000.'),
]
InfoTopic = Annotated[str, typer.Option(help='Topic of its format.')]
DepthTopic = Annotated[str, typer.Option(help='Topic of depth images.')]
OdometryTopic = Annotated[str, typer.Option(help='Topic of odometry.')]
