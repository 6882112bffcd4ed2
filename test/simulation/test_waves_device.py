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

"""The wave update on a CUDA device, held against that on the processor in Numba's simulator."""

import os
import subprocess
import sys

import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.rooms.plan import shoebox
from quiet_nav.simulation.sound.waves.solver import WaveSettings, WaveSolver

#: A room with a box on the floor: mirrors, edges of solids and losses are all in it.
BOTH = """
import numpy as np
from quiet_nav.simulation.rooms.plan import Furniture, PLASTER, shoebox
from quiet_nav.simulation.sound.waves import device, kernel
from quiet_nav.simulation.sound.waves.solver import WaveSettings, WaveSolver

box = Furniture('box', ((0.0, 0.0), (0.75, 0.0), (0.75, 0.75), (0.0, 0.75)), 0.8, PLASTER)
plan = shoebox('small', (2.2, 1.9, 1.7), furniture=(box,))
scheme = WaveSolver(plan, WaveSettings(crossover_hz=120.0, threads=1, device='cpu')).scheme
assert len(scheme.edges[0]) > 0 and len(scheme.walls[2]) > 0
# Every thread of a block is simulated, idle or not.
device._BLOCK, device._THREADS = (9, 4, 2), 32
pulse = np.hanning(6)[1:].astype(np.float32)
inside = np.flatnonzero(scheme.air)
source, ears = inside[len(inside) // 2 :][:2], inside[[[5, 9], [len(inside) - 3, 40]]]
weights, heard_by = np.array([0.7, 0.3], np.float32), np.array([[0.5, 0.5], [1, 0]], np.float32)
before, memory, *walls = scheme.walls
p, q = (np.zeros(scheme.air.shape, np.float32) for _ in range(2))
steps = np.concatenate([pulse, np.zeros(3, np.float32)])
out = np.zeros((2, 4), np.float32)
state = (before.copy(), memory.copy(), *walls)
kernel.march(
    p, q, steps, scheme.grid, state, scheme.edges, source, weights, ears, heard_by, 2, out
)
there = device.Device(scheme.air, scheme.grid, scheme.walls, scheme.edges)
for again in range(2):
    heard = there.march(steps, source, weights, ears, heard_by, 2)
    assert np.abs(out).max() > 1e-3
    np.testing.assert_allclose(heard, out, atol=2e-6 * np.abs(out).max())
"""


@pytest.mark.slow
def test_a_device_hears_what_the_processor_hears():
    simulated = {**os.environ, 'NUMBA_ENABLE_CUDASIM': '1'}
    done = subprocess.run(
        [sys.executable, '-c', BOTH], env=simulated, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr


def test_a_device_that_is_not_there_is_one_line_with_the_way_out(monkeypatch):
    from quiet_nav.simulation.sound.waves import device

    monkeypatch.setattr(device, 'available', lambda: False)
    monkeypatch.setenv('QUIET_NAV_WAVES_DEVICE', 'gpu')
    solver = WaveSolver(shoebox('small', (2.0, 2.0, 2.0)), WaveSettings(crossover_hz=120.0))
    with pytest.raises(QuietNavError, match=r'finds no CUDA device.*QUIET_NAV_WAVES_DEVICE=auto'):
        solver.responses([[1.0, 1.0, 1.0]], [[0.5, 0.5, 0.5]])


def test_a_device_is_auto_cpu_or_gpu(monkeypatch):
    monkeypatch.setenv('QUIET_NAV_WAVES_DEVICE', 'tpu')
    with pytest.raises(QuietNavError, match="waves on 'tpu'; expected auto, cpu or gpu"):
        WaveSettings()
    assert WaveSettings(device='cpu').on == 'cpu'
