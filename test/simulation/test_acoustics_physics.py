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

"""Room acoustics against closed forms: what a wall, a distance and a room must do to sound."""

import numpy as np
import pytest
from scipy import signal

from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom, NO_AIR
from quiet_nav.simulation.sound.acoustics import LATENCY, RoomAcoustics
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

pytest.importorskip('pyroomacoustics')


def responses(room, sources, mics, looks=None):
    return RoomAcoustics(room, sources).impulse_responses(mics, looks)


def hemisphere(count, radius):
    """Points spread evenly (Fibonacci) over the half sphere x > 0."""
    i = np.arange(count)
    x = (i + 0.5) / count
    turn = i * np.pi * (3.0 - np.sqrt(5.0))
    ring = np.sqrt(1.0 - x**2)
    return radius * np.column_stack([x, ring * np.cos(turn), ring * np.sin(turn)])


@pytest.mark.slow
def test_diffuse_field_at_a_rigid_wall_follows_one_plus_sinc():
    # One rigid wall at x = 0, everything else swallows all sound; sources all around.
    room = AcousticRoom.shoebox(45, 80, 80, [1.0, 1.0, 1.0, 0.0], 1.0, 1.0, order=1, air=NO_AIR)
    foot = np.array([0.0, 40.0, 40.0])
    distances = np.array([0.01, 0.1, 0.25, 0.5, 1.0])
    mics = foot + np.column_stack([distances, 0 * distances, 0 * distances])
    acoustics = RoomAcoustics(room, foot + hemisphere(150, 30.0))
    power = np.abs(np.fft.rfft(acoustics.impulse_responses(mics), axis=-1)) ** 2
    frequency = np.linspace(0, SAMPLE_RATE / 2, power.shape[-1])
    level = power.mean(axis=1) * 30.0**2 / 2.0
    for f in (100, 200, 350, 500, 700, 1000):
        # Averaged over a twelfth of an octave, as a measurement would be.
        band = (frequency > f * 2 ** (-1 / 24)) & (frequency < f * 2 ** (1 / 24))
        measured = 10 * np.log10(level[:, band].mean(axis=1))
        kd = 2 * np.pi * frequency[band] / SPEED_OF_SOUND * distances[:, None]
        expected = 10 * np.log10((1 + np.sinc(2 * kd / np.pi)).mean(axis=1))
        assert np.abs(measured - expected).max() < 1.0, f
        if f <= 500:
            assert measured[0] == pytest.approx(3.0, abs=0.3)


def test_free_field_falls_as_one_over_r():
    room = AcousticRoom.shoebox(40, 20, 20, 1.0, 1.0, 1.0, order=0, air=NO_AIR)
    mics = np.array([[5.0 + r, 10.0, 10.0] for r in (1.0, 2.0, 4.0, 8.0, 16.0)])
    heard = responses(room, [[5.0, 10.0, 10.0]], mics)[:, 0]
    level = np.linalg.norm(heard, axis=1)
    assert level[0] / level == pytest.approx([1, 2, 4, 8, 16], rel=0.01)
    # Absolute level: a band well inside the transform of a unit impulse at 1 m.
    spectrum = np.abs(np.fft.rfft(heard[0]))
    frequency = np.linspace(0, SAMPLE_RATE / 2, len(spectrum))
    assert spectrum[(frequency > 200) & (frequency < 7000)] == pytest.approx(1.0, rel=0.01)


def test_first_reflections_arrive_when_and_as_loud_as_mirrored_sources_say():
    size, absorbed = np.array([31.0, 23.0, 11.0]), 0.36
    source, mic = np.array([8.3, 9.1, 2.2]), np.array([17.9, 14.7, 6.4])
    room = AcousticRoom.shoebox(*size, absorbed, absorbed, absorbed, order=1, air=NO_AIR)
    heard = responses(room, [source], [mic])[0, 0]
    fine = signal.resample(heard, 16 * len(heard))
    mirrored = [source]
    for axis in range(3):
        for wall in (0.0, size[axis]):
            image = source.copy()
            image[axis] = 2 * wall - source[axis]
            mirrored.append(image)
    distances = np.array([np.linalg.norm(image - mic) for image in mirrored])
    arrivals = LATENCY + distances / SPEED_OF_SOUND * SAMPLE_RATE
    assert np.diff(np.sort(arrivals)).min() > 20
    for arrival, distance, gain in zip(arrivals, distances, [1.0] + [0.8] * 6, strict=True):
        near = slice(int(16 * (arrival - 3)), int(16 * (arrival + 3)))
        peak = np.argmax(fine[near])
        assert (near.start + peak) / 16 == pytest.approx(arrival, abs=0.15)
        assert fine[near][peak] == pytest.approx(gain / distance, rel=0.06)


