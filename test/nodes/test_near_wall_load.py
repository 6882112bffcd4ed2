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

"""The near_wall node when computing is too slow or fails: newest first, drops said, no silence."""

import threading

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')

from rclpy.parameter import Parameter

from quiet_nav.nodes.near_wall.node import BACKLOG, NearWallNode
from quiet_nav.perception.rolling import Decision, no_readings, Tick

pytestmark = pytest.mark.realtime


class SlowListener:
    """Hands out the ticks it is given; decisions wait until they may go on."""

    def __init__(self, rig):
        self.go, self.begun = threading.Event(), threading.Event()
        self.decided, self._rig = [], rig

    def collect(self, ticks):
        return ticks

    def decide(self, tick, now):
        self.begun.set()
        assert self.go.wait(20)
        if tick.end_ns == 13:
            raise RuntimeError('out of luck')
        self.decided.append(tick.end_ns)
        return Decision(tick.end_ns, no_readings(self._rig, 0, tick.end_ns, 'test'))


@pytest.fixture
def node(ros, context_model):
    node = ros.add(NearWallNode(parameter_overrides=[Parameter('model', value=str(context_model))]))
    node.trigger_configure()
    node.trigger_activate()
    node._listener = SlowListener(node._rig)
    yield node
    node._listener and node._listener.go.set()
    node.trigger_shutdown()


def ticks(*ends):
    return [Tick((), end, None, False) for end in ends]


def test_late_decisions_are_dropped_oldest_first_and_counted(ros, node):
    slow = node._listener
    node._on_sound(ticks(1))
    assert slow.begun.wait(10)
    node._on_sound(ticks(2, 3, 4))
    node._on_sound(ticks(5))
    assert node._drops == 4 - BACKLOG
    slow.go.set()
    assert ros.spin_until(lambda: len(slow.decided) == 1 + BACKLOG)
    assert slow.decided == [1, 4, 5]
    assert node._health().values['drops'] == 4 - BACKLOG


def test_decision_that_fails_is_raised_where_the_node_is_spun(ros, node):
    # ``runtime.run`` takes it from there: error processing, diagnostics (test_failures).
    slow = node._listener
    slow.go.set()
    node._on_sound(ticks(13, 14))
    with pytest.raises(RuntimeError, match='out of luck'):
        ros.spin_until(lambda: slow.decided == [14])
