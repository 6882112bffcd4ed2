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

"""Drives one goal along a track of the simulated robot: brings up, watches, paces and records."""

from __future__ import annotations

from dataclasses import dataclass
import math
from pathlib import Path
import sys
import time

from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from std_msgs.msg import Bool

from quiet_nav.action import FollowWall
from quiet_nav.demo.pace import Pace
from quiet_nav.demo.run import save_run, TrackRun
from quiet_nav.msg import NearWall
from quiet_nav.navigation.step_machine import Phase
from quiet_nav.nodes.conversions import pose_from_msg
from quiet_nav.nodes.goal_client import describe_outcome, GoalClient, Interrupted, run_client
from quiet_nav.nodes.parameters import parameter, Parameters
from quiet_nav.nodes.recorder import Recorder, TOPICS
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.trials.protocol import TrialOutcome

#: Wall time between two lines of progress, and between two changes of the time factor.
REPORT_S, PACE_S = 0.2, 1.0


@dataclass(frozen=True)
class DemoRunParameters:
    """Parameters of the node."""

    room: str = parameter('classroom', 'room of the simulated robot', read_only=True)
    track: str = parameter('', 'track in it; empty for its first', read_only=True)
    start: int = parameter(
        4, "which of the track's start poses it is", minimum=0, maximum=99, read_only=True
    )
    rig: str = parameter('trio', 'its rig, for the record', read_only=True)
    algorithm: str = parameter('tracker', 'policy of the goal', read_only=True)
    detector: str = parameter('', 'what near_wall hears by, for the record', read_only=True)
    lifecycle_nodes: tuple[str, ...] = parameter(
        ('near_wall', 'wall_follower'), 'nodes to configure and activate first', read_only=True
    )
    out: str = parameter('', 'folder for the bag and run.json; empty: neither', read_only=True)
    audio: bool = parameter(True, 'record what the microphones hear', read_only=True)
    pace: bool = parameter(
        False, "raise the simulated robot's time_factor while every node keeps up", read_only=True
    )
    max_duration: float = parameter(
        1800.0,
        'give up after this long (simulated s)',
        minimum=1.0,
        maximum=86400.0,
        read_only=True,
    )
    startup: float = parameter(
        60.0, 'how long nodes may take to start (s)', minimum=1.0, maximum=600.0, read_only=True
    )


class DemoRun(Node):
    """Keeps what the nodes say: the run along the track, how late they are, the bag."""

    def __init__(self) -> None:
        super().__init__('demo_run')
        self.settings = p = Parameters(self, DemoRunParameters).value
        self.run = TrackRun(load_plan(p.room).track(p.track or None))
        self.pace = Pace()
        self.factor = 0.0
        self.rests = True
        self._robot = AsyncParameterClient(self, 'simulated_robot')
        self._reported = self._paced = time.monotonic()
        self._paced_ns = 0
        handlers = {
            'ground_truth': self._on_truth,
            'near_wall': self._on_near_wall,
            'cmd_vel': self._on_cmd_vel,
            'bump': self._on_bump,
        }
        recorded = [name for name in TOPICS if p.audio or 'audio_stamped' not in name]
        bag = Path(p.out) / 'bag' if p.out else None
        self.recorder = Recorder(self, bag, recorded, lambda: self.run.time_ns, handlers)

    # What arrives

    def _on_truth(self, message: Odometry) -> None:
        self.run.moved(stamp_to_ns(message.header.stamp), pose_from_msg(message.pose.pose))

    def _on_near_wall(self, message: NearWall) -> None:
        self.pace.reading(self.run.time_ns, stamp_to_ns(message.header.stamp), message.side)

    def _on_cmd_vel(self, message: TwistStamped) -> None:
        asked = message.twist
        self.rests = asked.linear.x == 0.0 and asked.angular.z == 0.0
        self.pace.command((self.run.time_ns - stamp_to_ns(message.header.stamp)) * 1e-9)

    def _on_bump(self, message: Bool) -> None:
        if message.data:
            self.run.bumped()

    def on_feedback(self, said: FollowWall.Feedback) -> None:
        """Take the follower's feedback."""
        self.run.said(
            Phase(said.phase).name.lower(),
            said.steps,
            said.probability_left,
            said.probability_right,
            said.wall_distance,
        )

    # What is said

    def tick(self) -> None:
        """Print a line of progress and set the pace when it is time to."""
        now = time.monotonic()
        if now - self._paced >= PACE_S and self.run.time_ns:
            if self._paced_ns:
                self.factor = (self.run.time_ns - self._paced_ns) * 1e-9 / (now - self._paced)
                self._set_pace()
            self._paced, self._paced_ns = now, self.run.time_ns
        if now - self._reported >= REPORT_S:
            self._reported = now
            print(self.run.progress(self.factor).to_line(), flush=True)

    def _set_pace(self) -> None:
        if not self.settings.pace or not self._robot.services_are_ready():
            return
        before = self.pace.factor
        wanted = self.pace.next(self.factor)
        if wanted != before:
            self._robot.set_parameters([Parameter('time_factor', value=wanted)])


def drive(client: GoalClient) -> int:
    """Bring up, follow the track to its end, and record: 0 where the destination was reached."""
    node: DemoRun = client.node
    p, run = node.settings, node.run
    try:
        for name in p.lifecycle_nodes:
            run.phase = f'starting {name}'
            print(run.progress(0.0).to_line(), flush=True)
            client.activate(name, p.startup)
        run.phase = 'waiting for the robot'
        client.wait(lambda: run.time_ns, p.startup)
        ended = client.follow(
            FollowWall.Goal(algorithm=p.algorithm, max_duration=p.max_duration),
            node.on_feedback,
            p.startup,
        )
        run.begin()
        _watch(client, node, ended)
        return 0 if run.outcome == TrialOutcome.DESTINATION else 1
    finally:
        node.recorder.close()


def _watch(client: GoalClient, node: DemoRun, ended: object) -> None:
    p, run = node.settings, node.run

    def over() -> bool:
        node.tick()
        return bool(run.outcome) or ended.done()

    try:
        client.wait(over, math.inf)
    except Interrupted:
        run.end('interrupted')
        raise
    finally:
        # Recorded to the end: the robot comes to rest in the bag, too.
        client.cancel(ended, lambda: node.rests)
        if ended.done():
            result = ended.result().result
            node.get_logger().info(f'{run.outcome or "the goal ended"}; {describe_outcome(result)}')
            run.end(_outcome(result))
        print(run.progress(node.factor).to_line(), flush=True)
        if p.out:
            driven = run.result(p.room, p.algorithm, p.rig, p.start, p.detector)
            save_run(Path(p.out) / 'run.json', driven)


def _outcome(result: FollowWall.Result) -> str:
    if result.outcome == FollowWall.Result.OUTCOME_LIMIT_REACHED:
        return TrialOutcome.TIME_OUT
    if result.outcome == FollowWall.Result.OUTCOME_BUMP:
        return TrialOutcome.COLLISION
    return result.reason


def main(args: list[str] | None = None) -> int:
    """Run the node until the run has ended; returns the exit code."""
    return run_client(DemoRun, drive, args, interrupted=130)


if __name__ == '__main__':
    sys.exit(main())
