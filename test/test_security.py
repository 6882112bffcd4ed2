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

"""SROS 2: the policies in security/ grant what a node creates and no more; nodes live by them."""

from fnmatch import fnmatchcase
import json
import os
from pathlib import Path
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
import yaml

from quiet_nav.demo.domain import own_domain

ROOT = Path(__file__).parents[1]
POLICIES = sorted(ROOT.glob('security/*/*.policy.xml'))
OURS = sorted(ROOT.glob('security/nodes/*.policy.xml'))
#: The demo has a domain of its own, and leaves security out of its nodes' environment.
WITHOUT = {'demo_run'}
#: What ROS itself makes in every node, and in those with a lifecycle.
EVERY = {
    ('publish', '/parameter_events'), ('publish', '/rosout'), ('subscribe', '/clock'),
    ('reply', '~/describe_parameters'), ('reply', '~/get_parameter_types'),
    ('reply', '~/get_parameters'), ('reply', '~/get_type_description'),
    ('reply', '~/list_parameters'), ('reply', '~/set_parameters'),
    ('reply', '~/set_parameters_atomically'),
}  # fmt: skip
LIFECYCLE = {
    ('publish', '~/transition_event'), ('reply', '~/change_state'), ('reply', '~/get_state'),
    ('reply', '~/get_available_states'), ('reply', '~/get_available_transitions'),
    ('reply', '~/get_transition_graph'),
}  # fmt: skip
QUALIFIERS = {
    'topics': ('topic', {'publish', 'subscribe'}),
    'services': ('service', {'reply', 'request'}),
    'actions': ('action', {'execute', 'call'}),
}


def profile(path):
    """Return the one profile of a policy."""
    (found,) = ET.parse(path).getroot().iter('profile')
    return found


def name_of(path):
    return path.name.removesuffix('.policy.xml')


def granted(path):
    """Return what a policy allows: pairs of what may be done and the name."""
    return {
        (qualifier, item.text)
        for group in profile(path)
        for qualifier in group.attrib
        for item in group
    }


def may(path, qualifier, name):
    """Return whether a policy allows something, by a pattern as well."""
    return any(q == qualifier and fnmatchcase(name, pattern) for q, pattern in granted(path))


def who_may(qualifier, name):
    return {name_of(path) for path in POLICIES if may(path, qualifier, name)}


def nodes():
    text = (ROOT / 'CMakeLists.txt').read_text()
    return set(re.search(r'set\(nodes\s+([^)]*)\)', text).group(1).split())


def test_every_node_has_a_policy():
    assert {name_of(path) for path in OURS} == nodes() - WITHOUT


@pytest.mark.parametrize('path', POLICIES, ids=name_of)
def test_a_policy_is_of_the_form_that_ros_2_security_reads(path):
    root = ET.parse(path).getroot()
    assert (root.tag, root.attrib) == ('policy', {'version': '0.2.0'})
    (enclave,) = root.findall('enclaves/enclave')
    assert enclave.get('path') == f'/quiet_nav/{name_of(path)}'
    # With a namespace the documented command replaces this very text.
    assert path.read_text().count(' ns="/" ') == 1
    said = set()
    for group in profile(path):
        item, qualifiers = QUALIFIERS[group.tag]
        ((qualifier, value),) = group.attrib.items()
        assert qualifier in qualifiers
        assert value == 'ALLOW'
        assert len(group) > 0
        for entry in group:
            assert entry.tag == item
            assert re.fullmatch(r'(/|~/)?[\w*/]+', entry.text), entry.text
            assert (qualifier, entry.text) not in said, 'said twice'
            said.add((qualifier, entry.text))


@pytest.mark.parametrize('path', POLICIES, ids=name_of)
def test_the_schema_of_ros_2_security_takes_the_policy(path):
    policy = pytest.importorskip('sros2.policy', reason='sros2 comes with ROS 2 from apt')
    assert policy.load_policy(path).getroot().tag == 'policy'


def test_the_follower_alone_may_send_velocities():
    assert who_may('publish', 'cmd_vel') == {'wall_follower'}
    assert who_may('subscribe', 'cmd_vel') == {'base', 'operator', 'simulated_robot'}


