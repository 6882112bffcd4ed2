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
Write pins/: the versions of constraints.txt with the hashes that the package index has of them.

``python tools/lock.py`` in the environment that `make setup` made, with uv on the PATH: `make
pins`. Each file is whole: pip installs it with ``--require-hashes --no-deps``.
"""

from __future__ import annotations

from collections.abc import Iterable
import dataclasses
import importlib.metadata
from pathlib import Path
import re
import subprocess
import sys

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib

ROOT = Path(__file__).parents[1]
PINS = ROOT / 'pins'
#: What constraints.txt is for.
PYTHONS = ('3.10', '3.11', '3.12', '3.13')
#: Its builds come from an index of its own (TORCH_INDEX), each with hashes that PyPI does not know.
UNHASHED = {'torch'}
#: On a robot these are apt's, which its cv_bridge is built against.
FROM_APT = {'numpy', 'scipy'}
#: Rerun asks for NumPy 2 and runs with 1, where what it needs does: the last versions that do.
WITH_NUMPY_1 = {'pyarrow': '24.0.0'}
#: Those of Ubuntu 24.04 and 26.04.
ROBOT_PYTHONS = ('3.12', '3.14')
HEAD = '# Made by tools/lock.py from constraints.txt: edits are lost. {}\n'


@dataclasses.dataclass(frozen=True)
class Pin:
    """A line of constraints.txt."""

    name: str
    version: str
    marker: str = ''

    @property
    def line(self) -> str:
        """Return the pin as pip reads it, without hashes."""
        return f'{self.name}=={self.version}' + (f' ; {self.marker}' if self.marker else '')

    def holds(self, python: str) -> bool:
        """Return whether the pin is one of a Python's."""
        return not self.marker or Marker(self.marker).evaluate(environment(python))


def environment(python: str, extra: str = '') -> dict[str, str]:
    """Return what markers are evaluated in: Linux on x86-64 with a Python."""
    return {
        'python_version': python,
        'python_full_version': f'{python}.99',
        'sys_platform': 'linux',
        'platform_system': 'Linux',
        'platform_machine': 'x86_64',
        'implementation_name': 'cpython',
        'platform_python_implementation': 'CPython',
        'os_name': 'posix',
        'extra': extra,
    }


def read_pins(path: Path) -> list[Pin]:
    """Return the pins in a file of constraints, or of what this wrote."""
    pins = []
    for line in re.sub(r'\s*\\\n\s*--hash=\S+', '', path.read_text()).splitlines():
        if line and not line.startswith('#'):
            wanted = Requirement(line)
            (version,) = wanted.specifier
            marker = line.partition(' ; ')[2]
            pins.append(Pin(canonicalize_name(wanted.name), version.version, marker))
    return pins


def requirements(path: Path) -> list[Requirement]:
    """Return the lines of a file of requirements."""
    lines = path.read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


def needed(roots: Iterable[Requirement], pythons: Iterable[str] = PYTHONS) -> set[str]:
    """
    Return the names of all that requirements bring on any of some Pythons.

    By the records of this environment.
    """
    found: set[tuple[str, str]] = set()
    todo = [(wanted, '') for wanted in roots]
    while todo:
        wanted, of_extra = todo.pop()
        if wanted.marker is not None and not any(
            wanted.marker.evaluate(environment(python, of_extra)) for python in pythons
        ):
            continue
        name = canonicalize_name(wanted.name)
        for extra in ('', *wanted.extras):
            if (name, extra) in found:
                continue
            found.add((name, extra))
            try:
                lines = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                lines = []
            todo += [(Requirement(line), extra) for line in lines]
    return {name for name, _ in found}


def groups(pins: list[Pin]) -> dict[str, list[Pin]]:
    """Return which pins each file holds."""
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    extras = {
        name: [Requirement(line) for line in lines]
        for name, lines in project['optional-dependencies'].items()
    }
    usual = [Requirement(line) for line in project['dependencies']]
    usual += requirements(ROOT / 'requirements-ros.txt')
    usual += [wanted for name, lines in extras.items() if name != 'learn' for wanted in lines]
    # What no record names here belongs to another Python: to the usual.
    learn = needed(extras['learn']) - needed(usual)
    wanted = requirements(ROOT / 'requirements-robot.txt')
    first, later = (needed(wanted, [python]) - FROM_APT for python in ROBOT_PYTHONS)
    return {
        'setup': [pin for pin in pins if pin.name not in learn],
        'learn': [pin for pin in pins if pin.name in learn - UNHASHED],
        'robot': [
            dataclasses.replace(pin, marker=robot_marker(pin.name, first, later))
            for pin in pins
            if pin.name in first | later and pin.holds(ROBOT_PYTHONS[0])
        ],
        'robot_view': robot_view(pins, first),
    }


