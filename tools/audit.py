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
Look the pinned versions up among known vulnerabilities, by pip-audit.

``python tools/audit.py`` (`make audit`). Ends with 1 where a vulnerability is known that
pins/accepted.yaml does not accept with a reason. Where the service cannot be reached, or does not
know some packages, it says so and ends with 0: nothing was found, because nobody could look.
"""

from __future__ import annotations

import json
from pathlib import Path
import subprocess
import sys

import yaml

ROOT = Path(__file__).parents[1]
PINS = ROOT / 'pins'
FILES = ('setup', 'learn', 'robot', 'tools')
WAIT_S = 300


def look_up(path: Path) -> tuple[list[dict], str]:
    """Return what pip-audit says of each version in a file, and why it could not, if so."""
    command = ['pip-audit', '--requirement', str(path), '--require-hashes', '--no-deps']
    command += ['--disable-pip', '--format', 'json', '--progress-spinner', 'off']
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    except subprocess.TimeoutExpired:
        return [], f'no answer within {WAIT_S} s'
    try:
        return json.loads(done.stdout)['dependencies'], ''
    except (json.JSONDecodeError, KeyError):
        lines = done.stderr.strip().splitlines()
        return [], lines[-1] if lines else f'pip-audit ended with {done.returncode}'


def accepted(path: Path) -> dict[str, str]:
    """Return which vulnerabilities are accepted, and why."""
    given = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
    for name, reason in given.items():
        if not isinstance(reason, str) or len(reason) < 20:
            raise SystemExit(f'audit: {path}: {name} needs a reason')
    return given


def report(found: list[dict], reasons: dict[str, str]) -> tuple[int, list[str]]:
    """Return how many versions were looked up, and a line for each vulnerability that stands."""
    looked_up = [entry for entry in found if 'vulns' in entry]
    lines = []
    for entry in looked_up:
        for fault in entry['vulns']:
            names = [fault['id'], *fault.get('aliases', [])]
            if not set(names) & reasons.keys():
                fixed = ', '.join(fault.get('fix_versions', [])) or 'none yet'
                lines.append(
                    f'{entry["name"]} {entry["version"]}: {" = ".join(names)}; fixed in {fixed}'
                )
    return len(looked_up), sorted(set(lines))


def main() -> int:
    """Look up every file of pins; print what stands."""
    reasons = accepted(PINS / 'accepted.yaml')
    stands: set[str] = set()
    for name in FILES:
        found, why_not = look_up(PINS / f'{name}.txt')
        looked_up, lines = report(found, reasons)
        stands.update(lines)
        if why_not:
            print(f'audit: pins/{name}.txt could NOT be looked up ({why_not}); going on')
        elif looked_up < len(found):
            print(
                f'audit: pins/{name}.txt: {len(found) - looked_up} of {len(found)} versions could '
                'NOT be looked up (the service does not know them from here); going on'
            )
        else:
            print(f'audit: pins/{name}.txt: {looked_up} versions looked up')
    for line in sorted(stands):
        print(f'audit: {line}')
    if stands:
        print('audit: upgrade, or accept with a reason in pins/accepted.yaml')
    return 1 if stands else 0


if __name__ == '__main__':
    sys.exit(main())
