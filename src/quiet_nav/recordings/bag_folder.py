"""A rosbag2 folder or a ROS 1 file: which files belong to it, and what metadata.yaml declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
import contextlib
from dataclasses import dataclass
from pathlib import Path, PurePath
import shutil
import tempfile
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.files.values import short
from quiet_nav.files.yaml_files import read_yaml
from quiet_nav.recordings.bag_storage import (
    Files,
    McapStorage,
    MEBIBYTE,
    Ros1Storage,
    SqliteStorage,
    Storage,
)

BAG_FILES = ('.mcap', '.db3')
_METADATA = 'metadata.yaml'
_STORAGES: dict[str, Callable[[Path], Storage]] = {'mcap': McapStorage, 'sqlite3': SqliteStorage}
_MOST_METADATA = 16 * MEBIBYTE
#: Recordings of sound and images shrink to a third at best: what grows so much is no recording.
_MOST_GROWTH, _SPARE = 100, 64 * MEBIBYTE
_MOST_MESSAGE = 256 * MEBIBYTE


@dataclass(frozen=True)
class Metadata:
    """What metadata.yaml says; counts: messages by topic."""

    storage: str
    files: tuple[Path, ...]
    compression: str
    counts: dict[str, int]


def bag_path(path: Path) -> Path:
    """Return the folder or .bag file that a path means; QuietNavError where it is no bag."""
    if not path.exists():
        raise QuietNavError(f'{path}: no such bag')
    if path.is_file() and path.suffix == '.bag':
        return path
    folder = path.parent if path.is_file() and path.suffix in BAG_FILES else path
    if not folder.is_dir():
        raise QuietNavError(
            f'{path}: not a bag; expected a rosbag2 folder, a {" or ".join(BAG_FILES)} file in '
            'one, or a ROS 1 .bag'
        )
    if not (folder / _METADATA).is_file():
        held = sorted(p.name for p in folder.iterdir() if p.suffix in BAG_FILES)
        if not held:
            raise QuietNavError(f'{path}: not a bag; no metadata.yaml and no bag file in it')
        raise QuietNavError(
            f'{path}: no metadata.yaml beside {", ".join(held)}; the recording was not ended '
            f'properly: `ros2 bag reindex {folder}` writes one'
        )
    return folder.resolve() if folder.name in ('', '.', '..') else folder


def bag_name(path: str | Path) -> str:
    """Return what a bag is called: its folder, or its file without the ending."""
    found = bag_path(Path(path))
    return found.stem if found.suffix == '.bag' and found.is_file() else found.name


def read_metadata(folder: Path) -> Metadata:
    """Return what a folder's metadata.yaml says; QuietNavError naming file and field."""
    path = folder / _METADATA
    content = read_yaml(path, f'bag {folder}: {_METADATA}', _MOST_METADATA)
    where = f'bag {folder}: {_METADATA}'
    info = _field(content, 'rosbag2_bagfile_information', dict, where)
    storage = _field(info, 'storage_identifier', str, where)
    if storage not in _STORAGES:
        raise QuietNavError(
            f'{where}: storage_identifier {short(storage)}, expected {" or ".join(_STORAGES)}; '
            '`ros2 bag convert` writes another'
        )
    files = []
    for name in _field(info, 'relative_file_paths', list, where):
        if not isinstance(name, str):
            raise QuietNavError(f'{where}: relative_file_paths holds {short(name)}, expected text')
        files.append(folder / PurePath(name).name)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise QuietNavError(
            f'bag {folder}: {", ".join(missing[:5])} not there, which {_METADATA} names; copy the '
            f'whole folder, or `ros2 bag reindex {folder}`'
        )
    compression = str(info.get('compression_mode') or '').lower()
    form = str(info.get('compression_format') or '')
    compression = '' if compression == 'none' else compression
    if compression not in ('', 'file', 'message') or (compression and form != 'zstd'):
        raise QuietNavError(
            f'{where}: compressed by {short(compression)} as {short(form)}, expected zstd; '
            '`ros2 bag convert` unpacks it'
        )
    counts: Counter[str] = Counter()
    for item in _field(info, 'topics_with_message_count', list, where):
        topic = _field(item, 'topic_metadata', dict, where)
        counts[_field(topic, 'name', str, where)] += _field(item, 'message_count', int, where)
    return Metadata(storage, tuple(files), compression, dict(counts))


def open_files(path: Path, stack: contextlib.ExitStack) -> tuple[Files, dict[str, int]]:
    """
    Open the files of a bag and return them with the counts that the bag declares by topic.

    path: as ``bag_path`` gives it. stack: closes them. Raises QuietNavError for bad metadata, and
    whatever the libraries raise where a file is damaged.
    """
    if path.is_file():
        single = Ros1Storage(path)
        stack.callback(single.close)
        return Files([single]), {}
    metadata = read_metadata(path)
    files = list(metadata.files)
    if metadata.compression == 'file':
        unpacked = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='quiet_nav-')))
        files = [_unpacked(file, unpacked / file.stem) for file in files]
    storages: list[Storage] = []
    for file in files:
        storage = _STORAGES[metadata.storage](file)
        stack.callback(storage.close)
        storages.append(storage)
    unpack = _unpack if metadata.compression == 'message' else None
    return Files(storages, unpack), metadata.counts


def _unpacked(packed: Path, target: Path) -> Path:
    """Unpack a file that was compressed as a whole; a small one may not fill the disk."""
    import zstandard

    most = min(
        _MOST_GROWTH * packed.stat().st_size + _SPARE, shutil.disk_usage(target.parent).free // 2
    )
    with packed.open('rb') as source, target.open('wb') as file:
        for part in zstandard.ZstdDecompressor().read_to_iter(source):
            if file.tell() + len(part) > most:
                raise QuietNavError(
                    f'{packed}: unpacks to more than {most // MEBIBYTE} MiB in {target.parent}; '
                    'set TMPDIR to a larger disk, or unpack it by `ros2 bag convert`'
                )
            file.write(part)
    return target


def _unpack(data: bytes) -> bytes:
    import zstandard

    size = zstandard.frame_content_size(data)
    if size > _MOST_MESSAGE:
        raise ValueError(f'a message that unpacks to {size} bytes')
    unpacked: bytes = zstandard.ZstdDecompressor().decompress(data, max_output_size=_MOST_MESSAGE)
    return unpacked


def _field(content: Any, name: str, kind: type, where: str) -> Any:
    value = content.get(name) if isinstance(content, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {dict: 'a mapping', list: 'a list', str: 'text', int: 'a whole number'}
        raise QuietNavError(f'{where}: {name} is {short(value)}, expected {words[kind]}')
    return value
