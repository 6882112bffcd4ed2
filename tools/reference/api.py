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

"""The pages of the Python interface: one a package below `quiet_nav`, filled from docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

from reference.markdown import cell, contents, sentence, table, write

#: Packages from the bottom up, as imports go; nodes and commands have pages of their own.
PACKAGES = (
    'sound',
    'perception',
    'navigation',
    'simulation',
    'quiet_campus',
    'recordings',
    'learning',
    'evaluation',
    'trials',
    'study',
    'view',
)
ALONE = ('geometry', 'errors', 'resources')


def modules(folder: Path) -> list[Path]:
    """Return the public modules of a package and of the packages below it."""
    return [
        path
        for path in sorted(folder.rglob('*.py'))
        if not any(part.startswith('_') and part != '__init__.py' for part in path.parts)
        and (path.name != '__init__.py' or len(path.read_text(encoding='utf-8').splitlines()) > 3)
    ]


def summary(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
    return sentence(cell(doc.split('\n\n')[0]))


def dotted(path: Path, source: Path) -> str:
    return '.'.join(path.relative_to(source).with_suffix('').parts).removesuffix('.__init__')


def write_api(source: Path, out: Path) -> None:
    """Write a page for each package and one for the modules that stand alone."""
    root = source / 'quiet_nav'
    groups = [
        ('quiet_nav', [root / f'{name}.py' for name in ALONE if (root / f'{name}.py').is_file()])
    ]
    groups += [
        (f'quiet_nav.{name}', modules(root / name)) for name in PACKAGES if (root / name).is_dir()
    ]
    rows = []
    for title, paths in groups:
        init = root / '/'.join(title.split('.')[1:]) / '__init__.py'
        about = summary(init)
        lines = [f'# {title}\n\n{about}\n\n']
        lines.append(table(('Module', 'What is in it'), [
            (f'{{py:mod}}`{dotted(p, source)}`', summary(p)) for p in paths
        ]))  # fmt: skip
        for path in paths:
            name = dotted(path, source)
            if path.name == '__init__.py' and name == title:
                continue
            lines.append(
                f'## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n\n'
            )
        write(out / 'api' / f'{title}.md', ''.join(lines))
        rows.append((f'[{title}]({title}.md)', about))
    write(
        out / 'api' / 'index.md',
        '# Python API\n\nImports go downwards only: a package knows those above it in this table '
        'and none below. None of them needs ROS; `learning` and `study` alone need PyTorch.\n\n'
        + table(('Package', 'What is in it'), rows)
        + contents(title for title, _ in groups),
    )
