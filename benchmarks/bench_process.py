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
Microphone and near_wall in two processes or in one, by the ordinary or the events executor.

Run as `python benchmarks/bench_process.py [--seconds 30] [--rig pair]` after `. ./env.sh`. The
microphone plays noise in real time; CPU is what the kernel charged all processes between two
moments, memory their proportional set size (shared pages count once). One after the other, twice.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import contextlib
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time

from bench_node import Counter, cpu_s, RATE
import numpy as np
from rich.console import Console
from rich.table import Table
import soundfile

from quiet_nav.perception.rig import find_rig

EXECUTORS = ('ordinary', 'events')
PROCESSES = (('microphone', 'near_wall'), ('ears',))


def pss_mb(process: int) -> float:
    """Return a process's proportional set size in megabytes (10^6 bytes)."""
    for line in Path(f'/proc/{process}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f'no Pss in /proc/{process}/smaps_rollup')


def measured(
    counter: Counter, names: Sequence[str], arguments: Sequence[str], s: float
) -> tuple[float, float, float]:
    """Return CPU in percent of one core, memory in MB and valid readings a second."""
    running = [
        subprocess.Popen(
            [sys.executable, '-m', f'quiet_nav.nodes.{name}', '--ros-args', *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in names
    ]
    try:
        counter.expect_sound()
        # Without a reading the row says so: 0 a second.
        with contextlib.suppress(RuntimeError):
            counter.spin_until_valid(30.0)
        counter.valid = 0
        begun, used = time.monotonic(), sum(cpu_s(p.pid) for p in running)
        counter.spin(s)
        elapsed = time.monotonic() - begun
        share = 100.0 * (sum(cpu_s(p.pid) for p in running) - used) / elapsed
        memory = sum(pss_mb(p.pid) for p in running)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)
    return share, memory, counter.valid / elapsed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--seconds', type=float, default=30.0)
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--rig', default='pair')
    options = parser.parse_args()
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    ears = len(find_rig(options.rig).ears)
    counter = Counter(hears=True, sees=False)
    table = Table(title=f'microphone and near_wall, rig {options.rig}')
    for name in ('processes', 'executor', 'CPU, % of one core', 'memory, MB', 'readings a second'):
        table.add_column(name)
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / 'noise.wav'
        noise = 0.02 * np.random.default_rng(0).standard_normal((20 * RATE, ears))
        soundfile.write(sound, noise, RATE, 'PCM_16')
        given = {
            'microphone:file': sound,
            'microphone:loop': 'true',
            'near_wall:rig': options.rig,
        }
        arguments = [part for name, value in given.items() for part in ('-p', f'{name}:={value}')]
        for names in PROCESSES:
            for kind in EXECUTORS:
                given = [*arguments, '-p', f'executor:={kind}']
                found = np.array([
                    measured(counter, names, given, options.seconds) for _ in range(options.rounds)
                ])  # fmt: skip
                columns = [' '.join(f'{value:.1f}' for value in column) for column in found.T]
                table.add_row(' + '.join(names), kind, *columns)
    console = Console()
    console.width = max(console.width, 100)
    console.print(table)


if __name__ == '__main__':
    main()
