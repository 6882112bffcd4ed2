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

"""A robot's own sound: what its fans, lidar and motors emit, drawn from its profile by seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
import functools
import math

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.sound.robot_profile import (
    find_profile,
    RobotProfile,
    SourceProfile,
    ToneProfile,
    USUAL,
)
from quiet_nav.simulation.sound.sources import (
    course_of_gain,
    Drift,
    EQUALIZER_HZ,
    noise_samples,
    Schedule,
    Source,
    source_spectrum,
)
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator

#: A tone is read from a table of one turn: its steps are 90 dB below a first harmonic.
_TABLE = 1 << 16
#: A body smaller than a wavelength casts no shadow: its coloring grows between these, Hz.
_BODY_HZ = (120.0, 700.0)
#: Share of the coloring that what comes from the source straight to the ear has besides.
_DIRECT_SHARE = 0.5
_FOREVER_S = 1e7
_WOBBLE_STEP_S = 0.02


@dataclass(frozen=True)
class Tones:
    """Harmonics of a rotation rate that wobbles: amplitudes beside noise of unit RMS, phases."""

    hz: float
    amplitudes: tuple[float, ...]
    phases_rad: tuple[float, ...]
    wobble: Drift = field(default_factory=Drift)

    def turns(self, time_s: np.ndarray) -> np.ndarray:
        """Return how often it has turned at times of any shape, the same whoever asks."""
        # The wobble is slow: it is known at fixed moments, and straight between them.
        first, last = (int(np.floor(t / _WOBBLE_STEP_S)) for t in (time_s.min(), time_s.max()))
        slow = np.arange(first, last + 2) * _WOBBLE_STEP_S
        parts = zip(
            self.wobble.amplitudes, self.wobble.periods_s, self.wobble.phases_rad, strict=True
        )
        moved = np.zeros_like(slow)
        for share, period, phase in parts:
            angle = 2.0 * np.pi / period
            moved -= share / angle * np.cos(angle * slow + phase)
        return self.hz * (time_s + np.interp(time_s, slow, moved))


@dataclass(frozen=True)
class OwnSource:
    """
    One part of a robot that makes noise.

    noise: its shaped noise, drift and schedule; ``noise.position`` is in base_link, m. standing_db,
    driving_db: level at 1 m in free field, dB re 20 uPa, None where silent. flutter: how much the
    noise swells once a turn.
    """

    name: str
    noise: Source
    standing_db: float | None
    driving_db: float | None
    tones: tuple[Tones, ...] = ()
    flutter: float = 0.0

    @property
    def position(self) -> tuple[float, float, float]:
        return self.noise.position

    @property
    def power(self) -> float:
        """Mean power of ``own_samples``: that of unit noise and of its tones."""
        return 1.0 + sum(sum(a * a for a in tones.amplitudes) / 2.0 for tones in self.tones)


@dataclass(frozen=True)
class OwnSound:
    """
    One robot's own sound.

    seed: of its noises and of its body's coloring. ambience_db: level of the ambience beside which
    the sources' levels are meant, dB re 20 uPa. level_db: instead of that, how far the standing
    sources together are above the ambience at the robot's ears, far from any wall; None: as the
    levels say.
    """

    name: str
    seed: int
    sources: tuple[OwnSource, ...]
    radius_m: float
    body_db: float
    ambience_db: float
    level_db: float | None = None


def draw_own_sound(profile: RobotProfile, seed: int, level_db: float | None = None) -> OwnSound:
    """Return one robot of a profile, the same for the same seed; level_db: as in OwnSound."""
    rng = generator(seed, 'robot')
    sources = tuple(_draw_source(rng, part, i) for i, part in enumerate(profile.sources))
    return OwnSound(
        profile.name,
        seed,
        sources,
        profile.radius_m,
        profile.body_db,
        profile.ambience_db,
        None if level_db is None else round(float(level_db), 3),
    )


def own_sound_of(text: str, seed: int) -> OwnSound | None:
    """
    Return the robot that a text asks for, the same for the same seed.

    text: 'none'; a level in dB over the ambience at the ears, of the usual profile; or a profile's
    name or file, at its own level.
    Raises QuietNavError for a level out of range and a profile that is not there.
    """
    if text == 'none':
        return None
    try:
        level_db = float(text)
    except ValueError:
        return draw_own_sound(find_profile(text), seed)
    if not -60.0 <= level_db <= 60.0:
        raise QuietNavError(f'own sound {text} dB; expected -60 to 60, none, or a robot profile')
    return draw_own_sound(find_profile(USUAL), seed, level_db)


def profile_of(text: str) -> str:
    """Return the profile that a text for ``own_sound_of`` means, '' for none."""
    if text == 'none':
        return ''
    try:
        float(text)
    except ValueError:
        return text
    return USUAL


def draw_profile(seed: int, radius_m: float = 0.17) -> RobotProfile:
    """
    Return a robot that might be: one to three noisy parts anywhere on it, and two motors.

    What a detector is trained on must not be one make of robot.
    """
    rng = generator(seed, 'profile')
    parts = []
    for i in range(int(rng.choice((1, 2, 3), p=(0.45, 0.4, 0.15)))):
        lidar = rng.random() < 0.5
        angle, reach = rng.uniform(0.0, 2.0 * np.pi), radius_m * math.sqrt(rng.uniform(0.0, 0.9))
        z = rng.uniform(0.15, 0.33) if lidar else rng.uniform(0.05, 0.3)
        place = (round(reach * math.cos(angle), 3), round(reach * math.sin(angle), 3), round(z, 3))
        hz = (4.0, 15.0) if lidar else (30.0, 130.0)
        rate = float(np.exp(rng.uniform(*np.log(hz))))
        tones = [
            ToneProfile(
                hz=(rate, rate),
                count=int(rng.integers(6, 40)),
                level_db=(-15.0, 3.0),
                fall_db=float(rng.uniform(1.0, 6.0)),
                wobble=float(rng.uniform(0.0005, 0.01)),
                wobble_s=float(rng.uniform(1.0, 10.0)),
            )
        ]
        if rng.random() < 0.6:
            whine = float(np.exp(rng.uniform(*np.log((250.0, 2500.0)))))
            tones.append(
                ToneProfile(hz=(whine, whine), count=int(rng.integers(1, 4)), level_db=(-20.0, 0.0))
            )
        loud = float(rng.uniform(-8.0, 0.0)) if i else 0.0
        switches = rng.random() < 0.15
        parts.append(
            SourceProfile(
                name=f'{"lidar" if lidar else "fan"}_{i}',
                position=place,
                standing_db=(35.0 + loud,) * 2,
                driving_db=(35.0 + loud,) * 2,
                slope=(0.0, 2.0),
                walk_db=2.5,
                tones=tuple(tones),
                flutter=float(rng.uniform(0.0, 0.4)) if lidar else 0.0,
                drift_db=float(rng.uniform(0.1, 1.5)),
                on_s=(20.0, 120.0) if switches else None,
                off_s=(10.0, 60.0) if switches else None,
            )
        )
    return RobotProfile(name='drawn', radius_m=radius_m, sources=(*parts, *_motors(rng, radius_m)))


def _motors(rng: np.random.Generator, radius_m: float) -> tuple[SourceProfile, ...]:
    rate, level = float(rng.uniform(40.0, 200.0)), float(rng.uniform(38.0, 52.0))
    out = round(float(rng.uniform(0.5, 0.8)) * radius_m, 3)
    return tuple(
        SourceProfile(
            name=f'motor_{side}',
            position=(0.0, out if side == 'left' else -out, 0.04),
            driving_db=(level, level),
            slope=(0.5, 1.5),
            walk_db=3.0,
            tones=(ToneProfile(hz=(rate, rate), count=12, level_db=(-6.0, 3.0), wobble=0.02),),
        )
        for side in ('left', 'right')
    )


def own_samples(source: OwnSource, seed: int, start: int, count: int) -> np.ndarray:
    """
    Return what a part emits from sample ``start``, float32, (count,), 16 kHz.

    At unit RMS of its noise, before its level. A sample depends on (source, seed, index) alone.
    """
    time = np.arange(start, start + count) / SAMPLE_RATE
    out = noise_samples(source.noise, seed, start, count, time)
    for index, tones in enumerate(source.tones):
        phase = (tones.turns(time) * _TABLE).astype(np.int64) & (_TABLE - 1)
        if index == 0 and source.flutter:
            out = out * (1.0 + np.float32(source.flutter) * _one_turn(phase))
        out = out + _table(tones.amplitudes, tones.phases_rad)[phase]
    return (out * course_of_gain(source.noise, time)).astype(np.float32)


def own_spectrum(source: OwnSource, frequency_hz: np.ndarray) -> np.ndarray:
    """Return a part's power near each of evenly spaced frequencies; sums to ``source.power``."""
    power = source_spectrum(source.noise, frequency_hz)
    step = frequency_hz[1] - frequency_hz[0]
    for tones in source.tones:
        for k, amplitude in enumerate(tones.amplitudes, 1):
            at = round(k * tones.hz / step)
            if at < len(power):
                power[at] += amplitude**2 / 2.0
    return power


