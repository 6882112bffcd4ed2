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

"""Trials without sound: repeatable, scored by the track, and told in the paper's layout."""

from dataclasses import replace
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.algorithms import Algorithm2Settings
from quiet_nav.navigation.listening import listen_stops
from quiet_nav.navigation.policies import PolicySettings
from quiet_nav.perception.place import ListeningPlace
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.robot.drive import RobotSettings
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.sight.camera_faults import CameraFault, covered_image
from quiet_nav.sound.windows import Window
from quiet_nav.trials.ears import EarsRequest, ErrorProneEars, IdealEars
from quiet_nav.trials.eyes import fault_of_trial
from quiet_nav.trials.hearing import HearingEars, scene_of_trial
from quiet_nav.trials.plots import plot_trials
from quiet_nav.trials.protocol import run_trial, run_trials, TrialOutcome, TrialRequest
from quiet_nav.trials.tables import (
    PAPER_FIG_10,
    share_of,
    trial_tables,
    trials_to_json,
)

MODEL = Path(__file__).parents[2] / 'models' / 'near_wall.onnx'
STRAIGHT = TrialRequest(
    'classroom', 'straight', find_rig('pair'), 'ideal', 0, 1, robot=RobotSettings.perfect()
)


@pytest.mark.parametrize(
    ('index', 'distance', 'outcome'),
    [
        # 0.40 m off, 30 degrees right: (0.40 - 0.17) / sin 30 of way, cos 30 of it along the wall.
        (2, 0.46 * np.cos(np.pi / 6), 'collision'),
        # Straight into the wall across the way: at the corner the track goes on to the left.
        (4, 4.85, 'collision'),
    ],
)
def test_a_straight_line_ends_where_geometry_says(index, distance, outcome):
    result = run_trial(replace(STRAIGHT, index=index))
    assert result.outcome == outcome
    assert result.distance_m == pytest.approx(distance, abs=0.02)
    assert result.share == result.distance_m / 8.0


@pytest.mark.slow
def test_a_trial_repeats_itself_and_seeds_differ():
    request = TrialRequest('seminar_room', 'algorithm1', find_rig('pair'), 'error-prone', 3, 5)
    first = run_trial(request)
    assert run_trial(request) == first
    assert run_trial(replace(request, seed=6)).path != first.path


@pytest.mark.slow
def test_trials_come_in_order_and_do_not_depend_on_workers():
    requests = [replace(STRAIGHT, index=i) for i in range(4)]
    alone = list(run_trials(requests))
    assert [r.index for r in alone] == [0, 1, 2, 3]
    assert list(run_trials(requests, workers=2)) == alone


def test_a_robot_that_gets_nowhere_runs_out_of_time():
    request = replace(STRAIGHT, index=4, max_duration_s=5.0)
    assert run_trial(request).outcome == 'time-out'


def heard(kind, count=400, distance=0.55):
    plan, rig = load_plan('classroom'), find_rig('pair')
    ears = kind(plan, rig, np.random.default_rng(0))
    (stop,) = listen_stops(rig, {Side.LEFT, Side.RIGHT})
    pose = Pose2D(5.0, distance, 0.0)
    return [ears.listen(pose, stop, 0) for _ in range(count)]


def test_the_idealised_ear_has_a_logit_of_6_per_meter_and_unit_noise():
    p = np.array([r.probability for reading in heard(IdealEars) for r in reading
                  if r.side == Side.RIGHT])  # fmt: skip
    logits = np.log(p / (1.0 - p))
    assert logits.mean() == pytest.approx(6.0 * (0.5 - 0.40), abs=0.15)
    assert logits.std() == pytest.approx(1.0, abs=0.1)


def test_the_error_prone_ear_errs_as_a_detector_does_and_names_the_nearer_side():
    pairs = heard(ErrorProneEars)
    medians = np.array([[r.median_distance_m for r in sorted(pair, key=lambda r: r.side)]
                        for pair in pairs])  # fmt: skip
    right = np.minimum(medians[:, 1], 2.0)
    assert 0.05 < np.median(np.abs(right - 0.40)) < 0.25
    assert np.mean(medians[:, 1] < medians[:, 0]) > 0.9


