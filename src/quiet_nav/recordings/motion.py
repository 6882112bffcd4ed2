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

"""Moving stretches of bags as recordings of the SFS-Motion form: sound, depth at 15 frames/s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quiet_nav.files.writing import whole_folder
from quiet_nav.perception.message_fields import Image
from quiet_nav.perception.messages import pixels_from_msg
from quiet_nav.quiet_campus.folders import (
    write_annotation,
    write_color,
    write_motion_depth,
    write_sound,
)
from quiet_nav.quiet_campus.lists import MOTION_FPS
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.depth import decode_depth, DepthTrack
from quiet_nav.recordings.labeling import (
    channels_kept,
    LabelSettings,
    millimeters,
    nearest,
    nearest_images,
)
from quiet_nav.recordings.playback import events, hear, Moved, Seen, Wav
from quiet_nav.recordings.stretches import StillStretches, Stretch
from quiet_nav.sound.receiver import AudioReceiver
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import find_fault
from quiet_nav.sound.windows import SAMPLE_RATE, WINDOW_S

#: An image stands for a frame where it was taken at most so much before or after it.
MOST_OFF_S = 0.25
#: The names of frames have three digits.
_MOST_FRAMES = 1000


@dataclass(frozen=True)
class MotionLabeled:
    """What became of a bag's moving stretches: names of the recordings, seconds kept and not."""

    recordings: tuple[str, ...]
    kept_s: float
    left_out: Counter[str]


@dataclass(frozen=True)
class _Piece:
    """A recording to be: its frames' times (ns), and the distance at each (meters)."""

    name: str
    times_ns: np.ndarray
    distances_m: np.ndarray

    @property
    def start_ns(self) -> int:
        return int(self.times_ns[0])

    @property
    def duration_s(self) -> float:
        return len(self.times_ns) / MOTION_FPS


def label_motion(
    path: str | Path, room: str, root: Path, settings: LabelSettings, wav: Wav | None = None
) -> MotionLabeled:
    """
    Write ``root/ProcessedData/BAG-NNN`` for every stretch of at least 3 s in which it moved.

    A frame takes the depth and color image nearest to it in time, at most 0.25 s off; sound and
    depth without a break, at most ``settings.longest_s``. Raises as ``label_bag`` does.
    """
    with Bag(path) as bag:
        topics = find_topics(bag, settings.topics)
        depth, moving = _look(bag, topics, settings.depth_mean)
        pieces, left = _pieces(bag.name, moving, depth, settings)
        folders: list[Path] = []
        with contextlib.ExitStack() as stack:

            def write(piece: _Piece, samples: np.ndarray) -> None:
                folder = stack.enter_context(whole_folder(root / 'ProcessedData' / piece.name))
                _write(folder, piece, samples, bag.name, room)
                folders.append(folder)

            heard, silent = _hear(bag, topics, wav, pieces, settings, write)
            for topic, check, name, write_png in (
                (topics.depth, decode_depth, 'Depth/d', _depth_png),
                (topics.color, pixels_from_msg, 'RGB/c', _color_png),
            ):
                _write_images(bag, topic, check, heard, folders, name, write_png)
    kept_s = sum(piece.duration_s for piece in heard)
    return MotionLabeled(tuple(p.name for p in heard), kept_s, +(left + silent))


def _look(bag: Bag, topics: BagTopics, mean: str) -> tuple[DepthTrack, list[Stretch]]:
    depth, standing = DepthTrack(), StillStretches()
    for _, event in events(bag, topics, sound=False, depth_mean=mean):
        if isinstance(event, Seen):
            depth.add(event.stamp_ns, event.distance)
        elif isinstance(event, Moved):
            standing.add(event.stamp_ns, event.pose)
    return depth, standing.moving(WINDOW_S)


