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

"""Tables of trials: intervals that do not collapse, both readings of Fig. 10, files that join."""

from dataclasses import replace
import json
import math

import pytest
from rich.console import Console
from typer.testing import CliRunner

from quiet_nav.cli import build_app
from quiet_nav.errors import QuietNavError
from quiet_nav.evaluation.metrics import wilson
from quiet_nav.geometry import Side
from quiet_nav.navigation.step_machine import Outcome
from quiet_nav.trials.protocol import TrialOutcome, TrialResult
from quiet_nav.trials.result_files import read_trials
from quiet_nav.trials.sweep import FIGURES, Sweep
from quiet_nav.trials.tables import (
    by_policy,
    Cell,
    fig_10_parts,
    past_corner,
    PLANS,
    trial_tables,
    trials_to_json,
)
from quiet_nav.trials.tuning import tuned

DONE = TrialResult(
    'classroom', 'corner', 'tracker', 'pair', 0, 0.4, 'left', 8.0, 8.0, TrialOutcome.DESTINATION,
    40, 200.0, detector='near_wall',
)  # fmt: skip


def text_of(results):
    console = Console(record=True, width=220, file=open('/dev/null', 'w'))  # noqa: SIM115
    console.print(trial_tables(results))
    return console.export_text()


@pytest.mark.parametrize(
    ('part', 'count', 'low', 'high'),
    # By hand: 0 and n of n are z^2 / (n + z^2) and n / (n + z^2).
    [
        (18, 18, 18 / (18 + 3.841459), 1.0),
        (0, 9, 0.0, 3.841459 / (9 + 3.841459)),
        (5, 10, 0.2366, 0.7634),
    ],
)
def test_wilsons_interval(part, count, low, high):
    found = wilson(part, count)
    assert found.value == part / count
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(('part', 'count'), [(0, 0), (3, 2), (-1, 2)])
def test_no_interval_of_no_draws(part, count):
    with pytest.raises(QuietNavError, match='draws'):
        wilson(part, count)


def test_trials_that_all_arrive_have_an_interval_all_the_same():
    cell = Cell.of([DONE] * 9)
    assert (cell.mean.value, cell.completed.value) == (1.0, 1.0)
    assert cell.by_wilson
    assert cell.mean.low == cell.completed.low == pytest.approx(0.7008, abs=1e-3)
    assert '100.0 [70.1, 100.0]w' in cell.told and '9/9 done [70, 100]' in cell.told
    assert '8.00 [5.61, 8.00]w' in cell.told_m


def test_trials_that_differ_have_the_bootstraps_interval():
    cell = Cell.of([DONE, replace(DONE, distance_m=2.0), replace(DONE, distance_m=5.0)] * 3)
    assert not cell.by_wilson
    assert cell.mean.value == pytest.approx(0.625)
    assert cell.mean.low < cell.mean.value < cell.mean.high
    assert cell.to_json()['completed'] == 3
    assert cell.to_json()['interval'] == 'bootstrap'
    assert Cell.of([]) is None


def test_figure_10_is_told_with_the_classroom_and_without_it():
    other = replace(DONE, room='lounge', track='straight', distance_m=0.0, length_m=6.0)
    parts = fig_10_parts([DONE, other])
    assert parts == {'the three additional rooms': [other], 'the classroom counted': [DONE, other]}
    assert fig_10_parts([DONE]) == {}
    assert list(fig_10_parts([other])) == ['rooms driven in']
    text = text_of([DONE, other])
    assert 'Fig. 10, the three additional rooms' in text
    assert 'Fig. 10, the classroom counted' in text
    told = trials_to_json([DONE, other])['tables']
    assert told['fig_10']['the three additional rooms']['tracker, pair']['all']['share'] == 0.0
    assert told['fig_10']['the classroom counted']['tracker, pair']['all']['share'] == 0.5
    assert told['floor_plans'] == PLANS
    assert ' '.join(PLANS.split())[:60] in text


def test_figure_9_counts_who_got_past_the_corner():
    before, behind = replace(DONE, distance_m=4.8), replace(DONE, distance_m=4.9)
    assert past_corner([before, behind]).value == 0.5
    assert 'past the corner' in text_of([before, behind])


def test_rows_are_told_apart_by_settings_and_by_detector():
    results = [DONE, replace(DONE, variant='p 0.2'), replace(DONE, detector='near_wall_vggish')]
    assert list(by_policy(results)) == [
        'tracker, pair, near_wall',
        'tracker, pair, p 0.2, near_wall',
        'tracker, pair, near_wall_vggish',
    ]
    assert list(by_policy(results[:2])) == ['tracker, pair', 'tracker, pair, p 0.2']


def test_trials_are_read_back_from_their_file_and_joined(tmp_path):
    first, second = tmp_path / 'first.json', tmp_path / 'second.json'
    first.write_text(json.dumps(trials_to_json([DONE])))
    assert read_trials(first) == [DONE]
    done = CliRunner().invoke(build_app(), [
        'trials', '--policy', 'straight', '--detector', 'ideal', '--trials', '1', '--workers', '1',
        '--join', str(first), '--json', str(second)])  # fmt: skip
    assert done.exit_code == 0, done.output
    assert [t['policy'] for t in json.loads(second.read_text())['trials']] == [
        'tracker', 'straight']  # fmt: skip
    alone = CliRunner().invoke(build_app(), ['trials', '--only-join', '--join', str(second)])
    assert alone.exit_code == 0, alone.output
    assert 'tracker' in alone.output and 'straight' in alone.output


