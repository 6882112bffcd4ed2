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

"""What runs a node as a process: start, spin, signals, shutdown hook, exit code; and its stamps."""

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
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from quiet_nav.errors import QuietNavError
from quiet_nav.navigation.control_clock import Clocks
from quiet_nav.nodes.base import log_of, ManagedNode, transition
from quiet_nav.nodes.failures import leave, one_line
from quiet_nav.nodes.logs import process_log

__all__ = ['PatientExecutor', 'now_ns', 'ns_to_stamp', 'read_clocks', 'run', 'transition']

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
    try:
        # rclpy's own handlers invalidate the context, and with it the last zero velocity.
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        print(f'quiet_nav: {why_not_begun(error)}', file=sys.stderr, flush=True)
        return 2
    code = 1
    try:
        try:
            node = make_node()
        except QuietNavError as error:
            process_log().fatal(str(error))
            code = 2
        except Exception as error:
            process_log().fatal(one_line(error))
            process_log().debug(''.join(traceback.format_exception(error)))
        else:
            try:
                code = _spin(node, threads)
            finally:
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


def _spin(node: Node, threads: int) -> int:
    stop, failures = threading.Event(), []
    executor = PatientExecutor(threads) if threads > 1 else SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        try:
            if isinstance(node, LifecycleNode):
                _guarded(node, lambda: _autostart(node), failures)
            while rclpy.ok() and not stop.is_set() and not failures:
                _guarded(node, executor.spin_once, failures)
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        finally:
            stop.set()

    # The main thread only waits: Python runs signal handlers there, and rcl's wait blocks them.
    spinner = threading.Thread(target=spin, name='executor', daemon=True)
    with _signals_set(stop):
        spinner.start()
        while not stop.wait(timeout=3600.0):
            pass
        executor.wake()
        spinner.join(CALLBACK_GRACE_S)
        try:
            if rclpy.ok():
                _shut_down(node)
        except Exception as error:
            failures.append(error)
            _say_last(node, error)
    spinner.join(SPINNER_GRACE_S)
    executor.shutdown(timeout_sec=SPINNER_GRACE_S)
    code = 1 if failures else 0
    # A thread that still computes in the node must not find it destroyed.
    return leave(code, 0.0) if spinner.is_alive() else code


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
