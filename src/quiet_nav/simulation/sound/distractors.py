"""Distractor events: sounds that come and go over the ambience (paper, A.7)."""

from __future__ import annotations

from dataclasses import dataclass
import functools
from pathlib import Path

import numpy as np
from scipy import signal

from quiet_nav.simulation.sound.clips import load_clip
from quiet_nav.simulation.sound.event_kinds import footstep, MORE_EVENTS
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import generator

#: What events were first drawn from; trials and plain rooms still are.
FIRST_KINDS = ('speech', 'dog', 'sneeze')
EVENT_KINDS = (*FIRST_KINDS, *MORE_EVENTS)


@dataclass(frozen=True)
class Event:
    """
    A distractor: kind, where (m), when (s), and how far the ambience is above it (dB).

    snr_db: mean level of the ambience in the room over the mean level of the event while it
    sounds, so 0 is as loud and -10 is 10 dB louder than the ambience.
    recording: a clip instead of a synthetic sound.
    """

    kind: str
    position: tuple[float, float, float]
    start_s: float
    stream: int
    snr_db: float = 0.0
    recording: str = ''


def event_samples(event: Event, seed: int, sounds: str = '') -> np.ndarray:
    """Return the event from its start, float32, unit RMS, shape (n,), 16 kHz."""
    if event.recording:
        return load_clip(str(Path(sounds) / event.recording))
    return _synthetic(event.kind, seed, event.stream)


@functools.lru_cache(maxsize=64)
def _synthetic(kind: str, seed: int, stream: int) -> np.ndarray:
    rng = generator(seed, 'event', stream)
    draw = {**_FIRST, 'step': footstep, **MORE_EVENTS}[kind]
    samples = draw(rng)
    samples = (samples / np.sqrt(np.mean(samples**2))).astype(np.float32)
    samples.flags.writeable = False
    return samples


def _speech(rng: np.random.Generator) -> np.ndarray:
    """Syllables: a glottal pulse train or breath noise through three moving formants."""
    pitch, pieces = rng.uniform(90, 220), []
    for _ in range(int(rng.integers(6, 13))):
        n = int(rng.uniform(0.12, 0.28) * SAMPLE_RATE)
        if rng.random() < 0.75:
            contour = pitch * (1 + rng.uniform(-0.15, 0.15) * np.linspace(-1, 1, n))
            phase = np.cumsum(contour) / SAMPLE_RATE
            excitation = np.diff(np.floor(phase), prepend=0.0) - pitch / SAMPLE_RATE
            formants = rng.uniform((300, 900, 2200), (800, 2000, 3000))
        else:
            excitation = 0.1 * rng.standard_normal(n)
            formants = rng.uniform((2000, 3000, 4500), (3000, 4500, 6500))
        voice = sum(
            signal.lfilter(*signal.iirpeak(f, f / 90.0, fs=SAMPLE_RATE), excitation) / (1 + i)
            for i, f in enumerate(formants)
        )
        pieces.append(voice * signal.windows.tukey(n, 0.5) * rng.uniform(0.5, 1.0))
        pieces.append(np.zeros(int(rng.uniform(0.01, 0.12) * SAMPLE_RATE)))
    return np.concatenate(pieces)


def _dog(rng: np.random.Generator) -> np.ndarray:
    """Barks: falling harmonic glides with noise, 0.15 s or so each."""
    pieces = []
    for _ in range(int(rng.integers(1, 5))):
        n = int(rng.uniform(0.1, 0.22) * SAMPLE_RATE)
        glide = rng.uniform(350, 800) * np.interp(np.arange(n), (0, 0.2 * n, n), (0.7, 1.0, 0.6))
        phase = 2 * np.pi * np.cumsum(glide) / SAMPLE_RATE
        bark = sum(np.sin(k * phase) / k**0.7 for k in range(1, 9))
        bark = bark + 0.8 * rng.standard_normal(n)
        pieces.append(bark * np.exp(-np.arange(n) / (0.4 * n)) * signal.windows.tukey(n, 0.2))
        pieces.append(np.zeros(int(rng.uniform(0.1, 0.5) * SAMPLE_RATE)))
    return np.concatenate(pieces)


def _sneeze(rng: np.random.Generator) -> np.ndarray:
    """Return a drawn breath, then a broad burst that dies away."""
    breath = int(rng.uniform(0.2, 0.5) * SAMPLE_RATE)
    burst = int(rng.uniform(0.25, 0.45) * SAMPLE_RATE)
    inhale = 0.08 * rng.standard_normal(breath) * np.linspace(0, 1, breath) ** 2
    blow = rng.standard_normal(burst) * np.exp(-np.arange(burst) / (0.25 * burst))
    sos = signal.butter(
        2,
        (rng.uniform(300, 700), rng.uniform(4000, 7000)),
        'bandpass',
        fs=SAMPLE_RATE,
        output='sos',
    )
    return signal.sosfilt(sos, np.concatenate([inhale, blow]))


_FIRST = {'speech': _speech, 'dog': _dog, 'sneeze': _sneeze}
