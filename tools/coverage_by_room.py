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
        data.json_report(outfile=str(out), ignore_errors=True)
        files = json.loads(out.read_text())['files']
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, found in files.items():
        parts = Path(name).resolve().relative_to(ROOT).parts
        for room in (parts[0].removesuffix('.py'), 'all'):
            rooms[room][0] += found['summary']['covered_lines']
            rooms[room][1] += found['summary']['num_statements']
    lines = io.StringIO()
    for room, (ran, count) in sorted(rooms.items(), key=lambda item: (item[0] == 'all', item[0])):
        lines.write(f'{room:18} {100.0 * ran / max(count, 1):5.1f} %  of {count} statements\n')
    print(lines.getvalue(), end='')


if __name__ == '__main__':
    main()
