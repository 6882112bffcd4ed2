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

"""`quiet_nav import-checkpoint`: the published weights of the paper as a model of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    file: Annotated[
        Path,
        typer.Argument(
            help='static- or motion-obstacle-detection, static- or motion-relative-depth, '
            'motion-avorder (.pth.tar).'
        ),
    ],
    out: Annotated[Path, typer.Option(help='ONNX file to write.')],
    dense: Annotated[
        bool,
        typer.Option(
            help='Take windows of 3 s in one pass instead of clips of 0.96 s (near wall alone).'
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Make an ONNX model from the weights that the paper's authors publish (no code in it runs)."""
    from quiet_nav import __version__
    from quiet_nav.files.opening import open_regular
    from quiet_nav.files.writing import refuse_existing, refuse_own_input, whole_file

    refuse_own_input(out, [file])
    refuse_existing(out, overwrite)
    # Before torch is imported, which takes seconds.
    open_regular(file, f'checkpoint {file}').close()

    from quiet_nav.learning.authors.weights import import_checkpoint

    with whole_file(out, overwrite) as part:
        difference = import_checkpoint(file, part, __version__, dense)
    size = out.stat().st_size / 1e6
    print(f'{out}: {size:.1f} MB; largest difference to PyTorch on noise {difference:.1e}')
