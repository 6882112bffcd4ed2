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
What the shipped detector makes of ears closer to the robot's center than those of its training.

    python benchmarks/ear_spacing.py OUT [--rooms 24] [--seed 77] [--from-center 0.15 0.05 0.032]

Simulates the same rooms for each distance from the center (into OUT, where they stay for the next
time; 2 to 12 minutes each) and prints average precision, its 95 % interval over rooms and the
distance's error, for the ears at the sides with all context.
"""

from __future__ import annotations

import argparse
from pathlib import Path
import subprocess

from quiet_nav.evaluation.card import BOTH, every_row, part_of, SIDES
from quiet_nav.evaluation.context_predictor import ContextPredictor
from quiet_nav.evaluation.report import judge
from quiet_nav.geometry import Side
from quiet_nav.resources import shared_file

#: The same heights, sides and channels as in the rig `trio`.
RIG = """name: near_center
turns: false
ears:
  - {{channel: 0, position: [0.0, {0}, 0.25], side: LEFT, pattern: omni}}
  - {{channel: 1, position: [0.0, -{0}, 0.25], side: RIGHT, pattern: omni}}
  - {{channel: 2, position: [{0}, 0.0, 0.25], side: FRONT, pattern: omni}}
"""


def simulate(out: Path, from_center_m: float, rooms: int, seed: int) -> Path:
    """Return the folder of rooms that ears at a distance from the center heard."""
    folder = out / f'ears_{from_center_m}'
    if not (folder / 'SFS-Robot' / 'manifest.json').is_file():
        out.mkdir(parents=True, exist_ok=True)
        rig = out / f'ears_{from_center_m}.yaml'
        rig.write_text(RIG.format(from_center_m))
        command = ['quiet_nav', 'campus', folder, '--kind', 'robot', '--rig', rig]
        command += ['--rooms', rooms, '--seed', seed, '--plain', '--no-images']
        subprocess.run([str(word) for word in command], check=True)
    return folder


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('out', type=Path)
    parser.add_argument('--rooms', type=int, default=24)
    parser.add_argument('--seed', type=int, default=77)
    parser.add_argument('--from-center', type=float, nargs='+', default=[0.15, 0.05, 0.032])
    options = parser.parse_args()
    predictor = ContextPredictor(shared_file('models/near_wall.onnx'), clips=1, places=8)
    print('| from the center | ears | near | AP | median distance error < 1 m |')
    print('|---|---|---|---|---|')
    for from_center_m in options.from_center:
        folder = simulate(options.out, from_center_m, options.rooms, options.seed)
        rows = [row for row in every_row(folder, 'SFS-Robot') if row.start_s == 0.0]
        found = predictor.predict(rows, BOTH)
        for name, sides in (('left and right', SIDES), ('front', (Side.FRONT,))):
            which = [i for i, row in enumerate(rows) if row.side in sides]
            line = judge('robot', name, [rows[i] for i in which], part_of(found, which))
            error = line.median_distance_error_m
            print(
                f'| {from_center_m} m | {name} | {line.positives / line.rows:.1%} '
                f'| {line.ap.value:.3f} [{line.ap.low:.3f}, {line.ap.high:.3f}] '
                f'| {error.value:.3f} [{error.low:.3f}, {error.high:.3f}] |',
                flush=True,
            )


if __name__ == '__main__':
    main()
