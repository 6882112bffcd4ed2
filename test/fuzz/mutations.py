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

"""What breaks parsers: bytes of a good file changed, and values put where others are due."""

from __future__ import annotations

import copy
import json
import math
import random
from typing import Any

from hypothesis import strategies as st

#: Pieces that made some parser fall, anywhere.
TOKENS = [
    b'9' * 400, b'9' * 5000, b'1' + b'0' * 400, b'-', b'1e999', b'-1e999', b'nan', b'.nan',
    b'.inf', b'NaN', b'Infinity', b'2001-99-99', b'2001-01-01', b'true', b'null', b'~',
    b'[' * 3000, b'{' * 3000, b'{"a":' * 3000, b'[]', b'{}', b'""', b'&a [*a]', b'*a', b'<<: *a',
    b'!!binary aGk=', b'!!python/object:os.system {}', b'? [1]\n: 2\n',
    b'1: 2\n', b'1:1:1', b'0x', b'0o9', b'\xff',
    b'\xff\xfe', b'\xef\xbb\xbf', b'\x00', b'\r', b'\n', b'\t', b'"', b"'", b',', b';', b'..',
    b'../', b'/etc/passwd', b'/dev/zero', b'a' * 300, b'\xc3\xa4', b'\xed\xa0\x80', b'\x7f' * 8,
    b'\xff\xff\xff\x7f', b'\xff\xff\xff\xff', b'\x00\x00\x00\x80', b'IHDR', b'data', b'RIFF',
]  # fmt: skip

#: Whole files of kinds that made parsers of every form fall.
KINDS = [
    b'', b'\n', b'\x00' * 64, b'\xff', b'\xff\xfe', b'1', b'""', b'[]', b'{}', b'null', b'true',
    b'2001-99-99', b'2001-01-01', b'2001-01-01T25:61:61Z', b'[' * 3000, b'[' * 100_000,
    b'{"a":' * 100_000, b'x: 1\n1: 2', b'? [1]\n: 2', b'? {a: 1}\n: 2', b'1' + b'0' * 400,
    b'9' * 5000, b'x: 1' + b'0' * 400, b'1:1:1', b'&a [*a]', b'!!binary aGk=', b'a' * 2**20,
    b'a,b\n' + b'"' * 65_537, b'P5 ' + b'9' * 5000 + b' 1', b'{"a": NaN}', b'NaN',
    b'a: &b [x, x]\nc: [*b, *b]', b'{"a": 1, "a": 2}',
]  # fmt: skip


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


#: Values that are due nowhere, or not there.
VALUES = [
    None, True, False, 0, -1, 1, 2, 7, 300, 2**31, 2**63, 10**400, -(10**400), 0.0, -0.5, 0.9, 1.5,
    1e300, -1e300, 5e-324, math.nan, math.inf, -math.inf, '', 'LEFT', 'no', '123', '1e-3', 'nan',
    '..', '/', '/etc/passwd', '../../x', '\0', '\n', 'a' * 300, 'ä', '\ud800', [], {}, [[]], [{}],
    [1], [1, 2, 3], ['x', 'y', 'z'], {'a': 1}, {'': {}}, [[1, 2]] * 3, [0] * 1000, _nested(50),
    _nested(100),
]  # fmt: skip
_KEYS = [1, 'x', True, '', 'name', None, 1.5, 'a' * 300]


@st.composite
def mutated_bytes(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Return a seed with up to six changes."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(('set', 'insert', 'token', 'cut', 'end', 'repeat', 'bits')))
        if kind == 'set':
            new = draw(st.binary(min_size=1, max_size=8))
            data[at : at + len(new)] = new
        elif kind == 'insert':
            data[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif kind == 'token':
            end = at + draw(st.integers(0, 12))
            data[at:end] = draw(st.sampled_from(TOKENS))
        elif kind == 'cut':
            del data[at : at + draw(st.integers(1, 64))]
        elif kind == 'end':
            del data[at:]
        elif kind == 'repeat':
            piece = bytes(data[at : at + draw(st.integers(1, 64))])
            data[at:at] = piece * draw(st.integers(1, 20))
        elif data:
            data[at % len(data)] ^= 1 << draw(st.integers(0, 7))
    return bytes(data)


def mutated_values(seeds: list[object]) -> st.SearchStrategy[object]:
    """Return a seed's value with up to four of its parts put wrong, left out or added."""
    # One number decides: a draw for each change would have hypothesis keep count of places that
    # the changes before have made.
    return st.integers(0, 2**48).map(lambda number: _changed(seeds, random.Random(number)))


def _changed(seeds: list[object], rng: random.Random) -> object:
    content = copy.deepcopy(rng.choice(seeds))
    for _ in range(rng.randint(0, 4)):
        places = _places(content)
        if not places:
            return _value(rng)
        holder, key = rng.choice(places)
        kind = rng.choice(('put', 'put', 'put', 'drop', 'add'))
        if kind == 'put':
            holder[key] = _value(rng)
        elif kind == 'drop':
            del holder[key]
        elif isinstance(holder, dict):
            holder[rng.choice(_KEYS)] = _value(rng)
        else:
            holder.insert(key, _value(rng))
    return content


def _value(rng: random.Random) -> object:
    if rng.random() < 0.2:
        return rng.choice(
            (rng.randint(-10, 300), rng.uniform(-3.0, 3.0), 10.0 ** rng.randint(-9, 9))
        )
    # A copy: further changes go into it.
    return copy.deepcopy(rng.choice(VALUES))


def _places(content: object) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    rest = [content]
    while rest and len(found) < 2000:
        one = rest.pop()
        if isinstance(one, dict | list):
            items = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
            for key, value in items:
                found.append((one, key))
                rest.append(value)
    return found


def to_json(content: object) -> bytes:
    """Return JSON as Python writes it, NaN and all."""
    return json.dumps(content).encode('utf-8', 'surrogatepass')


def to_yaml(content: object) -> bytes:
    """Return YAML: JSON is some, but for how it writes what is not finite."""
    text = json.dumps(content).replace('NaN', '.nan').replace('-Infinity', '-.inf')
    return text.replace('Infinity', '.inf').encode('utf-8', 'surrogatepass')
