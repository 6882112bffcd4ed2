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

"""Eyes of trials: images of the simulated camera through the vision detector, faults and all."""

import numpy as np
import pytest

pytest.importorskip('onnx')

from brightness_model import write_model

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.navigation.listening import ListenStop
from quiet_nav.perception.readings import Modality
from quiet_nav.simulation.rooms.plan_files import load_plan
from quiet_nav.simulation.sight.camera_faults import CameraFault
from quiet_nav.trials.eyes import make_eyes

LEFT = ListenStop(np.pi / 2, frozenset({Side.LEFT}))


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return str(write_model(tmp_path_factory.mktemp('model') / 'v.onnx'))


def look(detector, kind='none', time_s=10):
    eyes = make_eyes(
        detector, load_plan('classroom'), np.random.default_rng(1), CameraFault(kind, 5.0)
    )
    return eyes.look(Pose2D(5.0, 1.0, 0.3), LEFT, time_s * 10**9)


@pytest.mark.parametrize('detector', ['ideal', None])
def test_a_camera_reads_the_side_that_the_robot_turned_it_to(detector, model):
    (reading,) = look(detector or model)
    assert reading.valid and reading.side == Side.LEFT and reading.modality == Modality.VISION
    assert reading.start_ns == reading.end_ns == 10 * 10**9


@pytest.mark.parametrize('detector', ['ideal', None])
@pytest.mark.parametrize('kind', ['dark', 'covered', 'killed'])
def test_faults_are_seen_by_the_detector_itself_from_their_time_on(detector, kind, model):
    assert look(detector or model, kind, 4)[0].valid
    said = look(detector or model, kind)
    assert not said if kind == 'killed' else kind in said[0].reason and not said[0].valid
