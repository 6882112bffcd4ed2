"""Formats with fields as strict pydantic models, and their errors in one line."""

from __future__ import annotations

import json
import typing
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError

from quiet_nav.errors import QuietNavError
from quiet_nav.files.values import place_of, short

_NAMED_FAULTS = 3


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

S = TypeVar('S', bound=Schema)


def checked(schema: type[S], content: object, where: str) -> S:
    """Return what a reader gave as the format that it should be.

    Raises QuietNavError naming where, each field (three of them) and what was expected there.
    """
    if not isinstance(content, dict):
        known = ', '.join(schema.model_fields)
        raise QuietNavError(f'{where}: expected a mapping of {known}; found {short(content)}')
    try:
        # As JSON: lists are tuples there, and nothing else is taken for anything that it is not.
        return schema.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise QuietNavError(f'{where}: {_faults(schema, error)}') from error


def _faults(schema: type[Schema], error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False)
    # Keys first: what is missing is often what was spelled otherwise.
    found.sort(key=lambda item: item['type'] != 'extra_forbidden')
    texts = [_fault(schema, item) for item in found[:_NAMED_FAULTS]]
    more = len(found) - len(texts)
    return '; '.join(texts) + (f'; and {more} more' if more else '')


def _fault(schema: type[Schema], item: Any) -> str:
    place = place_of(item['loc'])
    if item['type'] == 'extra_forbidden':
        known = _fields(schema, item['loc'][:-1])
        return f'unknown key {place}' + (f'; known: {", ".join(known)}' if known else '')
    if item['type'] == 'missing':
        return f'{place} is missing'
    text = item['msg'].removeprefix('Value error, ').replace('Input should', 'should')
    # A value error says itself what it found.
    found = '' if item['type'] == 'value_error' else f', found {short(item["input"])}'
    return f'{place}{": " if place else ""}{text}{found}'


def _fields(schema: Any, keys: tuple[int | str, ...]) -> list[str]:
    """Return the fields of the part of a format at a place."""
    for key in keys:
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            field = schema.model_fields.get(str(key))
            schema = field.annotation if field else None
        else:
            inner = [item for item in typing.get_args(schema) if item is not type(None)]
            schema = inner[-1] if isinstance(key, str) else next(iter(inner), None)
        schema = _plain(schema)
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return list(schema.model_fields)
    return []


def _plain(annotation: Any) -> Any:
    """Return an annotation without Annotated and without None."""
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    inner = [item for item in typing.get_args(annotation) if item is not type(None)]
    if type(None) in typing.get_args(annotation) and len(inner) == 1:
        return _plain(inner[0])
    return annotation
