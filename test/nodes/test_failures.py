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

"""No exception and no request ends a node unless it is meant to: then it stands, and says why."""

import itertools
import threading
import time

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the messages are not built (make setup does)')

from audio_common_msgs.msg import AudioInfo
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from quiet_nav.navigation.guarded_run import GuardedRun
from quiet_nav.navigation.policies.straight import StraightPolicy
from quiet_nav.navigation.step_machine import Outcome, StepMachine
from quiet_nav.nodes import runtime
from quiet_nav.nodes.audio_input import AudioInput
from quiet_nav.nodes.base import ManagedNode, PlainNode
from quiet_nav.nodes.failures import one_line, Worker
from quiet_nav.nodes.live_view import LiveView
from quiet_nav.nodes.microphone import Microphone
from quiet_nav.nodes.near_wall.node import NearWallNode
from quiet_nav.nodes.probability_map import ProbabilityMapNode
from quiet_nav.nodes.simulated_robot import SimulatedRobot
from quiet_nav.nodes.wall_distance import WallDistanceNode
from quiet_nav.nodes.wall_follower.node import WallFollower
from quiet_nav.nodes.wall_follower.runs import Run

pytestmark = pytest.mark.realtime

ENDS = [outcome for outcome in Outcome if outcome != Outcome.UNKNOWN]


class Spun:
    """A node in an executor, spun as `run` does; beside it one that hears what it says."""

    def __init__(self, ros, node):
        self.ros, self.node, self.failures = ros, node, []
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)
        self.statuses, self.commands = [], []
        listener = ros.node('listener')
        listener.create_subscription(
            DiagnosticArray, '/diagnostics', lambda m: self.statuses.extend(m.status), 100
        )
        topic = f'{node.get_namespace().rstrip("/")}/cmd_vel'
        listener.create_subscription(TwistStamped, topic, self.commands.append, 100)

    def spin(self, condition=lambda: False, timeout_s=5.0):
        end = time.monotonic() + timeout_s
        while not (held := condition()) and time.monotonic() < end and not self.failures:
            runtime._guarded(self.node, lambda: self.executor.spin_once(0.02), self.failures)
            self.ros.spin_for(0.0)
        return held

    def says(self, text):
        return self.ros.spin_until(lambda: any(text in s.message for s in self.statuses), 5.0)

    def close(self):
        self.executor.remove_node(self.node)
        self.executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()


@pytest.fixture
def spun(ros):
    made = []

    def spin(node):
        made.append(Spun(ros, node))
        return made[-1]

    yield spin
    for item in made:
        item.close()


def overrides(**values):
    return [Parameter(name, value=value) for name, value in values.items()]


def make_microphone(space, tmp_path):
    import soundfile

    file = tmp_path / 'sound.wav'
    soundfile.write(file, np.zeros(16000), 16000)
    return Microphone(namespace=space, parameter_overrides=overrides(file=str(file)))


PLAIN = {
    'microphone': make_microphone,
    'probability_map': lambda space, _: ProbabilityMapNode(namespace=space),
    'wall_distance': lambda space, _: WallDistanceNode(namespace=space),
    'live_view': lambda space, _: LiveView(namespace=space, parameter_overrides=overrides(port=0)),
    'simulated_robot': lambda space, _: SimulatedRobot(),
}


def boom(*_):
    raise ValueError('something broke')


@pytest.mark.parametrize('name', PLAIN)
def test_an_exception_ends_a_plain_node_with_one_line_and_diagnostics(
    spun, space, tmp_path, name, capfd
):
    it = spun(PLAIN[name](space, tmp_path))
    assert isinstance(it.node, PlainNode)
    it.node.create_timer(0.01, boom)
    it.ros.spin_for(0.3)
    it.spin(timeout_s=10.0)
    assert [str(error) for error in it.failures] == ['something broke'], 'it would not end with 1'
    assert it.says('ValueError: something broke (test_failures.py')
    if hasattr(it.node, 'before_shutdown'):
        it.node.before_shutdown()
    said = capfd.readouterr()
    assert 'Traceback' not in said.out + said.err
    assert (said.out + said.err).count('something broke') == 1


