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
"""Transfers of rooms: they foretell what is recorded there, and files that are none are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.perception.bands import banded, BANDS
from quiet_nav.quiet_campus.transfers import RoomTransfers
from quiet_nav.simulation.campus.kinds import get_kind
from quiet_nav.simulation.campus.kinds.transfers import room_transfers, SOURCES
from quiet_nav.simulation.campus.places import plan_room
from quiet_nav.simulation.campus.request import CampusRequest
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.sources import source_spectrum
from quiet_nav.sound.windows import WINDOW_SAMPLES

FRAME = 2048


@pytest.fixture(scope='module')
def request_of_one() -> CampusRequest:
    rig = str(resources.find(resources.RIG, 'trio').resolve())
    return CampusRequest(
        'transfers', 1, 9, images=False, rig=rig, steady=True, plain=True, own_sound=1.0
    )


@pytest.fixture(scope='module')
def planned(request_of_one):
    room = plan_room(request_of_one, 0)
    return replace(room, places=room.places[:1])


@pytest.fixture(scope='module')
def transfers(planned) -> RoomTransfers:
    return room_transfers(planned)


def heard_power(samples: np.ndarray) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME, axis=-1)[..., ::1024, :]
    window = np.hanning(FRAME + 1)[:-1]
    spectra = np.fft.rfft(frames * window, axis=-1)
    return banded((np.abs(spectra) ** 2).mean(-2)) / (window**2).sum()


@pytest.mark.slow
def test_transfers_foretell_the_power_that_ears_record_of_a_source(planned, transfers):
    source = replace(planned.scene.sources[0], hum_amplitudes=())
    scene = replace(planned.scene, sources=(source,), own=None, gain_spread_db=0.0)
    hearing = Hearing(scene)
    frequency = np.linspace(0.0, 8000.0, FRAME // 2 + 1)
    level = 10 ** (source.level_db / 10) * hearing._level**2
    density = banded(source_spectrum(source, frequency) * (FRAME // 2)) * level
    power = transfers.power[0, 0, 0].astype(float) * transfers.scale[0]
    expected = density * power + 10 ** (scene.mic_noise_dbfs / 10)
    recorded = hearing.rig(planned.rig, planned.places[0].pose, 160_000, 3 * WINDOW_SAMPLES)
    # From 35 Hz up: below, what a source emits changes within a bin.
    apart = np.log(heard_power(recorded) / expected)[:, 4:]
    # The estimate's own noise: 0.09 of a single bin over 9 s.
    assert abs(float(apart.mean())) < 0.02
    assert float(apart[:, :125].std()) < 0.13 and float(apart[:, 125:].std()) < 0.08


def test_ears_hear_what_they_share(transfers):
    assert transfers.power.shape[1:] == (2, 2 * SOURCES + int(transfers.own), 3, BANDS)
    power = transfers.power.astype(float)
    for pair, (one, other) in enumerate(((0, 1), (0, 2), (1, 2))):
        cross = transfers.cross[:, :, :, pair].astype(float)
        level = np.sqrt(power[..., one, :] * power[..., other, :])
        assert (np.hypot(cross[..., 0, :], cross[..., 1, :]) <= 1.01 * level + 0.02).all()
        # In the bass they hear the same noise.
        assert np.median(cross[:, :, :SOURCES, 0, 4:8] / level[:, :, :SOURCES, 4:8]) > 0.8


def test_a_file_is_read_as_it_was_written(transfers, tmp_path):
    transfers.save(tmp_path / 'room.npz')
    loaded = RoomTransfers.load(tmp_path / 'room.npz')
    for name, value in vars(transfers).items():
        assert np.array_equal(value, getattr(loaded, name)), name


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 no archive'])
def test_files_that_are_none_are_refused_in_one_line(content, tmp_path):
    path = tmp_path / 'room.npz'
    path.write_bytes(content)
    with pytest.raises(QuietNavError, match='not the transfers of a room') as found:
        RoomTransfers.load(path)
    assert '\n' not in str(found.value)


def test_transfers_that_do_not_fit_each_other_are_refused(transfers, tmp_path):
    replace(transfers, own=np.array(1)).save(tmp_path / 'room.npz')
    with pytest.raises(QuietNavError, match='do not fit'):
        RoomTransfers.load(tmp_path / 'room.npz')


def test_rooms_without_a_robot_that_makes_noise_are_refused(request_of_one):
    with pytest.raises(QuietNavError, match='expected --own-sound 1'):
        get_kind('transfers').check(replace(request_of_one, own_sound=0.5))
