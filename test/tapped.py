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


"""Recordings of somebody who taps at the ears of a rig: in a plain model or a simulated room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import signal

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.rig_check.script import Script

RATE = 16_000
SPEED_OF_SOUND = 343.0


def tap_times(script: Script, rng: np.random.Generator) -> list[tuple[int, float]]:
    """Return (ear, time in s) of taps as a person makes them, a few a slot."""
    taps = []
    for slot in script.slots:
        time_s = slot.start_s + rng.uniform(0.4, 0.9)
        for _ in range(script.taps):
            taps.append((slot.ear, time_s))
            time_s += rng.uniform(0.4, 0.6)
    return taps


def snap(rng: np.random.Generator) -> np.ndarray:
    """Return a snap of fingers, peak 1: a short ring between 1.5 and 5 kHz and a soft thump."""
    t = np.arange(round(0.03 * RATE)) / RATE
    ring = np.exp(-t / 0.003) * sum(
        np.sin(2 * np.pi * f * t + rng.uniform(0, 2 * np.pi)) for f in rng.uniform(1500, 5000, 5)
    )
    thump = 0.5 * np.exp(-t / 0.008) * np.sin(2 * np.pi * rng.uniform(150, 400) * t)
    sound = ring + thump
    return sound / np.abs(sound).max()


def hands(rig: Rig, taps: list[tuple[int, float]], rng: np.random.Generator) -> np.ndarray:
    """Return where each tap is made, (K, 3) in base_link: near its ear, away from the others."""
    places = np.array([[e.x, e.y, e.z] for e in rig.ears])
    center = places.mean(axis=0)
    found = []
    for ear, _ in taps:
        out = places[ear] - center
        size = np.linalg.norm(out)
        out = out / size if size > 1e-6 else np.array([1.0, 0.0, 0.0])
        found.append(places[ear] + rng.uniform(0.03, 0.08) * out + rng.normal(0.0, 0.01, 3))
    return np.array(found)


def delayed(sound: np.ndarray, by_s: float, count: int) -> np.ndarray:
    """Return a sound so much later, to a fraction of a sample, (count,)."""
    out = np.zeros(count)
    whole = int(np.floor(by_s * RATE))
    size = len(sound) + 64
    spectrum = np.fft.rfft(sound, size)
    frequency = np.fft.rfftfreq(size)
    part = np.fft.irfft(spectrum * np.exp(-2j * np.pi * frequency * (by_s * RATE - whole)), size)
    end = min(whole + size, count)
    out[whole:end] += part[: end - whole]
    return out


def plain(
    rig: Rig,
    seed: int = 0,
    script: Script | None = None,
    room_dbfs: float = -45.0,
    noise_dbfs: float = -70.0,
    decay_s: float = 0.4,
) -> np.ndarray:
    """
    Return a recording of taps in a plain room, (n, channels of the rig).

    Direct sound after 1/r and r/c, a tail that decays by 60 dB in decay_s, ambience that
    neighboring ears share where waves are long, and noise of each microphone's own.
    """
    rng = np.random.default_rng(seed)
    script = script or Script(len(rig.ears))
    count = round(script.duration_s * RATE)
    taps = tap_times(script, rng)
    places = np.array([[e.x, e.y, e.z] for e in rig.ears])
    out = np.zeros((count, rig.channels))
    tail = np.exp(-6.9 * np.arange(round(1.5 * decay_s * RATE)) / (decay_s * RATE))
    for (_, time_s), hand in zip(taps, hands(rig, taps, rng), strict=True):
        sound = 0.012 * rng.uniform(0.6, 1.4) * snap(rng)
        for ear, place in zip(rig.ears, places, strict=True):
            away = float(np.linalg.norm(hand - place))
            out[:, ear.channel] += delayed(sound / away, time_s + away / SPEED_OF_SOUND, count)
            room = 0.12 * tail * rng.standard_normal(len(tail))
            wet = signal.fftconvolve(sound, room)
            begin = round((time_s + 0.004) * RATE)
            end = min(begin + len(wet), count)
            out[begin:end, ear.channel] += wet[: end - begin]
    out += ambience(places, [e.channel for e in rig.ears], out.shape, room_dbfs, rng)
    out += 10 ** (noise_dbfs / 20) * rng.standard_normal(out.shape)
    return out.astype(np.float32)


def ambience(
    places: np.ndarray,
    channels: list[int],
    shape: tuple[int, int],
    level_dbfs: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return a diffuse field: 10 plane waves of independent pink-like noise, (n, C)."""
    count, _ = shape
    out = np.zeros(shape)
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    color = 1.0 / np.maximum(frequency, 40.0) ** 0.6
    for _ in range(10):
        way = rng.standard_normal(3)
        way /= np.linalg.norm(way)
        wave = color * np.fft.rfft(rng.standard_normal(count))
        for place, channel in zip(places, channels, strict=True):
            shift = np.exp(-2j * np.pi * frequency * float(place @ way) / SPEED_OF_SOUND)
            out[:, channel] += np.fft.irfft(wave * shift, count)
    power = np.mean(out[:, channels] ** 2)
    return out * 10 ** (level_dbfs / 20) / np.sqrt(power)


