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

"""The wall belief against geometry worked by hand, and the tracker in closed loop."""

from dataclasses import replace
import math
from pathlib import Path

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.belief import BeliefSettings, Particles, quantile, WallBelief
from quiet_nav.navigation.policy import Look, Step
from quiet_nav.navigation.tracker import Stage, TrackerSettings, TRANSITIONS, WallTracker
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.readings import NearWallReading
from quiet_nav.perception.rig import load_rig
from quiet_nav.trials.protocol import run_trial, TrialRequest

RIGS = Path(__file__).parents[2] / 'config' / 'rigs'
LEFT, RIGHT, AHEAD = Side.LEFT.yaw_rad, Side.RIGHT.yaw_rad, 0.0


def one(left=False, u=0.8, heading=0.0, ahead=np.inf, end=np.inf, far=np.inf, behind=np.inf):
    return Particles(
        np.array([left]), *(np.array([float(v)]) for v in (u, heading, ahead, end, far, behind))
    )


def says(side, distance_m, sure=0.9):
    """Return a reading with most of its weight on the bin of a distance."""
    bins = np.full(STANDARD_BINS.count, (1.0 - sure) / (STANDARD_BINS.count - 1))
    bins[int(STANDARD_BINS.bin_of(distance_m))] = sure
    return NearWallReading(side, float(bins[:4].sum()), 0, 1, distance_probabilities=tuple(bins))


@pytest.mark.parametrize(
    ('particles', 'direction', 'distance'),
    [
        (one(), RIGHT, 0.65),  # 0.8 m less the ear's 0.15 m
        (one(), LEFT, np.inf),
        (one(left=True), LEFT, 0.65),
        (one(), AHEAD, np.inf),
        (one(ahead=1.0), AHEAD, 0.85),
        (one(far=2.0), LEFT, 1.05),
        (one(behind=1.0), math.pi, 0.85),
        (one(behind=1.0), AHEAD, np.inf),
        (one(heading=math.pi / 6), RIGHT, 0.8 / math.cos(math.pi / 6) - 0.15),
        (one(heading=-math.pi / 6), AHEAD, 0.8 / math.sin(math.pi / 6) - 0.15),
        (one(left=True, heading=-math.pi / 6), AHEAD, 1.45),
        (one(end=-0.1), RIGHT, np.inf),  # the wall has ended behind
        (one(end=-0.4, heading=-math.pi / 2), AHEAD, np.inf),
        (one(u=-0.5, end=-0.4), math.pi, 0.25),  # round the corner: the face behind
    ],
)
def test_distances_of_walls_around_the_robot(particles, direction, distance):
    assert particles.distances(direction, 0.15)[0] == pytest.approx(distance)


def test_a_slanted_wall_is_heard_less_clearly():
    assert one().squareness(RIGHT, 0.15)[0] == pytest.approx(1.0)
    assert one(heading=-math.pi / 4).squareness(RIGHT, 0.15)[0] == pytest.approx(math.sqrt(0.5))
    assert one(ahead=1.0).squareness(AHEAD, 0.15)[0] == pytest.approx(1.0)
    assert one().squareness(LEFT, 0.15)[0] == 1.0


@pytest.mark.parametrize(
    ('particles', 'turn', 'way'),
    [
        (one(ahead=1.0), 0.0, 0.83),
        (one(), -math.pi / 2, 0.63),
        (one(), math.pi / 2, np.inf),
        (one(far=2.0), math.pi / 2, 1.03),
        (one(behind=1.0), math.pi, 0.83),
        (one(left=True), math.pi / 6, 1.26),
    ],
)
def test_free_way_stops_short_by_the_radius(particles, turn, way):
    assert particles.free_way(turn, 0.17)[0] == pytest.approx(way)


def test_quantile_weighs():
    assert quantile(np.array([3.0, 1.0, 2.0]), np.array([0.1, 0.1, 0.8]), 0.05) == 1.0
    assert quantile(np.array([3.0, 1.0, 2.0]), np.array([0.1, 0.1, 0.8]), 0.5) == 2.0


