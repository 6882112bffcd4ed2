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


"""Nodes as processes, and one beside them that sends goals, breaks things and sees the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import math
import mmap
import os
from pathlib import Path
import resource
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Log, ParameterType, ParameterValue
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import SetBool, Trigger

from fault_campaign.verdict import (
    GOES_ON,
    judge,
    plain,
    Promise,
    REFUSED,
    said_once,
    Seen,
    STANDS,
    STEP_M,
    STOOD_M,
)
from quiet_nav.action import FollowWall
from quiet_nav.msg import NearWall
from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.nodes.conversions import pose_from_msg
from quiet_nav.perception.messages import stamp_to_ns

_SOURCE = Path(__file__).with_name('clock_shift.c')
#: A drive that is this fast goes on for a while: here things break.
_DRIVES_MPS = 0.13
#: Slower than this is rest.
_REST_MPS, _REST_RPS = 1e-3, 1e-3
#: After rest it is looked at so long whether the robot moves again.
_STANDS_S = 1.5
#: A row that falls short on a machine that stood still so long gets a second look.
STALLED_S = 0.04
MOST_LOOKS = 3
#: Diagnostics come once a second.
_RECENT_S = 1.5
#: A model is loaded and 3 s of sound are heard in so long.
_FIRST_READING_S = 25.0
#: A process that is asked to end gets so long.
_END_S = 6.0
_SIM = 'use_sim_time:=true'
_FOLLOWER = f'step_length_m:={STEP_M}', 'listen_timeout_s:=5.0', 'algorithm:=straight'


@dataclass(frozen=True)
class Setup:
    """
    Which nodes run, with which parameters (NAME:=VALUE), and the goal that is sent.

    clock: the nodes of the robot's computer have a system clock that can be set.
    """

    nodes: Mapping[str, tuple[str, ...]]
    algorithm: str = 'straight'
    modality: int = FollowWall.Goal.MODALITY_AUDIO
    clock: bool = False

    @classmethod
    def of(cls, algorithm: str = 'straight', **changed: tuple[str, ...]) -> Setup:
        """Return the usual three nodes, with more parameters (or more nodes) by name."""
        nodes: dict[str, tuple[str, ...]] = {
            'simulated_robot': ('perfect:=true',),
            'near_wall': (_SIM, 'threads:=1'),
            'wall_follower': (_SIM, *_FOLLOWER),
        }
        for name, parameters in changed.items():
            nodes[name] = (*nodes.get(name, (_SIM,)), *parameters)
        return cls(nodes, algorithm)


#: Drives straight on, whatever is heard.
BASE = Setup.of()
#: Drives by what is heard, and by what is seen.
EARS = Setup.of('algorithm1')
EYES = Setup(
    Setup.of(
        simulated_robot=('camera_rate_hz:=4.0',),
        near_wall=('modality:=vision',),
        probability_map=(),
    ).nodes,
    'algorithm2',
    FollowWall.Goal.MODALITY_VISION,
)
#: On the system's clock, as on a robot.
ROBOT = Setup(
    {
        'simulated_robot': ('perfect:=true',),
        'near_wall': ('threads:=1',),
        'wall_follower': _FOLLOWER,
    },
    clock=True,
)


@dataclass(frozen=True)
class Fault:
    """
    A row: what is broken, and what may come of it.

    act: breaks it, and calls ``mark`` at the moment where it waits for something first. then: mends
    what an end of failures, a kill and the like do not. before: what is there before the goal.
    anew: processes that are not to be used any more. sends: the goal, by another than the bench.
    """

    name: str
    act: Callable[[Bench], None]
    promise: Promise
    setup: Setup = BASE
    then: Callable[[Bench], None] | None = None
    before: Callable[[Bench], None] | None = None
    anew: tuple[str, ...] = ()
    sends: Callable[[Bench], object] | None = None


class Stalls:
    """Watches how long this machine keeps a thread that only sleeps from waking up."""

    def __init__(self) -> None:
        self._worst_s = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        before = time.monotonic()
        while True:
            time.sleep(0.01)
            now = time.monotonic()
            self._worst_s = max(self._worst_s, now - before - 0.01)
            before = now

    def take(self) -> float:
        """Return the longest time lost since the last call (s)."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s


@dataclass
class Way:
    """What the robot did since a moment, from its true poses (stamps in s)."""

    since_s: float = 0.0
    way_m: float = 0.0
    rest: tuple[float, float] | None = None
    drives_m: list[float] = field(default_factory=lambda: [0.0])

    def add(self, stamp_s: float, moved_m: float, rests: bool) -> None:
        self.way_m += moved_m
        self.drives_m[-1] += moved_m
        if not rests:
            return
        if self.rest is None:
            self.rest = stamp_s - self.since_s, self.way_m
        if self.drives_m[-1] > STOOD_M or len(self.drives_m) == 1:
            self.drives_m.append(0.0)


