"""Clients of the follower end in order when a signal comes, however early."""

import math
import os
import signal

import pytest
from rclpy.node import Node

from quiet_nav.nodes.goal_client import run_client


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
