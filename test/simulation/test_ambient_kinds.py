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

"""Promises of the synthetic sounds that sources can play instead of noise."""

import numpy as np
import pytest

from quiet_nav.simulation.sound.ambient_kinds import AMBIENT_KINDS, ambient_loop, LOOP_S
from quiet_nav.sound.windows import SAMPLE_RATE


@pytest.mark.parametrize('kind', AMBIENT_KINDS)
def test_every_kind_is_a_finite_loop_of_unit_rms_without_rumble(kind):
    loop = ambient_loop(kind, 3, 1)
    assert loop.dtype == np.float32
    assert 0.5 * LOOP_S <= len(loop) / SAMPLE_RATE <= LOOP_S
    assert np.isfinite(loop).all()
    assert np.sqrt(np.mean(loop.astype(float) ** 2)) == pytest.approx(1.0, rel=1e-4)
    power = np.abs(np.fft.rfft(loop)) ** 2
    below = np.fft.rfftfreq(len(loop), 1.0 / SAMPLE_RATE) < 15.0
    assert power[below].sum() < 0.05 * power.sum()


@pytest.mark.slow
@pytest.mark.parametrize('kind', AMBIENT_KINDS)
def test_a_kind_is_drawn_by_seed_and_stream(kind):
    first = ambient_loop(kind, 3, 1)
    ambient_loop.cache_clear()
    assert np.array_equal(ambient_loop(kind, 3, 1), first)
    assert not np.array_equal(ambient_loop(kind, 4, 1), first)
    assert not np.array_equal(ambient_loop(kind, 3, 2), first)
