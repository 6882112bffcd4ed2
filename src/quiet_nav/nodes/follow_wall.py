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

"""Sends one `follow_wall` goal, says how it goes, and cancels it on SIGINT or SIGTERM."""

from __future__ import annotations

from dataclasses import dataclass
import math
import sys

from quiet_nav.action import FollowWall
from quiet_nav.errors import QuietNavError
from quiet_nav.navigation.modality import Mode
from quiet_nav.navigation.policies import POLICIES
from quiet_nav.nodes.base import PlainNode
from quiet_nav.nodes.goal_client import describe_outcome, GoalClient, Interrupted, run_client
from quiet_nav.nodes.logs import Severity
from quiet_nav.nodes.parameters import parameter, Parameters
from quiet_nav.nodes.runtime import now_ns
from quiet_nav.perception.readings import Modality

_SIDES = {
    'any': FollowWall.Goal.SIDE_ANY,
    'left': FollowWall.Goal.SIDE_LEFT,
    'right': FollowWall.Goal.SIDE_RIGHT,
}


@dataclass(frozen=True)
class FollowWallParameters:
    """Parameters of the node: the goal."""

    modality: str = parameter(
        'audio',
        'readings to drive by; auto: vision, and sound while it fails; fusion: both',
        choices=tuple(mode.name.lower() for mode in Mode),
        read_only=True,
    )
    algorithm: str = parameter(
        '', "policy; empty: the follower's own choice", choices=('', *POLICIES), read_only=True
    )
    side: str = parameter(
        'any', 'side on which to keep the wall; any: the nearer', choices=tuple(_SIDES),
        read_only=True,
    )  # fmt: skip
    max_distance: float = parameter(
        0.0, 'end after this way (m); 0: no limit', minimum=0.0, maximum=10000.0, read_only=True
    )
    max_steps: int = parameter(
        0, 'end after this many steps; 0: no limit', minimum=0, maximum=100000, read_only=True
    )
    max_duration: float = parameter(
        0.0, 'end after this long (s); 0: no limit', minimum=0.0, maximum=86400.0, read_only=True
    )
    wait: float = parameter(
        60.0, 'how long the follower may take to accept (s)', minimum=0.0, maximum=3600.0,
        read_only=True,
    )  # fmt: skip


class FollowWallClient(PlainNode):
    """Logs the feedback of a goal."""

    def __init__(self) -> None:
        super().__init__('follow_wall_client')
        self.settings = Parameters(self, FollowWallParameters).value

    def say(self, feedback: FollowWall.Feedback) -> None:
        wall = feedback.wall_distance
        self.log.say(
            Severity.INFO,
            f'step {feedback.steps}, {feedback.distance:.2f} m, '
            f'by {Modality(feedback.modality).name.lower()}; '
            f'P(L) {feedback.probability_left:.2f}, P(R) {feedback.probability_right:.2f}'
            + (f', wall at {wall:.2f} m' if math.isfinite(wall) else ''),
            cause='feedback',
            every_s=5.0,
        )


def follow(client: GoalClient) -> int:
    """Follow the goal of the node's parameters to its end: 0 where a limit of it was reached."""
    node: FollowWallClient = client.node
    p = node.settings
    goal = FollowWall.Goal(
        modality=int(Mode[p.modality.upper()]),
        algorithm=p.algorithm,
        side=_SIDES[p.side],
        max_distance=p.max_distance,
        max_steps=p.max_steps,
        max_duration=p.max_duration,
    )
    if not client.wait(lambda: now_ns(node), p.wait):
        raise QuietNavError(f'use_sim_time is set and /clock is silent after {p.wait:.0f} s')
    ended = client.follow(goal, node.say, p.wait)
    node.log.info('the wall follower took the goal: the robot moves once it has heard')
    try:
        client.wait(ended.done, math.inf)
    except Interrupted:
        client.cancel(ended)
        raise
    result = ended.result().result
    node.log.info(describe_outcome(result))
    return 0 if result.outcome == FollowWall.Result.OUTCOME_LIMIT_REACHED else 1


def main(args: list[str] | None = None) -> int:
    """Run the node until the goal has ended; returns the exit code."""
    return run_client(FollowWallClient, follow, args)


if __name__ == '__main__':
    sys.exit(main())
