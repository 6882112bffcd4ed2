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

"""Scenes as they are drawn, and what ears hear in them."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.rig import Ear, Rig
from quiet_nav.simulation.rooms.acoustic_room import POLYGON_ORDER
from quiet_nav.simulation.rooms.plan import shoebox
from quiet_nav.simulation.sound.distractors import Event
from quiet_nav.simulation.sound.hearing import ears_in_room, Hearing
from quiet_nav.simulation.sound.scenes import draw_scene, scene_in_plan, SceneRanges, with_events

pytest.importorskip('pyroomacoustics')

RIG = Rig('pair', (Ear(0, 0.0, 0.15, 0.25, Side.LEFT), Ear(1, 0.0, -0.15, 0.25, Side.RIGHT)))
POSE = Pose2D(2.0, 1.5, 0.4)
STEADY = SceneRanges(drift_share=0.0, switching_share=0.0, gain_spread_db=0.0)


def level_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


@pytest.fixture(scope='module')
def steady():
    return Hearing(replace(draw_scene(3, STEADY), mic_noise_dbfs=-150.0))


def test_drawn_scenes_keep_to_the_ranges_and_use_all_of_them():
    scenes = [draw_scene(seed) for seed in range(60)]
    ranges = SceneRanges()
    counts = {len(scene.sources) for scene in scenes}
    assert counts == {1, 2, 3, 4, 5}
    assert {s.kind for scene in scenes for s in scene.sources} == {
        'ceiling_vent', 'wall_vent', 'window', 'machine',
    }  # fmt: skip
    for scene in scenes:
        length, width = np.ptp(np.array(scene.room.footprint), axis=0)
        assert ranges.length_m[0] <= length <= ranges.length_m[1]
        assert ranges.width_m[0] <= width <= ranges.width_m[1]
        assert ranges.height_m[0] <= scene.room.height <= ranges.height_m[1]
        assert ranges.level_dbfs[0] <= scene.level_dbfs <= ranges.level_dbfs[1]
        assert 12 <= scene.room.order <= 14
        scene.room.require_inside(np.array([s.position for s in scene.sources]), 'source')
        assert all(0.5 <= s.slope <= 2.5 for s in scene.sources)
    hums = [bool(s.hum_amplitudes) for scene in scenes for s in scene.sources]
    assert 0.35 < np.mean(hums) < 0.65
    assert any(s.schedule for scene in scenes for s in scene.sources)
    assert any(s.gain_db.amplitudes for scene in scenes for s in scene.sources)


def test_rooms_lose_a_corner_as_often_as_asked_and_are_rooms_still():
    whole = [draw_scene(seed) for seed in range(60)]
    cut = [draw_scene(seed, SceneRanges(cut_share=1.0)) for seed in range(60)]
    some = [draw_scene(seed, SceneRanges(cut_share=0.5)) for seed in range(60)]
    assert all(len(scene.room.footprint) == 4 for scene in whole)
    assert 20 <= sum(not scene.room.is_shoebox for scene in some) <= 40
    assert {len(scene.room.footprint) for scene in cut} == {5, 6}
    missing = set()
    for scene, before in zip(cut, whole, strict=True):
        room, corners = scene.room, np.array(scene.room.footprint)
        assert room.order == POLYGON_ORDER
        assert np.allclose(np.ptp(corners, axis=0), np.ptp(np.array(before.room.footprint), axis=0))
        assert set(room.walls) == set(before.room.walls)
        room.require_inside(np.array([s.position for s in scene.sources]), 'source')
        outer = {(x, y) for x in (0.0, corners[:, 0].max()) for y in (0.0, corners[:, 1].max())}
        (gone,) = outer - {tuple(corner) for corner in corners}
        missing.add((gone[0] > 0.0, gone[1] > 0.0))
    assert len(missing) == 4, 'any corner may be the one'


def test_hard_rooms_are_hard_all_over_and_the_others_as_before():
    before = [draw_scene(seed).room for seed in range(60)]
    rooms = [draw_scene(seed, SceneRanges(hard_share=0.5)).room for seed in range(60)]
    hard = [
        room
        for room in rooms
        if max(max(surface) for surface in (*room.walls, room.floor, room.ceiling)) <= 0.08 * 1.3
    ]
    assert 20 <= len(hard) <= 40
    assert all(room == b for room, b in zip(rooms, before, strict=True) if room not in hard)
    assert all(room.footprint == b.footprint for room, b in zip(rooms, before, strict=True))


def test_walls_of_a_room_without_a_corner_stay_with_their_materials():
    for seed in range(40):
        before, room = draw_scene(seed).room, draw_scene(seed, SceneRanges(cut_share=1.0)).room
        corners = np.array(room.footprint)
        ends = np.roll(corners, -1, axis=0)
        x, y = corners.max(axis=0)
        south, east, north, west = before.walls
        for (one, other), wall in zip(zip(corners, ends, strict=True), room.walls, strict=True):
            on = {'south': one[1] == other[1] == 0.0, 'north': one[1] == other[1] == y,
                  'west': one[0] == other[0] == 0.0, 'east': one[0] == other[0] == x}  # fmt: skip
            if any(on.values()):
                side = next(name for name, there in on.items() if there)
                across = {'south': (south, north), 'east': (east, west)}
                pair = across.get(side) or across[{'north': 'south', 'west': 'east'}[side]]
                assert wall in pair


def test_the_same_seed_draws_the_same_scene_and_sound():
    one, other = Hearing(draw_scene(11)), Hearing(draw_scene(11))
    assert asdict(one.scene) == asdict(other.scene)
    assert draw_scene(12) != draw_scene(11)
    heard = one.rig(RIG, POSE, 5000, 8000)
    assert np.array_equal(heard, other.rig(RIG, POSE, 5000, 8000))


def test_following_intervals_join_seamlessly():
    hearing = Hearing(draw_scene(3))
    whole = hearing.rig(RIG, POSE, 1000, 24_000)
    first = hearing.rig(RIG, POSE, 1000, 9_000)
    second = hearing.rig(RIG, POSE, 10_000, 15_000)
    joined = np.concatenate([first, second], axis=1)
    assert np.abs(joined - whole).max() < 1e-3 * np.abs(whole).max()


def test_the_ambience_has_the_level_that_the_scene_says(steady):
    low, high = (
        np.min(steady.scene.room.footprint, axis=0),
        np.max(steady.scene.room.footprint, axis=0),
    )
    rng = np.random.default_rng(0)
    places = rng.uniform(low + 0.5, high - 0.5, (12, 2))
    heard = steady.at(np.column_stack([places, np.full(12, 1.0)]), 0, 48_000)
    assert level_db(heard) == pytest.approx(steady.scene.level_dbfs, abs=2.0)


def test_simultaneous_ears_hear_the_same_sources_and_noises_of_their_own():
    scene = replace(draw_scene(3, STEADY), mic_noise_dbfs=-150.0)
    near = np.array([[2.0, 1.5, 0.5], [2.02, 1.5, 0.5]])
    clean = Hearing(scene).microphones(near, 0, 16_000)
    assert np.corrcoef(clean)[0, 1] > 0.9
    drowned = Hearing(replace(scene, mic_noise_dbfs=0.0)).microphones(near, 0, 16_000)
    assert abs(np.corrcoef(drowned)[0, 1]) < 0.05


def test_microphone_gains_differ_within_the_spread_and_stay():
    scene = draw_scene(3)
    hearing = Hearing(scene)
    gains = 20 * np.log10([hearing.gain(channel) for channel in range(40)])
    assert np.abs(gains).max() <= 3.0 and gains.std() > 1.0
    assert hearing.gain(1) == Hearing(scene).gain(1)
    flat = Hearing(replace(scene, gain_spread_db=0.0))
    ratio = hearing.rig(RIG, POSE, 0, 4000) - flat.rig(RIG, POSE, 0, 4000)
    assert np.abs(ratio).max() > 0.0


def test_the_motor_is_heard_only_while_the_robot_moves(steady):
    assert steady.scene.motor is not None
    still = steady.rig(RIG, POSE, 0, 16_000)
    moving = steady.rig(RIG, POSE, 0, 16_000, motor=1.0)
    added = level_db(moving - still)
    hum = sum(a * a for a in steady.scene.motor.hum_amplitudes) / 2
    assert added == pytest.approx(steady.scene.motor.level_db + 10 * np.log10(1 + hum), abs=1.5)
    gate = np.zeros(16_000)
    gate[8000:] = 1.0
    switched = steady.rig(RIG, POSE, 0, 16_000, motor=gate)
    assert switched[:, :8000] == pytest.approx(still[:, :8000], abs=1e-7)
    assert switched[:, 8000:] == pytest.approx(moving[:, 8000:], abs=1e-7)


@pytest.mark.parametrize('snr_db', [-10.0, 0.0, 10.0])
def test_a_distractor_has_its_level_and_its_time(snr_db):
    scene = replace(draw_scene(3, STEADY), mic_noise_dbfs=-150.0)
    event = Event('speech', (3.0, 2.0, 1.5), start_s=1.0, stream=1, snr_db=snr_db)
    quiet, disturbed = Hearing(scene), Hearing(with_events(scene, [event]))
    places = np.array([[1.0, 1.0, 1.0], [4.0, 3.0, 1.0], [2.0, 3.5, 1.0], [4.5, 1.0, 1.0]])
    added = disturbed.at(places, 0, 64_000) - quiet.at(places, 0, 64_000)
    # The band filters of the room are not causal by a few hundredths of a second.
    assert np.abs(added[:, :15_000]).max() < 1e-3 * np.abs(added).max()
    from quiet_nav.simulation.sound.distractors import event_samples

    length = len(event_samples(event, scene.seed))
    during = added[:, 16_000 : 16_000 + length]
    assert level_db(during) == pytest.approx(scene.level_dbfs - snr_db, abs=3.0)
    later = disturbed.at(places, 40_000, 8_000) - quiet.at(places, 40_000, 8_000)
    assert later == pytest.approx(added[:, 40_000:48_000], abs=1e-3 * float(np.abs(added).max()))


def test_a_moving_microphone_begins_and_ends_as_one_that_stands_there(steady):
    path = np.column_stack([np.linspace(1.5, 1.6, 21), np.full(21, 2.0), np.full(21, 0.5)])
    heard = steady.along(path, 0, 32_000, motor=0.0)
    first, last = steady.microphones(path[[0, -1]], 0, 32_000, channels=[0, 0])
    assert np.corrcoef(heard[:800], first[:800])[0, 1] > 0.98
    assert np.corrcoef(heard[-800:], last[-800:])[0, 1] > 0.98
    still = steady.along(np.repeat(path[:1], 3, axis=0), 0, 32_000, motor=0.0)
    assert still == pytest.approx(first, abs=1e-3 * float(np.abs(first).max()))


def test_ears_sit_where_the_pose_puts_them():
    mics, looks = ears_in_room(
        Rig('one', (Ear(0, 0.0, 0.15, 0.25, Side.LEFT, 'cardioid'),)), Pose2D(1.0, 2.0, np.pi / 2)
    )
    assert mics[0] == pytest.approx([0.85, 2.0, 0.25])
    assert looks[0] == pytest.approx([-1.0, 0.0, 0.0], abs=1e-9)


def test_an_ear_in_a_wall_and_a_silent_room_are_refused(steady):
    with pytest.raises(QuietNavError, match='microphone 1'):
        steady.rig(RIG, Pose2D(2.0, 0.1, 0.0), 0, 1000)
    with pytest.raises(QuietNavError, match='source'):
        Hearing(replace(steady.scene, sources=()))


def test_a_floor_plan_is_heard_with_its_own_sources_or_drawn_ones():
    plan = shoebox('box', (6.0, 5.0, 3.0))
    assert len(scene_in_plan(plan, 1).sources) >= 1
    from quiet_nav.simulation.rooms import plan as plans

    vent = plans.Source('vent', (3.0, 2.0, 2.8), 'ceiling_vent', -3.0)
    scene = scene_in_plan(replace(plan, sources=(vent,)), 1)
    assert [s.position for s in scene.sources] == [(3.0, 2.0, 2.8)]
    assert scene.sources[0].level_db == -3.0
    assert np.isfinite(Hearing(scene).rig(RIG, Pose2D(1.0, 1.0, 0.0), 0, 4000)).all()
