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

"""Writing files: whole or not at all, and never over what is there unless that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
import contextlib
import errno
import json
import os
from pathlib import Path
import secrets
import shutil
import stat

from quiet_nav.errors import QuietNavError

#: How the names of files and folders begin that are not whole yet.
PART = '.part-'
_ENDED = (errno.ENOSPC, errno.EDQUOT)
#: Bytes that have to be free for a file to grow.
_LEAST = 2**20


def refuse_existing(paths: Path | Iterable[Path], overwrite: bool = False) -> None:
    """
    Raise QuietNavError where a file is there already or cannot be; before the work, not after.

    overwrite: the user said that they may be replaced.
    """
    for path in [paths] if isinstance(paths, Path) else paths:
        refuse_no_room(path)
        if not overwrite and os.path.exists(path) and not _is_stream(path):
            raise QuietNavError(_is_there(path))


def refuse_no_room(path: Path) -> None:
    """Raise QuietNavError where no file or folder can be made at a path, for what is above it."""
    above = next((folder for folder in path.absolute().parents if os.path.lexists(folder)), None)
    fault = None
    if above is not None and not above.is_dir():
        fault = errno.ENOTDIR
    elif above is not None and not os.path.lexists(path) and not os.access(above, os.W_OK):
        fault = errno.EACCES
    if fault is not None:
        raise QuietNavError(f'{path}: cannot be written ({os.strerror(fault)})')


def refuse_own_input(out: Path, sources: Iterable[Path]) -> None:
    """Raise QuietNavError where a command would write over what it reads, asked or not."""
    for source in sources:
        with contextlib.suppress(OSError):
            if os.path.samefile(out, source):
                raise QuietNavError(
                    f'{out} is what this command reads ({source}); name another file to write'
                )


def write_file(path: str | Path, content: bytes | str, overwrite: bool = False) -> None:
    """
    Write a file so that it is either whole or as it was before; folders above it are made.

    A device or a pipe (`/dev/stdout`) is written to directly. Raises QuietNavError in one line
    where the file is there already and ``overwrite`` is false, where the disk is full, or where
    the folder cannot be written.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    with _said(path):
        if _is_stream(path):
            with path.open('ab', buffering=0) as stream:
                stream.write(data)
            return
    with whole_file(path, overwrite) as part:
        part.write_bytes(data)


def write_json(path: str | Path, content: object, overwrite: bool = False, indent: int = 1) -> None:
    """Write JSON; as ``write_file``."""
    write_file(path, json.dumps(content, indent=indent) + '\n', overwrite)


