"""Bags become labelled places: sound cut where the robot stood, the depth camera as the teacher."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side, wrap_angle
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.perception.rig import Rig
from quiet_nav.recordings.bags import Bag, BagTopics, find_topics
from quiet_nav.recordings.depth import DepthTrack, decode_depth
from quiet_nav.recordings.playback import Moved, Seen, Wav, events, hear, spans_apart
from quiet_nav.recordings.stretches import StillStretches, Stretch
from quiet_nav.sound.receiver import AudioReceiver
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import ValidityLimits, window_fault
from quiet_nav.sound.windows import SAMPLE_RATE, WINDOW_S

#: While the robot stands the distance may change by so much (metres): noise of the camera.
MOST_CHANGE_M = 0.1
#: Gaps in the sound may cost a stretch so much more than is kept of it.
_SPARE_S = 10.0
_STEP_S = 1.0
#: A turned robot stands at the same place within this, and faces a side within this (10 degrees).
SAME_PLACE_M, MOST_OFF_RAD = 0.2, math.radians(10.0)
_NOT_SEEN = 'the robot never turned the camera here to what an ear faced'


@dataclass(frozen=True)
class LabelSettings:
    """How places are cut.

    longest_s: of one place. still: the robot (or whoever held the camera) stood all the time, so
    that no odometry is needed: a place a bag. rig, camera: only the ear on the camera's side is
    kept where the rig has one; without a rig all channels are. sides: a place an ear of the rig
    instead, where the camera saw what that ear faced from the same place, turned.
    """

    longest_s: float = 30.0
    still: bool = False
    rig: Rig | None = None
    camera: Side = Side.FRONT
    topics: BagTopics = field(default_factory=BagTopics)
    sides: bool = False


@dataclass(frozen=True)
class LabelledPlace:
    """A place: sound (channels, n) at 16 kHz, metres to the wall, images where there are some.

    depth: shape (h, w) in millimetres; color: (h, w, 3) uint8. side: of the one ear kept, where
    the camera had to turn for it; seen_ns: when it looked there, 0 while the sound was heard.
    """

    start_ns: int
    samples: np.ndarray
    distance_m: float
    depth: np.ndarray | None = None
    color: np.ndarray | None = None
    side: Side | None = None
    seen_ns: int = 0

    @property
    def duration_s(self) -> float:
        return self.samples.shape[1] / SAMPLE_RATE


@dataclass(frozen=True)
class Labelled:
    """What became of a bag; left_out: why the rest was not kept, and seconds of it."""

    name: str
    duration_s: float
    places: tuple[LabelledPlace, ...]
    left_out: Counter[str]
    notes: tuple[str, ...] = ()

    @property
    def kept_s(self) -> float:
        """Seconds of sound in places; two ears of one place count once."""
        return sum({place.start_ns: place.duration_s for place in self.places}.values())


def label_bag(path: str | Path, settings: LabelSettings, wav: Wav | None = None) -> Labelled:
    """Cut a bag into places.

    Raises QuietNavError where it holds no sound, no depth, no distance in any of its depth images,
    no odometry (unless ``still``), or sound and depth that never overlap.
    """
    if settings.sides and (settings.rig is None or settings.still):
        raise QuietNavError('--sides needs --rig, and odometry that tells of turns (no --still)')
    with Bag(path) as bag:
        topics = find_topics(bag, settings.topics)
        for name, what, needed in (
            (topics.depth, 'depth images', True),
            (topics.odometry, 'odometry (was the robot still? say so by --still)',
             not settings.still),
        ):  # fmt: skip
            if needed and not name:
                raise QuietNavError(f'bag {bag.path}: no {what}; {bag.contents}')
        depth, stretches, moved_s = _look(bag, topics, settings.still)
        cut = _Cut(settings, stretches, depth)
        receiver = AudioReceiver(settings.longest_s + 2 * _SPARE_S + 10.0)
        sound, notes, errors = None, {}, []
        for _, event in events(bag, topics, wav, depth=False):
            if hear(receiver, event) and receiver.stream.has_sound:
                cut.take(receiver.stream)
                first = sound[0] if sound else receiver.stream.start_ns
                sound = (min(first, receiver.stream.start_ns), receiver.stream.end_ns)
            for found in receiver.take_events():
                notes[found.text] = None
                errors += [found.text] if found.error else []
        if sound is None:
            reason = errors[0] if errors else receiver.fault
            raise QuietNavError(f'bag {bag.path}: {reason}')
        apart = spans_apart(sound, depth.times_ns.tolist(), f'bag {bag.path}')
        if apart:
            raise QuietNavError(apart)
        if receiver.stream is not None:
            cut.take(receiver.stream, ended=True)
        left = cut.left_out + Counter({'the robot moved': round(moved_s, 3)})
        places = _with_images(bag, topics, cut.places)
        duration_s = (sound[1] - sound[0]) / 1e9
        return Labelled(bag.name, duration_s, tuple(places), +left, tuple(notes))


def _look(bag: Bag, topics: BagTopics, still: bool) -> tuple[DepthTrack, list[Stretch], float]:
    """Return distances, stretches long enough for a window, and seconds that were none."""
    depth, standing = DepthTrack(), StillStretches()
    for _, event in events(bag, topics, sound=False):
        if isinstance(event, Seen):
            depth.add(event.stamp_ns, event.distance)
        elif isinstance(event, Moved):
            standing.add(event.stamp_ns, event.pose)
    times = depth.times_ns
    if not len(times):
        raise QuietNavError(
            f'bag {bag.path}: no distance in any of {depth.images} depth images: '
            f'{depth.last_reason}'
        )
    if still:
        return depth, [Stretch(int(times[0]), int(times[-1]))], 0.0
    found = standing.stretches(WINDOW_S)
    moved_s = standing.known_ns / 1e9 - sum(stretch.duration_s for stretch in found)
    return depth, found, moved_s


class _Cut:
    """Cuts a place from every stretch once its sound has been heard."""

    def __init__(
        self, settings: LabelSettings, stretches: list[Stretch], depth: DepthTrack
    ) -> None:
        self._settings = settings
        self._waiting, self._stretches = list(stretches), stretches
        self._times, self._distances = depth.times_ns, depth.distances_m
        self.places: list[LabelledPlace] = []
        self.left_out: Counter[str] = Counter()

    def take(self, stream: AudioStream, ended: bool = False) -> None:
        """Cut what is due; ``ended``: nothing more will be heard."""
        while self._waiting and (ended or stream.end_ns >= self._until(self._waiting[0])):
            stretch = self._waiting.pop(0)
            places, why = self._places(stream, stretch)
            kept_s = max((place.duration_s for place in places), default=0.0)
            self.places += places
            self.left_out[why] += round(max(stretch.duration_s - kept_s, 0.0), 3)

    def _until(self, stretch: Stretch) -> int:
        """Sound after this is not looked at: a parked robot would fill the memory."""
        most_ns = round((self._settings.longest_s + _SPARE_S) * 1e9)
        return min(stretch.end_ns, stretch.start_ns + most_ns)

    def _places(self, stream: AudioStream, stretch: Stretch) -> tuple[list[LabelledPlace], str]:
        first_why = ''
        for start_ns, seconds in self._pieces(stretch):
            samples, why = self._sound(stream, start_ns, seconds)
            if samples is None:
                first_why = first_why or why
                continue
            longest = f'longer than {self._settings.longest_s:g} s at one place, or a rest of it'
            if self._settings.sides:
                places = self._sides(stretch, start_ns, samples)
                return places, (first_why or longest) if places else _NOT_SEEN
            distance_m, why = self._distance(start_ns, start_ns + round(seconds * 1e9))
            if why:
                return [], why
            return [LabelledPlace(start_ns, samples, distance_m)], first_why or longest
        return [], first_why or 'the robot stood too short'

    def _sides(self, stretch: Stretch, start_ns: int, samples: np.ndarray) -> list[LabelledPlace]:
        """Return a place for every ear whose side the camera saw from here, turned there."""
        found, camera = [], self._settings.camera.yaw_rad
        for ear in self._settings.rig.ears:
            bearing = stretch.pose.yaw + ear.side.yaw_rad
            for other in self._stretches:
                off = wrap_angle(other.pose.yaw + camera - bearing)
                apart = other.pose.distance_to(stretch.pose)
                if abs(off) > MOST_OFF_RAD or apart > SAME_PLACE_M:
                    continue
                seen_m, why = self._distance(other.start_ns, other.end_ns)
                if why:
                    continue
                ahead_x, ahead_y = other.pose.x - stretch.pose.x, other.pose.y - stretch.pose.y
                ahead_m = ahead_x * math.cos(bearing) + ahead_y * math.sin(bearing)
                heard = samples[ear.channel : ear.channel + 1]
                middle_ns = (other.start_ns + other.end_ns) // 2
                found.append(
                    LabelledPlace(
                        start_ns, heard, seen_m + ahead_m, side=ear.side, seen_ns=middle_ns
                    )
                )
                break
        return found

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
            fault = window_fault(window, ValidityLimits())
            if fault:
                # Without what differs from one stretch to the next, so that they count together.
                return None, fault.split(',')[0].split(':')[0]
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


def _with_images(bag: Bag, topics: BagTopics, places: list[LabelledPlace]) -> list[LabelledPlace]:
    """Add the depth and colour image nearest in time to the middle of each place."""
    if not places:
        return []
    middles = np.array([p.seen_ns or p.start_ns + round(p.duration_s * 5e8) for p in places])
    best: dict[tuple[str, int], tuple[int, object]] = {}
    wanted = [name for name in (topics.depth, topics.color) if name]
    for topic, _, message in bag.messages(wanted):
        off = np.abs(middles - stamp_to_ns(message.header.stamp))
        # The ears of two places may have been told by one image.
        for nearest in np.flatnonzero(off == off.min()).tolist():
            key = topic, nearest
            if key not in best or off[nearest] < best[key][0]:
                best[key] = int(off[nearest]), message
    found = []
    for i, place in enumerate(places):
        depth, color = (best.get((name, i), (0, None))[1] for name in (topics.depth, topics.color))
        found.append(
            replace(
                place,
                depth=None if depth is None else millimetres(depth),
                color=None if color is None else rgb(color),
            )
        )
    return found


def millimetres(image: object) -> np.ndarray:
    """Return a depth image's millimetres, float64, (h, w), 0 where there is no reading."""
    pixels, unit_m = decode_depth(
        image.encoding, image.height, image.width, image.step, image.data, bool(image.is_bigendian)
    )
    return np.nan_to_num(pixels.astype(np.float64) * unit_m * 1000.0, posinf=0.0)


def rgb(image: object) -> np.ndarray | None:
    """Return an 8-bit colour image as RGB, None for other encodings."""
    if image.encoding not in ('rgb8', 'bgr8'):
        return None
    rows = np.frombuffer(memoryview(image.data), np.uint8).reshape(image.height, image.step)
    pixels = rows[:, : 3 * image.width].reshape(image.height, image.width, 3)
    return pixels if image.encoding == 'rgb8' else pixels[..., ::-1]
