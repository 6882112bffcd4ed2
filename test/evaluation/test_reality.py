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

"""The simulator against measurements: both sets' forms are read, figures mean what they say."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.reality.measurements import load_epuck_wall, load_measured_room
from quiet_nav.evaluation.reality.spectra import decay_times, interval
from quiet_nav.evaluation.reality.wall import distance_errors, ripple, wall_report


def shared_data(name: str) -> Path:
    """Return the folder of a measured set beside the checkout, or the test is skipped."""
    told = os.environ.get('QUIET_NAV_SHARED', '')
    roots = [Path(told)] if told else [up / 'shared' for up in Path(__file__).resolve().parents]
    for root in roots:
        if (root / 'data' / name).is_dir():
            return root / 'data' / name
    pytest.skip(f'no shared/data/{name} beside the checkout; QUIET_NAV_SHARED names its folder')


def test_decay_time_of_exponential_noise():
    rng = np.random.default_rng(0)
    time = np.arange(16000) / 16000
    decays = rng.standard_normal((20, 16000)) * 10 ** (-3 * time / 0.5)
    assert np.median(decay_times(decays, 1000.0)) == pytest.approx(0.5, rel=0.05)


def test_interval_holds_the_figure():
    values = np.random.default_rng(1).normal(3.0, 1.0, 40)
    value, low, high = interval(lambda rows: float(values[rows].mean()), 40)
    assert low < value < high
    assert high - low == pytest.approx(4 / np.sqrt(40), rel=0.3)


def test_ripple_of_a_known_interference_is_found_again():
    distance = np.arange(0.14, 0.6, 0.016)
    frequency = np.arange(1200.0, 5000.0, 150.0)
    k = 4 * np.pi * frequency / 343
    swing = np.cos(k * (distance[:, None] + 0.02)) / distance[:, None]
    magnitude = 7.0 * (1 + 0.03 * swing)[:, :, None]
    found = ripple(distance, frequency, magnitude)
    assert found.depth == pytest.approx(np.full(found.depth.shape, 0.1), rel=0.05)
    assert found.offset_m[0] == pytest.approx(0.02, abs=2e-3)
    assert np.abs(found.phase).max() < 0.1


def test_published_room_is_read_from_its_files(tmp_path):
    folder = tmp_path / 'RIRs' / 'FRL_array'
    folder.mkdir(parents=True)
    names = [f'S{a:03d}-150' for a in range(0, 360, 30)] + ['SBG1']
    for n, name in enumerate(names):
        sound = np.zeros((48000, 7), np.float32)
        sound[300 + n, 6] = 0.5
        soundfile.write(
            folder / f'RLRVarAcLab_Absorptive_050_{name}_R1_FRL10cm.wav', sound, 48000, 'FLOAT'
        )
    room = load_measured_room(tmp_path, 50)
    assert room.responses.shape == (13, 9600)
    assert np.abs(room.responses[0]).argmax() == 100
    assert room.circles.sum() == 12
    assert room.sources_m[0] == pytest.approx((4.69, 2.76))
    with pytest.raises(QuietNavError, match='0 responses RLRVarAcLab_Absorptive_075'):
        load_measured_room(tmp_path, 75)


def test_published_wall_is_read_from_its_lists(tmp_path):
    bins = np.arange(1000, 1512, 16)
    header = 'frequencies,n_mics,signals_imag_vect,signals_real_vect\n'
    for n in range(10):
        rows = []
        for note in (5, 20):
            real = np.full((4, 32), 0.1)
            real[:, note] = np.arange(4) + 10.0 + n
            values = ' '.join(f'{v:.3f}' for v in real.ravel())
            zeros = ' '.join(['0.'] * real.size)
            rows.append(f'"[{" ".join(map(str, bins))}]",4,"[{zeros}]","[{values}]"\n')
        (tmp_path / f'motors_binsel0_noprops_None_{20 + n}.0.csv').write_text(
            header + ''.join(rows)
        )
    wall = load_epuck_wall(tmp_path)
    assert wall.distance_m == pytest.approx(0.2 + 0.01 * np.arange(10))
    assert wall.frequency_hz.tolist() == [1080, 1320]
    assert wall.magnitude[3, 1].tolist() == [13.0, 14.0, 15.0, 16.0]


def test_measured_room_is_read():
    room = load_measured_room(shared_data('measured-room'))
    assert room.responses.shape == (34, 9600)
    assert np.median(decay_times(room.responses, 500.0)) == pytest.approx(0.71, abs=0.05)
    with pytest.raises(QuietNavError, match=r'30 % is none of \[0, 50, 100\]'):
        load_measured_room(shared_data('measured-room'), 30)


@pytest.mark.slow
def test_robot_at_a_real_wall_hears_a_ripple_that_tells_the_distance():
    wall = load_epuck_wall(shared_data('epuck-wall'))
    assert np.median(distance_errors(wall)) <= 0.025
    assert np.median(distance_errors(wall, 0.1)) <= 0.035
    report = wall_report(wall)
    assert 0.005 < report.depth['measured'][0] < report.depth['simulated'][0]
    assert report.depth_by['measured'][0] > 0.04


def test_file_that_is_no_measurement_is_named(tmp_path):
    file = tmp_path / 'other.npz'
    file.write_bytes(b'nothing')
    with pytest.raises(QuietNavError, match='no NumPy archive'):
        load_epuck_wall(file)
