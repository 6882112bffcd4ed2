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

"""Record, label, fine-tune, evaluate, replay: the whole way on bags that the simulator recorded."""

import csv
import json
from pathlib import Path
import shutil

from bag_recording import Recording
from called import run
from installed import require
import pytest

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import find_rig
from quiet_nav.quiet_campus.lists import load_splits
from quiet_nav.simulation.robot.drive import RobotSettings
from quiet_nav.simulation.robot.world import SimulatedWorld, TICK_NS
from quiet_nav.simulation.rooms.plan_files import plan_from_dict
from quiet_nav.simulation.sound.scenes import scene_in_plan

require('torch', 'lightning')

S = 1_000_000_000
STAND_S, DRIVE_S, SPEED_MPS = 4.0, 3.1, 0.4
RECIPE = """
name: tiny
network: {kind: context, width: 0.375, options: {dropout: 0.3}}
optim: {name: adamw, learning_rate: 1e-5, epochs: 1, batch_size: 4}
"""


def record(path: Path, seed: int) -> Path:
    """Stand 1.2 m from a wall, drive up to it, stand again: what the simulated robot publishes."""
    plan = plan_from_dict({'size': [4.0 + 0.3 * seed, 3.0], 'height': 2.5})
    world = SimulatedWorld(
        plan,
        scene_in_plan(plan, seed),
        find_rig('single'),
        Pose2D(1.5, 1.5, 3.14159265),
        seed,
        settings=RobotSettings.perfect(),
    )
    made = Recording().info(channels=1)
    for tick in range(round((2 * STAND_S + DRIVE_S) * S / TICK_NS)):
        now_s = tick * TICK_NS / S
        driving = STAND_S <= now_s < STAND_S + DRIVE_S - 0.5
        world.robot.command(SPEED_MPS if driving else 0.0, 0.0)
        state = world.tick()
        odometry = state.odometry
        made.pose(world.time_ns / S, odometry.x, odometry.y, odometry.yaw)
        if tick % 25 == 0:
            made.image(world.time_ns / S, world.depth_image())
        if world.chunk_due:
            chunk = world.listen()
            made.chunk(chunk.start_ns / S, chunk.samples)
    return made.write(path)


@pytest.mark.slow
def test_record_label_fine_tune_evaluate_replay(tmp_path, model):
    splits = 'train', 'val', 'test'
    # Rendering sound is what takes time here: one drive stands for three rooms.
    bags = [record(tmp_path / 'drive_0', 0)]
    bags += [shutil.copytree(bags[0], tmp_path / f'drive_{i}') for i in (1, 2)]
    with (tmp_path / 'rooms.csv').open('w', newline='') as file:
        rows = [(bag.name, f'room_{s}', s) for bag, s in zip(bags, splits, strict=True)]
        csv.writer(file).writerows([('bag', 'room', 'split'), *rows])
    data = tmp_path / 'data'
    said = run('label', '--rooms', tmp_path / 'rooms.csv', '--out', data)
    assert 'the robot moved' in said
    for rows in (load_splits(data)[s] for s in splits):
        assert {row.near for row in rows} == {False, True}

    (tmp_path / 'tiny.yaml').write_text(RECIPE)
    init = 'train', 'near-wall', '--init', model, '--recipe', tmp_path / 'tiny.yaml'
    said = run(*init, '--data', data, '--out', tmp_path / 'run', '--accelerator', 'cpu',
               '--no-progress')  # fmt: skip
    assert 'after 1 epochs' in said
    tuned = tmp_path / 'tuned.onnx'
    run('export', tmp_path / 'run' / 'best.ckpt', '--out', tuned, '--no-calibrate')

    run('evaluate', tuned, '--data', data, '--context', 'alone', '--no-bands', '--json',
        tmp_path / 'figures.json')  # fmt: skip
    overall = json.loads((tmp_path / 'figures.json').read_text())['lines'][0]
    assert overall['rows'] == len(load_splits(data).test) and 0.0 <= overall['ap']['value'] <= 1.0

    run('replay', bags[2], '--model', tuned, '--out', tmp_path / 'replay', '--threads', 1)
    table = json.loads((tmp_path / 'replay' / 'table.json').read_text())
    assert table['lines'][0]['rows'] > 0
    readings = list(csv.DictReader((tmp_path / 'replay' / bags[2].name / 'readings.csv').open()))
    assert len(readings) > 2 * (2 * STAND_S + DRIVE_S) - 8
