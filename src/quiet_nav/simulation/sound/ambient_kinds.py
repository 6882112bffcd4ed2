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

"""Synthetic sounds that go on and on: clocks, rain, fans, mains hum, traffic outside, water."""

from __future__ import annotations

import functools

import numpy as np
from scipy import signal

from quiet_nav.simulation.sound.clips import crossfaded
from quiet_nav.simulation.sound.event_kinds import bubbles, Draw, hiss, laid_out, ringing, voiced
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator

#: How long one is before it begins again, cross-faded.
LOOP_S = 20.0


@functools.lru_cache(maxsize=32)
def ambient_loop(kind: str, seed: int, stream: int) -> np.ndarray:
    """Return a loop of a sound of AMBIENT_KINDS, float32, unit RMS, (n,), 16 kHz."""
    samples = _DRAW[kind](generator(seed, 'ambient', stream))
    sos = signal.butter(2, 30.0, 'highpass', fs=SAMPLE_RATE, output='sos')
    loop = crossfaded(signal.sosfilt(sos, samples).astype(np.float32))
    loop = (loop / np.sqrt(np.mean(loop**2))).astype(np.float32)
    loop.flags.writeable = False
    return loop


def _colored(rng: np.random.Generator, duration_s: float, slope: float) -> np.ndarray:
    """Noise whose power falls as 1/f^slope from 30 Hz on, unit RMS."""
    n = round(duration_s * SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.maximum(np.fft.rfftfreq(n, 1.0 / SAMPLE_RATE), 30.0)
    out = np.fft.irfft(spectrum * frequency ** (-slope / 2.0), n)
    return out / np.std(out)


def _swell(
    rng: np.random.Generator, duration_s: float, depth_db: float, period_s: float
) -> np.ndarray:
    """Return a random course of gain that changes over about so long, linear, (n,)."""
    n = round(duration_s * SAMPLE_RATE)
    knots = rng.normal(0.0, depth_db, max(4, round(duration_s / period_s)))
    at = np.linspace(0, len(knots) - 1, n)
    # Cosine steps, so that nothing bends sharply.
    whole = np.minimum(at.astype(int), len(knots) - 2)
    share = 0.5 - 0.5 * np.cos(np.pi * (at - whole))
    return 10 ** ((knots[whole] * (1 - share) + knots[whole + 1] * share) / 20.0)


def _clock(rng: np.random.Generator) -> np.ndarray:
    period = float(rng.choice([1.0, 0.5, 0.4, rng.uniform(0.3, 1.2)]))
    case = rng.uniform(400, 6500, 7)
    decay = rng.uniform(0.002, 0.02, 7)
    beats = int(LOOP_S / period)
    lame = rng.uniform(-0.08, 0.08) * period
    ticks = []
    for i in range(beats):
        gains = rng.uniform(0.8, 1.2, 7) * np.where(np.arange(7) % 2 == i % 2, 1.0, 0.7)
        ticks.append(ringing(rng, 0.15, case, decay, gains))
    out = laid_out(ticks, np.arange(beats) * period + np.where(np.arange(beats) % 2, lame, 0.0))
    whole = np.zeros(round(LOOP_S * SAMPLE_RATE))
    n = min(len(out), len(whole))
    whole[:n] = out[:n]
    return whole / np.std(whole) + 0.05 * _colored(rng, LOOP_S, 1.0)


def _rain(rng: np.random.Generator) -> np.ndarray:
    patter = bubbles(rng, LOOP_S, rng.uniform(20, 150), 800, 6000)
    wash = hiss(rng, LOOP_S, rng.uniform(200, 900), rng.uniform(5000, 7800))
    wash = wash * _swell(rng, LOOP_S, 1.0, 3.0)
    return wash + rng.uniform(0.2, 1.0) * patter / np.std(patter)


def _fan(rng: np.random.Generator) -> np.ndarray:
    rate, blades = rng.uniform(10, 50), int(rng.integers(3, 8))
    t = np.arange(round(LOOP_S * SAMPLE_RATE)) / SAMPLE_RATE
    wander = 1.0 + 0.003 * np.sin(2 * np.pi * t / rng.uniform(3, 9) + rng.uniform(0, 6))
    blade = voiced(rate * blades * wander, 10, rng.uniform(0.8, 1.6))
    air = _colored(rng, LOOP_S, rng.uniform(0.8, 2.0))
    wobble = 1.0 + rng.uniform(0.0, 0.2) * np.sin(
        2 * np.pi * np.cumsum(rate * wander) / SAMPLE_RATE
    )
    return air * wobble + rng.uniform(0.05, 0.6) * blade / np.std(blade)


def _hum(rng: np.random.Generator) -> np.ndarray:
    mains = float(rng.choice([50.0, 60.0]))
    k = np.arange(1, 25)
    weight = rng.uniform(0.1, 1.0, 24) / k ** rng.uniform(0.3, 1.2)
    weight[::2] *= rng.uniform(0.05, 0.6)  # transformers hum at twice the mains
    t = np.arange(round(LOOP_S * SAMPLE_RATE)) / SAMPLE_RATE
    drift = 2 * np.pi * mains * (t + 0.002 * np.sin(2 * np.pi * t / 7.0))
    phases = rng.uniform(0, 2 * np.pi, 24)
    hum = sum(w * np.sin(n * drift + p) for n, w, p in zip(k, weight, phases, strict=True))
    return hum / np.std(hum) + rng.uniform(0.05, 0.5) * _colored(rng, LOOP_S, 1.0)


def _traffic(rng: np.random.Generator) -> np.ndarray:
    """Cars pass outside; the window keeps the treble out."""
    t = np.arange(round(LOOP_S * SAMPLE_RATE)) / SAMPLE_RATE
    out = 0.3 * _colored(rng, LOOP_S, 1.5)
    for when in rng.uniform(0.0, LOOP_S, int(rng.integers(2, 8))):
        near = rng.uniform(1.0, 4.0)
        # Loops join seamlessly: who passes at the end passes at the beginning, too.
        away = np.abs(t - when)
        away = np.minimum(away, LOOP_S - away)
        passing = rng.uniform(0.5, 2.0) / (1.0 + (away / near) ** 2)
        out = out + passing * _colored(rng, LOOP_S, rng.uniform(0.8, 1.6))
        if rng.random() < 0.4:
            engine = voiced(rng.uniform(25, 70) * (1 + 0.02 * np.sin(t / 2.0)), 15, 0.8)
            out = out + 0.5 * passing * engine / np.std(engine)
    sos = signal.butter(2, rng.uniform(300, 1200), 'lowpass', fs=SAMPLE_RATE, output='sos')
    return signal.sosfilt(sos, out) + 0.02 * _colored(rng, LOOP_S, 1.0)


def _water(rng: np.random.Generator) -> np.ndarray:
    pipe = hiss(rng, LOOP_S, rng.uniform(150, 500), rng.uniform(1500, 6000))
    flow = bubbles(rng, LOOP_S, rng.uniform(40, 150), 250, 3000)
    mixed = rng.uniform(0.3, 1.0) * pipe + flow / np.std(flow)
    return mixed * _swell(rng, LOOP_S, 1.0, 2.0)


_DRAW: dict[str, Draw] = {
    'clock': _clock,
    'fan': _fan,
    'hum': _hum,
    'rain': _rain,
    'traffic': _traffic,
    'water': _water,
}
#: Names, in the order of the table; what is added to it is among them.
AMBIENT_KINDS = _DRAW.keys()
