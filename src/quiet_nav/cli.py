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

"""The `quiet_nav` command: one subcommand a module of ``quiet_nav.commands``."""

from __future__ import annotations

import errno
import importlib
import pkgutil
import sys

import typer

from quiet_nav import __version__, commands
from quiet_nav.errors import NO_MEMORY, no_memory, QuietNavError
from quiet_nav.extras import how_to_get


def build_app() -> typer.Typer:
    """Return the application with every command module's ``main`` under the module's name."""
    app = typer.Typer(
        name='quiet_nav',
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help='Hear walls: simulate, train, evaluate, listen, follow, replay.',
    )

    @app.callback(invoke_without_command=True)
    def _root(version: bool = typer.Option(False, '--version', help='Print the version.')) -> None:
        if version:
            print(f'quiet_nav {__version__}')
            raise typer.Exit()

    for info in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f'quiet_nav.commands.{info.name}')
        if hasattr(module, 'main'):
            app.command(info.name.replace('_', '-'))(module.main)
        elif hasattr(module, 'app'):
            app.add_typer(module.app, name=info.name.replace('_', '-'))
    return app


def main() -> None:
    """
    Run the command; a QuietNavError becomes one line on stderr and exit code 2.

    So does an optional library that is missing, with the command that installs it, and memory that
    ends.
    """
    try:
        build_app()()
    except QuietNavError as error:
        print(f'quiet_nav: {error}', file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        advice = how_to_get(error.name or '')
        if not advice:
            raise
        print(f'quiet_nav: {advice}', file=sys.stderr)
        sys.exit(2)
    except (MemoryError, ImportError, OSError) as error:
        if no_memory(error):
            print(f'quiet_nav: {NO_MEMORY}', file=sys.stderr)
        elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
            where = error.filename2 or error.filename or 'the disk'
            print(f'quiet_nav: {where}: no space left on the disk', file=sys.stderr)
        else:
            raise
        sys.exit(2)


if __name__ == '__main__':
    main()
