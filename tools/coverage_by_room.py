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

# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

"""Print the share of lines that tests ran, a line a package, from the .coverage file."""

from __future__ import annotations

from collections import defaultdict
import io
import json
from pathlib import Path
import tempfile

import coverage

ROOT = Path(__file__).resolve().parents[1] / 'src' / 'quiet_nav'


def main() -> None:
    """Read .coverage of the working folder and print the table."""
    data = coverage.Coverage()
    data.load()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / 'coverage.json'
        data.json_report(outfile=str(out), include=[f'{ROOT}/*'], ignore_errors=True)
        files = json.loads(out.read_text())['files']
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, found in files.items():
        path = Path(name).resolve()
        if not path.is_relative_to(ROOT):
            continue
        parts = path.relative_to(ROOT).parts
        for room in (parts[0].removesuffix('.py'), 'all'):
            rooms[room][0] += found['summary']['covered_lines']
            rooms[room][1] += found['summary']['num_statements']
    lines = io.StringIO()
    for room, (ran, count) in sorted(rooms.items(), key=lambda item: (item[0] == 'all', item[0])):
        lines.write(f'{room:18} {100.0 * ran / max(count, 1):5.1f} %  of {count} statements\n')
    print(lines.getvalue(), end='')


if __name__ == '__main__':
    main()
