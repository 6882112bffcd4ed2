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

"""Near-wall maps as files: a PGM image and a YAML beside it, as Nav2's map_server reads them."""

from __future__ import annotations

from pathlib import Path
import re
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
import yaml

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import inside, read_bytes
from quiet_nav.files.schema import checked, Schema
from quiet_nav.files.writing import whole_files
from quiet_nav.files.yaml_files import read_yaml
from quiet_nav.perception.maps.probability_grid import GridMap

#: A square of 200 m in cells of 5 cm.
MOST_CELLS = 16_000_000
_HEADER = re.compile(rb'P5\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(\d{1,9})\s+(\d{1,3})\s')
_Meters = Annotated[float, Field(ge=-1e6, le=1e6)]


class _MapFile(Schema):
    """What is read of map_server's format; it knows more keys, by mode."""

    model_config = ConfigDict(extra='ignore')

    image: str = Field(min_length=1)
    mode: str = 'trinary'
    resolution: float = Field(gt=0, le=100)
    origin: tuple[_Meters, _Meters, _Meters]


def save_map(path: str | Path, grid: GridMap, overwrite: bool = True) -> tuple[Path, Path]:
    """
    Write PATH.pgm and PATH.yaml and return both; ``path`` has neither ending.

    overwrite: a map that is there already is replaced.
    Mode `raw`: a pixel is the mean probability in percent, 255 where nothing is known, so that
    map_server gives back the map that was published. Raises QuietNavError where the folder cannot
    be written or the map is empty.
    """
    if not grid.probability.size:
        raise QuietNavError('the near-wall map is empty: no valid reading has been placed yet')
    path = Path(path).expanduser()
    image, description = (Path(f'{path}{ending}') for ending in ('.pgm', '.yaml'))
    cells = np.flipud(grid.occupancy()).astype(np.uint8)
    height, width = cells.shape
    text = yaml.safe_dump(
        {
            'image': image.name,
            'mode': 'raw',
            'resolution': grid.resolution_m,
            'origin': [round(grid.x, 6), round(grid.y, 6), 0.0],
            'negate': 0,
            # Asked for by map_server and without meaning in this mode.
            'occupied_thresh': 0.65,
            'free_thresh': 0.25,
        },
        sort_keys=False,
        default_flow_style=None,
    )
    # Whole or not at all: a map is saved while a node is being ended.
    with whole_files([image, description], overwrite) as (image_part, description_part):
        image_part.write_bytes(b'P5\n%d %d\n255\n' % (width, height) + cells.tobytes())
        description_part.write_text(text)
    return image, description


def load_map(path: str | Path) -> GridMap:
    """
    Read a map that ``save_map`` wrote, by its YAML file.

    Probabilities come back to 0.01. Raises QuietNavError naming the file and what is wrong.
    """
    path, where = Path(path), f'map {path}'
    file = checked(_MapFile, read_yaml(path, where), where)
    if file.mode != 'raw':
        raise QuietNavError(f'{where}: mode {file.mode}, expected raw, as near-wall maps have')
    image = inside(path.parent, file.image, f'{where}: image')
    data = read_bytes(image, f'map {image}', MOST_CELLS + 1000)
    header = _HEADER.match(data)
    width, height, most = (int(v) for v in header.groups()) if header else (0, 0, 0)
    body = data[header.end() :] if header else b''
    if not 0 < most <= 255 or not width * height or len(body) != width * height:
        raise QuietNavError(f'{where}: {file.image} is no whole binary PGM of 8 bits')
    cells = np.flipud(np.frombuffer(body, np.uint8).reshape(height, width)).astype(float)
    x, y, _ = file.origin
    return GridMap(np.where(cells <= 100.0, cells / 100.0, np.nan), x, y, file.resolution)
