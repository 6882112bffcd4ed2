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

"""The folder of a demo's results: what an earlier demo left there is replaced, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path
import stat
import time

from quiet_nav.errors import QuietNavError

#: Says that a demo writes here, since when, and until when.
MARK = '.quiet_nav_demo'
_RESULTS = ('run.json', 'demo.png', 'fingerprint.json', 'fingerprint.learned.json')
_FOLDERS = ('bag', 'log')
_BAG_FILES = ('bag.mcap', 'metadata.yaml')
#: Files get a coarser time than clocks.
_SLACK_NS = 1_000_000_000


class Output:
    """
    A context around a demo's run: the folder is free before, and what lies there known after.

    A file is an earlier demo's where its mark is there, the name is one that demos write, and it
    was last written while that demo ran. Raises QuietNavError for anything else in the place of
    what is to be written, and where the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / 'log'
        self._mark = folder / MARK
        self._began_ns = 0

    def __enter__(self) -> Output:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._clear()
            self._began_ns = time.time_ns()
            self._say(None)
        except OSError as error:
            raise QuietNavError(f'{self.folder}: cannot be written ({error.strerror})') from error
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._say(time.time_ns())
        except OSError as error:
            raise QuietNavError(f'{self._mark}: cannot be written ({error.strerror})') from error

    def _say(self, ended_ns: int | None) -> None:
        part = self._mark.with_name(f'{MARK}.part')
        part.write_text(json.dumps({'began_ns': self._began_ns, 'ended_ns': ended_ns}) + '\n')
        part.replace(self._mark)

    def _clear(self) -> None:
        span = self._span()
        found = list(self._found())
        for path in found:
            if span is None or not self._wrote(path, *span):
                raise QuietNavError(
                    f'{path}: no demo wrote this as it is, so none replaces it; '
                    'give another --out, or move it away'
                )
        for path in found:
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()

    def _span(self) -> tuple[int, int] | None:
        """Return when the demo of the mark ran (ns), None without a mark."""
        try:
            if not stat.S_ISREG(self._mark.lstat().st_mode):
                return None
            said = json.loads(self._mark.read_text())
            ended_ns = said['ended_ns']
            return int(said['began_ns']), time.time_ns() if ended_ns is None else int(ended_ns)
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    def _found(self) -> Iterator[Path]:
        """Yield what lies where a demo writes, a folder after what is in it; links stay links."""
        for name in _RESULTS:
            if os.path.lexists(self.folder / name):
                yield self.folder / name
        for name in _FOLDERS:
            top = self.folder / name
            if top.is_symlink() or (os.path.lexists(top) and not top.is_dir()):
                yield top
                continue
            for folder, folders, files in os.walk(top, topdown=False):
                links = [inner for inner in folders if Path(folder, inner).is_symlink()]
                yield from (Path(folder, inner) for inner in (*files, *links))
                yield Path(folder)

    def _wrote(self, path: Path, began_ns: int, ended_ns: int) -> bool:
        state = path.lstat()
        inside = path.relative_to(self.folder).parts
        if stat.S_ISDIR(state.st_mode):
            return inside in (('bag',), ('log',), ('log', 'ros'))
        named = (
            (len(inside) == 1 and inside[0] in _RESULTS)
            or (inside[0] == 'bag' and len(inside) == 2 and inside[1] in _BAG_FILES)
            or (inside[0] == 'log' and path.suffix == '.log')
        )
        return (
            named
            and stat.S_ISREG(state.st_mode)
            and began_ns - _SLACK_NS <= state.st_mtime_ns <= ended_ns + _SLACK_NS
        )
