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

"""The engine beside pyroomacoustics, its rendering, and what it refuses."""

import numpy as np
import pytest
from scipy import signal

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.rooms.absorption import absorption, BANDS_HZ, draw_absorption, MATERIALS
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom, AIR_20C
from quiet_nav.simulation.rooms.plan import shoebox
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.sound.windows import SAMPLE_RATE

pra = pytest.importorskip('pyroomacoustics')

WALLS = {
    'south': (0.02, 0.03, 0.05, 0.07, 0.08, 0.1, 0.1),
    'east': (0.1,) * 7,
    'north': (0.05, 0.07, 0.1, 0.12, 0.15, 0.15, 0.2),
    'west': (0.15,) * 7,
    'floor': (0.03, 0.05, 0.1, 0.2, 0.2, 0.25, 0.3),
    'ceiling': (0.2, 0.35, 0.5, 0.6, 0.65, 0.6, 0.6),
}
SOURCES = np.array([[1.4, 2.3, 2.7], [6.1, 4.4, 0.4], [7.9, 1.0, 1.6]])
MICS = np.array([[2.2, 3.1, 0.4], [0.3, 5.6, 1.1], [6.9, 2.5, 0.25]])


def our_room(order=12):
    sides = [WALLS[name] for name in ('south', 'east', 'north', 'west')]
    return AcousticRoom.shoebox(8.2, 6.1, 3.0, sides, WALLS['floor'], WALLS['ceiling'], order=order)


def their_rir(order=12):
    materials = {
        name: pra.Material({'coeffs': list(a), 'center_freqs': list(BANDS_HZ)})
        for name, a in WALLS.items()
    }
    room = pra.ShoeBox([8.2, 6.1, 3.0], fs=SAMPLE_RATE, materials=materials, max_order=order)
    room.set_air_absorption(list(AIR_20C))
    for source in SOURCES:
        room.add_source(source)
    room.add_microphone_array(MICS.T)
    room.compute_rir()
    return room.rir


def test_what_is_heard_equals_pyroomacoustics_and_fftconvolve_to_minus_60_db():
    acoustics = RoomAcoustics(our_room(), SOURCES)
    rng = np.random.default_rng(1)
    emitted = rng.standard_normal((3, acoustics.history + 16_000)).astype(np.float32)
    ours = acoustics.render(MICS, emitted)
    rir = their_rir()
    theirs = np.array(
        [
            sum(signal.fftconvolve(emitted[s], rir[m][s])[acoustics.history :][:16_000]
                for s in range(3))
            for m in range(3)
        ]
    )  # fmt: skip
    assert np.linalg.norm(ours - theirs) < 10 ** (-60 / 20) * np.linalg.norm(theirs)


@pytest.mark.slow
def test_rendering_is_convolution_with_the_impulse_responses():
    acoustics = RoomAcoustics(our_room(order=4), SOURCES)
    rng = np.random.default_rng(2)
    emitted = rng.standard_normal((3, acoustics.history + 40_000)).astype(np.float32)
    ours = acoustics.render(MICS, emitted)
    responses = acoustics.impulse_responses(MICS, highpass=True)
    assert ours.shape == (3, 40_000) and ours.dtype == np.float32
    for m in range(3):
        direct = sum(signal.fftconvolve(emitted[s], responses[m, s], 'valid') for s in range(3))
        assert ours[m] == pytest.approx(direct, abs=1e-4 * float(np.abs(direct).max()))


@pytest.mark.parametrize(
    'place', [(9.0, 3.0, 1.0), (4.0, -0.2, 1.0), (8.2, 3.0, 1.0), (4.0, 3.0, 3.0), (4, 3, np.nan)]
)
def test_microphone_outside_or_inside_a_wall_is_refused(place):
    acoustics = RoomAcoustics(our_room(order=2), SOURCES)
    with pytest.raises(QuietNavError, match='microphone'):
        acoustics.impulse_responses(np.array([place]))
    with pytest.raises(QuietNavError, match='source'):
        RoomAcoustics(our_room(order=2), np.array([place]))


