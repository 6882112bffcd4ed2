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
Print constraints.txt: the versions installed in one environment for each Python, merged.

``python tools/pin.py .venv OTHER_VENV ... > constraints.txt`` with environments that `make setup
PYTHON=...` made. A version that holds in all of them gets no marker. A version that the Python of
a distribution does not take is an error: install an older one into the environment, then again.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from pathlib import Path
import sys

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

#: Never pinned: the installer itself and this package.
LEFT_OUT = {'pip', 'quiet-nav'}
#: The oldest release of each Python that a distribution ships: Ubuntu 22.04, Debian 12,
#: Ubuntu 24.04, Debian 13.
SHIPPED = {'3.10': '3.10.6', '3.11': '3.11.2', '3.12': '3.12.3', '3.13': '3.13.5'}


@dataclasses.dataclass(frozen=True)
class Installed:
    """What pip installed into one environment: versions and the Pythons that each allows."""

    python: str
    versions: dict[str, str]
    requires: dict[str, str]


def installed(environment: Path) -> Installed:
    """Return what pip installed into an environment."""
    (site,) = environment.glob('lib/python3.*/site-packages')
    versions, requires = {}, {}
    for distribution in importlib.metadata.distributions(path=[str(site)]):
        name = canonicalize_name(distribution.metadata['Name'])
        # Wheels of ROS packages hold a second, nested record that no index knows.
        if distribution.read_text('INSTALLER') and name not in LEFT_OUT:
            versions[name] = distribution.version.split('+')[0]
            requires[name] = distribution.metadata.get('Requires-Python') or ''
    return Installed(site.parent.name.removeprefix('python'), versions, requires)


def refused(environment: Installed) -> list[str]:
    """Return what a distribution's release of this Python does not take, a line each."""
    shipped = SHIPPED.get(environment.python, environment.python + '.0')
    return [
        f'{name}=={environment.versions[name]} needs Python {requires}, there is {shipped}'
        for name, requires in sorted(environment.requires.items())
        if not SpecifierSet(requires).contains(shipped)
    ]


def merged(environments: list[Installed]) -> list[str]:
    """Return the lines of the constraints for several Pythons, a marker where versions differ."""
    environments = sorted(environments, key=lambda e: Version(e.python))
    lines = []
    for name in sorted({n for e in environments for n in e.versions}):
        having = [e for e in environments if name in e.versions]
        for version in dict.fromkeys(e.versions[name] for e in having):
            these = [e for e in having if e.versions[name] == version]
            rest = [e for e in environments if e not in these]
            taken = any(name in e.versions for e in rest)
            allowed = SpecifierSet(these[0].requires[name])
            if not taken and all(allowed.contains(e.python + '.99') for e in rest):
                lines.append(f'{name}=={version}')
            elif these[0] is environments[0]:
                lines.append(f'{name}=={version} ; python_version <= "{these[-1].python}"')
            else:
                lines.append(f'{name}=={version} ; python_version >= "{these[0].python}"')
    return lines


def main() -> int:
    """Read the environments named on the command line and print their constraints."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    environments = [installed(Path(path)) for path in sys.argv[1:]]
    problems = [line for environment in environments for line in refused(environment)]
    if problems:
        print('\n'.join(problems), file=sys.stderr)
        return 1
    pythons = sorted((e.python for e in environments), key=Version)
    print('# The versions that are tested together, for Python ' + ', '.join(pythons))
    print('# on x86-64 Linux. Made by tools/pin.py.')
    print('\n'.join(merged(environments)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