def broken_timer(node):
    node.create_timer(0.01, once(boom))


def broken_service(node):
    from std_srvs.srv import Trigger

    node.create_service(Trigger, '~/break', boom)
    client = node.create_client(Trigger, '~/break')
    timer = node.create_timer(0.05, lambda: (client.call_async(Trigger.Request()), timer.cancel()))


def broken_callback(node):
    from std_msgs.msg import Bool

    node.create_subscription(Bool, '~/break', once(boom), 10)
    publisher = node.create_publisher(Bool, '~/break', 10)
    timer = node.create_timer(0.05, lambda: (publisher.publish(Bool()), timer.cancel()))


def broken_worker(node):
    node.broken = Worker(node, 'breaks')
    node.broken.submit(boom)


def once(action):
    """Return a callback that breaks the first time alone."""
    left = [action]
    return lambda *args: left.pop()(*args) if left else None


@pytest.fixture
def managed(space, context_model, tmp_path):
    """Make a lifecycle node, active."""

    def make(name):
        options = {'data_folder': str(tmp_path)}
        if name == 'near_wall':
            known = overrides(model=str(context_model), threads=1, **options)
            node = NearWallNode(namespace=space, parameter_overrides=known)
        else:
            node = WallFollower(namespace=space, parameter_overrides=overrides(**options))
        node.trigger_configure()
        node.trigger_activate()
        assert node.state == 'active'
        return node

    return make


@pytest.mark.parametrize('break_', [broken_timer, broken_service, broken_callback, broken_worker])
@pytest.mark.parametrize('name', ['near_wall', 'wall_follower'])
def test_an_exception_takes_a_lifecycle_node_through_error_processing_and_it_lives(
    spun, managed, name, break_
):
    it = spun(managed(name))
    it.ros.spin_for(0.2)
    break_(it.node)
    assert it.spin(lambda: it.node.state == 'unconfigured', 10.0)
    assert not it.failures, 'it would end'
    assert it.says('ValueError: something broke')
    if name == 'wall_follower':
        assert it.ros.spin_until(lambda: it.commands, 5.0), 'zeros were not sent'
        assert all(c.twist.linear.x == 0.0 == c.twist.angular.z for c in it.commands)
    it.node.trigger_configure()
    it.node.trigger_activate()
    assert it.node.state == 'active' and it.node.failure == ''


def test_a_node_that_fails_again_and_again_ends(spun, managed):
    it = spun(managed('wall_follower'))
    it.node.create_timer(0.01, boom)
    assert not it.spin(timeout_s=10.0)
    assert it.failures


def test_error_processing_that_fails_ends_the_node(spun, managed, monkeypatch):
    it = spun(managed('wall_follower'))
    monkeypatch.setattr(it.node, '_release', boom)
    it.node.create_timer(0.01, once(boom))
    it.spin(timeout_s=5.0)
    assert it.failures and it.node.state == 'finalized'
    monkeypatch.undo()


class Handle:
    """Stands for a goal's handle."""

    is_cancel_requested = False

    def publish_feedback(self, feedback):
        pass


def test_every_end_of_a_run_may_follow_every_other(spun, managed, capfd):
    node = spun(managed('wall_follower')).node
    rig = node._rig
    for pair in itertools.permutations(ENDS, 2):
        for outcome in pair:
            machine = StepMachine(StraightPolicy(), rig)
            run = Run(Handle(), GuardedRun(machine, node._watch, 0))
            node._run = run
            machine.finish(outcome, f'for {outcome.name}')
            node._end(run)
            assert run.done.is_set() and node._run is None
            assert node._last == (outcome, f'for {outcome.name}')
    said = ''.join(capfd.readouterr())
    for outcome in ENDS:
        level = 'INFO' if outcome in (Outcome.LIMIT_REACHED, Outcome.CANCELED) else 'ERROR'
        assert f'[{level}]' in next(
            line for line in said.splitlines() if f' {outcome.name}: ' in line
        )