def belief(seed=0, **kwargs):
    return WallBelief(np.random.default_rng(seed), **kwargs)


def mean_distance(state):
    return float(state.weights @ state.particles.u)


@pytest.mark.parametrize('side', [Side.LEFT, Side.RIGHT])
def test_hearing_a_wall_on_one_side_names_the_side_and_the_distance(side):
    state = belief()
    for _ in range(3):
        state.hear(side, says(side, 0.35), 0.15)
        state.hear(side.opposite, says(side.opposite, 3.0), 0.15)
    assert (state.left_probability() > 0.9) is (side == Side.LEFT)
    assert mean_distance(state) == pytest.approx(0.5, abs=0.12)


def test_readings_that_say_nothing_leave_the_belief_alone():
    state = belief()
    before = state.weights.copy()
    state.hear(Side.LEFT, NearWallReading.invalid(Side.LEFT, 0, 1, 'clipped'), 0.15)
    state.hear(Side.LEFT, NearWallReading(Side.LEFT, math.nan, 0, 1), 0.15)
    assert np.array_equal(state.weights, before)


def test_a_probability_alone_is_enough_to_name_the_side():
    state = belief()
    for _ in range(3):
        state.hear(Side.LEFT, NearWallReading(Side.LEFT, 0.95, 0, 1), 0.15)
        state.hear(Side.RIGHT, NearWallReading(Side.RIGHT, 0.02, 0, 1), 0.15)
    assert state.left_probability() > 0.8


def test_conflicting_readings_widen_the_belief():
    def spread(readings):
        state = belief(side=Side.LEFT)
        for distance in readings:
            state.hear(Side.LEFT, says(Side.LEFT, distance), 0.15)
        middle = mean_distance(state)
        return math.sqrt(float(state.weights @ (state.particles.u - middle) ** 2))

    assert spread([0.35, 0.95, 0.35, 0.95]) > 1.5 * spread([0.35, 0.35, 0.35, 0.35])


def test_driving_toward_the_wall_moves_the_belief():
    state = belief(side=Side.RIGHT)
    for _ in range(4):
        state.hear(Side.RIGHT, says(Side.RIGHT, 0.85), 0.15)
    before = mean_distance(state)
    heading = float(state.weights @ state.particles.heading)
    # Turn right by half a right angle less what it already heads, then drive 0.3 m.
    turn = -math.pi / 4 - heading
    state.move(Pose2D(), Pose2D(0.3 * math.cos(turn), 0.3 * math.sin(turn), turn))
    assert mean_distance(state) == pytest.approx(before - 0.3 * math.sin(math.pi / 4), abs=0.08)


def test_turning_away_from_a_wall_ahead_makes_it_the_wall_to_follow():
    state = belief(side=Side.RIGHT)
    # Known to drive along the wall: front and right alike could be one slanted wall as well.
    state.particles.heading[:] *= 0.1
    for _ in range(4):
        state.hear(Side.FRONT, says(Side.FRONT, 0.55), 0.15)
        state.hear(Side.RIGHT, says(Side.RIGHT, 0.35), 0.15)
    state.move(Pose2D(), Pose2D(0.0, 0.0, math.pi / 2))
    assert mean_distance(state) == pytest.approx(0.7, abs=0.2)
    assert abs(float(state.weights @ state.particles.heading)) < 0.35


def tracker(seed=0, **kwargs):
    return WallTracker(
        np.random.default_rng(seed), ear_offsets_m=dict.fromkeys(Side, 0.15), **kwargs
    )


def test_the_tracker_asks_to_look_ahead_once_and_then_decides():
    readings = {Side.LEFT: says(Side.LEFT, 3.0), Side.RIGHT: says(Side.RIGHT, 0.35)}
    policy = tracker()
    first = policy.decide(readings, Pose2D())
    assert first == Look(Side.FRONT, first.reason)
    # The front stays silent: it must decide all the same.
    assert isinstance(policy.decide(readings, Pose2D()), Step)


