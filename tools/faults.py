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
from dataclasses import dataclass, field
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

# ruff: noqa: E402, E501
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Log, ParameterType, ParameterValue
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from quiet_nav.action import FollowWall
from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.nodes.conversions import pose_from_msg

STEP_M = 0.6
#: What a step that is begun may still take to its end, seconds and meters.
STEP = (6.0, STEP_M + 0.05)
#: Each is watched for so long after the fault.
WATCHED_S = 7.0
PAGE = Path(__file__).resolve().parent.parent / 'docs/reference/what_it_survives.md'


@dataclass
class Fault:
    """
    A line of the table: what is broken, and what may come of it.

    seconds, meters: from the fault to true rest, inf where the robot may go on. ends: how the run
    may end ('' where it goes on or stands). says: a word of the log. then: to be mended afterwards.
    """

    name: str
    act: Callable[[Campaign], None]
    seconds: float
    meters: float
    ends: tuple[str, ...] = ()
    says: str = ''
    then: Callable[[Campaign], None] | None = None


@dataclass
class Seen:
    """What was measured of one fault."""

    seconds: float = math.nan
    meters: float = math.nan
    outcome: str = ''
    said: list[str] = field(default_factory=list)
    short: str = ''


class Campaign:
    """Three nodes as processes, and one beside them that sends goals and sees the truth."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen] = {}
        rclpy.init()
        self.node = rclpy.create_node('campaign')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.truth: tuple[float, object, float, float] | None = None
        self.way_m = 0.0
        self.logs: list[tuple[str, str]] = []
        self.extra: list = []
        keep = self.node.create_subscription
        keep(Odometry, 'ground_truth', self._on_truth, 50)
        keep(Log, '/rosout', self._on_log, 100)
        self.goals = ActionClient(self.node, FollowWall, 'follow_wall')
        self.reset = self.node.create_client(Trigger, 'reset')
        self.set = self.node.create_client(SetParameters, 'simulated_robot/set_parameters')
        self.ears = self.node.create_client(ChangeState, 'near_wall/change_state')
        self.release = self.node.create_client(SetBool, 'set_emergency_stop')

    def _on_truth(self, message: Odometry) -> None:
        pose = pose_from_msg(message.pose.pose)
        if self.truth is not None:
            self.way_m += pose.distance_to(self.truth[1])
        twist = message.twist.twist
        self.truth = time.monotonic(), pose, twist.linear.x, twist.angular.z

    def _on_log(self, message: Log) -> None:
        if message.level >= 30 and message.name != 'simulated_robot':
            self.logs.append((message.name, message.msg))

    def spin(self, condition: Callable[[], object] = lambda: False, timeout_s: float = 20.0):
        end = time.monotonic() + timeout_s
        while not (held := condition()) and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.01)
        return held

    def call(self, client, request, timeout_s: float = 20.0):
        if not self.spin(client.service_is_ready, timeout_s):
            return None
        future = client.call_async(request)
        return future.result() if self.spin(future.done, timeout_s) else None

    def start(self, name: str, *parameters: str) -> None:
        command = [sys.executable, '-m', f'quiet_nav.nodes.{name}', '--ros-args']
        for text in parameters:
            command += ['-p', text]
        with open(self.folder / f'{name}.log', 'ab') as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()

    def fail(self, *texts: str) -> None:
        value = ParameterValue(
            type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=list(texts)
        )
        parameter = ParameterMessage(name='failures', value=value)
        self.call(self.set, SetParameters.Request(parameters=[parameter]))

    def begin(self) -> None:
        """Start what does not run."""
        own = 'use_sim_time:=true'
        if 'simulated_robot' not in self.processes:
            self.start('simulated_robot', 'perfect:=true')
        if 'near_wall' not in self.processes:
            self.start('near_wall', own, 'threads:=1', f'data_folder:={self.folder}')
        if 'wall_follower' not in self.processes:
            self.start(
                'wall_follower', own, f'step_length_m:={STEP_M}', f'data_folder:={self.folder}'
            )
        self.spin(self.goals.server_is_ready, 60.0)

    def send(self):
        future = self.goals.send_goal_async(FollowWall.Goal(algorithm='straight'))
        return future.result() if self.spin(future.done, 20.0) else None

    def measure(self, fault: Fault) -> Seen:
        """Drive, break, watch."""
        self.begin()
        self.fail()
        self.call(self.reset, Trigger.Request())
        handle = None
        for _ in range(10):
            handle = self.send()
            if handle is not None and handle.accepted:
                break
            self.spin(timeout_s=1.0)
        if handle is None or not handle.accepted:
            return Seen(short='no goal was taken')
        result = handle.get_result_async()
        if not self.spin(lambda: self.truth and self.truth[2] > 0.13, 40.0):
            self.spin(handle.cancel_goal_async().done, 5.0)
            return Seen(short='it never drove')
        seen = Seen()
        self.logs.clear()
        self.way_m, begun = 0.0, time.monotonic()
        fault.act(self)
        rest: tuple[float, float] | None = None
        end = begun + WATCHED_S
        while time.monotonic() < end and not (rest and result.done()):
            self.executor.spin_once(timeout_sec=0.01)
            _, _, linear, angular = self.truth
            if abs(linear) < 1e-3 and abs(angular) < 1e-3:
                rest = rest or (time.monotonic() - begun, self.way_m)
        self.spin(timeout_s=0.5)
        seen.seconds, seen.meters = rest or (math.inf, self.way_m)
        if result.done():
            answer = result.result().result
            seen.outcome = Outcome(answer.outcome).name
            seen.said.append(f'wall_follower: {answer.reason}')
        else:
            seen.outcome = 'stands' if rest and self.way_m - rest[1] < 0.02 else 'goes on'
        for name, text in self.logs:
            if not any(text in said or said.partition(': ')[2] in text for said in seen.said):
                seen.said.append(f'{name}: {text}')
        self._judge(fault, seen)
        if not result.done():
            handle.cancel_goal_async()
            self.spin(result.done, 3.0)
        self.mend(fault)
        return seen

    def _judge(self, fault: Fault, seen: Seen) -> None:
        if seen.seconds > fault.seconds:
            seen.short = f'{seen.seconds:.2f} s; allowed {fault.seconds:g} s'
        elif math.isfinite(fault.meters) and seen.meters > fault.meters:
            seen.short = f'{seen.meters:.2f} m; allowed {fault.meters:g} m'
        elif fault.ends and seen.outcome not in fault.ends:
            seen.short = f'{seen.outcome}; expected {" or ".join(fault.ends)}'
        elif fault.says and not any(fault.says in text for text in seen.said):
            seen.short = f'nobody said {fault.says!r}'

    def mend(self, fault: Fault) -> None:
        if fault.then is not None:
            fault.then(self)
        for destroy, entity in self.extra:
            destroy(entity)
        self.extra.clear()
        if 'simulated_robot' in self.processes:
            self.fail()
        self.spin(timeout_s=1.0)

    def other(self, kind: type, topic: str) -> None:
        """Publish what somebody else should publish alone."""
        node = rclpy.create_node('somebody_else')
        node.create_publisher(kind, topic, 10)
        self.extra.append((lambda item: item.destroy_node(), node))

    def press(self) -> None:
        qos = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        button = self.node.create_publisher(Bool, 'emergency_stop', qos)
        self.extra.append((self.node.destroy_publisher, button))
        self.spin(button.get_subscription_count, 5.0)
        self.way_m = 0.0
        button.publish(Bool(data=True))

    def latched(self) -> None:
        """Press, kill the follower, begin again: the goal must be refused."""
        self.press()
        self.spin(timeout_s=1.0)
        self.kill('wall_follower')
        self.begin()
        self.spin(timeout_s=3.0)
        handle = self.send()
        if handle is None or handle.accepted:
            self.logs.append(('campaign', 'goal accepted in spite of the latch'))
        else:
            self.logs.append(('campaign', 'goal refused after the restart'))

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        self.node.destroy_node()
        rclpy.try_shutdown()


def signalled(name: str, number: int) -> Callable[[Campaign], None]:
    return lambda c: c.processes[name].send_signal(number)


def transition(number: int) -> Callable[[Campaign], None]:
    def act(c: Campaign) -> None:
        c.ears.call_async(ChangeState.Request(transition=Transition(id=number)))

    return act


def failing(text: str, seconds: float, meters: float, *ends: str, says: str = '') -> Fault:
    return Fault(f'`{text}`', lambda c: c.fail(text), seconds, meters, ends, says)


def forget(name: str) -> Callable[[Campaign], None]:
    return lambda c: c.kill(name)


def unlatch(c: Campaign) -> None:
    c.call(c.release, SetBool.Request(data=False))


ANY = math.inf
LOST, WRONG = 'ODOMETRY_LOST', 'MOTION_MISMATCH'
ENDED = (
    'NO_READING', 'SENSOR_LOST', 'PHASE_TIMEOUT', 'LIMIT_REACHED', 'stands', LOST, WRONG, 'BUMP'
)  # fmt: skip

#: By section: what breaks, and what is allowed of it.
FAULTS = (
    Fault('near_wall is killed', signalled('near_wall', signal.SIGKILL), 0.5, 0.08, (), 'no sign of life', forget('near_wall')),
    Fault('near_wall hangs (SIGSTOP)', signalled('near_wall', signal.SIGSTOP), 0.7, 0.12, (), 'no sign of life', forget('near_wall')),
    Fault('near_wall is deactivated', transition(4), 0.5, 0.08, (), 'no sign of life', transition(3)),
    Fault('wall_follower is killed', signalled('wall_follower', signal.SIGKILL), 1.0, 0.15, (), '', forget('wall_follower')),
    failing('odom:off', 0.5, 0.08, LOST),
    failing('odom:stuck', 1.0, 0.12, WRONG),
    failing('odom:garbage', 0.5, 0.08, LOST),
    failing('odom:wrong=-1', 1.0, 0.12, WRONG, LOST),
    failing('odom:wrong=0', 1.0, 0.12, WRONG, LOST),
    failing('odom:wrong=0.2', 2.0, 0.25, WRONG),
    failing('odom:wrong=0.5', *STEP, WRONG),
    failing('odom:slow', 0.8, 0.12, LOST, WRONG),
    failing('odom:delayed', 1.0, 0.13, LOST, WRONG),
    failing('odom:intermittent', 1.1, 0.15, LOST, WRONG),
    failing('twist:garbage', 0.5, 0.08, LOST),
    failing('twist:stuck', *STEP),
    failing('twist:wrong', *STEP),
    failing('tf:garbage', *STEP),
    failing('clock:off', 1.0, 0.13, says='stood still'),
    failing('clock:stuck', 1.0, 0.13, says='stood still'),
    failing('clock:wrong=-20', 0.5, 0.08, 'CLOCK_JUMPED'),
    failing('clock:wrong=3600', 0.5, 0.08, 'CLOCK_JUMPED'),
    failing('clock:garbage', 0.5, 0.08, 'CLOCK_JUMPED'),
    failing('audio:off', 3.0, 0.4),
    failing('audio:stuck', *STEP),
    failing('audio:garbage', *STEP),
    failing('audio:wrong', *STEP),
    failing('audio:delayed=3', *STEP),
    failing('audio:intermittent', *STEP),
    failing('audio_info:garbage', *STEP),
    failing('audio_info:wrong', *STEP),
    failing('ear0:off', *STEP),
    failing('ear1:garbage', *STEP),
    failing('camera:off', *STEP),
    failing('depth:garbage', *STEP),
    failing('bump:wrong', 0.5, 0.08, 'BUMP'),
    failing('cmd_vel:off', 1.2, 0.15, WRONG),
    failing('cmd_vel:wrong', 1.0, 0.13, WRONG),
    failing('cmd_vel:garbage', 1.2, 0.15, WRONG),
    failing('cmd_vel:intermittent', *STEP),
    Fault('another publisher of cmd_vel', lambda c: c.other(TwistStamped, 'cmd_vel'), 0.5, 0.08, ('CONFLICT',), 'somebody_else'),
    Fault('another publisher of odom', lambda c: c.other(Odometry, 'odom'), 0.5, 0.08, ('CONFLICT',), 'somebody_else'),
    Fault('a second /clock', lambda c: c.other(Clock, '/clock'), 0.5, 0.08, ('CONFLICT',), 'somebody_else'),
    Fault('emergency stop, best effort', Campaign.press, 0.5, 0.08, ('EMERGENCY_STOP',), '', unlatch),
    Fault('emergency stop, then the follower is killed and started', Campaign.latched, ANY, 0.1, (), 'goal refused', unlatch),
)  # fmt: skip


def table(rows: list[tuple[Fault, Seen]]) -> str:
    """Return the table in Markdown."""
    lines = ['| What breaks | s | m | Outcome | Who says what | |', '|---|---|---|---|---|---|']
    for fault, seen in rows:
        said = '; '.join(seen.said[:2]).replace('|', '/')
        verdict = 'held' if not seen.short else f'**short: {seen.short}**'
        seconds = f'{seen.seconds:.2f}' if math.isfinite(seen.seconds) else '-'
        meters = f'{seen.meters:.2f}' if math.isfinite(seen.meters) else '-'
        lines.append(
            f'| {fault.name} | {seconds} | {meters} | {seen.outcome} | {said} | {verdict} |'
        )
    return '\n'.join(lines)


HEAD = """# What it survives

