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


"""The one reader of NumPy's archives (npz): nothing pickled, nothing larger than it says."""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO
import math
from pathlib import Path
import struct
import zipfile
import zlib

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import MEBIBYTE, read_bytes

MOST_BYTES = 256 * MEBIBYTE
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
#: A header says type and shape.
_MOST_HEADER = 4096


def read_arrays(
    path: str | Path, needed: Collection[str], where: str = '', most_bytes: int = MOST_BYTES
) -> dict[str, np.ndarray]:
    """
    Return the arrays of an npz file by name.

    needed: names that must be there. most_bytes: of the file, and of all that is in it unpacked.
    Raises QuietNavError naming the file where it cannot be read or is no such file.
    """
    where = where or str(path)
    data = read_bytes(path, where, most_bytes)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > most_bytes:
                raise QuietNavError(f'{where}: unpacks to {unpacked} bytes; {most_bytes} allowed')
            held = {
                member.filename.removesuffix('.npy'): _array(archive, member) for member in members
            }
    except (ValueError, OSError, LookupError, EOFError, NotImplementedError, RuntimeError,
            TypeError, SyntaxError, OverflowError, struct.error, zlib.error,
            zipfile.BadZipFile) as error:  # fmt: skip
        raise QuietNavError(f'{where}: no NumPy archive, or a damaged one ({error})') from error
    missing = sorted(set(needed) - set(held))
    if missing:
        raise QuietNavError(f'{where}: {missing} missing; it holds {sorted(held)}')
    return held


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    data = archive.read(member)
    head = BytesIO(data)
    read = _HEADERS.get(np.lib.format.read_magic(head))
    if read is None:
        raise ValueError(f'{member.filename}: unknown version')
    shape, _, kind = read(head, max_header_size=_MOST_HEADER)
    # Space for what a header says is taken before the data are looked at.
    if kind.hasobject or math.prod(shape) * kind.itemsize > len(data):
        raise ValueError(f'{member.filename}: {kind} of shape {shape} in {len(data)} bytes')
    return np.load(BytesIO(data), allow_pickle=False, max_header_size=_MOST_HEADER)
