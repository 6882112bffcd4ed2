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

"""Clients of the follower end in order when a signal comes, however early."""

import math
import os
import signal

import pytest
from rclpy.node import Node

from quiet_nav.nodes.goal_client import run_client

pytestmark = pytest.mark.realtime


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_while_the_node_is_made_ends_the_work_in_order(number):
    """What the node opened (a bag) must be closed, so the work begins and ends at once."""
    seen = []

    def made_late() -> Node:
        node = Node('made_late')
        os.kill(os.getpid(), number)
        return node

    def work(client) -> int:
        try:
            client.wait(lambda: False, math.inf)
        finally:
            seen.append('closed')

    before = signal.getsignal(number)
    assert run_client(made_late, work, [], interrupted=130) == 130
    assert seen == ['closed']
    assert signal.getsignal(number) == before
