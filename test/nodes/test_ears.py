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

"""Microphone and near_wall in one process: neither holds up the other, both end in order."""

import numpy as np
import pytest
import soundfile

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('audio_common_msgs', reason='the messages are not built (make setup does)')

from audio_common_msgs.msg import AudioDataStamped
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Empty

from quiet_nav.msg import NearWall
from quiet_nav.nodes.heartbeat import ALIVE_TOPIC

pytestmark = pytest.mark.realtime

#: The same process with a detector that never answers once the file of its first argument is there.
HUNG = """
import pathlib, sys, threading
from quiet_nav.perception import rolling
decide, hang = rolling.RollingListener.decide, pathlib.Path(sys.argv.pop(1))
def hung(*given):
    return threading.Event().wait() if hang.exists() else decide(*given)
rolling.RollingListener.decide = hung
from quiet_nav.nodes.ears import main
sys.exit(main())
"""


class Onlooker:
    """What the process says: its sound, its heartbeat, its readings."""

    def __init__(self, node):
        self.sound, self.beats, self.readings = [], [], []
        for kind, topic, kept in (
            (AudioDataStamped, 'audio/audio_stamped', self.sound),
            (Empty, ALIVE_TOPIC, self.beats),
            (NearWall, 'near_wall', self.readings),
        ):
            node.create_subscription(kind, topic, kept.append, qos_profile_sensor_data)


@pytest.fixture
def ears(node_process, context_model, tmp_path):
    noise = 0.02 * np.random.default_rng(0).standard_normal((5 * 16_000, 2))
    soundfile.write(tmp_path / 'noise.wav', noise, 16_000)

    def start(program=(), executor='ordinary', file=tmp_path / 'noise.wav'):
        given = {
            'microphone:file': file, 'microphone:loop': True, 'microphone:channels': 2,
            'near_wall:model': context_model, 'executor': executor,
        }  # fmt: skip
        return node_process('ears', given, program=program)

    return start


@pytest.mark.parametrize('executor', ['ordinary', 'events'])
def test_one_process_hears_answers_and_ends_in_order(ros, ears, executor):
    seen = Onlooker(ros.node())
    process = ears(executor=executor)
    assert ros.spin_until(lambda: any(r.valid for r in seen.readings), 40), process.log
    assert seen.beats
    assert process.stop() == 0
    assert 'Traceback' not in process.log


def test_a_hung_detector_is_told_by_its_heartbeat_and_holds_up_no_sound(ros, ears, tmp_path):
    seen = Onlooker(ros.node())
    process = ears(program=('-c', HUNG, str(tmp_path / 'hang')))
    assert ros.spin_until(lambda: seen.beats, 40), process.log
    (tmp_path / 'hang').touch()

    def silent():
        before = len(seen.beats)
        ros.spin_for(1.0)
        return len(seen.beats) == before

    assert ros.spin_until(silent, 20), 'the heart beats on over a hung detector'
    before = len(seen.sound)
    assert ros.spin_until(lambda: len(seen.sound) > before + 100, 20)
    assert process.stop() == 0


def test_a_microphone_that_ends_takes_the_process_along_with_one_line(ros, ears):
    process = ears(file='/nowhere.wav')
    assert process.process.wait(40) == 2
    assert process.log.count('\n') == 1, process.log
    assert '/nowhere.wav' in process.log
