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

"""Whether the detector lives: by its heartbeat, and without one by the period of its readings."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
import itertools
import math
import statistics

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.readings import Modality

#: Messages closer than this are of one decision: a side each, and better readings of before.
_BURST_S = 0.02


@dataclass(frozen=True)
class LifeSettings:
    """
    When a detector counts as dead.

    Raises QuietNavError where a value is not positive.
    """

    #: Its heartbeat is silent so long: one that hangs or is killed sends none.
    beat_timeout_s: float = 0.2
    #: Without a heartbeat: its readings are silent for at least so long ...
    least_timeout_s: float = 0.45
    #: ... and for so many of their own periods, as rates differ between machines.
    periods: float = 2.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0.0):
                raise QuietNavError(f'{name} is {value}; expected a positive number')


class LifeWatch:
    """
    Takes when heartbeats and readings arrive; times are of a clock that never jumps (ns).

    What was never there is not missed: a detector without heartbeat is judged by its readings
    alone, one that has said nothing yet not at all.
    """

    def __init__(self, settings: LifeSettings | None = None) -> None:
        self.settings = settings or LifeSettings()
        self._beat_ns: int | None = None
        self._arrivals: dict[Modality, deque[int]] = {}

    def beat(self, now_ns: int) -> None:
        """Take a heartbeat."""
        self._beat_ns = now_ns

    def message(self, now_ns: int, modality: Modality = Modality.AUDIO) -> None:
        """Take note that a reading, valid or not, came."""
        arrivals = self._arrivals.setdefault(modality, deque(maxlen=9))
        if not arrivals or now_ns - arrivals[-1] > _BURST_S * 1e9:
            arrivals.append(now_ns)

    def silent(self, now_ns: int, *modalities: Modality) -> str:
        """Return why the detector counts as dead, '' where it lives."""
        if self._beat_ns is not None:
            silent_s = (now_ns - self._beat_ns) * 1e-9
            if silent_s <= self.settings.beat_timeout_s:
                return ''
            return f'near_wall has given no sign of life for {silent_s:.2f} s'
        for modality in modalities or (Modality.AUDIO,):
            arrivals = list(self._arrivals.get(modality, ()))
            if len(arrivals) < 3:
                continue
            gaps = [(b - a) * 1e-9 for a, b in itertools.pairwise(arrivals)]
            limit_s = max(
                self.settings.least_timeout_s, self.settings.periods * statistics.median(gaps)
            )
            silent_s = (now_ns - arrivals[-1]) * 1e-9
            if silent_s > limit_s:
                return (
                    f'no reading by {modality.name.lower()} for {silent_s:.2f} s, '
                    f'where one came every {statistics.median(gaps):.2f} s'
                )
        return ''

    def forget(self) -> None:
        """Forget the periods of before; a new run begins. The heartbeat counts on."""
        self._arrivals.clear()
