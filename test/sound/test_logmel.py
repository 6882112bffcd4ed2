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

"""The log-mel front end against librosa, scipy and hand-computed cases."""

import librosa
import numpy as np
import pytest
import scipy.signal

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.logmel import (
    frame_count,
    log_mel,
    mel_centers_hz,
    mel_filterbank,
    mel_power,
)


@pytest.fixture(scope='module')
def noise():
    return (0.05 * np.random.default_rng(0).standard_normal(48_000)).astype(np.float32)


@pytest.mark.slow
def test_filterbank_equals_librosas():
    theirs = librosa.filters.mel(
        sr=16_000, n_fft=512, n_mels=64, fmin=0, fmax=8_000, htk=True, norm=None
    )
    assert np.abs(mel_filterbank() - theirs).max() < 1e-6
    other = librosa.filters.mel(
        sr=48_000, n_fft=1024, n_mels=40, fmin=100, fmax=20_000, htk=True, norm=None
    )
    assert np.abs(mel_filterbank(48_000, 1024, 40, 100, 20_000) - other).max() < 1e-6


def test_every_band_hears_something():
    assert mel_filterbank().sum(axis=1).min() > 0.5


@pytest.mark.slow
def test_mel_power_equals_librosas(noise):
    # librosa centers the 400-sample window in 512 samples: 56 samples before each of our frames.
    theirs = librosa.feature.melspectrogram(
        y=np.pad(noise, 56), sr=16_000, n_fft=512, hop_length=160, win_length=400, window='hann',
        center=False, power=2.0, n_mels=64, fmin=0, fmax=8_000, htk=True, norm=None,
    ).T  # fmt: skip
    ours = mel_power(noise)
    assert ours.shape == (298, 64)
    assert np.abs(ours - theirs).max() < 1e-5 * theirs.max()
    assert np.abs(log_mel(noise) - np.log(theirs + 1e-10)).max() < 1e-3


def test_spectrum_equals_scipys(noise):
    hann = scipy.signal.get_window('hann', 400)
    _, _, spectra = scipy.signal.spectrogram(
        noise.astype(np.float64), window=hann, noverlap=240, nfft=512, detrend=False,
        scaling='spectrum', mode='complex',
    )  # fmt: skip
    power = np.abs(spectra * hann.sum()) ** 2
    assert mel_power(noise) == pytest.approx(power.T @ mel_filterbank().T, rel=1e-4)


def test_a_tone_is_loudest_in_its_band():
    tone = np.sin(2 * np.pi * mel_centers_hz()[30] * np.arange(16_000) / 16_000)
    assert np.all(log_mel(tone).argmax(axis=1) == 30)


def test_silence_is_the_logarithm_of_the_offset():
    assert log_mel(np.zeros(400)) == pytest.approx(np.full((1, 64), np.log(1e-10)))


def test_padded_clips_have_96_frames():
    clips = np.random.default_rng(1).standard_normal((3, 15_360))
    assert log_mel(clips, pad=True).shape == (3, 96, 64)
    assert frame_count(15_360, pad=True) == 96
    assert frame_count(48_000) == 298
    inner = log_mel(clips[0, 40:], pad=False)
    assert log_mel(clips[0], pad=True)[1:-1] == pytest.approx(inner[:94], rel=1e-3, abs=1e-4)


def test_batches_equal_single_ones(noise):
    batch = np.stack((noise[:15_360], noise[-15_360:]))
    assert np.array_equal(log_mel(batch)[1], log_mel(noise[-15_360:]))


def test_bad_input_is_refused():
    with pytest.raises(QuietNavError, match='399 samples are too few'):
        log_mel(np.zeros(399))
    with pytest.raises(QuietNavError, match='low < high'):
        mel_filterbank(high_hz=9_000.0)