INFOS = {
    'one channel': AudioInfo(channels=1, sample_rate=16000, sample_format='S16LE'),
    'two channels': AudioInfo(channels=2, sample_rate=16000, sample_format='S16LE'),
    'no channels': AudioInfo(channels=0, sample_rate=16000, sample_format='S16LE'),
    'no rate': AudioInfo(channels=1, sample_rate=0, sample_format='S16LE'),
    'unknown samples': AudioInfo(channels=1, sample_rate=16000, sample_format='S99XE'),
    'mp3': AudioInfo(channels=1, sample_rate=16000, sample_format='S16LE', coding_format='mp3'),
}


def test_every_audio_info_may_follow_every_other(ros):
    for info in INFOS.values():
        info.coding_format = info.coding_format or 'wave'
    audio = AudioInput(ros.node('listener'))
    for before, after in itertools.permutations(INFOS, 2):
        for name in (before, after):
            audio._take_info(INFOS[name])
            good = name in ('one channel', 'two channels')
            assert (audio.stream is not None) is good, (before, after)
            assert bool(audio.fault) is not good, (before, after)


def change(node, number=0, label=''):
    request = ChangeState.Request(transition=Transition(id=number, label=label))
    return node._on_change_state(request, ChangeState.Response()).success


class Managed(ManagedNode):
    """A lifecycle node that does nothing."""


IN_STATE = {
    'unconfigured': (),
    'inactive': ('configure',),
    'active': ('configure', 'activate'),
    'finalized': ('shutdown',),
}
ALLOWED = {
    ('unconfigured', 'configure'), ('unconfigured', 'shutdown'),
    ('inactive', 'activate'), ('inactive', 'cleanup'), ('inactive', 'shutdown'),
    ('active', 'deactivate'), ('active', 'shutdown'),
}  # fmt: skip
REQUESTS = ('configure', 'cleanup', 'activate', 'deactivate', 'shutdown', 'destroy', 'nonsense')


@pytest.mark.parametrize('state', IN_STATE)
def test_a_transition_that_is_not_allowed_is_answered_with_false(ros, state):
    for number, label in enumerate(REQUESTS):
        node = ros.add(Managed(f'managed_{number}'))
        for step in IN_STATE[state]:
            assert change(node, label=step)
        assert node.state == state
        assert change(node, label=label) is ((state, label) in ALLOWED), label
        if (state, label) not in ALLOWED:
            assert node.state == state


@pytest.mark.parametrize('number', [1, 2, 3, 4, 8, 200])
def test_transitions_by_number_are_judged_alike(ros, number):
    node = ros.add(Managed('managed'))
    assert change(node, number=number) is (number == Transition.TRANSITION_CONFIGURE)


def test_a_worker_that_never_ends_does_not_keep_its_node(ros):
    node = ros.node('busy')
    worker, held = Worker(node, 'busy'), threading.Event()
    worker.submit(held.wait)
    assert ros.spin_until(lambda: worker.busy_s > 0.05, 5.0)
    assert not worker.close(timeout_s=0.1)
    held.set()
    assert worker.close(timeout_s=5.0)


def test_an_exception_is_told_in_one_line():
    try:
        boom()
    except ValueError as error:
        assert one_line(error).startswith('ValueError: something broke (test_failures.py:')
    assert one_line(MemoryError()).startswith('MemoryError: no memory is left')
    for short in (MemoryError('Unable to allocate 9 MiB'), RuntimeError("can't start new thread")):
        assert f'{short}: no memory is left: close other programs' in one_line(short)
    assert '\n' not in one_line(RuntimeError('two\nlines'))
