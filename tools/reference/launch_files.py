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

"""
The page of the launch files' arguments, read by running the files with stand-ins for `launch`.

`launch` itself comes with apt's ROS alone, and docs are built without it, too.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
from pathlib import Path
import sys
import types
from typing import Any, ClassVar

from reference.markdown import cell, code, sentence, table, write

ROOT = Path(__file__).parents[2]


def is_of_launch(name: str) -> bool:
    """Say whether a module belongs to `launch` or `launch_ros`."""
    return name.split('.')[0] in ('launch', 'launch_ros')


class Anything:
    """Takes part in a launch description as whatever is asked for; remembers what it was given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs

    def __call__(self, *_: Any, **__: Any) -> Anything:
        return Anything()

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return Anything()

    def __iter__(self) -> Any:
        return iter(())


class StandIn(types.ModuleType):
    """A module whose every attribute is a class of its own that takes anything."""

    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        made = type(name, (Anything,), {})
        setattr(self, name, made)
        return made


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module of `launch` and `launch_ros`: a stand-in."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if is_of_launch(name):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> StandIn:
        return StandIn(spec.name)

    def exec_module(self, module: Any) -> None:
        """Leave the module as it is: its attributes come when they are asked for."""


def text_of(value: Any) -> str:
    """Return a default as the launch file's reader would write it."""
    if value is None:
        return ''
    if isinstance(value, str):
        return value.removeprefix(f'{ROOT}/')
    if isinstance(value, (list, tuple)):
        return ''.join(text_of(part) for part in value)
    name = type(value).__name__
    if name == 'LaunchConfiguration':
        return str(value.args[0]).upper()
    if name == 'FindPackageShare':
        return ''
    if name == 'PathJoinSubstitution':
        return '/'.join(part for part in (text_of(p) for p in value.args[0]) if part)
    return '(worked out)'


def arguments(path: Path) -> list[Any]:
    """Return the arguments that a launch file declares, in order."""
    finder = StandIns()
    sys.meta_path.insert(0, finder)
    for name in [n for n in sys.modules if is_of_launch(n) or n.startswith('quiet_nav.launch')]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location(f'launch_file_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        description = module.generate_launch_description()
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n in sys.modules if is_of_launch(n)]:
            del sys.modules[name]
    found: list[Any] = []

    def walk(item: Any) -> None:
        if type(item).__name__ == 'DeclareLaunchArgument':
            found.append(item)
        elif isinstance(item, (list, tuple)):
            for part in item:
                walk(part)
        elif isinstance(item, Anything):
            walk(item.args)
            walk([v for v in item.kwargs.values() if isinstance(v, (list, tuple, Anything))])

    walk(description)
    return found


def write_launch_files(root: Path, out: Path) -> None:
    """Write one page with the arguments of every launch file."""
    lines = [
        '# Launch files\n\n',
        '`ros2 launch quiet_nav FILE --show-args` prints the arguments, too. Arguments stand above '
        'parameter files.\n\n',
    ]
    for path in sorted(root.glob('launch/*.launch.py')):
        doc = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
        rows = []
        for item in arguments(path):
            name = item.args[0]
            choices = item.kwargs.get('choices') or ()
            meaning = sentence(text_of(item.kwargs.get('description', '')))
            default = item.kwargs.get('default_value')
            shown = 'required' if 'default_value' not in item.kwargs else text_of(default)
            shown = shown if shown in ('required', '(worked out)') else code(shown or "''")
            rows.append((code(name), shown, ', '.join(code(c) for c in choices), meaning))
        lines.append(f'## {path.name}\n\n{sentence(cell(doc))}\n\n')
        lines.append(table(('Argument', 'Default', 'Choices', 'Meaning'), rows))
    write(out / 'launch_files.md', ''.join(lines))
