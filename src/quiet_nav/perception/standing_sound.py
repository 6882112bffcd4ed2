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

"""What a robot's ears know of its standing sound: its fingerprint, and what it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from pathlib import Path

import numpy as np

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.perception.fingerprint import Fingerprint
from quiet_nav.perception.interference import load_places, OwnSoundPlaces
from quiet_nav.perception.readings import HearsBy
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.wall_ripples import CommonRipples
from quiet_nav.sound.windows import SAMPLE_RATE

#: Frames of 128 ms, half overlapping; bands of four of their bins, 31 Hz, from 203 Hz up: a wall at
#: 1.5 m repeats every 114 Hz.
_FRAME, _HOP, _BINS, _FIRST = 2048, 1024, 4, 26
BANDS = (_FRAME // 2 - _FIRST) // _BINS
#: Places that a calibration takes, and how long windows are apart that may be of one place.
CALIBRATION_PLACES, _APART_NS = 8, 3_000_000_000
#: A place differs from the last one by so much; before anything is known, in heading.
_MOVED_M, _TURNED_RAD = 0.15, math.radians(30.0)
#: So many places in a row say that the own sound has changed.
_PATIENCE = 3
#: A sound that has lost this much in a quarter of the bands has changed: ambience only adds.
_LOST_NEPERS, _LOST_SHARE = 0.7, 0.25
#: A band in which the own sound is half of what is heard; shares of such bands that name it.
_HALF_NEPERS, _MOST, _FEW = math.log(2.0), 0.8, 0.2
#: A fingerprint with a larger ripple, RMS in nepers, was made beside a wall: in simulated rooms
#: 0.01 to 0.07 far from any wall, 0.13 (median) within 0.5 m of one.
_WALL_NEPERS = 0.08


def band_frequencies_hz() -> np.ndarray:
    """Return the middle of every band in Hz, shape (249,)."""
    step = SAMPLE_RATE / _FRAME
    return step * (_FIRST + _BINS * np.arange(BANDS) + (_BINS - 1) / 2.0)


def band_spectrum(samples: np.ndarray) -> np.ndarray:
    """Return the natural log of the mean power in every band, shape (249,), of samples (n,)."""
    count = (len(samples) - _FRAME) // _HOP + 1
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP][:count]
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    power = (np.abs(np.fft.rfft(frames * window, axis=1)) ** 2).mean(axis=0)
    banded = power[_FIRST : _FIRST + BANDS * _BINS].reshape(BANDS, _BINS).mean(axis=1)
    return np.asarray(np.log(banded + 1e-12))


@dataclass(frozen=True)
class Noted:
    """One ear's window: its channel, spectrum, what was read there, where and when."""

    ear: int
    spectrum: np.ndarray
    probability: float
    time_ns: int
    pose: Pose2D | None
    learn: bool


