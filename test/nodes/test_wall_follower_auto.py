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

"""The wall follower with `modality: auto` over real DDS: what it says; it never drives blind."""

import time

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the action is not built (make setup does)')

from diagnostic_msgs.msg import DiagnosticArray
from follower_bench import Bench, QUICK

from quiet_nav.action import FollowWall
from quiet_nav.navigation.modality import Mode

pytestmark = pytest.mark.realtime

AUTO = {'modality': int(Mode.AUTO), 'algorithm': 'algorithm1'}
SEEN, HEARD = FollowWall.Goal.MODALITY_VISION, FollowWall.Goal.MODALITY_AUDIO


@pytest.fixture
def auto(ros, space, stalls, node_process):
    """Return a bench with a camera and the follower beside it."""
    settings = {**QUICK, 'patience_s': 0.6, 'regain_s': 0.6}
    process = node_process('wall_follower', settings, '-r', f'__ns:={space}')
    bench = Bench(ros, space, stalls)
    bench.process, bench.camera, bench.statuses = process, 'works', []
    bench.node.create_subscription(
        DiagnosticArray, '/diagnostics', lambda m: bench.statuses.extend(m.status), 100
    )
    return bench


def fed_back(bench, **fields):
    """Spin until a feedback has come with these fields."""
    return bench.ros.spin_until(
        lambda: any(
            all(getattr(f, name) == value for name, value in fields.items()) for f in bench.feedback
        ),
        30.0,
    )


def test_auto_goes_over_to_sound_and_back_and_says_so(auto):
    auto.drive(**AUTO)
    assert fed_back(auto, modality=SEEN, modality_switches=0, modality_reason='')
    auto.camera = 'dark'
    assert fed_back(auto, modality=HEARD, modality_switches=1)
    assert any(f.modality == HEARD and 'camera' in f.modality_reason for f in auto.feedback)
    assert auto.ros.spin_until(lambda: any('driving by audio' in s.message for s in auto.statuses))
    auto.feedback.clear()
    assert auto.ros.spin_until(auto.moving, 30.0), 'it did not go on by sound'
    auto.camera = 'works'
    assert fed_back(auto, modality=SEEN, modality_switches=2, modality_reason='')
    assert 'driving by audio from here: camera' in auto.process.log
    assert 'driving by vision again' in auto.process.log


def test_auto_stands_where_both_are_lost(auto):
    handle = auto.drive(**AUTO)
    auto.camera, auto.hears = 'none', False
    # Vision is waited for, then sound.
    auto.assert_stops(time.monotonic() + 2 * QUICK['sensor_timeout_s'])
    result = auto.result(handle).result
    assert result.outcome == FollowWall.Result.OUTCOME_SENSOR_LOST
    assert auto.robot.state.at_rest
