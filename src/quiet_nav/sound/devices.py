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

"""Microphones through PortAudio: which there are, and PCM chunks with their capture times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
import queue
import threading
from types import TracebackType
from typing import Any

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.pcm import decode_pcm, encode_pcm, MAX_CHANNELS, PcmFormat
from quiet_nav.sound.resampling import StreamResampler
from quiet_nav.sound.timeline import StampTolerance, Timeline

#: Without a chunk for so long a device is lost; a sound server may take longer for the first.
LOST_AFTER_S = 1.0
FIRST_AFTER_S = 4.0
#: How PortAudio calls a rate that a device does not have.
_INVALID_RATE = 'Invalid sample rate'
_DTYPES = {'S16LE': 'int16', 'S24LE': 'int24', 'S32LE': 'int32', 'F32LE': 'float32'}
_POLL_S = 0.1
#: Rates (Hz) that sound cards have where they lack the one wanted, the best first.
_USUAL_RATES = (48_000, 44_100, 32_000, 96_000, 22_050, 16_000, 8_000)
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


@dataclass(frozen=True)
class InputDevice:
    """
    An input: what PortAudio calls it, and how it can be named to us.

    host_api: what PortAudio reaches it through (ALSA, ...). default_rate: Hz. written: the name, or
    the part of it, or else the index, that ``find_device`` takes for this input alone.
    """

    index: int
    name: str
    host_api: str
    channels: int
    default_rate: int
    is_default: bool
    written: str

    def __str__(self) -> str:
        return f'{self.index}: {self.name} ({self.channels} channels, {self.default_rate} Hz)'


def input_devices() -> list[InputDevice]:
    """Return the inputs there are; QuietNavError where PortAudio is not installed."""
    sounddevice = _portaudio()
    apis = sounddevice.query_hostapis()
    found = [d for d in sounddevice.query_devices() if d['max_input_channels'] > 0]
    default = _default_index(sounddevice)
    return [
        InputDevice(
            index=d['index'],
            name=d['name'],
            host_api=apis[d['hostapi']]['name'],
            channels=d['max_input_channels'],
            default_rate=round(d['default_samplerate']),
            is_default=d['index'] == default,
            written=_written(d['index'], d['name'], [o['name'] for o in found]),
        )
        for d in found
    ]


def _default_index(sounddevice: Any) -> int:
    try:
        return int(sounddevice.query_devices(None, 'input')['index'])
    except (ValueError, sounddevice.PortAudioError):
        return -1


def _written(index: int, name: str, names: list[str]) -> str:
    """Return what names one device alone: the part before what ALSA adds, or the index."""
    # A colon would make a mapping of it where ROS reads parameters as YAML.
    part = name.split(':')[0].strip()
    alike = sum(part.lower() in other.lower() for other in names)
    return part if part and alike == 1 and not part.isdecimal() else str(index)


def rates_that_open(device: InputDevice, sample_format: str = 'S16LE') -> tuple[int, ...]:
    """Return the usual rates (Hz) that a device really opens at, with all channels we can read."""
    sounddevice, rates = _portaudio(), []
    for rate in sorted({device.default_rate, *_USUAL_RATES}):
        try:
            sounddevice.check_input_settings(
                device=device.index,
                channels=min(device.channels, MAX_CHANNELS),
                dtype=_DTYPES[sample_format],
                samplerate=rate,
            )
        except (ValueError, sounddevice.PortAudioError):
            continue
        rates.append(rate)
    return tuple(rates)


def find_device(device: str) -> int:
    """
    Return the index of an input given by index, name, part of a name, or '' for the default.

    Raises QuietNavError listing the inputs there are where none or several fit.
    """
    sounddevice = _portaudio()
    wanted: str | int | None = int(device) if device.isdecimal() else device or None
    try:
        found = sounddevice.query_devices(wanted, 'input')
    except (ValueError, sounddevice.PortAudioError) as error:
        there = _there()
        what = f'input device {device!r}' if device else 'default input device'
        raise QuietNavError(f'no {what} ({_one_line(error)}); inputs there are: {there}') from error
    return int(found['index'])


class CaptureClock:
    """
    Turn PortAudio's capture times into stamps on another clock, without their jitter.

    ``capture_ns`` is measured once a chunk; the stamps follow it as ``Timeline`` does: the drift
    of the sound card's clock is followed slowly, lost samples are a jump.
    """

    def __init__(self, sample_rate: int, tolerance: StampTolerance | None = None) -> None:
        self._timeline = Timeline(sample_rate, tolerance)
        self._begun = False

    @property
    def frames(self) -> int:
        """Frames that were stamped so far."""
        return self._timeline.frames

    def stamp(self, frames: int, capture_ns: int, lost: bool = False) -> int:
        """Return the stamp of a chunk of so many frames; ``lost``: samples before it are gone."""
        first = self._timeline.frames
        if lost and self._begun:
            self._timeline.restart(capture_ns, 'overflow')
        self._begun = True
        self._timeline.append(frames, capture_ns)
        self._timeline.forget_before(first - self._timeline.sample_rate)
        return self._timeline.time_ns(first)

    def time_ns(self, frame: float) -> int:
        """Return the stamp of a frame, less than a second before the newest."""
        return self._timeline.time_ns(frame)


class DeviceCapture:
    """
    A PortAudio input, open as a context; ``chunks`` yields what it records.

    device: as in ``find_device``. pcm_format: of the chunks. clock: returns the time now in ns;
    stamps are on this clock. device_rate: at which the device records (Hz); 0: the format's where
    the device has it, otherwise one that it has. Another rate than the format's is resampled.
    ``recorded``: the format that the device records in. Raises QuietNavError where the device is
    not there or cannot record so.
    """

    def __init__(
        self,
        device: str,
        pcm_format: PcmFormat,
        chunk_s: float,
        clock: Callable[[], int],
        device_rate: int = 0,
    ) -> None:
        self._sounddevice = _portaudio()
        self._format = pcm_format
        self._clock, self._chunk_s = clock, chunk_s
        self._queue: queue.SimpleQueue[tuple[bytes, int, bool]] = queue.SimpleQueue()
        index = find_device(device)
        found = self._sounddevice.query_devices(index)
        self.name: str = found['name']
        if found['max_input_channels'] < pcm_format.channels:
            raise QuietNavError(
                f'{self.name} has {found["max_input_channels"]} channels, {pcm_format.channels} '
                'are asked for: choose another device, or fewer channels (a smaller rig)'
            )
        usual = (pcm_format.sample_rate, round(found['default_samplerate']), *_USUAL_RATES)
        rates = (device_rate,) if device_rate else tuple(dict.fromkeys(usual))
        self._stream, self.recorded = self._opened(index, rates)
        self._capture_clock = CaptureClock(self.recorded.sample_rate)
        self._resampler: StreamResampler | None = None
        self._origin = self._made = 0
        self._lost = False

    def _opened(self, index: int, rates: tuple[int, ...]) -> tuple[Any, PcmFormat]:
        """Return the stream at the first of the rates that the device has, and its format."""
        said, tried = '', []
        for rate in rates:
            tried.append(rate)
            recorded = replace(self._format, sample_rate=rate)
            try:
                stream = self._sounddevice.RawInputStream(
                    blocksize=max(1, round(self._chunk_s * rate)),
                    callback=self._receive,
                    latency=_BUFFER_S,
                    device=index,
                    channels=recorded.channels,
                    dtype=_DTYPES[recorded.sample_format],
                    samplerate=rate,
                )
                return stream, recorded
            except self._sounddevice.PortAudioError as error:
                said = said or _one_line(error)
                if _INVALID_RATE not in str(error):
                    break
        raise QuietNavError(
            f'{self.name} cannot record {self._format} ({said}); tried: '
            f'{", ".join(map(str, tried))} Hz; choose a rate that it has as device_rate '
            f'(--device-rate), or another device; inputs there are: {_there()}'
        )

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
        # Its library complains of what is left when the interpreter ends.
        self._resampler = None

    def chunks(self, stop: threading.Event) -> Iterator[CapturedChunk]:
        """
        Yield chunks until ``stop`` is set.

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
            frames = len(data) // self.recorded.frame_bytes
            stamp_ns = self._capture_clock.stamp(frames, capture_ns, overflow)
            if self.recorded == self._format:
                yield CapturedChunk(data, stamp_ns, overflow)
            else:
                yield from self._resampled(data, frames, overflow)

    def _resampled(self, data: bytes, frames: int, overflow: bool) -> Iterator[CapturedChunk]:
        """Yield what a chunk completes at the format's rate, if anything."""
        recorded, wanted = self.recorded, self._format
        if self._resampler is None or overflow:
            # What the filter holds of sound before lost samples says nothing after them.
            self._resampler = StreamResampler(
                recorded.sample_rate, recorded.channels, wanted.sample_rate
            )
            self._origin, self._made = self._capture_clock.frames - frames, 0
            self._lost = overflow
        samples = self._resampler.process(decode_pcm(data, recorded))
        if not len(samples):
            return
        first = self._origin + self._made * recorded.sample_rate / wanted.sample_rate
        self._made += len(samples)
        lost, self._lost = self._lost, False
        yield CapturedChunk(
            encode_pcm(samples, wanted.sample_format), self._capture_clock.time_ns(first), lost
        )

    def _receive(self, data: Any, frames: int, time_info: Any, status: Any) -> None:
        age_s = time_info.currentTime - time_info.inputBufferAdcTime
        if time_info.inputBufferAdcTime <= 0.0 or not 0.0 <= age_s < 2.0:
            # Not every driver says when it captured: the chunk's end is now, at the latest.
            age_s = frames / self.recorded.sample_rate
        capture_ns = self._clock() - round(age_s * 1e9)
        self._queue.put((bytes(data), capture_ns, bool(status.input_overflow)))


def _there() -> str:
    return '; '.join(map(str, input_devices())) or 'none'


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())
