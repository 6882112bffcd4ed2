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

"""What a robot drives by: vision while it can be relied on, sound while it cannot, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import enum
import math

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.navigation.listening import ListenStop
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import Rig
from quiet_nav.sound.windows import WINDOW_S


class Mode(enum.IntEnum):
    """
    What a goal wants to be driven by; numbers as in FollowWall.action.

    AUTO: vision, and sound while vision fails. FUSION: both, and one while the other fails.
    """

    AUDIO = 0
    VISION = 1
    FUSION = 2
    AUTO = 3


@dataclass(frozen=True)
class ModalitySettings:
    """
    When a sensor is given up and taken again.

    Raises QuietNavError where a value is not positive.
    """

    #: A robot that stands and looks waits so long for a valid reading (for sound a window longer).
    patience_s: float = 1.5
    #: What failed must have given valid readings for so long, without a pause and without one that
    #: is not valid, before a step begins with it again.
    regain_s: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0.0):
                raise QuietNavError(f'{name} is {value}; expected a positive number')

    def of(self, modality: Modality) -> float:
        """Return the patience with a modality in seconds."""
        return self.patience_s + (WINDOW_S if modality == Modality.AUDIO else 0.0)


class _Sensor:
    """What is known of one sensor: its last readings, and since when they have been good."""

    def __init__(self, patience_s: float) -> None:
        self._patience_ns = round(patience_s * 1e9)
        self._newest_ns: int | None = None
        self._sound_since_ns: int | None = None
        self.valid_ns: int | None = None
        self.reason = ''

    def add(self, reading: NearWallReading, at_rest: bool) -> None:
        end_ns, newest_ns = reading.end_ns, self._newest_ns
        if newest_ns is not None and end_ns - newest_ns > self._patience_ns:
            self._sound_since_ns = None
        self._newest_ns = end_ns if newest_ns is None else max(newest_ns, end_ns)
        if reading.valid:
            self.valid_ns = self._newest_ns
            if self._sound_since_ns is None:
                self._sound_since_ns = end_ns
        elif at_rest:
            # Motion blurs and roars: what is said of a moving robot's readings is no fault.
            self._sound_since_ns, self.reason = None, reading.reason

    def fresh(self, now_ns: int) -> bool:
        return self.valid_ns is not None and now_ns - self.valid_ns <= self._patience_ns

    def sound_s(self, now_ns: int) -> float:
        """Return for how long every reading has been valid, 0 where the newest is too old."""
        if self._sound_since_ns is None or not self.fresh(now_ns):
            return 0.0
        return (now_ns - self._sound_since_ns) * 1e-9

    def overdue(self, since_ns: int, now_ns: int) -> bool:
        """Return whether a robot that looks since then has waited too long."""
        return now_ns - max(since_ns, self.valid_ns or since_ns) > self._patience_ns


class ModalitySelector:
    """
    Says by what the robot drives now, and why; fed every reading, it has no clock of its own.

    rigs: where ears and camera are, a rig for every modality that the mode may use (for both of
    AUTO and FUSION). What fails is given up while the robot listens, at once; what is sound again
    is taken up where a step begins. Where nothing else can be relied on either, vision gives way
    to sound, and sound to nothing. switches: how often ``modality`` has changed.
    """

    def __init__(
        self, mode: Mode, rigs: Mapping[Modality, Rig], settings: ModalitySettings | None = None
    ) -> None:
        self.mode = Mode(mode)
        self.settings = settings or ModalitySettings()
        self.modality = Modality.VISION if mode == Mode.AUTO else Modality(mode)
        self.reason = ''
        self.switches = 0
        may_use = {
            Mode.AUTO: (Modality.AUDIO, Modality.VISION),
            Mode.FUSION: (Modality.AUDIO, Modality.VISION),
        }.get(self.mode, (self.modality,))
        self._rigs = {modality: rigs[modality] for modality in may_use}
        self._sensors = {m: _Sensor(self.settings.of(m)) for m in may_use}

    @classmethod
    def fixed(cls, rig: Rig, modality: Modality = Modality.AUDIO) -> ModalitySelector:
        """Return one that has no choice."""
        return cls(Mode(modality), {modality: rig})

    @property
    def used(self) -> tuple[Modality, ...]:
        """Return the modalities whose readings count now."""
        both = self.modality == Modality.FUSION
        return tuple(self._rigs) if both else (self.modality,)

    @property
    def rig(self) -> Rig:
        """Ears and camera in use."""
        if self.modality != Modality.FUSION:
            return self._rigs[self.modality]
        rigs = tuple(self._rigs.values())
        ears = tuple(ear for rig in rigs for ear in rig.ears)
        return Rig('+'.join(rig.name for rig in rigs), ears, all(rig.turns for rig in rigs))

    def sides(self, wanted: frozenset[Side]) -> frozenset[Side]:
        """
        Return what to ask about where a policy wants some sides.

        An image of where the robot faces anyway costs no time; the sound of it would.
        """
        if self.modality != Modality.VISION or not wanted:
            return wanted
        return wanted | {ear.side for ear in self.rig.ears}

    def expected(self, stop: ListenStop) -> frozenset[tuple[Side, Modality]]:
        """Return who will say something of which side at a stop."""
        return frozenset(
            (stop.side_of(ear.side), modality)
            for modality in self.used
            for ear in self._rigs[modality].ears
        )

    def add_reading(self, reading: NearWallReading, at_rest: bool = True) -> None:
        """Take a reading of any modality. at_rest: whether the robot stood while it was made."""
        sensor = self._sensors.get(reading.modality)
        if sensor is not None:
            sensor.add(reading, at_rest)

    def judge(self, now_ns: int, since_ns: int) -> bool:
        """Give up what fails a robot that listens since a time; return whether that changed it."""
        return any(
            self.lose(modality, now_ns, self._sensors[modality].reason or 'no valid reading')
            for modality in self.used
            if self._sensors[modality].overdue(since_ns, now_ns)
        )

    def lose(self, modality: Modality, now_ns: int, reason: str) -> bool:
        """Give up a modality that somebody found to fail; return whether another is used now."""
        if modality not in self.used or len(self._rigs) == 1:
            return False
        other = Modality.AUDIO if modality == Modality.VISION else Modality.VISION
        if self.mode == Mode.AUTO and modality == Modality.VISION:
            return self._use(other, f'{_NAMES[modality]}: {reason}')
        if self.modality == Modality.FUSION or self._sensors[other].fresh(now_ns):
            return self._use(other, f'{_NAMES[modality]}: {reason}')
        return False

    def prefer(self, now_ns: int) -> bool:
        """
        Take up what the mode prefers once it is sound again; return whether that changed it.

        To be asked where a step begins.
        """
        wanted = Modality.VISION if self.mode == Mode.AUTO else Modality(self.mode)
        if wanted == self.modality:
            return False
        missing = set(self._rigs) - {self.modality}
        sound_s = min(self._sensors[modality].sound_s(now_ns) for modality in missing)
        return sound_s >= self.settings.regain_s and self._use(wanted, '')

    def _use(self, modality: Modality, reason: str) -> bool:
        self.modality, self.reason = modality, reason
        self.switches += 1
        return True


_NAMES = {Modality.AUDIO: 'sound', Modality.VISION: 'camera'}
