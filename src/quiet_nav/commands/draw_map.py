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

"""`quiet_nav draw-map`: a picture of a near-wall map that the node probability_map saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    map_file: Annotated[Path, typer.Argument(help="The map's YAML file.")],
    out: Annotated[
        Path | None, typer.Option(help='PNG, SVG or PDF; default: beside the map as PNG.')
    ] = None,
    title: Annotated[str, typer.Option(help='Title of the picture.')] = '',
    overwrite: Overwrite = False,
) -> None:
    """Draw the mean near-wall probability over the floor."""
    from quiet_nav.evaluation.plots import check_picture, near_wall_map
    from quiet_nav.files.writing import refuse_existing
    from quiet_nav.perception.maps.files import load_map

    path = out or map_file.with_suffix('.png')
    check_picture(path)
    refuse_existing(path, overwrite)
    near_wall_map(path, load_map(map_file), title, overwrite)
    print(path)