def test_nothing_is_heard_before_the_direct_sound():
    room = AcousticRoom.shoebox(8, 6, 3, 0.2, 0.2, 0.5)
    source, mic = np.array([1.2, 1.1, 1.5]), np.array([6.8, 4.9, 1.0])
    heard = responses(room, [source], [mic])[0, 0]
    arrival = int(np.linalg.norm(source - mic) / SPEED_OF_SOUND * SAMPLE_RATE)
    loudest = np.abs(heard).max()
    # The fractional delay reaches 40 samples to either side of the arrival at 40 + arrival.
    assert np.abs(heard[:arrival]).max() < 0.01 * loudest
    assert np.sum(heard[:arrival] ** 2) < 1e-3 * np.sum(heard**2)
    assert np.abs(heard[LATENCY + arrival :][:3]).max() > 0.3 * loudest


@pytest.mark.parametrize('absorbed', [0.2, 0.35])
def test_reverberation_time_is_eyrings_within_a_fifth(absorbed):
    room = AcousticRoom.shoebox(6.2, 5.1, 4.3, absorbed, absorbed, absorbed, order=45, air=NO_AIR)
    rng = np.random.default_rng(4)
    sources, mics = rng.uniform(0.8, [5.4, 4.3, 3.5], (2, 2, 3))
    heard = responses(room, sources, mics).reshape(4, -1)
    sos = signal.butter(4, (350, 5600), 'bandpass', fs=SAMPLE_RATE, output='sos')
    energy = np.cumsum((signal.sosfilt(sos, heard) ** 2)[:, ::-1], axis=1)[:, ::-1]
    decay = 10 * np.log10(energy.mean(axis=0) / energy.mean(axis=0)[0] + 1e-12)
    first, last = np.argmax(decay < -5), np.argmax(decay < -25)
    slope = np.polyfit(np.arange(first, last) / SAMPLE_RATE, decay[first:last], 1)[0]
    assert -60 / slope == pytest.approx(room.eyring_rt60()[3], rel=0.2)


def test_source_and_microphone_can_be_exchanged():
    room = AcousticRoom.shoebox(7, 5, 3, [0.1, 0.2, 0.05, 0.3], 0.1, 0.6)
    one, other = [1.3, 2.2, 0.7], [5.1, 3.4, 1.9]
    there = responses(room, [one], [other])[0, 0]
    back = responses(room, [other], [one])[0, 0]
    length = min(len(there), len(back))
    assert np.linalg.norm(there[:length] - back[:length]) < 1e-2 * np.linalg.norm(there)


def test_a_cardioid_hears_what_is_ahead_and_not_what_is_behind():
    room = AcousticRoom.shoebox(20, 20, 20, 1.0, 1.0, 1.0, order=0, air=NO_AIR)
    mics = np.repeat([[10.0, 10.0, 10.0]], 4, axis=0)
    looks = np.array([[1.0, 0, 0], [0, 1.0, 0], [-1.0, 0, 0], [0, 0, 0]])
    level = np.linalg.norm(responses(room, [[13.0, 10.0, 10.0]], mics, looks)[:, 0], axis=1)
    assert level[:3] / level[3] == pytest.approx([1.0, 0.5, 0.0], abs=1e-3)


def test_a_prism_traced_wall_by_wall_is_the_shoebox():
    walls = [(0.05, 0.06, 0.07, 0.08, 0.1, 0.1, 0.1), 0.15, 0.1, 0.2]
    box = AcousticRoom.shoebox(8, 6, 3, walls, 0.1, 0.4, order=5)
    turned = AcousticRoom(
        (*box.footprint[1:], box.footprint[0]),
        box.height,
        (*box.walls[1:], box.walls[0]),
        box.floor,
        box.ceiling,
        order=5,
    )
    assert box.is_shoebox and not turned.is_shoebox
    sources, mics = [[1.13, 2.21, 1.1], [5.37, 3.41, 2.5]], [[3.0, 1.0, 0.5], [7.0, 5.0, 1.2]]
    one, other = responses(box, sources, mics), responses(turned, sources, mics)
    length = min(one.shape[-1], other.shape[-1])
    difference = np.linalg.norm((one[..., :length] - other[..., :length]).ravel())
    assert difference < 10 ** (-40 / 20) * np.linalg.norm(one.ravel())


def test_round_a_corner_the_direct_sound_is_missing():
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 4.0), (5.0, 4.0), (5.0, 9.0), (0.0, 9.0))
    room = AcousticRoom(corners, 3.0, ((0.1,) * 7,) * 6, (0.1,) * 7, (0.4,) * 7, order=0)
    source, hidden, seen = [8.5, 3.5, 1.0], [4.5, 8.5, 1.0], [1.0, 1.0, 1.0]
    heard = responses(room, [source], [hidden, seen])[:, 0]
    assert np.abs(heard[0]).max() == 0.0
    assert np.abs(heard[1]).max() > 0.05