`make faults` breaks what is named here while the simulated robot drives at 0.15 m/s, over real nodes:
`simulated_robot`, `near_wall` and `wall_follower`, each a process.
Seconds and meters are counted from the fault to true rest; times include the load of the machine.
A row that falls short says so, with what is allowed. `odom:stuck` and the like are
[failures by component and kind](../how-to/simulated_robot.md#break-something).

"""


def main() -> int:
    """Run the faults whose names hold a text; return 1 where one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('only', nargs='*', help='texts; faults whose names hold one of them')
    parser.add_argument('--write', action='store_true', help=f'write {PAGE.name}')
    asked = parser.parse_args()
    wanted = [f for f in FAULTS if not asked.only or any(text in f.name for text in asked.only)]
    rows: list[tuple[Fault, Seen]] = []
    with tempfile.TemporaryDirectory(prefix='quiet_nav_faults_') as folder:
        os.environ['ROS_HOME'] = folder
        campaign = Campaign(Path(folder))
        try:
            for fault in wanted:
                seen = campaign.measure(fault)
                if seen.short.startswith(('no goal', 'it never')):
                    # What was broken before may not be well again: begin anew, once.
                    for name in list(campaign.processes):
                        campaign.kill(name)
                    seen = campaign.measure(fault)
                rows.append((fault, seen))
                print(
                    f'{fault.name}: {seen.seconds:.2f} s, {seen.meters:.2f} m, {seen.outcome}; '
                    f'{"; ".join(seen.said[:2])}: {seen.short or "held"}',
                    flush=True,
                )
                if asked.write:
                    PAGE.write_text(HEAD + table(rows) + '\n')
        finally:
            campaign.close()
    short = sum(bool(seen.short) for _, seen in rows)
    print(f'{len(rows)} faults, {short} fell short')
    return 1 if short else 0


if __name__ == '__main__':
    sys.exit(main())
