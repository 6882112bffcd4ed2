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

"""Nodes that do one thing after another and end: wait, bring up, send a goal."""

from __future__ import annotations

from collections.abc import Callable
import signal
import sys
import threading
import time
from typing import Any, TypeVar

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from quiet_nav.action import FollowWall
from quiet_nav.errors import QuietNavError
from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.nodes.runtime import why_not_begun

#: How soon a signal is noticed while waiting.
_TICK_S = 0.05
_CANCEL_S = 3.0


class Interrupted(Exception):  # noqa: N818
    """A signal asked this process to end."""


C = TypeVar('C', bound='Client')


class Client:
    """Spins ``node`` while it waits, and ends every wait with Interrupted once ``signaled``."""

    def __init__(
        self,
        node: Node,
        signaled: threading.Event | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.node = node
        self._signaled = signaled or threading.Event()
        self._executor = executor or SingleThreadedExecutor()
        self._executor.add_node(node)

    def close(self) -> None:
        self._executor.shutdown(timeout_sec=1.0)

    def wait(self, condition: Callable[[], object], timeout_s: float) -> bool:
        """Spin until the condition holds; return whether it did in time."""
        end = time.monotonic() + timeout_s
        while not condition():
            if self._signaled.is_set():
                raise Interrupted
            if time.monotonic() > end:
                return False
            self._executor.spin_once(timeout_sec=_TICK_S)
        return True

    def result_of(self, future: Future, timeout_s: float, what: str) -> Any:
        """Return a future's result; QuietNavError naming ``what`` where none comes in time."""
        if not self.wait(future.done, timeout_s):
            raise QuietNavError(f'{what}: no answer within {timeout_s:.0f} s')
        return future.result()


class GoalClient(Client):
    """Brings lifecycle nodes up and sends goals to the wall follower."""

    def __init__(
        self,
        node: Node,
        signaled: threading.Event | None = None,
        executor: Executor | None = None,
    ) -> None:
        super().__init__(node, signaled, executor)
        self._action = ActionClient(node, FollowWall, 'follow_wall')
        self._handle: Any = None

    def close(self) -> None:
        self._action.destroy()
        super().close()

    def activate(self, name: str, timeout_s: float) -> None:
        """Configure and activate a lifecycle node; QuietNavError where a transition fails."""
        get = self.node.create_client(GetState, f'{name}/get_state')
        change = self.node.create_client(ChangeState, f'{name}/change_state')
        try:
            if not self.wait(lambda: get.service_is_ready() and change.service_is_ready(),
                             timeout_s):  # fmt: skip
                raise QuietNavError(f'{name} is not there after {timeout_s:.0f} s')
            for transition, wanted in (
                (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE),
                (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE),
            ):
                self._change(name, change, transition, timeout_s)
                state = self.result_of(get.call_async(GetState.Request()), timeout_s, name)
                if state.current_state.id != wanted:
                    raise QuietNavError(
                        f'{name} stays {state.current_state.label}; its log says why'
                    )
        finally:
            self.node.destroy_client(get)
            self.node.destroy_client(change)

    def _change(self, name: str, client: Any, transition: int, timeout_s: float) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        self.result_of(client.call_async(request), timeout_s, f'{name}: transition')

    def follow(
        self,
        goal: FollowWall.Goal,
        on_feedback: Callable[[FollowWall.Feedback], None],
        timeout_s: float,
    ) -> Future:
        """
        Send a goal; return the future of its end.

        Asks again while it is refused (the follower may not be active yet). Raises QuietNavError
        where it is not accepted within the time.
        """
        end = time.monotonic() + timeout_s
        if not self.wait(self._action.server_is_ready, timeout_s):
            raise QuietNavError(f'no wall follower answers on follow_wall after {timeout_s:.0f} s')
        while True:
            future = self._action.send_goal_async(
                goal, feedback_callback=lambda message: on_feedback(message.feedback)
            )
            self._handle = self.result_of(future, 10.0, 'follow_wall')
            if self._handle.accepted:
                return self._handle.get_result_async()
            if time.monotonic() > end:
                raise QuietNavError('the wall follower refuses the goal; its log says why')
            self.wait(lambda: False, 1.0)

    def cancel(self, ended: Future, rests: Callable[[], bool] = lambda: True) -> None:
        """
        Cancel the goal and wait a moment for its end, or that of the follower.

        Signals do not shorten this.

        rests: whether the robot was seen told to stand; that may arrive after the end.
        """
        if self._handle is None:
            return
        if not ended.done():
            self._handle.cancel_goal_async()
        end = time.monotonic() + _CANCEL_S
        while time.monotonic() < end:
            if (ended.done() or not self._action.server_is_ready()) and rests():
                break
            self._executor.spin_once(timeout_sec=_TICK_S)


def describe_outcome(result: FollowWall.Result) -> str:
    """Return a goal's result in words."""
    name = Outcome(result.outcome).name.lower().replace('_', ' ')
    return (
        f'{name}: {result.reason}; {result.distance:.2f} m in {result.steps} steps, '
        f'{result.duration:.0f} s'
    )


def run_client(
    make_node: Callable[[], Node],
    work: Callable[[C], int],
    args: list[str] | None,
    kind: type[C] = GoalClient,
    interrupted: int = 0,
) -> int:
    """
    Make a node and a client, do the work with them, and return the exit code.

    The work's own, 2 after a QuietNavError (one line on the log), ``interrupted`` after SIGINT or
    SIGTERM: as with every node, 0, because whoever ends it so knows. A signal that comes while the
    node is made waits for the work, which puts away what the node opened; one more changes nothing.
    """
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        print(f'quiet_nav: {why_not_begun(error)}', file=sys.stderr, flush=True)
        return 2
    signaled = threading.Event()
    old = {
        number: signal.signal(number, lambda *_: signaled.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        client = kind(make_node(), signaled)
        try:
            return work(client)
        finally:
            client.close()
            client.node.destroy_node()
    except QuietNavError as error:
        get_logger('quiet_nav').fatal(str(error))
        return 2
    except Interrupted:
        return interrupted
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        rclpy.try_shutdown()
