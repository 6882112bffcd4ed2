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

"""What every node has: a log, a door for messages, and an end (or a new begin) by design."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
import functools
import threading
import time
import traceback
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.failures import one_line
from quiet_nav.nodes.intake import Intake
from quiet_nav.nodes.logs import NodeLog
from quiet_nav.nodes.parameters import SaysWhy

#: A node that fails more often than this within so long is not mended by error processing.
_MOST_FAILURES, _FAILURES_S = 3, 60.0
#: A transition that is asked for while another is made waits so long.
_TRANSITION_WAIT_S = 2.0
_TRANSITIONS = ('on_configure', 'on_activate', 'on_deactivate', 'on_cleanup', 'on_shutdown')
_SUCCESS = TransitionCallbackReturn.SUCCESS


def transition(callback: Callable[..., TransitionCallbackReturn]) -> Callable[..., Any]:
    """
    Wrap a lifecycle node's on_configure and the like so that a failure is never silent.

    QuietNavError becomes one log line and FAILURE (the state before is kept), any other exception
    one line and ERROR; rclpy alone would swallow both. Returning None is SUCCESS. In a node that
    is failing (``ManagedNode.fail``) the callback is not called: that is ERROR.
    """

    @functools.wraps(callback)
    def guarded(node: LifecycleNode, state: Any) -> TransitionCallbackReturn:
        if getattr(node, 'failing', False):
            return TransitionCallbackReturn.ERROR
        try:
            result = callback(node, state)
        except QuietNavError as error:
            log_of(node).error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            log_of(node).error(f'{callback.__name__}: {one_line(error)}')
            log_of(node).debug(''.join(traceback.format_exception(error)))
            if hasattr(node, 'failure'):
                node.failure = one_line(error)
            return TransitionCallbackReturn.ERROR
        if callback.__name__ == 'on_configure' and isinstance(node, ManagedNode):
            node.failure = ''
        return _SUCCESS if result is None else result

    return guarded


def log_of(node: Node) -> NodeLog:
    """Return a node's log; one of its own for a plain rclpy node."""
    log = getattr(node, 'log', None)
    return log if isinstance(log, NodeLog) else NodeLog(node.get_logger())


class _Care:
    """Log, door and the last failure: what plain and lifecycle nodes have in common."""

    def _begin_care(self, node: Node) -> None:
        self.log = NodeLog(node.get_logger())
        self.intake = Intake(self.log)
        #: What broke, in one line, until the node is configured again; '' where all is well.
        self.failure = ''
        #: Publishes the diagnostics now; set by ``Diagnostics``.
        self.report: Callable[[], None] = lambda: None


class PlainNode(_Care, SaysWhy, Node):
    """A node without lifecycle: an exception ends it with 1, after ``before_shutdown``."""

    def __init__(self, name: str, **options: Any) -> None:
        Node.__init__(self, name, **options)
        self._begin_care(self)


class ManagedNode(_Care, SaysWhy, LifecycleNode):
    """
    A lifecycle node that no request and no exception ends unless it is meant to.

    A transition that is not allowed in the present state is answered with false, and said. An
    exception takes the node through error processing to ``unconfigured``: ``release`` makes the
    robot stand and lets everything go; configure and activate begin again. A node that fails
    again and again, or whose ``release`` fails, is finalized, and its process ends with 1.
    """

    def __init__(self, name: str, **options: Any) -> None:
        LifecycleNode.__init__(self, name, **options)
        self._begin_care(self)
        self.failing = False
        self._failed_s: deque[float] = deque()
        self._transitions = threading.RLock()
        service = getattr(self, '_service_change_state', None)
        if service is not None:
            self._change_state = service.callback
            service.callback = self._on_change_state

    def __init_subclass__(cls, **options: Any) -> None:
        """Guard every transition, also one whose author forgot to."""
        super().__init_subclass__(**options)
        for name in _TRANSITIONS:
            callback = cls.__dict__.get(name)
            if callback is not None and not hasattr(callback, '__wrapped__'):
                setattr(cls, name, transition(callback))

    @transition
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return super().on_deactivate(state)

    @transition
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return super().on_cleanup(state)

    def release(self) -> None:
        """Make the robot stand and let go of everything that configuring made; never raises."""

    def destroy_node(self) -> None:
        """Let go of everything, then of the node: threads of it end first."""
        self.on_error(None)
        super().destroy_node()

    @property
    def state(self) -> str:
        """Return the lifecycle state's name: unconfigured, inactive, active, finalized."""
        return str(self._state_machine.current_state[1])

    def on_error(self, state: object) -> TransitionCallbackReturn:
        """Let go of everything; the node can be configured again afterwards."""
        try:
            self.release()
        except Exception as error:
            self.log.fatal(f'in error processing: {one_line(error)}')
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def fail(self, error: BaseException) -> bool:
        """Take the node through error processing; return whether it lives on."""
        self.failure = one_line(error)
        self.log.debug(''.join(traceback.format_exception(error)))
        now_s = time.monotonic()
        self._failed_s.append(now_s)
        while now_s - self._failed_s[0] > _FAILURES_S:
            self._failed_s.popleft()
        state = self.state
        with _Held(self._transitions):
            self.failing = True
            try:
                if state == 'active':
                    self.trigger_deactivate()
                elif state == 'inactive':
                    self.trigger_cleanup()
                else:
                    # Nothing was made that a transition would take back.
                    self.on_error(None)
            except RuntimeError as refused:
                self.log.error(f'no error processing from {state}: {one_line(refused)}')
            finally:
                self.failing = False
        lives = self.state == 'unconfigured' and len(self._failed_s) <= _MOST_FAILURES
        if lives:
            self.log.error(f'{self.failure}: configure and activate to try again')
        else:
            self.log.fatal(f'{self.failure}: the node ends')
        self.report()
        return lives

    def _on_change_state(self, request: Any, response: Any) -> Any:
        with _Held(self._transitions):
            wanted = request.transition
            allowed = {label: number for number, label, *_ in self._allowed()}
            known = wanted.label in allowed if wanted.label else wanted.id in allowed.values()
            if not known:
                asked = wanted.label or _label_of(self, wanted.id)
                self.log.warn(
                    f'{asked} refused: the node is {self.state}; '
                    f'possible now: {", ".join(sorted(allowed)) or "nothing"}',
                    cause=f'transition {asked} when {self.state}',
                )
                response.success = False
                return response
            try:
                return self._change_state(request, response)
            except RuntimeError as error:
                self.log.error(f'transition {wanted.label or wanted.id}: {one_line(error)}')
                response.success = False
                return response

    def _allowed(self) -> list[tuple[Any, ...]]:
        """Return the transitions that may be asked for now; the others are made by the node."""
        found = self._state_machine.available_transitions
        return [item for item in found if not item[1].startswith('transition_')]


def _label_of(node: ManagedNode, number: int) -> str:
    graph = {item[0]: item[1] for item in node._state_machine.transition_graph}
    return str(graph.get(number, f'transition {number}'))


class _Held:
    """A lock that is waited for no longer than a transition may hang."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._has = False

    def __enter__(self) -> None:
        self._has = self._lock.acquire(timeout=_TRANSITION_WAIT_S)

    def __exit__(self, *_: object) -> None:
        if self._has:
            self._lock.release()
