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

"""Stamps of recorded sound on the node's clock; devices without any device."""

import itertools
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.sound import devices
from quiet_nav.sound.devices import CaptureClock, DeviceCapture, find_device
from quiet_nav.sound.pcm import decode_pcm, encode_pcm, PcmFormat

T0 = 1_700_000_000_000_000_000
FORMAT = PcmFormat('S16LE', 2, 16_000)


def test_stamps_follow_capture_times_without_their_jitter():
    clock = CaptureClock(16_000)
    jitter = np.random.default_rng(0).integers(-4_000_000, 4_000_000, 3000)
    stamps = [clock.stamp(320, T0 + k * 20_000_000 + int(j)) for k, j in enumerate(jitter)]
    late = np.array(stamps[100:]) - (T0 + np.arange(100, 3000) * 20_000_000)
    assert np.abs(late).max() < 2_000_000
    assert np.abs(np.diff(stamps)[100:] - 20_000_000).max() < 1_000_000


def test_lost_samples_are_a_jump_of_the_stamps():
    clock = CaptureClock(16_000)
    before = [clock.stamp(320, T0 + k * 20_000_000) for k in range(50)]
    after = clock.stamp(320, T0 + 50 * 20_000_000 + 12_000_000, lost=True)
    assert after - before[-1] == 32_000_000


class FakeSoundDevice:
    """Stands in for the sounddevice module: one microphone, whose callback a test calls."""

    class PortAudioError(Exception):
        pass

    def __init__(self, refuses='', rates=None):
        self.refuses, self.stream, self.rates = refuses, None, rates

    def query_devices(self, device=None, kind=None):
        one = {
            'name': 'USB microphone', 'index': 0, 'max_input_channels': 2,
            'default_samplerate': 48_000.0, 'hostapi': 0,
        }  # fmt: skip
        if device in (0, None, 'USB') and (kind or device is not None):
            return one
        if device is not None:
            raise ValueError(f'No input device matching {device!r}')
        return [one, one | {'name': 'speaker', 'index': 1, 'max_input_channels': 0}]

    def query_hostapis(self):
        return ({'name': 'ALSA'},)

    def RawInputStream(self, **options):  # noqa: N802
        if self.refuses:
            raise self.PortAudioError(self.refuses)
        if self.rates is not None and options['samplerate'] not in self.rates:
            raise self.PortAudioError('Invalid sample rate [PaErrorCode -9997]')
        nothing = lambda **_: None  # noqa: E731
        self.stream = SimpleNamespace(
            start=nothing, abort=nothing, close=nothing, active=True, **options
        )
        return self.stream


@pytest.fixture
def fake(monkeypatch):
    module = FakeSoundDevice()
    monkeypatch.setattr(devices, '_portaudio', lambda: module)
    return module


def test_devices_are_found_by_name_and_index_or_listed(fake):
    assert find_device('USB') == find_device('0') == find_device('') == 0
    with pytest.raises(QuietNavError) as error:
        find_device('nonesuch')
    assert "no input device 'nonesuch'" in str(error.value)
    assert '0: USB microphone (2 channels, 48000 Hz)' in str(error.value)
    assert 'speaker' not in str(error.value)


def test_chunks_are_stamped_when_they_were_captured(fake):
    capture, stop = DeviceCapture('USB', FORMAT, 0.02, lambda: T0), threading.Event()
    times = SimpleNamespace(currentTime=100.0, inputBufferAdcTime=99.97)
    capture._receive(bytes(1280), 320, times, SimpleNamespace(input_overflow=False))
    unknown = SimpleNamespace(currentTime=100.0, inputBufferAdcTime=0.0)
    capture._receive(bytes(1280), 320, unknown, SimpleNamespace(input_overflow=True))
    with capture:
        first, second = itertools.islice(capture.chunks(stop), 2)
    assert first.stamp_ns == pytest.approx(T0 - 30_000_000, abs=1000)
    assert second.stamp_ns == T0 - 20_000_000
    assert (first.overflow, second.overflow) == (False, True)
    assert first.data == bytes(1280)


def test_a_device_that_ends_is_lost(fake):
    capture = DeviceCapture('USB', FORMAT, 0.02, lambda: T0)
    fake.stream.active = False
    with capture, pytest.raises(QuietNavError, match='unplugged'):
        next(capture.chunks(threading.Event()))


def test_a_device_that_falls_silent_is_lost(fake, monkeypatch):
    monkeypatch.setattr(devices, 'FIRST_AFTER_S', 0.2)
    with (
        DeviceCapture('USB', FORMAT, 0.02, lambda: T0) as capture,
        pytest.raises(QuietNavError, match='no sound comes any more'),
    ):
        next(capture.chunks(threading.Event()))


