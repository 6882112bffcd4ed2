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

"""Bags of ROS 2 (mcap, sqlite3) and ROS 1, opened and searched without ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.recordings.bag_folder import bag_path, open_files
from quiet_nav.recordings.bag_storage import Channel
from quiet_nav.recordings.bag_types import (
    IMAGE,
    INFO,
    MessageTypes,
    ODOMETRY,
    STAMPED,
    UNSTAMPED,
)
from quiet_nav.sound.pcm import PcmFormat

_MEND = {
    1: '`rosbag reindex` mends what was cut off',
    2: '`ros2 bag reindex`, or `mcap recover` for an mcap file, mends what was cut off',
}


@dataclass(frozen=True)
class BagTopics:
    """Names of the topics that are read; empty: found by type and usual name, or not there."""

    #: Sound (AudioData, AudioDataStamped).
    audio: str = ''
    #: Its format (AudioInfo).
    info: str = ''
    #: Depth images.
    depth: str = ''
    #: Odometry of the base.
    odometry: str = ''
    #: Color images.
    color: str = ''
    #: Of the sound, where no info in the bag says it (ROS 1 bags of older audio_common).
    format: PcmFormat | None = None


class Bag:
    """
    A bag that is open for reading; use it as a context.

    path: a rosbag2 folder or the one file in it, or a ROS 1 .bag. topics: types by name, counts:
    messages that are there by name, of all that can be read; skipped: why others cannot. Raises
    QuietNavError where it is not there, cut off, or nothing that is known.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = bag_path(Path(path))
        self._version = 1 if self.path.suffix == '.bag' else 2
        self._open = contextlib.ExitStack()
        try:
            self._files, self._declared = open_files(self.path, self._open)
            self._types = MessageTypes()
            self._channels, self.skipped = self._readable()
        except BaseException as error:
            self._open.close()
            if isinstance(error, QuietNavError) or not isinstance(error, Exception):
                raise
            raise self._damaged(error) from error
        self.topics = {topic: channel.msgtype for topic, channel in self._channels.items()}
        self.counts = {topic: channel.count for topic, channel in self._channels.items()}
        self.start_ns, self.end_ns = self._files.start_ns, self._files.end_ns
        skipped = [f'{topic} is left out: {why}' for topic, why in self.skipped.items()]
        self._notes = dict.fromkeys([*self._files.notes, *skipped])

    @property
    def name(self) -> str:
        """Return what the bag is called: its folder, or its file without the ending."""
        return self.path.stem if self._version == 1 else self.path.name

    @property
    def notes(self) -> list[str]:
        """Return what a user should know of the bag, as far as it has been read."""
        return list(self._notes)

    def messages(self, topics: Sequence[str]) -> Iterator[tuple[str, int, Any]]:
        """
        Yield topic, time of recording (ns) and message, in order of that time.

        A message is of the class that rosbags makes of its topic's type.

        A message that is none of its type is left out; ``notes`` counts them, and what was read
        against what the bag declares. Raises QuietNavError where the file is damaged.
        """
        wanted = {topic: self._channels[topic] for topic in topics if topic in self._channels}
        if not wanted:
            return
        found = self._files.messages(wanted)
        read: Counter[str] = Counter()
        bad: Counter[str] = Counter()
        while True:
            try:
                channel, time_ns, data = next(found)
            except StopIteration:
                break
            except QuietNavError:
                raise
            except Exception as error:
                raise self._damaged(error) from error
            topic = channel.topic
            known = wanted[topic]
            if (channel.msgtype, channel.encoding) != (known.msgtype, known.encoding):
                continue
            read[topic] += 1
            try:
                message = self._types.decode(known, data)
            except Exception:
                # The decoder has errors of its own, and others for bytes that it did not expect.
                bad[topic] += 1
                continue
            yield topic, time_ns, message
        self._account(read, bad, wanted)

    def pick(
        self, what: str, types: Sequence[str], names: Sequence[str], asked: str, option: str
    ) -> str:
        """
        Return the topic that carries something, '' where there is none.

        types: that it may have. names: usual ends of its name, the best first; '' allows any.
        asked: the user's choice. Raises QuietNavError where that is not in the bag or where
        several would do; ``option`` is what chooses one.
        """
        if asked:
            if self.topics.get(asked) not in types:
                is_there = f'is {self.topics[asked]}' if asked in self.topics else 'is not there'
                if asked in self.skipped:
                    is_there = f'cannot be read ({self.skipped[asked]})'
                raise QuietNavError(
                    f'bag {self.path}: {what} {asked} {is_there}, expected '
                    f'{" or ".join(types)}; {self.contents}'
                )
            return asked
        full = [name for name, count in self.counts.items() if count]
        # A topic without messages says what is missing, where there is no other.
        for there in (full, list(self.topics)):
            for kind in types:
                typed = sorted(name for name in there if self.topics[name] == kind)
                for ending in names:
                    fits = [name for name in typed if ('/' + name).endswith(ending)]
                    if len(fits) > 1:
                        raise QuietNavError(
                            f'bag {self.path}: {what} could be {", ".join(fits)}; '
                            f'choose by {option}'
                        )
                    if fits:
                        return fits[0]
        return ''

    def need(self, topic: str, what: str, advice: str = '') -> None:
        """
        Raise QuietNavError where there is no such topic, or no message in it.

        topic: as ``pick`` gave it. what: it should hold. advice: what to do, where more can be
        done than to record it.
        """
        advice = f'; {advice}' if advice else ''
        if not topic:
            raise QuietNavError(f'bag {self.path}: no {what}{advice}; {self.contents}')
        if not self.counts[topic]:
            declared = self._declared.get(topic, 0)
            lost = f', though metadata.yaml declares {declared}' if declared else ''
            raise QuietNavError(
                f'bag {self.path}: no {what}: topic {topic} has no messages{lost}{advice}'
            )

    @property
    def contents(self) -> str:
        """Return the topics there are and their types, in a sentence."""
        if not self.topics:
            return 'it holds no topics that can be read'
        listed = ', '.join(f'{name} ({kind})' for name, kind in sorted(self.topics.items()))
        return f'topics there: {listed}'

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def _readable(self) -> tuple[dict[str, Channel], dict[str, str]]:
        """Return the channels that can be read by topic, and why others cannot."""
        channels: dict[str, Channel] = {}
        skipped: dict[str, str] = {}
        # Where a name has two types the one that says more counts.
        for channel in sorted(self._files.channels, key=lambda c: (c.topic, -c.count, c.msgtype)):
            fault = self._types.fault(channel)
            had = channels.get(channel.topic)
            if not fault and had is not None and had.msgtype != channel.msgtype:
                fault = f'recorded as {channel.msgtype}, too; read as {had.msgtype}'
            if fault:
                skipped.setdefault(channel.topic, fault)
            elif had is not None:
                channels[channel.topic] = replace(had, count=had.count + channel.count)
            else:
                channels[channel.topic] = channel
        return channels, skipped

    def _account(self, read: Counter[str], bad: Counter[str], wanted: dict[str, Channel]) -> None:
        for topic, channel in wanted.items():
            declared = self._declared.get(topic, channel.count)
            if not channel.count and not declared:
                self._notes[f'topic {topic} has no messages'] = None
            elif read[topic] != declared:
                note = f'{topic}: {read[topic]} messages read, the bag declares {declared}'
                self._notes[note] = None
            if bad[topic]:
                note = (
                    f'{topic}: {bad[topic]} of {read[topic]} messages are no {channel.msgtype} and '
                    'are left out'
                )
                self._notes[note] = None

    def _damaged(self, error: Exception) -> QuietNavError:
        text = ' '.join(str(error).split()) or type(error).__name__
        return QuietNavError(
            f'bag {self.path}: cannot be read ({text}); was the recording cut off? '
            f'{_MEND[self._version]}'
        )


