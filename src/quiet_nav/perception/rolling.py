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

"""Readings at a steady rate from a stream of sound: the same on a robot, at a desk, in replay."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
import itertools

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.detector import DetectorSession
from quiet_nav.perception.odometry import OdometryFault, OdometryTrack
from quiet_nav.perception.place import Heard, heard_windows, ListeningPlace
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import Rig
from quiet_nav.sound.grid import WindowGrid
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import checked
from quiet_nav.sound.windows import Window


@dataclass(frozen=True)
class RollingSettings:
    """How often readings are made and how long windows serve as context for later ones."""

    #: Decisions a second.
    rate_hz: float = 2.0
    #: The first window after a turn gives the windows of the other headings new readings, too.
    revise: bool = True
    #: A window at another heading is context until the robot has moved so far ...
    place_m: float = 0.1
    #: ... or so much time has passed.
    place_s: float = 30.0
    #: So long a window waits for the odometry of its end, where there is odometry.
    odometry_wait_s: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 < self.rate_hz <= 100.0:
            raise QuietNavError(f'{self.rate_hz} decisions a second; expected 0 to 100 Hz')


@dataclass(frozen=True)
class Tick:
    """
    Windows that are due, one an ear; ``pose`` where the robot stood still, None otherwise.

    odometry_fault: why odometry could not tell.
    """

    windows: tuple[Window, ...]
    end_ns: int
    pose: Pose2D | None
    has_odometry: bool
    odometry_fault: OdometryFault | None = None


@dataclass(frozen=True)
class Decision:
    """
    What was heard in the windows that end at ``end_ns``: one reading an ear of the rig.

    revised: better readings of earlier windows at other headings of the same place. still: whether
    the robot stood all the while, None without odometry. odometry_fault: why that is not known.
    """

    end_ns: int
    readings: tuple[NearWallReading, ...]
    revised: tuple[NearWallReading, ...] = ()
    still: bool | None = None
    odometry_fault: OdometryFault | None = None


class RollingListener:
    """
    One robot's listening: sound and odometry in, a decision at every multiple of the period.

    Answers depend on sound, odometry and their stamps alone. ``due`` does all at once; a live node
    calls ``collect`` where sound arrives and ``decide`` where it has time to compute. Sides are
    those of the robot as it stands: who turns it to listen knows what it faces.
    """

    def __init__(
        self, session: DetectorSession, rig: Rig, settings: RollingSettings | None = None
    ) -> None:
        self.session, self.rig = session, rig
        self.settings = settings or RollingSettings()
        self._grid = WindowGrid(1.0 / self.settings.rate_hz)
        self._track = OdometryTrack()
        self._place = ListeningPlace(rig, self.settings.place_m, self.settings.place_s)
        self._waiting: deque[tuple[Window, ...]] = deque()

    def add_odometry(self, time_ns: int, pose: Pose2D) -> None:
        """Take a pose of the robot in its odometry frame."""
        self._track.add(time_ns, pose)

    def due(
        self, stream: AudioStream, now_ns: int | None = None, ended: bool = False
    ) -> list[Decision]:
        """
        Return the decisions due since the last call, oldest first.

        now_ns: finds windows that are stale; None in replay. ended: nothing more will come.
        """
        return [self.decide(tick, now_ns) for tick in self.collect(stream, ended)]

    def collect(self, stream: AudioStream, ended: bool = False) -> list[Tick]:
        """Return the windows due since the last call and whether the robot stood still."""
        for windows in self._grid.due(stream):
            self._waiting.append(self._of_ears(windows))
        ticks = []
        while self._waiting and (ended or self._settled(self._waiting[0], stream)):
            windows = self._waiting.popleft()
            start_ns = min(window.start_ns for window in windows)
            end_ns = max(window.end_ns for window in windows)
            pose = self._track.standing(start_ns, end_ns)
            fault = self._track.fault(end_ns)
            ticks.append(Tick(windows, end_ns, pose, self._track.known, fault))
        return ticks

    def decide(self, tick: Tick, now_ns: int | None = None) -> Decision:
        """Read the windows of a tick; ticks must come in order, from one thread at a time."""
        limits = self.session.detector.limits
        # Age counts for the newest windows alone: those of before are old by nature.
        heard = self._heard(tick, tuple(checked(w, limits, now_ns) for w in tick.windows))
        still = (tick.pose is not None) if tick.has_odometry else None
        if still is False:
            # The robot's own noise is not the room; such readings are marked by their times.
            heard = replace(heard, newest=tuple(replace(h, learn=False) for h in heard.newest))
        read = self.session.read([*heard.earlier, *heard.newest])
        count = len(heard.earlier)
        revised = [r for r in read[:count] if heard.turned and self.settings.revise and r.valid]
        fault = tick.odometry_fault
        return Decision(tick.end_ns, tuple(read[count:]), tuple(revised), still, fault)

    def _heard(self, tick: Tick, windows: tuple[Window, ...]) -> Heard:
        if tick.pose is None or not all(window.valid for window in windows):
            return Heard(heard_windows(self.rig, windows))
        return self._place.hear(windows, tick.pose)

    def _of_ears(self, windows: tuple[Window, ...]) -> tuple[Window, ...]:
        """Return one window an ear; all are not valid where the rig does not fit the audio."""
        if len(windows) >= self.rig.channels:
            heard = tuple(windows[ear.channel] for ear in self.rig.ears)
            reason = twins_fault(heard)
            return tuple(replace(w, valid=False, reason=reason) for w in heard) if reason else heard
        reason = channels_fault(self.rig, len(windows))
        return tuple(
            replace(windows[0], channel=ear.channel, valid=False, reason=reason)
            for ear in self.rig.ears
        )

    def _settled(self, windows: tuple[Window, ...], stream: AudioStream) -> bool:
        """Whether odometry has come up to the end of the windows, or will not come any more."""
        end_ns, latest_ns = windows[0].end_ns, self._track.latest_ns
        if latest_ns is None or latest_ns >= end_ns or not stream.has_sound:
            return True
        waited_ns = stream.end_ns - end_ns
        return not 0 <= waited_ns < self.settings.odometry_wait_s * 1e9


def channels_fault(rig: Rig, channels: int) -> str:
    """Return why audio of so many channels does not fit a rig, or ''."""
    if channels >= rig.channels:
        return ''
    return (
        f'rig {rig.name} needs {rig.channels} channels, the audio has {channels}: '
        'does the rig fit the microphone?'
    )


def twins_fault(windows: tuple[Window, ...]) -> str:
    """
    Return that two channels are equal to the bit, as of one microphone sent twice, or ''.

    Silence is no twin: that it is silent says more.
    """
    for one, other in itertools.combinations(windows, 2):
        alike = one.valid and other.valid and np.array_equal(one.samples, other.samples)
        if alike and len(one.samples) and np.ptp(one.samples) > 0.0:
            return (
                f'channels {one.channel} and {other.channel} are equal to the bit: one microphone '
                'sent twice? The ears of a rig are microphones of their own'
            )
    return ''


def no_readings(rig: Rig, start_ns: int, end_ns: int, reason: str) -> tuple[NearWallReading, ...]:
    """Return one reading an ear that says only why there is none."""
    return tuple(NearWallReading.invalid(ear.side, start_ns, end_ns, reason) for ear in rig.ears)
