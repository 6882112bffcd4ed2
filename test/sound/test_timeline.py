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

"""Times worked out from stamps: jitter and drift are followed, lost samples found."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from quiet_nav.sound.timeline import BreakKind, Timeline

T0 = 1_700_000_000_000_000_000
RATE = 16_000


def feed(timeline, stamps_ns, chunk):
    """Push chunks with these stamps; return the breaks found, in order."""
    found = [timeline.append(chunk, int(stamp)) for stamp in stamps_ns]
    return [b for b in found if b is not None]


def regular(count, chunk, start_ns=T0, rate=RATE):
    return start_ns + np.arange(count, dtype=np.int64) * chunk * 1_000_000_000 // rate


@pytest.mark.parametrize('chunk', [160, 512, 1600, 16_000])
def test_regular_stamps_give_every_samples_time(chunk):
    timeline = Timeline(RATE)
    assert feed(timeline, regular(50, chunk), chunk) == []
    for index in (0, 1, 1234, 50 * chunk - 1):
        assert abs(timeline.time_ns(index) - (T0 + index * 62_500)) <= 1
        assert timeline.position(T0 + index * 62_500) == pytest.approx(index, abs=1e-3)


@pytest.mark.parametrize('chunk', [160, 800, 1600])
@pytest.mark.parametrize('jitter_ms', [0.5, 2.0, 8.0])
def test_jitter_is_no_gap(chunk, jitter_ms):
    rng = np.random.default_rng(chunk)
    timeline = Timeline(RATE)
    noise = rng.normal(0, jitter_ms * 1e6, 3000).astype(np.int64)
    # The first stamp alone may be far off, and time set right once it is known to be.
    late = [b for b in feed(timeline, regular(3000, chunk) + noise, chunk) if b.index > RATE]
    assert late == []
    end = 3000 * chunk
    assert abs(timeline.time_ns(end) - (T0 + end * 62_500)) < 0.5e6 + 0.6 * jitter_ms * 1e6


def test_late_stamps_now_and_then_are_no_gap():
    stamps = regular(1000, 160)
    stamps[36::37] += 60_000_000
    assert feed(Timeline(RATE), stamps, 160) == []


@pytest.mark.parametrize('ppm', [-300, 100, 1000])
def test_drift_is_followed(ppm):
    stamps = T0 + (np.arange(30_000) * 1e7 * (1 + ppm * 1e-6)).astype(np.int64)
    timeline = Timeline(RATE)
    assert feed(timeline, stamps, 160) == []
    assert abs(timeline.time_ns(29_999 * 160) - stamps[-1]) < 3e6


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    chunk=st.sampled_from([160, 480, 1600]),
    lost_ms=st.integers(10, 240),
    at=st.integers(20, 80),
    seed=st.integers(0, 99),
)
def test_lost_sound_is_found_where_it_was_lost(chunk, lost_ms, at, seed):
    rng = np.random.default_rng(seed)
    stamps = regular(160, chunk) + rng.uniform(-1e6, 1e6, 160).astype(np.int64)
    stamps[at:] += lost_ms * 1_000_000
    (found,) = feed(Timeline(RATE), stamps, chunk)
    assert found.kind is BreakKind.GAP
    assert found.index == at * chunk
    assert found.shift_ns == pytest.approx(lost_ms * 1e6, abs=1.6e6)


def test_one_lost_chunk_of_ten_milliseconds_is_found():
    stamps = np.delete(regular(300, 160), 100)
    (found,) = feed(Timeline(RATE), stamps, 160)
    assert (found.index, found.shift_ns) == (16_000, 10_000_000)
    assert str(found) == 'a gap of 10 ms in the sound'


@pytest.mark.parametrize(
    'shift_s, kind, words',
    [
        (0.04, BreakKind.GAP, 'gap of 40 ms'),
        (2.0, BreakKind.GAP, 'gap of 2.0 s'),
        (3600.0, BreakKind.CLOCK_JUMP, 'jumping 3600.0 s ahead'),
        (-0.04, BreakKind.OVERLAP, 'overlapping by 40 ms'),
        (-5.0, BreakKind.BACKWARDS, 'backwards by 5.0 s'),
    ],
)
def test_breaks_are_told_apart(shift_s, kind, words):
    stamps = regular(200, 160)
    stamps[100:] += round(shift_s * 1e9)
    timeline = Timeline(RATE)
    (found,) = feed(timeline, stamps, 160)
    assert found.kind is kind and words in str(found)
    assert timeline.time_ns(16_000) == stamps[100]
    assert timeline.time_ns(15_999) == pytest.approx(stamps[99] + 159 * 62_500, abs=2)


def test_overlap_longer_than_jitter_but_ahead_of_the_last_stamp():
    stamps = regular(20, 16_000)
    stamps[10:] -= 500_000_000
    (found,) = feed(Timeline(RATE), stamps, 16_000)
    assert found.kind is BreakKind.OVERLAP


def test_deviation_is_under_suspicion_until_it_is_confirmed():
    stamps = regular(200, 160)
    stamps[100:] += 40_000_000
    timeline = Timeline(RATE)
    feed(timeline, stamps[:105], 160)
    assert timeline.suspicion == (16_000, pytest.approx(0.04))
    assert timeline.breaks == []
    feed(timeline, stamps[105:], 160)
    assert timeline.suspicion is None and len(timeline.breaks) == 1


def test_times_within_a_gap_belong_to_the_sample_after_it():
    stamps = regular(200, 160)
    stamps[100:] += 1_000_000_000
    timeline = Timeline(RATE)
    feed(timeline, stamps, 160)
    assert timeline.position(int(stamps[100]) - 500_000_000) == 16_000
    assert timeline.position(int(stamps[50])) == pytest.approx(8_000, abs=1e-3)


def test_restart_begins_a_new_time_and_says_why():
    timeline = Timeline(RATE)
    feed(timeline, regular(10, 160), 160)
    found = timeline.restart(T0 + 7_000_000_000, 'device unplugged')
    assert str(found) == 'device unplugged'
    assert feed(timeline, regular(10, 160, T0 + 7_000_000_000), 160) == []
    assert timeline.time_ns(1600) == T0 + 7_000_000_000


def test_old_anchors_and_breaks_are_forgotten():
    timeline = Timeline(RATE)
    rng = np.random.default_rng(0)
    for part in np.split(regular(20_000, 160) + rng.integers(0, 2_000_000, 20_000), 200):
        feed(timeline, part, 160)
        timeline.forget_before(timeline.frames - 16_000)
    assert len(timeline._anchors) < 20
    assert timeline.time_ns(timeline.frames) == pytest.approx(
        T0 + timeline.frames * 62_500, abs=2e6
    )
