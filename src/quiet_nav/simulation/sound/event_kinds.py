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

"""
Synthetic sounds that come and go: people, animals, things that fall, machines that start.

Each is a rough model of how the sound comes about (modes that ring, pulses through formants, noise
that is gated), drawn anew by the generator given; none is a copy of a recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import signal

from quiet_nav.sound.windows import SAMPLE_RATE

Draw = Callable[[np.random.Generator], np.ndarray]


def seconds(duration_s: float) -> int:
    """Return a duration in samples, at least one."""
    return max(1, round(duration_s * SAMPLE_RATE))


def ringing(
    rng: np.random.Generator,
    duration_s: float,
    frequencies_hz: np.ndarray,
    decay_s: np.ndarray | float,
    gains: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Return modes that were struck at once: damped sinusoids of any phase, (n,)."""
    frequencies = np.atleast_1d(frequencies_hz)[:, None]
    decays = np.broadcast_to(np.atleast_1d(decay_s), len(frequencies))[:, None]
    levels = np.broadcast_to(np.atleast_1d(gains), len(frequencies))[:, None]
    t = np.arange(seconds(duration_s)) / SAMPLE_RATE
    phases = rng.uniform(0.0, 2.0 * np.pi, frequencies.shape)
    return (levels * np.exp(-t / decays) * np.sin(2 * np.pi * frequencies * t + phases)).sum(0)


def hiss(rng: np.random.Generator, duration_s: float, low_hz: float, high_hz: float) -> np.ndarray:
    """Return noise between two frequencies, about unit RMS, (n,)."""
    noise = rng.standard_normal(seconds(duration_s))
    band = (max(low_hz, 20.0), min(high_hz, 0.49 * SAMPLE_RATE))
    sos = signal.butter(2, band, 'bandpass', fs=SAMPLE_RATE, output='sos')
    out = signal.sosfilt(sos, noise)
    return out / (np.sqrt(np.mean(out**2)) + 1e-12)


def burst(
    rng: np.random.Generator, duration_s: float, low_hz: float, high_hz: float, decay_s: float
) -> np.ndarray:
    """Return noise that begins at once and dies away, (n,)."""
    out = hiss(rng, duration_s, low_hz, high_hz)
    return out * np.exp(-np.arange(len(out)) / (decay_s * SAMPLE_RATE))


def voiced(pitch_hz: np.ndarray, harmonics: int = 30, tilt: float = 1.0) -> np.ndarray:
    """Return harmonics of a course of pitch, (n,), each 1/k^tilt of the first."""
    phase = 2.0 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE
    out = np.zeros(len(phase))
    for k in range(1, harmonics + 1):
        audible = k * pitch_hz < 0.45 * SAMPLE_RATE
        out += np.where(audible, np.sin(k * phase) / k**tilt, 0.0)
    return out


def resonant(
    sound: np.ndarray, formants_hz: np.ndarray | Sequence[float], width: float = 90.0
) -> np.ndarray:
    """Return a sound through resonances so many Hz wide, the later ones weaker, (n,)."""
    return sum(
        signal.lfilter(*signal.iirpeak(f, f / width, fs=SAMPLE_RATE), sound) / (1 + i)
        for i, f in enumerate(formants_hz)
    )


def laid_out(
    pieces: Sequence[np.ndarray], starts_s: Sequence[float] | np.ndarray, tail_s: float = 0.02
) -> np.ndarray:
    """Return pieces at their starts, one over the other, (n,)."""
    begins = [seconds(s) - 1 if s <= 0 else seconds(s) for s in starts_s]
    ends = [b + len(p) for b, p in zip(begins, pieces, strict=True)]
    out = np.zeros(max(ends) + seconds(tail_s))
    for piece, begin in zip(pieces, begins, strict=True):
        out[begin : begin + len(piece)] += piece
    return out


def course(duration_s: float, *points: float) -> np.ndarray:
    """Return values that go from point to point in even steps of time, (n,)."""
    n = seconds(duration_s)
    return np.interp(np.arange(n), np.linspace(0, n - 1, len(points)), points)


def faded(sound: np.ndarray, share: float = 0.1) -> np.ndarray:
    """Return a sound that begins and ends softly."""
    return sound * signal.windows.tukey(len(sound), share)


