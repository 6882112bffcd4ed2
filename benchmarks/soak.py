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
Hours of driving, listening and recording over real nodes: whether anything grows or comes late.

Run as `python benchmarks/soak.py [--hours 8] [--row 60] [--out out/soak]` after `. ./env.sh`. Robot
(its clock as fast as every node keeps up), detector and follower are processes; this one sends a
goal a minute, records a bag of everything, audio too, and restarts the detector (deactivate, clean
up, configure, activate) in the middle of every row of the table: an hour, or `--row` minutes.
What every process holds is read after each goal. Ends with 1 where a bound is broken: after the
first row no process may grow by 2 MB an hour, nor have a thread or a descriptor more, and no
reading may be late.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import itertools
import math
import os
from pathlib import Path
import random
import statistics
import sys
import tempfile
import time
from typing import Any

from quiet_nav.demo import domain as domains
from quiet_nav.demo.processes import Processes
from quiet_nav.errors import QuietNavError
from quiet_nav.perception.messages import stamp_to_ns

GOAL_S = 55.0
#: Of /clock and of control: nodes that are woken less often leave more simulated time to a machine.
RATE_HZ = 10.0
#: One goal in so many is canceled before its end.
CANCELED_EACH = 8
ALGORITHMS = ('tracker', 'algorithm1', 'tracker', 'algorithm2', 'tracker', 'straight', 'random')
#: Bounds: MB (10^6 bytes) an hour after the first row; seconds from a window's end to its reading.
GROWTH_MB, LATE_S = 2.0, 0.5
#: How goals end by themselves, by request or at a wall; others are printed with their reason.
GOOD_OUTCOMES = ('LIMIT_REACHED', 'CANCELED', 'BUMP')
PACE_S = 1.0
#: A goal that has not ended by then hangs, on whatever machine.
HANGS_S = 1200.0


@dataclass(frozen=True)
class Held:
    """What a process holds: resident set and what is its own alone of it (MB), threads, files."""

    resident_mb: float
    own_mb: float
    threads: int
    descriptors: int

    @classmethod
    def of(cls, process: int) -> Held:
        """Return what a process of this machine holds now."""
        folder = Path('/proc', str(process))
        lines = (folder / 'smaps_rollup').read_text().splitlines()[1:]
        pages = {key: int(text.split()[0]) for key, _, text in (s.partition(':') for s in lines)}
        return cls(
            pages['Rss'] * 1024 / 1e6,
            (pages['Private_Clean'] + pages['Private_Dirty']) * 1024 / 1e6,
            len(os.listdir(folder / 'task')),
            len(os.listdir(folder / 'fd')),
        )


@dataclass
class Row:
    """One row of the tables, from a simulated time on: what processes held after each goal."""

    began_s: float
    held: dict[str, list[Held]] = field(default_factory=lambda: defaultdict(list))
    outcomes: Counter[str] = field(default_factory=Counter)
    #: Valid readings by how many hundredths of a second they came after their windows.
    delays: Counter[int] = field(default_factory=Counter)
    invalid: int = 0
    driven_m: float = 0.0
    #: Simulated and real seconds, and processor seconds by process.
    length_s: float = 0.0
    took_s: float = 0.0
    used_s: Counter[str] = field(default_factory=Counter)

    @property
    def late(self) -> int:
        return sum(count for delay, count in self.delays.items() if delay > 100 * LATE_S)

    def delay_s(self, share: float) -> float:
        """Return what so large a share of the readings stayed below."""
        rest = share * self.delays.total()
        for delay in sorted(self.delays):
            rest -= self.delays[delay]
            if rest <= 0.0:
                return delay / 100
        return math.nan


