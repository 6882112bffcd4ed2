#!/usr/bin/env python3
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

"""
Write simulated drives through a building of small rooms, a bag a room, and rooms.csv beside.

    python tools/simulated_drives.py OUT [ROOMS]

docs/recordings.md shows what fine-tuning on them gives. In every room a robot with the rig `single`
stands 8 s at each of 12 places facing a wall, half of them within 0.5 m of it. It is carried from
one to the next; odometry is the truth.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
import sys

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / 'test' / 'recordings'))
from bag_recording import Recording

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.robot.drive import RobotSettings
from quiet_nav.simulation.robot.world import SimulatedWorld, TICK_NS
from quiet_nav.simulation.rooms.plan_files import plan_from_dict
from quiet_nav.simulation.sound.scenes import scene_in_plan

PLACES, STAND_S = 12, 8.0
#: The ear and the camera are so far ahead of the robot's center, about.
AHEAD_M = 0.17
#: Shares of the rooms that are for training and for validation; the rest is for the test.
TRAIN, VAL = 9 / 16, 3 / 16


def places(width: float, depth: float, rng: np.random.Generator) -> list[Pose2D]:
    """Return poses in a room (meters) that face one of its walls at 0.2 to 2 m."""
    found: list[Pose2D] = []
    while len(found) < PLACES:
        facing = int(rng.integers(4))
        distance = rng.uniform(0.2, 0.5) if len(found) % 2 else rng.uniform(0.55, 2.0)
        if distance > (depth if facing % 2 else width) / 2:
            continue
        off = distance + AHEAD_M
        x, y = rng.uniform(0.6, width - 0.6), rng.uniform(0.6, depth - 0.6)
        x, y = ((width - off, y), (x, depth - off), (off, y), (x, off))[facing]
        found.append(Pose2D(float(x), float(y), facing * math.pi / 2))
    return found


def record(path: Path, room: int) -> None:
    """Write the drive through one room."""
    rng = np.random.default_rng(7000 + room)
    width, depth = rng.uniform(3.0, 5.0), rng.uniform(2.5, 4.0)
    plan = plan_from_dict({'size': [float(width), float(depth)], 'height': 2.5})
    stands = places(width, depth, rng)
    scene, rig = scene_in_plan(plan, 9000 + room), find_rig('single')
    world = SimulatedWorld(plan, scene, rig, stands[0], room, settings=RobotSettings.perfect())
    made = Recording().info(channels=1)
    for number, stand in enumerate(stands):
        if number:
            world.robot.place(stand)
        for tick in range(round(STAND_S * 1e9 / TICK_NS)):
            world.tick()
            now_s, pose = world.time_ns * 1e-9, world.robot.state.pose
            made.pose(now_s, pose.x, pose.y, pose.yaw)
            if tick % 25 == 0:
                made.image(now_s, world.depth_image())
            if world.chunk_due:
                chunk = world.listen()
                made.chunk(chunk.start_ns * 1e-9, chunk.samples)
    made.write(path)


def main() -> None:
    """Write the bags of all rooms, and which part each room is for."""
    out = Path(sys.argv[1])
    rooms = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    out.mkdir(parents=True)
    rows = [('bag', 'room', 'split')]
    for room in range(rooms):
        name, share = f'room_{room:02d}', room / rooms
        record(out / name, room)
        rows.append(
            (name, name, 'train' if share < TRAIN else 'val' if share < TRAIN + VAL else 'test')
        )
    with (out / 'rooms.csv').open('w', newline='') as file:
        csv.writer(file).writerows(rows)


if __name__ == '__main__':
    main()