def in_room(rig: Rig, seed: int, own: bool = True, lived_in: bool = True) -> np.ndarray:
    """
    Return a recording of taps in a simulated room with its ambience, (n, channels of the rig).

    own: the robot's own sound is heard, too, -10 to 10 dB over the ambience.
    """
    from quiet_nav.simulation.sound.acoustics import RoomAcoustics
    from quiet_nav.simulation.sound.hearing import Hearing
    from quiet_nav.simulation.sound.own_sound import draw_own_sound, draw_profile
    from quiet_nav.simulation.sound.scenes import draw_point, draw_scene, SceneRanges

    rng = np.random.default_rng([seed, 1])
    scene = draw_scene(seed, SceneRanges(lived_in=lived_in))
    if own:
        sound = draw_own_sound(draw_profile(seed), seed, float(rng.uniform(-10, 10)))
        scene = replace(scene, own=sound)
    hearing, script = Hearing(scene), Script(len(rig.ears))
    count = round(script.duration_s * RATE)
    point = draw_point(scene.room, rng, 0.5)
    pose = Pose2D(float(point[0]), float(point[1]), float(rng.uniform(-np.pi, np.pi)))
    out = np.zeros((count, rig.channels))
    for ear, row in zip(rig.ears, hearing.rig(rig, pose, 0, count), strict=True):
        out[:, ear.channel] = row
    mics = np.array([[*pose.transform(e.x, e.y), e.z] for e in rig.ears])
    taps = tap_times(script, rng)
    made = hands(rig, taps, rng)
    for ear in range(len(rig.ears)):
        # One place an ear: a response takes longer than a tap.
        mine = [k for k, (tapped, _) in enumerate(taps) if tapped == ear]
        hand = made[mine[0]]
        source = np.array([[*pose.transform(hand[0], hand[1]), hand[2]]])
        responses = RoomAcoustics(scene.room, source).impulse_responses(mics)[:, 0]
        for k in mine:
            # A response of 1 m distance has amplitude 1/(4 pi), as free space.
            sound = 0.04 * rng.uniform(0.6, 1.4) * snap(rng)
            begin = round(taps[k][1] * RATE)
            for m, one in enumerate(rig.ears):
                wet = signal.fftconvolve(sound, responses[m])
                end = min(begin + len(wet), count)
                out[begin:end, one.channel] += wet[: end - begin]
    return out.astype(np.float32)


def agc(
    sound: np.ndarray, release_s: float = 1.0, target: float = 0.2, most_db: float = 20.0
) -> np.ndarray:
    """Return what a gain control makes of sound (n, C): down within 5 ms, slowly up, all alike."""
    step = 16
    loud = np.abs(sound).max(axis=1)
    peaks = loud[: len(loud) // step * step].reshape(-1, step).max(axis=1)
    gain_db, rise = np.zeros(len(peaks)), step / RATE / release_s
    now = most_db
    for k, peak in enumerate(peaks):
        wanted = min(most_db, 20 * np.log10(target / max(peak, 1e-9)))
        now += 0.3 * (wanted - now) if wanted < now else (most_db - now) * rise
        gain_db[k] = now
    gains = np.interp(np.arange(len(sound)), np.arange(len(gain_db)) * step, gain_db)
    return np.clip(sound * 10 ** (gains[:, None] / 20), -1.0, 1.0).astype(np.float32)


def gated(sound: np.ndarray, closed_db: float = -40.0, hold_s: float = 0.25) -> np.ndarray:
    """Return what a noise gate makes of sound (n, C): open for loud sound and a while after."""
    step = 160
    course = (sound[: len(sound) // step * step].reshape(-1, step, sound.shape[1]) ** 2).mean(1)
    floor = np.median(course, axis=0)
    out = sound.copy()
    for c in range(sound.shape[1]):
        loud = np.flatnonzero(course[:, c] > 10 * floor[c])
        opened = np.zeros(len(course))
        for k in loud:
            opened[k : k + round(hold_s * RATE / step)] = 1.0
        smooth = signal.lfilter([0.8], [1, -0.2], opened)
        gain_db = closed_db * (1.0 - np.clip(smooth, 0.0, 1.0))
        gain = np.interp(np.arange(len(sound)), np.arange(len(gain_db)) * step, gain_db)
        out[:, c] *= 10 ** (gain / 20)
    return out.astype(np.float32)


def spectrally_suppressed(sound: np.ndarray, least_db: float = -30.0) -> np.ndarray:
    """Return sound (n, C) less its mean noise spectrum, as spectral subtraction does it."""
    out = np.zeros_like(sound)
    for c in range(sound.shape[1]):
        _, _, cells = signal.stft(sound[:, c], RATE, nperseg=512)
        power = np.abs(cells) ** 2
        noise = np.mean(power[:, 20:120], axis=1, keepdims=True)
        gain = np.maximum(1.0 - 2.0 * noise / np.maximum(power, 1e-20), 0.0) ** 0.5
        gain = np.maximum(gain, 10 ** (least_db / 20))
        _, back = signal.istft(cells * gain, RATE, nperseg=512)
        out[:, c] = back[: len(sound)]
    return out


def other_clock(sound: np.ndarray, offset_s: float, drift_ppm: float) -> np.ndarray:
    """Return one channel (n,) as a second sound card records it: later, and at another rate."""
    n = np.arange(len(sound))
    at = n * (1.0 - drift_ppm * 1e-6) - offset_s * RATE
    from scipy.interpolate import CubicSpline

    return np.where((at >= 0) & (at < len(sound) - 1), CubicSpline(n, sound)(at), 0.0)


def hummed(
    sound: np.ndarray, mains_hz: float, level_dbfs: float, channel: int, seed: int = 0
) -> np.ndarray:
    """Return a recording (n, C) with mains hum of a level in one channel."""
    rng = np.random.default_rng(seed)
    t = np.arange(len(sound)) / RATE
    hum = sum(
        np.sin(2 * np.pi * k * mains_hz * t + rng.uniform(0, 2 * np.pi)) / k for k in range(1, 8)
    )
    out = sound.copy()
    out[:, channel] += 10 ** (level_dbfs / 20) * hum / np.sqrt(np.mean(hum**2))
    return out