def _times(rng: np.random.Generator, count: int, low_s: float, high_s: float) -> np.ndarray:
    starts = np.cumsum(rng.uniform(low_s, high_s, count))
    return starts - starts[0]


def _baby(rng: np.random.Generator) -> np.ndarray:
    pitch, cries = rng.uniform(350, 550), []
    for _ in range(int(rng.integers(2, 5))):
        length = rng.uniform(0.5, 1.1)
        tone = course(length, 0.8, 1.0, 1.05, 0.95, 0.75) * pitch * rng.uniform(0.9, 1.15)
        tone *= 1.0 + 0.02 * np.sin(2 * np.pi * 6.0 * np.arange(len(tone)) / SAMPLE_RATE)
        cry = resonant(voiced(tone, 16, 0.6), rng.uniform((900, 2200, 3800), (1300, 3000, 4800)))
        rough = 0.2 * hiss(rng, length, 800, 5000)
        cries.append(faded(cry / np.abs(cry).max() + rough[: len(cry)] * 0.3, 0.3))
    starts = np.cumsum([0.0, *(len(c) / SAMPLE_RATE + rng.uniform(0.15, 0.4) for c in cries[:-1])])
    return laid_out(cries, starts)


def _cough(rng: np.random.Generator) -> np.ndarray:
    coughs = []
    for _ in range(int(rng.integers(1, 4))):
        out = burst(rng, 0.35, 300, rng.uniform(3000, 6000), 0.05)
        tail = voiced(course(0.35, 180, 120), 15, 0.5) * np.exp(-np.arange(len(out)) / 1500.0)
        coughs.append(out + 0.4 * resonant(tail, rng.uniform((400, 1100), (800, 1800))))
    return laid_out(coughs, _times(rng, len(coughs), 0.35, 0.7))


def _laugh(rng: np.random.Generator) -> np.ndarray:
    count, pitch = int(rng.integers(4, 10)), rng.uniform(130, 320)
    pieces = []
    for i in range(count):
        tone = course(0.11, 1.1, 1.0) * pitch * (1.0 - 0.03 * i)
        formants = rng.uniform((500, 1100, 2300), (900, 1700, 3000))
        voice = faded(resonant(voiced(tone, 20), formants), 0.5) * rng.uniform(0.5, 1.0)
        pieces.append(voice + 0.05 * faded(hiss(rng, 0.11, 500, 5000), 0.5))
    return laid_out(pieces, np.arange(count) * rng.uniform(0.16, 0.24))


def _door_slam(rng: np.random.Generator) -> np.ndarray:
    modes = rng.uniform(35, 400, 14)
    thud = ringing(rng, 0.8, modes, rng.uniform(0.03, 0.15, 14), 60.0 / modes)
    click = 0.5 * burst(rng, 0.8, 400, 6000, 0.012)
    rattle = laid_out(
        [0.15 * burst(rng, 0.05, 1000, 6000, 0.01) for _ in range(5)], rng.uniform(0.02, 0.25, 5)
    )
    return laid_out([thud, click, rattle], [0.0, 0.0, 0.0])


def _knock(rng: np.random.Generator) -> np.ndarray:
    modes, count = rng.uniform(120, 900, 6), int(rng.integers(2, 6))
    knocks = [
        rng.uniform(0.6, 1.0)
        * (ringing(rng, 0.25, modes, 0.025) + burst(rng, 0.25, 500, 4000, 0.004))
        for _ in range(count)
    ]
    return laid_out(knocks, np.arange(count) * rng.uniform(0.13, 0.3))


def footstep(rng: np.random.Generator) -> np.ndarray:
    """One step: the heel's thump and the sole's rustle, (n,)."""
    modes = rng.uniform(50, 220, 4)
    heel = ringing(rng, 0.3, modes, 0.03) + 0.3 * burst(rng, 0.3, 300, 2500, 0.008)
    sole = 0.2 * faded(hiss(rng, 0.12, 700, 5000), 0.8)
    return laid_out([heel, sole], [0.0, rng.uniform(0.05, 0.1)])


def _footsteps(rng: np.random.Generator) -> np.ndarray:
    count, pace = int(rng.integers(4, 9)), rng.uniform(0.45, 0.65)
    level = np.interp(np.arange(count), (0, count / 2, count), rng.uniform(0.3, 1.0, 3))
    steps = [footstep(rng) * a for a in level]
    return laid_out(steps, np.arange(count) * pace + rng.uniform(0, 0.03, count))


