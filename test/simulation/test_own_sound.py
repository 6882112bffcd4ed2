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

"""A robot's own sound: what it emits, from where, and what walls make of it."""

from dataclasses import replace

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.robot.ears import StreamingEars
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom, NO_AIR
from quiet_nav.simulation.sound.acoustics import responses_of, RoomAcoustics
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.moving_images import MovingImages
from quiet_nav.simulation.sound.own_hearing import OwnHearing, RobotEars
from quiet_nav.simulation.sound.own_sound import (
    body_coloring_db,
    draw_own_sound,
    draw_profile,
    own_samples,
    own_sound_of,
    own_spectrum,
)
from quiet_nav.simulation.sound.robot_profile import find_profile, profile_from
from quiet_nav.simulation.sound.scenes import draw_point, draw_scene, SceneRanges
from quiet_nav.simulation.sound.sources import EQUALIZER_HZ
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

SHIPPED = ('fan', 'silent', 'turtlebot3', 'turtlebot4')
#: One place that makes flat noise, and an ear beside it.
FLAT = {
    'name': 'flat',
    'body_db': 0,
    'sources': [
        {'name': 'noise', 'position': [0.0, 0.05, 0.25], 'standing_db': 40, 'slope': 0,
         'walk_db': 0, 'drift_db': 0}
    ],
}  # fmt: skip
BESIDE = RobotEars(((0.0, -0.05, 0.25),), ((0.0, 0.0, 0.0),), (0,))


def level_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def one_rigid_wall(order=1):
    """Return a large room that swallows everything but at its wall x = 0."""
    dead = 1.0
    return AcousticRoom.shoebox(
        12.0, 10.0, 4.0, [dead, dead, dead, 0.0], dead, dead, order=order, air=NO_AIR
    )


