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

"""Recordings as sources: clips read from a folder, at 16 kHz, mono and at unit level."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.csv_files import read_csv
from quiet_nav.files.sounds import read_sound
from quiet_nav.sound.windows import SAMPLE_RATE

SUFFIXES = ('.ogg', '.wav', '.flac')
#: Where ESC-50 (K. J. Piczak, ACM Multimedia 2015), as published, has its list and its files.
ESC50_LIST, ESC50_AUDIO = 'meta/esc50.csv', 'audio'
#: What its classes are to a robot in a room; ours first, so that events of one kind are found.
_ESC50 = {
    **dict.fromkeys(('rain', 'thunderstorm'), 'ambient-rain'),
    **dict.fromkeys(('sea_waves', 'pouring_water', 'water_drops'), 'ambient-water'),
    **dict.fromkeys(('wind', 'crackling_fire', 'crickets'), 'ambient-outside'),
    **dict.fromkeys(('engine', 'airplane', 'train'), 'ambient-traffic'),
    **dict.fromkeys(('clock_tick',), 'ambient-clock'),
    **dict.fromkeys(('washing_machine',), 'ambient-machine'),
    **dict.fromkeys(('crying_baby',), 'event-baby'),
    **dict.fromkeys(('sneezing',), 'event-sneeze'),
    **dict.fromkeys(('clapping',), 'event-clap'),
    **dict.fromkeys(('coughing',), 'event-cough'),
    **dict.fromkeys(('laughing',), 'event-laugh'),
    **dict.fromkeys(('door_wood_knock',), 'event-knock'),
    **dict.fromkeys(('door_wood_creaks',), 'event-creak'),
    **dict.fromkeys(('keyboard_typing', 'mouse_click'), 'event-keyboard'),
    **dict.fromkeys(('vacuum_cleaner',), 'event-vacuum'),
    **dict.fromkeys(('clock_alarm',), 'event-alarm'),
    **dict.fromkeys(('glass_breaking',), 'event-glass'),
    **dict.fromkeys(('car_horn',), 'event-horn'),
}
_CROSSFADE = 1600


def list_clips(folder: str | Path, prefix: str) -> list[str]:
    """
    Return sorted names, below ``folder``, of its sound files of a kind.

    A folder of ``ambient-*`` (continuous sounds) and ``event-*`` (distractors) files, of which
    those are listed that begin with ``prefix``; or ESC-50 as published, whose classes are taken
    for ambience or events of our kinds.
    Raises QuietNavError where the folder is not there, or ESC-50's list cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise QuietNavError(
            f'sounds folder {folder} is not there; expected a folder of ambient-* and event-* '
            'sound files, or ESC-50 as published'
        )
    if (folder / ESC50_LIST).is_file():
        return sorted(name for name, kind in _esc50(folder / ESC50_LIST) if kind.startswith(prefix))
    return sorted(
        p.name for p in folder.iterdir() if p.name.startswith(prefix) and p.suffix in SUFFIXES
    )


@functools.lru_cache(maxsize=4)
def _esc50(path: Path) -> tuple[tuple[str, str], ...]:
    """Name below the folder and kind of every sound on ESC-50's list."""
    listed = read_csv(path, ('filename', 'category'), f'{path} (the list of ESC-50)')
    rows = [(row['filename'], row['category']) for _, row in listed]
    # Every other class is an event of a kind of its own.
    kinds = [(n, _ESC50.get(c, f'event-{c}')) for n, c in rows if n and c]
    return tuple((f'{ESC50_AUDIO}/{name}', kind) for name, kind in kinds)


@functools.lru_cache(maxsize=64)
def load_clip(path: str) -> np.ndarray:
    """Return a recording without its silent ends, float32, mono, 16 kHz, unit RMS, (n,)."""
    from scipy import signal
    import soxr

    samples, rate = read_sound(path)
    mono = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE)
    loud = np.flatnonzero(np.abs(mono) > 10 ** (-50 / 20) * np.abs(mono).max(initial=0.0))
    if loud.size < SAMPLE_RATE // 20:
        raise QuietNavError(f'sound {path}: shorter than 0.05 s or silent')
    mono = mono[loud[0] : loud[-1] + 1]
    mono = signal.sosfilt(signal.butter(2, 30.0, 'highpass', fs=SAMPLE_RATE, output='sos'), mono)
    mono = (mono / np.sqrt(np.mean(mono**2))).astype(np.float32)
    mono.flags.writeable = False
    return mono


def crossfaded(clip: np.ndarray) -> np.ndarray:
    """Return a clip whose end fades into its beginning, a little shorter, (n,)."""
    fade = min(_CROSSFADE, len(clip) // 2)
    angle = np.linspace(0.0, np.pi / 2, fade, dtype=np.float32)
    loop = clip[: len(clip) - fade].copy()
    loop[:fade] = np.sin(angle) * clip[:fade] + np.cos(angle) * clip[len(clip) - fade :]
    return loop


@functools.lru_cache(maxsize=32)
def recorded_loop(path: str) -> np.ndarray:
    """Return a recording to be repeated without end, cross-faded at the seam, (n,)."""
    return crossfaded(load_clip(path))


def repeated(loop: np.ndarray, start: int, count: int) -> np.ndarray:
    """Return samples of a loop repeated without end, (count,)."""
    return loop[np.arange(start, start + count) % len(loop)]