class Bench:
    """Runs the nodes of a setup, and measures faults one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen] = {}
        self._started: dict[str, tuple] = {}
        self.killed: set[str] = set()
        self.node = rclpy.create_node('campaign')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.stalls = Stalls()
        self.truth: tuple[float, Any, float, float] | None = None
        self.way = Way()
        self.said: list[str] = []
        self.lines = 0
        #: When diagnostics said what, numbers aside: what was said before a fault is none of it.
        self._known: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self.undo: list[Callable[[], object]] = []
        self.setup = BASE
        self.answer: Any = None
        #: A client of the goal beside the bench's own.
        self.client: ActionClient | None = None
        #: How the follower says that the run ended.
        self.ended = ''
        self._clock: mmap.mmap | None = None
        keep = self.node.create_subscription
        keep(Odometry, 'ground_truth', self._on_truth, 100)
        self._says_well = False
        keep(NearWall, 'near_wall', self._on_near_wall, 10)
        keep(Log, '/rosout', self._on_log, 100)
        keep(DiagnosticArray, '/diagnostics', self._on_diagnostics, 100)
        self.goals = self._goal_client()
        self.reset = self.node.create_client(Trigger, 'reset')
        self.set = self.node.create_client(SetParameters, 'simulated_robot/set_parameters')
        self.release = self.node.create_client(SetBool, 'set_emergency_stop')

    # What is heard

    def _on_truth(self, message: Odometry) -> None:
        pose, twist = pose_from_msg(message.pose.pose), message.twist.twist
        stamp_s = stamp_to_ns(message.header.stamp) * 1e-9
        moved = 0.0 if self.truth is None else pose.distance_to(self.truth[1])
        linear, angular = twist.linear.x, twist.angular.z
        if moved < 0.1:  # More is the robot put back to its start.
            rests = abs(linear) < _REST_MPS and abs(angular) < _REST_RPS
            self.way.add(stamp_s, moved, rests)
        self.truth = stamp_s, pose, linear, angular

    def _on_near_wall(self, message: NearWall) -> None:
        self._says_well |= message.valid

    def _on_log(self, message: Log) -> None:
        if message.level >= 30 and message.name not in ('simulated_robot', 'campaign'):
            self.said.append(f'{message.name}: {message.msg}')
            self.lines += 1
            outcome = message.msg.partition(':')[0]
            if outcome in Outcome.__members__:
                self.ended = outcome

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.partition(':')[0]
            if name == 'simulated_robot':
                continue
            if status.level > b'\0':
                text = f'{name}: {status.message}'
                if plain(text) not in self._known:
                    self.said.append(text)
                self._known[plain(text)] = time.monotonic()
            for item in status.values:
                if item.key.startswith('refused, ') and item.value.isdigit():
                    key = f'{name}: {item.key}'
                    if int(item.value) > self._counts.get(key, 0):
                        self.said.append(key)
                    self._counts[key] = int(item.value)

    def spin(self, condition: Callable[[], object] = lambda: False, timeout_s: float = 20.0) -> Any:
        """Do what comes until a condition holds; return it."""
        end = time.monotonic() + timeout_s
        while not (held := condition()) and time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.01)
        return held

    def call(self, client: Any, request: Any, timeout_s: float = 20.0) -> Any:
        """Return a service's answer, None where none came."""
        if not self.spin(client.service_is_ready, timeout_s):
            return None
        future = client.call_async(request)
        return future.result() if self.spin(future.done, timeout_s) else None

    # Nodes

    def start(self, module: str, parameters: tuple[str, ...], name: str = '', *extra: str) -> None:
        """Start a node as a process; name: under which it is kept, where one runs already."""
        name = name or module
        command = [sys.executable, '-m', f'quiet_nav.nodes.{module}', '--ros-args']
        if module in ('near_wall', 'wall_follower'):
            parameters = (*parameters, f'data_folder:={self.folder}')
        for text in parameters:
            command += ['-p', text.format(folder=self.folder)]
        environment = dict(os.environ)
        if self.setup.clock and module != 'simulated_robot':
            environment |= self._clock_variables()
        with open(self.folder / f'{name}.log', 'ab') as log:
            self.processes[name] = subprocess.Popen(
                [*command, *extra], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True, env=environment,
            )  # fmt: skip

    def end(self, *names: str) -> None:
        """End processes; those who are asked leave the graph, where the killed linger for 20 s."""
        ended = [self.processes.pop(name) for name in names if name in self.processes]
        for name in names:
            self._started.pop(name, None)
        for process in ended:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        until = time.monotonic() + _END_S
        for process in ended:
            try:
                process.wait(max(until - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def send_signal(self, name: str, number: int) -> None:
        """Send a process a signal; one that it may die of is no death to be blamed."""
        if number != signal.SIGSTOP:
            self.killed.add(name)
        self.processes[name].send_signal(number)

    def begin(self, setup: Setup) -> None:
        """Let exactly the nodes of a setup run, those that run as they should untouched."""
        self.setup, fresh = setup, False
        for name in list(self.processes):
            wanted = setup.nodes.get(name), setup.clock
            if self._started.get(name) != wanted or self.processes[name].poll() is not None:
                self.end(name)
        for name, parameters in setup.nodes.items():
            if name not in self.processes:
                self.start(name, parameters)
                self._started[name] = parameters, setup.clock
                fresh = fresh or name == 'near_wall'
        self.killed.clear()
        self.spin(lambda: self.goals.server_is_ready() and self._single(), 60.0)
        if fresh:
            # A goal waits for the first reading, but not for a process to begin.
            self._says_well = False
            self.spin(lambda: self._says_well, _FIRST_READING_S)

    def _single(self) -> bool:
        """Return whether those who were killed are gone from discovery."""
        return all(
            len(self.node.get_publishers_info_by_topic(topic)) <= 1
            for topic in ('cmd_vel', 'odom', '/clock', 'near_wall')
        )

    def _clock_variables(self) -> dict[str, str]:
        library, file = self.folder / 'clock_shift.so', self.folder / 'clock_shift'
        if self._clock is None:
            compiler = shutil.which('cc') or shutil.which('gcc')
            if compiler is None:
                raise RuntimeError('no C compiler: the system clock cannot be set in a process')
            subprocess.run(
                [compiler, '-shared', '-fPIC', '-O1', '-o', library, _SOURCE, '-ldl'], check=True
            )
            file.write_bytes(bytes(8))
            with open(file, 'r+b') as opened:
                self._clock = mmap.mmap(opened.fileno(), 8)
        return {'LD_PRELOAD': str(library), 'FAULT_CLOCK_FILE': str(file)}

    # What is broken

    def mark(self) -> None:
        """Count from now: the fault happens."""
        for _ in range(50):
            self.executor.spin_once(timeout_sec=0.0)
        self.way = Way(self.truth[0] if self.truth else 0.0)
        self.stalls.take()
        self.said.clear()
        self.lines, self.ended = 0, ''
        soon = time.monotonic() - _RECENT_S
        self._known = {text: when for text, when in self._known.items() if when > soon}

    def fail(self, *texts: str) -> None:
        """Let the simulated robot fail; without texts it is well again."""
        value = ParameterValue(
            type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=list(texts)
        )
        parameter = ParameterMessage(name='failures', value=value)
        self.call(self.set, SetParameters.Request(parameters=[parameter]))

    def set_clock(self, seconds: float) -> None:
        """Set the system clock of the robot's computer by so many seconds."""
        assert self._clock is not None, 'the setup has no clock that can be set'
        (before,) = struct.unpack('q', self._clock[:])
        self._clock[:] = struct.pack('q', before + round(seconds * 1e9))

    def change_state(self, name: str, number: int) -> None:
        """Ask a lifecycle node for a transition, without waiting for the answer."""
        client = self.node.create_client(ChangeState, f'{name}/change_state')
        self.undo.append(lambda: self.node.destroy_client(client))
        self.spin(client.service_is_ready, 20.0)
        self.mark()
        client.call_async(ChangeState.Request(transition=Transition(id=number)))

    def fill_disk(self) -> None:
        """Let no process write a byte to any file any more."""
        for process in self.processes.values():
            hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))

    def other(self, name: str = 'somebody_else') -> Node:
        """Return a node of somebody else's, until the row is over."""
        node = rclpy.create_node(name)
        self.executor.add_node(node)
        self.undo.append(lambda: (self.executor.remove_node(node), node.destroy_node()))
        return node

    def _goal_client(self) -> ActionClient:
        return ActionClient(self.node, FollowWall, 'follow_wall')

    def leave(self) -> None:
        """Be no client of the follower's until the row is over: who listens counts as one."""
        self.goals.destroy()
        self.undo.append(lambda: setattr(self, 'goals', self._goal_client()))

    def send(self, client: ActionClient | None = None, timeout_s: float = 20.0) -> Any:
        """Return the handle of a goal that was sent, None where nobody answered."""
        goal = FollowWall.Goal(algorithm=self.setup.algorithm, modality=self.setup.modality)
        future = (client or self.goals).send_goal_async(goal)
        return future.result() if self.spin(future.done, timeout_s) else None

    # Measuring

    def measure(self, fault: Fault) -> Seen:
        """Drive, break, watch; again where the machine stood still meanwhile and it fell short."""
        for _ in range(MOST_LOOKS):
            seen = self._look(fault)
            if not seen.short or seen.stalled_s < STALLED_S:
                break
        return seen

    def _look(self, fault: Fault) -> Seen:
        self.begin(fault.setup)
        self.fail()
        self.call(self.reset, Trigger.Request())
        if fault.before is not None:
            fault.before(self)
        try:
            seen = self._drive_and_break(fault)
        finally:
            self._mend(fault)
        return seen

    def _drive_and_break(self, fault: Fault) -> Seen:
        if not fault.promise.goal:
            self.mark()
            # What is wrong was so before, and may have been said before.
            self._known.clear()
            fault.act(self)
            return self._watch_refusal(fault.promise)
        self.answer, handle = Future(), None
        if fault.sends is not None:
            fault.sends(self)
        else:
            handle = self._accepted()
            if handle is None:
                return Seen(short='no goal was taken', said=self._logs(), stalled_s=math.inf)
            self.answer = handle.get_result_async()
        if self.spin(lambda: self.truth and self.truth[2] > _DRIVES_MPS, 40.0):
            self.mark()
            fault.act(self)
            seen = self._watch(fault.promise)
        else:
            seen = Seen(short='it never drove', said=self._logs(), stalled_s=math.inf)
        if handle is not None and not self.answer.done():
            handle.cancel_goal_async()
            self.spin(self.answer.done, 3.0)
        return seen

    def _logs(self) -> list[str]:
        """Return the last line that each process logged."""
        lines = {
            name: (self.folder / f'{name}.log').read_text(errors='replace').strip().splitlines()
            for name in self.processes
        }
        return [f'{name}: {text[-1]}' for name, text in lines.items() if text]

    def _accepted(self) -> Any:
        for _ in range(10):
            handle = self.send()
            if handle is not None and handle.accepted:
                return handle
            self.spin(timeout_s=1.0)
        self.end(*self.processes)
        return None

    def _watch(self, promise: Promise) -> Seen:
        begun, rested, answer = time.monotonic(), None, self.answer
        while (now := time.monotonic()) < begun + promise.watched_s:
            self.executor.spin_once(timeout_sec=0.01)
            if self.way.rest is not None and rested is None:
                rested = now
            if rested is not None and (answer.done() or self.ended):
                break
            awaits = promise.again or any(end != STANDS for end in promise.ends)
            if rested is not None and not awaits and now > rested + _STANDS_S:
                break
        # Diagnostics come once a second.
        self.spin(timeout_s=1.2 if promise.says else 0.3)
        return self._seen(promise)

    def _seen(self, promise: Promise) -> Seen:
        seen, answer = Seen(stalled_s=self.stalls.take(), lines=self.lines), self.answer
        seen.drives_m = list(self.way.drives_m)
        seen.seconds, seen.meters = self.way.rest or (math.inf, self.way.way_m)
        if answer.done():
            result = answer.result().result
            seen.outcome = Outcome(result.outcome).name
            self.said.insert(0, f'wall_follower: {result.reason}')
        elif self.ended:
            seen.outcome = self.ended
        else:
            seen.outcome = GOES_ON if promise.again or self.way.rest is None else STANDS
        seen.said = said_once(self.said)
        seen.dead = [
            name
            for name, process in self.processes.items()
            if process.poll() is not None and name not in self.killed
        ]
        seen.short = judge(promise, seen)
        return seen

    def _watch_refusal(self, promise: Promise) -> Seen:
        """Send a goal: it must not be taken, or end without a motion."""
        handle = None
        for _ in range(5):
            # The dead linger in the graph: a request that goes to one of them is never answered.
            handle = handle or self.send(timeout_s=6.0)
        taken = handle is not None and handle.accepted
        outcome = 'goal taken' if taken else REFUSED if handle is not None else 'no answer'
        reason = ''
        if taken:
            result = handle.get_result_async()
            self.spin(result.done, 12.0)
            if result.done():
                reason = f'wall_follower: {result.result().result.reason}'
                outcome = REFUSED if self.way.way_m < STOOD_M else 'drove'
            else:
                self.spin(handle.cancel_goal_async().done, 5.0)
        self.spin(timeout_s=1.2)
        said = said_once([*([reason] if reason else []), *self.said])
        seen = Seen(0.0, self.way.way_m, outcome, said, [self.way.way_m], self.lines)
        seen.stalled_s = self.stalls.take()
        seen.short = judge(promise, seen)
        return seen

    def _mend(self, fault: Fault) -> None:
        for undo in reversed(self.undo):
            undo()
        self.undo.clear()
        if fault.then is not None:
            fault.then(self)
        self.end(*fault.anew)
        for name in list(self.processes):
            if name not in self.setup.nodes:
                self.end(name)
        if 'simulated_robot' in self.processes:
            self.fail()
        self.spin(timeout_s=0.5)

    def close(self) -> None:
        """End all processes."""
        self.end(*self.processes)
        self.node.destroy_node()
