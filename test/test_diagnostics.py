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

"""What a node says about its health on /diagnostics."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
import pytest

from quiet_nav.nodes.diagnostics import Diagnostics, Level, Status

pytestmark = pytest.mark.realtime


def listen(ros):
    heard = []
    ros.node('listener').create_subscription(
        DiagnosticArray, '/diagnostics', lambda m: heard.extend(m.status), 10
    )
    return heard


def test_status_arrives_once_a_second_with_level_and_values(ros):
    heard = listen(ros)
    status = Status(Level.WARN, 'clipped', {'level_dbfs': -0.125, 'overflows': 3})
    Diagnostics(ros.node('ears'), 'audio', lambda: status, hardware_id='usb')
    assert ros.spin_until(lambda: len(heard) >= 2, 10.0)
    assert heard[0].level == DiagnosticStatus.WARN
    assert heard[0].name == 'ears: audio'
    assert heard[0].hardware_id == 'usb'
    assert heard[0].message == 'clipped'
    assert {v.key: v.value for v in heard[0].values} == {'level_dbfs': '-0.125', 'overflows': '3'}


def test_exception_while_collecting_is_an_error_not_an_end(ros):
    heard = listen(ros)

    def broken() -> Status:
        raise OSError('device is gone')

    Diagnostics(ros.node('ears'), 'audio', broken)
    assert ros.spin_until(lambda: len(heard) >= 2, 10.0)
    assert heard[1].level == DiagnosticStatus.ERROR
    assert 'device is gone' in heard[1].message


def test_diagnostics_go_on_while_simulated_time_stands_still(ros):
    from rclpy.parameter import Parameter

    heard = listen(ros)
    node = ros.node('ears', parameter_overrides=[Parameter('use_sim_time', value=True)])
    Diagnostics(node, 'audio', Status)
    assert ros.spin_until(lambda: len(heard) >= 2, 10.0)
    assert heard[0].level == DiagnosticStatus.OK