def test_a_track_that_the_room_has_not_is_refused_by_the_file_that_says_it(tmp_path):
    path = tmp_path / 'trials.json'
    path.write_text(json.dumps(trials_to_json([DONE])).replace('"corner"', '"ramp"'))
    with pytest.raises(QuietNavError, match=r"trials\.json.*no track 'ramp'"):
        read_trials(path)


@pytest.mark.parametrize('content', ['[]', '{"trials": [{"room": "x"}]}', '{"trials": 3}', '{'])
def test_a_file_without_trials_is_refused(tmp_path, content):
    path = tmp_path / 'other.json'
    path.write_text(content)
    with pytest.raises(QuietNavError, match='other'):
        read_trials(path)


@pytest.mark.parametrize(
    ('outcome', 'expected'),
    [
        (Outcome.LIMIT_REACHED, TrialOutcome.TIME_OUT),
        (Outcome.NO_READING, TrialOutcome.NO_READING),
        (Outcome.PHASE_TIMEOUT, TrialOutcome.PHASE_TIMEOUT),
        (Outcome.ODOMETRY_LOST, TrialOutcome.ODOMETRY_LOST),
        (Outcome.BUMP, TrialOutcome.ERROR),
    ],
)
def test_how_the_machine_ended_is_how_the_trial_ended(outcome, expected):
    assert TrialOutcome.of_machine(outcome) is expected


def test_figure_9_has_the_rows_of_the_paper_and_our_variant_of_algorithm_2_by_its_name():
    rows = [r for part in FIGURES[9](Sweep(knobs={'threshold': 0.3})) for r in part.requests()]
    assert len(rows) == 5 * 18
    assert {(r.policy, r.rig.name, r.modality, r.variant) for r in rows} == {
        ('random', 'single', 'audio', 'p 0.3'),
        ('straight', 'single', 'audio', ''),
        ('algorithm1', 'single', 'audio', 'p 0.3'),
        ('algorithm2', 'single', 'vision', ''),
        ('algorithm2', 'single', 'vision', 'ahead 0.1, side track'),
    }
    assert {r.side for r in rows if r.variant.endswith('side track')} == {Side.RIGHT}
    assert {r.room for r in rows} == {'classroom'}


def test_figure_10_has_the_rows_of_the_paper_and_the_classroom():
    (part,) = FIGURES[10](Sweep())
    rows = part.requests()
    assert len(rows) == 2 * (18 + 3 * 9)
    assert {(r.policy, r.rig.name) for r in rows} == {('algorithm1', 'pair'), ('straight', 'pair')}


def test_p_by_hand_is_the_best_of_a_room_on_other_seeds():
    asked = []
    best = {'classroom': 0.1, 'lounge': 0.4}

    def run(requests):
        asked.extend(requests)
        for r in requests:
            off = abs(float(r.variant.split()[-1]) - best[r.room])
            yield replace(DONE, room=r.room, distance_m=8.0 * (1.0 - off))

    sweep = Sweep(rooms=('classroom', 'lounge'), policies=('algorithm1', 'straight'), seeds=(1,),
                  trials=2, detector='ideal')  # fmt: skip
    by_hand = tuned(sweep, [0.4, 0.1, 0.2], (150,), run)
    assert by_hand.thresholds == best
    assert {r.seed for r in asked} == {150}
    assert {r.policy for r in asked} == {'algorithm1'}
    rows = by_hand.requests()
    assert {(r.policy, r.variant) for r in rows} == {('algorithm1', 'p by hand'), ('straight', '')}
    with pytest.raises(QuietNavError, match='tune-seed'):
        tuned(sweep, [0.4], (1,), run)
    asked.clear()
    tuned(replace(sweep, trials=0), [0.4], (150,), run)
    assert sorted(r.index for r in asked if r.room == 'classroom') == list(range(9))
    alone = replace(sweep, policies=('straight',))
    assert tuned(alone, [0.4], (150,), run) is alone


def test_a_setting_that_no_policy_has_is_refused():
    with pytest.raises(QuietNavError, match='no such setting: threshold'):
        Sweep(policies=('straight',), detector='ideal', knobs={'threshold': 0.2}).requests()
    with pytest.raises(QuietNavError, match='threshold'):
        Sweep(policies=('algorithm1',), detector='ideal', knobs={'threshold': 1.2}).requests()
    with pytest.raises(QuietNavError, match='gain_rad'):
        Sweep(policies=('algorithm1',), detector='ideal', knobs={'gain': math.nan}).requests()


def test_trials_run_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    requests = Sweep(modalities=('audio', 'vision'), trials=1).requests()
    assert {r.detector_name for r in requests} == {'near_wall', 'near_wall_vision'}
    for request in requests:
        assert request.detector.startswith('/') and request.vision.startswith('/')


def test_a_file_that_is_there_is_not_written_over_unasked(tmp_path):
    out = tmp_path / 'mine.json'
    out.write_text('mine')
    asked = ['trials', '--policy', 'straight', '--detector', 'ideal', '--trials', '1', '--workers',
             '1', '--json', str(out)]  # fmt: skip
    assert isinstance(CliRunner().invoke(build_app(), asked).exception, QuietNavError)
    assert out.read_text() == 'mine'
    assert CliRunner().invoke(build_app(), [*asked, '--overwrite']).exit_code == 0
    assert len(read_trials(out)) == 1


def test_policies_are_listed_with_what_may_be_set_of_them():
    done = CliRunner().invoke(build_app(), ['trials', '--list-policies'])
    assert done.exit_code == 0
    assert 'algorithm1: ' in done.output and '--dead-band: alpha' in done.output


def test_figures_that_are_none_are_refused():
    done = CliRunner().invoke(build_app(), ['trials', '--figure', '11'])
    assert isinstance(done.exception, QuietNavError)
    assert '9 or 10' in str(done.exception)
