"""What lies in the files of a bag: channels and raw messages of mcap, sqlite3 and ROS 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
import sqlite3
from typing import Any, IO, Protocol
from urllib.parse import quote

from quiet_nav.errors import QuietNavError

MEBIBYTE = 2**20
#: More than this is in no chunk that a recorder writes, and a reader holds a chunk in memory.
_MOST_CHUNK = 1024 * MEBIBYTE


@dataclass(frozen=True)
class Channel:
    """
    A topic as a file lists it.

    encoding: of its messages, 'cdr' or 'ros1' where ROS wrote them. definition: of the type, ''
    where the file has none; form: 'ros2msg', 'ros2idl' or 'ros1msg'. count: messages there.
    """

    topic: str
    msgtype: str
    encoding: str
    definition: str
    form: str
    count: int


#: Channel, time of recording (ns) and the message's bytes.
Raw = tuple[Channel, int, bytes]


class Storage(Protocol):
    """
    A file that is open. Reading may raise whatever its library raises: it is damaged then.

    start_ns, end_ns: of the first and last message, 0 without any. notes: what a user should know.
    """

    channels: list[Channel]
    start_ns: int
    end_ns: int
    notes: list[str]

    def messages(self, topics: Collection[str]) -> Iterator[Raw]:
        """Yield the messages of topics in order of time."""

    def close(self) -> None:
        """Close the file."""


class McapStorage:
    """
    An mcap file. Channels of any encoding are listed; a file without an index is read through.

    Without an index messages come as they were recorded, which is their order but for moments.
    """

    def __init__(self, path: Path) -> None:
        from mcap.reader import SeekingReader

        self.notes: list[str] = []
        self._file: IO[bytes] = path.open('rb')
        try:
            self._reader = SeekingReader(
                self._file, validate_crcs=True, record_size_limit=_MOST_CHUNK
            )
            summary = self._reader.get_summary()
            self._indexed = summary is not None and bool(summary.chunk_indexes)
            statistics = summary.statistics if summary is not None else None
            if (
                summary is None
                or statistics is None
                or len(summary.channels) < statistics.channel_count
            ):
                self._scan()
            else:
                for chunk in summary.chunk_indexes:
                    if chunk.uncompressed_size > _MOST_CHUNK:
                        raise ValueError(f'a chunk of {chunk.uncompressed_size} bytes')
                counts = statistics.channel_message_counts
                self._list(summary.channels, summary.schemas, counts)
                any_there = statistics.message_count > 0
                self.start_ns = statistics.message_start_time if any_there else 0
                self.end_ns = statistics.message_end_time if any_there else 0
        except BaseException:
            self._file.close()
            raise

    def messages(self, topics: Collection[str]) -> Iterator[Raw]:
        """Yield the messages of topics in order of time."""
        if self._indexed:
            found = self._reader.iter_messages(list(topics))
        else:
            found = self._through().iter_messages(list(topics), log_time_order=False)
        for _, channel, message in found:
            known = self._by_id.get(channel.id)
            if known is not None:
                yield known, message.log_time, message.data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _through(self) -> Any:
        from mcap.reader import NonSeekingReader

        self._file.seek(0)
        return NonSeekingReader(self._file, validate_crcs=True, record_size_limit=_MOST_CHUNK)

    def _scan(self) -> None:
        """Learn from the whole file what a summary would have said."""
        self._indexed = False
        channels: dict[int, Any] = {}
        schemas: dict[int, Any] = {}
        counts: Counter[int] = Counter()
        times: list[int] = []
        for schema, channel, message in self._through().iter_messages(log_time_order=False):
            channels[channel.id] = channel
            if schema is not None:
                schemas[schema.id] = schema
            counts[channel.id] += 1
            times = [min([*times[:1], message.log_time]), max([*times[1:], message.log_time])]
        self._list(channels, schemas, counts)
        self.start_ns, self.end_ns = (times[0], times[1]) if times else (0, 0)

    def _list(self, channels: Any, schemas: Any, counts: Any) -> None:
        self._by_id: dict[int, Channel] = {}
        for number, channel in channels.items():
            schema = schemas.get(channel.schema_id)
            form = schema.encoding if schema else ''
            self._by_id[number] = Channel(
                channel.topic,
                schema.name if schema else '',
                channel.message_encoding,
                # What is no text is no definition of ROS either.
                schema.data.decode('utf-8', 'replace') if schema else '',
                'ros2idl' if form == 'omgidl' else form,
                counts.get(number, 0),
            )
        self.channels = list(self._by_id.values())


class SqliteStorage:
    """
    A database of rosbag2's sqlite3 plug-in, of any age; opened for reading only.

    What is still in a write-ahead log belongs to it. Raises QuietNavError where such a log is
    there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.notes: list[str] = []
        self._path = path
        log, journal = (path.with_name(path.name + end) for end in ('-wal', '-journal'))
        unfinished = next((p for p in (log, journal) if p.is_file() and p.stat().st_size), None)
        # Only a database that nobody may be writing can be read without its locks.
        mode = 'mode=ro' if unfinished else 'immutable=1'
        try:
            self._db = sqlite3.connect(f'file:{quote(str(path))}?{mode}', uri=True)
            self._list()
        except sqlite3.Error as error:
            if unfinished is None:
                raise
            raise QuietNavError(
                f'{path}: messages are still in {unfinished.name}, which cannot be read here '
                f'({error}); copy the folder to where you may write, then: '
                f'sqlite3 {path.name} "pragma integrity_check"'
            ) from error
        if unfinished is not None:
            self.notes.append(
                f'{path.name}: read together with {unfinished.name}: the recording was not ended '
                'properly, or still goes on'
            )

    def messages(self, topics: Collection[str]) -> Iterator[Raw]:
        """Yield the messages of topics in order of time."""
        ids = [number for number, known in self._by_id.items() if known.topic in topics]
        query = (
            'SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN '
            f'({",".join("?" * len(ids))}) ORDER BY timestamp, id'
        )
        for number, time_ns, data in self._db.execute(query, ids):
            yield self._by_id[number], time_ns, data

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _list(self) -> None:
        columns = {row[1] for row in self._db.execute('PRAGMA table_info(topics)')}
        if not {'id', 'name', 'type'} <= columns:
            raise sqlite3.DatabaseError('no table of topics in it')
        definitions: dict[str, tuple[str, str]] = {}
        if self._db.execute('PRAGMA table_info(message_definitions)').fetchall():
            for name, form, text in self._db.execute(
                'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions'
            ):
                definitions[name] = text, form
        counts = dict(self._db.execute('SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id'))
        self._by_id = {
            number: Channel(
                str(topic),
                str(msgtype),
                str(encoding),
                str(definitions.get(msgtype, ('', ''))[0]),
                str(definitions.get(msgtype, ('', ''))[1]),
                counts.get(number, 0),
            )
            for number, topic, msgtype, encoding in self._db.execute(
                'SELECT id, name, type, serialization_format FROM topics ORDER BY id'
            )
        }
        self.channels = list(self._by_id.values())
        first, last = self._db.execute(
            'SELECT MIN(timestamp), MAX(timestamp) FROM messages'
        ).fetchone()
        self.start_ns, self.end_ns = first or 0, last or 0


