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

"""The pages of the `quiet_nav` command, from the same declarations as its `--help`."""

from __future__ import annotations

import inspect
from pathlib import Path
import re
from typing import Any

from typer import Context
from typer.main import get_command

from quiet_nav.cli import build_app
from reference.markdown import code, contents, sentence, table, write


def write_commands(out: Path) -> None:
    """Write a page a command and their index."""
    root = get_command(build_app())
    context = Context(root, info_name='quiet_nav')
    rows = []
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        write(out / 'commands' / f'{name}.md', command_text(command, name, context))
        rows.append((f'[{name}]({name}.md)', first_sentence(command.help or '')))
    names = root.list_commands(context)
    write(
        out / 'commands' / 'index.md',
        '# Commands\n\n`quiet_nav COMMAND --help` says the same as these pages. Bad input ends a '
        'command with one line and exit code 2.\n\n'
        + table(('Command', 'What it does'), rows)
        + contents(names),
    )


def first_sentence(text: str) -> str:
    return sentence(re.split(r'(?<=[.])\s', text.strip(), maxsplit=1)[0])


def command_text(command: Any, name: str, parent: Context) -> str:
    """Return the page of a command; of its subcommands, where it has some, one after another."""
    context = Context(command, info_name=f'quiet_nav {name}', parent=None)
    lines = [f'# quiet_nav {name}\n\n', body(command, context, f'quiet_nav {name}')]
    for sub in getattr(command, 'commands', {}):
        below = command.commands[sub]
        title = f'quiet_nav {name} {sub}'
        lines += [f'## {title}\n\n', body(below, Context(below, info_name=title), title)]
    return ''.join(lines)


def body(command: Any, context: Context, name: str) -> str:
    """Return what a command does, how it is called and its options."""
    usage = ' '.join([name, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or '').replace('\b\n', '')
    lines = [f'{text}\n\n```sh\n{usage}\n```\n\n']
    rows = []
    for parameter in command.get_params(context):
        if getattr(parameter, 'hidden', False) or parameter.name == 'help':
            continue
        record = parameter.get_help_record(context)
        if record is None:
            continue
        meaning, default = split_help(record[1])
        shown = record[0]
        default = default or ('required' if parameter.required else '')
        rows.append(
            (code(shown), sentence(meaning), default if default == 'required' else code(default))
        )
    if rows:
        lines.append(table(('Argument or option', 'Meaning', 'Default'), rows))
    return ''.join(lines)


def split_help(text: str) -> tuple[str, str]:
    """Return a help text without its bracket, and the default that the bracket says."""
    found = re.search(r'\s*\[([^\[\]]*(?:\[[^\]]*\])?[^\[\]]*)\]$', text)
    if not found:
        return text, ''
    inside = found.group(1)
    default = re.search(r'default: (.*?)(?:; |$)', inside)
    if default is None and 'required' not in inside:
        return text, ''
    return text[: found.start()], default.group(1) if default else 'required'
