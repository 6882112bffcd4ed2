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

"""A node as a process: signals, shutdown hooks, exit codes, lifecycle start; stamps."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
import pytest
from rclpy.executors import MultiThreadedExecutor
from std_msgs.msg import String

from quiet_nav.nodes import runtime
from quiet_nav.nodes.runtime import HAND_OUT_AGAIN_S, ns_to_stamp, PatientExecutor
from quiet_nav.perception.messages import stamp_to_ns

pytestmark = pytest.mark.realtime

PLAIN = """
import sys
from rclpy.node import Node
from std_msgs.msg import String
from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.runtime import run

class Talker(Node):
    def __init__(self):
        super().__init__('talker')
        self.publisher = self.create_publisher(String, 'words', 10)
        self.create_timer(0.05, self.tick)
        if 'refuse' in sys.argv:
            raise QuietNavError('the rate is -1, expected more than 0: set rate')

    def tick(self):
        self.publisher.publish(String(data='alive'))
        if 'fail' in sys.argv and self.publisher.get_subscription_count():
            raise RuntimeError('tick went wrong')
        if 'hang' in sys.argv:
            import time
            time.sleep(3.0)

    def before_shutdown(self):
        self.publisher.publish(String(data='last word'))

sys.exit(run(Talker, sys.argv))
"""

MANAGED = """
import sys
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import String
from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.runtime import run, transition

class Managed(LifecycleNode):
    def __init__(self):
        super().__init__('managed')
        self.publisher = self.create_publisher(String, 'words', 10)
        self.create_timer(0.05, lambda: self.publisher.publish(String(data='alive')))

    @transition
    def on_configure(self, state):
        if 'refuse' in sys.argv:
            raise QuietNavError('model m.onnx: no such file')
        if 'crash' in sys.argv:
            raise KeyError('layer')

    @transition
    def on_activate(self, state):
        self.get_logger().info('now active')

    @transition
    def on_shutdown(self, state):
        self.publisher.publish(String(data='last word'))

sys.exit(run(Managed, sys.argv))
"""

CARED_FOR = """
import sys, time
from std_msgs.msg import String
from quiet_nav.nodes.base import ManagedNode, transition
from quiet_nav.nodes.failures import Worker
from quiet_nav.nodes.runtime import run

class CaredFor(ManagedNode):
    def __init__(self):
        super().__init__('cared_for')
        self.publisher = self.create_publisher(String, 'words', 10)
        self.create_timer(0.05, self.tick)
        self.broken = self.left = 0

    @transition
    def on_activate(self, state):
        self.publisher.publish(String(data='active'))
        self.broken = {'once': 1, 'always': 1000}.get(sys.argv[1], 0)
        if sys.argv[1] == 'computes':
            self.worker = Worker(self, 'computes')
            self.worker.submit(self.compute)

    def compute(self):
        while True:
            time.sleep(0.0)

    def release(self):
        self.publisher.publish(String(data='released'))

    def tick(self):
        self.publisher.publish(String(data='alive'))
        if self.broken and self.publisher.get_subscription_count():
            self.broken -= 1
            raise RuntimeError('tick went wrong')

