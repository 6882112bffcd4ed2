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

"""One goal on its way, from its acceptance to its answer."""

from __future__ import annotations

from dataclasses import dataclass, field
import threading
from typing import Any

from quiet_nav.navigation.guarded_run import GuardedRun
from quiet_nav.navigation.step_machine import Outcome, Phase, StepMachine

#: A goal that was found good is accepted within so long, or its client is gone.
ACCEPT_S = 2.0
#: Runs that ended so ended as somebody wished.
AS_WISHED = (Outcome.LIMIT_REACHED, Outcome.CANCELED)


@dataclass
class Run:
    """One goal on its way. clients: DDS's numbers of who listened to its feedback at first."""

    handle: Any
    guarded: GuardedRun
    clients: frozenset[tuple[int, ...]] = frozenset()
    fed_back_ns: int = 0
    phase: Phase | None = None
    switches: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    @property
    def machine(self) -> StepMachine:
        return self.guarded.machine


@dataclass(frozen=True)
class Awaited:
    """A goal that was found good and is not accepted yet; times are of the steady clock."""

    machine: StepMachine
    since_ns: int

    def overdue(self, steady_ns: int) -> bool:
        """Return whether its client went away before it was accepted."""
        return (steady_ns - self.since_ns) * 1e-9 > ACCEPT_S


def ended_text(machine: StepMachine) -> str:
    """Return how a run ended, as it is logged."""
    return (
        f'{machine.outcome.name}: {machine.reason}; {machine.steps} steps, '
        f'{machine.distance_m:.2f} m'
    )
