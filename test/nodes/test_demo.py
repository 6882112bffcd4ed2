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

"""`quiet_nav demo` as its user sees it: it drives, records, draws, stops everything, says why."""

import os
from pathlib import Path
import re
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the action is not built (make setup does)')
pytest.importorskip('pyroomacoustics', reason='rooms need the extra simulation')

from quiet_nav.recordings.bag_types import bag_typestore
from quiet_nav.trials.result_files import read_run

pytestmark = pytest.mark.realtime

ROOT = Path(__file__).parents[2]
MODEL = ROOT / 'models' / 'near_wall.onnx'
shipped = pytest.mark.skipif(not MODEL.is_file(), reason='models/near_wall.onnx is not there')
SHORT = """
name: short
height: 3.0
size: [8.0, 6.0]
tracks:
  - {name: wall, side: right, width: 2.0, center: [[3.0, 1.0], [3.5, 1.0]]}
"""


CLI = ('-m', 'quiet_nav.cli')


def demo(out, *arguments, program=CLI, environment=None, folder=None):
    command = [sys.executable, *program, 'demo', '--out', str(out), *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A background job's processes ignore SIGINT from birth; a terminal's do not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def nodes_of(out):
    """Return the command lines of processes that belong to the demo of a folder."""
    domain = re.search(r'ROS_DOMAIN_ID=(\d+)', (out / 'said').read_text()).group(1)
    found = []
    for entry in Path('/proc').glob('[0-9]*'):
        try:
            environment = (entry / 'environ').read_bytes().split(b'\0')
            command = (entry / 'cmdline').read_text()
        except OSError:
            continue
        if f'ROS_DOMAIN_ID={domain}'.encode() in environment and 'quiet_nav.nodes' in command:
            found.append(command)
    return found


@pytest.fixture
def room(tmp_path):
    path = tmp_path / 'short.yaml'
    path.write_text(SHORT)
    return path


def read_until(process, pattern, out, timeout_s=120.0):
    """Read what a demo prints until a line matches; what was read is kept in out/said."""
    said, end = '', time.monotonic() + timeout_s
    while not re.search(pattern, said) and time.monotonic() < end:
        line = process.stdout.readline()
        if not line:
            break
        said += line
    out.mkdir(exist_ok=True)
    (out / 'said').write_text(said)
    assert re.search(pattern, said), said


@shipped
def test_demo_reaches_the_end_of_a_track_and_leaves_picture_bag_and_logs(tmp_path, room):
    from rosbags.highlevel import AnyReader

    out = tmp_path / 'demo'
    process = demo(out, '--room', str(room), '--algorithm', 'straight')
    said, _ = process.communicate(timeout=280)
    (out / 'said').write_text(said)
    assert process.returncode == 0, said
    assert 'destination: 0.50 of 0.50 m' in said
    assert nodes_of(out) == []
    assert (out / 'demo.png').read_bytes().startswith(b'\x89PNG')
    result = read_run(out / 'run.json')
    assert result.outcome == 'destination'
    assert result.distance_m == pytest.approx(0.5)
    assert len(result.listened) == result.steps or len(result.listened) == result.steps + 1
    with AnyReader([out / 'bag'], default_typestore=bag_typestore()) as bag:
        counts = {c.topic: c.msgcount for c in bag.connections}
        wanted = {'/odom', '/tf', '/tf_static', '/near_wall', '/cmd_vel', '/audio/audio_stamped'}
        assert all(counts[topic] > 0 for topic in wanted), counts
        stamps = [stamp for _, stamp, _ in bag.messages()]
        assert stamps == sorted(stamps)
        near = [c for c in bag.connections if c.topic == '/near_wall']
        said = [bag.deserialize(raw, c.msgtype) for c, _, raw in bag.messages(near)]
        valid = [message for message in said if message.valid]
        assert valid
        assert all(0.0 <= message.probability <= 1.0 for message in valid)
        driven = [c for c in bag.connections if c.topic == '/cmd_vel']
        speeds = [
            bag.deserialize(raw, c.msgtype).twist.linear.x for c, _, raw in bag.messages(driven)
        ]
        assert max(speeds) > 0.05
        assert speeds[-1] == 0.0, 'the bag ends before the robot was told to stop'


def test_demo_names_a_node_that_cannot_start_and_stops_the_rest(tmp_path, room):
    out = tmp_path / 'demo'
    process = demo(out, '--room', str(room), '--model', str(tmp_path / 'none.onnx'))
    said, _ = process.communicate(timeout=200)
    (out / 'said').write_text(said)
    assert process.returncode == 2, said
    assert 'near_wall stays unconfigured' in said
    assert 'none.onnx' in said
    assert nodes_of(out) == []


@shipped
def test_demo_runs_in_a_shell_that_is_set_up_for_another_graph_and_has_no_home(tmp_path, room):
    out, folder = tmp_path / 'demo', tmp_path / 'here'
    folder.mkdir()
    # Fast DDS reads this from the working folder, unasked.
    (folder / 'DEFAULT_FASTRTPS_PROFILES.xml').write_text('<not xml')
    outside = {
        'HOME': '/proc/nohome',
        'ROS_DISCOVERY_SERVER': '127.0.0.1:11811;',
        'ROS_SUPER_CLIENT': 'True',
        'ROS_STATIC_PEERS': '127.0.0.9',
        'ROS_SECURITY_ENABLE': 'true',
        'ROS_SECURITY_STRATEGY': 'Enforce',
        'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp',
        'FASTRTPS_DEFAULT_PROFILES_FILE': '/nowhere.xml',
    }
    process = demo(out, '--room', str(room), environment=outside, folder=folder)
    read_until(process, r'm  (listen|turn|drive) ', out)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert list((out / 'log' / 'ros').glob('*.log'))


@shipped
def test_a_driver_in_the_demos_own_domain_hears_no_velocity(ros, tmp_path, room):
    from geometry_msgs.msg import TwistStamped
    from nav_msgs.msg import Odometry
    from tf2_msgs.msg import TFMessage

    heard = {'robot': [], 'demo': []}
    node = ros.node('turtlebot3_node')
    for topic, kind in (
        ('/cmd_vel', TwistStamped), ('/odom', Odometry), ('/tf', TFMessage),
    ):  # fmt: skip
        node.create_subscription(kind, topic, heard['robot'].append, 10)
        node.create_subscription(kind, f'/quiet_nav_demo{topic}', heard['demo'].append, 10)
    # As if the driver had come up in a domain that the demo had taken before.
    claimed = (
        'import os, socket, sys; from quiet_nav.demo import domain; '
        "taken = int(os.environ['ROS_DOMAIN_ID']); "
        'domain.claim_domain = lambda: (taken, socket.socket()); '
        'from quiet_nav.cli import main; main()'
    )
    out = tmp_path / 'demo'
    process = demo(
        out, '--room', str(room), '--algorithm', 'straight', program=('-c', claimed)
    )  # fmt: skip
    try:
        assert ros.spin_until(lambda: len(driven(heard['demo'])) > 5, 120.0), heard
        assert heard['robot'] == []
        spaces = {
            name: space
            for name, space in node.get_node_names_and_namespaces()
            if name != 'turtlebot3_node'
        }
        assert {'near_wall', 'simulated_robot', 'wall_follower'} <= set(spaces)
        assert set(spaces.values()) == {'/quiet_nav_demo'}, 'a node of the demo is outside'
        outside = {
            topic
            for topic, _ in node.get_topic_names_and_types()
            if not topic.startswith('/quiet_nav_demo/') and node.count_publishers(topic)
        }
        # What every node of ROS has, and no robot drives by.
        assert outside <= {'/parameter_events', '/rosout'}
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def driven(messages):
    return [m for m in messages if hasattr(m, 'twist') and hasattr(m.twist, 'linear')
            and m.twist.linear.x > 0.05]  # fmt: skip


@shipped
def test_interrupted_demo_stops_every_node(tmp_path, room):
    out = tmp_path / 'demo'
    process = demo(out, '--room', str(room))
    read_until(process, 'starting near wall', out)
    assert len(nodes_of(out)) == 4
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert 'interrupted' in said
    assert nodes_of(out) == []


@shipped
def test_killed_demo_leaves_no_node_behind(tmp_path, room):
    out = tmp_path / 'demo'
    process = demo(out, '--room', str(room))
    read_until(process, 'starting near wall', out)
    assert len(nodes_of(out)) == 4
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    end = time.monotonic() + 30.0
    while nodes_of(out) and time.monotonic() < end:
        time.sleep(0.2)
    assert nodes_of(out) == []


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['--speed', 'fast'], '--speed fast: expected auto or a number'),
        (['--room', 'ballroom'], 'ballroom'),
        (['--start', '99'], 'start poses 0 to'),
        (['--rig', 'quartet'], 'quartet'),
        (['--silent-room'], 'nothing to hear by: give --own-sound'),
        (['--algorithm', 'guess'], 'expected one of algorithm1, algorithm2, random'),
    ],
)
def test_what_does_not_exist_is_said_in_one_line_before_anything_starts(
    tmp_path, arguments, complaint
):
    process = demo(tmp_path / 'demo', *arguments)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert complaint in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / 'demo').exists()