def test_a_format_that_the_device_refuses_is_named(fake):
    fake.refuses = 'Invalid sample rate [PaErrorCode -9997]'
    with pytest.raises(
        QuietNavError, match=r'cannot record 2 x S16LE at 16000 Hz \(Invalid sample'
    ):
        DeviceCapture('USB', FORMAT, 0.02, lambda: T0)


def tone(rate, seconds, hz=500.0):
    return 0.5 * np.sin(2.0 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def captured(capture, fake, chunks):
    """Return what is yielded of chunks (bytes, frames) that are captured one by one."""
    rate, frames_so_far = fake.stream.samplerate, 0
    for data, frames, lost in chunks:
        begin_s = 99.0 + frames_so_far / rate + lost
        frames_so_far += frames + round(lost * rate)
        times = SimpleNamespace(currentTime=begin_s + 0.01, inputBufferAdcTime=begin_s)
        capture._clock = lambda now=begin_s + 0.01: T0 + round((now - 99.0) * 1e9)
        capture._receive(data, frames, times, SimpleNamespace(input_overflow=lost > 0.0))
    stop = threading.Event()
    fake.stream.active = False
    found = []
    with capture, pytest.raises(QuietNavError, match='unplugged'):
        for chunk in capture.chunks(stop):
            found.append(chunk)
    return found


@pytest.mark.parametrize('rate', [44_100, 48_000, 22_050])
def test_a_device_without_the_rate_records_at_its_own_and_is_resampled(fake, rate):
    fake.rates = (rate,)
    capture = DeviceCapture('USB', FORMAT, 0.02, lambda: T0)
    assert fake.stream.samplerate == rate and capture.recorded == PcmFormat('S16LE', 2, rate)
    samples = np.stack([tone(rate, 2.0), tone(rate, 2.0, 800.0)], axis=1)
    step = rate // 50
    chunks = [
        (encode_pcm(samples[i : i + step], 'S16LE'), len(samples[i : i + step]), 0.0)
        for i in range(0, len(samples), step)
    ]
    found = captured(capture, fake, chunks)
    heard = np.concatenate([decode_pcm(chunk.data, FORMAT) for chunk in found])
    assert 1.8 * 16_000 < len(heard) <= 2.0 * 16_000
    expected = np.stack([tone(16_000, 2.0), tone(16_000, 2.0, 800.0)], axis=1)[: len(heard)]
    middle = slice(800, len(heard) - 800)
    assert np.abs(heard - expected)[middle].max() < 2e-3
    # Every chunk is stamped where its first sample lies in the sound.
    at = np.cumsum([0] + [len(decode_pcm(chunk.data, FORMAT)) for chunk in found])[:-1]
    off_ns = np.array([chunk.stamp_ns for chunk in found]) - (T0 + at * 1_000_000_000 // 16_000)
    assert np.abs(off_ns).max() < 2_000_000


def test_lost_samples_are_a_jump_after_resampling_too(fake):
    fake.rates = (48_000,)
    capture = DeviceCapture('USB', FORMAT, 0.02, lambda: T0)
    data = encode_pcm(np.zeros((960, 2)), 'S16LE')
    chunks = [(data, 960, 0.0)] * 50 + [(data, 960, 0.5)] + [(data, 960, 0.0)] * 49
    found = captured(capture, fake, chunks)
    stamps = np.array([chunk.stamp_ns for chunk in found])
    ends = stamps + np.array([len(chunk.data) // 4 for chunk in found]) * 62_500
    gaps = stamps[1:] - ends[:-1]
    assert sum(gaps > 100_000_000) == 1
    assert stamps[-1] == pytest.approx(T0 + round(2.46e9), abs=60_000_000)
    assert [chunk.overflow for chunk in found].count(True) == 1


def test_a_rate_can_be_chosen_for_the_device(fake):
    assert DeviceCapture('USB', FORMAT, 0.02, lambda: T0, 32_000).recorded.sample_rate == 32_000
    fake.rates = (44_100,)
    with pytest.raises(QuietNavError, match=r'tried: 96000 Hz; choose a rate .* device_rate'):
        DeviceCapture('USB', FORMAT, 0.02, lambda: T0, 96_000)


def test_more_channels_than_the_device_has_are_said(fake):
    with pytest.raises(QuietNavError, match='USB microphone has 2 channels, 4 are asked for'):
        DeviceCapture('USB', PcmFormat('S16LE', 4, 16_000), 0.02, lambda: T0)