def _keys(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(15, 50))
    own = rng.uniform(2500, 7500, 12)
    pings = [
        ringing(rng, 0.12, rng.choice(own, 3), rng.uniform(0.01, 0.04)) * rng.uniform(0.2, 1.0)
        for _ in range(count)
    ]
    return laid_out(pings, np.sort(rng.uniform(0.0, rng.uniform(0.6, 2.0), count)))


def _phone(rng: np.random.Generator) -> np.ndarray:
    low, high, rate = rng.uniform(400, 1000), rng.uniform(1100, 2200), rng.uniform(12, 25)
    length = rng.uniform(0.6, 1.4)
    t = np.arange(seconds(length)) / SAMPLE_RATE
    gate = signal.square(2 * np.pi * rate * t) > 0
    ring = np.where(gate, np.sin(2 * np.pi * low * t), np.sin(2 * np.pi * high * t))
    ring = ring + 0.3 * ring**3
    count = int(rng.integers(1, 3))
    return laid_out([faded(ring, 0.02)] * count, np.arange(count) * (length + 0.4))


def _keyboard(rng: np.random.Generator) -> np.ndarray:
    count, board = int(rng.integers(8, 26)), rng.uniform(900, 4500, 5)
    strokes = [
        rng.uniform(0.4, 1.0)
        * (ringing(rng, 0.06, board, 0.006) + 0.5 * burst(rng, 0.06, 1500, 7000, 0.004))
        for _ in range(count)
    ]
    return laid_out(strokes, _times(rng, count, 0.06, 0.28))


def _dishes(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(2, 8))
    clinks = []
    for _ in range(count):
        modes = rng.uniform(1200, 7200, 7)
        clinks.append(ringing(rng, 0.5, modes, rng.uniform(0.03, 0.2, 7)) * rng.uniform(0.3, 1.0))
    return laid_out(clinks, _times(rng, count, 0.05, 0.6))


def _stick_slip(
    rng: np.random.Generator,
    duration_s: float,
    rates_hz: np.ndarray,
    formants: np.ndarray | Sequence[float],
) -> np.ndarray:
    """Pulses of a rate that changes and jitters, through resonances: scraping, creaking."""
    jitter = signal.lfilter([0.02], [1.0, -0.98], rng.standard_normal(len(rates_hz)))
    rate = rates_hz * (1.0 + 0.15 * jitter)
    phase = np.cumsum(rate) / SAMPLE_RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    return resonant(pulses * rng.uniform(0.5, 1.0, len(pulses)), formants, 120.0)


