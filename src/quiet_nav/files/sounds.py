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

"""Reading sound files that others made, whole ones alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import os
from pathlib import Path
import struct
from typing import BinaryIO

import numpy as np
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import open_regular

#: Of one call, over all channels: two hours of one microphone at 16 kHz.
MOST_SAMPLES = 120_000_000
#: What recorders write for a length that they do not know yet, or a little less.
_UNKNOWN = 0x7FFF_0000
_MOST_CHUNKS = 100


@dataclass(frozen=True)
class SoundInfo:
    """What a sound file says about itself; ``subtype`` as libsndfile calls it (PCM_16, ...)."""

    frames: int
    channels: int
    sample_rate: int
    subtype: str

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate


def sound_info(path: str | Path) -> SoundInfo:
    """
    Return what a sound file says about itself.

    Raises QuietNavError where the file cannot be read, is no audio, does not say how long it is,
    or is shorter than it says.
    """
    with _opened(path) as sound:
        return _info(sound)


def read_sound(
    path: str | Path, start: int = 0, frames: int = -1, most_samples: int = MOST_SAMPLES
) -> tuple[np.ndarray, int]:
    """
    Return float32 samples, shape (frames, channels), and the sample rate.

    start, frames: which part; -1 for everything from there on, and what lies beyond the end is
    left out. Errors as for ``sound_info``, and for damaged or too much sound.
    """
    with _opened(path) as sound:
        info = _info(sound)
        start = min(max(start, 0), info.frames)
        wanted = info.frames - start if frames < 0 else min(frames, info.frames - start)
        if wanted * info.channels > most_samples:
            raise QuietNavError(
                f'{path}: {wanted} frames of {info.channels} channels, expected '
                f'{most_samples // info.channels} at most'
            )
        try:
            sound.seek(start)
            samples = sound.read(wanted, dtype='float32', always_2d=True)
        except (RuntimeError, OSError, ValueError) as error:
            raise QuietNavError(f'{path}: the audio is damaged ({_reason(error)})') from error
        if len(samples) != wanted:
            raise QuietNavError(
                f'{path}: the audio is cut short: {len(samples)} frames of {wanted} are there'
            )
        return samples, info.sample_rate


@contextmanager
def _opened(path: str | Path) -> Iterator[soundfile.SoundFile]:
    with open_regular(path) as file:
        missing = _missing_bytes(file)
        if missing:
            raise QuietNavError(
                f'{path}: the audio is cut short: {missing} bytes fewer than its header says'
            )
        # The descriptor's own place: the file object reads ahead.
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        try:
            sound = soundfile.SoundFile(file.fileno(), closefd=False)
        except (RuntimeError, OSError, ValueError, TypeError) as error:
            raise QuietNavError(f'{path}: no readable audio ({_reason(error)})') from error
        with sound:
            if sound.frames >= 2**62:
                raise QuietNavError(
                    f'{path}: its header does not say how long the audio is; write it anew, for '
                    'example with `sox` or `ffmpeg`, into a file and not into a pipe'
                )
            yield sound


def _info(sound: soundfile.SoundFile) -> SoundInfo:
    return SoundInfo(sound.frames, sound.channels, sound.samplerate, sound.subtype)


def _missing_bytes(file: BinaryIO) -> int:
    """Return by how many bytes a WAV file is shorter than its header says; libsndfile hides it."""
    if file.read(4) != b'RIFF' or file.read(8)[4:] != b'WAVE':
        return 0
    for _ in range(_MOST_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return 0
        name, size = header[:4], struct.unpack('<I', header[4:])[0]
        if name == b'data':
            begin = file.tell()
            there = file.seek(0, 2) - begin
            return max(size - there, 0) if size < _UNKNOWN else 0
        file.seek(size + size % 2, 1)
    return 0


def _reason(error: Exception) -> str:
    text = getattr(error, 'error_string', '') or str(error)
    return ' '.join(text.split())[:160] or type(error).__name__
