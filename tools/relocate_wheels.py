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
Point the CMake files of the ROS wheels at this environment, not at their build machine.

Run it with the environment's own Python after installing: ``.venv/bin/python
tools/relocate_wheels.py``. Running it again changes nothing.
"""

from __future__ import annotations

from pathlib import Path
import re
import sys
import sysconfig

BUILD_MACHINE = r'/opt/(?:_internal|python)/c[^/;"> )]+'
PYTHON_INCLUDE = re.compile(BUILD_MACHINE + r'/include/python3\.\d+')
NUMPY_INCLUDE = re.compile(
    BUILD_MACHINE + r'/lib/python3\.\d+/site-packages/numpy/(?:_core|core)/include'
)


def relocate(text: str, python_include: str, numpy_include: str) -> str:
    """Return the text of a CMake file with both include folders of the build machine replaced."""
    text = NUMPY_INCLUDE.sub(lambda _: numpy_include, text)
    return PYTHON_INCLUDE.sub(lambda _: python_include, text)


def main() -> int:
    """Rewrite every CMake file below ``sys.prefix``/share; return 1 where headers are missing."""
    import numpy

    python_include = sysconfig.get_path('include')
    if not Path(python_include, 'Python.h').is_file():
        print(
            f'no Python.h in {python_include}: install the headers of this Python '
            '(Debian and Ubuntu: apt install python3-dev)',
            file=sys.stderr,
        )
        return 1
    changed = 0
    for path in Path(sys.prefix, 'share').glob('*/cmake/*.cmake'):
        old = path.read_text(encoding='utf-8')
        new = relocate(old, python_include, numpy.get_include())
        if new != old:
            path.write_text(new, encoding='utf-8')
            changed += 1
    print(f'{changed} CMake files of the ROS wheels now point to {sys.prefix}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
