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

"""Node `microphone`: publishes an input device or a sound file as audio_capture 0.4 does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import sys
import threading
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from quiet_nav.errors import QuietNavError
from quiet_nav.navigation.control_clock import ControlClock
from quiet_nav.nodes.audio_input import (
    audio_messages,
    AUDIO_QOS,
    AUDIO_TOPIC,
    INFO_QOS,
    INFO_TOPIC,
    STAMPED_TOPIC,
)
from quiet_nav.nodes.base import PlainNode
from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status
from quiet_nav.nodes.failures import one_line, raise_in_executor
from quiet_nav.nodes.parameters import parameter, Parameters
from quiet_nav.nodes.runtime import now_ns, ns_to_stamp, read_clocks, run
from quiet_nav.sound.devices import CapturedChunk, DeviceCapture, rescan_devices
from quiet_nav.sound.files import PcmFile
from quiet_nav.sound.levels import LevelMeter
from quiet_nav.sound.pcm import decode_pcm, MAX_CHANNELS, PcmFormat, SAMPLE_BYTES

RETRY_S = 2.0
INFO_PERIOD_S = 5.0
_RATE_TOLERANCE = 0.05
#: Nothing is overwritten before it arrived; a full history makes ``publish`` wait, then fail.
_LOSSLESS = QoSProfile(history=HistoryPolicy.KEEP_ALL, reliability=ReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class MicrophoneParameters:
    """Parameters of the node."""

    device: str = parameter(
        '',
        'input device: index, name or part of it; empty: the default one',
        read_only=True,
        number_is_text=True,
    )
    file: str = parameter(
        '', 'sound file (WAV, FLAC, OGG) to publish instead of a device', read_only=True
    )
    loop: bool = parameter(False, 'begin the file again at its end', read_only=True)
    realtime: bool = parameter(
        True, 'publish the file in real time; false: as fast as it is received', read_only=True
    )
    wait_for_subscriber: bool = parameter(
        True, 'begin the file when audio_stamped has a subscriber', read_only=True
    )
    sample_format: str = parameter(
        'auto',
        'auto: what keeps a file bit for bit, S16LE for a device',
        choices=('auto', *SAMPLE_BYTES),
        read_only=True,
    )
    channels: int = parameter(
        1, 'channels of the device', minimum=1, maximum=MAX_CHANNELS, read_only=True
    )
    sample_rate: int = parameter(
        16_000, 'rate that is published (Hz)', minimum=1_000, maximum=384_000, read_only=True
    )
    device_rate: int = parameter(
        0,
        'rate that the device records at (Hz), resampled to sample_rate; 0: sample_rate where the '
        'device has it, otherwise one that it has',
        minimum=0,
        maximum=384_000,
        read_only=True,
    )
    chunk_s: float = parameter(
        0.02, 'sound in one message (s)', minimum=0.001, maximum=1.0, read_only=True
    )
    frame_id: str = parameter('', 'frame of the stamped messages', read_only=True)
    max_clipped: float = parameter(
        0.001, 'share of samples at full scale from which to warn', minimum=0.0, maximum=1.0
    )
    silence_dbfs: float = parameter(
        -90.0, 'level below which to warn of silence (dBFS)', minimum=-200.0, maximum=0.0
    )


class Microphone(PlainNode):
    """Reads a source in a thread of its own, publishes every chunk, and says how it sounds."""

    def __init__(self, **options: object) -> None:
        super().__init__('microphone', **options)
        self._settings = Parameters(self, MicrophoneParameters)
        p = self._settings.value
        self._file = PcmFile(p.file, p.sample_format) if p.file else None
        self._format = self._file.format if self._file else _device_format(p)
        self._messages = audio_messages()
        self._audio = self.create_publisher(self._messages.AudioData, AUDIO_TOPIC, AUDIO_QOS)
        self._stamped = self.create_publisher(
            self._messages.AudioDataStamped, STAMPED_TOPIC, AUDIO_QOS if p.realtime else _LOSSLESS
        )
        self._info = self.create_publisher(self._messages.AudioInfo, INFO_TOPIC, INFO_QOS)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._lock = threading.Lock()
        self._meter = LevelMeter(self._format.channels)
        self._reported_ns = self._steady.now().nanoseconds
        self._fault, self._waits, self._ended = 'starting', True, False
        self._overflows = self._overflows_reported = 0
        self._diagnostics = Diagnostics(self, 'audio', self._status, hardware_id='microphone')
        self._info_timer = self.create_timer(INFO_PERIOD_S, self._publish_info, clock=self._steady)
        self._publish_info()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name='source', daemon=True)
        self._thread.start()

    def before_shutdown(self) -> None:
        """End the source while its messages can still leave."""
        self._stop.set()
        self._thread.join(5.0)

    def _work(self) -> None:
        try:
            if self._file is not None:
                self._play(self._file)
            else:
                self._record()
        except Exception as error:
            # A thread that dies unseen would look like a quiet microphone: the node ends with it.
            self._fault, self._waits = one_line(error), False
            raise_in_executor(self, error)

    def _play(self, file: PcmFile) -> None:
        self._fault, self._waits = 'waiting for a subscriber of audio_stamped', True
        try:
            for chunk in self._file_chunks(file):
                self._publish(chunk)
        except QuietNavError as error:
            self._fail(str(error))
            return
        if self._stop.is_set():
            return
        self._wait_until_received()
        self._ended = True
        self.log.info(f'end of {file.path}')

    def _file_chunks(self, file: PcmFile) -> Iterator[CapturedChunk]:
        p, rate = self._settings.value, self._format.sample_rate
        while p.wait_for_subscriber and not self._stamped.get_subscription_count():
            if self._stop.wait(0.02):
                return
        # Simulated time is 0 until the first /clock arrives.
        while not now_ns(self):
            if self._stop.wait(0.02):
                return
        # The file's pace is steady; its stamps follow a clock that is set.
        time = ControlClock(bool(self.get_parameter('use_sim_time').value))
        start_ns, frames = time.update(read_clocks(self, self._steady)), 0
        for data in file.chunks(p.chunk_s, p.loop):
            begin_ns = start_ns + frames * 1_000_000_000 // rate
            frames += len(data) // self._format.frame_bytes
            end_ns = start_ns + frames * 1_000_000_000 // rate
            while (early_ns := end_ns - time.update(read_clocks(self, self._steady))) > 0:
                if not p.realtime:
                    break
                if self._stop.wait(min(early_ns / 1e9, 0.1)):
                    return
            if self._stop.is_set():
                return
            yield CapturedChunk(data, begin_ns + time.set_ns)

    def _wait_until_received(self) -> None:
        while not self._stop.is_set() and self._stamped.get_subscription_count():
            if self._stamped.wait_for_all_acked(Duration(seconds=0.1)):
                return

    def _record(self) -> None:
        p, lost = self._settings.value, False
        while not self._stop.is_set():
            try:
                if lost:
                    rescan_devices()
                with DeviceCapture(
                    p.device, self._format, p.chunk_s, lambda: now_ns(self), p.device_rate
                ) as capture:
                    said = f'recording {capture.name}: {self._format}'
                    if capture.recorded != self._format:
                        said += f', resampled from {capture.recorded.sample_rate} Hz'
                    for chunk in capture.chunks(self._stop):
                        if self._fault:
                            self.log.info(said)
                        self._publish(chunk)
            except QuietNavError as error:
                self._fail(str(error))
                lost = True
                self._stop.wait(RETRY_S)

    def _fail(self, text: str) -> None:
        if text != self._fault:
            self.log.error(text, cause=text)
        self._fault, self._waits = text, False

    def _publish(self, chunk: CapturedChunk) -> None:
        if self._fault:
            self._begin_report()
        message = self._messages.AudioDataStamped()
        message.header.stamp = ns_to_stamp(chunk.stamp_ns)
        message.header.frame_id = self._settings.value.frame_id
        message.audio.data.frombytes(chunk.data)
        self._send(message)
        if self._audio.get_subscription_count():
            self._audio.publish(message.audio)
        frames = decode_pcm(chunk.data, self._format)
        with self._lock:
            self._overflows += chunk.overflow
            self._meter.add(frames)

    def _send(self, message: Any) -> None:
        while not self._stop.is_set():
            try:
                self._stamped.publish(message)
                return
            except rclpy_implementation.RCLError:
                if self._settings.value.realtime:
                    raise

    def _begin_report(self) -> None:
        with self._lock:
            self._meter.report()
            self._reported_ns = self._steady.now().nanoseconds
        self._fault = ''

    def _publish_info(self) -> None:
        message = self._messages.AudioInfo()
        message.channels = self._format.channels
        message.sample_rate = self._format.sample_rate
        message.sample_format = self._format.sample_format
        # audio_capture says 192 kbit/s for raw samples too; this is what they really take.
        message.bitrate = self._format.frame_bytes * 8 * self._format.sample_rate // 1000
        message.coding_format = 'wave'
        self._info.publish(message)

    def _status(self) -> Status:
        p, now = self._settings.value, self._steady.now().nanoseconds
        with self._lock:
            report = self._meter.report()
            elapsed_s, self._reported_ns = max((now - self._reported_ns) / 1e9, 1e-9), now
            lost = self._overflows - self._overflows_reported
            self._overflows_reported = self._overflows
        rate_hz = report.frames / elapsed_s
        values = {
            'source': p.file or p.device or 'default device',
            'format': self._format,
            'rate_hz': rate_hz,
            'level_dbfs': ' '.join(f'{level:.1f}' for level in report.level_dbfs),
            'clipped': ' '.join(f'{share:.4f}' for share in report.clipped),
            'overflows': self._overflows,
        }
        if self._ended:
            return Status(Level.OK, 'end of the file', values)
        if self._fault:
            return Status(Level.WARN if self._waits else Level.ERROR, self._fault, values)
        warnings = []
        if lost:
            warnings.append(f'{lost} overflows: samples were lost')
        if max(report.clipped) > p.max_clipped:
            warnings.append('clipped: lower the gain')
        silent = [c for c, level in enumerate(report.level_dbfs) if level < p.silence_dbfs]
        if silent and report.frames:
            warnings.append(f'silent channels {silent}: muted or unplugged?')
        nominal = self._format.sample_rate
        tolerance = (_RATE_TOLERANCE + p.chunk_s / elapsed_s) * nominal
        if p.realtime and abs(rate_hz - nominal) > tolerance:
            warnings.append(f'{rate_hz:.0f} Hz received, {nominal} Hz expected')
        level = Level.WARN if warnings else Level.OK
        return Status(level, '; '.join(warnings) or 'recording', values)


def _device_format(p: MicrophoneParameters) -> PcmFormat:
    name = 'S16LE' if p.sample_format == 'auto' else p.sample_format
    return PcmFormat(name, p.channels, p.sample_rate)


def main(args: list[str] | None = None) -> int:
    """Run the node; exit code 2 where the file cannot be read."""
    return run(Microphone, args)


if __name__ == '__main__':
    sys.exit(main())
