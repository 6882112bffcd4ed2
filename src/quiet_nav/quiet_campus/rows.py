"""What the files of a row hold: its sound, its images, its distances."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.quiet_campus.folders import MOTION_DEPTH_M
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.sound.windows import SAMPLE_RATE


def read_image(path: str | Path) -> np.ndarray:
    """Return an image file as uint8 RGB, shape (h, w, 3).

    Raises QuietNavError where the file is missing, cut short or no image.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.array(image.convert('RGB'))
    except (OSError, ValueError, SyntaxError) as error:
        first = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise QuietNavError(f'{path}: no readable image ({first})') from error


def duration_s(row: Row) -> float:
    """Return the length of a row's recording in seconds."""
    info = _sound_info(row.audio)
    return info.frames / info.samplerate


def read_audio(row: Row, start_s: float, length_s: float) -> np.ndarray:
    """Return float32 samples at 16 kHz, shape (samples,); short files are padded by wrapping.

    Raises QuietNavError where the file is no 16 kHz audio or has no such channel.
    """
    info = _sound_info(row.audio)
    if info.samplerate != SAMPLE_RATE:
        raise QuietNavError(f'{row.audio}: {info.samplerate} Hz, expected {SAMPLE_RATE}')
    if row.channel >= info.channels:
        raise QuietNavError(f'{row.audio}: no channel {row.channel} in {info.channels}')
    wanted = round(length_s * SAMPLE_RATE)
    start = min(max(round(start_s * SAMPLE_RATE), 0), max(info.frames - wanted, 0))
    samples, _ = soundfile.read(
        row.audio, frames=wanted, start=start, dtype='float32', always_2d=True
    )
    mono = samples.mean(axis=1) if row.channel < 0 else samples[:, row.channel]
    return mono if len(mono) == wanted else np.resize(mono, wanted)


def with_distance(row: Row) -> Row:
    """Return the row with the distance its depth image or annotation says, if it had none."""
    if not math.isnan(row.distance_m):
        return row
    if row.frame < 0:
        return replace(row, distance_m=float(read_annotation(row)['depth']))
    return replace(row, distance_m=_motion_depth(row.depth_image))


def motion_distances(row: Row) -> np.ndarray:
    """Return the distance at every frame of a motion recording, metres, shape (frames,).

    From the annotation where it has them all, else from the depth images.
    """
    if (row.folder / 'annotation.json').is_file():
        said = read_annotation(row).get('depth')
        if isinstance(said, list):
            return np.array(said, float)
    count = len(list((row.folder / 'Depth').glob('d*.png')))
    if not count:
        raise QuietNavError(f'{row.folder}: neither distances in its annotation nor depth images')
    return np.array([_motion_depth(row.folder / 'Depth' / f'd{i:03d}.png') for i in range(count)])


def read_annotation(row: Row) -> dict:
    """Return ``annotation.json`` of a place or of a recording."""
    path = row.folder / 'annotation.json'
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise QuietNavError(f'{path}: annotation cannot be read ({error})') from error


def _motion_depth(path: Path) -> float:
    import matplotlib.image

    depth = matplotlib.image.imread(path)
    # Matplotlib scales a 16-bit PNG to 0..1 by 65535; the format counts metres by 2**16.
    return float(_central(depth).mean() * (MOTION_DEPTH_M * 65535 / 2**16))


def _central(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return image[height // 4 : height // 4 * 3, width // 4 : width // 4 * 3]


def _sound_info(path: Path) -> soundfile._SoundFileInfo:
    try:
        return soundfile.info(str(path))
    except (RuntimeError, OSError) as error:
        raise QuietNavError(f'{path}: no readable audio ({error})') from error
