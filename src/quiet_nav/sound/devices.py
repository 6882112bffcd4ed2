"""Microphones through PortAudio: which there are, and PCM chunks with their capture times."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.pcm import PcmFormat
from quiet_nav.sound.timeline import StampTolerance, Timeline

#: Without a chunk for so long a device is lost; a sound server may take longer for the first.
LOST_AFTER_S = 1.0
FIRST_AFTER_S = 4.0
_DTYPES = {'S16LE': 'int16', 'S24LE': 'int24', 'S32LE': 'int32', 'F32LE': 'float32'}
_POLL_S = 0.1
#: How much sound the driver holds for us: a busy robot may keep the reader waiting for so long.
_BUFFER_S = 0.2


@dataclass(frozen=True)
class CapturedChunk:
    """PCM bytes, the time of their first sample (ns), whether samples before it were lost."""

    data: bytes
    stamp_ns: int
    overflow: bool = False


def _portaudio() -> Any:
    try:
        import sounddevice
    except OSError as error:
        raise QuietNavError(
            f'PortAudio is not installed ({error}): apt install libportaudio2'
        ) from error
    return sounddevice


def rescan_devices() -> None:
    """Let PortAudio look again which devices there are; no capture may be open."""
    sounddevice = _portaudio()
    # PortAudio lists devices once, at start; sounddevice offers no public way to start it again.
    sounddevice._terminate()
    sounddevice._initialize()


def input_devices() -> list[str]:
    """Return the inputs there are, each as 'index: name (channels, default rate)'."""
    sounddevice = _portaudio()
    return [
        f'{device["index"]}: {device["name"]} ({device["max_input_channels"]} channels, '
        f'{device["default_samplerate"]:.0f} Hz)'
        for device in sounddevice.query_devices()
        if device['max_input_channels'] > 0
    ]


def find_device(device: str) -> int:
    """Return the index of an input given by index, name, part of a name, or '' for the default.

    Raises QuietNavError listing the inputs there are where none or several fit.
    """
    sounddevice = _portaudio()
    wanted: str | int | None = int(device) if device.isdecimal() else device or None
    try:
        found = sounddevice.query_devices(wanted, 'input')
    except (ValueError, sounddevice.PortAudioError) as error:
        there = '; '.join(input_devices()) or 'none'
        what = f'input device {device!r}' if device else 'default input device'
        raise QuietNavError(f'no {what} ({_one_line(error)}); inputs there are: {there}') from error
    return int(found['index'])


class CaptureClock:
    """Turn PortAudio's capture times into stamps on another clock, without their jitter.

    ``capture_ns`` is measured once a chunk; the stamps follow it as ``Timeline`` does: the drift
    of the sound card's clock is followed slowly, lost samples are a jump.
    """

    def __init__(self, sample_rate: int, tolerance: StampTolerance | None = None) -> None:
        self._timeline = Timeline(sample_rate, tolerance)
        self._begun = False

    def stamp(self, frames: int, capture_ns: int, lost: bool = False) -> int:
        """Return the stamp of a chunk of so many frames; ``lost``: samples before it are gone."""
        first = self._timeline.frames
        if lost and self._begun:
            self._timeline.restart(capture_ns, 'overflow')
        self._begun = True
        self._timeline.append(frames, capture_ns)
        self._timeline.forget_before(first - self._timeline.sample_rate)
        return self._timeline.time_ns(first)


class DeviceCapture:
    """A PortAudio input, open as a context; ``chunks`` yields what it records.

    device: as in ``find_device``. clock: returns the time now in ns; stamps are on this clock.
    Raises QuietNavError where the device is not there or cannot record in this format.
    """

    def __init__(
        self, device: str, pcm_format: PcmFormat, chunk_s: float, clock: Callable[[], int]
    ) -> None:
        self._sounddevice = _portaudio()
        self._format = pcm_format
        self._clock = clock
        self._queue: queue.SimpleQueue[tuple[bytes, int, bool]] = queue.SimpleQueue()
        self._capture_clock = CaptureClock(pcm_format.sample_rate)
        index = find_device(device)
        self.name: str = self._sounddevice.query_devices(index)['name']
        options = {
            'device': index,
            'channels': pcm_format.channels,
            'dtype': _DTYPES[pcm_format.sample_format],
            'samplerate': pcm_format.sample_rate,
        }
        try:
            self._stream = self._sounddevice.RawInputStream(
                blocksize=max(1, round(chunk_s * pcm_format.sample_rate)),
                callback=self._receive,
                latency=_BUFFER_S,
                **options,
            )
        except self._sounddevice.PortAudioError as error:
            raise QuietNavError(
                f'{self.name} cannot record {pcm_format} ({_one_line(error)}); '
                f'inputs there are: {"; ".join(input_devices())}'
            ) from error

    def __enter__(self) -> DeviceCapture:
        try:
            self._stream.start()
        except self._sounddevice.PortAudioError as error:
            self._stream.close(ignore_errors=True)
            raise QuietNavError(f'{self.name} does not start ({_one_line(error)})') from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    def chunks(self, stop: threading.Event) -> Iterator[CapturedChunk]:
        """Yield chunks until ``stop`` is set.

        Raises QuietNavError where none came for 1 s or PortAudio ended: the device is lost.
        """
        waited_s, patience_s = 0.0, FIRST_AFTER_S
        while not stop.is_set():
            try:
                data, capture_ns, overflow = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                waited_s += _POLL_S
                if waited_s >= patience_s or not self._stream.active:
                    raise QuietNavError(
                        f'{self.name}: no sound comes any more; is it unplugged?'
                    ) from None
                continue
            waited_s, patience_s = 0.0, LOST_AFTER_S
            frames = len(data) // self._format.frame_bytes
            yield CapturedChunk(
                data, self._capture_clock.stamp(frames, capture_ns, overflow), overflow
            )

    def _receive(self, data: Any, frames: int, time_info: Any, status: Any) -> None:
        age_s = time_info.currentTime - time_info.inputBufferAdcTime
        if time_info.inputBufferAdcTime <= 0.0 or not 0.0 <= age_s < 2.0:
            # Not every driver says when it captured: the chunk's end is now, at the latest.
            age_s = frames / self._format.sample_rate
        capture_ns = self._clock() - round(age_s * 1e9)
        self._queue.put((bytes(data), capture_ns, bool(status.input_overflow)))


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())