def test_the_tracker_looks_again_by_turning_where_the_front_may_be_blocked():
    readings = {
        Side.LEFT: says(Side.LEFT, 3.0),
        Side.RIGHT: says(Side.RIGHT, 0.35),
        Side.FRONT: says(Side.FRONT, 0.45, 0.97),
    }
    choices = []
    for second_look in (True, False):
        policy = tracker(side=Side.RIGHT, second_look=second_look)
        policy.belief.particles.heading[:] *= 0.1
        choices.append(policy.decide(readings, Pose2D()))
    assert choices[0] == Look(Side.FRONT, choices[0].reason, turned=True)
    assert isinstance(choices[1], Step)


def test_the_tracker_looks_ahead_again_after_a_while_without_the_front():
    policy, looks = tracker(side=Side.RIGHT), []
    for k in range(12):
        pose = Pose2D(0.2 * k, 0.0, 0.0)
        readings = {Side.LEFT: says(Side.LEFT, 3.0), Side.RIGHT: says(Side.RIGHT, 0.35)}
        choice = policy.decide(readings, pose)
        looks.append(isinstance(choice, Look))
        if looks[-1]:
            policy.decide({**readings, Side.FRONT: says(Side.FRONT, 3.0, 0.99)}, pose)
    longest = max(len(run) for run in ''.join('L' if x else '.' for x in looks).split('L'))
    assert longest * 0.2 <= TrackerSettings().look_every_m


def test_the_tracker_does_not_drive_at_a_wall_that_it_hears_ahead():
    readings = {
        Side.LEFT: says(Side.LEFT, 3.0),
        Side.RIGHT: says(Side.RIGHT, 0.35),
        Side.FRONT: says(Side.FRONT, 0.25, 0.97),
    }
    policy = tracker(side=Side.RIGHT)
    # Known to drive along the wall: front and right alike could be one slanted wall as well.
    policy.belief.particles.heading[:] *= 0.1
    for k in range(5):
        again = {s: replace(r, start_ns=k, end_ns=k + 1) for s, r in readings.items()}
        step = policy.decide(again, Pose2D())
    assert step.turn_rad > math.radians(45)


def test_the_tracker_listens_all_around_at_two_headings_before_it_drives():
    policy, pose = tracker(second_look=True), Pose2D()
    readings = {side: says(side, 3.0) for side in (Side.LEFT, Side.RIGHT)}
    choices = []
    for _ in range(4):
        choices.append(policy.decide(readings, pose))
        turn = choices[-1].turn_rad if isinstance(choices[-1], Step) else 0.0
        pose = Pose2D(yaw=pose.yaw + turn)
    assert [isinstance(choice, Look) for choice in choices] == [True, False, True, False]
    assert choices[1].drive_m == 0.0
    assert choices[1].turn_rad == TrackerSettings().survey_rad
    assert choices[3].drive_m > 0.0


