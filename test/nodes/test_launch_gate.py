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

"""The gate of launch files: closed while a live base would hear, open once nodes listen."""

import os
import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')

from geometry_msgs.msg import Twist, TwistStamped
from std_msgs.msg import String

from quiet_nav.demo.domain import busy_domains, others_in, private_domain
from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.goal_client import Client
from quiet_nav.nodes.launch_gate import LaunchGate, wait

pytestmark = pytest.mark.realtime


@pytest.fixture
def gate(ros_context):
    """Ask the gate, in a namespace and with parameters; returns what it answers."""
    clients = []

    def ask(space='', *rules, **parameters):
        arguments = ['--ros-args', '-r', f'__ns:=/{space}', '-p', 'startup:=1.0']
        for name, value in parameters.items():
            arguments += ['-p', f'{name}:={value}']
        for rule in rules:
            arguments += ['-r', rule]
        # A node takes a process's arguments; here it is given them.
        node = LaunchGate(cli_args=arguments)
        clients.append(Client(node))
        return wait(clients[-1])

    yield ask
    for client in clients:
        client.close()
        client.node.destroy_node()


@pytest.mark.parametrize('kind', [Twist, TwistStamped])
def test_a_live_base_is_named_and_refused(ros, gate, kind):
    base = ros.node('turtlebot3_node', namespace='/one')
    base.create_subscription(kind, 'cmd_vel', print, 10)
    with pytest.raises(QuietNavError, match=r'/one/cmd_vel \(/one/turtlebot3_node\)'):
        gate('one')
    with pytest.raises(QuietNavError, match='another ROS_DOMAIN_ID'):
        gate(everywhere='true')
    assert gate('other') == 0


def test_the_unstamped_topic_of_a_base_counts(ros, gate):
    base = ros.node('turtlebot4', namespace='/two')
    base.create_subscription(Twist, 'cmd_vel_unstamped', print, 10)
    with pytest.raises(QuietNavError, match='/two/cmd_vel_unstamped'):
        gate('two')


@pytest.mark.parametrize('kind', [Twist, TwistStamped])
def test_a_base_that_calls_its_velocity_otherwise_is_found(ros, gate, kind):
    base = ros.node('kobuki', namespace='/six')
    base.create_subscription(kind, 'commands/velocity', print, 10)
    found = r'/six/commands/velocity \(/six/kobuki\)'
    with pytest.raises(QuietNavError, match=found):
        gate('replay', everywhere='true')
    with pytest.raises(QuietNavError, match=found):
        gate('six', 'cmd_vel:=commands/velocity')
    with pytest.raises(QuietNavError, match=found):
        gate('six', commands="['commands/velocity']")
    assert gate('six') == 0


def test_tools_that_look_on_and_other_types_are_no_base(ros, gate):
    tool = ros.node('_ros2cli_77', namespace='/three')
    tool.create_subscription(Twist, 'cmd_vel', print, 10)
    other = ros.node('talker', namespace='/four')
    other.create_subscription(String, 'cmd_vel', print, 10)
    assert gate('three') == 0
    assert gate('four') == 0


def test_it_waits_for_listeners_and_names_the_topic_that_has_none(ros, gate):
    with pytest.raises(QuietNavError, match=r'nobody listens to /five/audio after 1 s'):
        gate(listened="['/five/audio']", discovery=0.0, patience=0.0)
    node = ros.node('near_wall', namespace='/five')
    node.create_subscription(String, 'audio', print, 10)
    assert gate(listened="['/five/audio']", discovery=0.0, patience=0.0) == 0


def test_a_driver_in_shared_memory_alone_takes_its_domain():
    driver = (
        "import rclpy, sys; rclpy.init(); node = rclpy.create_node('turtlebot3_node'); "
        "print('up', flush=True); sys.stdin.read()"
    )
    with private_domain() as domain:
        variables = {'ROS_DOMAIN_ID': str(domain), 'FASTDDS_BUILTIN_TRANSPORTS': 'SHM'}
        assert domain not in busy_domains()
        with subprocess.Popen(
            [sys.executable, '-c', driver], env={**os.environ, **variables},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout.readline() == b'up\n'
            assert domain in busy_domains() and others_in(domain)
            process.stdin.close()
