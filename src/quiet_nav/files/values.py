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

"""What text formats may hold: plain values of limited number, depth and size."""

from __future__ import annotations

from collections.abc import Iterator
import math
import reprlib

from quiet_nav.errors import QuietNavError

MOST_DEPTH = 64
#: As much as a file of the largest size that is read can hold.
MOST_VALUES = 8_000_000
#: Whole numbers beyond this fit in no array.
MOST_INTEGER = 2**63 - 1

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60
_short.maxlevel = 2
_short.maxlist = _short.maxtuple = _short.maxdict = 4


def short(value: object) -> str:
    """Return how a value is written, in one line of some sixty letters at most."""
    return _short.repr(value)


def check_values(
    content: object,
    where: str,
    finite: bool = True,
    most_values: int = MOST_VALUES,
    most_depth: int = MOST_DEPTH,
) -> None:
    """
    Refuse what no format of ours holds, with the place in the file.

    content: mappings and lists of text, numbers, truth values and nothing else. finite: NaN and
    infinity are refused. Raises QuietNavError naming the place.
    """
    # By hand: recursion would end at Python's own limit.
    path: list[object] = []
    stack: list[Iterator[tuple[object, object]]] = [iter([('', content)])]
    count = 0
    while stack:
        for key, value in stack[-1]:
            count += 1
            if count > most_values:
                raise QuietNavError(f'{where}: more than {most_values} values')
            if isinstance(value, dict | list):
                if len(stack) > most_depth:
                    raise QuietNavError(f'{where}: nested deeper than {most_depth} levels')
                path.append(key)
                stack.append(iter(value.items() if isinstance(value, dict) else enumerate(value)))
                break
            fault = _fault(value, finite)
            if fault:
                place = place_of([*path[1:], key] if path else [])
                raise QuietNavError(f'{where}: {place}{": " if place else ""}{fault}')
        else:
            stack.pop()
            if path:
                path.pop()


def place_of(keys: list[object] | tuple[object, ...]) -> str:
    """Return a place in a file as people write it: ears[0].position."""
    text = ''
    for key in keys:
        if isinstance(key, int):
            text += f'[{key}]'
        else:
            name = ' '.join(str(key).split())
            text += f'{"." if text else ""}{name[:60]}'
    return text


def _fault(value: object, finite: bool) -> str:
    if value is None or isinstance(value, str | bool):
        return ''
    if isinstance(value, int):
        if abs(value) > MOST_INTEGER:
            return f'a whole number of {value.bit_length()} bits, expected 63 at most'
        return ''
    if isinstance(value, float):
        return '' if math.isfinite(value) or not finite else f'{value}, expected a finite number'
    return f'found {short(value)}, expected text, a number, a list or a mapping'
