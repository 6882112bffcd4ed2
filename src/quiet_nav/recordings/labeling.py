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

"""Bags become labeled places: sound cut where the robot stood, the depth camera as the teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
import math
from pathlib import Path
from typing import Protocol

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side, wrap_angle
from quiet_nav.perception.message_fields import Image
from quiet_nav.perception.messages import pixels_from_msg, stamp_to_ns
from quiet_nav.perception.odometry import MAX_GAP_S
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.perception.rig import Rig
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.depth import decode_depth, DepthTrack, VALID_PIXELS
from quiet_nav.recordings.playback import events, hear, Moved, Seen, spans_apart, Wav
from quiet_nav.recordings.stretches import StillStretches, Stretch
from quiet_nav.sound.receiver import AudioReceiver
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import find_fault
from quiet_nav.sound.windows import SAMPLE_RATE, WINDOW_S

#: While the robot stands the distance may change by so much (meters): noise of the camera.
MOST_CHANGE_M = 0.1
#: Gaps in the sound may cost a stretch so much more than is kept of it.
_SPARE_S = 10.0
_STEP_S = 1.0
#: A turned robot stands at the same place within this, and faces a side within this (10 degrees).
SAME_PLACE_M, MOST_OFF_RAD = 0.2, math.radians(10.0)
_NOT_SEEN = 'the robot never turned the camera here to what an ear faced'


@dataclass(frozen=True)
class LabelSettings:
    """How places are cut."""

    #: Of one place.
    longest_s: float = 30.0
    #: The robot (or whoever held the camera) stood all the time, so that no odometry is needed: a
    #: place a bag.
    still: bool = False
    #: Only the ear on the camera's side is kept where it has one; without a rig all channels are.
    rig: Rig | None = None
    #: The side that the camera faces.
    camera: Side = Side.FRONT
    #: What is read of the bag.
    topics: BagTopics = field(default_factory=BagTopics)
    #: A place an ear of the rig instead, where the camera saw what that ear faced from the same
    #: place, turned.
    sides: bool = False
    #: Which pixels the distance is the mean of, as ``wall_distance``'s parameter.
    depth_mean: str = VALID_PIXELS


@dataclass(frozen=True)
class LabeledPlace:
    """
    A place: when its sound began, how long it is, meters to the wall.

    name: of its folder. side: of the one ear kept, where the camera had to turn for it; seen_ns:
    when it looked there, 0 while the sound was heard.
    """

    name: str
    start_ns: int
    duration_s: float
    distance_m: float
    side: Side | None = None
    seen_ns: int = 0

    @property
    def near(self) -> bool:
        return self.distance_m <= NEAR_WALL_M


class Keeper(Protocol):
    """Takes what belongs to a place as it is found: a bag of hours is never held as a whole."""

    def sound(self, place: str, samples: np.ndarray) -> None:
        """Take the sound of a place, float32 (channels, n) at 16 kHz; it comes first."""

    def depth(self, place: str, image: np.ndarray) -> None:
        """Take its depth image, float64 (h, w) in millimeters, 0 where there is no reading."""

    def color(self, place: str, image: np.ndarray) -> None:
        """Take its color image, uint8 (h, w, 3), RGB."""


@dataclass(frozen=True)
class Labeled:
    """
    What became of a bag; left_out: why the rest was not kept, and seconds of it.

    begun_ns: time of its first message.
    """

    name: str
    duration_s: float
    places: tuple[LabeledPlace, ...]
    left_out: Counter[str]
    notes: tuple[str, ...] = ()
    begun_ns: int = 0

    @property
    def kept_s(self) -> float:
        """Seconds of sound in places; two ears of one place count once."""
        return sum({place.start_ns: place.duration_s for place in self.places}.values())


def label_bag(
    path: str | Path, settings: LabelSettings, keeper: Keeper, wav: Wav | None = None
) -> Labeled:
    """
    Cut a bag into places; their sound and images go to ``keeper``, one at a time.

    Raises QuietNavError where it holds no sound, no depth, no distance in any of its depth images,
    no odometry (unless ``still``), or sound and depth that never overlap.
    """
    if settings.sides and (settings.rig is None or settings.still):
        raise QuietNavError('--sides needs --rig, and odometry that tells of turns (no --still)')
    with Bag(path) as bag:
        topics = find_topics(bag, settings.topics)
        bag.need(topics.depth, 'depth images')
        if not settings.still:
            bag.need(topics.odometry, 'odometry', 'was the robot still? say so by --still')
        depth, standing = _look(bag, topics, settings.depth_mean)
        if not settings.still and standing.fault:
            raise QuietNavError(
                f'bag {bag.path}: {standing.fault}; was it still all the time? say so by --still'
            )
        cut = _Cut(settings, _stretches(depth, standing, settings), depth, bag.name, keeper)
        receiver = AudioReceiver(settings.longest_s + 2 * _SPARE_S + 10.0)
        sound: tuple[int, int] | None = None
        notes: dict[str, None] = {}
        errors: list[str] = []
        for _, event in events(bag, topics, wav, depth=False):
            stream = hear(receiver, event)
            if stream is not None and stream.has_sound:
                cut.take(stream)
                first = sound[0] if sound else stream.start_ns
                sound = (min(first, stream.start_ns), stream.end_ns)
            for found in receiver.take_events():
                notes[found.text] = None
                errors += [found.text] if found.error else []
        if sound is None:
            reason = errors[0] if errors else receiver.fault
            raise QuietNavError(f'bag {bag.path}: {reason}')
        times: dict[str, Collection[int]] = {'depth': depth.times_ns}
        times |= {} if settings.still else {'odometry': standing.times_ns}
        for what, those in times.items():
            apart = spans_apart(sound, those, f'bag {bag.path}', what)
            if apart:
                raise QuietNavError(apart)
        if receiver.stream is not None:
            cut.take(receiver.stream, ended=True)
        left = cut.left_out + (Counter() if settings.still else _not_standing(standing))
        _give_images(bag, topics, cut.places, keeper, notes)
        duration_s = (sound[1] - sound[0]) / 1e9
        said = tuple(dict.fromkeys([*bag.notes, *depth.notes, *notes]))
        return Labeled(bag.name, duration_s, tuple(cut.places), +left, said, bag.start_ns)


def _look(bag: Bag, topics: BagTopics, mean: str) -> tuple[DepthTrack, StillStretches]:
    """Return distances and poses; QuietNavError where there is no distance at all."""
    depth, standing = DepthTrack(), StillStretches()
    for _, event in events(bag, topics, sound=False, depth_mean=mean):
        if isinstance(event, Seen):
            depth.add(event.stamp_ns, event.distance)
        elif isinstance(event, Moved):
            standing.add(event.stamp_ns, event.pose)
    if not len(depth.times_ns):
        raise QuietNavError(
            f'bag {bag.path}: no distance in any of {depth.images} depth images: '
            f'{depth.last_reason}'
        )
    return depth, standing


def _stretches(
    depth: DepthTrack, standing: StillStretches, settings: LabelSettings
) -> list[Stretch]:
    """Return when it stood for long enough."""
    if settings.still:
        return [Stretch(int(depth.times_ns[0]), int(depth.times_ns[-1]))]
    return standing.stretches(WINDOW_S)


def _not_standing(standing: StillStretches) -> Counter[str]:
    """Return seconds in which it did not stand for long enough, by why."""
    stood_s = sum(stretch.duration_s for stretch in standing.stretches(WINDOW_S))
    return Counter(
        {
            'the robot moved': round(standing.known_ns / 1e9 - stood_s, 3),
            f'no odometry for more than {MAX_GAP_S:g} s': round(standing.paused_ns / 1e9, 3),
        }
    )


class _Cut:
    """Cuts a place from every stretch once its sound has been heard."""

    def __init__(
        self,
        settings: LabelSettings,
        stretches: list[Stretch],
        depth: DepthTrack,
        bag: str,
        keeper: Keeper,
    ) -> None:
        self._settings, self._bag, self._keeper = settings, bag, keeper
        self._waiting, self._stretches = list(stretches), stretches
        self._times, self._distances = depth.times_ns, depth.distances_m
        self.places: list[LabeledPlace] = []
        self.left_out: Counter[str] = Counter()

    def take(self, stream: AudioStream, ended: bool = False) -> None:
        """Cut what is due; ``ended``: nothing more will be heard."""
        while self._waiting and (ended or stream.end_ns >= self._until(self._waiting[0])):
            stretch = self._waiting.pop(0)
            before = len(self.places)
            why = self._cut(stream, stretch)
            kept_s = max((place.duration_s for place in self.places[before:]), default=0.0)
            left_s = round(max(stretch.duration_s - kept_s, 0.0), 3)
            self.left_out[why] += left_s  # type: ignore[assignment]  # seconds

    def _until(self, stretch: Stretch) -> int:
        """Sound after this is not looked at: a parked robot would fill the memory."""
        most_ns = round((self._settings.longest_s + _SPARE_S) * 1e9)
        return min(stretch.end_ns, stretch.start_ns + most_ns)

    def _cut(self, stream: AudioStream, stretch: Stretch) -> str:
        """Keep what can be kept of a stretch; returns why the rest is not."""
        first_why = ''
        for start_ns, seconds in self._pieces(stretch):
            samples, why = self._sound(stream, start_ns, seconds)
            if samples is None:
                first_why = first_why or why
                continue
            rest = 'rests of less than a second: places are whole seconds long'
            if seconds == self._settings.longest_s:
                rest = f'longer than {seconds:g} s at one place'
            if self._settings.sides:
                seen = self._sides(stretch, start_ns, samples)
                return (first_why or rest) if seen else _NOT_SEEN
            distance_m, why = self._distance(start_ns, start_ns + round(seconds * 1e9))
            if why:
                return why
            self._keep(start_ns, samples, distance_m)
            return first_why or rest
        return first_why or 'the robot stood too short'

    def _keep(
        self,
        start_ns: int,
        samples: np.ndarray,
        distance_m: float,
        side: Side | None = None,
        seen_ns: int = 0,
    ) -> None:
        name = f'{self._bag}-{len(self.places):03d}'
        seconds = samples.shape[1] / SAMPLE_RATE
        self._keeper.sound(name, samples)
        self.places.append(LabeledPlace(name, start_ns, seconds, distance_m, side, seen_ns))

    def _sides(self, stretch: Stretch, start_ns: int, samples: np.ndarray) -> bool:
        """Keep a place for every ear whose side the camera saw from here, turned there."""
        seen_any, camera = False, self._settings.camera.yaw_rad
        rig, here = self._settings.rig, stretch.pose
        assert rig is not None and here is not None, 'sides without a rig or odometry'
        for ear in rig.ears:
            bearing = here.yaw + ear.side.yaw_rad
            for other in self._stretches:
                there = other.pose
                assert there is not None, 'sides without odometry'
                off = wrap_angle(there.yaw + camera - bearing)
                apart = there.distance_to(here)
                if abs(off) > MOST_OFF_RAD or apart > SAME_PLACE_M:
                    continue
                seen_m, why = self._distance(other.start_ns, other.end_ns)
                if why:
                    continue
                ahead_x, ahead_y = there.x - here.x, there.y - here.y
                ahead_m = ahead_x * math.cos(bearing) + ahead_y * math.sin(bearing)
                heard = samples[ear.channel : ear.channel + 1]
                middle_ns = (other.start_ns + other.end_ns) // 2
                self._keep(start_ns, heard, seen_m + ahead_m, ear.side, middle_ns)
                seen_any = True
                break
        return seen_any

    def _pieces(self, stretch: Stretch) -> Iterator[tuple[int, float]]:
        """Yield (start, seconds) to try, the longest and earliest first, in steps of a second."""
        begin, end = stretch.start_ns, self._until(stretch)
        whole_s = int((end - begin) / 1e9 / _STEP_S) * _STEP_S
        seconds = min(self._settings.longest_s, whole_s)
        while seconds >= WINDOW_S:
            for shift in range(int((whole_s - seconds) / _STEP_S) + 1):
                yield begin + round(shift * _STEP_S * 1e9), seconds
            seconds -= _STEP_S

    def _sound(
        self, stream: AudioStream, start_ns: int, seconds: float
    ) -> tuple[np.ndarray | None, str]:
        count = round(seconds * SAMPLE_RATE)
        channels = channels_kept(self._settings, stream.channels)
        end_ns = start_ns + round(seconds * 1e9)
        windows = [stream.ending_at(end_ns, channel, count) for channel in channels]
        for window in windows:
            fault = find_fault(window)
            if fault is not None:
                # Without what differs from one stretch to the next, so that they count together.
                return None, fault.kind.value
        return np.stack([window.samples for window in windows]), ''

    def _distance(self, start_ns: int, end_ns: int) -> tuple[float, str]:
        first, last = np.searchsorted(self._times, [start_ns, end_ns + 1])
        seen = self._distances[first:last]
        if not len(seen):
            return float('nan'), 'no depth while the robot stood'
        if np.ptp(seen) > MOST_CHANGE_M:
            return float('nan'), f'depth changed by more than {MOST_CHANGE_M} m while it stood'
        return float(seen.mean()), ''


def channels_kept(settings: LabelSettings, channels: int) -> list[int]:
    """Return which channels are kept: the ear on the camera's side of a rig, otherwise all."""
    rig = settings.rig
    if rig is not None and rig.channels > channels:
        raise QuietNavError(
            f'rig {rig.name} needs {rig.channels} channels, the audio has {channels}: '
            'does the rig fit the microphone?'
        )
    ear = rig.ear_toward(settings.camera) if rig and not settings.sides else None
    return list(range(channels)) if ear is None else [ear.channel]


