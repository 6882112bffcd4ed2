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
Break something while the robot drives, over real nodes: seconds, meters, outcome, who said what.

`make faults`; ends with 1 where one falls short. `--write` writes the page in docs/reference.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
import sys
import tempfile
import time

from quiet_nav.demo.domain import claim_domain, private_environment

_domain, _lock = claim_domain()
_known = private_environment(_domain, os.environ)
for _name in os.environ.keys() - _known.keys():
    del os.environ[_name]
os.environ.update(_known)

# ruff: noqa: E402
from fault_campaign.bench import Bench, Fault
from fault_campaign.page import page
from fault_campaign.rows import make_models, SECTIONS
from fault_campaign.verdict import Seen
import rclpy

from quiet_nav.simulation.robot.failures import NO_SENSE

PAGE = Path(__file__).resolve().parent.parent / 'docs/reference/what_it_survives.md'


def chosen(asked: list[str]) -> list[tuple[str, Fault]]:
    """Return the rows whose names hold one of some texts, with their sections; all without."""
    rows = [(title, fault) for title, faults in SECTIONS.items() for fault in faults]
    return [row for row in rows if not asked or any(text in row[1].name for text in asked)]


def told(fault: Fault, seen: Seen) -> str:
    """Return what came of a fault in one line."""
    figures = ', '.join(
        f'{value:.2f} {unit}' if math.isfinite(value) else f'- {unit}'
        for value, unit in ((seen.seconds, 's'), (seen.meters, 'm'))
    )
    return (
        f'{fault.name}: {figures}, {seen.outcome}; {"; ".join(seen.said[:3])}: '
        f'{seen.short or "held"} (may: {fault.promise.told})'
    )


def main() -> int:
    """Run the faults whose names hold a text; return 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('only', nargs='*', help='texts; faults whose names hold one of them')
    parser.add_argument('--write', action='store_true', help=f'write {PAGE.name}')
    parser.add_argument('--list', action='store_true', help='tell the faults, and break nothing')
    asked = parser.parse_args()
    rows = chosen(asked.only)
    if asked.list:
        for title, fault in rows:
            print(f'{title}: {fault.name}: {fault.promise.told}')
        return 0
    if asked.write and asked.only:
        parser.error('--write takes the whole campaign')
    begun = time.monotonic()
    done: dict[str, list] = {title: [] for title, _ in rows}
    # By setup, so that nodes are started anew as seldom as may be; the page keeps its order.
    order = sorted(rows, key=lambda row: repr(row[1].setup))
    found: dict[str, Seen] = {}
    with tempfile.TemporaryDirectory(prefix='quiet_nav_faults_') as folder:
        os.environ['ROS_HOME'] = folder
        rclpy.init()
        bench = Bench(Path(folder))
        make_models(bench)
        try:
            for _, fault in order:
                found[fault.name] = bench.measure(fault)
                print(told(fault, found[fault.name]), flush=True)
        finally:
            bench.close()
            rclpy.try_shutdown()
    for title, fault in rows:
        done[title].append((fault.name, fault.promise, found[fault.name]))
    if asked.write:
        PAGE.write_text(page(done, NO_SENSE))
    short = sum(bool(seen.short) for seen in found.values())
    minutes = (time.monotonic() - begun) / 60.0
    print(f'{len(found)} faults in {minutes:.0f} min, {short} fell short')
    return 1 if short else 0


if __name__ == '__main__':
    sys.exit(main())
