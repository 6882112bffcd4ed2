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

"""What a campus records of a quarter turn is what the follower hears when it looks ahead."""

import json
from pathlib import Path

import numpy as np
import pytest

from quiet_nav.evaluation.context_predictor import ContextPredictor, Turn
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.listening import listen_stops, ListenStop
from quiet_nav.perception.detector import NearWallDetector
from quiet_nav.perception.readings import Context
from quiet_nav.perception.rig import load_rig
from quiet_nav.quiet_campus.lists import read_obstacle_list
from quiet_nav.simulation.campus.build import make_campus
from quiet_nav.simulation.campus.kinds import get_kind
from quiet_nav.simulation.campus.kinds.robot import LATER_S
from quiet_nav.simulation.campus.places import plan_room
from quiet_nav.simulation.campus.request import CampusRequest
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.trials.hearing import HearingEars

pytest.importorskip('pyroomacoustics')
RIGS = Path(__file__).parents[2] / 'config' / 'rigs'


@pytest.mark.slow
@pytest.mark.parametrize('rig', ['trio', 'pair'])
def test_the_predictor_says_of_the_front_what_a_trial_hears(
    rig: str, context_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = get_kind('robot')
    draw = kind.places
    monkeypatch.setattr(type(kind), 'places', lambda _, *asked: draw(*asked)[:1])
    request = CampusRequest('robot', 1, 3, images=False, rig=str(RIGS / 'trio.yaml'), plain=True)
    root = make_campus(request, tmp_path, workers=1)
    listed = root / 'data-split' / 'obstacle-detection' / 'train.csv'
    rows = list(read_obstacle_list(listed, root))
    predictor = ContextPredictor(context_model, threads=1, clips=1, turn=Turn.QUARTER)
    ears = load_rig(RIGS / f'{rig}.yaml')
    predictor = predictor.given(turn=Turn.QUARTER, ears={ear.side for ear in ears.ears})
    front = [row.side for row in rows].index(Side.FRONT)
    said = predictor.predict(rows, Context.OTHER_EARS).near[front]

    # The same as trials do it: at every stop of the step machine the rig listens where it stands.
    scene = plan_room(request, 0).scene
    detector = NearWallDetector.load(context_model, 1, 1)
    trial = HearingEars(Hearing(scene), ears, detector.session(Context.OTHER_EARS))
    note = json.loads((rows[0].folder / 'annotation.json').read_text())
    pose, start_s = Pose2D(**note['pose']), note['windows']['sound.wav'][0]
    (look,) = listen_stops(ears, {Side.FRONT}, turned=True)
    heard = {}
    for stop, at_s in ((ListenStop(0.0, frozenset()), start_s), (look, start_s + LATER_S)):
        stands = Pose2D(pose.x, pose.y, pose.yaw + stop.turn_rad)
        for reading in trial.listen(stands, stop, round(at_s * 1e9)):
            heard[reading.side] = reading.probability
    # A WAV of 16 bits rounds what is heard.
    assert said == pytest.approx(heard[Side.FRONT], abs=2e-3)
    predictor.turn = Turn.NONE
    assert not np.isclose(predictor.predict(rows, Context.OTHER_EARS).near[front], said, atol=2e-3)