def test_readings_of_a_turned_ear_are_named_in_the_axes_of_the_step():
    plan, rig = load_plan('classroom'), find_rig('single')
    ears = IdealEars(plan, rig, np.random.default_rng(0))
    left, right = listen_stops(rig, {Side.LEFT, Side.RIGHT})
    (reading,) = ears.listen(Pose2D(5.0, 0.5, right.turn_rad), right, 0)
    assert reading.side == Side.RIGHT
    assert reading.probability > 0.3
    (reading,) = ears.listen(Pose2D(5.0, 0.5, left.turn_rad), left, 0)
    assert reading.side == Side.LEFT
    assert reading.probability < 0.01


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        (('ideal', 'storm', 'full'), 'storm'),
        (('ideal', 'none', 'half'), 'half'),
        (('ideal', 'gains', 'full'), 'hears no sound'),
        (('error-prone', 'none', 'alone'), 'hears no sound'),
        (('x.onnx', 'silence', 'full'), 'nothing is left to hear by'),
    ],
)
def test_ears_that_cannot_be_made_are_refused(arguments, match):
    with pytest.raises(QuietNavError, match=match):
        EarsRequest(*arguments).check()


def straight_results():
    return [run_trial(replace(STRAIGHT, index=i)) for i in (0, 4, 5)]


@pytest.mark.slow
def test_tables_hold_our_figures_with_intervals_and_the_papers():
    results = [replace(r, room='lounge') for r in straight_results()]
    console = Console(record=True, width=200, file=open('/dev/null', 'w'))  # noqa: SIM115
    console.print(trial_tables(results))
    text = console.export_text()
    share = share_of(results)
    assert f'{share.value * 100:.1f} [{share.low * 100:.1f}, {share.high * 100:.1f}]' in text
    assert all(f'{value:.1f}' in text for row in PAPER_FIG_10.values() for value in row)
    assert share.low <= share.value <= share.high


@pytest.mark.slow
def test_json_holds_every_trial():
    results = straight_results()
    content = json.loads(json.dumps(trials_to_json(results)))
    assert [t['index'] for t in content['trials']] == [0, 4, 5]
    told = content['tables']['rooms']['straight, pair']['classroom']
    assert told['share'] == pytest.approx(np.mean([r.share for r in results]))
    assert (told['trials'], told['completed']) == (3, 0)
    assert content['tables']['fig_9']['straight, pair']['0.40 m off']['length_m'] == 8.0


@pytest.mark.slow
def test_drawings_are_written(tmp_path):
    files = plot_trials(tmp_path, straight_results())
    assert {f.name for f in files} == {'classroom_corner_straight_pair.png', 'by_heading.png'}
    assert all(f.read_bytes().startswith(b'\x89PNG') for f in files)


@pytest.mark.slow
def test_the_command_prints_tables_and_writes_json(tmp_path):
    out = tmp_path / 'trials.json'
    done = CliRunner().invoke(build_app(), [
        'trials', '--policy', 'straight', '--detector', 'ideal', '--trials', '3', '--workers', '1',
        '--room', 'seminar_room', '--json', str(out)])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert 'Fig. 10' in done.output
    assert 'times real time' in done.output
    assert len(json.loads(out.read_text())['trials']) == 3


@pytest.mark.slow
def test_several_seeds_are_several_draws_in_one_table(tmp_path):
    out = tmp_path / 'trials.json'
    done = CliRunner().invoke(build_app(), [
        'trials', '--policy', 'straight', '--detector', 'ideal', '--trials', '2', '--workers', '1',
        '--room', 'seminar_room', '--seed', '3', '--seeds', '2', '--json', str(out)])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert 'seed 3 to 4' in done.output
    trials = json.loads(out.read_text())['trials']
    assert [(t['seed'], t['index']) for t in trials] == [(3, 0), (3, 1), (4, 0), (4, 1)]
    assert trials[0]['distance_m'] != trials[2]['distance_m']


