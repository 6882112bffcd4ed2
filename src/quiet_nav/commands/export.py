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

"""`quiet_nav export`: a trained checkpoint as a small ONNX model, front end inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    checkpoint: Annotated[Path, typer.Argument(help='best.ckpt of a training.')],
    out: Annotated[Path, typer.Option(help='ONNX file to write.')],
    data: Annotated[
        Path | None,
        typer.Option(help='Recordings: fit the calibration on val, compare before and after.'),
    ] = None,
    rank: Annotated[
        int, typer.Option(min=0, help='Of the fully connected layers; 0: leave them whole.')
    ] = 64,
    quantize: Annotated[str, typer.Option(help='none, dynamic or static (int8).')] = 'static',
    dense: Annotated[
        bool, typer.Option(help='One pass over the whole window instead of clip by clip.')
    ] = True,
    calibrate: Annotated[bool, typer.Option(help='Fit the probabilities on the val rooms.')] = True,
    mix: Annotated[
        Path | None, typer.Option(help='What the training began with: keep a share of its weights.')
    ] = None,
    mix_share: Annotated[float, typer.Option(help='The share that --mix keeps.')] = 0.2,
    max_mb: Annotated[float, typer.Option(help='Refuse a larger file.')] = 25.0,
    overwrite: Overwrite = False,
) -> None:
    """Make the ONNX model that a robot runs from the checkpoint of a training."""
    from quiet_nav.errors import QuietNavError
    from quiet_nav.files.opening import open_regular
    from quiet_nav.files.writing import refuse_existing, refuse_own_input, whole_file
    from quiet_nav.learning.detectors.vggish.options import QUANTIZATIONS
    from quiet_nav.quiet_campus.lists import refuse_no_folder

    # What can be wrong at once is said before torch is imported, which takes seconds.
    refuse_own_input(out, [checkpoint, *([mix] if mix is not None else [])])
    refuse_existing(out, overwrite)
    for path in filter(None, (checkpoint, mix)):
        open_regular(path, f'checkpoint {path}').close()
    if data is not None:
        refuse_no_folder(data)
    if quantize not in QUANTIZATIONS:
        raise QuietNavError(f'--quantize {quantize}: expected one of {", ".join(QUANTIZATIONS)}')

    from quiet_nav.learning.checkpoints import load_checkpoint, mix_in
    from quiet_nav.learning.detectors.context.deploy import deploy_context
    from quiet_nav.learning.detectors.context.network import ContextVggish
    from quiet_nav.learning.detectors.near_wall.deploy import deploy_near_wall
    from quiet_nav.learning.detectors.near_wall.network import NearWall
    from quiet_nav.learning.detectors.resnet.deploy import deploy_images
    from quiet_nav.learning.detectors.resnet.kind import NearWallResnet
    from quiet_nav.learning.detectors.vggish.deploy import Compression, deploy, describe
    from quiet_nav.learning.detectors.vggish.network import NearWallVggish

    network, recipe, _ = load_checkpoint(checkpoint)
    if mix is not None:
        mix_in(network, mix, mix_share)
    fitted_on = data if calibrate else None
    with whole_file(out, overwrite) as part:
        if isinstance(network, (ContextVggish, NearWall)):
            own = isinstance(network, NearWall)
            deployed = deploy_near_wall if own else deploy_context
            found = deployed(network, recipe, part, fitted_on, limit_mb=max_mb)
            said = f'{found.megabytes:.1f} MB, within {found.difference:.1e} of PyTorch'
            compared = found.compared
        elif isinstance(network, NearWallResnet):
            seen = deploy_images(network, recipe, part, fitted_on, limit_mb=max_mb)
            said = f'{seen.megabytes:.1f} MB, within {seen.difference:.1e} of PyTorch'
            compared = seen.compared
        elif isinstance(network, NearWallVggish):
            outcome = deploy(
                network, recipe, part, Compression(rank, quantize), data,
                dense=dense, calibrate=calibrate, limit_mb=max_mb,
            )  # fmt: skip
            said = f'{outcome.megabytes:.1f} MB, {describe(outcome.calibration)}'
            compared = outcome.compared
        else:
            raise QuietNavError(
                f'{checkpoint}: a network of kind {recipe.network.kind!r}; this command exports '
                'near-wall detectors'
            )
    print(f'{out}: {said}')
    for line in compared:
        print(line)