def test_the_tracker_comes_close_in_short_steps_before_it_turns_at_a_doubtful_wall():
    policy = tracker(side=Side.RIGHT)
    policy.stage = Stage.FOLLOW
    p = policy.belief.particles
    p.u[:], p.heading[:], p.ahead[:] = 0.55, 0.0, np.inf
    p.far[:], p.end[:], p.behind[:] = np.inf, np.inf, np.inf
    p.ahead[: len(p) // 2] = 0.5
    readings = {Side.FRONT: NearWallReading(Side.FRONT, 0.11, 0, 1)}
    step = policy.decide(readings, Pose2D())
    assert abs(step.turn_rad) < math.radians(20)
    assert 0.0 < step.drive_m <= 0.5 * TrackerSettings().step_length_m
    p.ahead[:] = 0.5
    step = policy.decide(readings, Pose2D())
    assert step.turn_rad > math.radians(70)


def test_between_two_headings_the_tracker_acts_on_the_likelier():
    policy = tracker(side=Side.RIGHT)
    policy.stage = Stage.FOLLOW
    p = policy.belief.particles
    p.u[:], p.ahead[:] = 0.55, np.inf
    p.far[:], p.end[:], p.behind[:] = np.inf, np.inf, np.inf
    p.heading[:] = 0.0
    p.heading[: len(p) // 3] = math.pi / 2
    step = policy.decide({Side.FRONT: NearWallReading(Side.FRONT, 0.11, 0, 1)}, Pose2D())
    assert abs(step.turn_rad) < math.radians(15)


def test_a_second_reading_from_the_same_place_counts_less():
    def left(again):
        state = belief()
        state.hear(Side.LEFT, says(Side.LEFT, 0.35), 0.15)
        state.hear(Side.LEFT, says(Side.LEFT, 0.35), 0.15, again=again)
        return state.left_probability()

    assert 0.5 < left(True) < left(False)


def test_no_reading_makes_a_distance_much_likelier_than_its_cap():
    def left(most):
        state = belief(settings=BeliefSettings(most=most))
        state.hear(Side.LEFT, says(Side.LEFT, 0.35, 0.999), 0.15)
        return state.left_probability()

    assert left(2.0) < left(10.0) < left(100.0)


def test_a_far_wall_that_is_nearer_becomes_the_one_to_follow():
    state = belief()
    p = state.particles
    p.left[:], p.u[:], p.heading[:], p.ahead[:], p.end[:], p.far[:] = (
        True, 1.5, 0.2, np.inf, np.inf, 2.1,
    )  # fmt: skip
    state.move(Pose2D(), Pose2D(0.001, 0.0, 0.0))
    assert state.left_probability() < 0.1
    assert mean_distance(state) == pytest.approx(0.6, abs=0.1)
    kept = belief(side=Side.LEFT)
    kept.particles = Particles(*(np.copy(v) for v in vars(one(True, 1.5, 0.2, far=2.1)).values()))
    kept.weights = np.ones(1)
    kept._change_walls()
    assert kept.left_probability() == 1.0


def test_the_tracker_drives_no_full_step_where_nothing_at_all_is_heard():
    policy = tracker()
    readings = {Side.FRONT: NearWallReading.invalid(Side.FRONT, 0, 1, 'clipped')}
    assert isinstance(policy.decide(readings, Pose2D()), Look)
    step = policy.decide(readings, Pose2D())
    assert step.drive_m <= TrackerSettings().step_length_m
    assert step.drive_m <= policy.belief.particles.free_way(step.turn_rad, 0.17).max()


def test_the_same_seed_decides_the_same():
    readings = {
        Side.LEFT: says(Side.LEFT, 0.55),
        Side.RIGHT: says(Side.RIGHT, 1.2),
        Side.FRONT: says(Side.FRONT, 3.0),
    }
    assert tracker(3).decide(readings, Pose2D()) == tracker(3).decide(readings, Pose2D())


def test_a_side_that_is_no_side_is_refused():
    with pytest.raises(QuietNavError, match='BACK'):
        tracker(side=Side.BACK)


@pytest.mark.slow
@pytest.mark.parametrize(('rig', 'index'), [('pair', 2), ('trio', 8)])
def test_the_tracker_reaches_the_destination_with_an_idealised_ear(rig, index):
    rig = load_rig(RIGS / f'{rig}.yaml')
    result = run_trial(TrialRequest('classroom', 'tracker', rig, 'ideal', index, 77))
    assert result.outcome == 'destination'


@pytest.mark.slow
def test_the_tracker_beats_the_straight_line_with_an_error_prone_ear():
    def share(policy):
        rig = load_rig(RIGS / 'trio.yaml')
        requests = [TrialRequest('seminar_room', policy, rig, 'error-prone', i, 78) for i in (0, 5)]
        return np.mean([run_trial(request).share for request in requests])

    assert share('tracker') > share('straight') + 0.2


@pytest.mark.slow
def test_the_tracker_rounds_an_outer_corner():
    rig = load_rig(RIGS / 'trio.yaml')
    request = TrialRequest('lounge', 'tracker', rig, 'ideal', 4, 79, track='outer_corner')
    assert run_trial(request).share > 0.9


def test_a_corner_that_was_none_leaves_the_belief_where_the_robot_came_from():
    state = belief(side=Side.RIGHT)
    p = state.particles
    p.u[:], p.heading[:], p.ahead[:] = 0.55, 0.0, 0.5
    p.far[:], p.end[:], p.behind[:] = np.inf, np.inf, np.inf
    pose = Pose2D(yaw=math.pi / 2)
    state.move(Pose2D(), pose)
    doubted = float(state.weights[state.particles.heading > 1.0].sum())
    assert 0.02 < doubted < 0.35
    for k in range(1, 5):
        before, pose = pose, Pose2D(0.0, 0.2 * k, math.pi / 2)
        state.move(before, pose)
        state.hear(Side.RIGHT, says(Side.RIGHT, 3.0, 0.97), 0.15)
    assert float(state.weights[state.particles.heading > 1.0].sum()) > 0.5


@pytest.mark.parametrize('left', [False, True])
def test_walls_that_run_along_the_course_keep_their_weight_and_others_lose_it(left):
    state = belief()
    state.particles.left[:] = left
    n = len(state.particles)
    # The robot has turned 60 degrees away from the way it was pointed at first, toward +y.
    yaw, along, across = math.radians(60), math.radians(0), math.radians(90)
    sign = -1.0 if left else 1.0  # heading grows away from the wall
    state.particles.heading[: n // 2] = sign * (yaw - along)
    state.particles.heading[n // 2 :] = sign * (yaw - across)
    good = state.particles.heading == state.particles.heading[0]
    state.keep_course(yaw, 0.0, math.radians(40))
    share = state.weights[state.particles.heading.round(1) == state.particles.heading[0].round(1)]
    assert good.sum() == n // 2
    assert share.sum() > 0.97


def test_a_corner_is_not_turned_at_before_the_front_was_heard_there():
    tracker = WallTracker(np.random.default_rng(0))
    tracker.stage = Stage.FOLLOW
    tracker.side = Side.RIGHT
    p = tracker.belief.particles
    p.left[:], p.u[:], p.heading[:], p.ahead[:] = False, 0.55, 0.0, 0.45
    p.end[:], p.far[:], p.behind[:] = np.inf, np.inf, np.inf
    sides = {Side.RIGHT: says(Side.RIGHT, 0.4), Side.LEFT: says(Side.LEFT, 3.0)}
    looked = tracker.decide(sides, Pose2D())
    assert isinstance(looked, Look)
    turned = tracker.decide({**sides, Side.FRONT: says(Side.FRONT, 0.3)}, Pose2D())
    assert isinstance(turned, Step)
    assert turned.reason == 'wall ahead'
    assert turned.turn_rad > math.radians(60)


@pytest.mark.slow
def test_a_run_takes_every_transition_of_the_table_and_no_other(monkeypatch):
    taken = []
    go = WallTracker._go

    def watched(policy, event):
        taken.append((policy.stage, event))
        go(policy, event)

    monkeypatch.setattr(WallTracker, '_go', watched)
    rig = load_rig(RIGS / 'pair.yaml')
    run_trial(TrialRequest('classroom', 'tracker', rig, 'ideal', 2, 77))
    assert set(taken) == set(TRANSITIONS)
    stages = [stage for stage, _ in taken]
    assert stages.index(Stage.SECOND_SURVEY) < stages.index(Stage.FOLLOW)
    assert stages.index(Stage.FOLLOW) < stages.index(Stage.CORNERED)
    assert Stage.FIRST_SURVEY not in stages[stages.index(Stage.SECOND_SURVEY) :]
