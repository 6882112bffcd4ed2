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

"""Looking into an ONNX file before anything of it runs; of protobuf it knows what that takes."""

from __future__ import annotations

from collections.abc import Iterator
import mmap
from pathlib import Path

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import MEBIBYTE, open_regular

#: VGGish in full has 290 MB.
MOST_BYTES = 1024 * MEBIBYTE
_MOST_FIELDS = 2_000_000
#: Of messages in messages: a graph in a node in a graph is three.
_MOST_DEPTH = 48
#: They go on for as long as the file says, or what it computes.
_ENDLESS = {b'Loop', b'Scan', b'SequenceMap'}
_EXTERNAL = 1

# Field numbers of onnx.proto3: message -> {field: message in it}.
_WITHIN = {
    'model': {7: 'graph', 25: 'function'},
    'function': {7: 'node'},
    'graph': {1: 'node', 5: 'tensor', 15: 'sparse'},
    'node': {5: 'attribute'},
    'attribute': {5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse'},
    'sparse': {1: 'tensor', 2: 'tensor'},
    'tensor': {},
}
_OP_TYPE = 4
_DATA_LOCATION = 14


def check_graph(path: str | Path, where: str = '') -> None:
    """
    Refuse an ONNX file with loops, with weights in other files, too large or too deep.

    Raises QuietNavError naming what was found. What is no ONNX at all passes or is refused here:
    opening it says so, too.
    """
    where = where or str(path)
    with open_regular(path, where) as file:
        size = file.seek(0, 2)
        if size > MOST_BYTES:
            raise QuietNavError(
                f'{where}: {size / MEBIBYTE:.0f} MiB, expected {MOST_BYTES // MEBIBYTE} at most'
            )
        if size:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                _walk(data, where)


def _walk(data: mmap.mmap, where: str) -> None:
    stack = [('model', 0, len(data), 0)]
    fields = 0
    while stack:
        kind, begin, end, depth = stack.pop()
        try:
            for number, value in _fields(data, begin, end):
                fields += 1
                if fields > _MOST_FIELDS or depth > _MOST_DEPTH:
                    raise QuietNavError(f'{where}: its graph is too large or nested too deep')
                if isinstance(value, int):
                    if kind == 'tensor' and number == _DATA_LOCATION and value == _EXTERNAL:
                        raise QuietNavError(
                            f'{where}: it keeps weights in other files; export it again into one'
                        )
                    continue
                if kind == 'node' and number == _OP_TYPE:
                    name = data[value.start : min(value.stop, value.start + 40)]
                    if name in _ENDLESS:
                        raise QuietNavError(
                            f'{where}: its graph has a {name.decode()}, which may never end; '
                            'models of quiet_nav have none'
                        )
                inner = _WITHIN[kind].get(number)
                if inner:
                    stack.append((inner, value.start, value.stop, depth + 1))
        except IndexError as error:
            raise QuietNavError(
                f'{where}: corrupt or not ONNX (cut short); copy or export it again'
            ) from error


def _fields(data: mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, int | slice]]:
    """
    Yield a message's fields as (number, whole number or where its bytes are).

    Raises IndexError where it breaks off.
    """
    at = begin
    while at < end:
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at, end)
            yield number, value
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == 2:
            size, at = _varint(data, at, end)
            if at + size > end:
                raise IndexError
            yield number, slice(at, at + size)
            at += size
        else:
            raise IndexError
    if at != end:
        raise IndexError


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise IndexError
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise IndexError
