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

"""Clips cut from windows, with their times."""

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.windows import clip_batch, clip_starts, cut_clips, Window

START = 1_700_000_000_123_456_789


@pytest.fixture
def window():
    return Window.from_samples(np.arange(48_000, dtype=np.float32), START)


def test_window_of_samples_lasts_three_seconds(window):
    assert window.valid
    assert window.end_ns - window.start_ns == 3_000_000_000


def test_short_window_is_not_valid():
    window = Window.from_samples(np.zeros(47_999))
    assert not window.valid
    assert window.reason == 'only 2.99 s of 3.00 s of sound heard yet'


def test_evenly_spaced_clips_are_100_ms_apart_up_to_the_windows_end(window):
    clips = cut_clips(window)
    assert len(clips) == 20
    assert window.start_ns <= clips[0].start_ns
    assert 0 <= window.end_ns - clips[-1].end_ns < 100_000_000
    assert all(c.end_ns - c.start_ns == 960_000_000 for c in clips)
    assert np.diff([c.start_ns for c in clips]) == pytest.approx(100_000_000, abs=2)


def test_windows_that_overlap_have_clips_in_common():
    sound = np.random.default_rng(0).standard_normal(80_000).astype(np.float32)
    offset = 4321

    def clips_from(first):
        start_ns = START + first * 62_500
        found = cut_clips(Window.from_samples(sound[first : first + 48_000], start_ns))
        return {clip.samples.tobytes() for clip in found}

    # Half a second later five clips of twenty are new.
    assert len(clips_from(offset) & clips_from(offset + 8_000)) == 15
    assert len(clips_from(offset) & clips_from(offset + 8_123)) in (14, 15)


@pytest.mark.parametrize(
    ('samples', 'count'), [(48_000, 1), (48_000, 100), (15_400, 20), (15_360, 1)]
)
@pytest.mark.parametrize('start_ns', [0, START, START + 50_000_001])
def test_any_number_of_clips_lies_within_any_window(samples, count, start_ns):
    starts = clip_starts(samples, count, start_ns=start_ns)
    assert starts.shape == (count,)
    assert starts.min() >= 0 and starts.max() <= samples - 15_360


def test_a_clips_time_is_that_of_its_first_sample(window):
    for clip in cut_clips(window, 7, np.random.default_rng(0)):
        assert clip.samples.shape == (15_360,)
        assert clip.start_ns - START == int(clip.samples[0]) * 62_500


def test_random_clips_repeat_with_the_seed_and_cover_the_window():
    drawn = clip_starts(48_000, 2_000, np.random.default_rng(5))
    assert np.array_equal(drawn, clip_starts(48_000, 2_000, np.random.default_rng(5)))
    assert not np.array_equal(drawn, clip_starts(48_000, 2_000, np.random.default_rng(6)))
    assert 0 <= drawn.min() < 100 and 32_540 < drawn.max() <= 32_640
    assert clip_starts(15_360, 3, np.random.default_rng(0)).tolist() == [0, 0, 0]


def test_batch_holds_the_clips(window):
    starts = clip_starts(48_000)
    batch = clip_batch(window.samples, starts)
    assert batch.shape == (20, 15_360)
    assert np.array_equal(batch[:, 0], starts)


def test_a_window_too_short_for_a_clip_is_refused():
    with pytest.raises(QuietNavError, match='15359 samples'):
        clip_starts(15_359)
    with pytest.raises(QuietNavError):
        clip_starts(48_000, 0)
