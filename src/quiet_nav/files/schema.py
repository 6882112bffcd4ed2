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

"""Formats with fields as strict pydantic models, and their errors in one line."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from quiet_nav.errors import QuietNavError
from quiet_nav.files.values import place_of, short

_NAMED_FAULTS = 3
#: What pydantic calls things when it reads JSON, and what people do.
_WORDS = (
    ('a valid array', 'a list'),
    ('a valid string', 'text'),
    ('a valid boolean', 'true or false'),
    ('a valid integer', 'a whole number'),
    ('a valid number', 'a number'),
    ('an object', 'a mapping'),
    (' after validation', ''),
)
_UNKNOWN = ('extra_forbidden', 'unexpected_keyword_argument')


class Schema(BaseModel):
    """One format, or a part of one: every key known, every value of its type and finite."""

    model_config = ConfigDict(strict=True, extra='forbid', frozen=True, allow_inf_nan=False)


def _as_text(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


#: A short name in one line. People write numbers for names (room: 101).
Name = Annotated[
    str, BeforeValidator(_as_text), StringConstraints(max_length=200, pattern=r'^[^\x00-\x1f]*$')
]

S = TypeVar('S')


def file_format(cls: type[S]) -> type[S]:
    """Make a dataclass a format, or a part of one, as ``Schema`` is; for ``checked`` alone."""
    cls.__pydantic_config__ = Schema.model_config  # type: ignore[attr-defined]
    return cls


def checked(schema: type[S], content: object, where: str) -> S:
    """
    Return what a reader gave as the format (a Schema or file_format) that it should be.

    Raises QuietNavError naming where, each field (three of them) and what was expected there.
    """
    if not isinstance(content, dict):
        known = ', '.join(_names(schema))
        raise QuietNavError(f'{where}: expected a mapping of {known}; found {short(content)}')
    try:
        # As JSON: lists are tuples there, and nothing else is taken for anything that it is not.
        text = json.dumps(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise QuietNavError(f'{where}: holds what no format does ({error})') from error
    try:
        # mypy takes the hash of a class for that of its objects.
        return _adapter(schema).validate_json(text, strict=True)  # type: ignore[arg-type]
    except ValidationError as error:
        raise QuietNavError(f'{where}: {_faults(schema, error)}') from error


@functools.cache
def _adapter(schema: type[S]) -> TypeAdapter[S]:
    return TypeAdapter(schema)


def _faults(schema: Any, error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False)
    # Keys first: what is missing is often what was spelled otherwise.
    found.sort(key=lambda item: item['type'] not in _UNKNOWN)
    texts = [_fault(schema, item) for item in found[:_NAMED_FAULTS]]
    more = len(found) - len(texts)
    return '; '.join(texts) + (f'; and {more} more' if more else '')


def _fault(schema: Any, item: Any) -> str:
    place = place_of(item['loc'])
    if item['type'] in _UNKNOWN:
        known = _fields(schema, item['loc'][:-1])
        return f'unknown key {place}' + (f'; known: {", ".join(known)}' if known else '')
    if item['type'] == 'missing':
        return f'{place} is missing'
    text = item['msg'].removeprefix('Value error, ').replace('Input should', 'should')
    for word, ours in _WORDS:
        text = text.replace(word, ours)
    # A value error says itself what it found.
    found = '' if item['type'] == 'value_error' else f', found {short(item["input"])}'
    return f'{place}{": " if place else ""}{text}{found}'


def _fields(schema: Any, keys: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the part of a format at a place."""
    for key in keys:
        names = _names(schema)
        if names:
            schema = typing.get_type_hints(schema, include_extras=True).get(str(key))
        else:
            inner = [item for item in typing.get_args(schema) if item is not type(None)]
            schema = inner[-1] if isinstance(key, str) else next(iter(inner), None)
        schema = _plain(schema)
    return _names(schema)


def _names(schema: Any) -> list[str]:
    """Return the fields of a format, none of anything else."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return [field.alias or name for name, field in schema.model_fields.items()]
    if dataclasses.is_dataclass(schema):
        return [field.name for field in dataclasses.fields(schema)]
    return []


def _plain(annotation: Any) -> Any:
    """Return an annotation without Annotated and without None."""
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    inner = [item for item in typing.get_args(annotation) if item is not type(None)]
    if type(None) in typing.get_args(annotation) and len(inner) == 1:
        return _plain(inner[0])
    return annotation
