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

"""Who else is there while the follower drives: other drivers, other odometry, the goal's client."""

from __future__ import annotations

from rclpy.node import Node

from quiet_nav.nodes.surroundings import sole_fault, Surroundings, type_fault

FEEDBACK_TOPIC = 'follow_wall/_action/feedback'


class Neighbors:
    """
    Looks at the graph around the follower; every method asks it anew.

    kind: type of cmd_vel. simulated: time comes from /clock. alone: nobody else may drive.
    """

    def __init__(self, node: Node, kind: str, simulated: bool, alone: bool) -> None:
        self._around = Surroundings(node)
        self._kind = kind
        self._simulated = simulated
        self._alone = alone

    def conflict(self) -> str:
        """Return who publishes what others alone may: cmd_vel, odom, /clock; '' where nobody."""
        around = self._around
        found = ''
        if self._alone:
            publishers = around.publishers('cmd_vel')
            found = sole_fault('cmd_vel', publishers, around.own)
            found += ': stop it, or set allow_other_cmd_vel' if found else ''
        found = found or sole_fault('odom', around.publishers('odom'))
        if self._simulated:
            found = found or sole_fault('/clock', around.publishers('/clock'))
        return found

    def warning(self) -> str:
        """Return that readings come from two detectors, '' where not: either may be right."""
        return sole_fault('near_wall', self._around.publishers('near_wall'))

    def objection(self) -> str:
        """Return why no goal can be taken: a conflict, or a robot that expects another type."""
        return self.conflict() or type_fault(
            'cmd_vel', self._around.listeners('cmd_vel'), self._kind
        )

    def clients(self) -> frozenset[tuple[int, ...]]:
        """Return DDS's numbers of those who listen to the action's feedback."""
        return frozenset(endpoint.gid for endpoint in self._around.listeners(FEEDBACK_TOPIC))
