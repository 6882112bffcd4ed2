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

"""Each fault of a window has its reason, and sound windows have none."""

import numpy as np
import pytest

from quiet_nav.sound.levels import level_dbfs, LevelMeter
from quiet_nav.sound.validity import checked, FaultKind, find_fault, ValidityLimits, window_fault
from quiet_nav.sound.windows import Window

NOISE = (0.01 * np.random.default_rng(0).standard_normal(48_000)).astype(np.float32)


def with_samples(index, value, noise=NOISE):
    samples = noise.copy()
    samples[index] = value
    return Window.from_samples(samples)


def test_a_quiet_room_is_valid():
    window = Window.from_samples(NOISE * 10 ** (-35 / 20))
    assert level_dbfs(window.samples) == pytest.approx(-75, abs=0.1)
    assert window_fault(window) == ''
    assert checked(window) is window


@pytest.mark.parametrize(
    'window, word',
    [
        (Window.from_samples(np.zeros(48_000)), 'silent'),
        (Window.from_samples(np.full(48_000, 0.25)), 'silent'),
        (with_samples(77, np.nan), '1 samples are not finite'),
        (with_samples(slice(0, 3), np.inf), '3 samples are not finite'),
        (with_samples(slice(0, 480), 1.0), 'clipped: 1.0 %'),
        (with_samples(slice(0, 480), -1.0), 'clipped: 1.0 %'),
        (Window(NOISE, 0, 3_000_000_000, clipped=0.05), 'clipped: 5.0 %'),
        (Window.from_samples(NOISE[:16_000]), 'only 1.00 s'),
        (Window(NOISE, 0, 1, valid=False, reason='a gap'), 'a gap'),
        (Window(NOISE, 0, 1, valid=False), 'not valid'),
    ],
)
def test_faults_are_named(window, word):
    assert word in window_fault(window)
    after = checked(window)
    assert not after.valid and word in after.reason


@pytest.mark.parametrize(
    'window, now_ns, kind',
    [
        (Window.from_samples(np.zeros(48_000)), None, FaultKind.SILENT),
        (with_samples(77, np.nan), None, FaultKind.NOT_FINITE),
        (with_samples(slice(0, 480), 1.0), None, FaultKind.CLIPPED),
        (with_samples(slice(9000, 11_000), 0.0), None, FaultKind.STANDING),
        (with_samples(slice(40_000, 42_000), 0.01), None, FaultKind.STANDING),
        (Window.from_samples(NOISE[:16_000]), None, FaultKind.INCOMPLETE),
        (Window(NOISE, 0, 1, valid=False, reason='a gap'), None, FaultKind.INCOMPLETE),
        (Window.from_samples(NOISE, 0), 4_100_000_000, FaultKind.STALE),
    ],
)
def test_faults_have_a_kind_to_count_them_by(window, now_ns, kind):
    assert find_fault(window, now_ns=now_ns).kind is kind


def test_a_few_clipped_samples_do_no_harm():
    assert window_fault(with_samples(slice(0, 40), 1.0)) == ''


def test_age_is_judged_only_against_a_clock():
    window = Window.from_samples(NOISE, 0)
    assert window_fault(window) == ''
    assert window_fault(window, now_ns=3_900_000_000) == ''
    assert window_fault(window, now_ns=4_100_000_000).startswith('stale')
    assert 'future' in window_fault(window, now_ns=1_900_000_000)
    assert window_fault(window, ValidityLimits(max_age_s=5.0), 4_100_000_000) == ''


def test_level_of_known_signals():
    t = np.arange(16_000) / 16_000
    assert level_dbfs(np.sin(2 * np.pi * 100 * t)) == pytest.approx(-3.0103, abs=1e-3)
    assert level_dbfs(np.sign(np.sin(2 * np.pi * 100 * t + 0.1))) == pytest.approx(0, abs=1e-3)
    assert level_dbfs(np.zeros(0)) == -200.0


def test_meter_reports_each_channel_and_begins_afresh():
    t = np.arange(16_000) / 16_000
    frames = np.stack((np.sin(2 * np.pi * 101 * t), np.full(16_000, 0.5)), axis=1)
    frames[::100, 1] = np.nan
    meter = LevelMeter(2)
    for part in np.array_split(frames, 7):
        meter.add(part)
    report = meter.report()
    assert report.frames == 16_000
    assert report.level_dbfs[0] == pytest.approx(-3.01, abs=0.01)
    assert report.level_dbfs[1] < -20
    assert report.clipped[0] == pytest.approx(2 * np.arccos(0.999) / np.pi, rel=0.02)
    assert report.clipped[1] == 0
    assert meter.report().level_dbfs == (-200.0, -200.0)
