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

"""The emergency stop as ROS has it: heard from every publisher, released by one service alone."""

from __future__ import annotations

from collections.abc import Callable
import threading

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Bool
from std_srvs.srv import SetBool

from quiet_nav.nodes.base import ManagedNode
from quiet_nav.nodes.surroundings import Surroundings
from quiet_nav.nodes.wall_follower.emergency_stop import EmergencyStop

SERVICE = 'set_emergency_stop'
TOPIC = 'emergency_stop'
#: Best effort hears every publisher that is there.
_LIVE = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.BEST_EFFORT)
#: What a latched publisher said before is heard by those alone that ask for it, and publishers that
#: do not latch warn of those: they are asked only where one latches.
_LATCHED = QoSProfile(depth=10, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
_LOOK_EVERY_S = 0.25


class StopButton:
    """
    Latches a stop, and calls ``stop`` with the reason before anything is written or said.

    Of the node's whole life: whatever state the node is in, a stop is heard.
    """

    def __init__(
        self, node: ManagedNode, latch: EmergencyStop, stop: Callable[[str], None]
    ) -> None:
        self._node, self._latch, self._stop = node, latch, stop
        self._lock = threading.Lock()
        self._group = group = MutuallyExclusiveCallbackGroup()
        self._has_latched = False
        node.create_subscription(Bool, TOPIC, self._on_topic, _LIVE, callback_group=group)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_LOOK_EVERY_S, self._look, clock=steady, callback_group=group)
        node.create_service(SetBool, SERVICE, self._on_service, callback_group=group)
        if latch.reason:
            node.log.error(f'{latch.reason}: it holds since before this process began')
        self._say_fault()

    @property
    def reason(self) -> str:
        """Why the robot must stand; '' where the stop is released."""
        return self._latch.reason

    @property
    def fault(self) -> str:
        """Why the stop would not outlive the process; '' where it does."""
        return self._latch.fault

    def _look(self) -> None:
        """Ask latched publishers for what they said before this node was there."""
        if self._has_latched:
            return
        found = self._node.get_publishers_info_by_topic(TOPIC)
        latched = QoSDurabilityPolicy.TRANSIENT_LOCAL
        if any(info.qos_profile.durability == latched for info in found):
            self._has_latched = True
            self._node.create_subscription(
                Bool, TOPIC, self._on_topic, _LATCHED, callback_group=self._group
            )

    def _on_topic(self, message: Bool) -> None:
        if message.data:
            self._press('emergency stop by topic')

    def _on_service(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data:
            self._press('emergency stop by service')
        else:
            self._release()
        response.success = True
        response.message = self._latch.reason or 'released'
        return response

    def _press(self, reason: str) -> None:
        with self._lock:
            self._stop(reason)
            if self._latch.latch(reason):
                self._node.log.error(f'{reason}: release it with {SERVICE} false')
                self._say_fault()

    def _release(self) -> None:
        # ROS does not tell a service who called: those who could are named.
        callers = ', '.join(Surroundings(self._node).callers(SERVICE)) or 'nobody known'
        with self._lock:
            was = self._latch.reason
            self._latch.release()
        if was:
            self._node.log.warn(f'{was}: released by service; clients of it: {callers}')
        self._say_fault()

    def _say_fault(self) -> None:
        if self._latch.fault:
            self._node.log.warn(
                f'an emergency stop would not outlive this process: {self._latch.fault}',
                cause=self._latch.fault,
            )
