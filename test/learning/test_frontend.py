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

import numpy as np
import pytest

torch = pytest.importorskip('torch')

from quiet_nav.learning.frontend import LogMel  # noqa: E402
from quiet_nav.sound.logmel import log_mel  # noqa: E402


@pytest.fixture
def noises() -> np.ndarray:
    rng = np.random.default_rng(0)
    white = rng.standard_normal((3, 15360)) * np.array([[1e-4], [1e-2], [0.3]])
    red = 0.01 * np.cumsum(rng.standard_normal((2, 15360)), axis=1)
    return np.concatenate([white, red - red.mean(axis=1, keepdims=True)]).astype(np.float32)


@pytest.mark.parametrize(('alignment', 'pad'), [('mirrored', True), ('none', False)])
def test_layer_agrees_with_numpy_log_mel(noises, alignment, pad):
    layer = LogMel(alignment)(torch.from_numpy(noises)).numpy()
    expected = log_mel(noises, pad)
    assert layer.shape == expected.shape
    np.testing.assert_allclose(layer, expected, atol=1e-4)


def test_centered_alignment_is_a_centered_stft_without_its_last_frame(noises):
    window = torch.hann_window(400, dtype=torch.float64)
    wave = torch.from_numpy(noises).double()
    spectrum = torch.stft(wave, 512, 160, 400, window, center=True, return_complex=True)
    layer = LogMel('centered')
    mel = spectrum.abs().square().transpose(1, 2)[:, :-1] @ layer.filterbank.double()
    found = layer(wave.float())
    assert found.shape == (5, 96, 64)
    np.testing.assert_allclose(found.numpy(), torch.log(mel + 1e-10).numpy(), atol=1e-4)


def test_silence_is_the_logarithm_of_the_offset():
    assert torch.allclose(LogMel()(torch.zeros(1, 15360)), torch.log(torch.tensor(1e-10)))
