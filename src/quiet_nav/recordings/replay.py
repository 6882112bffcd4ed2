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

"""The detector over a bag without ROS: the same windows and readings as the live node's."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.detector import Detector, DetectorSession
from quiet_nav.perception.interference_detector import load_detector
from quiet_nav.perception.odometry import OdometryFaultKind
from quiet_nav.perception.readings import parse_context, parse_question
from quiet_nav.perception.reference import RoomReference
from quiet_nav.perception.rig import find_rig, Rig, rig_for
from quiet_nav.perception.rolling import channels_fault, RollingListener, RollingSettings
from quiet_nav.perception.standing_sound import StandingSound
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.decisions import Decisions
from quiet_nav.recordings.depth import DepthTrack, VALID_PIXELS
from quiet_nav.recordings.playback import Event, events, hear, Info, Moved, Seen, spans_apart, Wav
from quiet_nav.sound.receiver import AudioReceiver
from quiet_nav.sound.stream import AudioStream

Progress = Callable[[float], None]
#: How often progress is told, in seconds of the bag.
_TELL_S = 1.0


@dataclass(frozen=True)
class ReplaySettings:
    """What a replay does; the defaults are those of the node near_wall."""

    #: A name, a path, or None for the one that ships.
    model: Path | str | None = None
    #: Name or YAML file; '' for the one that fits the number of channels.
    rig: str = ''
    #: What the model may use beside the window: alone, reference, other_ears, both.
    context: str = 'both'
    #: Which wall an ear is asked about, as the node's parameter.
    question: str = 'direction'
    #: Readings a second.
    rate_hz: float = 2.0
    #: Clips a window, for models of clips.
    clips: int = 20
    #: Of their places in the window; None: evenly spread.
    seed: int | None = None
    #: Of the model, a process.
    threads: int = 2
    #: Whether odometry tells that the robot moved.
    use_odometry: bool = True
    #: File of the room's reference to begin with.
    reference: Path | None = None
    #: Profile of the robot whose standing sound is heard; '' for none.
    own_sound: str = ''
    #: File of that sound's fingerprint.
    fingerprint: Path | None = None
    #: Whether depth images are read.
    depth: bool = True
    #: Which pixels the wall's distance is the mean of.
    depth_mean: str = VALID_PIXELS
    #: What is read of the bag.
    topics: BagTopics = field(default_factory=BagTopics)

    def anywhere(self) -> ReplaySettings:
        """Return the same with whole paths: a worker may stand in another folder."""
        rig = str(Path(self.rig).absolute()) if Path(self.rig).is_file() else self.rig
        own = self.own_sound
        own = str(Path(own).absolute()) if Path(own).is_file() else own
        reference, fingerprint = (p and p.absolute() for p in (self.reference, self.fingerprint))
        model = self.model.absolute() if isinstance(self.model, Path) else self.model
        return replace(
            self, model=model, rig=rig, reference=reference, own_sound=own, fingerprint=fingerprint
        )

    def load(self) -> Detector:
        """Open the model; QuietNavError where it cannot be used."""
        return load_detector(self.model or '', self.threads, self.clips)


@dataclass(frozen=True)
class Replayed:
    """
    What a replay found.

    depth: wall distances that the depth camera saw. has_depth: whether there are depth images at
    all. notes: what a user should know (gaps, changed formats, depth that never overlaps).
    sound_ns: time of the first and the last sound.
    """

    name: str
    path: Path
    model: str
    rig: Rig
    decisions: Decisions
    depth: DepthTrack
    has_depth: bool
    notes: tuple[str, ...]
    start_ns: int
    sound_ns: tuple[int, int]

    @property
    def duration_s(self) -> float:
        """Length of the sound in seconds."""
        return (self.sound_ns[1] - self.sound_ns[0]) / 1e9


def replay(
    path: str | Path,
    settings: ReplaySettings,
    wav: Wav | None = None,
    detector: Detector | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """
    Run the detector over a bag, as fast as the machine can.

    wav: sound recorded beside the bag instead of in it. progress: called with the share done.
    Raises QuietNavError where the bag cannot be read or holds no sound that the rig can hear.
    """
    detector = detector or settings.load()
    with Bag(path) as bag:
        topics = find_topics(bag, settings.topics)
        if not settings.use_odometry:
            topics = replace(topics, odometry='')
        run = _Run(settings, detector, str(bag.path))
        tell, told = progress or (lambda share: None), bag.start_ns
        for time_ns, event in events(
            bag, topics, wav, settings.depth, depth_mean=settings.depth_mean
        ):
            run.take(time_ns, event)
            if time_ns - told > _TELL_S * 1e9:
                told = time_ns
                tell(min((time_ns - bag.start_ns) / max(bag.end_ns - bag.start_ns, 1), 1.0))
        run.end()
        tell(1.0)
        return run.result(bag, detector)


class _Run:
    """One pass: what the node near_wall holds, without the node."""

    def __init__(self, settings: ReplaySettings, detector: Detector, where: str) -> None:
        self._settings = settings
        self._where = where
        self._detector = detector
        self._reference = RoomReference.load(settings.reference) if settings.reference else None
        if settings.fingerprint and not settings.own_sound:
            raise QuietNavError(f'fingerprint {settings.fingerprint}: whose? give its robot, too')
        self._receiver = AudioReceiver()
        self._listener: RollingListener | None = None
        self._early: list[Moved] = []
        self._decisions = Decisions()
        self._faults: Counter[OdometryFaultKind] = Counter()
        self._first_faults: dict[OdometryFaultKind, str] = {}
        self._depth = DepthTrack()
        self._images = array('q')
        self._notes: dict[str, None] = {}
        self._errors: list[str] = []
        self._sound: tuple[int, int] | None = None
        self._time_ns = 0

    def take(self, time_ns: int, event: Event) -> None:
        self._time_ns = time_ns
        if isinstance(event, Moved):
            self._move(event)
        elif isinstance(event, Seen):
            self._images.append(event.stamp_ns)
            self._depth.add(event.stamp_ns, event.distance)
        elif (stream := hear(self._receiver, event)) is not None:
            self._collect(stream)
            if stream.has_sound:
                first = self._sound[0] if self._sound else stream.start_ns
                self._sound = (min(first, stream.start_ns), stream.end_ns)
        elif isinstance(event, Info) and self._receiver.stream is not None:
            self._check(self._receiver.stream)
        for found in self._receiver.take_events():
            self._notes[found.text] = None
            if found.error:
                self._errors.append(found.text)

    def end(self) -> None:
        """Decide on what waits for odometry that does not come any more."""
        stream = self._receiver.stream
        if stream is not None and self._listener is not None:
            self._collect(stream, ended=True)

    def result(self, bag: Bag, detector: Detector) -> Replayed:
        if self._sound is None or self._listener is None:
            reason = self._errors[0] if self._errors else self._receiver.fault
            raise QuietNavError(f'bag {bag.path}: {reason or "holds no sound"}')
        notes = [*bag.notes, *self._notes, *self._depth.notes, *self._odometry_notes()]
        if self._images and not len(self._depth.times_ns):
            notes.append(f'no distance in any of {len(self._images)} depth images: '
                         f'{self._depth.last_reason}')  # fmt: skip
        else:
            notes += [n for n in [spans_apart(self._sound, self._images, bag.name)] if n]
        return Replayed(
            name=bag.name,
            path=bag.path,
            model=detector.name,
            rig=self._listener.rig,
            decisions=self._decisions,
            depth=self._depth,
            has_depth=bool(self._images),
            notes=tuple(notes),
            start_ns=bag.start_ns,
            sound_ns=self._sound,
        )

    def _odometry_notes(self) -> list[str]:
        """Return why odometry did not tell of how many decisions; the first of each kind."""
        return [
            f'{text} ({self._faults[kind]} of {len(self._decisions)} decisions count as made while '
            'driving)'
            for kind, text in self._first_faults.items()
        ]

    def _check(self, stream: AudioStream) -> None:
        """Choose the rig by the first format heard; refuse one that has too few channels."""
        if self._listener is None:
            rig = self._settings.rig
            chosen = find_rig(rig) if rig else rig_for(stream.channels, self._where)
            rolling = RollingSettings(self._settings.rate_hz)
            self._listener = RollingListener(self._begin(chosen), chosen, rolling)
            for event in self._early:
                self._move(event)
        fault = channels_fault(self._listener.rig, stream.channels)
        if fault:
            raise QuietNavError(f'bag {self._where}: {fault}')

    def _begin(self, rig: Rig) -> DetectorSession:
        settings = self._settings
        standing = None
        if settings.own_sound:
            standing = StandingSound.of(rig, settings.own_sound, settings.fingerprint)
        return self._detector.session(
            parse_context(settings.context),
            self._reference,
            settings.seed,
            parse_question(settings.question),
            standing,
        )

    def _move(self, event: Moved) -> None:
        if self._listener is None:
            self._early.append(event)
        else:
            self._listener.add_odometry(event.stamp_ns, event.pose)

    def _collect(self, stream: AudioStream, ended: bool = False) -> None:
        listener = self._listener
        assert listener is not None, 'sound before its format'
        for tick in listener.collect(stream, ended):
            decision = listener.decide(tick)
            self._decisions.append(self._time_ns, decision)
            fault = decision.odometry_fault
            if fault is not None:
                self._faults[fault.kind] += 1
                self._first_faults.setdefault(fault.kind, fault.text)
