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

"""The latch of the emergency stop: it outlives the process that holds it."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Annotated

from pydantic import Field

from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Name, Schema

#: It holds a sentence.
_MOST_BYTES = 65_536


class _LatchFile(Schema):
    reason: Annotated[Name, Field(min_length=1)]


class EmergencyStop:
    """
    Holds why the robot must stand until somebody releases it; kept in a file.

    A file that cannot be read counts as latched: nobody knows that it was released. One that cannot
    be written is told by ``fault``; the latch then holds for this process alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        #: Why it is on; '' where it is released.
        self.reason = ''
        #: Why the latch would not outlive the process; '' where it does.
        self.fault = ''
        self._read()

    def latch(self, reason: str) -> bool:
        """Switch it on; the first reason stays. Returns whether it was off before."""
        was_off = not self.reason
        if was_off:
            self.reason = reason
            self._write()
        return was_off

    def release(self) -> None:
        """Switch it off."""
        self.reason = ''
        try:
            self._path.unlink(missing_ok=True)
            self.fault = ''
        except OSError as error:
            self.fault = f'{self._path} cannot be removed ({error.strerror}): it holds again later'

    def _read(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(self._path.parent, os.W_OK):
                self.fault = f'{self._path.parent} cannot be written'
            there = self._path.exists()
        except OSError as error:
            self.fault = f'{self._path} cannot be reached ({error.strerror})'
            return
        try:
            if there:
                where = str(self._path)
                content = read_json(where, most_bytes=_MOST_BYTES)
                self.reason = checked(_LatchFile, content, where).reason
        except QuietNavError as error:
            self.reason = f'emergency stop: its file cannot be read ({error})'

    def _write(self) -> None:
        part = self._path.with_name(f'{self._path.name}.{os.getpid()}')
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, 'w') as file:
                json.dump({'reason': self.reason}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
            self.fault = ''
        except OSError as error:
            self.fault = f'{self._path} cannot be written ({error.strerror})'
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def latch_file(folder: Path, node_name: str) -> Path:
    """Return the latch's file of a node by its full name; each ROS domain has robots of its own."""
    domain = os.environ.get('ROS_DOMAIN_ID') or '0'
    return folder / 'emergency_stop' / f'domain_{domain}{node_name.replace("/", ".")}.json'
