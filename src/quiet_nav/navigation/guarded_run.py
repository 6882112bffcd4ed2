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

"""A step machine under watch: starts when all lives, holds when it goes quiet, ends on faults."""

from __future__ import annotations

from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.limits import STOP, Twist2D
from quiet_nav.navigation.step_machine import Outcome, Phase, StepMachine
from quiet_nav.navigation.watch import Watch
from quiet_nav.perception.readings import Modality


class GuardedRun:
    """
    One run on a robot: the same calls as the machine's, and never a motion that is not safe.

    It stands until odometry lives and a first valid reading has come; it stands while nothing
    fresh is heard (or seen, whatever is driven by) and begins the step again afterwards; each for
    no longer than a listen may take. Where there is another sense to go on with, it does.
    Contact, odometry that is lost, jumps or is not what was commanded, and a clock that jumps end
    the run.
    """

    def __init__(self, machine: StepMachine, watch: Watch, accepted_ns: int) -> None:
        self.machine = machine
        self.accepted_ns = accepted_ns
        self._watch = watch
        self._started = False
        self._held_since_ns: int | None = None
        #: Why it stands, in words; '' where it does not hold.
        self.hold_reason = ''
        watch.start()

    @property
    def holds(self) -> bool:
        """Whether it stands because nothing fresh is heard."""
        return self._held_since_ns is not None

    def update(
        self, now_ns: int, pose: Pose2D, twist: Twist2D, steady_ns: int | None = None
    ) -> Twist2D:
        """
        Return the velocity command for this instant; arguments as ``StepMachine.update``.

        steady_ns: the steady clock, by which the detector's life is judged; now_ns by default.
        """
        steady_ns = now_ns if steady_ns is None else steady_ns
        command = self._update(now_ns, steady_ns, pose, twist)
        self._watch.commanded(now_ns, command)
        return command

    def _update(self, now_ns: int, steady_ns: int, pose: Pose2D, twist: Twist2D) -> Twist2D:
        machine, watch = self.machine, self._watch
        if not self._started:
            self._await_start(now_ns, steady_ns)
            return STOP
        fault = watch.fault(now_ns)
        if fault is not None:
            machine.finish(fault.outcome, fault.reason)
        if self._hold(now_ns, steady_ns):
            return STOP
        command = machine.update(now_ns, pose, twist)
        if machine.outcome == Outcome.NO_READING and watch.sensor_lost(now_ns, *self._used):
            machine.outcome = Outcome.SENSOR_LOST
        return command

    @property
    def _used(self) -> tuple[Modality, ...]:
        return self.machine.senses.used

    def _too_long(self, since_ns: int, now_ns: int) -> bool:
        return (now_ns - since_ns) * 1e-9 > self.machine.timing.listen_timeout_s

    def _await_start(self, now_ns: int, steady_ns: int) -> None:
        watch, senses = self._watch, self.machine.senses
        fault = watch.fault(now_ns)
        waited_s = (now_ns - self.accepted_ns) * 1e-9
        for modality in senses.used:
            if waited_s > senses.settings.of(modality) and not watch.had_reading(modality):
                senses.lose(modality, now_ns, 'no valid reading came')
        dead = watch.life.silent(steady_ns, *senses.used)
        if watch.had_reading(*senses.used) and fault is None and not dead:
            self._started = True
        elif self._too_long(self.accepted_ns, now_ns):
            if fault is not None:
                self.machine.finish(fault.outcome, fault.reason)
            elif dead:
                self.machine.finish(Outcome.SENSOR_LOST, dead)
            elif watch.sensor_lost(now_ns, *senses.used):
                self.machine.finish(Outcome.SENSOR_LOST, 'no reading came at all')
            else:
                self.machine.finish(Outcome.NO_READING, 'no valid reading came')

    def _hold(self, now_ns: int, steady_ns: int) -> bool:
        """Stand while nothing fresh is heard; listening itself is bounded by the machine."""
        machine, watch = self.machine, self._watch
        if machine.phase != Phase.LISTEN:
            for modality in self._used:
                silence = watch.silence(now_ns, steady_ns, modality)
                if silence:
                    machine.lose(modality, now_ns, f'silent: {silence}')
        silence = watch.silence(now_ns, steady_ns, *self._used)
        if machine.phase == Phase.LISTEN or not silence:
            self._held_since_ns, self.hold_reason = None, ''
            return False
        if self._held_since_ns is None:
            self._held_since_ns, self.hold_reason = now_ns, silence
            machine.rest_again()
        elif self._too_long(self._held_since_ns, now_ns):
            machine.finish(Outcome.SENSOR_LOST, f'nothing was heard any more: {silence}')
        return True
