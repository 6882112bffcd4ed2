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

"""Fixtures for every test: a ROS graph of its own, spinning, and nodes as processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import hashlib
import importlib.metadata
import importlib.util
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from quiet_nav.demo.domain import claim_domain, private_environment

_domain, _lock = claim_domain()
# Before anything imports rclpy: subprocesses inherit it, and robots near by stay undisturbed.
_environment = private_environment(_domain, os.environ)
for _name in os.environ.keys() - _environment.keys():
    del os.environ[_name]
os.environ.update(_environment)
# What nodes keep from run to run (an emergency stop, a room) must not reach from test to test.
_ros_home = tempfile.TemporaryDirectory(prefix='quiet_nav_ros_')
os.environ['ROS_HOME'] = _ros_home.name


class Ros:
    """A context's executor that tests step: it holds the nodes that a test made."""

    def __init__(self) -> None:
        from rclpy.executors import SingleThreadedExecutor

        self._executor = SingleThreadedExecutor()
        self._nodes: list = []

    def node(self, name: str = 'test', **options):
        """Return a new plain node in the executor."""
        import rclpy

        return self.add(rclpy.create_node(name, **options))

    def add(self, node):
        """Take over a node that the test made; it is destroyed after the test."""
        self._executor.add_node(node)
        self._nodes.append(node)
        return node

    def spin_until(self, condition: Callable[[], object], timeout_s: float = 10.0) -> bool:
        """Spin until the condition holds; return whether it did within the time."""
        end = time.monotonic() + timeout_s
        while not (held := bool(condition())) and time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.02)
        return held

    def spin_for(self, duration_s: float) -> None:
        """Spin for a time."""
        self.spin_until(lambda: False, duration_s)

    def result_of(self, future, timeout_s: float = 10.0):
        """Spin until a future is done and return its result."""
        assert self.spin_until(future.done, timeout_s), f'no answer within {timeout_s} s'
        return future.result()

    def close(self) -> None:
        for node in self._nodes:
            self._executor.remove_node(node)
            node.destroy_node()
        self._executor.shutdown()


class Stalls:
    """Watches how long this machine keeps a thread that only sleeps from waking up."""

    _STEP_S = 0.01

    def __init__(self) -> None:
        self._overruns: list[tuple[float, float]] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._end.is_set():
            time.sleep(self._STEP_S)
            now = time.monotonic()
            self._overruns.append((now, now - before - self._STEP_S))
            before = now

    def worst_s(self, since: float) -> float:
        """Return the longest time lost since a moment of ``time.monotonic`` (s)."""
        return max((lost for when, lost in self._overruns if when >= since), default=0.0)

    def close(self) -> None:
        self._end.set()
        self._thread.join()


class NodeProcess:
    """A node as a process of its own: `python -m quiet_nav.nodes.X --ros-args ...`."""

    def __init__(
        self, module: str, log: Path, parameters: dict, arguments: tuple, program: tuple = ()
    ) -> None:
        own = program or ('-m', f'quiet_nav.nodes.{module}')
        command = [sys.executable, *map(str, own), '--ros-args']
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else value
            command += ['-p', f'{name}:={text}']
        self._log = log
        with open(log, 'wb') as output:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """Everything that the node has printed so far."""
        return self._log.read_text(errors='replace')

    def stop(self, number: int = signal.SIGINT, timeout_s: float = 10.0) -> int:
        """Send a signal and return the exit code; kills the process where it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@pytest.fixture(scope='session')
def context_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Return a small context model with random weights as an ONNX file; skips where there is no torch.

    Exporting takes seconds, and each file of node tests runs in a process of its own: the file is
    kept in pytest's cache for as long as the code that it comes from stays the same.
    """
    for needed in ('torch', 'onnxscript'):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f'{needed} is not installed (extra: learn)')
    kept = request.config.cache.mkdir('context_model') / f'{_code_hash()}.onnx'
    if kept.is_file():
        return kept
    import torch

    from quiet_nav.learning.detectors.context.kind import exportable, OUTPUTS
    from quiet_nav.learning.detectors.context.network import ContextVggish
    from quiet_nav.learning.onnx_export import export
    from quiet_nav.perception.model_metadata import ModelMetadata

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ContextVggish(width=0.05)
        # Untrained layers hardly tell inputs apart; tests must see what a reading depends on.
        network.head[-1].weight.data *= 30.0
    metadata = ModelMetadata(
        'context', 48_000, contexts=('reference', 'other_ears', 'nearest'), version='test'
    )
    item = exportable(network)
    assert item.outputs == OUTPUTS
    made = export(item, tmp_path_factory.mktemp('model') / 'context.onnx', metadata)
    # Another process may be looking for it: it is there as a whole or not at all.
    part = kept.with_suffix(f'.{os.getpid()}')
    shutil.copy(made, part)
    part.replace(kept)
    return kept


