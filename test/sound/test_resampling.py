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

"""Resampling in a stream: the same as in one piece, no shift in time."""

import numpy as np
import pytest
import soxr

from quiet_nav.sound.resampling import StreamResampler


@pytest.mark.parametrize('rate', [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_chunks_give_what_one_piece_gives(rate):
    rng = np.random.default_rng(rate)
    x = rng.standard_normal((rate, 2)).astype(np.float32)
    resampler = StreamResampler(rate, 2)
    cuts = np.sort(rng.integers(0, rate, 60))
    pieces = [resampler.process(part) for part in np.split(x, cuts)]
    y = np.concatenate([*pieces, resampler.flush()])
    assert np.abs(y - soxr.resample(x, rate, 16_000)).max() < 1e-5
    assert y.shape == (16_000, 2)


@pytest.mark.parametrize('rate', [8_000, 11_025, 44_100, 48_000, 96_000])
def test_a_click_keeps_its_time(rate):
    x = np.zeros((2 * rate, 1), np.float32)
    x[rate] = 1.0
    resampler = StreamResampler(rate, 1)
    y = np.concatenate([resampler.process(x), resampler.flush()])[:, 0]
    assert np.abs(y).argmax() == 16_000


@pytest.mark.parametrize('rate', [8_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_little_is_held_back_and_little_rings(rate):
    resampler = StreamResampler(rate, 1)
    x = np.zeros((rate, 1), np.float32)
    x[rate // 2 :] = 1.0
    y = resampler.process(x)[:, 0]
    assert len(y) >= 16_000 * (1 - 0.12)
    far = resampler.ringing_samples
    assert np.abs(y[: 8_000 - far]).max() < 1e-3
    assert np.abs(y[8_000 + far :] - 1).max() < 1e-3


def test_flushed_resampler_begins_afresh():
    resampler = StreamResampler(48_000, 1)
    x = np.random.default_rng(0).standard_normal((4_800, 1)).astype(np.float32)
    first = np.concatenate([resampler.process(x), resampler.flush()])
    second = np.concatenate([resampler.process(x), resampler.flush()])
    assert np.array_equal(first, second)
