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

"""The shipped YAML names every parameter with its default; robots' files only known ones."""

from dataclasses import fields
import math
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy', reason='ROS 2 is not installed (make setup does)')

from quiet_nav.errors import QuietNavError
from quiet_nav.navigation.algorithms import Algorithm2Settings, AlgorithmSettings
from quiet_nav.navigation.tracker import TrackerSettings
from quiet_nav.nodes.wall_follower.parameters import WallFollowerParameters

CONFIG = Path(__file__).parents[2] / 'config'


def read(name):
    return yaml.safe_load((CONFIG / name).read_text())['/**']['wall_follower']['ros__parameters']


def test_the_shipped_file_holds_every_parameter_with_its_default():
    shipped, defaults = read('wall_follower.yaml'), WallFollowerParameters()
    assert shipped.keys() == {field.name for field in fields(WallFollowerParameters)}
    for name, value in shipped.items():
        default = getattr(defaults, name)
        assert type(value) is type(default), name
        near = isinstance(default, float) and math.isclose(value, default, abs_tol=1e-3)
        assert value == default or near, name


ROBOTS = sorted(f'robots/{path.name}' for path in (CONFIG / 'robots').glob('*.yaml'))


@pytest.mark.parametrize('robot', [name for name in ROBOTS if name.count('.') == 1])
def test_robot_profiles_are_accepted(robot):
    parameters = WallFollowerParameters(**read(robot))
    assert parameters.limits().max_linear_mps == read(robot)['max_linear_mps']


def test_every_number_has_a_range_that_holds_its_default():
    for field in fields(WallFollowerParameters):
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            low, high = field.metadata['minimum'], field.metadata['maximum']
            assert low <= field.default <= high, field.name


def test_settings_follow_the_parameters():
    parameters = WallFollowerParameters(wall_distance_m=0.7, threshold=0.3, threshold2=0.9)
    settings = parameters.policies()
    assert settings.of(TrackerSettings).wall_distance_m == 0.7
    assert settings.of(AlgorithmSettings).threshold == 0.3
    assert settings.of(Algorithm2Settings).threshold == 0.9
    with pytest.raises(QuietNavError, match='max_linear_mps'):
        WallFollowerParameters(max_linear_mps=-1.0)
