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
Draw every rig that ships from above, on a robot, with its channels.

    python docs/figures/rigs.py

Writes rigs.png beside this file.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrow
import matplotlib.pyplot as plt

from quiet_nav.geometry import Side
from quiet_nav.perception.rig import find_rig, Rig
from quiet_nav.resources import names, RIG

#: A TurtleBot 4's; the ears' places are what the rig says.
ROBOT_RADIUS_M = 0.17
COLORS = {
    Side.LEFT: 'tab:blue',
    Side.RIGHT: 'tab:orange',
    Side.FRONT: 'tab:green',
    Side.BACK: 'tab:purple',
}
ORDER = ('pair', 'trio', 'single')


def draw(axis: Axes, rig: Rig) -> None:
    """Draw one rig, the robot's front up."""
    axis.add_patch(Circle((0, 0), ROBOT_RADIUS_M, fc='0.94', ec='0.5'))
    axis.add_patch(
        FancyArrow(0, 0.19, 0, 0.05, width=0.004, head_width=0.024, fc='0.4', ec='0.4',
                   length_includes_head=True)
    )  # fmt: skip
    for ear in rig.ears:
        # Seen from above with the front up, left is left.
        at = (-ear.y, ear.x)
        color = COLORS[ear.side]
        axis.plot(*at, 'o' if ear.pattern == 'omni' else 'h', ms=7, color=color)
        away = max((ear.x**2 + ear.y**2) ** 0.5, 1e-6)
        # Numbers of ears at the edge stay on the robot.
        beside = 1 + (0.045 if away < 0.1 else -0.045) / away
        out = (at[0] * beside, at[1] * beside)
        axis.annotate(
            f'{ear.channel}', at, xytext=out, ha='center', va='center', color=color,
            fontsize=11, fontweight='bold',
        )  # fmt: skip
    reach = max((e.x**2 + e.y**2) ** 0.5 for e in rig.ears)
    kind = 'directional, the robot turns' if rig.ears[0].pattern == 'cardioid' else (
        'the robot turns' if rig.turns else '')  # fmt: skip
    axis.text(0, 0.36, rig.name, ha='center', fontsize=12)
    axis.text(0, 0.3, f'{reach:.3g} m from the center', ha='center', fontsize=10)
    axis.text(0, -0.22, kind, ha='center', va='top', fontsize=10)
    axis.set_xlim(-0.27, 0.27)
    axis.set_ylim(-0.27, 0.41)
    axis.set_aspect('equal')
    axis.axis('off')


def main() -> None:
    """Draw all rigs into one picture."""
    shown = [*ORDER, *(name for name in names(RIG) if name not in ORDER)]
    columns = 4
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(11, 3.6 * rows), layout='constrained')
    for axis in axes.flat:
        axis.axis('off')
    for axis, name in zip(axes.flat, shown, strict=False):
        draw(axis, find_rig(name))
    handles = [plt.Line2D([], [], marker='o', ls='', color=c, label=s.name)
               for s, c in COLORS.items()]  # fmt: skip
    figure.legend(
        handles=handles, loc='outside lower center', ncols=4, frameon=False,
        title='numbers: channels; color: the side that an ear is asked about; arrow: forward',
    )  # fmt: skip
    figure.savefig(Path(__file__).with_name('rigs.png'), dpi=90)


if __name__ == '__main__':
    main()
