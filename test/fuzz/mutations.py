"""What breaks parsers: bytes of a good file changed, and values put where others are due."""

from __future__ import annotations

import copy
import json
import math

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

VALUES = st.one_of(
    st.sampled_from(
        [
            None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, -(10**400), 0.0, -0.5, 0.9, 1.5,
            1e300, -1e300, math.nan, math.inf, -math.inf, '', 'LEFT', 'no', '123', '1e-3', 'nan',
            '..', '/', '/etc/passwd', '\0', 'a' * 300, 'ä', '\ud800', [], {}, [[]], [{}], [1],
            [1, 2, 3], ['x', 'y', 'z'], {'a': 1}, [[1, 2]] * 3, [0] * 1000,
        ]
    ),
    st.integers(-10, 300),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=20),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                     max_size=3),
        max_leaves=8,
    ),
    st.integers(1, 3000).map(lambda depth: _nested(min(depth, 600))),
)  # fmt: skip


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


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


@st.composite
def mutated_values(draw: st.DrawFn, seeds: list[object]) -> object:
    """Return a seed's value with up to three of its parts put wrong, left out or added."""
    content = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(content))
        if not places:
            return _value(draw)
        holder, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(('put', 'put', 'put', 'drop', 'add')))
        if kind == 'put':
            holder[key] = _value(draw)
        elif kind == 'drop':
            del holder[key]
        elif isinstance(holder, dict):
            holder[
                draw(st.sampled_from((1, 'x', True, '', 'name', None)) | st.text(max_size=5))
            ] = draw(VALUES)
        else:
            holder.insert(key, _value(draw))
    return content


def _value(draw: st.DrawFn) -> object:
    # A copy: further changes go into it.
    return copy.deepcopy(draw(VALUES))


def _places(content: object) -> list[tuple[object, object]]:
    found: list[tuple[object, object]] = []
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
