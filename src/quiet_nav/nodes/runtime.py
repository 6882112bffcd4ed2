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

"""What runs nodes as a process: start, spin, signals, shutdown hook, exit code; stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import contextlib
import math
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any
import weakref

from builtin_interfaces.msg import Time
from rcl_interfaces.msg import ParameterDescriptor
import rclpy
from rclpy.clock import Clock
from rclpy.executors import (
    Executor,
    ExternalShutdownException,
    MultiThreadedExecutor,
    SingleThreadedExecutor,
)
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from quiet_nav.errors import QuietNavError
from quiet_nav.navigation.control_clock import Clocks
from quiet_nav.nodes.base import log_of, ManagedNode, transition
from quiet_nav.nodes.failures import leave, one_line
from quiet_nav.nodes.logs import process_log

__all__ = [
    'PatientExecutor',
    'now_ns',
    'ns_to_stamp',
    'read_clocks',
    'run',
    'run_together',
    'transition',
]

NS_PER_S = 1_000_000_000
#: Two clocks read farther apart do not say what they have in common.
CLOCKS_WITHIN_NS = 5_000_000
#: How long a callback that is running may go on before the shutdown hook runs beside it.
CALLBACK_GRACE_S = 0.1
#: A callback that a worker has not begun by then is handed out once more.
HAND_OUT_AGAIN_S = 0.05
#: Ctrl-C reaches a node from its terminal and again from its launch file.
SAME_WISH_S = 3.0
#: So long the thread that runs callbacks may take to end.
SPINNER_GRACE_S = 3.0
#: So long an executor waits for something to do. Without a limit rclpy 7.1's events executor
#: computes instead of waiting, and holds the lock that a publisher in the same process needs.
TURN_S = 1.0
#: How long the last messages get to leave the process.
FLUSH_S = 0.05


def ns_to_stamp(time_ns: int) -> Time:
    """Return integer nanoseconds as a message's stamp."""
    sec, nanosec = divmod(int(time_ns), NS_PER_S)
    return Time(sec=sec, nanosec=nanosec)


def now_ns(node: Node) -> int:
    """Return the time of the node's clock in integer nanoseconds."""
    return node.get_clock().now().nanoseconds