def _pieces(
    bag: str, moving: Sequence[Stretch], depth: DepthTrack, settings: LabelSettings
) -> tuple[list[_Piece], Counter[str]]:
    """Cut stretches where depth is missing and where they are too long."""
    times, distances = depth.times_ns, depth.distances_m
    most = min(round(settings.longest_s * MOTION_FPS), _MOST_FRAMES)
    least = round(WINDOW_S * MOTION_FPS)
    pieces: list[_Piece] = []
    left: Counter[str] = Counter()
    for stretch in moving:
        count = int(stretch.duration_s * MOTION_FPS)
        frames = stretch.start_ns + np.arange(count) * 1_000_000_000 // MOTION_FPS
        near = nearest(times, frames)
        seen = np.abs(times[near] - frames) <= MOST_OFF_S * 1e9
        blind_s = round(float((~seen).sum()) / MOTION_FPS, 3)
        left['no depth while the robot moved'] += blind_s  # type: ignore[assignment]  # seconds
        edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(int)))
        for begin, end in edges.reshape(-1, 2):
            for first in range(begin, end, most):
                part = slice(first, min(first + most, end))
                if part.stop - part.start < least:
                    short_s = round((part.stop - part.start) / MOTION_FPS, 3)
                    left['moved too short'] += short_s
                    continue
                name = f'{bag}-{len(pieces):03d}'
                pieces.append(_Piece(name, frames[part], distances[near[part]]))
    return pieces, left


def _hear(
    bag: Bag,
    topics: BagTopics,
    wav: Wav | None,
    pieces: Sequence[_Piece],
    settings: LabelSettings,
    write: Callable[[_Piece, np.ndarray], None],
) -> tuple[list[_Piece], Counter[str]]:
    """Give ``write`` the pieces with their sound; return those, and why others have none."""
    receiver = AudioReceiver(settings.longest_s + 10.0)
    waiting = list(pieces)
    found: list[_Piece] = []
    left: Counter[str] = Counter()

    def take(stream: AudioStream, ended: bool = False) -> None:
        while waiting:
            piece = waiting[0]
            count = round(piece.duration_s * SAMPLE_RATE)
            end_ns = piece.start_ns + round(piece.duration_s * 1e9)
            if not ended and stream.end_ns < end_ns:
                return
            waiting.pop(0)
            channels = channels_kept(settings, stream.channels)
            windows = [stream.ending_at(end_ns, channel, count) for channel in channels]
            faults = [fault for fault in map(find_fault, windows) if fault is not None]
            if faults:
                left[faults[0].kind.value] += piece.duration_s  # type: ignore[assignment]  # seconds
                continue
            write(piece, np.stack([window.samples for window in windows]))
            found.append(piece)

    for _, event in events(bag, topics, wav, depth=False):
        stream = hear(receiver, event)
        if stream is not None and stream.has_sound:
            take(stream)
    if receiver.stream is not None:
        take(receiver.stream, ended=True)
    return found, left


def _write(folder: Path, piece: _Piece, samples: np.ndarray, bag: str, room: str) -> None:
    for name in ('Audio', 'RGB', 'Depth'):
        (folder / name).mkdir()
    write_sound(folder / 'Audio' / 'sound.wav', samples)
    annotation = {
        'Audio Length': piece.duration_s,
        'depth': [round(float(d), 6) for d in piece.distances_m],
        'frames a second': MOTION_FPS,
        'bag': bag,
        'room': room,
        'start_ns': piece.start_ns,
    }
    write_annotation(folder / 'annotation.json', annotation)


def _write_images(
    bag: Bag,
    topic: str,
    check: Callable[[Image], object],
    pieces: Sequence[_Piece],
    folders: Sequence[Path],
    name: str,
    write: Callable[[Path, Image], None],
) -> None:
    """Write for every frame the nearest image that can be used, one image in memory at a time."""
    if not pieces:
        return
    every = np.concatenate([piece.times_ns for piece in pieces])
    where = [(f, i) for f, p in zip(folders, pieces, strict=True) for i in range(len(p.times_ns))]
    for frames, message in nearest_images(bag, topic, every, check):
        for frame in frames:
            folder, i = where[frame]
            write(folder / f'{name}{i:03d}.png', message)


def _depth_png(path: Path, message: Image) -> None:
    write_motion_depth(path, millimeters(message))


def _color_png(path: Path, message: Image) -> None:
    write_color(path, pixels_from_msg(message))