def find_topics(bag: Bag, asked: BagTopics) -> BagTopics:
    """
    Return the topics of a bag that are read, '' for those that are not there.

    The audio's info is the one beside it (``audio/audio_stamped``, ``audio/audio_info``).
    """
    audio = bag.pick(
        'audio',
        (STAMPED, UNSTAMPED),
        ('audio/audio_stamped', 'audio/audio', 'audio_stamped', 'audio', ''),
        asked.audio,
        '--audio',
    )
    beside = audio.rsplit('/', 1)[0] + '/audio_info'
    if not asked.info and bag.topics.get(beside) == INFO:
        info = beside
    else:
        info = bag.pick('audio info', (INFO,), ('audio_info', ''), asked.info, '--audio-info')
    return BagTopics(
        audio,
        info,
        bag.pick(
            'depth',
            (IMAGE,),
            # The last one is what the RealSense viewer records.
            ('/depth/image_rect_raw', '/depth/image_raw', '/aligned_depth_to_color/image_raw',
             '/depth/image', '/Depth_0/image/data'),
            asked.depth,
            '--depth',
        ),
        bag.pick('odometry', (ODOMETRY,), ('/odom',), asked.odometry, '--odom'),
        bag.pick(
            'color',
            (IMAGE,),
            ('/color/image_raw', '/rgb/image_raw', '/Color_0/image/data'),
            asked.color,
            '--color',
        ),
        asked.format,
    )  # fmt: skip


def need_audio(bag: Bag, topics: BagTopics) -> None:
    """Raise QuietNavError, saying what the bag holds, where there is no audio or no info."""
    bag.need(
        topics.audio,
        f'audio (expected a topic of {STAMPED}, as audio_capture and the microphone node publish)',
        'sound recorded beside the bag is given by --wav',
    )
    if topics.format is None:
        bag.need(
            topics.info,
            f'topic of {INFO} that says the format of {topics.audio}',
            'say it by --audio-format, as S16LE,1,16000',
        )
