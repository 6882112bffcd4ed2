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

"""The heartbeat of `near_wall`: while it comes, the detector lives and computes."""

from __future__ import annotations

from collections.abc import Callable
import threading
import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Empty

from quiet_nav.nodes.failures import raise_in_executor

ALIVE_TOPIC = 'near_wall/alive'
ALIVE_QOS = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
BEAT_S = 0.04
#: The executor counts as hung where its callbacks have not been called for so long.
EXECUTOR_S = 0.6


class Heartbeat:
    """
    Publishes `near_wall/alive` 25 times a second, as long as executor and ``works`` are well.

    From a thread of its own, so that a busy moment of the callbacks does not look like death; it
    falls silent where the process stops, the callbacks hang, or ``works`` says no. Made where a
    node becomes active and destroyed where it ends.
    """

    def __init__(self, node: Node, works: Callable[[], bool]) -> None:
        self._node, self._works = node, works
        self._publisher = node.create_publisher(Empty, ALIVE_TOPIC, ALIVE_QOS)
        self._seen_s = time.monotonic()
        self._timer = node.create_timer(
            2.0 * BEAT_S, self._see, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name='heartbeat', daemon=True)
        self._thread.start()

    def destroy(self) -> None:
        """Fall silent and take everything back from the node."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def _see(self) -> None:
        self._seen_s = time.monotonic()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            if time.monotonic() - self._seen_s < EXECUTOR_S and self._works():
                try:
                    self._publisher.publish(Empty())
                except Exception as error:
                    # Where the context is shut down or the node destroyed nobody misses it.
                    if not self._stop.is_set() and self._node.context.ok():
                        raise_in_executor(self._node, error)
                    return