def robot_view(pins: list[Pin], there: set[str]) -> list[Pin]:
    """Return what Rerun needs beside what is ``there`` and apt's NumPy 1, matplotlib and Pillow."""
    missing = needed([Requirement('rerun-sdk')], ROBOT_PYTHONS[:1]) - FROM_APT - there - {'pillow'}
    return [
        Pin(pin.name, WITH_NUMPY_1.get(pin.name, pin.version))
        for pin in pins
        if pin.name in missing and pin.holds(ROBOT_PYTHONS[0])
    ]


def robot_marker(name: str, first: set[str], later: set[str]) -> str:
    """Return on which of the robots' Pythons something is needed; empty: on all."""
    if name in first & later:
        return ''
    return 'python_version < "3.13"' if name in first else 'python_version >= "3.13"'


def hashes(pins: list[Pin]) -> dict[tuple[str, str], list[str]]:
    """Return the hashes of every file that the index has of each version."""
    found: dict[tuple[str, str], list[str]] = {}
    for python in PYTHONS:
        wanted = '\n'.join(f'{pin.name}=={pin.version}' for pin in pins if pin.holds(python))
        command = ['uv', 'pip', 'compile', '-', '--quiet', '--no-deps', '--generate-hashes']
        command += ['--no-header', '--no-annotate', '--python-version', python]
        command += ['--python-platform', 'x86_64-manylinux_2_28']
        done = subprocess.run(command, input=wanted, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f'lock: Python {python}: {done.stderr.strip()}')
        for block in re.split(r'\n(?=\S)', done.stdout):
            name, version = re.match(r'([\w.-]+)(?:\[.*])?==(\S+)', block).groups()
            found[canonicalize_name(name), version] = re.findall(r'--hash=(\S+)', block)
    return found


def text(pins: list[Pin], known: dict[tuple[str, str], list[str]], what: str) -> str:
    """Return a file of pins with hashes."""
    lines = [HEAD.format(what)]
    for pin in pins:
        hashed = ''.join(f' \\\n    --hash={one}' for one in known[pin.name, pin.version])
        lines.append(f'{pin.line}{hashed}\n')
    return ''.join(lines)


def write_tools() -> None:
    """Write the pins of the tools that make and look at the others; newest versions each time."""
    out = PINS / 'tools.txt'
    command = ['uv', 'pip', 'compile', str(ROOT / 'requirements-tools.txt'), '--quiet']
    command += ['--universal', '--python-version', PYTHONS[0], '--generate-hashes', '--no-header']
    done = subprocess.run([*command, '--no-annotate', '--upgrade'], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f'lock: tools: {done.stderr.strip()}')
    head = '# Made by tools/lock.py from requirements-tools.txt: edits are lost.\n'
    out.write_text(head + done.stdout)


WHAT = {
    'setup': 'What `make setup` installs beside the wheels of ROS, PyTorch and what learns aside.',
    'learn': 'What learning needs besides; PyTorch itself is unhashed, see its index.',
    'robot': "What a robot with apt's ROS 2 gets from pip (requirements-robot.txt).",
    'robot_view': 'What shows it in Rerun on a robot whose NumPy is 1 (Ubuntu 24.04); 660 MB.',
}


def main() -> int:
    """Write the files."""
    pins = read_pins(ROOT / 'constraints.txt')
    known = hashes(pins) | hashes([Pin(*item) for item in WITH_NUMPY_1.items()])
    PINS.mkdir(exist_ok=True)
    for name, chosen in groups(pins).items():
        (PINS / f'{name}.txt').write_text(text(chosen, known, WHAT[name]))
        print(f'pins/{name}.txt: {len(chosen)} versions')
    write_tools()
    return 0


if __name__ == '__main__':
    sys.exit(main())
