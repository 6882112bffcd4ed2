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

"""No message ends a node: what cannot be right is refused, what is left does no harm."""

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
pytest.importorskip('quiet_nav.action', reason='the messages are not built (make setup does)')

from builtin_interfaces.msg import Time
from hostile_messages import hostile
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.parameter import Parameter
from tf2_msgs.msg import TFMessage

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.nodes.conversions import pose_to_msg, reading_to_msg, transform_to_msg
from quiet_nav.nodes.live_view import LiveView
from quiet_nav.nodes.near_wall.node import NearWallNode
from quiet_nav.nodes.probability_map import ProbabilityMapNode
from quiet_nav.nodes.simulated_robot import SimulatedRobot
from quiet_nav.nodes.wall_distance import WallDistanceNode
from quiet_nav.nodes.wall_follower.node import WallFollower
from quiet_nav.perception.maps.files import load_map
from quiet_nav.perception.readings import NearWallReading

pytestmark = pytest.mark.realtime

S = 10**9
T0 = 1_700_000_000 * S
MESSAGES = 250


def overrides(**values):
    return [Parameter(name, value=value) for name, value in values.items()]


def make(name, space, model, folder):
    known = {'data_folder': str(folder)}
    if name == 'near_wall':
        pytest.importorskip('cv_bridge', reason='cv_bridge is not installed')
        known |= {'model': str(model), 'threads': 1, 'modality': 'both'}
        node = NearWallNode(namespace=space, parameter_overrides=overrides(**known))
    elif name == 'wall_follower':
        node = WallFollower(namespace=space, parameter_overrides=overrides(**known))
    elif name == 'probability_map':
        known['moving'] = True
        return ProbabilityMapNode(namespace=space, parameter_overrides=overrides(**known))
    elif name == 'live_view':
        return LiveView(namespace=space, parameter_overrides=overrides(port=0))
    else:
        return {'wall_distance': WallDistanceNode}[name](namespace=space)
    node.trigger_configure()
    node.trigger_activate()
    assert node.state == 'active'
    return node


@pytest.mark.parametrize(
    'name', ['near_wall', 'wall_follower', 'probability_map', 'live_view', 'wall_distance']
)
def test_no_message_ends_a_node(ros, space, context_model, tmp_path, name):
    node = ros.add(make(name, space, context_model, tmp_path))
    rng = np.random.default_rng(0)
    inputs = [s for s in node.subscriptions if not s.topic_name.endswith('parameter_events')]
    assert inputs
    for subscription in inputs:
        for i in range(MESSAGES):
            message = hostile(subscription.msg_type, rng, spare=(0.1, 0.5, 0.9)[i % 3])
            if hasattr(message, 'header') and i % 2:
                message.header.stamp = node.get_clock().now().to_msg()
            subscription.callback(message)
        ros.spin_for(0.05)
        assert not node.failure
        status = node._diagnostics._collect()
        assert status.message
    for timer in node.timers:
        timer.callback()
    ros.spin_for(0.5)
    assert not node.failure
    if name in ('near_wall', 'wall_follower'):
        assert node.state == 'active'


def test_no_velocity_ends_the_simulated_robot(ros):
    node = ros.add(SimulatedRobot())
    rng = np.random.default_rng(0)
    for subscription in node.subscriptions:
        for _ in range(MESSAGES):
            subscription.callback(hostile(subscription.msg_type, rng))
    for _ in range(5):
        node._tick()
    assert np.isfinite(node._world.robot.state.pose.x)