def _code_hash() -> str:
    """Say which code a model is exported by: everything that learning and perception consist of."""
    import quiet_nav

    digest = hashlib.sha256(importlib.metadata.version('torch').encode())
    for folder in ('learning', 'perception'):
        for path in sorted((Path(quiet_nav.__file__).parent / folder).rglob('*.py')):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope='module')
def ros_context() -> Iterator[None]:
    """One initialized rclpy context for a test module; skips where ROS is not installed."""
    rclpy = pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
    pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def ros(ros_context: None) -> Iterator[Ros]:
    """Nodes, and spinning them until something holds."""
    graph = Ros()
    yield graph
    graph.close()


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    """How long the machine itself stood still: what keeps real time cannot be judged then."""
    watch = Stalls()
    yield watch
    watch.close()


@pytest.fixture
def node_process(ros_context: None, tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """
    Return what starts a node as a process: name, parameters, further arguments.

    program: Python's arguments for another program that runs the node.
    """
    started: list[NodeProcess] = []

    def start(
        module: str, parameters: dict | None = None, *arguments: object, program: tuple = ()
    ) -> NodeProcess:
        log = tmp_path / f'{module}_{len(started)}.log'
        started.append(NodeProcess(module, log, parameters or {}, arguments, program))
        return started[-1]

    yield start
    for item in started:
        if item.process.poll() is None:
            item.process.kill()
            item.process.wait()


@pytest.fixture(scope='session')
def campus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny data set whose near places are told by a louder low band."""
    from small_campus import write_campus

    return write_campus(tmp_path_factory.mktemp('campus') / 'SFS-Static')


@pytest.fixture(scope='session')
def task_campus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny data set for the tasks of the study."""
    from task_campus import write_task_campus

    return write_task_campus(tmp_path_factory.mktemp('tasks') / 'SFS-Static')


@pytest.fixture
def recording():
    """Return an empty recording to fill and write as a bag."""
    from bag_recording import Recording

    return Recording()


@pytest.fixture(scope='session')
def model() -> Path:
    """Return the detector that ships."""
    from quiet_nav.resources import shared_file

    return shared_file('models/near_wall.onnx')


#: Files with single tests of many seconds: begun first, so that no core is idle in the end.
LONG = (
    'test_full_circle.py',
    'test_long_bag.py',
    'test_rerun_view.py',
    'test_campus_robots.py',
    'test_waves_physics.py',
    'test_training.py',
    'test_replay_command.py',
    'test_authors.py',
    'test_campus.py',
    'test_waves_rooms.py',
    'test_context_network.py',
    'test_near_wall_network.py',
    'test_waves_device.py',
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Count among what is slow what keeps real time and what uses a fixture that takes long.

    A file names such fixtures in its SLOW_FIXTURES. What takes long comes first.
    """
    for item in items:
        costly = set(getattr(getattr(item, 'module', None), 'SLOW_FIXTURES', ()))
        if item.get_closest_marker('realtime') is not None or costly & set(
            getattr(item, 'fixturenames', ())
        ):
            item.add_marker('slow')
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
