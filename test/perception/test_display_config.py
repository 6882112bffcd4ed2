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
import struct

import numpy as np
import pytest
import yaml

from quiet_nav.geometry import Side
from quiet_nav.perception.display.display import (
    CLEAR_RANGE_M,
    colors,
    fan,
    RANGE_FIELD_OF_VIEW_RAD,
)
from quiet_nav.perception.display.markers import ReadingMarkers
from quiet_nav.perception.readings import NEAR_WALL_M, NearWallReading
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
        for meters, expected in ((NEAR_WALL_M, True), (CLEAR_RANGE_M, False)):
            for share in (-0.5, 0.0, 0.5):
                angle = ear.side.yaw_rad + share * RANGE_FIELD_OF_VIEW_RAD
                x, y = ear.x + meters * math.cos(angle), ear.y + meters * math.sin(angle)
                assert inside(corners, x, y) == expected, (ear.side, meters)


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


def test_the_names_of_the_3d_views_displays_are_its_legend_with_units():
    config = yaml.safe_load(shared_file('config/quiet_nav.rviz').read_text())
    shown = {item['Name']: item for item in displays(config['Visualization Manager'])}
    fans = {}
    for p in (0.0, 1.0):
        reading = NearWallReading(Side.LEFT, p, 0, 3_000_000_000)
        fans[p] = float(np.linalg.norm(fan(reading).triangles, axis=-1).max())
    name = f'Near wall, P (violet 0, yellow 1; fan {fans[0.0]:.1f} m to {fans[1.0]:.1f} m)'
    assert shown[name]['Topic']['Value'] == 'near_wall/markers' and shown[name]['Enabled']
    # Violet: blue and red over green. Yellow: red and green over blue.
    low, high = colors(np.array(0.0)), colors(np.array(1.0))
    assert min(low[0], low[2]) > low[1] and min(high[0], high[1]) > high[2]
    grid = shown['Near-wall map (white P = 0, black P = 1)']
    assert grid['Color Scheme'] == 'map' and grid['Enabled']
    assert shown['Grid, 1 m']['Cell Size'] == 1
    assert shown['Range for Nav2, m']['Topic']['Value'] == 'near_wall/range'
    # The bar of colors itself is in the image, a dock that is there from the beginning.
    image = shown['Camera and near wall']
    assert image['Topic']['Value'] == 'near_wall/image' and image['Enabled']


def dock_sizes(state: bytes) -> dict[int, tuple[int, int]]:
    """Return width and height by area (0 left, 1 right, 3 bottom) of a QMainWindow's state."""
    # Qt's QMainWindowLayoutState and QDockAreaLayoutInfo: saveState of both.
    assert struct.unpack_from('>iiBi', state)[:3] == (0xFF, 0, 0xFD)
    (areas,), at, sizes = struct.unpack_from('>i', state, 9), 13, {}
    for _ in range(areas):
        area, width, height, marker, _, count = struct.unpack_from('>iiiBBi', state, at)
        assert marker == 0xFC, 'docks beside each other, not in tabs'
        at += 18
        shown = False
        for _ in range(count):
            kind, length = struct.unpack_from('>BI', state, at)
            assert kind == 0xFB
            at += 5 + length
            shown = bool(state[at] & 1) or shown
            at += 17
        sizes[area] = (width, height) if shown else (0, 0)
    return sizes


@pytest.mark.parametrize('window_px', [1400, 1920])
def test_rviz_gives_the_3d_view_seventy_percent_of_the_width(window_px):
    config = yaml.safe_load(shared_file('config/quiet_nav.rviz').read_text())
    window = config['Window Geometry']
    assert window['Width'] == 1400
    sizes = dock_sizes(bytes.fromhex(window['QMainWindow State']))
    # Docks keep their width while the window grows; 4 pixels a separator.
    docks = sum(sizes.get(area, (0, 0))[0] + 4 for area in (0, 1))
    assert (window_px - docks) / window_px >= 0.7
    assert sizes[3][1] < 0.1 * window['Height'], 'Time lies flat at the bottom'
    state = bytes.fromhex(window['QMainWindow State'])
    names = [item['Name'] for item in config['Panels']]
    names += [
        d['Name']
        for d in displays(config['Visualization Manager'])
        if d['Class'].endswith('/Image')
    ]
    for name in names:
        assert name.encode('utf-16-be') in state, 'a dock without a place takes one at the left'


def contrast(a, b):
    """Return WCAG's contrast ratio of two colors from 0 to 1."""

    def luminance(rgb):
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_fans_of_no_wall_and_of_a_near_one_stand_out_from_the_background():
    config = yaml.safe_load(shared_file('config/quiet_nav.rviz').read_text())
    said = config['Visualization Manager']['Global Options']['Background Color']
    background = [int(v) / 255.0 for v in said.split(';')]
    for p in (0.0, 1.0):
        assert contrast(colors(np.array(p)), background) > 2.5
    reading = NearWallReading(Side.LEFT, 0.9, 0, 3_000_000_000)
    live = {m.namespace: m for m in ReadingMarkers(find_rig('pair')).live(reading)}
    assert contrast(live['probability'].color, live['plate'].color) > 4.5
    for white in (live['outline'].color, live['plate'].color):
        assert contrast(white, (1.0, 1.0, 1.0)) > 4.5, 'on a light map'


def test_map_file_says_every_parameter_and_its_default():
    pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')
    pytest.importorskip('quiet_nav.msg', reason='the messages are not built (make setup does)')
    import dataclasses

    from quiet_nav.nodes.probability_map import ProbabilityMapParameters

    shipped = yaml.safe_load(shared_file('config/probability_map.yaml').read_text())
    said = shipped['/**/probability_map']['ros__parameters']
    assert said == dataclasses.asdict(ProbabilityMapParameters())
