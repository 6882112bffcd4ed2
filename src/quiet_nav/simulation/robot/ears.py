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

"""A robot's ears as a stream: what they hear, chunk by chunk, where the robot just is."""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.own_hearing import RobotEars


class StreamingEars:
    """
    What a rig hears from sample 0 on; successive chunks join seamlessly.

    At rest a chunk is what ``Hearing.rig`` gives at that pose, to rounding, without computing the
    room's responses again. While the robot moves the responses are those of a place at most
    ``moving_m`` or ``moving_rad`` away (its motors are then louder than the difference) and each
    chunk fades from the last responses to the next; the first chunk at rest fades to the exact
    ones and those after it are exact.
    """

    def __init__(
        self, hearing: Hearing, rig: Rig, moving_m: float = 0.1, moving_rad: float = 0.2
    ) -> None:
        self.hearing = hearing
        self.rig = rig
        self.position = 0
        self._ears = RobotEars.of(rig)
        self._moving = moving_m, moving_rad
        self._pose: Pose2D | None = None
        self._responses = np.empty(0)
        self._spectra: dict[int, np.ndarray] = {}
        before = hearing.pad + (hearing.own.history if hearing.own else 0)
        #: How the robot drove just before: walls still answer to that.
        self._drove: np.ndarray = np.zeros(before, np.float32)
        self._which: tuple[int, ...] = ()

    def skip(self, count: int, motor: float | np.ndarray = 0.0) -> None:
        """Pass over samples that nobody listens to."""
        self.position += count
        self._driven(count, motor)

    def read(
        self, pose: Pose2D, count: int, moving: bool = False, motor: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """
        Return the next ``count`` samples at 16 kHz, float32, shape (channels, count).

        Channels that no ear of the rig has are silent. motor: as in ``Hearing.rig``.
        """
        hearing, pad = self.hearing, self.hearing.pad
        start = self.position
        self.position += count
        begin, total = start - pad, count + 2 * pad
        driving = np.pad(self._driven(count, motor), (0, pad), mode='edge')
        mics, looks = self._ears.at(pose)
        sound = self._sound(begin, total)
        own = self._own_sound(begin, total, driving)
        before = None
        if self._stale(pose, moving):
            if self._pose is not None:
                before = self._hear(sound, own, total)
            if hearing.acoustics is not None:
                self._responses = hearing.acoustics.impulse_responses(mics, looks, highpass=True)
            self._spectra.clear()
            self._pose = pose
        heard = self._hear(sound, own, total)
        if before is not None:
            share = np.pad(np.linspace(0.0, 1.0, count, dtype=np.float32), pad, mode='edge')
            heard = (1.0 - share) * before + share * heard
        hearing.add_events(heard, mics, begin, looks)
        hearing.add_motor(heard, begin, driving[-total:])
        out = np.zeros((self.rig.channels, count), np.float32)
        for row, ear in enumerate(self.rig.ears):
            out[ear.channel] = hearing.record(heard[row], ear.channel, start)
        return out

    def _driven(self, count: int, motor: float | np.ndarray) -> np.ndarray:
        """Return how the robot drove before the next samples and in them; remember the end."""
        now = np.broadcast_to(np.asarray(motor, np.float32), count)
        driven = np.concatenate([self._drove, now])
        self._drove = driven[len(driven) - len(self._drove) :]
        return driven

    def _sound(self, begin: int, count: int) -> np.ndarray:
        """Spectra (S, bins) of what the room's sources emit, reverberation's share before it."""
        emitted = self.hearing.emitted_before(begin, count)
        return fft.rfft(emitted, fft.next_fast_len(emitted.shape[1], real=True), axis=-1)

    def _own_sound(self, begin: int, count: int, driving: np.ndarray) -> np.ndarray | None:
        """Return what the robot emits, (sources, n), None where it is silent."""
        own = self.hearing.own
        if own is None or not own.sounding(driving):
            return None
        self._which = own.sounding(driving)
        return own.emitted(self._ears, begin, count, driving)

    def _hear(self, sound: np.ndarray, own: np.ndarray | None, count: int) -> np.ndarray:
        """Return what the ears hear by the responses of the place last heard at, (ears, count)."""
        heard = np.zeros((len(self.rig.ears), count), np.float32)
        acoustics = self.hearing.acoustics
        if acoustics is not None:
            heard += self._convolve(sound, count, acoustics.history)
        robot, pose = self.hearing.own, self._pose
        if own is not None and robot is not None and pose is not None:
            heard += robot.render(pose, self._ears, own, self._which)
        return heard

    def _stale(self, pose: Pose2D, moving: bool) -> bool:
        if self._pose is None:
            return True
        meters, radians = self._moving if moving else (1e-4, 1e-4)
        turned = abs(wrap_angle(pose.yaw - self._pose.yaw))
        return math.hypot(pose.x - self._pose.x, pose.y - self._pose.y) > meters or turned > radians

    def _convolve(self, sound: np.ndarray, count: int, history: int) -> np.ndarray:
        size = fft.next_fast_len(history + count, real=True)
        if size not in self._spectra:
            self._spectra[size] = fft.rfft(self._responses, size, axis=-1)
        spectrum = np.einsum('msf,sf->mf', self._spectra[size], sound)
        return fft.irfft(spectrum, size, axis=-1)[:, history : history + count].astype(np.float32)
