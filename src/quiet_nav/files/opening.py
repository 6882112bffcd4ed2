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

"""Opening files that others made: regular files alone, no bigger than their form needs."""

from __future__ import annotations

import os
from pathlib import Path
import stat
from typing import BinaryIO

from quiet_nav.errors import QuietNavError
from quiet_nav.files.values import short

MEBIBYTE = 2**20
_KINDS = {
    stat.S_IFDIR: 'a folder',
    stat.S_IFIFO: 'a pipe',
    stat.S_IFCHR: 'a device',
    stat.S_IFBLK: 'a device',
    stat.S_IFSOCK: 'a socket',
}


def open_regular(path: str | Path, where: str = '') -> BinaryIO:
    """
    Open a regular file for reading bytes.

    where: what the file is, for errors; the path where it is empty. Raises QuietNavError where
    there is no such file, where it cannot be read, and where it is none that ends: a folder, a
    device, a pipe.
    """
    where = where or str(path)
    try:
        # Looked at before it is opened: to open a pipe waits, to open a device may do something.
        _refuse_other(os.stat(path).st_mode, where)
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise QuietNavError(f'{where}: cannot be read ({error.strerror})') from error
    except ValueError as error:
        # A path with a null byte in it.
        raise QuietNavError(f'{where}: cannot be read ({error})') from error
    file = os.fdopen(handle, 'rb')
    try:
        _refuse_other(os.fstat(handle).st_mode, where)
    except BaseException:
        file.close()
        raise
    return file


def read_bytes(path: str | Path, where: str = '', most_bytes: int = 16 * MEBIBYTE) -> bytes:
    """
    Return what a regular file holds.

    most_bytes: how much is read at most. Errors as for ``open_regular``, and for a longer file.
    """
    where = where or str(path)
    with open_regular(path, where) as file:
        try:
            data = file.read(most_bytes + 1)
        except OSError as error:
            raise QuietNavError(f'{where}: cannot be read ({error.strerror})') from error
    if len(data) > most_bytes:
        raise QuietNavError(f'{where}: longer than {_size(most_bytes)}, the most that is read')
    return data


def read_text(path: str | Path, where: str = '', most_bytes: int = 16 * MEBIBYTE) -> str:
    """
    Return a text file, UTF-8 or what a byte order mark says, without the mark.

    Errors as for ``read_bytes``, and for bytes that are no such text.
    """
    return decode_text(read_bytes(path, where, most_bytes), where or str(path))


def inside(folder: Path, listed: str, where: str) -> Path:
    """
    Return a path that a file names, which must lie in a folder.

    Links in the folder are its owner's affair. Raises QuietNavError naming where for a path that
    leads elsewhere by `..` or from the root.
    """
    path = Path(listed)
    if '\0' in listed or '..' in path.parts:
        raise QuietNavError(f'{where}: {short(listed)} leads out of {folder}')
    if path.is_absolute() and not path.is_relative_to(folder.absolute()):
        raise QuietNavError(f'{where}: {short(listed)} lies elsewhere than in {folder}')
    return folder / path


def decode_text(data: bytes, where: str) -> str:
    """Return the text that bytes hold; as ``read_text``."""
    marked = data.startswith((b'\xff\xfe', b'\xfe\xff'))
    encoding = 'utf-16' if marked else 'utf-8-sig'
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        found = f'0x{data[error.start]:02x} at byte {error.start}'
        name = 'UTF-16' if marked else 'UTF-8'
        raise QuietNavError(
            f'{where}: cannot be read as text: {found} is no {name}; save it as UTF-8'
        ) from error


def _refuse_other(mode: int, where: str) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), 'something else')
        raise QuietNavError(f'{where}: cannot be read: it is {kind}, expected a regular file')


def _size(count: int) -> str:
    if count >= MEBIBYTE:
        return f'{count / MEBIBYTE:.0f} MiB'
    return f'{count} bytes'
