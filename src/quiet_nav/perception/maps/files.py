"""Near-wall maps as files: a PGM image and a YAML beside it, as Nav2's map_server reads them."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import numpy as np
import yaml

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.maps.probability_grid import GridMap

_HEADER = re.compile(rb'P5\s+(?:#[^\n]*\n\s*)*(\d+)\s+(\d+)\s+(\d+)\s')


def save_map(path: str | Path, grid: GridMap) -> tuple[Path, Path]:
    """Write PATH.pgm and PATH.yaml and return both; ``path`` has neither ending.

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
    try:
        image.parent.mkdir(parents=True, exist_ok=True)
        _write(image, b'P5\n%d %d\n255\n' % (width, height) + cells.tobytes())
        _write(description, text.encode())
    except OSError as error:
        raise QuietNavError(f'map {path}: cannot be written ({error.strerror})') from error
    return image, description


def load_map(path: str | Path) -> GridMap:
    """Read a map that ``save_map`` wrote, by its YAML file.

    Probabilities come back to 0.01. Raises QuietNavError naming the file and what is wrong.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(path.read_text())
        mode = raw['mode']
        x, y, _ = (float(v) for v in raw['origin'])
        resolution_m = float(raw['resolution'])
        data = (path.parent / raw['image']).read_bytes()
    except OSError as error:
        name = error.filename or path
        raise QuietNavError(f'map {name}: cannot be read ({error.strerror})') from error
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise QuietNavError(
            f'map {path}: expected image, mode, resolution and origin [x, y, yaw] ({error})'
        ) from error
    if mode != 'raw':
        raise QuietNavError(f'map {path}: mode {mode}, expected raw, as near-wall maps have')
    header = _HEADER.match(data)
    width, height = (int(v) for v in header.groups()[:2]) if header else (0, 0)
    body = data[header.end() :] if header else b''
    if not header or len(body) != width * height:
        raise QuietNavError(f'map {path}: {raw["image"]} is no whole binary PGM of 8 bits')
    cells = np.flipud(np.frombuffer(body, np.uint8).reshape(height, width)).astype(float)
    return GridMap(np.where(cells <= 100.0, cells / 100.0, np.nan), x, y, resolution_m)


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a map is saved while a node is being ended."""
    part = path.with_name(f'{path.name}.part')
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