def read_clocks(node: Node, steady: Clock) -> Clocks:
    """Return the steady clock and the node's at one moment; again where something came between."""
    for _ in range(5):
        before = steady.now().nanoseconds
        ros_ns = now_ns(node)
        after = steady.now().nanoseconds
        if after - before < CLOCKS_WITHIN_NS:
            break
    return Clocks((before + after) // 2, ros_ns)


def run(
    make_node: Callable[[], Node], args: Sequence[str] | None = None, *, threads: int = 1
) -> int:
    """
    Run a node until SIGINT, SIGTERM, a shutdown of its context or an exception in a callback.

    A node's ``before_shutdown()``, where it has one, is called exactly once in every case while
    the node can still publish; a lifecycle node then goes through its shutdown transition.
    A lifecycle node gets a parameter ``autostart`` (true by default): configure and activate at
    once, for robots without a lifecycle manager; where that fails the node stays alive.
    An exception in a callback, timer, service or worker takes a lifecycle node through error
    processing (``ManagedNode``), and it lives on; any other node ends, and so does one that cannot
    be mended: with one line, the traceback at debug severity.
    Returns the process's exit code: 0 after a signal or shutdown, 1 after an exception, 2 where
    the node refuses its parameters or cannot begin (one line says why). What computes without end
    is left behind: then the process ends here.
    """
    return run_together([make_node], args, threads=threads)


def run_together(
    makers: Sequence[Callable[[], Node]], args: Sequence[str] | None = None, *, threads: int = 1
) -> int:
    """
    Run nodes in one process, each as ``run`` does, with an executor and a thread of its own.

    What one computes, or hangs in, does not hold up the others. The process ends with the first of
    them that must end.
    """
    try:
        # rclpy's own handlers invalidate the context, and with it the last zero velocity.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        print(f'quiet_nav: {why_not_begun(error)}', file=sys.stderr, flush=True)
        return 2
    code, nodes, stop = 1, [], threading.Event()
    try:
        try:
            for make_node in makers:
                nodes.append(make_node())
            spinners = [_Spinner(node, threads, stop) for node in nodes]
        except QuietNavError as error:
            process_log().fatal(str(error))
            code = 2
        except Exception as error:
            process_log().fatal(one_line(error))
            process_log().debug(''.join(traceback.format_exception(error)))
        else:
            code = _spin(spinners, stop)
        finally:
            for node in nodes:
                node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return leave(code)


def why_not_begun(error: Exception) -> str:
    """Return in one line why ROS cannot begin, and the way out where it is known."""
    text = one_line(error)
    if 'log' in text.lower():
        folder = os.environ.get('ROS_LOG_DIR') or os.environ.get('ROS_HOME') or '~/.ros/log'
        return (
            f'no log can be written below {folder}: set ROS_LOG_DIR to a folder that can be '
            f'written ({" ".join(str(error).split())})'
        )
    return text


class PatientExecutor(MultiThreadedExecutor):
    """
    rclpy's executor, but a callback that waits for a worker is not handed out again and again.

    rclpy 7.1 submits every task that is neither running nor done at each turn: while workers are
    busy it turns without rest, thousands of copies queue up, and the callbacks starve.
    """

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._handed_out: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def wait_for_ready_callbacks(self, *args: object, **kwargs: object) -> tuple:
        while True:
            found = super().wait_for_ready_callbacks(*args, **kwargs)
            now_s = time.monotonic()
            if now_s - self._handed_out.get(found[0], -math.inf) >= HAND_OUT_AGAIN_S:
                self._handed_out[found[0]] = now_s
                return found
            time.sleep(0.001)


class _Spinner:
    """A node, its executor, the thread that spins it, and what ended it."""

    def __init__(self, node: Node, threads: int, stop: threading.Event) -> None:
        self.node, self.failures = node, []
        self._stop = stop
        self._executor = PatientExecutor(threads) if threads > 1 else _executor_of(node)
        self._executor.add_node(node)
        # The main thread only waits: Python runs signal handlers there, and rcl's wait blocks them.
        self.thread = threading.Thread(target=self._spin, name='executor', daemon=True)

    def _spin(self) -> None:
        try:
            if isinstance(self.node, LifecycleNode):
                _guarded(self.node, lambda: _autostart(self.node), self.failures)
            while rclpy.ok() and not self._stop.is_set() and not self.failures:
                _guarded(self.node, self._turn, self.failures)
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        finally:
            self._stop.set()

    def _turn(self) -> None:
        self._executor.spin_once(TURN_S)

    def end(self) -> None:
        """Let the node say and do its last; its thread is not waited for."""
        self._executor.wake()
        self.thread.join(CALLBACK_GRACE_S)
        try:
            if rclpy.ok():
                _shut_down(self.node)
        except Exception as error:
            self.failures.append(error)
            _say_last(self.node, error)

    def join(self) -> bool:
        """Wait for the thread; return whether it has ended."""
        self.thread.join(SPINNER_GRACE_S)
        self._executor.shutdown(timeout_sec=SPINNER_GRACE_S)
        return not self.thread.is_alive()


def _spin(spinners: Sequence[_Spinner], stop: threading.Event) -> int:
    with _signals_set(stop):
        for spinner in spinners:
            spinner.thread.start()
        while not stop.wait(timeout=3600.0):
            pass
        for spinner in spinners:
            spinner.end()
    ended = [spinner.join() for spinner in spinners]
    code = 1 if any(spinner.failures for spinner in spinners) else 0
    # A thread that still computes in a node must not find it destroyed.
    return code if all(ended) else leave(code, 0.0)


def _guarded(node: Node, action: Callable[[], object], failures: list[Exception]) -> None:
    """Do something of the node; what it raises is dealt with, or noted where the node must end."""
    try:
        action()
    except ExternalShutdownException:
        raise
    except Exception as error:
        if isinstance(node, ManagedNode):
            if node.fail(error):
                return
        else:
            _say_last(node, error)
        failures.append(error)


def _say_last(node: Node, error: Exception) -> None:
    """Say in one line, and in the diagnostics, what ends the node."""
    text = one_line(error)
    log_of(node).fatal(text)
    log_of(node).debug(''.join(traceback.format_exception(error)))
    if hasattr(node, 'report'):
        node.failure = text
        node.report()


def _executor_of(node: Node) -> Executor:
    """Return the executor that a node's parameter `executor` names."""
    descriptor = ParameterDescriptor(
        description='ordinary, or events: the experimental one of rclpy, which takes less CPU',
        additional_constraints='ordinary or events',
        read_only=True,
    )
    wanted = node.declare_parameter('executor', 'ordinary', descriptor).value
    if wanted not in ('ordinary', 'events'):
        raise QuietNavError(f'executor {wanted}: expected ordinary or events')
    if wanted == 'ordinary':
        return SingleThreadedExecutor()
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        log_of(node).warn('executor events: this rclpy has none; the ordinary one spins')
        return SingleThreadedExecutor()
    return EventsExecutor()


def _autostart(node: LifecycleNode) -> None:
    descriptor = ParameterDescriptor(
        description='configure and activate at start, without a lifecycle manager', read_only=True
    )
    if not node.declare_parameter('autostart', True, descriptor).value:
        return
    log = log_of(node)
    if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
        log.error('not configured; mend the cause and trigger configure')
    elif node.trigger_activate() != TransitionCallbackReturn.SUCCESS:
        log.error('configured but not activated; trigger activate to try again')


def _shut_down(node: Node) -> None:
    try:
        if hasattr(node, 'before_shutdown'):
            node.before_shutdown()
    finally:
        if isinstance(node, LifecycleNode):
            # rclpy says with a RuntimeError that the node is finalized already.
            with contextlib.suppress(RuntimeError):
                node.trigger_shutdown()
        time.sleep(FLUSH_S)


@contextlib.contextmanager
def _signals_set(event: threading.Event) -> Iterator[None]:
    """
    Let SIGINT and SIGTERM set the event; one that comes later acts as without a handler.

    Within SAME_WISH_S more of them change nothing: the node is stopping its robot.
    """
    first_s = math.inf

    def handle(number: int, _frame: Any) -> None:
        nonlocal first_s
        event.set()
        now_s = time.monotonic()
        first_s = min(first_s, now_s)
        if now_s - first_s > SAME_WISH_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    in_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if in_main else ()
    old = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