def amplitude_of(level_db: float | None) -> float:
    """Return 10^(level/20), and 0 for what is silent."""
    return 0.0 if level_db is None else 10 ** (level_db / 20.0)


def body_coloring_db(
    own: OwnSound, source: int, channel: int, frequency_hz: np.ndarray, direct: bool = False
) -> np.ndarray:
    """
    Return what the robot's body does to a source at an ear, dB at frequencies of any shape.

    Constant for a robot, smooth, within its ``body_db``; none in the bass, where the body is small
    beside the wavelength. direct: what the straight way has besides, half as much.
    """
    if own.body_db == 0.0:
        return np.zeros_like(frequency_hz)
    curve = np.array(_body_curve(own.seed, source, channel, direct))
    value = np.interp(np.log(np.maximum(frequency_hz, 1.0)), np.log(EQUALIZER_HZ), curve)
    low, high = _BODY_HZ
    felt = np.log(np.maximum(frequency_hz, 1.0) / low) / math.log(high / low)
    return own.body_db * (_DIRECT_SHARE if direct else 1.0) * value * np.clip(felt, 0.0, 1.0)


@functools.lru_cache(maxsize=256)
def _body_curve(seed: int, source: int, channel: int, direct: bool) -> tuple[float, ...]:
    """Draw a smooth curve at EQUALIZER_HZ within -1 to 1, its largest value at least a half."""
    rng = generator(seed, 'body', source, channel, int(direct))
    walk = rng.normal(size=len(EQUALIZER_HZ))
    walk = 0.6 * walk + 0.4 * np.roll(walk, 1)
    walk -= walk.mean()
    return tuple((walk / np.abs(walk).max() * rng.uniform(0.5, 1.0)).round(4).tolist())


