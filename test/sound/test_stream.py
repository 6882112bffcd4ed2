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

"""Windows of a stream: right samples, right times, and never a window across something lost."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.grid import WindowGrid
from quiet_nav.sound.pcm import encode_pcm, PcmFormat
from quiet_nav.sound.stream import AudioStream
from quiet_nav.sound.validity import window_fault

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000


def ramp(seconds, rate=16_000, channels=1):
    """Sound in which each sample says when it was: seconds / 1000, the channel's sign apart."""
    t = np.arange(round(seconds * rate)) / rate / 1000
    return np.stack([t if c % 2 == 0 else -t for c in range(channels)], axis=1).astype(np.float32)


def noise(seconds, rate=16_000, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return (0.02 * rng.standard_normal((round(seconds * rate), channels))).astype(np.float32)


def feed(stream, frames, start_ns=T0, chunk_s=0.01, skip=()):
    """Push chunks stamped regularly; ``skip``: numbers of chunks that get lost."""
    rate = stream.format.sample_rate
    size = round(chunk_s * rate)
    breaks = []
    for number, i in enumerate(range(0, len(frames), size)):
        if number not in skip:
            stamp = start_ns + i * S // rate
            breaks.append(stream.push(frames[i : i + size], stamp))
    return [b for b in breaks if b is not None]


def stream_of(frames, rate=16_000, **options):
    stream = AudioStream(PcmFormat('F32LE', frames.shape[1], rate))
    feed(stream, frames, **options)
    return stream


def test_latest_window_is_the_last_three_seconds():
    stream = stream_of(ramp(5, channels=2))
    for channel, sign in ((0, 1), (1, -1)):
        window = stream.latest(channel)
        assert window.valid and window.channel == channel
        assert (window.start_ns, window.end_ns) == (T0 + 2 * S, T0 + 5 * S)
        expected = sign * ramp(5)[-48_000:, 0]
        assert np.array_equal(window.samples, expected)


@pytest.mark.parametrize('rate', [8_000, 22_050, 44_100, 48_000])
def test_resampled_windows_keep_their_time(rate):
    stream = stream_of(ramp(6, rate), rate)
    assert T0 + 5.85 * S < stream.end_ns <= T0 + 6 * S
    window = stream.ending_at(T0 + 5 * S)
    assert window.valid
    assert abs(window.end_ns - (T0 + 5 * S)) <= 62_500
    times = (window.start_ns - T0) / S + np.arange(48_000) / 16_000
    # soxr passes a slow ramp unchanged: each sample says its time to a sample's width.
    assert np.abs(window.samples * 1000 - times).max() < 1 / 16_000


def test_ending_at_cuts_to_the_sample():
    stream = stream_of(ramp(8))
    window = stream.ending_at(T0 + 6 * S + 62_500 * 3 + 40_000)
    assert window.valid and window.end_ns == T0 + 6 * S + 62_500 * 3
    assert window.samples[-1] * 1000 == pytest.approx(6 + 2 / 16_000, abs=1e-6)


def test_starting_after_a_time_waits_for_the_whole_window():
    stream = AudioStream(PcmFormat('F32LE', 1, 16_000))
    rest_ns = T0 + 1_234_567_890
    sound = ramp(6)
    assert stream.starting_at_or_after(rest_ns) is None
    feed(stream, sound[:67_680])
    assert stream.starting_at_or_after(rest_ns) is None
    feed(stream, sound[67_680:], T0 + 67_680 * 62_500)
    window = stream.starting_at_or_after(rest_ns)
    assert window.valid and rest_ns <= window.start_ns < rest_ns + 62_500


def test_starting_after_a_time_steps_over_gaps_and_bad_samples():
    sound = ramp(12)
    sound[5 * 16_000] = np.nan
    stream = AudioStream(PcmFormat('F32LE', 1, 16_000))
    feed(stream, sound, skip=(200,))
    window = stream.starting_at_or_after(T0 + S)
    assert window.valid
    assert T0 + 5 * S < window.start_ns < T0 + 5.11 * S
    assert stream.starting_at_or_after(T0 + 9.5 * S) is None


@pytest.mark.parametrize('rate', [16_000, 48_000])
@pytest.mark.parametrize('lost', [(500,), tuple(range(500, 508)), tuple(range(500, 600))])
def test_no_valid_window_crosses_a_gap(rate, lost):
    stream = AudioStream(PcmFormat('F32LE', 1, rate))
    sound, size, grid, seen = ramp(12, rate), rate // 100, WindowGrid(0.1), []
    for number in range(1200):
        if number not in lost:
            part = sound[number * size : (number + 1) * size]
            stream.push(part, T0 + number * S // 100)
            seen += [windows[0] for windows in grid.due(stream)]
    gap_start, gap_end = T0 + 5 * S, T0 + (500 + len(lost)) * S // 100
    valid = [w for w in seen if w.valid]
    assert not [w for w in valid if w.start_ns < gap_end - 1e6 and w.end_ns > gap_start + 1e6]
    assert [w for w in valid if w.end_ns <= gap_start]
    assert [w for w in valid if w.start_ns >= gap_end - 1e6]
    for window in valid:
        times = (window.start_ns - T0) / S + np.arange(48_000) / 16_000
        assert np.abs(window.samples * 1000 - times).max() < 1.1e-3
    reasons = {w.reason.split(',')[0] for w in seen if w.end_ns > gap_end + 0.3 * S and not w.valid}
    assert reasons == {f'a gap of {len(lost) * 10} ms in the sound'} or 'gap of 1.0 s' in str(
        reasons
    )


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_is_lost_valid_windows_are_in_one_piece(data):
    chunk = data.draw(st.sampled_from([160, 320, 1000, 1600]))
    losses = data.draw(
        st.lists(st.tuples(st.integers(0, 12 * 16_000), st.integers(1, 40)), max_size=3)
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    stream, grid, valid = AudioStream(PcmFormat('F32LE', 1, 16_000)), WindowGrid(0.1), 0
    count = (np.arange(12 * 16_000) * 2.0**-20).astype(np.float32)
    for i in range(0, len(count), chunk):
        if any(at <= i < at + length * 160 for at, length in losses):
            continue
        stream.push(count[i : i + chunk], T0 + i * 62_500 + int(rng.integers(-800_000, 800_000)))
        for (window,) in grid.due(stream):
            if window.valid:
                valid += 1
                index = np.rint(window.samples * 2.0**20).astype(np.int64)
                assert np.all(np.diff(index) == 1)
                assert abs(window.start_ns - (T0 + index[0] * 62_500)) < 2_500_000
    assert valid or losses


def test_windows_within_a_gap_say_that_there_was_no_sound():
    stream = AudioStream(PcmFormat('F32LE', 1, 16_000))
    feed(stream, ramp(10), skip=range(400, 500))
    window = stream.ending_at(T0 + round(4.6 * S))
    assert not window.valid and 'broke off 0.60 s before' in window.reason


def test_suspicious_stamps_make_windows_invalid_until_they_come_back():
    stream = AudioStream(PcmFormat('F32LE', 1, 16_000))
    sound = ramp(5)
    feed(stream, sound[:64_000])
    for number in range(400, 405):
        stream.push(sound[number * 160 :][:160], T0 + number * S // 100 + 30_000_000)
    assert 'stamps are 30 ms off' in stream.latest().reason
    assert stream.ending_at(T0 + 4 * S).valid
    feed(stream, sound[405 * 160 :], T0 + 405 * S // 100)
    assert stream.latest().valid and stream.break_count == 0


def test_time_running_backwards_starts_afresh():
    stream = stream_of(ramp(5))
    (found,) = feed(stream, ramp(2), T0 - 100 * S)
    assert 'backwards by 105.0 s' in str(found)
    window = stream.latest()
    assert (window.start_ns, window.end_ns) == (T0 - 100 * S, T0 - 98 * S)
    assert not window.valid
    assert 'only 2.00 s' in window.reason and 'backwards' in window.reason
    feed(stream, ramp(4)[32_000:], T0 - 98 * S)
    assert stream.latest().valid


@pytest.mark.parametrize('rate', [16_000, 44_100])
def test_samples_before_a_set_clock_are_not_mixed_with_those_after(rate):
    stream = stream_of(ramp(5, rate), rate)
    feed(stream, ramp(5, rate), T0 + 1000 * S)
    window = stream.starting_at_or_after(T0)
    assert window.start_ns >= T0 + 1000 * S
    times = (window.start_ns - T0) / S - 1000 + np.arange(48_000) / 16_000
    assert np.abs(window.samples * 1000 - times)[400:].max() < 2 / 16_000


def test_overlapping_sound_is_not_one_window():
    stream = stream_of(ramp(5))
    feed(stream, ramp(2), T0 + round(4.9 * S))
    window = stream.latest()
    assert not window.valid and 'overlapping by 100 ms' in window.reason


def test_young_streams_say_so():
    stream = AudioStream(PcmFormat('F32LE', 1, 16_000))
    assert stream.latest().reason == 'no sound heard yet'
    assert stream.ending_at(T0).reason == 'no sound heard yet'
    feed(stream, ramp(1.5))
    window = stream.latest()
    assert len(window.samples) == 24_000
    assert window.reason == 'only 1.50 s of 3.00 s of sound heard yet'
    assert 'not heard yet (1.50 s to come)' in stream.ending_at(T0 + 3 * S).reason


def test_sound_older_than_the_buffer_is_gone():
    stream = AudioStream(PcmFormat('F32LE', 1, 16_000), buffer_s=5.0)
    feed(stream, ramp(20))
    assert 'not held any more' in stream.ending_at(T0 + 4 * S).reason
    assert 'not held any more' in stream.ending_at(T0 + 17 * S).reason
    assert stream.ending_at(T0 + round(18.5 * S)).valid
    assert stream.starting_at_or_after(T0).start_ns == stream.start_ns == T0 + 15 * S


def test_nan_spoils_the_windows_that_hold_it_and_no_others():
    sound = noise(8, 48_000, 2)
    sound[4 * 48_000 : 4 * 48_000 + 9, 0] = np.nan
    sound[4 * 48_000 + 20, 0] = np.inf
    stream = stream_of(sound, 48_000)
    bad = stream.ending_at(T0 + 5 * S, 0)
    assert bad.reason == '10 samples are not finite numbers'
    assert np.isfinite(bad.samples).all()
    assert stream.ending_at(T0 + 5 * S, 1).valid
    assert stream.ending_at(T0 + 7 * S + S // 10, 0).valid
    assert stream.not_finite_count == 10


def test_clipping_is_counted_before_resampling():
    sound = noise(4, 48_000)
    sound[2 * 48_000 : 2 * 48_000 + 1440] = 1.0
    window = stream_of(sound, 48_000).ending_at(T0 + round(3.8 * S))
    assert window.valid
    assert window.clipped == pytest.approx(0.01, rel=1e-3)
    assert 'clipped: 1.0 %' in window_fault(window)
    assert stream_of(noise(4)).latest().clipped == 0.0


def test_bytes_split_within_frames_give_the_same_windows():
    sound = noise(4, channels=2)
    data = encode_pcm(sound, 'S24LE')
    whole = AudioStream(PcmFormat('S24LE', 2, 16_000))
    whole.push_bytes(data, T0)
    split, at = AudioStream(PcmFormat('S24LE', 2, 16_000)), 0
    for size in np.random.default_rng(0).integers(1, 4000, 2000):
        frames_before = -(-at // 6)
        split.push_bytes(data[at : at + size], T0 + frames_before * 62_500)
        at += int(size)
    for channel in (0, 1):
        assert split.latest(channel).valid
        assert np.array_equal(split.latest(channel).samples, whole.latest(channel).samples)


def test_channels_are_not_swapped_after_lost_bytes():
    frames = np.stack((np.full(1600, 0.25), np.full(1600, -0.5)), axis=1)
    data = encode_pcm(frames, 'S16LE')
    stream = AudioStream(PcmFormat('S16LE', 2, 16_000))
    stream.push_bytes(data[:-1], T0)
    assert stream.pending_bytes == 3
    stream.push_bytes(data, T0 + S)
    for number in range(2, 40):
        stream.push_bytes(data, T0 + S + number * S // 10 - S // 10)
    assert np.all(stream.latest(0).samples == 0.25)
    assert np.all(stream.latest(1).samples == -0.5)


def test_a_long_stream_keeps_its_time_and_its_memory():
    rng = np.random.default_rng(0)
    stream, size = AudioStream(PcmFormat('F32LE', 1, 44_100)), 4410
    sound = noise(0.1, 44_100)
    for number in range(3000):
        stamp = T0 + round(number * S / 10 * 1.0001) + int(rng.integers(-1_000_000, 1_000_000))
        stream.push(sound, stamp)
    window = stream.latest()
    assert window.valid and stream.break_count == 0
    assert abs(stream.end_ns - (T0 + 3000 * S / 10 * 1.0001)) < 0.06 * S
    assert abs(stream.timeline.time_ns(3000 * size) - (T0 + 300.03 * S)) < 2e6
    assert len(stream.timeline._anchors) < 200


def test_restart_keeps_windows_apart():
    stream = stream_of(ramp(5))
    stream.restart(T0 + 5 * S, 'the device was unplugged')
    feed(stream, ramp(2), T0 + 5 * S)
    assert 'unplugged' in stream.latest().reason


def test_wrong_use_is_refused():
    stream = AudioStream(PcmFormat('F32LE', 2, 16_000))
    with pytest.raises(QuietNavError, match='channel 2 asked of audio with 2 channels'):
        stream.latest(2)
    with pytest.raises(QuietNavError, match='3 channels pushed'):
        stream.push(np.zeros((10, 3)), T0)
    with pytest.raises(QuietNavError, match='cannot hold a window'):
        AudioStream(PcmFormat('F32LE', 2, 16_000), buffer_s=2.0)
    with pytest.raises(QuietNavError, match='hop'):
        WindowGrid(0.0)


def test_grid_gives_the_same_windows_however_often_it_is_asked():
    sound = noise(10)
    often, seldom = [], []
    for asked, every in ((often, 1), (seldom, 130)):
        stream, grid = AudioStream(PcmFormat('F32LE', 1, 16_000)), WindowGrid(0.5)
        for number in range(1000):
            stream.push(sound[number * 160 :][:160], T0 + number * S // 100)
            if number % every == 0 or number == 999:
                asked += [w[0] for w in grid.due(stream)]
    assert [w.end_ns for w in often] == [T0 + k * S // 2 for k in range(1, 21)]
    assert [w.end_ns for w in seldom] == [w.end_ns for w in often]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(often, seldom, strict=True))


def test_grid_goes_on_after_time_ran_backwards():
    stream, grid = stream_of(noise(5)), WindowGrid(0.5)
    grid.due(stream)
    feed(stream, noise(4), T0 - 50 * S)
    ends = [w[0].end_ns for w in grid.due(stream)]
    assert ends == [T0 - 50 * S + k * S // 2 for k in range(1, 9)]