class Ros1Storage:
    """A .bag file of ROS 1."""

    def __init__(self, path: Path) -> None:
        from rosbags.rosbag1 import Reader

        self.notes: list[str] = []
        self._reader = Reader(path)
        self._reader.open()
        self._known = {
            c.id: Channel(c.topic, c.msgtype, 'ros1', c.msgdef.data, 'ros1msg', c.msgcount)
            for c in self._reader.connections
        }
        self.channels = list(self._known.values())
        any_there = self._reader.message_count > 0
        self.start_ns = self._reader.start_time if any_there else 0
        self.end_ns = self._reader.end_time if any_there else 0

    def messages(self, topics: Collection[str]) -> Iterator[Raw]:
        """Yield the messages of topics in order of time."""
        wanted = [c for c in self._reader.connections if c.topic in topics]
        # The library takes an empty list for all of them.
        for connection, time_ns, data in self._reader.messages(wanted) if wanted else ():
            yield self._known[connection.id], time_ns, data

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class Files:
    """
    The files of a bag, one after the other, as if they were one.

    unpack: of the messages where each was compressed.
    """

    def __init__(
        self, storages: list[Storage], unpack: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._storages, self._unpack = storages, unpack
        merged: dict[tuple[str, str, str], Channel] = {}
        for channel in (c for storage in storages for c in storage.channels):
            key = channel.topic, channel.msgtype, channel.encoding
            had = merged.get(key)
            definition = had if had is not None and had.definition else channel
            count = channel.count + (had.count if had else 0)
            merged[key] = replace(definition, count=count)
        self.channels = list(merged.values())
        self.notes = [note for storage in storages for note in storage.notes]
        spans = [(s.start_ns, s.end_ns) for s in storages if any(c.count for c in s.channels)]
        self.start_ns = min((start for start, _ in spans), default=0)
        self.end_ns = max((end for _, end in spans), default=0)

    def messages(self, topics: Collection[str]) -> Iterator[Raw]:
        """Yield the messages of topics, file by file, each in order of time."""
        for storage in self._storages:
            for channel, time_ns, data in storage.messages(topics):
                yield channel, time_ns, self._unpack(data) if self._unpack else data

    def close(self) -> None:
        """Close all files."""
        with contextlib.ExitStack() as stack:
            for storage in self._storages:
                stack.callback(storage.close)