@pytest.mark.slow
@pytest.mark.parametrize('distance', [0.2, 0.4, 0.8])
def test_a_rigid_wall_makes_the_ripple_of_the_closed_form(distance):
    hearing = OwnHearing(one_rigid_wall(), draw_own_sound(profile_from(FLAT), 1), -40.0)
    # Source and ear stand beside each other, 0.1 m apart, equally far from the wall.
    pose = Pose2D(distance, 5.0, 0.0)
    heard = np.fft.rfft(hearing.responses(pose, BESIDE, (0,))[0, 0], 1 << 15)
    alone = np.fft.rfft(hearing.fingerprint_responses(BESIDE)[0, 0], 1 << 15)
    frequency = np.fft.rfftfreq(1 << 15, 1 / SAMPLE_RATE)
    direct, mirrored = 0.1, np.hypot(0.1, 2 * distance)
    delay = 2j * np.pi * frequency * (mirrored - direct) / SPEED_OF_SOUND
    expected = 20 * np.log10(np.abs(1 + direct / mirrored * np.exp(-delay)))
    # Floor and ceiling swallow all: the fingerprint is the direct sound alone.
    found = 20 * np.log10(np.abs(heard) / np.abs(alone))
    band = (frequency > 150) & (frequency < 6000)
    assert np.abs(found - expected)[band].max() < 0.25
    # Far above the wavelength of the way round the ripple is cos(4 pi f d / c), an octave apart.
    first_dip = SPEED_OF_SOUND / (2 * (mirrored - direct))
    at = np.argmin(np.abs(frequency - first_dip))
    assert found[at] == pytest.approx(20 * np.log10(1 - direct / mirrored), abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize('cut', [0.0, 1.0])
def test_images_that_move_are_those_of_sources_that_stand(cut):
    for seed in range(4):
        room = draw_scene(seed, SceneRanges(cut_share=cut)).room
        rng = np.random.default_rng(seed)
        source = np.array([*draw_point(room, rng, 0.2), 0.2])
        mic = np.array([*draw_point(room, rng, 0.2), 0.5])
        standing = RoomAcoustics(room, source)
        images = MovingImages(room).of(source, mic)
        expected = standing.impulse_responses(mic)[0, 0]
        air = np.asarray(room.air)
        found = responses_of([images], mic, np.zeros(3), air, standing.length, False)[0]
        assert level_db(found - expected) < level_db(expected) - 70
        assert images.orders[0] == 0 or cut


@pytest.mark.slow
def test_levels_at_the_ears_are_what_was_asked_for():
    rig = find_rig('trio')
    scene = replace(draw_scene(3).silent(), mic_noise_dbfs=-120.0, gain_spread_db=0.0)
    for level, profile in ((0.0, 'fan'), (12.0, 'turtlebot4')):
        own = draw_own_sound(find_profile(profile), 5, level)
        hearing = Hearing(replace(scene, own=own))
        alone = hearing.fingerprint(rig, 0, 10 * SAMPLE_RATE)
        assert level_db(alone) - scene.level_dbfs == pytest.approx(level, abs=1.2)
        said = hearing.own.levels_db(None, RobotEars.of(rig))
        assert 10 * np.log10(np.mean(10 ** (said / 10))) == pytest.approx(level, abs=0.01)


def test_a_profile_alone_sounds_at_its_own_level_beside_its_ambience():
    own = draw_own_sound(profile_from(FLAT), 1)
    hearing = OwnHearing(one_rigid_wall(), own, -50.0)
    # 40 dB at 1 m beside an ambience of 40 dB; the ear is 0.1 m away.
    assert hearing.levels_db(None, BESIDE)[0] == pytest.approx(20.0, abs=0.2)


@pytest.mark.parametrize('name', [*SHIPPED[2:], 'fan'])
def test_own_sound_goes_on_seamlessly_from_interval_to_interval(name):
    own = draw_own_sound(find_profile(name), 7)
    for source in own.sources:
        whole = own_samples(source, own.seed, 10_000, 24_000)
        parts = [own_samples(source, own.seed, 10_000 + 6_000 * i, 6_000) for i in range(4)]
        assert np.abs(np.concatenate(parts) - whole).max() < 2e-3 * np.abs(whole).max()
        power = np.mean(np.square(own_samples(source, own.seed, 0, 480_000), dtype=float))
        assert 10 * np.log10(power / source.power) == pytest.approx(0.0, abs=1.5)


def test_tones_stand_at_the_harmonics_of_the_rotation():
    raw = {**FLAT, 'sources': [{**FLAT['sources'][0], 'tones': [
        {'hz': 50, 'count': 4, 'level_db': 10, 'fall_db': 0, 'wobble': 0}]}]}  # fmt: skip
    own = draw_own_sound(profile_from(raw), 2)
    spectrum = np.abs(np.fft.rfft(own_samples(own.sources[0], own.seed, 0, 160_000))) ** 2
    tone = [spectrum[500 * k - 2 : 500 * k + 3].sum() for k in (1, 2, 3, 4)]
    beside = [spectrum[500 * k + 98 : 500 * k + 103].sum() for k in (1, 2, 3, 4)]
    assert min(tone) > 300 * max(beside)
    frequency = np.linspace(0, 8000, 4001)
    expected = own_spectrum(own.sources[0], frequency)
    assert expected.sum() == pytest.approx(own.sources[0].power, rel=1e-6)


def test_a_rate_wobbles_as_much_as_it_should():
    raw = {**FLAT, 'sources': [{**FLAT['sources'][0], 'tones': [
        {'hz': 50, 'count': 1, 'level_db': 30, 'wobble': 0.02, 'wobble_s': 2}]}]}  # fmt: skip
    tones = draw_own_sound(profile_from(raw), 4).sources[0].tones[0]
    time = np.arange(0, 400 * SAMPLE_RATE, 160) / SAMPLE_RATE
    rate = np.gradient(tones.turns(time), time)
    assert rate.mean() == pytest.approx(50.0, rel=0.002)
    assert rate.std() / 50.0 == pytest.approx(0.02, rel=0.2)


def test_the_body_colors_each_ear_in_its_own_way_and_stays_as_it_is():
    own = draw_own_sound(find_profile('turtlebot4'), 3)
    frequency = np.geomspace(40, 8000, 400)
    curves = [body_coloring_db(own, 0, ear, frequency) for ear in (0, 1, 0)]
    assert np.array_equal(curves[0], curves[2]) and not np.allclose(curves[0], curves[1])
    assert all(np.abs(curve).max() <= own.body_db for curve in curves)
    assert all(np.abs(curve[frequency < 120]).max() == 0.0 for curve in curves)
    assert max(np.abs(curve).max() for curve in curves) > 2.0
    assert np.abs(np.diff(curves[0])).max() < 0.7  # dB from one of 400 frequencies to the next


def test_motors_are_heard_while_the_robot_drives_alone():
    scene = replace(draw_scene(2), sources=(), mic_noise_dbfs=-120.0)
    own = draw_own_sound(find_profile('turtlebot3'), 1)
    lidar = replace(own, sources=own.sources[:1])
    rig, pose = find_rig('pair'), Pose2D(2.0, 2.0, 0.4)
    standing = Hearing(replace(scene, own=own)).rig(rig, pose, 0, SAMPLE_RATE)
    alone = Hearing(replace(scene, own=lidar)).rig(rig, pose, 0, SAMPLE_RATE)
    assert np.abs(standing - alone).max() < 1e-3 * np.abs(alone).max()
    driving = Hearing(replace(scene, own=own)).rig(rig, pose, 0, SAMPLE_RATE, motor=1.0)
    assert level_db(driving) > level_db(standing) + 4
    # From where they are: the left motor is nearer to the left ear.
    left = replace(own, sources=own.sources[1:2], body_db=0.0)
    heard = Hearing(replace(scene, own=left, gain_spread_db=0.0)).rig(
        rig, pose, 0, SAMPLE_RATE, motor=1.0
    )
    assert level_db(heard[0]) > level_db(heard[1]) + 1


def test_a_silent_robot_is_not_heard_and_needs_ambience():
    scene = draw_scene(4)
    own = draw_own_sound(find_profile('silent'), 1)
    rig, pose = find_rig('pair'), Pose2D(2.0, 2.0, 0.0)
    silent, none = (
        Hearing(replace(scene, own=o, motor=None)).rig(rig, pose, 0, 4000, motor=1.0)
        for o in (own, None)
    )
    assert np.array_equal(silent, none)
    with pytest.raises(QuietNavError, match='at least one source'):
        Hearing(replace(scene, sources=(), own=own))


def test_a_lidar_stops_and_a_fan_switches_when_their_profiles_say_so():
    base = FLAT['sources'][0]
    stops = profile_from({**FLAT, 'sources': [{**base, 'stops_s': 20}]})
    own = draw_own_sound(stops, 1)
    early, late = (own_samples(own.sources[0], 1, t * SAMPLE_RATE, 8000) for t in (15, 23))
    assert level_db(early) > -3 and np.abs(late).max() == 0.0
    switches = profile_from({**FLAT, 'sources': [{**base, 'on_s': 4, 'off_s': 3}]})
    own = draw_own_sound(switches, 1)
    seconds = own_samples(own.sources[0], 1, 0, 28 * SAMPLE_RATE).reshape(-1, SAMPLE_RATE // 2)
    loud = np.sqrt(np.mean(seconds**2, axis=1)) > 0.5
    assert 0.35 < loud.mean() < 0.75


def test_chunks_of_a_noisy_robot_are_what_is_heard_at_once():
    scene = replace(draw_scene(6), real_microphones=True)
    own = draw_own_sound(find_profile('turtlebot4'), 2, 6.0)
    rig, pose = find_rig('trio'), Pose2D(1.5, 1.2, 0.3)
    for sources in (scene.sources, ()):
        hearing = Hearing(replace(scene, sources=sources, own=own))
        ears = StreamingEars(hearing, rig)
        chunks = [ears.read(pose, count) for count in (1600, 700, 1600)]
        at_once = hearing.rig(rig, pose, 0, 3900)
        error = np.concatenate(chunks, axis=1) - at_once
        assert level_db(error) < level_db(at_once) - 60


def test_walls_still_answer_to_the_motors_just_after_a_stop():
    scene = replace(draw_scene(6), sources=(), mic_noise_dbfs=-120.0)
    own = draw_own_sound(find_profile('turtlebot3'), 2)
    ears = StreamingEars(Hearing(replace(scene, own=own)), find_rig('pair'))
    pose = Pose2D(1.5, 1.2, 0.3)
    ears.skip(16_000, motor=1.0)
    just = ears.read(pose, 1600)
    ears.skip(32_000)
    later = ears.read(pose, 1600)
    assert level_db(just[:, 200:]) > level_db(later) + 3


@pytest.mark.parametrize(
    'change, said',
    [
        ({'position': [0.3, 0.0, 0.1]}, r'source noise at \(0.3, 0, 0.1\) m is outside the robot'),
        ({'position': [0.1, 0.0, 0.9]}, 'outside the robot'),
        ({'loudness': 3}, 'unknown key'),
        ({'standing_db': [50, 40]}, 'smaller number first'),
        ({'standing_db': 'loud'}, 'should be a number'),
        ({'on_s': 3}, 'belong together'),
        ({'equalizer_db': [1, 2]}, f'expected one for each of .{round(EQUALIZER_HZ[0])}'),
    ],
)
def test_bad_profiles_are_one_clear_error(change, said):
    raw = {**FLAT, 'sources': [{**FLAT['sources'][0], **change}]}
    with pytest.raises(QuietNavError, match=said) as error:
        profile_from(raw)
    assert '\n' not in str(error.value)


def test_sources_in_a_wall_or_on_an_ear_are_one_clear_error():
    own = draw_own_sound(profile_from(FLAT), 1)
    hearing = OwnHearing(one_rigid_wall(), own, -50.0)
    with pytest.raises(QuietNavError, match='own source of robot flat'):
        hearing.responses(Pose2D(0.02, 5.0, np.pi / 2), RobotEars.of(find_rig('single')), (0,))
    touching = replace(BESIDE, positions=((0.0, 0.045, 0.25),))
    with pytest.raises(QuietNavError, match=r'source noise is 0\.005 m from the ear of channel 0'):
        hearing.responses(Pose2D(3.0, 5.0, 0.0), touching, (0,))


def test_own_sound_is_named_by_level_or_profile():
    assert own_sound_of('none', 1) is None
    assert own_sound_of('-5', 1).level_db == -5.0
    assert own_sound_of('turtlebot4', 1).level_db is None
    assert own_sound_of('turtlebot4', 1) == own_sound_of('turtlebot4', 1)
    assert own_sound_of('turtlebot4', 1) != own_sound_of('turtlebot4', 2)
    for name in SHIPPED:
        assert own_sound_of(name, 1).name == name
    with pytest.raises(QuietNavError, match='expected -60 to 60'):
        own_sound_of('200', 1)
    with pytest.raises(QuietNavError, match='turtlebot3, turtlebot4'):
        own_sound_of('turtlebot9', 1)


def test_drawn_robots_differ_and_keep_to_their_bodies():
    drawn = [draw_profile(seed) for seed in range(40)]
    standing = [[s for s in p.sources if s.standing_db is not None] for p in drawn]
    assert {len(sources) for sources in standing} == {1, 2, 3}
    assert len({p.sources[0].position for p in drawn}) == 40
    assert any(s.on_s for sources in standing for s in sources)
