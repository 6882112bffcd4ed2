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

"""Solved rooms in use: what is refused, crossover and tail, the cache, campuses."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.campus.build import make_campus
from quiet_nav.simulation.campus.request import CampusRequest
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.rooms.plan import (
    ACOUSTIC_TILE,
    Furniture,
    LINOLEUM,
    PLASTER,
    rectangle,
    shoebox,
)
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.simulation.sound.scenes import scene_in_plan
from quiet_nav.simulation.sound.waves.hybrid import HybridAcoustics, solve_places
from quiet_nav.simulation.sound.waves.scattering import diffuse_tail, mirror_part
from quiet_nav.simulation.sound.waves.solved_room import hearing_in_plan, solved_room
from quiet_nav.simulation.sound.waves.solver import WaveSettings, WaveSolver

SIZE = (3.4, 2.9, 2.5)
SOURCES = np.array([[0.6, 0.5, 2.2]])
SHORT = WaveSettings(crossover_hz=350.0, length_s=0.15, threads=1)


def room(furniture=()):
    return shoebox('small', SIZE, PLASTER, LINOLEUM, ACOUSTIC_TILE, furniture=furniture)


def test_run_over_the_limits_is_refused_with_its_numbers_before_it_starts():
    ears = np.tile([[1.0, 1.0, 1.0]], (4000, 1))
    for limit in ({'memory_gb': 0.01}, {'time_s': 1e-3}):
        solver = WaveSolver(room(), replace(SHORT, **limit))
        with pytest.raises(QuietNavError, match=r'million cells x \d+ steps x 1 runs, .* GB'):
            solver.responses(SOURCES, ears)


def test_fewer_ears_than_sources_are_run_instead_of_them():
    assert WaveSolver(room(), SHORT).cost(5, 2).runs == 2


def test_furniture_too_thin_for_the_grid_is_named():
    thin = Furniture('paper', rectangle((1.0, 1.03), 0.01, 0.01), 1.0)
    with pytest.raises(QuietNavError, match=r"furniture 'paper' is too thin for cells of 0\.140 m"):
        WaveSolver(room((thin,)), SHORT)


def test_room_that_furniture_cuts_in_two_is_refused():
    wall = Furniture('shelf', rectangle((1.7, 1.45), 0.3, 2.9), 2.5)
    with pytest.raises(QuietNavError, match='falls into 2 parts'):
        WaveSolver(room((wall,)), SHORT)


def test_ear_in_furniture_is_refused():
    box = Furniture('box', rectangle((2.0, 1.5), 1.0, 1.0), 1.0)
    with pytest.raises(QuietNavError, match='not in the air'):
        WaveSolver(room((box,)), SHORT).responses(SOURCES, np.array([[2.0, 1.5, 0.5]]))


def test_hybrid_is_waves_below_the_crossover_and_images_above_it():
    plan = room()
    made = AcousticRoom.of_plan(plan)
    ears = np.array([[2.4, 2.1, 0.6], [3.2, 0.4, 1.1]])
    low = solve_places(plan, SOURCES, ears, SHORT)
    heard = HybridAcoustics(made, SOURCES, low).impulse_responses(ears)[:, 0]
    images = RoomAcoustics(made, SOURCES).impulse_responses(ears)[:, 0]
    frequency = np.fft.rfftfreq(1 << 15, 1 / 16000)
    one, other = (np.abs(np.fft.rfft(h, 1 << 15)) ** 2 for h in (heard, images))
    for low_hz, high_hz in ((60, 280), (400, 1000), (1000, 4000)):
        band = (frequency > low_hz) & (frequency < high_hz)
        apart = 10 * np.log10(one[:, band].mean() / other[:, band].mean())
        assert abs(apart) < 4.0, (low_hz, apart)
    spectrum = np.fft.rfft(np.pad(low.at(ears[0])[0], (0, 3000)), 4096)
    below = frequency[: len(frequency) // 8] < 280
    mine = np.fft.rfft(heard[0], 32768)[: len(below)][below]
    told = 8 * np.fft.rfft(low.at(ears[0])[0], 4096)[: len(below)][below]
    assert len(spectrum) and np.abs(mine - told).max() < 0.05 * np.abs(told).max()


def test_place_that_was_not_solved_is_refused():
    plan = room()
    low = solve_places(plan, SOURCES, np.array([[2.4, 2.1, 0.6]]), SHORT)
    acoustics = HybridAcoustics(AcousticRoom.of_plan(plan), SOURCES, low)
    with pytest.raises(QuietNavError, match='no waves were solved at'):
        acoustics.impulse_responses(np.array([[2.0, 2.0, 0.6]]))


def test_what_mirrors_lose_by_scattering_comes_back_as_a_tail():
    made = AcousticRoom.shoebox(5.0, 4.0, 3.0, 0.15, 0.15, 0.15, order=25)
    source, scattering = np.array([1.2, 1.1, 1.4]), (0.4,) * 7
    rng = np.random.default_rng(0)
    ears = rng.uniform([0.5, 0.5, 0.5], [4.5, 3.5, 2.5], (24, 3))
    images = RoomAcoustics(made, source[None])._images(ears)[0][0]
    tail = diffuse_tail(made, source, 0.3, scattering)

    def energy(parts):
        total = 0.0
        for ear in ears:
            for part in parts(ear):
                distance = np.linalg.norm(part.positions - ear, axis=1)
                near = distance < 0.3 * 343
                total += ((part.amplitudes[near, 2] / distance[near]) ** 2).sum()
        return total

    smooth = energy(lambda ear: [images])
    mirrored = energy(lambda ear: [mirror_part(images, scattering)])
    rough = energy(lambda ear: [mirror_part(images, scattering), tail.at(made, ear)])
    assert mirrored < 0.75 * smooth
    assert rough == pytest.approx(smooth, rel=0.2)


def test_solved_room_is_kept_and_interpolates_between_its_cells(tmp_path):
    plan, told = room(), []
    first = solved_room(plan, SOURCES, (0.3,), SHORT, tmp_path, told.append)
    assert len(told) == 2 and 'MB' in told[1]
    again = solved_room(plan, SOURCES, (0.3,), SHORT, tmp_path, told.append)
    assert len(told) == 2
    place = np.array([1.93, 1.71, 0.3])
    exact = WaveSolver(plan, SHORT).responses(SOURCES, place[None])[:, 0]
    assert np.array_equal(first.at(place), again.at(place))
    assert np.abs(first.at(place) - exact).max() < 0.03 * np.abs(exact).max()
    with pytest.raises(QuietNavError, match=r'solved at heights 0\.3 m'):
        first.at(np.array([1.9, 1.7, 0.8]))


def test_scene_in_a_solved_plan_is_as_loud_as_it_says(tmp_path):
    table = Furniture('table', rectangle((2.4, 1.4), 0.8, 0.6), 0.7)
    plan = room((table,))
    scene = replace(scene_in_plan(plan, 3), level_dbfs=-40.0)
    hearing = hearing_in_plan(plan, scene, (0.3,), SHORT, tmp_path)
    places = np.array([[x, y, 0.3] for x in (0.6, 1.2) for y in (0.6, 1.5, 2.3)])
    heard = hearing.at(places, 16000, 32000)
    assert 20 * np.log10(np.sqrt((heard**2).mean())) == pytest.approx(-40.0, abs=4.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_campus_with_waves_is_the_same_for_any_number_of_workers(tmp_path):
    # Two small rooms: what takes time grows with their volume.
    request = CampusRequest('motion', 2, 252, images=False, waves=1.0, most_sources=1)
    roots = [make_campus(request, tmp_path / str(n), workers=n) for n in (1, 2)]
    files = sorted(p.relative_to(roots[0]) for p in roots[0].rglob('*') if p.is_file())
    assert any(f.suffix == '.wav' for f in files)
    for file in files:
        assert (roots[0] / file).read_bytes() == (roots[1] / file).read_bytes(), file
    plain = make_campus(replace(request, waves=0.0, rooms=1), tmp_path / 'plain', workers=1)
    sound = next(f for f in files if f.suffix == '.wav')
    one, other = (soundfile.read(root / sound)[0] for root in (roots[0], plain))
    assert not np.array_equal(one, other)