@pytest.mark.parametrize(
    ('track', 'side', 'told'),
    [
        ('corner', 'track', Side.RIGHT),
        ('corner_back', 'track', Side.LEFT),
        ('corner', 'left', Side.LEFT),
        ('corner', 'any', None),
    ],
)
def test_the_side_of_the_wall_may_be_named(track, side, told, monkeypatch):
    asked = []

    def take(requests, workers):
        asked.extend(requests)
        raise QuietNavError('seen')

    monkeypatch.setattr('quiet_nav.trials.protocol.run_trials', take)
    CliRunner().invoke(
        build_app(), ['trials', '--detector', 'ideal', '--track', track, '--side', side]
    )
    assert {request.side for request in asked} == {told}


def test_every_trial_has_sources_of_its_own():
    plan = load_plan('seminar_room')
    keys = [[seed, 7, index] for seed in (1, 2) for index in (0, 1)]
    scenes = [scene_of_trial(plan, key, 'none') for key in keys]
    assert len({scene.sources for scene in scenes}) == len(keys)
    assert scene_of_trial(plan, keys[0], 'none') == scenes[0]


@pytest.mark.parametrize(
    ('arguments', 'word'),
    [
        (['--policy', 'follow'], 'tracker'),
        (['--room', 'nowhere'], 'classroom'),
        (['--rig', 'quartet', '--detector', 'ideal'], 'trio'),
        (['--detector', 'nothing.onnx'], 'nothing.onnx'),
        (['--track', 'loop', '--detector', 'ideal'], 'corner'),
        (['--side', 'front', '--detector', 'ideal'], 'any, left, right, track'),
    ],
)
def test_the_command_refuses_what_does_not_exist(arguments, word):
    done = CliRunner().invoke(build_app(), ['trials', *arguments])
    assert isinstance(done.exception, QuietNavError)
    assert word in str(done.exception)


@pytest.mark.slow
@pytest.mark.skipif(not MODEL.is_file(), reason='no model in models/')
@pytest.mark.parametrize('rig', ['single', 'pair', 'trio', 'respeaker_usb_4'])
def test_the_shipped_detector_listens_in_a_trial(rig):
    request = TrialRequest(
        'classroom', 'tracker', find_rig(rig), str(MODEL), 4, 9, max_duration_s=35.0
    )
    result = run_trial(request)
    assert result.outcome == 'time-out'
    assert result.listened
    said = [p for at in result.listened for p in at.probabilities if not np.isnan(p)]
    assert said and all(0.0 <= p <= 1.0 for p in said)


@pytest.mark.parametrize('disturbance', ['distractors', 'gains', 'ventilation', 'silence'])
def test_disturbances_change_what_is_heard(disturbance):
    from quiet_nav.trials.hearing import HALF_WAY_S, scene_of_trial, UNEQUAL_GAINS_DB

    plan = load_plan('classroom')
    plain, scene = (scene_of_trial(plan, [1, 2], kind) for kind in ('none', disturbance))
    if disturbance == 'distractors':
        assert len(scene.events) > 50
        assert not plain.events
    elif disturbance == 'silence':
        assert plain.sources and not scene.sources
        assert scene.level_dbfs == plain.level_dbfs
    elif disturbance == 'gains':
        assert (plain.gain_spread_db, scene.gain_spread_db) == (0.0, UNEQUAL_GAINS_DB)
    else:
        (stopping,) = [s for s in scene.sources if s.schedule and s.schedule.off_s > 1e5]
        assert len(scene.sources) > 1
        t = np.array([1.0, HALF_WAY_S[False] - 1.0, HALF_WAY_S[False] + 2.0, 1500.0])
        assert stopping.schedule.at(t).tolist() == [1.0, 1.0, 0.0, 0.0]


class SilentRoom:
    """Hearing of nothing, at once."""

    def rig(self, rig, pose, start, count):
        return np.zeros((len(rig.ears), count), np.float32)