def _chair(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(0.4, 1.2)
    scrape = _stick_slip(
        rng, length, course(length, *rng.uniform(80, 350, 3)), rng.uniform(300, 3500, 6)
    )
    grind = 0.3 * hiss(rng, length, 400, 5000)
    return faded(scrape / (np.std(scrape) + 1e-9) + grind, 0.3)


def _creak(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(0.7, 2.0)
    out = _stick_slip(
        rng, length, course(length, *rng.uniform(15, 120, 4)), rng.uniform(500, 3000, 4)
    )
    return faded(out, 0.3)


def _drawer(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(0.4, 1.0)
    roll = hiss(rng, length, 150, 2500) * course(length, 0.1, 0.6, 1.0)
    thump = 6.0 * ringing(rng, 0.3, rng.uniform(80, 500, 6), 0.03)
    return laid_out([0.5 * roll, thump], [0.0, length])


def _vacuum(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(2.0, 4.0)
    spin = np.minimum(course(length, 0.3, 1.0, 1.0, 1.0, 1.0), 1.0)
    motor = voiced(spin * rng.uniform(180, 420), 20, 0.8)
    air = hiss(rng, length, 200, 6000)
    return faded((motor / np.std(motor) * rng.uniform(0.3, 1.0) + air) * spin**2, 0.1)


def _alarm(rng: np.random.Generator) -> np.ndarray:
    tone, on = rng.uniform(900, 3500), rng.uniform(0.06, 0.3)
    t = np.arange(seconds(on)) / SAMPLE_RATE
    beep = np.sin(2 * np.pi * tone * t) + 0.3 * np.sin(6 * np.pi * tone * t) * (tone < 2500)
    count = int(rng.integers(3, 10))
    return laid_out([faded(beep, 0.1)] * count, np.arange(count) * on * rng.uniform(1.5, 2.5))


def _music(rng: np.random.Generator) -> np.ndarray:
    count, root, beat = int(rng.integers(4, 12)), rng.uniform(110, 330), rng.uniform(0.18, 0.4)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    notes = []
    for _ in range(count):
        pitch = root * 2 ** (rng.choice(scale, int(rng.integers(1, 4))) / 12)
        every = np.outer(pitch, np.arange(1, 7)).ravel()
        partials = every[every < 0.45 * SAMPLE_RATE]
        notes.append(ringing(rng, 0.9, partials, 200.0 / partials, root / partials))
    return laid_out(notes, np.arange(count) * beat)


def _paper(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(0.5, 2.0)
    crackle = (rng.random(seconds(length)) < 0.01) * rng.standard_normal(seconds(length))
    sos = signal.butter(2, rng.uniform(1000, 2500), 'highpass', fs=SAMPLE_RATE, output='sos')
    rustle = signal.sosfilt(sos, crackle * 6.0 + 0.3 * rng.standard_normal(len(crackle)))
    return faded(rustle * np.abs(course(length, *rng.uniform(0.1, 1.0, 9))), 0.2)


def _zip(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(0.3, 0.9)
    rate = course(length, *np.sort(rng.uniform(80, 600, 3)))
    teeth = np.diff(np.floor(np.cumsum(rate) / SAMPLE_RATE), prepend=0.0)
    return faded(resonant(teeth, rng.uniform(2000, 6500, 4), 500.0), 0.2)


def _glass(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(20, 60))
    shards = [
        ringing(rng, 0.3, rng.uniform(1800, 7600, 3), rng.uniform(0.02, 0.12))
        * rng.uniform(0.1, 0.8)
        for _ in range(count)
    ]
    hit = 2.0 * burst(rng, 0.3, 500, 7500, 0.03)
    return laid_out([hit, *shards], [0.0, *(rng.exponential(0.25, count) + 0.01)])


def _clap(rng: np.random.Generator) -> np.ndarray:
    count, center = int(rng.integers(1, 9)), rng.uniform(900, 2200)
    claps = [
        burst(rng, 0.12, 0.5 * center, 2.5 * center, rng.uniform(0.005, 0.015))
        * rng.uniform(0.6, 1.0)
        for _ in range(count)
    ]
    return laid_out(claps, _times(rng, count, 0.18, 0.35))


def _drop(rng: np.random.Generator) -> np.ndarray:
    modes, decay = rng.uniform(150, 4000, 8), rng.uniform(0.01, 0.06, 8)
    times, gap, level = [0.0], rng.uniform(0.15, 0.35), [1.0]
    while gap > 0.03 and len(times) < 10:
        times.append(times[-1] + gap)
        level.append(level[-1] * rng.uniform(0.4, 0.7))
        gap *= rng.uniform(0.55, 0.75)
    hits = [
        a * (ringing(rng, 0.25, modes, decay) + burst(rng, 0.25, 300, 5000, 0.005)) for a in level
    ]
    return laid_out(hits, times)


def _cat(rng: np.random.Generator) -> np.ndarray:
    length, pitch = rng.uniform(0.4, 1.1), rng.uniform(450, 800)
    tone = course(length, 0.8, 1.2, 1.1, 0.9, 0.7) * pitch
    mew = resonant(voiced(tone, 12, 0.7), rng.uniform((800, 2000, 3500), (1500, 3000, 5000)), 250.0)
    return faded(mew, 0.5)


def _through_window(sound: np.ndarray, corner_hz: float) -> np.ndarray:
    sos = signal.butter(1, corner_hz, 'lowpass', fs=SAMPLE_RATE, output='sos')
    return signal.sosfilt(sos, sound)


def _horn(rng: np.random.Generator) -> np.ndarray:
    length, pitch = rng.uniform(0.3, 1.2), rng.uniform(330, 480)
    tones = voiced(np.full(seconds(length), pitch), 20, 0.5)
    tones = tones + voiced(np.full(seconds(length), pitch * rng.uniform(1.18, 1.27)), 20, 0.5)
    return faded(_through_window(tones, rng.uniform(500, 1500)), 0.1)


def _siren(rng: np.random.Generator) -> np.ndarray:
    length, swing = rng.uniform(2.0, 4.5), rng.uniform(0.3, 4.0)
    t = np.arange(seconds(length)) / SAMPLE_RATE
    center, depth = rng.uniform(600, 1100), rng.uniform(0.15, 0.4)
    wail = voiced(center * (1 + depth * np.sin(2 * np.pi * swing * t)), 8, 1.0)
    return faded(_through_window(wail, rng.uniform(600, 2000)), 0.4)


def bubbles(
    rng: np.random.Generator, duration_s: float, a_second: float, low_hz: float, high_hz: float
) -> np.ndarray:
    """Return drops and bubbles: short damped tones whose pitch rises, (n,)."""
    n = seconds(duration_s)
    out = np.zeros(n)
    for begin in rng.integers(0, n, rng.poisson(a_second * duration_s)):
        pitch = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz)))
        count = min(n - int(begin), seconds(40.0 / pitch))
        t = np.arange(count) / SAMPLE_RATE
        rise = 1.0 + rng.uniform(0.0, 0.4) * t * pitch / 20.0
        shape = np.exp(-t * pitch / 6.0) * rng.exponential(1.0)
        out[begin : begin + count] += shape * np.sin(2 * np.pi * pitch * rise * t)
    return out


def _tap(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(1.5, 4.0)
    jet = 0.6 * hiss(rng, length, rng.uniform(500, 1500), 7000)
    splash = bubbles(rng, length, rng.uniform(60, 200), 400, 3000)
    return faded(jet + 0.6 * splash / (np.std(splash) + 1e-9), 0.15)


def _printer(rng: np.random.Generator) -> np.ndarray:
    length, stroke = rng.uniform(2.0, 4.0), rng.uniform(0.3, 0.8)
    t = np.arange(seconds(length)) / SAMPLE_RATE
    sweep = 1.0 + 0.4 * signal.sawtooth(2 * np.pi * t / stroke, 0.5)
    carriage = voiced(rng.uniform(150, 500) * sweep, 10, 0.7)
    gate = (np.mod(t, stroke) > 0.12) * 1.0
    return faded(carriage * gate + 0.7 * hiss(rng, length, 500, 5000) * (0.3 + 0.7 * gate), 0.05)


def _whistling(rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(3, 8))
    pitch, parts = rng.uniform(900, 1500), []
    for _ in range(count):
        length = rng.uniform(0.15, 0.45)
        step = pitch * 2 ** (rng.choice([0, 2, 4, 5, 7, 9]) / 12)
        tone = voiced(course(length, 0.97, 1.0, 1.0) * step, 2, 3.0)
        parts.append(faded(tone + 0.03 * hiss(rng, length, 1000, 7000)[: len(tone)], 0.3))
    return np.concatenate(parts)


def _spray(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(0.3, 1.5)
    return faded(hiss(rng, length, rng.uniform(1500, 3000), 7800), 0.2)


def _microwave(rng: np.random.Generator) -> np.ndarray:
    length = rng.uniform(1.5, 3.0)
    hum = voiced(np.full(seconds(length), rng.choice([100.0, 120.0])), 12, 1.0)
    run = hum / np.std(hum) + 0.5 * hiss(rng, length, 200, 3000)
    beep = 2.0 * faded(ringing(rng, 0.3, np.array([rng.uniform(1800, 2400)]), 5.0), 0.05)
    return laid_out([faded(run, 0.05), beep, beep], [0.0, length + 0.1, length + 0.7])


#: What can happen in a room beside speech, dogs and sneezes.
MORE_EVENTS: dict[str, Draw] = {
    'alarm': _alarm,
    'baby': _baby,
    'cat': _cat,
    'chair': _chair,
    'clap': _clap,
    'cough': _cough,
    'creak': _creak,
    'dishes': _dishes,
    'door_slam': _door_slam,
    'drawer': _drawer,
    'drop': _drop,
    'footsteps': _footsteps,
    'glass': _glass,
    'horn': _horn,
    'keyboard': _keyboard,
    'keys': _keys,
    'knock': _knock,
    'laugh': _laugh,
    'microwave': _microwave,
    'music': _music,
    'paper': _paper,
    'phone': _phone,
    'printer': _printer,
    'siren': _siren,
    'spray': _spray,
    'tap': _tap,
    'vacuum': _vacuum,
    'whistling': _whistling,
    'zip': _zip,
}