sys.exit(run(CaredFor))
"""


class Started:
    """A process made from source text, with the words that it published."""

    def __init__(self, ros, tmp_path, source, *arguments):
        self._ros = ros
        self.words = []
        self._log = tmp_path / 'log'
        ros.node().create_subscription(String, 'words', lambda m: self.words.append(m.data), 10)
        with open(self._log, 'wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-c', source, *arguments], stdout=log, stderr=log
            )

    @property
    def log(self):
        return self._log.read_text()

    def heard(self, word):
        return self._ros.spin_until(lambda: word in self.words, 20.0)

    def ends(self):
        assert self._ros.spin_until(lambda: self.process.poll() is not None, 20.0)
        self._ros.spin_for(0.3)
        return self.process.returncode


@pytest.fixture
def start(ros, tmp_path):
    started = []

    def make(source, *arguments):
        started.append(Started(ros, tmp_path, source, *arguments))
        return started[-1]

    yield make
    for item in started:
        item.process.kill()
        item.process.wait()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('source', [PLAIN, MANAGED], ids=['plain', 'lifecycle'])
def test_signal_lets_the_node_say_a_last_word_and_exit_with_zero(start, number, source):
    node = start(source)
    assert node.heard('alive')
    node.process.send_signal(number)
    assert node.ends() == 0
    assert node.words[-1] == 'last word'


def test_exception_in_a_callback_runs_the_shutdown_hook_and_exits_with_one(start):
    node = start(PLAIN, 'fail')
    assert node.ends() == 1
    assert node.words[-1] == 'last word'
    assert 'tick went wrong' in node.log


def test_exception_in_a_managed_node_releases_it_and_it_can_be_activated_again(start, ros):
    node = start(CARED_FOR, 'once')
    assert node.heard('released')
    for transition_id in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        client = ros.node().create_client(ChangeState, 'cared_for/change_state')
        assert ros.spin_until(client.service_is_ready, 10.0)
        request = ChangeState.Request(transition=Transition(id=transition_id))
        if transition_id == Transition.TRANSITION_ACTIVATE:
            node.words.clear()
        assert ros.result_of(client.call_async(request)).success
    assert node.heard('active')
    assert 'RuntimeError: tick went wrong (<string>:' in node.log
    assert 'configure and activate to try again' in node.log and 'Traceback' not in node.log
    assert node.process.poll() is None


def test_a_managed_node_that_fails_again_and_again_ends_with_one(start):
    node = start(CARED_FOR, 'always')
    assert node.ends() == 1
    assert 'tick went wrong' in node.log.splitlines()[-1] and 'Traceback' not in node.log


def test_one_interrupt_ends_a_node_that_computes_without_end(start):
    node = start(CARED_FOR, 'computes')
    # It is active, and computes, before its timers begin.
    assert node.heard('alive')
    node.process.send_signal(signal.SIGINT)
    assert node.ends() == 0


def test_no_home_that_can_be_written_is_told_in_one_line_with_the_way_out(tmp_path):
    surroundings = {k: v for k, v in os.environ.items() if k not in ('ROS_HOME', 'ROS_LOG_DIR')}
    found = subprocess.run(
        [sys.executable, '-c', PLAIN],
        env={**surroundings, 'HOME': '/proc/nohome'},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 2
    (line,) = found.stderr.splitlines()
    assert 'set ROS_LOG_DIR' in line and '/proc/nohome' in line


def test_callback_that_hangs_does_not_delay_the_shutdown_hook(start):
    node = start(PLAIN, 'hang')
    assert node.heard('alive')
    sent = time.monotonic()
    node.process.send_signal(signal.SIGTERM)
    assert node.heard('last word')
    assert time.monotonic() - sent < 2.0
    assert node.ends() == 0


def test_refused_parameters_exit_with_two_and_one_line(start):
    node = start(PLAIN, 'refuse')
    assert node.ends() == 2
    assert 'expected more than 0' in node.log
    assert 'Traceback' not in node.log


def test_lifecycle_node_starts_itself(start, ros):
    node = start(MANAGED)
    assert ros.spin_until(lambda: 'now active' in node.log, 20.0)


@pytest.mark.parametrize('how, said', [('refuse', 'm.onnx'), ('crash', "KeyError: 'layer'")])
def test_failed_configure_is_said_and_the_node_stays_alive(start, ros, how, said):
    node = start(MANAGED, how)
    assert node.heard('alive')
    assert ros.spin_until(lambda: 'not configured' in node.log, 20.0)
    assert said in node.log
    assert 'now active' not in node.log
    assert node.process.poll() is None


def test_autostart_false_waits_for_a_lifecycle_manager(start, ros):
    node = start(MANAGED, '--ros-args', '-p', 'autostart:=false')
    assert node.heard('alive')
    ros.spin_for(0.5)
    assert 'now active' not in node.log


@pytest.mark.parametrize('time_ns', [0, 1, 999_999_999, 1_700_000_000_123_456_789])
def test_stamps_keep_every_nanosecond(time_ns):
    assert stamp_to_ns(ns_to_stamp(time_ns)) == time_ns


def test_a_callback_that_waits_for_a_worker_is_not_handed_out_again_and_again(
    ros_context, monkeypatch
):
    waiting, other = SimpleTask(), SimpleTask()
    ready = iter([waiting, waiting, waiting, other, *[waiting] * 1000])
    clock = SimpleNamespace(now_s=0.0)
    clock.monotonic = lambda: clock.now_s
    clock.sleep = lambda s: setattr(clock, 'now_s', clock.now_s + s)
    monkeypatch.setattr(
        MultiThreadedExecutor,
        'wait_for_ready_callbacks',
        lambda self, *_, **__: (next(ready), None, None),
    )
    monkeypatch.setattr(runtime, 'time', clock)
    executor = PatientExecutor(2)
    assert executor.wait_for_ready_callbacks()[0] is waiting
    assert executor.wait_for_ready_callbacks()[0] is other
    assert clock.now_s < HAND_OUT_AGAIN_S
    # Nothing else is there: it may have been forgotten.
    assert executor.wait_for_ready_callbacks()[0] is waiting
    assert clock.now_s == pytest.approx(HAND_OUT_AGAIN_S, abs=0.002)


class SimpleTask:
    """Stands for a task of rclpy: something that can be told from others."""