class Soak:
    """Goals one after the other, the recorder, and what every process holds, row by row."""

    def __init__(self, client: Any, options: argparse.Namespace, nodes: Mapping[str, int]) -> None:
        from rclpy.parameter_client import AsyncParameterClient
        from std_srvs.srv import Trigger

        from quiet_nav.demo.pace import Pace, PaceSettings
        from quiet_nav.nodes.recorder import Recorder, TOPICS

        self._client, self._nodes = client, nodes
        self._end_s, self._row_s = 3600.0 * options.hours, 60.0 * options.row
        self._stop_s = time.monotonic() + 60.0 * options.minutes
        self._rng = random.Random(options.seed)
        self._reset = client.node.create_client(Trigger, 'reset')
        self._robot = AsyncParameterClient(client.node, 'simulated_robot')
        self._pace = Pace(PaceSettings(begin=1.0, fastest=options.fastest))
        self.rows: list[Row] = []
        self._restarted = False
        self._began_ns = self._now_ns = self._paced_ns = 0
        self._began_s = self._paced_s = time.monotonic()
        self._factor = 1.0
        self._place: complex | None = None
        self._used_s: Counter[str] = Counter()
        handlers = {
            'ground_truth': self._on_truth,
            'near_wall': self._on_reading,
            'cmd_vel': self._on_command,
        }
        self._recorder = Recorder(
            client.node, options.out / 'bag', TOPICS, lambda: self._now_ns, handlers
        )

    @property
    def time_s(self) -> float:
        """Return simulated seconds since the first goal."""
        return (self._now_ns - self._began_ns) * 1e-9 if self._began_ns else 0.0

    def run(self, report: Callable[[], None]) -> None:
        """Drive for the hours asked for; report after each row."""
        for name in ('near_wall', 'wall_follower'):
            self._client.activate(name, 120.0)
        self._client.wait(lambda: self._now_ns, 120.0)
        self._began_ns, self._began_s = self._now_ns, time.monotonic()
        self._used_s = self._used()
        try:
            self._next_row()
            for number in itertools.count():
                self._follow(number, self._restart_due())
                row = self.rows[-1]
                for name, process in self._nodes.items():
                    row.held[name].append(Held.of(process))
                over = self.time_s >= self._end_s or time.monotonic() >= self._stop_s
                if not over and self.time_s < row.began_s + self._row_s:
                    continue
                self._finish(row)
                report()
                if over:
                    return
                self._next_row()
        finally:
            self._recorder.close()

    def _next_row(self) -> None:
        self.rows.append(Row(self.time_s))
        self._restarted = False

    def _finish(self, row: Row) -> None:
        now_s, used_s = time.monotonic(), self._used()
        row.length_s = self.time_s - row.began_s
        row.took_s, self._began_s = now_s - self._began_s, now_s
        row.used_s, self._used_s = used_s - self._used_s, used_s

    def _used(self) -> Counter[str]:
        return Counter({name: used_s(process) for name, process in self._nodes.items()})

    def _restart_due(self) -> bool:
        due = not self._restarted and self.time_s >= self.rows[-1].began_s + 0.5 * self._row_s
        self._restarted = self._restarted or due
        return due

    def _follow(self, number: int, restart: bool) -> None:
        """Begin at a start pose, follow one goal to its end, count how it ended."""
        from std_srvs.srv import Trigger

        from quiet_nav.action import FollowWall
        from quiet_nav.navigation.step_machine import Outcome

        client = self._client
        self._set('start', self._rng.randrange(18))
        client.result_of(self._reset.call_async(Trigger.Request()), 60.0, 'reset')
        self._place = None
        goal = FollowWall.Goal(algorithm=ALGORITHMS[number % len(ALGORITHMS)], max_duration=GOAL_S)
        ended = client.follow(goal, lambda said: None, 120.0)
        until_s = self.time_s + self._rng.uniform(5.0, 0.8 * GOAL_S)
        if restart:
            self._until(until_s, ended)
            self._restart_detector()
        elif number % CANCELED_EACH == CANCELED_EACH - 1:
            self._until(until_s, ended)
            client.cancel(ended)
        self._until(self.time_s + 3.0 * GOAL_S, ended)
        if not ended.done():
            raise QuietNavError(f'goal {number} ({goal.algorithm}) did not end')
        result = ended.result().result
        name = Outcome(result.outcome).name
        self.rows[-1].outcomes[name] += 1
        if name not in GOOD_OUTCOMES:
            why = ', the detector was restarted' if restart else ''
            said = f'{goal.algorithm}{why}: {name}: {result.reason}'
            print(f'{self.time_s:.0f} s, goal {number}, {said}', flush=True)

    def _restart_detector(self) -> None:
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState

        client = self._client
        change = client.node.create_client(ChangeState, 'near_wall/change_state')
        try:
            for number in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
                request = ChangeState.Request(transition=Transition(id=number))
                client.wait(change.service_is_ready, 60.0)
                client.result_of(change.call_async(request), 60.0, 'near_wall')
        finally:
            client.node.destroy_client(change)
        client.activate('near_wall', 60.0)

    def _until(self, time_s: float, ended: Any) -> None:
        """Spin until a simulated time, or until a goal has ended."""

        def over() -> bool:
            self._keep_pace()
            return ended.done() or self.time_s >= time_s

        self._client.wait(over, HANGS_S)

    def _set(self, name: str, value: object) -> None:
        from rclpy.parameter import Parameter

        future = self._robot.set_parameters([Parameter(name, value=value)])
        self._client.result_of(future, 60.0, f'simulated_robot: {name}')

    def _keep_pace(self) -> None:
        from rclpy.parameter import Parameter

        now_s = time.monotonic()
        if now_s - self._paced_s < PACE_S:
            return
        if self._paced_ns:
            self._factor = (self._now_ns - self._paced_ns) * 1e-9 / (now_s - self._paced_s)
            before = self._pace.factor
            if self._pace.next(self._factor) != before:
                self._robot.set_parameters([Parameter('time_factor', value=self._pace.factor)])
        self._paced_s, self._paced_ns = now_s, self._now_ns

    # What arrives

    def _on_truth(self, message: Any) -> None:
        position = message.pose.pose.position
        self._now_ns = stamp_to_ns(message.header.stamp)
        place = complex(position.x, position.y)
        if self.rows and self._place is not None:
            self.rows[-1].driven_m += abs(place - self._place)
        self._place = place

    def _on_reading(self, message: Any) -> None:
        end_ns = stamp_to_ns(message.header.stamp)
        if not self._pace.reading(self._now_ns, end_ns, message.side) or not self.rows:
            return
        if message.valid:
            # On a robot, whose time is the machine's, it takes so long.
            delay_s = (self._now_ns - end_ns) * 1e-9 / max(self._factor, 1.0)
            self.rows[-1].delays[round(100 * delay_s)] += 1
        else:
            self.rows[-1].invalid += 1

    def _on_command(self, message: Any) -> None:
        self._pace.command((self._now_ns - stamp_to_ns(message.header.stamp)) * 1e-9)