def test_signals_of_the_wrong_shape_are_refused():
    acoustics = RoomAcoustics(our_room(order=2), SOURCES)
    with pytest.raises(QuietNavError, match='expected'):
        acoustics.render(MICS, np.zeros((2, acoustics.history + 10)))
    with pytest.raises(QuietNavError, match='expected'):
        acoustics.render(MICS, np.zeros((3, acoustics.history)))


@pytest.mark.parametrize('bad', [-0.1, 1.2, np.nan, (0.1, 0.2), 'marble', {'coeffs': [0.1]}])
def test_impossible_material_is_one_clear_error(bad):
    with pytest.raises(QuietNavError, match='material'):
        absorption(bad)


def test_absorption_comes_from_name_number_bands_or_table():
    assert absorption('glass') == MATERIALS['glass']
    assert absorption(0.3) == (0.3,) * 7
    table = {'coeffs': [0.1, 0.3], 'center_freqs': [250.0, 1000.0]}
    assert absorption(table) == pytest.approx([0.1, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3])


def test_drawn_absorption_keeps_to_its_range_with_less_in_the_bass():
    drawn = np.array([draw_absorption(np.random.default_rng(i), 0.1, 0.7) for i in range(200)])
    mid = drawn[:, BANDS_HZ.index(1000.0)]
    assert mid.min() >= 0.1 and mid.max() <= 0.7
    assert np.all(drawn[:, 0] < mid)
    assert mid.std() > 0.1


@pytest.mark.parametrize(
    'corners, message',
    [
        (((0, 0), (4, 4), (4, 0), (0, 4)), 'crossing walls'),
        (((0, 0), (0, 4), (4, 4), (4, 0)), 'clockwise'),
        (((0, 0), (4, 0)), 'three corners'),
    ],
)
def test_impossible_rooms_are_refused(corners, message):
    walls = ((0.1,) * 7,) * len(corners)
    with pytest.raises(QuietNavError, match=message):
        AcousticRoom(corners, 3.0, walls, (0.1,) * 7, (0.1,) * 7)


def test_distances_in_a_room_are_those_by_hand():
    room = our_room()
    assert room.distance_along([1.0, 2.0], 0.0) == pytest.approx(7.2)
    assert room.distance_along([1.0, 2.0], np.pi / 4) == pytest.approx(4.1 * np.sqrt(2))
    distance, yaw = room.nearest_wall(np.array([[1.0, 2.0], [4.0, 5.6]]))
    assert distance == pytest.approx([1.0, 0.5])
    assert np.abs(yaw) == pytest.approx([np.pi, np.pi / 2])
    assert room.volume == pytest.approx(8.2 * 6.1 * 3.0)


def test_a_plan_becomes_the_room_that_sound_meets():
    room = AcousticRoom.of_plan(shoebox('box', (5.0, 4.0, 3.0)))
    assert room.is_shoebox and room.height == 3.0
    assert room.ceiling == MATERIALS['acoustic_tile']
    assert room.order == 12


def test_a_rig_that_stands_hears_the_same_whether_asked_before_or_not():
    rng = np.random.default_rng(3)
    used, fresh = (RoomAcoustics(our_room(order=5), SOURCES) for _ in range(2))
    emitted = rng.standard_normal((3, used.history + 8000)).astype(np.float32)
    used.render(MICS, emitted)
    elsewhere = used.render(MICS + 0.05, emitted)
    assert np.array_equal(elsewhere, fresh.render(MICS + 0.05, emitted))
    assert np.array_equal(elsewhere, used.render(MICS + 0.05, emitted))
    looks = np.repeat([[1.0, 0.0, 0.0]], 3, axis=0)
    assert not np.allclose(elsewhere, used.render(MICS + 0.05, emitted, looks), atol=1e-3)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, 'pyroomacoustics', None)
    with pytest.raises(QuietNavError, match='pip install numba pyroomacoustics'):
        RoomAcoustics(our_room(order=2), SOURCES)
