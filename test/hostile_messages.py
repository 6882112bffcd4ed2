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

"""Messages that nobody sends on purpose: every field from its ends, NaN among them, by chance."""

import importlib
import re

import numpy as np

_FLOATS = (0.0, 1.0, -1.0, 0.5, float('nan'), float('inf'), float('-inf'), 1e300, -1e300, 1e-300)
_FLOATS_32 = (0.0, 1.0, -1.0, float('nan'), float('inf'), float('-inf'), 3.4e38, -3.4e38, 1e-30)
_TEXTS = (
    '',
    'odom',
    'base_link',
    'map',
    'rgb8',
    '16UC1',
    'wave',
    'S16LE',
    'x' * 5000,
    '\u20ac/',
    '/',
)
_MOST_ITEMS = 40


def hostile(kind: type, rng: np.random.Generator, spare: float = 0.3):
    """Return a message of a type; each field is left as it is with a probability of ``spare``."""
    message = kind()
    for name, field in kind.get_fields_and_field_types().items():
        if rng.random() >= spare:
            setattr(message, name, _value(field, getattr(message, name), rng, spare))
    return message


def _value(field, now, rng, spare):
    sequence = re.fullmatch(r'sequence<(.+?)(?:, \d+)?>', field)
    if sequence:
        count = int(rng.integers(0, _MOST_ITEMS))
        items = [_scalar(sequence[1], rng, spare) for _ in range(count)]
        if sequence[1] in ('uint8', 'octet'):
            return bytes(items) if sequence[1] == 'uint8' else items
        return items
    array = re.fullmatch(r'(.+)\[(\d+)\]', field)
    if array:
        return [_scalar(array[1], rng, spare) for _ in range(int(array[2]))]
    return _scalar(field, rng, spare)


def _scalar(field, rng, spare):
    if field in ('double', 'float'):
        return float(rng.choice(_FLOATS if field == 'double' else _FLOATS_32))
    if field == 'boolean':
        return bool(rng.random() < 0.5)
    if field.startswith('string'):
        return str(rng.choice(_TEXTS))
    if field == 'octet':
        return bytes([int(rng.integers(0, 256))])
    number = re.fullmatch(r'(u?)int(\d+)', field)
    if number:
        bits = int(number[2])
        low, high = (0, 2**bits - 1) if number[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        ends = [low, high, 0, 1, high // 2, min(high, int(rng.integers(0, 300)))]
        return int(ends[int(rng.integers(0, len(ends)))])
    package, name = field.split('/')
    return hostile(getattr(importlib.import_module(f'{package}.msg'), name), rng, spare)
