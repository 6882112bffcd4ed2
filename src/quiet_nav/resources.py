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

"""Where config, models and launch files are: in a checkout, or installed under share/quiet_nav."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quiet_nav.errors import QuietNavError


def shared_folders(name: str) -> list[Path]:
    """
    Return every folder of that name ('config', 'models', 'config/rooms'), the nearest first.

    A checkout's own folder wins; then share/quiet_nav of the prefix that this package is installed
    in (colcon, apt or a virtual environment).
    """
    here = Path(__file__).resolve()
    roots = [up / 'share' / 'quiet_nav' for up in here.parents]
    checkout = here.parents[2]
    if (checkout / 'package.xml').is_file():
        roots.insert(0, checkout)
    return [root / name for root in roots if (root / name).is_dir()]


def shared_file(name: str) -> Path:
    """
    Return the path of a shipped file, for example 'config/rigs/pair.yaml'.

    Raises QuietNavError naming what the folder holds instead.
    """
    folder = str(Path(name).parent)
    for candidate in shared_folders(folder):
        if (candidate / Path(name).name).is_file():
            return candidate / Path(name).name
    there = sorted({p.name for f in shared_folders(folder) for p in f.iterdir() if p.is_file()})
    raise QuietNavError(
        f'{name} is not shipped with quiet_nav; {folder} holds {", ".join(there) or "nothing"}'
    )


@dataclass(frozen=True)
class Kind:
    """
    What users name, and where files of it ship.

    what: as an error calls it. folder: in the share folder or the checkout. suffix: of its files.
    prefix: of file names that may be left out of a name.
    """

    what: str
    folder: str
    suffix: str = '.yaml'
    prefix: str = ''


RIG = Kind('rig', 'config/rigs')
ROBOT = Kind('robot', 'config/robots')
ROOM = Kind('room', 'config/rooms')
RECIPE = Kind('recipe', 'config/learning')
MODEL = Kind('model', 'models', '.onnx', prefix='near_wall_')


def names(kind: Kind) -> list[str]:
    """Return the names of everything of a kind that ships, sorted."""
    return sorted(
        {
            path.name.removesuffix(kind.suffix)
            for folder in shared_folders(kind.folder)
            for path in folder.glob(f'*{kind.suffix}')
            if '.' not in path.name.removesuffix(kind.suffix)
        }
    )


def find(kind: Kind, name: str | Path) -> Path:
    """
    Return the file of a name that ships ('pair'), or of a path that the user gives.

    What ends in the kind's suffix, has a folder in it or is a file is taken for a path.
    Raises QuietNavError naming what ships where there is no such name or file.
    """
    path, known = Path(name), names(kind)
    is_path = path.suffix == kind.suffix or len(path.parts) > 1 or path.is_file()
    if is_path and path.is_file():
        return path
    for candidate in () if is_path else (str(name), f'{kind.prefix}{name}'):
        if candidate in known:
            return shared_file(f'{kind.folder}/{candidate}{kind.suffix}')
    if is_path:
        beside = sorted(p.name for p in path.parent.glob(f'*{kind.suffix}') if p.is_file())
        raise QuietNavError(
            f"no {kind.what} '{path}': that file is not there; {kind.what}s in its folder: "
            f'{", ".join(beside) or "none"}'
        )
    raise QuietNavError(
        f"no {kind.what} '{name}'; {kind.what}s: {', '.join(known) or 'none'}, or a "
        f'{kind.suffix} file'
    )


def model_file(name: str | Path, default: str = 'near_wall') -> Path:
    """
    Return the model file of a name that ships, or the path that the user gives as it is.

    Raises QuietNavError naming what ships where there is no such name.
    """
    path = Path(name or default)
    is_path = path.suffix == MODEL.suffix or len(path.parts) > 1 or path.is_file()
    return path if is_path else find(MODEL, path)
