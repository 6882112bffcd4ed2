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

"""What happened in a bag, as the live nodes would have received it: sound, poses, depth."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
import heapq
from pathlib import Path

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, yaw_of_quaternion
from quiet_nav.perception.message_fields import Image, Pose
from quiet_nav.perception.messages import stamp_to_ns
from quiet_nav.recordings.bag_types import UNSTAMPED
from quiet_nav.recordings.bags import Bag, BagTopics, need_audio
from quiet_nav.recordings.depth import recorded_wall_distance, VALID_PIXELS, WallDistance
from quiet_nav.sound.pcm import PcmFormat
from quiet_nav.sound.receiver import AudioReceiver, format_from_info
from quiet_nav.sound.stream import AudioStream

NS_PER_S = 1_000_000_000
_CHUNK_S = 0.1


@dataclass(frozen=True)
class Wav:
    """Sound recorded beside a bag: its file begins ``delay_s`` after the bag's first message."""

    path: Path
    delay_s: float = 0.0


@dataclass(frozen=True)
class Info:
    """The format of the sound to come: the fields of an AudioInfo."""

    channels: int
    sample_rate: int
    sample_format: str
    coding_format: str


@dataclass(frozen=True)
class Sound:
    """PCM bytes and the time of the first sample."""

    data: bytes | memoryview
    stamp_ns: int


@dataclass(frozen=True)
class Moved:
    """The robot's pose in its odometry frame."""

    stamp_ns: int
    pose: Pose2D


@dataclass(frozen=True)
class Seen:
    """The distance to the wall ahead; ``image`` is the message that it was taken from."""

    stamp_ns: int
    distance: WallDistance
    image: Image


Event = Info | Sound | Moved | Seen


def events(
    bag: Bag,
    topics: BagTopics,
    wav: Wav | None = None,
    depth: bool = True,
    sound: bool = True,
    depth_mean: str = VALID_PIXELS,
) -> Iterator[tuple[int, Event]]:
    """
    Yield what happened with the time at which it was recorded (ns), in order of that time.

    depth_mean: as ``wall_distance``'s mean.
    Raises QuietNavError where there is no audio (neither in the bag nor beside it), and whatever
    reading the bag raises.
    """
    if not sound:
        return _of_bag(bag, topics, depth, False, depth_mean)
    if wav is None:
        need_audio(bag, topics)
        return _of_bag(bag, topics, depth, True, depth_mean)
    merged = (_of_bag(bag, topics, depth, False, depth_mean), _of_wav(wav, bag.start_ns))
    return heapq.merge(*merged, key=lambda item: item[0])


def hear(receiver: AudioReceiver, event: Event) -> AudioStream | None:
    """Give a receiver what concerns it; returns its stream where there is one with new sound."""
    if isinstance(event, Info):
        receiver.on_info(
            event.channels, event.sample_rate, event.sample_format, event.coding_format
        )
        return None
    if not isinstance(event, Sound):
        return None
    receiver.on_audio(event.data, event.stamp_ns)
    return receiver.stream


def _of_bag(
    bag: Bag, topics: BagTopics, depth: bool, sound: bool, depth_mean: str
) -> Iterator[tuple[int, Event]]:
    wanted = [topics.odometry]
    # A format that the user gives stands above what the bag says.
    wanted += [topics.audio, topics.info if topics.format is None else ''] if sound else []
    wanted += [topics.depth] if depth else []
    unstamped = bag.topics.get(topics.audio) == UNSTAMPED
    pcm_format = topics.format
    if sound and pcm_format is not None:
        kind = pcm_format
        yield bag.start_ns, Info(kind.channels, kind.sample_rate, kind.sample_format, 'wave')
    for topic, time_ns, message in bag.messages([name for name in wanted if name]):
        if topic == topics.odometry:
            yield time_ns, Moved(stamp_to_ns(message.header.stamp), _pose(message.pose.pose))
        elif topic == topics.depth:
            distance = recorded_wall_distance(message, depth_mean)
            yield time_ns, Seen(stamp_to_ns(message.header.stamp), distance, message)
        elif topic == topics.info:
            said = Info(
                message.channels, message.sample_rate, message.sample_format, message.coding_format
            )
            if unstamped:
                pcm_format = _known_format(said)
            yield time_ns, said
        elif not unstamped:
            yield time_ns, Sound(memoryview(message.audio.data), stamp_to_ns(message.header.stamp))
        else:
            # It was received when its last sample had been heard.
            data = memoryview(message.data)
            rate = pcm_format.frame_bytes * pcm_format.sample_rate if pcm_format else 0
            yield time_ns, Sound(data, time_ns - (len(data) * NS_PER_S // rate if rate else 0))


def _of_wav(wav: Wav, start_ns: int) -> Iterator[tuple[int, Event]]:
    from quiet_nav.sound.files import PcmFile

    file = PcmFile(wav.path)
    kind, rate = file.format, file.format.sample_rate
    begin_ns = start_ns + round(wav.delay_s * NS_PER_S)
    yield begin_ns, Info(kind.channels, rate, kind.sample_format, 'wave')
    frames = 0
    for data in file.chunks(_CHUNK_S):
        stamp = begin_ns + frames * NS_PER_S // rate
        frames += len(data) // kind.frame_bytes
        yield begin_ns + frames * NS_PER_S // rate, Sound(data, stamp)


def wavs_beside(bags: int, wavs: Sequence[Path], delays: Sequence[float]) -> list[Wav | None]:
    """
    Return the WAV of each of so many bags, None for all where there are none.

    Raises QuietNavError where they are not one a bag, or delays not one a WAV or none.
    """
    if not wavs and not delays:
        return [None] * bags
    if len(wavs) != bags or len(delays) not in (0, len(wavs)):
        raise QuietNavError(
            f'{bags} bags, {len(wavs)} --wav, {len(delays)} --wav-delay; expected one of each a bag'
        )
    return [Wav(path, delay) for path, delay in zip(wavs, delays or [0.0] * bags, strict=True)]


def spans_apart(
    sound: tuple[int, int] | None, times: Collection[int], where: object, what: str = 'depth'
) -> str:
    """
    Return what to say where sound and something else never overlap in time, or ''.

    sound: its first and last time; times: those of the other; all ns.
    """
    if sound is None or not len(times):
        return ''
    first, last = min(times), max(times)
    if first <= sound[1] and last >= sound[0]:
        return ''
    off_s = (first - sound[1] if first > sound[1] else last - sound[0]) / NS_PER_S
    return (
        f'{where}: sound from {sound[0] / 1e9:.1f} to {sound[1] / 1e9:.1f} s and {what} from '
        f'{first / 1e9:.1f} to {last / 1e9:.1f} s never overlap ({abs(off_s):.1f} s apart): do '
        'their stamps come from one clock?'
    )


def _pose(pose: Pose) -> Pose2D:
    q = pose.orientation
    yaw = yaw_of_quaternion(q.x, q.y, q.z, q.w)
    return Pose2D(float(pose.position.x), float(pose.position.y), yaw)


def _known_format(info: Info) -> PcmFormat | None:
    """Return the format an info says, None where it cannot be read: the receiver says why."""
    try:
        return format_from_info(
            info.channels, info.sample_rate, info.sample_format, info.coding_format
        )
    except QuietNavError:
        return None