def _give_images(
    bag: Bag,
    topics: BagTopics,
    places: Sequence[LabeledPlace],
    keeper: Keeper,
    notes: dict[str, None],
) -> None:
    """Give the depth and color image nearest in time to the middle of each place."""
    middles = [p.seen_ns or p.start_ns + round(p.duration_s * 5e8) for p in places]
    times_ns = np.array(middles, np.int64)
    for numbers, message in nearest_images(bag, topics.depth, times_ns, decode_depth):
        for number in numbers:
            keeper.depth(places[number].name, millimeters(message))
    for numbers, message in nearest_images(bag, topics.color, times_ns, pixels_from_msg, notes):
        for number in numbers:
            keeper.color(places[number].name, pixels_from_msg(message))


def nearest_images(
    bag: Bag,
    topic: str,
    times_ns: np.ndarray,
    check: Callable[[Image], object],
    notes: dict[str, None] | None = None,
) -> Iterator[tuple[list[int], Image]]:
    """
    Yield every image that is nearest to some of the times, and which; one in memory at a time.

    check: raises QuietNavError for images that cannot be read; they are passed over, and counted
    in ``notes``. Nothing where no time or no such topic is asked about.
    """
    if not topic or not len(times_ns):
        return
    stamps: list[int] = []
    places: list[int] = []
    faults: Counter[str] = Counter()
    for place, (_, _, message) in enumerate(bag.messages([topic])):
        try:
            check(message)
        except QuietNavError as error:
            faults[str(error)] += 1
            continue
        stamps.append(stamp_to_ns(message.header.stamp))
        places.append(place)
    if faults and notes is not None:
        total = faults.total() + len(stamps)
        reason = faults.most_common(1)[0][0]
        note = f'{topic}: {faults.total()} of {total} images are left out ({reason})'
        notes[note] = None
    if not stamps:
        return
    order = np.argsort(np.array(stamps, np.int64), kind='stable')
    chosen = order[nearest(np.array(stamps, np.int64)[order], times_ns)]
    wanted: dict[int, list[int]] = {}
    for number, image in enumerate(np.array(places)[chosen].tolist()):
        wanted.setdefault(image, []).append(number)
    for place, (_, _, message) in enumerate(bag.messages([topic])):
        if place in wanted:
            yield wanted[place], message


def nearest(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return for each wanted time the number of the nearest in ascending ``times``."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    if len(times) < 2:
        return np.zeros(len(wanted), int)
    return after - (wanted - times[after - 1] <= times[after] - wanted)


def millimeters(image: Image) -> np.ndarray:
    """Return a depth image's millimeters, float64, (h, w), 0 where there is no reading."""
    pixels, unit_m = decode_depth(image)
    return np.nan_to_num(pixels.astype(np.float64) * unit_m * 1000.0, posinf=0.0)
