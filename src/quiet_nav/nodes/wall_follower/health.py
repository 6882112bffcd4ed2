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

"""What diagnostics say of the wall follower."""

from __future__ import annotations

from dataclasses import dataclass

from quiet_nav.navigation.step_machine import Outcome, StepMachine
from quiet_nav.nodes.diagnostics import Level, Status

#: Runs that ended so ended as somebody wished.
_AS_WISHED = (Outcome.UNKNOWN, Outcome.LIMIT_REACHED, Outcome.CANCELED)


@dataclass(frozen=True)
class Condition:
    """
    How the follower is beside its run.

    latched: why the emergency stop is on, '' where it is released. last: how the last run ended,
    and why. age_s: of the newest window. warnings: what else is not as it should be, in words.
    """

    latched: str = ''
    last: tuple[Outcome, str] = (Outcome.UNKNOWN, '')
    age_s: float | None = None
    warnings: tuple[str, ...] = ()


def health_of(machine: StepMachine | None, condition: Condition) -> Status:
    """Return how the follower is; machine: of the run that is on, None between runs."""
    latched, age_s = condition.latched, condition.age_s
    outcome, reason = condition.last
    values: dict[str, object] = {
        'state': 'idle' if machine is None else machine.phase.name.lower(),
        'emergency stop': latched or 'released',
        'last outcome': outcome.name.lower(),
        'last reason': reason,
    }
    if age_s is not None:
        values['age of newest window s'] = age_s
    if machine is not None:
        values |= {
            'steps': machine.steps,
            'way m': machine.distance_m,
            'modality': machine.senses.modality.name.lower(),
            'modality switches': machine.senses.switches,
        }
    if latched:
        return Status(Level.ERROR, latched, values)
    if condition.warnings:
        return Status(Level.WARN, '; '.join(condition.warnings), values)
    if machine is None and outcome not in _AS_WISHED:
        return Status(Level.WARN, f'last run: {reason}', values)
    if machine is not None and machine.senses.reason:
        text = f'driving by {values["modality"]}: {machine.senses.reason}'
        return Status(Level.WARN, text, values)
    return Status(Level.OK, values['state'], values)