def test_what_the_follower_drives_by_comes_from_one_node_each():
    assert who_may('publish', 'near_wall') == {'near_wall'}
    assert who_may('publish', 'near_wall/alive') == {'near_wall'}
    for name in ('odom', 'bump', 'cliff'):
        assert who_may('publish', name) <= {'base', 'simulated_robot'}
    assert who_may('publish', '/clock') == {'simulated_robot'}
    assert who_may('publish', 'audio/audio_stamped') == {'microphone', 'simulated_robot'}


def test_a_person_alone_may_set_parameters_change_states_and_release_the_stop():
    for service in (
        'set_emergency_stop', 'wall_follower/set_parameters', 'wall_follower/change_state',
        'near_wall/set_parameters_atomically', 'save_map',
    ):  # fmt: skip
        assert who_may('request', service) == {'operator'}, service
    assert who_may('call', 'follow_wall') == {'follow_wall', 'operator'}
    assert who_may('execute', 'follow_wall') == {'wall_follower'}
    assert who_may('publish', 'emergency_stop') == {'operator'}


@pytest.mark.parametrize('path', OURS, ids=name_of)
def test_patterns_are_for_people_and_not_for_nodes(path):
    assert not [name for _, name in granted(path) if '*' in name]


def test_policies_name_the_interfaces_that_are_described_and_all_of_them():
    described = set(yaml.safe_load((ROOT / 'docs/reference/interfaces.yaml').read_text()))
    named = {name for path in OURS for _, name in granted(path) - EVERY - LIFECYCLE}
    # Simulated time is something that every node may listen to.
    assert named | {'/clock'} == described


INSPECT = """
import json, sys
sys.path.insert(0, 'tools')
from reference import nodes
nodes.COMMON = {'rcl_interfaces', 'type_description_interfaces'}
found = {}
for name in sys.argv[1:]:
    page = nodes.inspect_node(name)
    found[name] = [page.lifecycle, sorted({(i.role, i.name) for i in page.interfaces})]
print('FOUND' + json.dumps(found))
"""
ROLES = {
    'publishes': 'publish', 'subscribes': 'subscribe', 'serves': 'reply', 'calls': 'request',
    'action server': 'execute', 'action client': 'call',
}  # fmt: skip


#: Created once a camera, or somebody who looks at the overlay, is there.
LATER = {
    'near_wall': {('subscribe', 'wall_distance')},
    'realsense': {('publish', '/tf_static')},
}


