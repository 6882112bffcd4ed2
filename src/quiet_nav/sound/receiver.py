"""What a subscriber of audio_common does with infos and chunks, from ROS or from a bag."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.pcm import PcmFormat
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.timeline import Break, StampTolerance

_WAITING_S = 10.0
#: Whatever stamps say, no more than this waits for an info: 10 s of eight channels at 48 kHz.
_MOST_WAITING = 16_000_000


@dataclass(frozen=True)
class AudioEvent:
    """
    Something that a user should know: ``error`` where no sound can be had until it is mended.

    cause: what brought it about, in words without its numbers: equal causes need not be said
    every time. '' for what is always worth saying.
    """

    text: str
    error: bool = False
    cause: str = ''


def format_from_info(
    channels: int, sample_rate: int, sample_format: str, coding_format: str
) -> PcmFormat:
    """
    Return the format that an audio_common_msgs/AudioInfo says.

    Raises QuietNavError for compressed audio and whatever PcmFormat refuses.
    """
    if coding_format.lower() != 'wave':
        raise QuietNavError(
            f'audio is published as {coding_format!r}, expected raw samples: start audio_capture '
            'with format:=wave (its default is mp3)'
        )
    return PcmFormat(sample_format, channels, sample_rate)


class AudioReceiver:
    """
    Build the AudioStream of one topic from its infos and chunks, in the order they came.

    Chunks that come before the first info wait for it. Bad input never raises: ``fault`` says what
    is wrong until it is over, ``take_events`` what happened since it was last asked.
    """

    def __init__(self, buffer_s: float = 30.0, tolerance: StampTolerance | None = None) -> None:
        self.stream: AudioStream | None = None
        self.chunks = 0
        self._buffer_s = buffer_s
        self._tolerance = tolerance
        self._fault = ''
        self._foreign = ''
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._waiting_bytes = 0
        self._events: list[AudioEvent] = []
        self._ragged = False
        self._not_finite = 0

    @property
    def fault(self) -> str:
        """Why there is no sound, or ''."""
        if self._fault or self.stream is not None:
            return self._fault
        if self._foreign:
            return self._foreign
        if self.lacks_info:
            return 'audio comes, but no audio_info says its format: is it published and remapped?'
        return 'no audio received yet'

    @property
    def lacks_info(self) -> bool:
        """Whether chunks wait for an info that says their format."""
        return bool(self._waiting)

    def take_events(self) -> list[AudioEvent]:
        """Return what happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def on_info(
        self, channels: int, sample_rate: int, sample_format: str, coding_format: str
    ) -> None:
        """Take the fields of an AudioInfo; repeated ones change nothing."""
        try:
            new = format_from_info(channels, sample_rate, sample_format, coding_format)
        except QuietNavError as error:
            self._fail(str(error))
            return
        if self._fault:
            self._events.append(
                AudioEvent(f'audio is right again: {new}', cause='audio is right again')
            )
        self._fault = ''
        if self.stream is not None and self.stream.format == new:
            return
        if self.stream is not None:
            text = f'audio changed from {self.stream.format} to {new}: starting afresh'
            self._events.append(AudioEvent(text, cause='audio changed'))
        self.stream = AudioStream(new, self._buffer_s, self._tolerance)
        self._ragged, self._not_finite = False, 0
        self._waiting_bytes = 0
        while self._waiting:
            self._push(self.stream, *self._waiting.popleft())

    def on_audio(self, data: bytes | memoryview, stamp_ns: int) -> Break | None:
        """Take a chunk of PCM bytes and the time of its first sample; return a break if found."""
        self.chunks += 1
        if self._fault:
            return None
        if self.stream is None:
            self._waiting.append((bytes(data), stamp_ns))
            self._waiting_bytes += len(data)
            while self._waiting and (
                stamp_ns - self._waiting[0][1] > _WAITING_S * 1e9
                or self._waiting_bytes > _MOST_WAITING
            ):
                self._waiting_bytes -= len(self._waiting.popleft()[0])
            return None
        return self._push(self.stream, data, stamp_ns)

    def on_foreign(self, text: str) -> None:
        """Take note that a publisher's messages are not ones that can be read; '' when over."""
        if text and text != self._foreign:
            self._events.append(AudioEvent(text, error=True, cause=text))
        self._foreign = text

    def _fail(self, text: str) -> None:
        if text != self._fault:
            self._events.append(AudioEvent(text, error=True, cause=text))
        self._fault = text
        self.stream = None
        self._waiting.clear()
        self._waiting_bytes = 0

    def _push(self, stream: AudioStream, data: bytes | memoryview, stamp_ns: int) -> Break | None:
        found = stream.push_bytes(data, stamp_ns)
        if found is not None:
            text = f'{found}: windows across it are not valid'
            self._events.append(AudioEvent(text, cause=f'sound: {found.kind.name}'))
        pcm_format = stream.format
        if len(data) % pcm_format.frame_bytes and not self._ragged:
            self._ragged = True
            text = (
                f'{len(data)} bytes do not fill frames of {pcm_format.frame_bytes} bytes '
                f'({pcm_format}): the rest is joined to the next chunk; is audio_info right?'
            )
            self._events.append(AudioEvent(text))
        if stream.not_finite_count and not self._not_finite:
            text = 'samples that are not finite numbers: windows with them are not valid'
            self._events.append(AudioEvent(text))
        self._not_finite = stream.not_finite_count
        return found
