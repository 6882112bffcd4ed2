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


"""The page "What it survives": the table that a campaign writes."""

from __future__ import annotations

from collections.abc import Iterable
import math
import re

from fault_campaign.verdict import Promise, Seen

HEAD = """# What it survives

`make faults` breaks what is named here while the simulated robot drives at 0.15 m/s, over real
nodes: `simulated_robot`, `near_wall` and `wall_follower`, each a process.
Seconds and meters are counted from the fault to true rest, by the simulation's own time.
The fault counts from when it is asked for, so the times hold its way to the node, too.
*May* is what is promised: seconds and meters; or that the step of 0.6 m which was begun is ended
and none is begun after it; or that the robot goes on by whole steps, because nothing that it drives
by is wrong.
A row that falls short while the machine itself kept a thread from running for more than 0.04 s is
looked at again, three times at most.
A row that falls short says so, and the campaign ends with 1. `odom:stuck` and the like are
[failures by component and kind](../how-to/simulated_robot.md#break-something).

Write the table of your machine with `make faults ARGS=--write`. Rows may be measured in several
runs, as by `make faults ARGS='clock: --write'`, and each stands here as it came out last.

The rows of a second follower hang on DDS: it is named as soon as the follower's own participant has
discovered it. In ten such drives that took 0.16 to 0.24 s six times, and 0.64 to 1.16 s (0.08 to
0.16 m) four times.
"""

#: The folder of a campaign, which is gone after it.
_FOLDER = re.compile(r'\S*/quiet_nav_faults_\w+')

_SENSELESS = """
## Cells without a row

These make no sense: the robot refuses them by the same reasons.

"""


def table(rows: Iterable[tuple[str, Promise, Seen]]) -> str:
    """Return rows as a table in Markdown."""
    lines = [
        '| What breaks | May | s | m | Outcome | Who says what | |',
        '|---|---|---|---|---|---|---|',
    ]
    for name, promise, seen in rows:
        said = '; '.join(seen.said[:2]).replace('|', '/').replace('\n', ' ')
        said = _FOLDER.sub('data_folder', said)
        verdict = 'held' if not seen.short else f'**short: {seen.short}**'
        figures = [f'{x:.2f}' if math.isfinite(x) else '-' for x in (seen.seconds, seen.meters)]
        cells = (name, promise.told, *figures, seen.outcome, said, verdict)
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def page(sections: dict[str, list[tuple[str, Promise, Seen]]], senseless: dict) -> str:
    """Return the page: a table a section, and the cells of components and kinds left out."""
    parts = [HEAD]
    for title, rows in sections.items():
        parts.append(f'\n## {title}\n\n{table(rows)}\n')
    reasons: dict[str, list[str]] = {}
    for (component, kind), reason in senseless.items():
        reasons.setdefault(reason, []).append(f'`{component}:{kind}`')
    parts.append(_SENSELESS)
    parts += [f'- {", ".join(cells)}: {reason}.\n' for reason, cells in reasons.items()]
    return ''.join(parts)