@contextlib.contextmanager
def whole_file(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """
    Give a path to write to, with the same ending, that becomes ``path`` when all is written.

    For libraries that write files themselves. Errors as for ``write_file``; where anything is
    raised inside nothing is left and ``path`` is as it was.
    """
    path = Path(path)
    with whole_files([path], overwrite) as (part,):
        yield part


@contextlib.contextmanager
def whole_files(paths: Iterable[Path], overwrite: bool = False) -> Iterator[list[Path]]:
    """
    Give paths to write to, as ``whole_file``, of files that belong together.

    They are renamed one after the other once all are on the disk.
    """
    # A link stays one: the file that it names is replaced.
    targets = [Path(os.path.realpath(path)) for path in paths]
    refuse_existing(targets, overwrite)
    parts = [_part_of(target) for target in targets]
    try:
        with _said(targets[0]):
            for target in targets:
                if target.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                target.parent.mkdir(parents=True, exist_ok=True)
            yield parts
            for target, part in zip(targets, parts, strict=True):
                with contextlib.suppress(FileNotFoundError):
                    part.chmod(stat.S_IMODE(target.stat().st_mode))
                sync(part)
            for target, part in zip(targets, parts, strict=True):
                _give_name(part, target, overwrite)
            for folder in {target.parent for target in targets}:
                sync(folder)
    except QuietNavError as error:
        # Whoever wrote knows the part alone.
        text = str(error)
        for target, part in zip(targets, parts, strict=True):
            text = text.replace(str(part), str(target))
        raise QuietNavError(text) from error
    finally:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """
    Give a folder to write into that becomes ``target`` only when everything is on the disk.

    Where ``target`` is there by then it stays as it is. Raises QuietNavError where the disk is
    full or cannot be written; nothing is left then.
    """
    part = _part_of(target)
    try:
        with _said(target):
            part.mkdir(parents=True)
            yield part
            for path in sorted(part.rglob('*')):
                sync(path)
            sync(part)
            with contextlib.suppress(FileExistsError):
                _rename_folder(part, target)
            sync(target.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def clear_parts(root: Path) -> None:
    """Remove what a killed run left half-written below ``root``, three folders deep."""
    for part in [*root.glob(f'{PART}*'), *root.glob(f'*/{PART}*'), *root.glob(f'*/*/{PART}*')]:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def full_disk(error: BaseException | None) -> bool:
    """Return whether an error, or one that it came from, says that the disk or quota is full."""
    return _full(error) is not None


def _full(error: BaseException | None) -> OSError | None:
    while error is not None:
        if isinstance(error, OSError) and error.errno in _ENDED:
            return error
        error = error.__cause__ or error.__context__
    return None


def disk_full(path: Path) -> str:
    """Return what to say about a full disk."""
    return (
        f'{path}: no space left on the disk; nothing of it was kept. Free some space and run '
        'the same command again'
    )


@contextlib.contextmanager
def nothing_cut(folder: Path) -> Iterator[None]:
    """
    Turn a full disk into QuietNavError, and remove the file below ``folder`` that it cut.

    For libraries that write files themselves, as Lightning its checkpoints.
    """
    try:
        yield
    except Exception as error:
        ended = _full(error)
        if ended is None:
            raise
        # Of a move the second is where to.
        cut = Path(os.fsdecode(ended.filename2 or ended.filename or folder))
        if folder.resolve() in cut.resolve().parents and cut.is_file():
            cut.unlink()
        raise QuietNavError(disk_full(cut)) from error


def check_space(path: Path) -> None:
    """
    Raise OSError, as a full disk does, where the file system of a file has no megabyte left.

    For work of minutes on a file that a library writes and says nothing of.
    """
    if shutil.disk_usage(path.parent).free < _LEAST:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def why_not_written(path: Path, error: Exception) -> Exception:
    """
    Return why a library could not write a file, where its error does not say what the system did.

    The system is asked again: OSError is its answer; otherwise QuietNavError with the library's.
    """
    try:
        with path.open('ab') as file:
            file.write(bytes(_LEAST))
    except OSError as answer:
        return answer
    return QuietNavError(f'{path}: cannot be written ({error})')


def sync(path: Path) -> None:
    """Wait until a file or a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn what the file system says about writing ``path`` into one line."""
    try:
        yield
    except QuietNavError:
        raise
    except Exception as error:
        # Libraries wrap what the file system said in errors of their own.
        if full_disk(error):
            raise QuietNavError(disk_full(path)) from error
        if isinstance(error, OSError) and _is_about(error, path):
            raise QuietNavError(f'{path}: cannot be written ({error.strerror or error})') from error
        raise


def _is_about(error: OSError, path: Path) -> bool:
    """Return whether an error is about a file on its way, not about another that is read for it."""
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ''
    return not name or PART in name or str(path).startswith(name)


def _part_of(target: Path) -> Path:
    # The ending stays: savefig and others choose their format by it. Names end at 255 bytes.
    ending = target.suffix if len(target.suffix) <= 10 else ''
    mark = f'{os.getpid()}-{secrets.token_hex(4)}'
    return target.with_name(f'{PART}{target.stem[:40]}-{mark}{ending}')


def _give_name(part: Path, target: Path, overwrite: bool) -> None:
    if not overwrite:
        try:
            # Unlike a rename this fails where another process was first.
            os.link(part, target)
            return
        except FileExistsError as error:
            raise QuietNavError(_is_there(target)) from error
        except OSError:
            # No file system has to know links.
            refuse_existing(target)
    part.replace(target)


def _rename_folder(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise FileExistsError(target) from error
        raise


def _is_stream(path: Path) -> bool:
    """Return whether a path is a device or a pipe: nothing there can be replaced."""
    if os.path.abspath(path).startswith('/dev/'):
        # /dev/stdout is what the shell made of it, a file or a pipe.
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def _is_there(path: Path) -> str:
    return f'{path} is there already; --overwrite replaces it, or name another file'
