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

"""A robot's fingerprint from a recording of it, standing far from walls: a bag or a sound file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.fingerprint import Fingerprint
from quiet_nav.perception.interference_detector import InterferenceDetector
from quiet_nav.perception.rig import find_rig, Rig, rig_for
from quiet_nav.perception.rolling import channels_fault, RollingListener, RollingSettings, Tick
from quiet_nav.perception.standing_sound import (
    band_spectrum,
    beside_wall,
    Noted,
    StandingSound,
)
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.playback import events, hear, Moved
from quiet_nav.sound.files import PcmFile
from quiet_nav.sound.receiver import AudioReceiver
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import FaultKind, find_fault
from quiet_nav.sound.windows import WINDOW_S

#: As many places as a fingerprint keeps.
_MOST_PLACES = 32
_CHUNK_S = 0.5


@dataclass(frozen=True)
class Calibrated:
    """
    What a recording gave.

    places: windows that count, an ear. left_out: why windows do not, with how many. wall_m: how
    far the wall is that the fingerprint shows; None where it shows none.
    """

    fingerprint: Fingerprint
    rig: Rig
    places: int
    left_out: tuple[tuple[str, int], ...]
    wall_m: float | None


def calibrate(
    path: str | Path, robot: str, rig: str = '', topics: BagTopics | None = None
) -> Calibrated:
    """
    Make a robot's fingerprint from a bag, or a sound file with one channel an ear.

    robot: profile, by name or file. rig: '' for the one that fits the channels. Windows of 3 s
    count; of a bag with odometry those in which the robot stood, one a place or heading.
    Raises QuietNavError where the recording cannot be read, an ear is clipped by the own sound, or
    fewer than three windows are of use.
    """
    run = _Run(str(path), robot, rig)
    for listener_input in _of_bag(path, topics) if _is_bag(Path(path)) else _of_file(path):
        run.take(*listener_input)
    return run.result()


class _Run:
    """What one pass over a bag gathers."""

    def __init__(self, where: str, robot: str, rig: str) -> None:
        self._where, self._robot, self._rig_name = where, robot, rig
        self._standing: StandingSound | None = None
        self._listener: RollingListener | None = None
        self._early: list[Moved] = []
        self._stream: AudioStream | None = None
        self._left_out: Counter[str] = Counter()

    def take(self, stream: AudioStream | None, moved: Moved | None) -> None:
        if moved is not None:
            if self._listener is None:
                self._early.append(moved)
            else:
                self._listener.add_odometry(moved.stamp_ns, moved.pose)
        if stream is not None:
            self._stream = stream
            self._hear(stream)

    def _hear(self, stream: AudioStream, ended: bool = False) -> None:
        if self._listener is None:
            rig = self._rig_name
            chosen = find_rig(rig) if rig else rig_for(stream.channels, self._where)
            if fault := channels_fault(chosen, stream.channels):
                raise QuietNavError(f'{self._where}: {fault}')
            self._standing = StandingSound.of(chosen, self._robot)
            self._standing.begin_calibration(_MOST_PLACES)
            session = InterferenceDetector().session(standing=self._standing)
            settings = RollingSettings(rate_hz=1.0 / WINDOW_S)
            self._listener = RollingListener(session, chosen, settings)
            for moved in self._early:
                self._listener.add_odometry(moved.stamp_ns, moved.pose)
        for tick in self._listener.collect(stream, ended):
            self._note(tick)

    def _note(self, tick: Tick) -> None:
        assert self._standing is not None, 'sound before its rig'
        if tick.has_odometry and tick.pose is None:
            self._left_out['the robot moved'] += 1
            return
        faults = [find_fault(window) for window in tick.windows]
        for fault in faults:
            if fault is not None:
                self._left_out[fault.kind.value] += 1
        if any(faults):
            return
        self._standing.note(
            [
                Noted(w.channel, band_spectrum(w.samples), 0.0, w.end_ns, tick.pose, True)
                for w in tick.windows
            ]
        )

    def result(self) -> Calibrated:
        if self._stream is None or self._standing is None:
            raise QuietNavError(f'{self._where}: holds no sound')
        self._hear(self._stream, ended=True)
        standing, places = self._standing, self._standing.progress()
        made = standing.end_calibration() if standing.calibrating else standing.fingerprint
        left_out = tuple(self._left_out.most_common())
        clipped = self._left_out[FaultKind.CLIPPED.value]
        if clipped > places:
            raise QuietNavError(
                f'{self._where}: the own sound clips an ear in {clipped} windows, {places} are of '
                'use; lower the gain and record again'
            )
        if made is None:
            said = ', '.join(f'{count} of {reason}' for reason, count in left_out)
            raise QuietNavError(
                f'{self._where}: {places} windows of use; expected 3 or more of 3 s, the robot '
                f'standing far from walls{f" (left out: {said})" if said else ""}'
            )
        channel = next(iter(standing.rig.ears)).channel
        return Calibrated(
            fingerprint=made,
            rig=standing.rig,
            places=made.places(channel),
            left_out=left_out,
            wall_m=beside_wall(made, standing.rig, standing.profile),
        )


def _is_bag(path: Path) -> bool:
    return path.is_dir() or path.suffix in ('.bag', '.mcap', '.db3')


def _of_bag(
    path: str | Path, topics: BagTopics | None
) -> Iterator[tuple[AudioStream | None, Moved | None]]:
    with Bag(path) as bag:
        found = find_topics(bag, topics or BagTopics())
        receiver = AudioReceiver()
        for _, event in events(bag, replace(found, depth=''), depth=False):
            moved = event if isinstance(event, Moved) else None
            yield hear(receiver, event), moved


def _of_file(path: str | Path) -> Iterator[tuple[AudioStream | None, Moved | None]]:
    sound = PcmFile(path)
    stream, frames = AudioStream(sound.format), 0
    for data in sound.chunks(_CHUNK_S):
        stream.push_bytes(data, frames * 1_000_000_000 // sound.format.sample_rate)
        frames += len(data) // sound.format.frame_bytes
        yield stream, None
