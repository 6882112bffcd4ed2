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

"""`quiet_nav calibrate`: a robot's fingerprint from a recording of it far from walls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quiet_nav.commands._output_options import Overwrite


def main(
    recording: Annotated[
        Path,
        typer.Argument(
            help='A bag, or a sound file with a channel an ear, of the robot standing, its fan and '
            'lidar on, no wall within 1.5 m; turn it now and then.'
        ),
    ],
    robot: Annotated[
        str, typer.Option(help='Its profile: a name in config/robots or a .sound.yaml file.')
    ],
    rig: Annotated[
        str, typer.Option(help='Rig by name (config/rigs) or a YAML; default: by the channels.')
    ] = '',
    out: Annotated[Path, typer.Option(help='File to write.')] = Path('fingerprint.json'),
    overwrite: Overwrite = False,
) -> None:
    """
    Make the fingerprint of a robot: what its ears hear of its own standing sound.

    Give it to the node near_wall (fingerprint_file), to replay, listen and trials.
    """
    from quiet_nav.files.writing import refuse_existing, refuse_own_input
    from quiet_nav.recordings.calibration import calibrate

    refuse_own_input(out, [recording])
    refuse_existing(out, overwrite)
    found = calibrate(recording, robot, rig)
    found.fingerprint.save(out)
    made = found.fingerprint
    print(f'{out}: robot {made.robot}, rig {made.rig}, {found.places} places')
    for reason, count in found.left_out:
        print(f'left out: {count} windows, {reason}')
    if found.wall_m is not None:
        print(
            f'warning: its ripple is that of a wall at about {found.wall_m:.1f} m; record again '
            'with no wall within 1.5 m'
        )
