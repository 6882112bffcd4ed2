"""Sound files as PCM chunks, sample for sample; recordings that were not ended, too."""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import io
import math
from pathlib import Path
import struct
from typing import Any, BinaryIO

import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.files.opening import open_regular
from quiet_nav.sound.pcm import encode_pcm, PcmFormat

#: What keeps every bit of a file's samples; anything else (Vorbis, Opus, ...) decodes to floats.
_EXACT = {'PCM_16': 'S16LE', 'PCM_24': 'S24LE', 'PCM_32': 'S32LE', 'PCM_S8': 'S16LE'}
_READ_AS = {'S16LE': 'int16', 'S24LE': 'int32', 'S32LE': 'int32', 'F32LE': 'float32'}
#: libsndfile's number of frames where the file does not say it, or a little less.
_UNKNOWN_FRAMES = 2**62
_MOST_HEADER = 2**20
_MOST_SIZE = 2**32 - 1


class PcmFile:
    """
    A WAV, FLAC or OGG file (whatever libsndfile reads) to be read as interleaved PCM.

    sample_format: 'auto' for the one that keeps the file's samples bit for bit, or one of PCM's.
    A file that does not say how long it is (FLAC from a pipe, WAV of a recorder that lost power)
    is read to its end; ``frames`` is None where that is not known before.
    Raises QuietNavError where the file is missing, no audio, empty or of a format PcmFormat
    refuses.
    """

    def __init__(self, path: str | Path, sample_format: str = 'auto') -> None:
        self.path = Path(path)
        with self._sound() as sound:
            frames, subtype = sound.frames, sound.subtype
            channels, rate = sound.channels, sound.samplerate
        if frames == 0:
            raise QuietNavError(f'{self.path}: holds no samples')
        self.frames: int | None = frames if frames < _UNKNOWN_FRAMES else None
        exact = _EXACT.get(subtype, 'F32LE')
        name = exact if sample_format == 'auto' else sample_format
        self.format = PcmFormat(name, channels, rate)

    @property
    def duration_s(self) -> float:
        """Length in seconds, NaN where that is not known before the end."""
        return math.nan if self.frames is None else self.frames / self.format.sample_rate

    def chunks(self, chunk_s: float, loop: bool = False) -> Iterator[bytes]:
        """
        Yield PCM bytes of ``chunk_s`` each, the last one shorter; for ever with ``loop``.

        Raises QuietNavError where the file breaks off with damaged data.
        """
        frames = max(1, round(chunk_s * self.format.sample_rate))
        # Bit-exact only if libsndfile reads the integers themselves, not floats made of them.
        kind = _READ_AS[self.format.sample_format]
        while True:
            with self._sound() as sound:
                done = 0
                while True:
                    try:
                        block = sound.read(frames, dtype=kind, always_2d=True)
                    except (soundfile.LibsndfileError, OSError) as error:
                        raise QuietNavError(
                            f'{self.path}: damaged {done / self.format.sample_rate:.1f} s after '
                            f'its beginning ({error})'
                        ) from error
                    if len(block):
                        yield encode_pcm(block, self.format.sample_format)
                    done += len(block)
                    if len(block) < frames:
                        break
            if not loop or not done:
                return

    @contextlib.contextmanager
    def _sound(self) -> Iterator[soundfile.SoundFile]:
        with open_regular(self.path) as file:
            try:
                sound = _Forward(_mended(file))
            except (soundfile.LibsndfileError, OSError, ValueError, TypeError) as error:
                raise QuietNavError(_unreadable(self.path)) from error
            with sound:
                yield sound


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """
    A sound file that is read from its beginning to its end alone.

    soundfile seeks after every block otherwise, which fails at the end of unknown length.
    """

    def seekable(self) -> bool:
        return False


class _Mended(io.RawIOBase):
    """A file some of whose bytes are read as others: {place: bytes}."""

    def __init__(self, file: BinaryIO, instead: dict[int, bytes]) -> None:
        self._file, self._instead = file, instead

    def read(self, size: int = -1) -> bytes:
        begin = self._file.tell()
        data = bytearray(self._file.read(size))
        for place, other in self._instead.items():
            for i, byte in enumerate(other, place - begin):
                if 0 <= i < len(data):
                    data[i] = byte
        return bytes(data)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _mended(file: BinaryIO) -> BinaryIO | _Mended:
    """
    Return a WAV file whose header says that nothing is in it with what is there, or the file.

    Recorders write the length when they end; one that lost power leaves it at 0.
    """
    header = file.read(_MOST_HEADER)
    whole = file.seek(0, 2)
    file.seek(0)
    if header[:4] != b'RIFF' or header[8:12] != b'WAVE':
        return file
    place = 12
    while place + 8 <= len(header):
        name, size = header[place : place + 4], struct.unpack_from('<I', header, place + 4)[0]
        if name == b'data':
            rest = whole - place - 8
            if size or not rest:
                return file
            lengths = (4, whole - 8), (place + 4, rest)
            return _Mended(file, {at: struct.pack('<I', min(n, _MOST_SIZE)) for at, n in lengths})
        place += 8 + size + size % 2
    return file


def _unreadable(path: Path) -> str:
    kinds = ', '.join(sorted(set(soundfile.available_formats()) & {'WAV', 'FLAC', 'OGG', 'MP3'}))
    return f'{path}: not audio that can be read; expected one of {kinds} or the like'
