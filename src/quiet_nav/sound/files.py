"""Sound files as PCM chunks, sample for sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.pcm import PcmFormat, encode_pcm

#: What keeps every bit of a file's samples; anything else (Vorbis, Opus, ...) decodes to floats.
_EXACT = {'PCM_16': 'S16LE', 'PCM_24': 'S24LE', 'PCM_32': 'S32LE', 'PCM_S8': 'S16LE'}
_READ_AS = {'S16LE': 'int16', 'S24LE': 'int32', 'S32LE': 'int32', 'F32LE': 'float32'}


class PcmFile:
    """A WAV, FLAC or OGG file (whatever libsndfile reads) to be read as interleaved PCM.

    sample_format: 'auto' for the one that keeps the file's samples bit for bit, or one of PCM's.
    Raises QuietNavError where the file is missing, no audio, empty or of a format PcmFormat
    refuses.
    """

    def __init__(self, path: str | Path, sample_format: str = 'auto') -> None:
        self.path = Path(path)
        try:
            info = soundfile.info(str(self.path))
        except (soundfile.LibsndfileError, OSError) as error:
            raise QuietNavError(_unreadable(self.path)) from error
        if info.frames == 0:
            raise QuietNavError(f'{self.path}: holds no samples')
        self.frames: int = info.frames
        exact = _EXACT.get(info.subtype, 'F32LE')
        name = exact if sample_format == 'auto' else sample_format
        self.format = PcmFormat(name, info.channels, info.samplerate)

    @property
    def duration_s(self) -> float:
        return self.frames / self.format.sample_rate

    def chunks(self, chunk_s: float, loop: bool = False) -> Iterator[bytes]:
        """Yield PCM bytes of ``chunk_s`` each, the last one shorter; for ever with ``loop``.

        Raises QuietNavError where the file breaks off with damaged data.
        """
        frames = max(1, round(chunk_s * self.format.sample_rate))
        # Bit-exact only if libsndfile reads the integers themselves, not floats made of them.
        kind = _READ_AS[self.format.sample_format]
        while True:
            try:
                for block in soundfile.blocks(
                    str(self.path), blocksize=frames, dtype=kind, always_2d=True
                ):
                    yield encode_pcm(block, self.format.sample_format)
            except (soundfile.LibsndfileError, OSError) as error:
                raise QuietNavError(f'{self.path}: damaged ({error})') from error
            if not loop:
                return


def _unreadable(path: Path) -> str:
    if not path.exists():
        return f'{path}: there is no such file'
    kinds = ', '.join(sorted(set(soundfile.available_formats()) & {'WAV', 'FLAC', 'OGG', 'MP3'}))
    return f'{path}: not audio that can be read; expected one of {kinds} or the like'
