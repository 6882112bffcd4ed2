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

"""Ends with 0 as soon as a launch file may go on: no live base would hear it, and nodes listen."""

from __future__ import annotations

from dataclasses import dataclass
import math
import sys
import time

from rclpy.node import Node

from quiet_nav.demo.domain import others_in, own_domain
from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.goal_client import Client, run_client
from quiet_nav.nodes.parameters import parameter, Parameters

VELOCITIES = ('geometry_msgs/msg/Twist', 'geometry_msgs/msg/TwistStamped')


@dataclass(frozen=True)
class LaunchGateParameters:
    """Parameters of the node."""

    everywhere: bool = parameter(
        False,
        'ask for bases in every namespace and by every velocity, not by `commands` alone',
        read_only=True,
    )
    commands: tuple[str, ...] = parameter(
        ('cmd_vel', 'cmd_vel_unstamped'),
        'topics by which a base is told to move; remapped as those of other nodes are',
        read_only=True,
    )
    listened: tuple[str, ...] = parameter((), 'topics that somebody must listen to', read_only=True)
    discovery: float = parameter(
        2.0,
        'a base is looked for until nothing new was found for so long (s)',
        minimum=0.0,
        maximum=60.0,
        read_only=True,
    )
    patience: float = parameter(
        15.0,
        'how long others on this machine, whose ports are open, may take to be found (s)',
        minimum=0.0,
        maximum=600.0,
        read_only=True,
    )
    startup: float = parameter(
        60.0, 'how long nodes may take to listen (s)', minimum=1.0, maximum=600.0, read_only=True
    )


class LaunchGate(Node):
    """Asks the graph who listens to what."""

    def __init__(self, **options: object) -> None:
        super().__init__('launch_gate', **options)
        self.settings = Parameters(self, LaunchGateParameters).value
        self._began_s = self._changed_s = time.monotonic()
        self._found: tuple = ()

    def looked_around(self) -> bool:
        """Return whether all that is there has been found: call it again and again."""
        now_s = time.monotonic()
        found = (
            frozenset(self.get_node_names_and_namespaces()),
            frozenset(name for name, _ in self.get_topic_names_and_types()),
        )
        if found != self._found:
            self._found, self._changed_s = found, now_s
        if now_s - self._changed_s < self.settings.discovery:
            return False
        # A busy machine takes seconds to hear of others: who has ports open is to be found.
        return (
            len(found[0]) > 1
            or now_s - self._began_s > self.settings.patience
            or not others_in(own_domain())
        )

    def base(self) -> tuple[str, str] | None:
        """Return a topic by which a base is told to move, and the node that listens to it."""
        asked = {self.resolve_topic_name(name) for name in self.settings.commands}
        for topic, kinds in self.get_topic_names_and_types():
            # Bases call it what they like: /commands/velocity, /mobile_base/input, ...
            named = self.settings.everywhere or topic in asked
            if not named or not set(kinds) & set(VELOCITIES):
                continue
            for listener in self.get_subscriptions_info_by_topic(topic):
                # Hidden nodes are tools: `ros2 topic echo` moves nothing.
                if not listener.node_name.startswith('_'):
                    space = listener.node_namespace.rstrip('/')
                    return topic, f'{space}/{listener.node_name}'
        return None

    def listened(self) -> bool:
        """Return whether every topic that is to be listened to is."""
        return all(self.count_subscribers(topic) for topic in self.settings.listened)


def wait(client: Client) -> int:
    """Wait until all is there; 0, or QuietNavError where a base is or something is not."""
    node: LaunchGate = client.node
    p = node.settings
    found: list[tuple[str, str]] = []

    def decided() -> bool:
        found[:] = filter(None, [node.base()])
        return bool(found) or node.looked_around()

    client.wait(decided, math.inf)
    if found:
        topic, who = found[0]
        raise QuietNavError(
            f'a live base listens to {topic} ({who}), and it must not take what comes now for '
            'its own: stop its driver, or use another ROS_DOMAIN_ID'
        )
    if not client.wait(node.listened, p.startup):
        missing = [topic for topic in p.listened if not node.count_subscribers(topic)]
        raise QuietNavError(
            f'nobody listens to {", ".join(missing)} after {p.startup:.0f} s; the logs of the '
            'nodes above say why'
        )
    return 0


def main(args: list[str] | None = None) -> int:
    """Run the node until the way is free; returns the exit code."""
    return run_client(LaunchGate, wait, args, kind=Client)


if __name__ == '__main__':
    sys.exit(main())