class Asked:
    """A session that remembers what it was asked."""

    def __init__(self):
        self.heard = []

    def read(self, heard):
        self.heard.append([(h.window.start_ns, round(h.bearing_rad, 6), h.learn) for h in heard])
        return []


def test_trials_keep_the_windows_that_the_live_listener_keeps():
    """A survey's turn, a quarter turn on the spot, a drive: the same windows are context."""
    rig = find_rig('pair')
    asked, live, place = Asked(), Asked(), ListeningPlace(rig)
    ears = HearingEars(SilentRoom(), rig, asked)
    straight, turned = listen_stops(rig, {Side.LEFT})[0], listen_stops(rig, {Side.FRONT})[0]
    for second, (degrees, x, stop) in enumerate(
        [(0, 0, straight), (90, 0, turned), (45, 0, straight), (135, 0, straight),
         (45, 0.2, straight), (135, 0.2, turned)]
    ):  # fmt: skip
        pose = Pose2D(x, yaw=math.radians(degrees))
        ears.listen(pose, stop, 4_000_000_000 * second)
        windows = [
            Window.from_samples(np.zeros(48_000), 4_000_000_000 * second, ear.channel)
            for ear in rig.ears
        ]
        heard = place.hear(windows, pose)
        live.read([*heard.earlier, *heard.newest])
    assert asked.heard == live.heard
    assert [len(windows) for windows in asked.heard] == [2, 4, 2, 4, 2, 4]


BY_SIGHT = TrialRequest(
    'classroom', 'tracker', find_rig('pair'), 'ideal', 1, 6, modality='auto', max_duration_s=160.0
)


def switches_of(**changes):
    return run_trial(replace(BY_SIGHT, **changes)).switches


@pytest.mark.slow
def test_auto_by_sight_changes_to_sound_when_the_camera_fails_and_back():
    assert switches_of() == 0
    killed = run_trial(replace(BY_SIGHT, camera_fault='killed'))
    assert killed.switches == 1 and killed.modality == 'auto'
    assert killed.rig == 'auto pair+camera, killed'
    assert switches_of(camera_fault='dark') == 1
    assert switches_of(camera_fault='back') == 2


AHEAD = PolicySettings(Algorithm2Settings(ahead=0.1))


@pytest.mark.slow
@pytest.mark.parametrize(('policy', 'settings'), [('tracker', None), ('algorithm2', AHEAD)])
def test_an_idealised_camera_alone_reaches_the_destination(policy, settings):
    request = replace(BY_SIGHT, policy=policy, modality='vision', max_duration_s=1800.0)
    result = run_trial(replace(request, settings=settings or PolicySettings()))
    assert (result.outcome, result.rig, result.switches) == ('destination', 'camera', 0)


@pytest.mark.slow
def test_algorithm2_as_printed_does_not_look_at_what_is_ahead():
    request = replace(BY_SIGHT, policy='algorithm2', modality='vision', max_duration_s=1800.0)
    result = run_trial(request)
    assert result.outcome == TrialOutcome.COLLISION


def test_a_camera_fault_is_one_that_there_is_and_falls_at_a_drawn_time():
    with pytest.raises(QuietNavError, match='covered'):
        CameraFault('stolen')
    fault = fault_of_trial('back', [1, 2, 3], 100.0)
    assert fault == fault_of_trial('back', [1, 2, 3], 100.0)
    assert 0.0 < fault.at_s < 100.0 and fault != fault_of_trial('back', [1, 2, 4], 100.0)
    times = (fault.at_s - 0.1, fault.at_s, fault.back_s - 0.1, fault.back_s)
    assert [fault.now(t) for t in times] == ['none', 'killed', 'killed', 'none']


def test_a_covered_lens_shows_almost_nothing():
    image = covered_image((48, 64, 3), np.random.default_rng(0))
    assert image.shape == (48, 64, 3) and image.dtype == np.uint8
    assert abs(image[:24].mean() - image[24:].mean()) < 0.02 * image.mean()
