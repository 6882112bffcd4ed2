"""Recordings as sources: clips read from a folder, at 16 kHz, mono and at unit level."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.windows import SAMPLE_RATE

SUFFIXES = ('.ogg', '.wav', '.flac')
_CROSSFADE = 1600


def list_clips(folder: str | Path, prefix: str) -> list[str]:
    """Return sorted names of sound files in ``folder`` that begin with ``prefix``.

    ``ambient-*`` are continuous sounds, ``event-*`` distractors. Raises QuietNavError where
    the folder is not there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise QuietNavError(
            f'sounds folder {folder} is not there; expected a folder of '
            'ambient-* and event-* sound files'
        )
    return sorted(
        p.name for p in folder.iterdir() if p.name.startswith(prefix) and p.suffix in SUFFIXES
    )


@functools.lru_cache(maxsize=64)
def load_clip(path: str) -> np.ndarray:
    """Return a recording without its silent ends, float32, mono, 16 kHz, unit RMS, (n,)."""
    import soundfile
    import soxr
    from scipy import signal

    try:
        samples, rate = soundfile.read(path, dtype='float32', always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise QuietNavError(f'sound {path}: cannot be read ({error})') from error
    mono = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE)
    loud = np.flatnonzero(np.abs(mono) > 10 ** (-50 / 20) * np.abs(mono).max(initial=0.0))
    if loud.size < SAMPLE_RATE // 20:
        raise QuietNavError(f'sound {path}: shorter than 0.05 s or silent')
    mono = mono[loud[0] : loud[-1] + 1]
    mono = signal.sosfilt(signal.butter(2, 30.0, 'highpass', fs=SAMPLE_RATE, output='sos'), mono)
    mono = (mono / np.sqrt(np.mean(mono**2))).astype(np.float32)
    mono.flags.writeable = False
    return mono


@functools.lru_cache(maxsize=32)
def _loop(path: str) -> np.ndarray:
    clip = load_clip(path)
    fade = min(_CROSSFADE, len(clip) // 2)
    angle = np.linspace(0.0, np.pi / 2, fade, dtype=np.float32)
    loop = clip[: len(clip) - fade].copy()
    loop[:fade] = np.sin(angle) * clip[:fade] + np.cos(angle) * clip[len(clip) - fade :]
    return loop


def looped(path: str, start: int, count: int) -> np.ndarray:
    """Return samples of a clip repeated without end, cross-faded at the seam, (count,)."""
    loop = _loop(path)
    return loop[np.arange(start, start + count) % len(loop)]
