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

"""A whole simulated campus: rooms spread over cores or a cluster, then lists and a manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
import platform
from typing import Any

from quiet_nav import __version__
from quiet_nav.engine import engine
from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.opening import MEBIBYTE
from quiet_nav.files.renames import as_before
from quiet_nav.files.values import short
from quiet_nav.files.writing import clear_parts, whole_folder, write_file
from quiet_nav.quiet_campus.folders import to_json
from quiet_nav.quiet_campus.robots import robot_folder
from quiet_nav.simulation.campus.kinds import get_kind, kinds
from quiet_nav.simulation.campus.places import plan_room, split_rooms
from quiet_nav.simulation.campus.request import CampusRequest
from quiet_nav.simulation.campus.robots import write_robot
from quiet_nav.simulation.sound.own_sound import silent
from quiet_nav.streams import generator

#: What requests have had since later than the first campuses.
_LATER = (
    *('test_only', 'cut', 'hard', 'most_sources', 'own_sound', 'own_level_db', 'silent_rooms'),
    *('robot', 'waves', 'directional'),
)
#: A campus of a thousand rooms has as much to say.
_MOST_MANIFEST = 32 * MEBIBYTE
#: Of the differences between two campuses.
_MOST_TOLD = 8
_ENGINES = ('numpy', 'scipy', 'numba', 'pyroomacoustics')

Progress = Callable[[int, int], None]


def make_campus(
    request: CampusRequest,
    out: Path,
    workers: int = 0,
    cluster: str = '',
    progress: Progress | None = None,
) -> Path:
    """
    Write a campus below ``out`` and return the folder of its subset.

    workers: processes, 0 for one a core. cluster: '' for processes here, 'local' for a Dask
    cluster on this machine, or the address of a Dask scheduler whose workers see ``out``.
    progress: called with (rooms done, rooms in all). Rooms that are there already are kept, so
    that a stopped run goes on; the result does not depend on workers, cluster or stops.
    Raises QuietNavError where ``out`` holds another campus, or where the disk is full.
    """
    kind = get_kind(request.kind)
    kind.check(request)
    root = out / kind.SUBSET
    manifest = root / 'manifest.json'
    _claim(root, request)
    wanted = range(request.rooms)
    names = [plan_room(request, index).name for index in wanted]
    missing = [i for i in wanted if not (root / 'ProcessedData' / names[i]).is_dir()]
    done = request.rooms - len(missing)
    tell = progress or (lambda done, total: None)
    tell(done, request.rooms)
    # The workers of a cluster may stand in another folder.
    jobs = [(request, index, str(out.resolve())) for index in missing]
    with engine(workers, cluster, len(jobs)) as run:
        for _ in run(make_room, jobs):
            done += 1
            tell(done, request.rooms)
    splits = split_rooms(request)
    rooms = {split: [names[i] for i in splits[split]] for split in splits}
    for split, chosen in rooms.items():
        kind.write_lists(root, chosen, split, generator(request.seed, 'lists', split))
    write_file(manifest, to_json(describe(request, rooms)), overwrite=True)
    (root / 'unfinished.json').unlink(missing_ok=True)
    return root


def make_room(request: CampusRequest, index: int, out: str) -> str:
    """
    Record and write one room below ``out`` unless it is there; return its name.

    Made for pools and clusters: it needs its arguments alone and gives the same bytes anywhere.
    Raises QuietNavError where the disk is full.
    """
    kind = get_kind(request.kind)
    room = plan_room(request, index)
    root = Path(out) / kind.SUBSET
    target, robot = root / 'ProcessedData' / room.name, robot_folder(root, room.name)
    # Before the room, which says that all of it is there.
    if kind.HAS_RIG and not silent(room.scene.own) and not robot.exists():
        with whole_folder(robot) as folder:
            write_robot(folder, room)
    if not target.exists():
        with whole_folder(target) as folder:
            kind.write(folder, room, request)
    return room.name


def describe(request: CampusRequest, splits: dict[str, list[str]]) -> dict[str, object]:
    """Return the manifest: request, versions, splits and every drawn parameter of every room."""
    rooms: dict[str, dict[str, object]] = {}
    for index in range(request.rooms):
        room = plan_room(request, index)
        scene = asdict(room.scene)
        scene.pop('sounds')
        places = [asdict(place) for place in room.places]
        for place in places:
            place['path'] = [place['path'][0], place['path'][-1]] if place['path'] else []
        rooms[room.name] = {'scene': _without_new(scene), 'places': places}
        if not request.plain and kinds()[request.kind].HAS_RIG:
            ears = {ear.channel: [ear.x, ear.y, ear.z] for ear in room.rig.ears}
            rooms[room.name]['ears'] = ears
        if room.waves:
            rooms[room.name]['waves'] = True
    return {
        'request': _portable(request),
        'splits': splits,
        'versions': {
            'quiet_nav': __version__,
            'python': platform.python_version(),
            **{name: metadata.version(name) for name in _ENGINES},
        },
        'rooms': rooms,
    }


def _portable(request: CampusRequest) -> dict[str, object]:
    """Return the request without this machine's paths."""
    named = {
        'sounds': Path(request.sounds).name,
        'rig': Path(request.rig).stem,
        'robot': Path(request.robot).name.split('.')[0],
    }
    portable = {**asdict(request), **named}
    for kind in kinds().values():
        for name in kind.OPTIONS if request.kind != kind.NAME else ():
            portable.pop(name)
    for name in _LATER:
        if name in portable and portable[name] == getattr(CampusRequest, name):
            # Campuses from before there was this can still be gone on with.
            portable.pop(name)
    # Those from before there was anything but plain rooms, too.
    portable.pop('plain') if request.plain else portable.update(plain=False)
    return portable


def _without_new(scene: dict[str, Any]) -> dict[str, Any]:
    """Return what a scene says, without what plain ones had no word for."""
    for name, plain in (('own', None), ('real_microphones', False)):
        if scene[name] == plain:
            scene.pop(name)
    if not scene['room']['patches']:
        scene['room'].pop('patches')
    named: dict[str, Any] = as_before(scene)
    return named


def _claim(root: Path, request: CampusRequest) -> None:
    """Say that ``root`` is this request's, or refuse where it is another's."""
    import json

    claim = root / 'unfinished.json'
    asked = json.loads(to_json(_portable(request)))
    for path, key in ((claim, None), (root / 'manifest.json', 'request')):
        if not path.is_file():
            continue
        content = read_json(path, most_bytes=_MOST_MANIFEST)
        found = content.get(key) if key and isinstance(content, dict) else content
        if not isinstance(found, dict):
            raise QuietNavError(
                f'{path}: not what this command writes: found {short(found)}, expected the request '
                'of a campus'
            )
        if found != asked:
            other = [f'{short(k)}: {short(v)}' for k, v in found.items() if asked.get(k) != v]
            raise QuietNavError(
                f'{root} holds another campus, with {", ".join(other[:_MOST_TOLD])}; choose '
                'another folder, ask for the same, or remove it'
            )
        break
    else:
        if (root / 'ProcessedData').exists():
            raise QuietNavError(
                f'{root} holds recordings that this command did not write; choose another folder'
            )
    clear_parts(root)
    if not (root / 'manifest.json').is_file():
        write_file(claim, to_json(asked), overwrite=True)
