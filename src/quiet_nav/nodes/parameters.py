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

"""ROS parameters as one typed dataclass a node: declared, read back and checked from its fields."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import typing
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from quiet_nav.errors import QuietNavError

T = TypeVar('T')

_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple[bool, ...]: Parameter.Type.BOOL_ARRAY,
    tuple[int, ...]: Parameter.Type.INTEGER_ARRAY,
    tuple[float, ...]: Parameter.Type.DOUBLE_ARRAY,
    tuple[str, ...]: Parameter.Type.STRING_ARRAY,
}


def parameter(
    default: Any,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    read_only: bool = False,
    safety: bool = False,
    at_configure: bool = False,
    number_is_text: bool = False,
) -> Any:
    """
    Return a dataclass field that is also a ROS parameter.

    default: bool, int, float, str or a tuple of one of them. minimum, maximum: inclusive, both or
    neither, for int and float. choices: the only strings allowed. read_only: set at start only.
    safety: cannot be set while the node is active (``Parameters``: locked). at_configure: read when
    the node is configured, and cannot be set until it is cleaned up. number_is_text: of a string
    that may be a number, which ROS then takes for an integer (`-p device:=1`).
    """
    return dataclasses.field(
        default=default,
        metadata={
            'description': description,
            'minimum': minimum,
            'maximum': maximum,
            'choices': choices,
            'read_only': read_only,
            'safety': safety,
            'at_configure': at_configure,
            'number_is_text': number_is_text,
        },
    )


class SaysWhy:
    """Of a node: a parameter that is read at start is refused with that reason."""

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Set all parameters or none, as rclpy does; its services come through here."""
        node: Any = self
        fixed = [
            p.name
            for p in parameter_list
            if node.has_parameter(p.name) and node.describe_parameter(p.name).read_only
        ]
        if fixed:
            return SetParametersResult(
                successful=False,
                reason=f'{", ".join(fixed)} is read when the node starts: end the node and start '
                f'it with -p {fixed[0]}:=VALUE, or change its parameter file',
            )
        return super().set_parameters_atomically(parameter_list)  # type: ignore[misc]


class Parameters(Generic[T]):
    """
    The parameters of a node: ``value`` is always a valid instance of the dataclass.

    Every field is made with ``parameter``. A dataclass that raises QuietNavError from its
    ``__post_init__`` refuses combinations too, at start and when a parameter is set later;
    ``on_change`` is called with the new value after parameters were set. ``locked`` says why
    fields marked ``safety`` (and use_sim_time) cannot be set now, '' where they can. ``configured``
    says whether fields marked ``at_configure`` have been read.
    Raises QuietNavError naming the parameter where a value given at start is of another type,
    out of range or refused.
    """

    def __init__(
        self,
        node: Node,
        cls: type[T],
        on_change: Callable[[T], None] | None = None,
        locked: Callable[[], str] = lambda: '',
        configured: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cls = cls
        self._on_change = on_change
        self._locked = locked
        self._configured = configured
        hints = typing.get_type_hints(cls)
        self._fields = {field.name: field for field in dataclasses.fields(cls)}
        read = {}
        for name, field in self._fields.items():
            value = _declare(node, field, hints[name])
            _check_choice(field, value)
            read[name] = value
        self.value: T = cls(**read)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._store)

    def _changed(self, parameters: list[Parameter]) -> T:
        new = {p.name: _plain(p.value) for p in parameters if p.name in self._fields}
        for name, value in new.items():
            _check_choice(self._fields[name], value)
        return dataclasses.replace(self.value, **new)

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            self._check_locks(parameters)
            self._changed(parameters)
        except QuietNavError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _check_locks(self, parameters: list[Parameter]) -> None:
        safety = {name for name, field in self._fields.items() if field.metadata['safety']}
        wanted = sorted(safety.union({'use_sim_time'}) & {p.name for p in parameters})
        why = self._locked() if wanted else ''
        if why:
            raise QuietNavError(f'parameter {", ".join(wanted)}: a safety limit: {why}')
        early = {name for name, field in self._fields.items() if field.metadata['at_configure']}
        late = sorted(early & {p.name for p in parameters})
        if late and self._configured():
            raise QuietNavError(
                f'parameter {", ".join(late)}: read when the node is configured; clean it up '
                '(`ros2 lifecycle set NODE cleanup`), set it, and configure it again'
            )

    def _store(self, parameters: list[Parameter]) -> None:
        if any(p.name in self._fields for p in parameters):
            self.value = self._changed(parameters)
            if self._on_change is not None:
                self._on_change(self.value)


def describe(field: dataclasses.Field) -> ParameterDescriptor:
    """Return the descriptor (description, range, read_only) of a field made with ``parameter``."""
    meta = field.metadata
    descriptor = ParameterDescriptor(
        name=field.name,
        description=meta['description'],
        read_only=meta['read_only'],
        dynamic_typing=meta['number_is_text'],
    )
    said = ['one of ' + ', '.join(meta['choices'])] if meta['choices'] else []
    if meta['at_configure'] and not meta['read_only']:
        said.append('read when the node is configured')
    descriptor.additional_constraints = '; '.join(said)
    low, high = meta['minimum'], meta['maximum']
    if low is not None and high is not None:
        if isinstance(field.default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
    return descriptor


def _declare(node: Node, field: dataclasses.Field, hint: Any) -> Any:
    kind, descriptor = _TYPES[hint], describe(field)
    try:
        if field.default == ():
            # An empty list has no type of its own: declare the type, then give it the value.
            node.declare_parameter(field.name, kind)
            if node.get_parameter_or(field.name).type_ == Parameter.Type.NOT_SET:
                node.set_parameters([Parameter(field.name, kind, [])])
            descriptor.type = kind.value
            node.set_descriptor(field.name, descriptor)
        else:
            is_array = isinstance(field.default, tuple)
            default = list(field.default) if is_array else field.default
            node.declare_parameter(field.name, default, descriptor)
    except InvalidParameterTypeException as error:
        advice = ' (write 2.0 for 2)' if kind == Parameter.Type.DOUBLE else ''
        raise QuietNavError(
            f'parameter {field.name}: expected {kind.name.lower()}{advice}: {error}'
        ) from error
    except InvalidParameterValueException as error:
        raise QuietNavError(f'parameter {field.name}: {error}') from error
    value = _plain(node.get_parameter(field.name).value)
    if not field.metadata['number_is_text'] or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise QuietNavError(f'parameter {field.name}: expected text or a whole number, found {value!r}')


def _plain(value: Any) -> Any:
    is_array = not isinstance(value, str) and hasattr(value, '__iter__')
    return tuple(value) if is_array else value


def _check_choice(field: dataclasses.Field, value: Any) -> None:
    choices = field.metadata['choices']
    if choices and value not in choices:
        raise QuietNavError(f'parameter {field.name}: {value!r} is not one of {", ".join(choices)}')