def _draw(rng: np.random.Generator, between: tuple[float, float]) -> float:
    return round(float(rng.uniform(*between)), 4)


def _draw_source(rng: np.random.Generator, part: SourceProfile, index: int) -> OwnSource:
    walk = np.cumsum(rng.normal(0.0, part.walk_db, len(EQUALIZER_HZ)))
    equalizer = np.asarray(part.equalizer_db) + walk - walk.mean()
    schedule = None
    if part.on_s is not None and part.off_s is not None:
        on_s, off_s = _draw(rng, part.on_s), _draw(rng, part.off_s)
        schedule = Schedule(on_s, off_s, round(float(rng.uniform(0.0, on_s + off_s)), 2), 1.0)
    elif part.stops_s is not None:
        # One long time on that ends at stops_s.
        stops = _draw(rng, part.stops_s)
        schedule = Schedule(_FOREVER_S, _FOREVER_S, _FOREVER_S - stops, 1.0)
    noise = Source(
        part.name,
        part.position,
        (1 << 21) + index,
        slope=_draw(rng, part.slope),
        equalizer_db=tuple(equalizer.round(3).tolist()),
        gain_db=_wander(rng, part.drift_db, (5.0, 120.0)),
        schedule=schedule,
    )
    levels = [None if v is None else _draw(rng, v) for v in (part.standing_db, part.driving_db)]
    tones = tuple(_draw_tones(rng, tone) for tone in part.tones)
    return OwnSource(part.name, noise, levels[0], levels[1], tones, part.flutter)


def _draw_tones(rng: np.random.Generator, tone: ToneProfile) -> Tones:
    hz, level = _draw(rng, tone.hz), _draw(rng, tone.level_db)
    # Of the tones that can be heard at all: below half the sampling rate.
    count = max(1, min(tone.count, int(0.45 * SAMPLE_RATE / hz)))
    harmonic = np.arange(1, count + 1)
    weight = rng.uniform(0.3, 1.0, count) * 10 ** (-tone.fall_db * np.log2(harmonic) / 20.0)
    weight *= math.sqrt(2.0) * 10 ** (level / 20.0) / np.linalg.norm(weight)
    phases = rng.uniform(0.0, 2.0 * np.pi, count)
    return Tones(
        hz,
        tuple(weight.round(6).tolist()),
        tuple(phases.round(4).tolist()),
        _wander(rng, tone.wobble, (0.5 * tone.wobble_s, 2.0 * tone.wobble_s)),
    )


def _wander(rng: np.random.Generator, deviation: float, periods_s: tuple[float, float]) -> Drift:
    """Draw a slow change of a standard deviation: three sinusoids."""
    if deviation == 0.0:
        return Drift()
    share = rng.dirichlet((1.0, 1.0, 1.0))
    return Drift(
        tuple((deviation * np.sqrt(2.0 * share)).round(6).tolist()),
        tuple(rng.uniform(*periods_s, 3).round(3).tolist()),
        tuple(rng.uniform(0.0, 2.0 * np.pi, 3).round(4).tolist()),
    )


@functools.lru_cache(maxsize=64)
def _table(amplitudes: tuple[float, ...], phases_rad: tuple[float, ...]) -> np.ndarray:
    """One turn of all harmonics, float32, (_TABLE,)."""
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    k = np.arange(1, len(amplitudes) + 1)
    spectrum[k] = np.asarray(amplitudes) * np.exp(1j * np.asarray(phases_rad)) * _TABLE / 2.0
    table = np.fft.irfft(spectrum, _TABLE).astype(np.float32)
    table.flags.writeable = False
    return table


def _one_turn(phase: np.ndarray) -> np.ndarray:
    return _table((1.0,), (0.0,))[phase]


def silent(own: OwnSound | None) -> bool:
    """Return whether a robot makes no noise at all."""
    return own is None or not own.sources


def at_level(own: OwnSound, level_db: float) -> OwnSound:
    """Return the same robot, so many dB over the ambience at its ears."""
    return replace(own, level_db=round(float(level_db), 3))
