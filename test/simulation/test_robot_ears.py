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

"""Ears as a stream: the same sound as at once, seamless, whatever the chunks."""

from dataclasses import replace

import numpy as np
import pytest

from quiet_nav.geometry import Pose2D
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.robot.ears import StreamingEars
from quiet_nav.simulation.rooms.plan import shoebox
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.simulation.sound.scenes import draw_event, scene_in_plan
from quiet_nav.streams import generator

ROOM = shoebox('room', (5.0, 4.0, 2.6))
POSE, OTHER = Pose2D(1.5, 0.6, 0.3), Pose2D(1.9, 0.7, 0.5)


@pytest.fixture(scope='module')
def hearing():
    return Hearing(scene_in_plan(ROOM, 5, order=4))


def level(samples):
    return float(np.sqrt(np.mean(np.square(samples))))


def test_chunks_at_rest_are_what_is_heard_at_once(hearing):
    rig = find_rig('trio')
    ears = StreamingEars(hearing, rig)
    chunks = [ears.read(POSE, count) for count in (1600, 1600, 700, 1600)]
    at_once = hearing.rig(rig, POSE, 0, 5500)
    error = np.concatenate(chunks, axis=1) - at_once
    assert level(error) < 1e-4 * level(at_once)


def test_after_a_move_the_second_chunk_at_rest_is_exact_again(hearing):
    rig = find_rig('pair')
    ears = StreamingEars(hearing, rig)
    ears.read(POSE, 1600)
    ears.read(OTHER, 1600, moving=True, motor=1.0)
    ears.read(replace(OTHER, x=1.95), 1600)
    exact = hearing.rig(rig, replace(OTHER, x=1.95), 4800, 1600)
    assert level(ears.read(replace(OTHER, x=1.95), 1600) - exact) < 1e-4 * level(exact)


def test_no_click_where_the_place_changes(hearing):
    rig = find_rig('single')
    ears = StreamingEars(hearing, rig)
    first, second = ears.read(POSE, 4000), ears.read(OTHER, 4000)
    whole = np.concatenate([first, second], axis=1)[0]
    steps = np.abs(np.diff(whole))
    assert steps[3999] < 1.5 * steps[:3900].max()


def test_small_moves_keep_the_responses_and_rest_does_not(hearing):
    rig = find_rig('single')
    ears, rendered = StreamingEars(hearing, rig), []
    original = hearing.acoustics.impulse_responses
    hearing.acoustics.impulse_responses = lambda *a, **k: rendered.append(a) or original(*a, **k)
    try:
        ears.read(POSE, 800)
        ears.read(replace(POSE, x=POSE.x + 0.05), 800, moving=True)
        assert len(rendered) == 1
        ears.read(replace(POSE, x=POSE.x + 0.05), 800)
        assert len(rendered) == 2
    finally:
        del hearing.acoustics.impulse_responses


def test_the_motor_is_heard_only_where_it_runs(hearing):
    rig = find_rig('single')
    quiet, loud = StreamingEars(hearing, rig), StreamingEars(hearing, rig)
    share = np.repeat([0.0, 1.0], 800)
    difference = loud.read(POSE, 1600, motor=share) - quiet.read(POSE, 1600)
    assert np.abs(difference[:, :800]).max() < 1e-6
    assert level(difference[:, 800:]) > 1e-4


def test_skipped_samples_leave_the_rest_as_it_was(hearing):
    rig = find_rig('single')
    ears = StreamingEars(hearing, rig)
    ears.skip(3200)
    exact = hearing.rig(rig, POSE, 3200, 1600)
    assert level(ears.read(POSE, 1600) - exact) < 1e-4 * level(exact)


def test_distractors_are_heard():
    scene = scene_in_plan(ROOM, 5, order=4)
    rng = generator(5, 'test')
    event = draw_event(scene, rng, 0.0, -10.0)
    rig = find_rig('single')
    with_event = StreamingEars(Hearing(replace(scene, events=(event,))), rig).read(POSE, 8000)
    without = StreamingEars(Hearing(scene), rig).read(POSE, 8000)
    assert level(with_event - without) > 0.5 * level(without)