class StandingSound:
    """
    A robot's standing sound as its ears know it.

    rig, profile: whose it is. fingerprint: what is known already. What is heard far from walls
    teaches a fingerprint that was not calibrated; a calibrated one stays until it has changed.
    """

    def __init__(
        self, rig: Rig, profile: OwnSoundPlaces, fingerprint: Fingerprint | None = None
    ) -> None:
        self.rig, self.profile = rig, profile
        self.fingerprint = fingerprint or self._fresh()
        self.changed = False
        self._ears = {ear.channel for ear in rig.ears}
        self._calibration: Fingerprint | None = None
        self._wanted = CALIBRATION_PLACES
        self._finished = False
        self._last: dict[int, tuple[Pose2D | None, int]] = {}
        self._headings: dict[int, list[float]] = {}
        self._strange = dict.fromkeys(self._ears, 0)
        self._looked = -1
        self._wall: float | None = None

    @classmethod
    def of(cls, rig: Rig, robot: str, path: Path | None = None) -> StandingSound:
        """
        Return that of a robot profile (a name or a YAML file), with the fingerprint of a file.

        A file that is not there yet is no error. Raises QuietNavError for a robot that is silent
        while it stands, and for a fingerprint of another robot, rig or front end.
        """
        profile = load_places(robot)
        if path is None or not path.exists():
            return cls(rig, profile)
        known = Fingerprint.load(path, rig.identity, profile.robot, band_frequencies_hz())
        return cls(rig, profile, known)

    @property
    def known(self) -> bool:
        """Whether every ear of the rig has a fingerprint."""
        return all(self.fingerprint.get(ear) is not None for ear in self._ears)

    @property
    def calibrating(self) -> bool:
        return self._calibration is not None

    def over(self, ear: int, spectrum: np.ndarray) -> np.ndarray | None:
        """Return the log power of an ear over its fingerprint, None while there is none."""
        own = self.fingerprint.get(ear)
        return None if own is None else spectrum - own

    def hears_by(self, ear: int, spectrum: np.ndarray) -> HearsBy:
        """
        Return which sound an ear lives by, from levels: fingerprint over what is heard, by bands.

        Only a calibrated fingerprint tells: one learned in a room has its ambience in it.
        """
        if self.changed:
            return HearsBy.CHANGED
        over = self.over(ear, spectrum)
        if over is None or not self.fingerprint.calibrated:
            return HearsBy.UNKNOWN
        share = float(np.mean(over < _HALF_NEPERS))
        if share >= _MOST:
            return HearsBy.OWN_SOUND
        return HearsBy.AMBIENCE if share <= _FEW else HearsBy.BOTH

    def begin_calibration(self, places: int = CALIBRATION_PLACES) -> None:
        """Take the next places that the robot stands at, whatever is read there; so many end it."""
        self._wanted = places
        self._calibration = self._fresh()
        self._calibration.calibrated = True
        self._last.clear()

    def note(self, noted: Sequence[Noted]) -> None:
        """Learn from the windows of one listen; those at a place heard already teach nothing."""
        for one in noted:
            if one.ear not in self._ears or not one.learn or not self._is_new(one):
                continue
            if self._calibration is not None:
                self._calibration.learn(one.ear, one.spectrum, 0.0, one.time_ns)
            elif one.pose is not None:
                self._learn(one)
        made = self._calibration
        if made is not None and min(made.places(e) for e in self._ears) >= self._wanted:
            self.fingerprint, self._calibration, self.changed = made, None, False
            self._finished = True
            self._strange = dict.fromkeys(self._ears, 0)

    def end_calibration(self) -> Fingerprint | None:
        """End it early; returns what it took, None where that is too little."""
        made, self._calibration = self._calibration, None
        if made is None or any(made.get(ear) is None for ear in self._ears):
            return None
        return made

    def just_calibrated(self) -> bool:
        """Return, once, that a calibration has become the fingerprint."""
        finished, self._finished = self._finished, False
        return finished

    def progress(self) -> int:
        """Return how many places the calibration has."""
        made = self._calibration
        return 0 if made is None else min(made.places(ear) for ear in self._ears)

    def warning(self, now_ns: int) -> str:
        """Return what a user should know of it, or ''."""
        if self.calibrating:
            return (
                f'calibrating: {self.progress()} of {self._wanted} places; turn the robot '
                'where no wall is within 1.5 m'
            )
        if self.changed and not self.known:
            return 'the own sound has changed (a fan?): it is learned again'
        if not self.known:
            return 'no fingerprint of the own sound yet: calibrate, or let the robot look about'
        if (wall := self._beside()) is not None:
            return f'the fingerprint shows a wall at about {wall:.1f} m: make it in the open'
        days = self.fingerprint.age_s(now_ns) / 86400.0
        if self.fingerprint.calibrated and days > 90.0:
            return f'the fingerprint is {days:.0f} days old: calibrate again'
        return ''

    def _beside(self) -> float | None:
        """Return the wall that the fingerprint shows, looked for once each time it has changed."""
        if self._looked != self.fingerprint.made_ns:
            self._looked = self.fingerprint.made_ns
            self._wall = beside_wall(self.fingerprint, self.rig, self.profile)
        return self._wall

    def _fresh(self) -> Fingerprint:
        return Fingerprint(self.rig.identity, self.profile.robot, band_frequencies_hz())

    def _is_new(self, one: Noted) -> bool:
        """Whether an ear is at another place than the last time; without odometry, later."""
        before = self._last.get(one.ear)
        if before is not None:
            pose, time_ns = before
            if one.pose is None or pose is None:
                new = one.time_ns - time_ns >= _APART_NS
            else:
                turned = abs(wrap_angle(one.pose.yaw - pose.yaw))
                new = one.pose.distance_to(pose) > _MOVED_M or turned > _TURNED_RAD
            if not new:
                return False
        self._last[one.ear] = (one.pose, one.time_ns)
        return True

    def _learn(self, one: Noted) -> None:
        assert one.pose is not None
        over = self.over(one.ear, one.spectrum)
        if over is None:
            # Nothing tells yet what is far: only other headings count, so that an ear that
            # follows a wall does not learn the wall.
            seen = self._headings.setdefault(one.ear, [])
            if any(abs(wrap_angle(one.pose.yaw - yaw)) < _TURNED_RAD for yaw in seen):
                return
            if self.fingerprint.learn(one.ear, one.spectrum, one.probability, one.time_ns):
                seen.append(one.pose.yaw)
            return
        lost = float(np.mean(over < -_LOST_NEPERS)) > _LOST_SHARE
        other = not self.fingerprint.calibrated and not self.fingerprint.fits(one.ear, one.spectrum)
        self._strange[one.ear] = self._strange[one.ear] + 1 if lost or other else 0
        if min(self._strange.values()) >= _PATIENCE:
            self.fingerprint, self.changed = self._fresh(), True
            self._strange = dict.fromkeys(self._ears, 0)
            self._headings.clear()
        elif not lost and not other and not self.fingerprint.calibrated:
            self.fingerprint.learn(one.ear, one.spectrum, one.probability, one.time_ns)
        if self.changed and self.known:
            self.changed = False

    def saved(self) -> Fingerprint | None:
        """Return what is worth keeping: a fingerprint of every ear."""
        return self.fingerprint if self.known else None


def beside_wall(fingerprint: Fingerprint, rig: Rig, profile: OwnSoundPlaces) -> float | None:
    """
    Return how far the wall is that a fingerprint shows, m; None where it shows none.

    Found by its ripple in what differs between the ears, so one ear alone shows none.
    """
    own = [fingerprint.get(ear.channel) for ear in rig.ears]
    spectra = [spectrum for spectrum in own if spectrum is not None]
    if len(spectra) < len(rig.ears) or len(spectra) < 2:
        return None
    ripples = CommonRipples(rig.ears, profile, fingerprint.frequency_hz)
    distance_m, ripple = ripples.wall(np.stack(spectra))
    return distance_m if ripple > _WALL_NEPERS else None
