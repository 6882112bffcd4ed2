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

"""Spectra of every window of a data set, computed once and kept: what a context trains on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
import contextlib
from dataclasses import dataclass
from functools import partial
import os
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from rich.progress import track
import torch
from torch import nn

from quiet_nav.errors import QuietNavError
from quiet_nav.files.sounds import read_sound
from quiet_nav.files.writing import whole_file
from quiet_nav.geometry import Side
from quiet_nav.learning.detectors.context.frontend import (
    banded,
    coherence,
    cross_power,
    FramePower,
    log_power,
)
from quiet_nav.perception.context import CLIP_FRAMES, FRAMES
from quiet_nav.quiet_campus.annotation import read_annotation
from quiet_nav.quiet_campus.lists import Row
from quiet_nav.sound.windows import SAMPLE_RATE, WINDOW_SAMPLES

#: Data sets that have windows of 3 s to compare.
#: Frames of a window at which its three parts begin: each is a clip, together the window.
PARTS = (0, 15, FRAMES - CLIP_FRAMES)
#: Windows of one place: now, 6 s later, 6 s later and turned by 180 degrees (SFS-Robot); three
#: pieces of one recording (one microphone).
MOMENTS = 3
_FILES = ('sound.wav', 'later.wav', 'turned.wav')
_VERSION = 3
#: Ears whose coherence is kept.
PAIRS = ((0, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class FrontEnd:
    """
    How windows become spectra.

    name: of what is kept, '' for the context detector's. frames: makes the module that gives
    cosine and sine parts of frames. banded, cross_power: of bins, in bands.
    """

    name: str
    frames: Callable[[], nn.Module]
    banded: Callable[[torch.Tensor], torch.Tensor]
    cross_power: Callable[..., torch.Tensor]


class _Parts(FramePower):
    def forward(self, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.parts(waveform)


#: Of the context detector: 160 bands up to 3 kHz.
CONTEXT = FrontEnd('', _Parts, banded, cross_power)


@dataclass(frozen=True)
class RoomSpectra:
    """
    One room. P places, M = 3 moments, E ears, 3 parts of a window, B bands of a front end.

    power: natural log of mean power, float16, (P, M, E, 3, B); steadiness likewise: log of mean
    minus mean of log. coherence: complex, of ``PAIRS`` that the rig has, float16,
    (P, M, pairs, 3, 2, B). distance_m (P, M, E), NaN where unknown. near (P, M, E): the label.
    bearing_rad (M, E): of each ear in base_link of the first moment. turning: ears of a rig.
    """

    room: str
    power: np.ndarray
    steadiness: np.ndarray
    coherence: np.ndarray
    distance_m: np.ndarray
    near: np.ndarray
    bearing_rad: np.ndarray
    rig: bool


def load_rooms(
    rows: Sequence[Row], cache: Path, workers: int = 0, front: FrontEnd = CONTEXT
) -> list[RoomSpectra]:
    """Return the spectra of every room in the rows; a room once computed is kept in ``cache``."""
    folders: dict[str, dict[Path, Row]] = {}
    for row in rows:
        if row.near is not None:
            # Rooms of two data sets may bear the same name.
            campus = row.audio.parents[3]
            name = f'{campus.parent.name}-{campus.name}-{row.room}'
            folders.setdefault(name, {}).setdefault(row.folder, row)
    cache.mkdir(parents=True, exist_ok=True)
    jobs = [(room, list(places.values())) for room, places in sorted(folders.items())]
    read = partial(_cached_room, cache=cache, front=front)
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        found = pool.map(read, jobs, chunksize=1)
        rooms = list(track(found, 'Spectra', total=len(jobs), transient=True))
    return [room for room in rooms if len(room.power) > 1]


def _cached_room(job: tuple[str, list[Row]], cache: Path, front: FrontEnd) -> RoomSpectra:
    name, rows = job
    of = f'.{front.name}' if front.name else ''
    kept = cache / f'{name}{of}.v{_VERSION}.npz'
    # What is damaged or of another version is made anew.
    damaged = contextlib.suppress(OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile)
    with damaged, np.load(kept) as arrays:
        return RoomSpectra(name, **{k: arrays[k] for k in arrays if k != 'rig'},
                               rig=bool(arrays['rig']))  # fmt: skip
    torch.set_num_threads(1)
    frames = front.frames()
    rig = rows[0].side is not None
    made = [_pose(row, front, frames) if rig else _place(row, front, frames) for row in rows]
    parts = [np.stack(values) for values in zip(*(m[:5] for m in made), strict=True)]
    room = RoomSpectra(name, *parts, bearing_rad=made[0][5], rig=rig)
    with whole_file(kept, overwrite=True) as part:
        np.savez(part, **{k: v for k, v in vars(room).items() if k != 'room'})
    return room


def window_spectra(
    samples: np.ndarray, front: FrontEnd, frames: nn.Module
) -> tuple[np.ndarray, ...]:
    """
    Return log power and steadiness of a window's parts, float16, (E, 3, B) each.

    And the coherence of the ears of ``PAIRS``, (pairs, 3, 2, B). frames: made by the front end.
    """
    with torch.no_grad():
        ears = frames(torch.from_numpy(np.ascontiguousarray(samples, np.float32)))

        def cut(every: torch.Tensor) -> torch.Tensor:
            return torch.stack([every[:, p : p + CLIP_FRAMES] for p in PARTS], dim=1)

        pieces = cut(front.banded(ears[0] ** 2 + ears[1] ** 2))
        power = pieces.mean(2)
        loud = log_power(power)
        steady = loud - log_power(pieces).mean(2)
        pairs = [pair for pair in PAIRS if max(pair) < len(samples)]
        one, other = ([p[i] for p in pairs] for i in (0, 1))
        both = (ears[0][one], ears[1][one]), (ears[0][other], ears[1][other])
        cross = cut(front.cross_power(*both))
        alike = coherence(cross.mean(2), power[one], power[other])
    return tuple(v.numpy().astype(np.float16) for v in (loud, steady, alike))


def _pose(row: Row, front: FrontEnd, frames: nn.Module) -> tuple[np.ndarray, ...]:
    folder = row.folder
    said = read_annotation(folder, 'ears', 'turned')
    if len(said.ears) != len(said.turned):
        raise QuietNavError(f'{folder}: {len(said.ears)} ears, turned {len(said.turned)}')
    channels = [ear.channel for ear in said.ears]
    both = []
    for name in _FILES:
        audio = _read(folder / name)
        if max(channels) >= len(audio):
            raise QuietNavError(f'{folder / name}: no channel {max(channels)} in {len(audio)}')
        both.append(window_spectra(audio[channels], front, frames))
    now, turned = (np.array([e.distance for e in ears]) for ears in (said.ears, said.turned))
    distance = np.stack([now, now, turned])
    near = np.stack([[e.near for e in ears] for ears in (said.ears, said.ears, said.turned)])
    sides = np.array([Side[e.side].yaw_rad for e in said.ears])
    bearing = np.stack([sides, sides, sides + np.pi])
    power, steady, alike = (np.stack(part) for part in zip(*both, strict=True))
    return power, steady, alike, distance, near, bearing


def _place(row: Row, front: FrontEnd, frames: nn.Module) -> tuple[np.ndarray, ...]:
    audio = _read(row.audio).mean(0)
    room = len(audio) - WINDOW_SAMPLES
    if room < 0:
        raise QuietNavError(
            f'{row.audio}: {len(audio) / 16000:.2f} s long; a context needs windows of 3 s'
        )
    starts = np.linspace(0, room, MOMENTS).astype(int)
    pieces = np.stack([audio[s : s + WINDOW_SAMPLES] for s in starts])
    power, steady, _ = window_spectra(pieces, front, frames)
    alike = np.zeros((MOMENTS, 0, len(PARTS), 2, power.shape[-1]), np.float16)
    distance = np.full((MOMENTS, 1), row.distance_m)
    near = np.full((MOMENTS, 1), bool(row.near))
    return power[:, None], steady[:, None], alike, distance, near, np.zeros((MOMENTS, 1))


def _read(path: Path) -> np.ndarray:
    audio, rate = read_sound(path)
    if rate != SAMPLE_RATE:
        raise QuietNavError(f'{path}: {rate} Hz, expected {SAMPLE_RATE}')
    return np.ascontiguousarray(audio.T)


def window_log_power(room: RoomSpectra) -> np.ndarray:
    """Return the log of mean power over whole windows, float32, (P, M, E, B)."""
    return np.log(np.exp(room.power.astype(np.float32)).mean(-2))
