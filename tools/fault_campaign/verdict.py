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


"""What is promised of a fault, what was measured of it, and whether that keeps the promise."""

from __future__ import annotations

from dataclasses import dataclass, field
import math
import re

#: What the robot drives in one step, and what it may drive after the fault to finish it.
STEP_M = 0.6
STEP_S = 6.0
#: A step may end so much late: commands every 0.05 s, braking.
STEP_MORE_M = 0.05
#: A robot that moved less stood.
STOOD_M = 0.02
GOES_ON, STANDS, REFUSED = 'goes on', 'stands', 'refused'


@dataclass(frozen=True)
class Promise:
    """
    What may come of a fault, counted from it.

    seconds, meters: to true rest. drive_m: the longest drive between two rests. again: it may
    drive again after that rest, the fault lasting. ends: how the run may be in the end; () for
    anything. says: a word that somebody must say. most_lines: of warnings, all nodes together.
    watched_s: for so long, unless the run has ended. goal: whether one is taken at all.
    """

    seconds: float = math.inf
    meters: float = math.inf
    drive_m: float = STEP_M + STEP_MORE_M
    again: bool = False
    ends: tuple[str, ...] = ()
    says: str = ''
    most_lines: int = 12
    watched_s: float = 12.0
    goal: bool = True

    @property
    def told(self) -> str:
        """Return the limits as the table tells them."""
        if not self.goal:
            return 'no goal taken'
        if math.isinf(self.seconds) and self.again:
            return 'goes on by whole steps'
        if math.isinf(self.seconds):
            return 'says so'
        if self.meters > STEP_M:
            return f'its step ({self.seconds:g} s, {self.meters:g} m)'
        return f'{self.seconds:g} s, {self.meters:g} m'


def stops(
    seconds: float, meters: float, *ends: str, says: str = '', again: bool = False
) -> Promise:
    """Return the promise that the robot stands in so many seconds and meters, and stays."""
    return Promise(seconds, meters, again=again, ends=ends, says=says)


def ends_its_step(*ends: str, says: str = '') -> Promise:
    """Return the promise that the step which was begun is ended and none is begun after it."""
    return Promise(STEP_S, STEP_M + STEP_MORE_M, ends=ends, says=says, watched_s=20.0)


def goes_on(
    says: str = '', drive_m: float = STEP_M + STEP_MORE_M, watched_s: float = 6.0
) -> Promise:
    """Return the promise that the robot goes on by whole steps, as if nothing were."""
    return Promise(drive_m=drive_m, again=True, ends=(GOES_ON,), says=says, watched_s=watched_s)


def refused(says: str) -> Promise:
    """Return the promise that no goal is taken and the robot stands."""
    return Promise(0.0, STOOD_M, ends=(REFUSED,), says=says, goal=False)


@dataclass
class Seen:
    """
    What was measured: seconds and meters from the fault to the first true rest.

    drives_m: every drive since the fault, the one that was on and those after a rest. lines:
    warnings. dead: processes that ended and were not killed. stalled_s: longest time that the
    machine kept a thread from running meanwhile. short: why the promise is not kept.
    """

    seconds: float = math.nan
    meters: float = math.nan
    outcome: str = ''
    said: list[str] = field(default_factory=list)
    drives_m: list[float] = field(default_factory=list)
    lines: int = 0
    dead: list[str] = field(default_factory=list)
    stalled_s: float = 0.0
    short: str = ''


def judge(promise: Promise, seen: Seen) -> str:
    """Return why what was seen does not keep the promise, '' where it does."""
    drives = [drive for drive in seen.drives_m if drive > STOOD_M]
    if seen.dead:
        return f'{", ".join(seen.dead)} ended'
    if not promise.goal:
        if seen.outcome != REFUSED:
            return f'{seen.outcome}; expected no goal to be taken'
        if sum(drives) > STOOD_M:
            return f'drove {sum(drives):.2f} m'
    elif seen.seconds > promise.seconds:
        return f'{seen.seconds:.2f} s; allowed {promise.seconds:g} s'
    elif seen.meters > promise.meters:
        return f'{seen.meters:.2f} m; allowed {promise.meters:g} m'
    elif math.isfinite(promise.meters) and not promise.again and len(drives) > 1:
        return f'drove {drives[1]:.2f} m again'
    elif math.isfinite(promise.drive_m) and max(drives, default=0.0) > promise.drive_m:
        return f'drove {max(drives):.2f} m at once; allowed {promise.drive_m:g} m'
    if promise.ends and seen.outcome not in promise.ends:
        return f'{seen.outcome}; expected {" or ".join(promise.ends)}'
    if promise.says and not any(promise.says in text for text in seen.said):
        return f'nobody said {promise.says!r}'
    if seen.lines > promise.most_lines:
        return f'{seen.lines} warnings; allowed {promise.most_lines}'
    return ''


def plain(text: str) -> str:
    """Return a text without its numbers: what is said again and again in other figures is one."""
    return re.sub(r'[\d.]+', '#', text)


def said_once(texts: list[str]) -> list[str]:
    """Return texts without those that only repeat another in other numbers, or a part of it."""
    kept: list[str] = []
    for text in texts:
        body = plain(text.partition(': ')[2])
        if not any(
            body in plain(other) or plain(other).partition(': ')[2] in body for other in kept
        ):
            kept.append(text)
    return kept