def stand(node, seconds=4):
    """Tell a map where the robot stood."""
    for k in range(seconds * 20):
        message = Odometry(child_frame_id='base_link')
        message.header.frame_id = 'odom'
        message.header.stamp = stamp(T0 + k * S // 20)
        message.pose.pose = pose_to_msg(Pose2D(1.0, 2.0, 0.0))
        receive(node, 'odom', message)


def stamp(time_ns):
    return Time(sec=time_ns // S, nanosec=time_ns % S)


def receive(node, topic, message):
    (subscription,) = [s for s in node.subscriptions if s.topic_name.endswith(topic)]
    subscription.callback(message)


@pytest.fixture
def mapping(ros, space, tmp_path):
    known = overrides(data_folder=str(tmp_path), resolution_m=0.1)
    return ros.add(ProbabilityMapNode(namespace=space, parameter_overrides=known))


def reading(start_ns=T0, end_ns=T0 + 3 * S):
    return reading_to_msg(NearWallReading(Side.LEFT, 0.9, start_ns, end_ns), 'base_link')


def test_a_window_that_began_in_1970_leaves_the_map_as_it_is(mapping, tmp_path):
    stand(mapping)
    receive(mapping, 'near_wall', reading())
    message = reading()
    message.window_start = Time()
    receive(mapping, 'near_wall', message)
    mapping._mapper.settle()
    assert mapping._mapper.placed == 1 and mapping.intake.refused == 1
    assert 'window_start' in str(mapping.intake.values())
    mapping.before_shutdown()
    assert np.nanmax(load_map(tmp_path / 'near_wall_map.yaml').probability) > 0.8


def test_transforms_that_are_none_are_refused_by_name(mapping):
    stand(mapping)
    bad = transform_to_msg(Pose2D(), T0, 'odom', 'base_link')
    bad.transform.rotation.w = float('nan')
    receive(mapping, '/tf', TFMessage(transforms=[bad]))
    receive(mapping, '/tf_static', TFMessage(transforms=[bad]))
    assert mapping.intake.refused == 2 and 'base_link' in mapping.intake.take_news()
    receive(mapping, 'near_wall', reading())
    mapping._mapper.settle()
    assert mapping._mapper.placed == 1, 'odometry counts on'


def test_what_ends_a_map_does_not_lose_it(mapping, tmp_path, monkeypatch):
    stand(mapping)
    receive(mapping, 'near_wall', reading())
    mapping._mapper.settle()

    def break_():
        raise ValueError('broken')

    monkeypatch.setattr(mapping._mapper, 'settle', break_)
    mapping.before_shutdown()
    assert (tmp_path / 'near_wall_map.pgm').is_file()


@pytest.mark.parametrize('file', ['../outside', '/etc/near_wall_map', 'a/../../b'])
def test_a_map_is_written_below_its_folder_alone(ros, space, tmp_path, file):
    from quiet_nav.errors import QuietNavError

    known = overrides(data_folder=str(tmp_path / 'kept'), file=file)
    with pytest.raises(QuietNavError, match=r'parameter file.*outside'):
        ProbabilityMapNode(namespace=space, parameter_overrides=known)


def test_a_link_that_leads_elsewhere_is_no_file_below_the_folder(ros, space, tmp_path):
    from quiet_nav.errors import QuietNavError

    (tmp_path / 'kept').mkdir()
    (tmp_path / 'kept' / 'link').symlink_to(tmp_path / 'elsewhere')
    known = overrides(data_folder=str(tmp_path / 'kept'), file='link')
    with pytest.raises(QuietNavError, match='outside'):
        ProbabilityMapNode(namespace=space, parameter_overrides=known)


@pytest.mark.parametrize('before_1970', [True, False])
def test_one_map_or_an_old_stamp_does_not_end_the_view(ros, space, before_1970):
    view = ros.add(LiveView(namespace=space, parameter_overrides=overrides(port=0)))
    grid = OccupancyGrid()
    grid.info.width, grid.info.height, grid.info.resolution = 3, 3, 0.1
    grid.data = [0] if not before_1970 else [0] * 9
    grid.header.stamp = Time(sec=-5) if before_1970 else Time(sec=5)
    receive(view, 'near_wall/map', grid)
    assert view.intake.refused == 1
