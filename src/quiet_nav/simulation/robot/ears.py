"""A robot's ears as a stream: what they hear, chunk by chunk, where the robot just is."""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.rig import Rig
from quiet_nav.simulation.sound.hearing import Hearing, ears_in_room


class StreamingEars:
    """What a rig hears from sample 0 on; successive chunks join seamlessly.

    At rest a chunk is what ``Hearing.rig`` gives at that pose, to rounding, without computing the
    room's responses again. While the robot moves the responses are those of a place at most
    ``moving_m`` or ``moving_rad`` away (its motor is then louder than the difference) and each
    chunk fades from the last responses to the next; the first chunk at rest fades to the exact
    ones and those after it are exact.
    """

    def __init__(
        self, hearing: Hearing, rig: Rig, moving_m: float = 0.1, moving_rad: float = 0.2
    ) -> None:
        self.hearing = hearing
        self.rig = rig
        self.position = 0
        self._moving = moving_m, moving_rad
        self._pose: Pose2D | None = None
        self._responses = np.empty(0)
        self._spectra: dict[int, np.ndarray] = {}

    def skip(self, count: int) -> None:
        """Pass over samples that nobody listens to."""
        self.position += count

    def read(
        self, pose: Pose2D, count: int, moving: bool = False, motor: float | np.ndarray = 0.0
    ) -> np.ndarray:
        """Return the next ``count`` samples at 16 kHz, float32, shape (channels, count).

        Channels that no ear of the rig has are silent. motor: as in ``Hearing.rig``.
        """
        start = self.position
        self.position += count
        mics, looks = ears_in_room(self.rig, pose)
        hearing = self.hearing
        history = hearing.acoustics.history
        emitted = hearing.emitted(start - history, count + history)
        size = fft.next_fast_len(emitted.shape[1], real=True)
        sound = fft.rfft(emitted, size, axis=-1)
        before = None
        if self._stale(pose, moving):
            if self._pose is not None:
                before = self._convolve(sound, size, count)
            self._responses = hearing.acoustics.impulse_responses(mics, looks, highpass=True)
            self._spectra.clear()
            self._pose = pose
        heard = self._convolve(sound, size, count)
        if before is not None:
            share = np.linspace(0.0, 1.0, count, dtype=np.float32)
            heard = (1.0 - share) * before + share * heard
        hearing.add_events(heard, mics, start, looks)
        hearing.add_motor(heard, start, motor)
        out = np.zeros((self.rig.channels, count), np.float32)
        for row, ear in enumerate(self.rig.ears):
            out[ear.channel] = hearing.record(heard[row], ear.channel, start)
        return out

    def _stale(self, pose: Pose2D, moving: bool) -> bool:
        if self._pose is None:
            return True
        metres, radians = self._moving if moving else (1e-4, 1e-4)
        turned = abs(wrap_angle(pose.yaw - self._pose.yaw))
        return math.hypot(pose.x - self._pose.x, pose.y - self._pose.y) > metres or turned > radians

    def _convolve(self, sound: np.ndarray, size: int, count: int) -> np.ndarray:
        if size not in self._spectra:
            self._spectra[size] = fft.rfft(self._responses, size, axis=-1)
        spectrum = np.einsum('msf,sf->mf', self._spectra[size], sound)
        history = self.hearing.acoustics.history
        return fft.irfft(spectrum, size, axis=-1)[:, history : history + count].astype(np.float32)
