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

"""Things at walls: what they reflect, how far their fronts are, and where doors stand open."""

from dataclasses import replace

import numpy as np
import pytest

from quiet_nav.simulation.rooms.absorption import absorption
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom, NO_AIR
from quiet_nav.simulation.rooms.wall_patches import Patch
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.simulation.sound.lived_in import furnished
from quiet_nav.simulation.sound.scenes import draw_scene, SceneRanges
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

DEAD = absorption(1.0)
BARE = absorption(0.1)
#: Source and microphone before the wall x = 0, which runs from (0, 8) to (0, 0).
SOURCE, MIC = np.array([1.5, 4.0, 1.0]), np.array([[0.5, 4.0, 1.0]])


def room_with(*patches, order=1):
    room = AcousticRoom.shoebox(
        10.0, 8.0, 3.0, [DEAD, DEAD, DEAD, BARE], DEAD, DEAD, order=order, air=NO_AIR
    )
    return replace(room, patches=patches)


def patch(absorbed, start=0.0, end=8.0, depth=0.0, top=3.0, **more):
    return Patch('thing', 3, start, end, 0.0, top, absorption(absorbed), BARE, depth, **more)


def response(room):
    return RoomAcoustics(room, SOURCE).impulse_responses(MIC)[0, 0]


def echo(room):
    """Return what comes by the wall: the response less the direct sound."""
    dead = replace(room_with(), walls=(DEAD,) * 4)
    return response(room) - response(dead)


def test_a_patch_over_the_whole_wall_is_that_wall():
    covered = response(room_with(patch(0.6)))
    other = replace(room_with(), walls=(DEAD, DEAD, DEAD, absorption(0.6)))
    assert covered == pytest.approx(response(other), abs=1e-5)


def test_beside_an_open_door_nothing_comes_back_and_away_from_it_the_bare_wall_does():
    bare = np.linalg.norm(echo(room_with()))
    there = np.linalg.norm(echo(room_with(patch(1.0, 2.0, 6.0))))
    elsewhere = np.linalg.norm(echo(room_with(patch(1.0, 0.0, 1.0))))
    assert there < 0.05 * bare
    assert elsewhere == pytest.approx(bare, rel=0.05)


def test_a_small_thing_matters_to_short_waves_alone():
    spectrum = np.abs(np.fft.rfft(echo(room_with(patch(1.0, 3.7, 4.3))), 1 << 14))
    bare = np.abs(np.fft.rfft(echo(room_with()), 1 << 14))
    frequency = np.fft.rfftfreq(1 << 14, 1 / SAMPLE_RATE)

    def left(low, high):
        inside = (frequency > low) & (frequency < high)
        return np.sqrt(np.mean(spectrum[inside] ** 2) / np.mean(bare[inside] ** 2))

    assert left(3000, 7000) < 0.2 < 0.5 < left(90, 160)


def test_a_shelf_reflects_from_its_front():
    found = np.abs(echo(room_with(patch(0.1, 1.0, 7.0, depth=0.4))))
    way = 2.0 - 2 * 0.4
    expected = RoomAcoustics(room_with(), SOURCE)
    latency = np.argmax(np.abs(response(replace(room_with(), walls=(DEAD,) * 4))))
    direct = 1.0
    arrived = latency + (way - direct) / SPEED_OF_SOUND * SAMPLE_RATE
    assert np.argmax(found) == pytest.approx(arrived, abs=1.5)
    assert expected.length > arrived


def test_distances_are_to_what_stands_there_and_through_open_doors():
    shelf, door = patch(0.2, 1.0, 3.0, depth=0.3, top=1.5), patch(1.0, 5.0, 6.0, beyond_m=2.5)
    room = room_with(shelf, door)
    # Along wall 3 from (0, 8): 2 m are y = 6, 5.5 m are y = 2.5.
    west = np.pi
    assert room.surface_along(np.array([1.0, 6.0, 1.0]), west) == pytest.approx(0.7)
    assert room.surface_along(np.array([1.0, 6.0, 2.0]), west) == pytest.approx(1.0)
    assert room.surface_along(np.array([1.0, 2.5, 1.0]), west) == pytest.approx(3.5)
    assert room.surface_along(np.array([1.0, 4.0, 1.0]), west) == pytest.approx(1.0)
    assert room.surface_along(np.array([1.0, 6.0, 1.0]), 0.0) == pytest.approx(9.0)
    assert not room.contains(np.array([0.2, 6.0, 1.0])) and not room.contains([0.35, 6.0], 0.1)
    assert room.contains(np.array([0.2, 6.0, 2.0])) and room.contains(np.array([0.2, 4.0, 1.0]))


def test_lived_in_rooms_have_what_real_ones_have():
    scenes = [draw_scene(seed, SceneRanges(lived_in=True)) for seed in range(60)]
    kinds = {p.kind for scene in scenes for p in scene.room.patches}
    assert kinds == {'door', 'glass', 'curtain', 'shelf', 'radiator'}
    sources = [source for scene in scenes for source in scene.sources]
    assert any(s.kind == 'in_wall' for s in sources)
    assert {'clock', 'rain', 'fan', 'hum', 'traffic', 'water'} <= {s.kind for s in sources}
    for scene in scenes:
        scene.room.require_inside([s.position for s in scene.sources], 'source')
        assert scene.real_microphones


def test_walls_of_a_furnished_room_are_what_they_are_on_average():
    rng = np.random.default_rng(3)
    bare = draw_scene(9).room
    room = furnished(bare, rng)
    assert room.patches
    for wall, (area, found) in enumerate(room.surfaces[:4]):
        here = [p for p in room.patches if p.wall == wall]
        absorbed = np.asarray(bare.walls[wall]) * (area - sum(p.area_m2 for p in here))
        absorbed += sum((p.area_m2 * np.asarray(p.absorption) for p in here), np.zeros(7))
        assert np.asarray(found) == pytest.approx(absorbed / area, abs=1e-4)