@pytest.mark.realtime
@pytest.mark.slow
def test_a_policy_grants_what_its_node_creates_and_nothing_else(tmp_path):
    pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
    names = sorted(nodes() - WITHOUT)
    environment = {**os.environ, 'HOME': str(tmp_path), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'}
    done = subprocess.run(
        [sys.executable, '-c', INSPECT, *names],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.partition('FOUND')[2])
    for path in OURS:
        lifecycle, made = found[name_of(path)]
        wanted = {(ROLES[role], name) for role, name in made} | EVERY
        later = LATER.get(name_of(path), set())
        assert not later & wanted
        assert granted(path) - later == wanted | (LIFECYCLE if lifecycle else set()), path.name


@pytest.fixture(scope='module')
def enforced(tmp_path_factory):
    """Make a keystore of the policies; return the environment in which it is enforced."""
    pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
    pytest.importorskip('sros2', reason='sros2 comes with ROS 2 from apt')
    folder = tmp_path_factory.mktemp('security')
    keystore = folder / 'keystore'
    code = (
        'import sys, pathlib, sros2.api._artifact_generation as a;'
        'p = [pathlib.Path(x) for x in sys.argv[1:]];'
        'a.generate_artifacts(keystore_path=p[0], policy_files=p[1:])'
    )
    # Permissions are for the domain of the environment.
    made = subprocess.run(
        [sys.executable, '-c', code, keystore, *POLICIES],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    for path in POLICIES:
        assert (keystore / 'enclaves' / 'quiet_nav' / name_of(path) / 'permissions.p7s').is_file()
    permissions = keystore / 'enclaves' / 'quiet_nav' / 'wall_follower' / 'permissions.xml'
    assert f'<id>{own_domain()}</id>' in permissions.read_text()
    assert 'rt/cmd_vel</topic>' in permissions.read_text()
    environment = {
        **os.environ,
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(keystore),
    }
    asked = run_code(ASK, environment)
    if "doesn't have the security libraries" in asked:
        pytest.skip('the Fast DDS of the ROS wheels is built without security; that of apt has it')
    assert 'JOINED' in asked, asked
    return environment


ASK = """
import rclpy
rclpy.init(args=['--ros-args', '--enclave', '/quiet_nav/operator'])
rclpy.create_node('operator')
print('JOINED')
"""
#: Joins as an operator, waits until the robot has driven, tries what it may not.
WATCH = """
import sys, time
import rclpy
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
rclpy.init(args=['--ros-args', '--enclave', '/quiet_nav/operator'])
node = rclpy.create_node('operator')
places = []
node.create_subscription(Odometry, 'odom', lambda m: places.append(m.pose.pose.position), 10)
end = time.monotonic() + float(sys.argv[1])
def way():
    return max((abs(p.x - places[0].x) + abs(p.y - places[0].y) for p in places), default=0.0)
while time.monotonic() < end and way() < 0.1:
    rclpy.spin_once(node, timeout_sec=0.2)
print('DROVE' if way() >= 0.1 else f'STOOD after {len(places)} messages')
try:
    node.create_publisher(TwistStamped, 'cmd_vel', 1)
    print('MAY SEND')
except Exception as error:
    print('REFUSED')
"""
#: Takes part without a key: neither finds nor is found.
STRANGER = """
import os, time
for name in [name for name in os.environ if name.startswith('ROS_SECURITY_')]:
    del os.environ[name]
import rclpy
from geometry_msgs.msg import TwistStamped
rclpy.init()
node = rclpy.create_node('stranger')
node.create_publisher(TwistStamped, 'cmd_vel', 1)
end = time.monotonic() + 5.0
while time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.2)
print('FOUND', len(node.get_subscriptions_info_by_topic('/cmd_vel')))
"""


def run_code(code, environment, *arguments):
    done = subprocess.run(
        [sys.executable, '-c', code, *arguments],
        env=environment, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.realtime
@pytest.mark.slow
def test_nodes_drive_by_their_policies_where_security_is_enforced(enforced, tmp_path):
    processes = {}

    def start(name, *arguments):
        command = [sys.executable, '-m', f'quiet_nav.nodes.{name}', '--ros-args']
        command += ['--enclave', f'/quiet_nav/{name}', *arguments]
        with open(tmp_path / f'{name}.log', 'wb') as log:
            processes[name] = subprocess.Popen(
                command, env=enforced, stdout=log, stderr=log, start_new_session=True
            )

    simulated = ('-p', 'use_sim_time:=true', '-p', 'rig:=trio')
    try:
        start('simulated_robot', '-p', 'rig:=trio')
        for name in ('near_wall', 'wall_follower'):
            start(name, *simulated, '-p', 'autostart:=true')
        for name in ('wall_distance', 'probability_map', 'launch_gate', 'follow_wall'):
            start(name, *(simulated[:2] if name != 'launch_gate' else ()))
        assert 'FOUND 0' in run_code(STRANGER, enforced)
        seen = run_code(WATCH, enforced, '90')
        logs = ''.join((tmp_path / f'{name}.log').read_text() for name in processes)
        assert 'DROVE' in seen, seen + logs
        assert 'REFUSED' in seen, seen
        # The gate ends by itself: with 1, as it finds the base that it must not disturb.
        running = {name for name, p in processes.items() if p.poll() is None} - {'launch_gate'}
        assert running >= processes.keys() - {'launch_gate', 'follow_wall'}, logs
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.mark.realtime
def test_a_node_without_an_enclave_does_not_start_where_security_is_enforced(enforced):
    done = subprocess.run(
        [sys.executable, '-m', 'quiet_nav.nodes.wall_follower', '--ros-args', '--enclave', '/x'],
        env=enforced, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.count('\n') == 1
    assert "enclaves/x' does not exist" in done.stderr
