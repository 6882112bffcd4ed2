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
from collections.abc import Callable
from dataclasses import asdict
import json
import math
import os
from pathlib import Path
import signal
import subprocess
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
from rclpy.signals import SignalHandlerOptions

from quiet_nav.simulation.robot.failures import NO_SENSE

PAGE = Path(__file__).resolve().parent.parent / 'docs/reference/what_it_survives.md'
#: Seconds that a row takes beside its watch, and that a process takes to begin.
_ROW_S, _BEGIN_S = 7.0, 10.0


def chosen(asked: list[str]) -> list[tuple[str, Fault]]:
    """Return the rows whose names hold one of some texts, with their sections; all without."""
    rows = [(title, fault) for title, faults in SECTIONS.items() for fault in faults]
    return [row for row in rows if not asked or any(text in row[1].name for text in asked)]


def shares(faults: list[Fault], count: int) -> list[list[Fault]]:
    """
    Return faults in so many lists of about the same length of time.

    By setup, so that nodes are started anew as seldom as may be.
    """
    ordered = sorted(faults, key=lambda fault: repr(fault.setup))
    costs = [
        _ROW_S + min(fault.promise.watched_s, 10.0) + _BEGIN_S * bool(fault.anew)
        for fault in ordered
    ]
    parts: list[list[Fault]] = [[] for _ in range(count)]
    done_s = 0.0
    for fault, cost in zip(ordered, costs, strict=True):
        parts[min(int(count * done_s / sum(costs)), count - 1)].append(fault)
        done_s += cost
    return parts


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


def run(faults: list[Fault], keep: Callable[[Fault, Seen], object]) -> None:
    """Measure faults in this process's domain, one after another."""
    with tempfile.TemporaryDirectory(prefix='quiet_nav_faults_') as folder:
        os.environ['ROS_HOME'] = folder
        # Whoever ends this process must not leave robots behind that drive.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        bench = Bench(Path(folder))
        try:
            make_models(bench)
            for fault in faults:
                seen = bench.measure(fault)
                print(told(fault, seen), flush=True)
                keep(fault, seen)
        finally:
            bench.close()
            rclpy.try_shutdown()


def run_beside(parts: int, asked: list[str]) -> dict[str, Seen]:
    """Measure the rows in so many domains at once, a process each."""
    with tempfile.TemporaryDirectory(prefix='quiet_nav_faults_') as folder:
        files = [Path(folder, f'{number}.json') for number in range(parts)]
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, *asked, '--part', str(number), str(parts), str(file)]
            )
            for number, file in enumerate(files)
        ]
        try:
            for process in processes:
                process.wait()
        finally:
            for process in processes:
                process.terminate()
                process.wait()
        return {
            name: Seen(**seen)
            for file in files
            if file.exists()
            for name, seen in json.loads(file.read_text()).items()
        }


def main() -> int:
    """Run the faults whose names hold a text; return 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('only', nargs='*', help='texts; faults whose names hold one of them')
    parser.add_argument('--write', action='store_true', help=f'write {PAGE.name}')
    parser.add_argument('--list', action='store_true', help='tell the faults, and break nothing')
    parser.add_argument(
        '--domains',
        type=int,
        default=2,
        metavar='N',
        help='so many benches side by side; %(default)s',
    )
    parser.add_argument('--part', nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    rows = chosen(asked.only)
    if asked.list:
        for title, fault in rows:
            print(f'{title}: {fault.name}: {fault.promise.told}')
        return 0
    if asked.write and asked.only:
        parser.error('--write takes the whole campaign')
    if not rows:
        parser.error('no fault has such a name; --list tells them')
    faults = [fault for _, fault in rows]
    begun, found = time.monotonic(), dict[str, Seen]()
    if asked.part:
        number, parts, file = int(asked.part[0]), int(asked.part[1]), Path(asked.part[2])

        def keep(fault: Fault, seen: Seen) -> None:
            found[fault.name] = seen
            told_all = {name: asdict(one) for name, one in found.items()}
            file.write_text(json.dumps(told_all))

        run(shares(faults, parts)[number], keep)
        return 0
    if asked.domains == 1 or len(faults) == 1:
        run(shares(faults, 1)[0], lambda fault, seen: found.update({fault.name: seen}))
    else:
        found = run_beside(asked.domains, asked.only)
    for fault in faults:
        found.setdefault(fault.name, Seen(short='not measured'))
    if asked.write:
        sections: dict[str, list] = {title: [] for title, _ in rows}
        for title, fault in rows:
            sections[title].append((fault.name, fault.promise, found[fault.name]))
        PAGE.write_text(page(sections, NO_SENSE))
    short = sum(bool(seen.short) for seen in found.values())
    minutes = (time.monotonic() - begun) / 60.0
    print(f'{len(found)} faults in {minutes:.0f} min, {short} fell short')
    return 1 if short else 0


if __name__ == '__main__':
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
