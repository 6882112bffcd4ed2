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

"""The shipped RViz and Nav2 files agree with what the nodes publish."""

import ast
import math
from pathlib import Path

import pytest
import yaml

from quiet_nav.perception.display.display import CLEAR_RANGE_M, RANGE_FIELD_OF_VIEW_RAD
from quiet_nav.perception.readings import NEAR_WALL_M
from quiet_nav.perception.rig import find_rig
from quiet_nav.recordings.predictions import MARKERS
from quiet_nav.resources import shared_file
from quiet_nav.sound.windows import WINDOW_S

NODES = Path(__file__).parents[2] / 'src' / 'quiet_nav' / 'nodes'


@pytest.fixture
def nav2():
    return yaml.safe_load(shared_file('config/nav2_near_wall.yaml').read_text())


@pytest.fixture
def monitor(nav2):
    return nav2['collision_monitor']['ros__parameters']


def inside(corners, x, y):
    """Whether a point is in a convex polygon given counter-clockwise or clockwise."""
    turns = [
        (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True)
    ]
    return all(t >= 0.0 for t in turns) or all(t <= 0.0 for t in turns)


@pytest.mark.parametrize('rig', ['pair', 'trio'])
def test_collision_monitor_slows_down_for_a_near_wall_and_not_for_clear(monitor, rig):
    polygon = monitor['NearWallSlow']
    corners = [tuple(corner) for corner in ast.literal_eval(polygon['points'])]
    for ear in find_rig(rig).ears:
        if f'near_wall_{ear.side.name.lower()}' not in monitor['observation_sources']:
            continue
        for metres, expected in ((NEAR_WALL_M, True), (CLEAR_RANGE_M, False)):
            for share in (-0.5, 0.0, 0.5):
                angle = ear.side.yaw_rad + share * RANGE_FIELD_OF_VIEW_RAD
                x, y = ear.x + metres * math.cos(angle), ear.y + metres * math.sin(angle)
                assert inside(corners, x, y) == expected, (ear.side, metres)


def test_sources_wait_longer_than_a_window_and_have_a_topic_each(monitor):
    sources = [monitor[name] for name in monitor['observation_sources'] if 'near_wall' in name]
    assert len(sources) == 2
    assert all(source['source_timeout'] > WINDOW_S for source in sources)
    assert {source['topic'] for source in sources} == {
        'near_wall/range/left',
        'near_wall/range/right',
    }


def test_range_layer_takes_finite_ranges_and_clears(nav2):
    parameters = nav2['local_costmap']['local_costmap']['ros__parameters']
    layer = parameters['near_wall_layer']
    plugins = parameters['plugins']
    assert plugins.index('near_wall_layer') < plugins.index('inflation_layer')
    assert layer['topics'] == ['near_wall/range']
    assert layer['clear_on_max_reading'] and layer['input_sensor_type'] == 'VARIABLE'
    # Beyond phi the layer's sensor model marks nothing.
    assert layer['phi'] > NEAR_WALL_M


def displays(node):
    """Every display of an RViz file, groups included."""
    for item in node.get('Displays', []):
        yield item
        yield from displays(item)


def test_rviz_shows_the_topics_that_nodes_publish():
    config = yaml.safe_load(shared_file('config/quiet_nav.rviz').read_text())
    shown = list(displays(config['Visualization Manager']))
    topics = {item['Topic']['Value']: item for item in shown if 'Topic' in item}
    code = '\n'.join(path.read_text() for path in NODES.rglob('*.py'))
    for topic in ('near_wall/markers', 'near_wall/map', 'near_wall/image', 'near_wall/range'):
        assert topic in topics
        assert f"'{topic}'" in code
    assert MARKERS in topics, 'the fans of a replay'
    # A latched map is lost on a volatile subscription.
    assert topics['near_wall/map']['Topic']['Durability Policy'] == 'Transient Local'
    for item in shown:
        assert item['Class'].startswith('rviz_default_plugins/')
        assert item['Enabled'] == item['Value'], item['Name']
    assert config['Visualization Manager']['Global Options']['Fixed Frame'] == 'odom'


def test_map_file_says_every_parameter_and_its_default():
    pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
    pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')
    import dataclasses

    from quiet_nav.nodes.probability_map import ProbabilityMapParameters

    shipped = yaml.safe_load(shared_file('config/probability_map.yaml').read_text())
    said = shipped['/**/probability_map']['ros__parameters']
    assert said == dataclasses.asdict(ProbabilityMapParameters())