def used_s(process: int) -> float:
    """Return the processor seconds that a process has used."""
    fields = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def level(held: list[Held], of: Callable[[Held], float]) -> float:
    """Return what a process held at the end of a row: the median of the row's last third."""
    return statistics.median(of(one) for one in held[-max(len(held) // 3, 1) :])


def faults(rows: list[Row]) -> list[str]:
    """Return in words where a bound is broken."""
    found = []
    first, last = rows[0], rows[-1]
    hours = (last.began_s + last.length_s - first.length_s) / 3600.0
    for name in first.held if len(rows) > 1 else ():
        before, after = first.held[name], last.held[name]
        growth = level(after, lambda h: h.resident_mb) - level(before, lambda h: h.resident_mb)
        if growth / hours >= GROWTH_MB:
            found.append(f'{name} grows by {growth / hours:.2f} MB an hour; {GROWTH_MB:g} allowed')
        most, later = max(h.threads for h in before), level(after, lambda h: h.threads)
        if later > most:
            found.append(f'{name} has {later:.0f} threads, {most} in the first row')
        most, later = max(h.descriptors for h in before), level(after, lambda h: h.descriptors)
        if later > most:
            found.append(f'{name} has {later:.0f} descriptors, {most} in the first row')
    late = sum(row.late for row in rows)
    if late:
        found.append(f'{late} readings came later than {LATE_S:g} s after their windows')
    return found


def tables(rows: list[Row]) -> str:
    """Return what happened and what every process held, by the row, in Markdown."""
    lines = [
        '| Until h | Goals | How they ended | Way m | Readings, valid (not) '
        '| Came after s, median (99 %) | Late | x real time |',
        '|---|---|---|---|---|---|---|---|',
    ]
    ends = [f'{(row.began_s + row.length_s) / 3600.0:.2f}' for row in rows]
    for end, row in zip(ends, rows, strict=True):
        ended = ', '.join(f'{count} {name.lower()}' for name, count in row.outcomes.most_common())
        lines.append(
            f'| {end} | {row.outcomes.total()} | {ended} | {row.driven_m:.0f} '
            f'| {row.delays.total()} ({row.invalid}) '
            f'| {row.delay_s(0.5):.2f} ({row.delay_s(0.99):.2f}) | {row.late} '
            f'| {row.length_s / row.took_s:.1f} |'
        )
    names = list(rows[0].held)
    lines += ['', f'| Until h | {" | ".join(names)} |', '|---|' + '---|' * len(names)]
    for end, row in zip(ends, rows, strict=True):
        cells = [
            f'{level(held, lambda h: h.resident_mb):.1f} '
            f'({level(held, lambda h: h.own_mb):.1f}) MB, '
            f'{level(held, lambda h: h.threads):.0f} threads, '
            f'{level(held, lambda h: h.descriptors):.0f} files, '
            f'{row.used_s[name] / row.length_s:.0%}'
            for name, held in row.held.items()
        ]
        lines.append(f'| {end} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def drive(options: argparse.Namespace) -> list[Row]:
    """Start the nodes, drive for the hours asked for, stop everything."""
    with domains.private_domain() as domain:
        environment = domains.private_environment(domain, os.environ)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment, ROS_LOG_DIR=str(options.out / 'log' / 'ros'))
        with Processes(options.out / 'log', environment) as processes:
            return _drive(options, processes)


def _drive(options: argparse.Namespace, processes: Processes) -> list[Row]:
    import rclpy
    from rclpy.experimental.events_executor import EventsExecutor

    from quiet_nav.demo.pace import patience
    from quiet_nav.nodes.goal_client import GoalClient

    rig = {'rig': options.rig}
    timed = rig | {'use_sim_time': True, 'autostart': False, 'data_folder': str(options.out)}
    robot = rig | {'room': options.room, 'seed': options.seed, 'clock_rate_hz': RATE_HZ}
    follower = timed | patience(options.fastest) | {'control_rate_hz': RATE_HZ}
    nodes = {
        'robot': processes.start('simulated_robot', robot).process.pid,
        'detector': processes.start('near_wall', timed | {'threads': 1}).process.pid,
        'follower': processes.start('wall_follower', follower).process.pid,
        'recorder and client': os.getpid(),
    }
    rclpy.init(args=[])
    # This process is a guest: an executor that does not list everything anew for every message.
    client = GoalClient(rclpy.create_node('soak'), executor=EventsExecutor())
    soak = Soak(client, options, nodes)

    def report() -> None:
        processes.check()
        print(tables(soak.rows), flush=True)

    try:
        soak.run(report)
    finally:
        client.close()
        client.node.destroy_node()
        rclpy.try_shutdown()
    return soak.rows


def main() -> int:
    """Print the tables after each row; return 1 where a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--hours', type=float, default=8.0, help='simulated hours')
    parser.add_argument('--row', type=float, default=60.0, help='simulated minutes of a row')
    parser.add_argument(
        '--minutes', type=float, default=math.inf, help='real minutes after which to end anyway'
    )
    parser.add_argument('--room', default='classroom')
    parser.add_argument('--rig', default='pair')
    parser.add_argument('--seed', type=int, default=11, help='of the sound; 11: one source')
    parser.add_argument('--fastest', type=float, default=10.0, help='times real time, at most')
    parser.add_argument('--out', type=Path, help='new folder to keep the bag and the logs in')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='quiet_nav_soak_') as folder:
        options.out = (options.out or Path(folder)).resolve()
        rows = drive(options)
        size = sum(file.stat().st_size for file in (options.out / 'bag').iterdir()) / 1e6
    found = faults(rows)
    driven_h = (rows[-1].began_s + rows[-1].length_s) / 3600.0
    print(f'{driven_h:.2f} simulated hours, a bag of {size:.0f} MB')
    print('\n'.join(found) or 'every bound holds')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
