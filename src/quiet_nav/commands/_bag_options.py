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
DepthMean = Annotated[
    str,
    typer.Option(
        help='Pixels without a depth: valid leaves them out, authors counts them as 0 m (as the '
        "paper's public code)."
    ),
]
OdometryTopic = Annotated[str, typer.Option(help='Topic of odometry.')]
