"""
Put the license header into every source file that has none: ``python tools/headers.py``.

Python files get the whole notice, as ament_copyright asks for it, all others the two lines of SPDX.
``--check`` changes nothing; it names the files without a header and returns 1 where there are some.
"""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

ROOT = Path(__file__).parents[1]

SPDX = """\
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0
"""
NOTICE = """\
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
SUFFIXES = {'.action', '.cmake', '.in', '.msg', '.py', '.sh', '.srv', '.yaml', '.yml'}
NAMES = {'CMakeLists.txt', 'Dockerfile', 'Makefile', 'run'}


def sources() -> list[Path]:
    """Return the files of the repository that take a header: those with ``#`` comments."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listed.split('\0') if name]
    return sorted(
        path
        for path in paths
        if path.is_file()
        and (path.suffix in SUFFIXES or path.name in NAMES)
        and path.relative_to(ROOT).parts[0] != 'overlay'
    )


def header(path: Path) -> str:
    """Return the header of a file."""
    return SPDX + NOTICE if path.suffix == '.py' else SPDX


def with_header(path: Path, text: str) -> str:
    """Return a file's text with the header, below a first line that starts with ``#!``."""
    if header(path) in text or not text.strip():
        return text
    first, rest = '', text
    if text.startswith('#!'):
        first, rest = text.split('\n', 1)
        first += '\n'
    return f'{first}{header(path)}\n{rest.lstrip()}'


def main() -> int:
    """Add the headers that are missing, or name them with ``--check``."""
    missing = []
    for path in sources():
        text = path.read_text(encoding='utf-8')
        new = with_header(path, text)
        if new != text:
            missing.append(path.relative_to(ROOT))
            if '--check' not in sys.argv[1:]:
                path.write_text(new, encoding='utf-8')
    if missing and '--check' in sys.argv[1:]:
        for path in missing:
            print(f'{path}: no license header; add it with: python tools/headers.py')
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
