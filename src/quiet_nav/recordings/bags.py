"""Bags of ROS 2 (mcap, sqlite3) and ROS 1, opened and searched without ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from quiet_nav.errors import QuietNavError
from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.sound.pcm import PcmFormat

STAMPED = 'audio_common_msgs/msg/AudioDataStamped'
UNSTAMPED = 'audio_common_msgs/msg/AudioData'
INFO = 'audio_common_msgs/msg/AudioInfo'
ODOMETRY = 'nav_msgs/msg/Odometry'
IMAGE = 'sensor_msgs/msg/Image'
_FILES = ('.mcap', '.db3')
_MEND = {
    1: '`rosbag reindex` mends what was cut off',
    2: '`ros2 bag reindex`, or `mcap recover` for an mcap file, mends what was cut off',
}


@dataclass(frozen=True)
class BagTopics:
    """Names of the topics that are read; empty: found by type and usual name, or not there.

    format: of the sound, where no info in the bag says it (ROS 1 bags of older audio_common).
    """

    audio: str = ''
    info: str = ''
    depth: str = ''
    odometry: str = ''
    color: str = ''
    format: PcmFormat | None = None


class Bag:
    """A bag that is open for reading; use it as a context.

    path: a rosbag2 folder or the one file in it, or a ROS 1 .bag. Raises QuietNavError where it
    is not there, cut off, or nothing that is known.
    """

    def __init__(self, path: str | Path) -> None:
        from rosbags.highlevel import AnyReader

        self.path = _bag_path(Path(path))
        self._version = 1 if self.path.suffix == '.bag' else 2
        try:
            self._reader = AnyReader([self.path], default_typestore=bag_typestore())
            self._reader.open()
        except Exception as error:
            raise self._damaged(error) from error
        self.topics: dict[str, str] = {c.topic: c.msgtype for c in self._reader.connections}
        self.count = self._reader.message_count
        self.start_ns = self._reader.start_time if self.count else 0
        self.end_ns = self._reader.end_time if self.count else 0

    @property
    def name(self) -> str:
        """What the bag is called: its folder, or its file without the ending."""
        return self.path.stem if self._version == 1 else self.path.name

    def messages(self, topics: Sequence[str]) -> Iterator[tuple[str, int, object]]:
        """Yield topic, time of recording (ns) and message, in order of that time."""
        wanted = [c for c in self._reader.connections if c.topic in topics]
        if not wanted:
            return
        found = self._reader.messages(wanted)
        while True:
            try:
                connection, time_ns, data = next(found)
                message = self._reader.deserialize(data, connection.msgtype)
            except StopIteration:
                return
            except Exception as error:
                raise self._damaged(error) from error
            yield connection.topic, time_ns, message

    def pick(
        self, what: str, types: Sequence[str], names: Sequence[str], asked: str, option: str
    ) -> str:
        """Return the topic that carries something, '' where there is none.

        types: that it may have. names: usual ends of its name, the best first; '' allows any.
        asked: the user's choice. Raises QuietNavError where that is not in the bag or where
        several would do; ``option`` is what chooses one.
        """
        if asked:
            if self.topics.get(asked) not in types:
                is_there = f'is {self.topics[asked]}' if asked in self.topics else 'is not there'
                raise QuietNavError(
                    f'bag {self.path}: {what} {asked} {is_there}, expected '
                    f'{" or ".join(types)}; {self.contents}'
                )
            return asked
        for kind in types:
            typed = sorted(name for name, found in self.topics.items() if found == kind)
            for ending in names:
                fits = [name for name in typed if ('/' + name).endswith(ending)]
                if len(fits) > 1:
                    raise QuietNavError(
                        f'bag {self.path}: {what} could be {", ".join(fits)}; choose by {option}'
                    )
                if fits:
                    return fits[0]
        return ''

    @property
    def contents(self) -> str:
        """The topics there are and their types, in a sentence."""
        if not self.topics:
            return 'it holds no topics'
        listed = ', '.join(f'{name} ({kind})' for name, kind in sorted(self.topics.items()))
        return f'topics there: {listed}'

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def __enter__(self) -> Bag:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def _damaged(self, error: Exception) -> QuietNavError:
        text = ' '.join(str(error).split()) or type(error).__name__
        return QuietNavError(
            f'bag {self.path}: cannot be read ({text}); was the recording cut off? '
            f'{_MEND[self._version]}'
        )


def find_topics(bag: Bag, asked: BagTopics) -> BagTopics:
    """Return the topics of a bag that are read, '' for those that are not there.

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
            'colour',
            (IMAGE,),
            ('/color/image_raw', '/rgb/image_raw', '/Color_0/image/data'),
            asked.color,
            '--color',
        ),
        asked.format,
    )  # fmt: skip


def need_audio(bag: Bag, topics: BagTopics) -> None:
    """Raise QuietNavError, saying what the bag holds, where there is no audio or no info."""
    if not topics.audio:
        raise QuietNavError(
            f'bag {bag.path}: no audio (expected a topic of {STAMPED}, as audio_capture and '
            f'the microphone node publish); {bag.contents}'
        )
    if not topics.info and topics.format is None:
        raise QuietNavError(
            f'bag {bag.path}: audio in {topics.audio}, but no topic of {INFO} that says its '
            f'format; say it by --audio-format, as S16LE,1,16000; {bag.contents}'
        )


def _bag_path(path: Path) -> Path:
    """Return the folder or .bag file that a path means."""
    if not path.exists():
        raise QuietNavError(f'{path}: no such bag')
    if path.is_file() and path.suffix == '.bag':
        return path
    folder = path.parent if path.is_file() and path.suffix in _FILES else path
    if not folder.is_dir():
        raise QuietNavError(
            f'{path}: not a bag; expected a rosbag2 folder, a {" or ".join(_FILES)} file in one, '
            'or a ROS 1 .bag'
        )
    if not (folder / 'metadata.yaml').is_file():
        held = sorted(p.name for p in folder.iterdir() if p.suffix in _FILES)
        if not held:
            raise QuietNavError(f'{path}: not a bag; no metadata.yaml and no bag file in it')
        raise QuietNavError(
            f'{path}: no metadata.yaml beside {", ".join(held)}; the recording was not ended '
            f'properly: `ros2 bag reindex {folder}` writes one'
        )
    return folder.resolve() if folder.name in ('', '.', '..') else folder
