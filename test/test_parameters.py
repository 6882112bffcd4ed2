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

"""Parameters as a dataclass: what is declared, what is refused, what a change does."""

import dataclasses
from dataclasses import dataclass
import importlib
import pkgutil

import pytest
from rclpy.parameter import Parameter

from quiet_nav import nodes
from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.parameters import parameter, Parameters

#: What each node reads anew whenever it needs it; all else is refused once it has been read.
LIVE = {
    'MicrophoneParameters': {'max_clipped', 'silence_dbfs'},
    'RealSenseParameters': {'max_unread', 'min_rate'},
    'SimulatedRobotParameters': {
        'start', 'pose', 'time_factor', 'camera_rate_hz', 'light', 'audio', 'camera',
        'camera_fault', 'camera_fault_s', 'camera_away_s', 'odometry', 'failures',
    },
    'WallDistanceParameters': {
        'least_valid', 'without_reading', 'field_of_view', 'min_range', 'max_range', 'max_age_s',
    },
    'WallFollowerParameters': {
        'algorithm', 'patience_s', 'regain_s', 'seed', 'step_length_m', 'threshold', 'threshold2',
        'dead_band', 'gain_rad', 'gain2_rad', 'max_turn_rad', 'max_turn2_rad', 'ahead2',
        'ahead_turn2_rad', 'wall_distance_m', 'tracker_step_m', 'particles',
    },
}  # fmt: skip


def every_class():
    """Yield the parameters of every node."""
    for module in pkgutil.walk_packages(nodes.__path__, 'quiet_nav.nodes.'):
        if not module.name.endswith('__main__'):
            for name, found in vars(importlib.import_module(module.name)).items():
                if name.endswith('Parameters') and dataclasses.is_dataclass(found):
                    yield found


def test_what_is_read_once_cannot_be_set_later_in_any_node():
    classes = {cls.__name__: cls for cls in every_class()}
    assert len(classes) >= 9
    for name, cls in classes.items():
        live = {
            field.name
            for field in dataclasses.fields(cls)
            if not any(field.metadata[mark] for mark in ('read_only', 'at_configure', 'safety'))
        }
        assert live == LIVE.get(name, set()), name


@dataclass(frozen=True)
class Options:
    rate_hz: float = parameter(2.0, 'readings a second', minimum=0.1, maximum=10.0)
    threads: int = parameter(2, 'threads', minimum=1, maximum=64, read_only=True)
    mode: str = parameter('fast', 'what to prefer', choices=('fast', 'exact'))
    names: tuple[str, ...] = parameter((), 'names to look for')
    low: float = parameter(0.1, 'lower end')
    high: float = parameter(0.9, 'upper end')
    model: str = parameter('small', 'what to load', at_configure=True)
    device: str = parameter('', 'index or name', number_is_text=True)

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise QuietNavError(f'low {self.low} must be below high {self.high}')


def make(ros, on_change=None, **overrides):
    given = [Parameter(name, value=value) for name, value in overrides.items()]
    node = ros.node('options', parameter_overrides=given)
    return node, Parameters(node, Options, on_change)


def set_one(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def test_defaults_and_overrides_arrive_typed(ros):
    _, parameters = make(ros, threads=5, names=['a', 'b'])
    assert parameters.value == Options(threads=5, names=('a', 'b'))


def test_descriptors_say_description_range_and_read_only(ros):
    node, _ = make(ros)
    rate = node.describe_parameter('rate_hz')
    assert rate.description == 'readings a second'
    assert rate.floating_point_range[0].to_value == 10.0
    assert node.describe_parameter('threads').read_only
    assert node.describe_parameter('threads').integer_range[0].from_value == 1
    assert node.describe_parameter('mode').additional_constraints == 'one of fast, exact'
    assert node.describe_parameter('names').description == 'names to look for'


@pytest.mark.parametrize('given', [1, '1', 'hw:1'])
def test_a_text_that_may_be_a_number_is_taken_as_it_is_typed(ros, given):
    _, parameters = make(ros, device=given)
    assert parameters.value.device == str(given)


@pytest.mark.parametrize(
    'overrides, said',
    [
        ({'mode': 1}, 'mode'),
        ({'device': 1.5}, 'device'),
        ({'rate_hz': 11.0}, 'rate_hz'),
        ({'rate_hz': 2}, 'write 2.0 for 2'),
        ({'mode': 'slow'}, 'one of fast, exact'),
        ({'low': 0.95}, 'must be below'),
        ({'names': 3}, 'names'),
    ],
)
def test_bad_values_at_start_are_refused_by_name(ros, overrides, said):
    with pytest.raises(QuietNavError, match=said):
        make(ros, **overrides)


def test_a_good_change_is_seen_and_announced(ros):
    seen = []
    node, parameters = make(ros, seen.append)
    assert set_one(node, 'mode', 'exact').successful
    assert parameters.value.mode == 'exact'
    assert seen == [parameters.value]


@pytest.mark.parametrize(
    'name, value', [('rate_hz', 0.0), ('threads', 3), ('mode', 'slow'), ('high', 0.05)]
)
def test_a_bad_change_is_refused_and_leaves_the_value(ros, name, value):
    seen = []
    node, parameters = make(ros, seen.append)
    result = set_one(node, name, value)
    assert not result.successful
    assert result.reason
    assert parameters.value == Options()
    assert seen == []


def test_what_is_read_at_configure_is_refused_until_the_node_is_cleaned_up(ros):
    configured = [False]
    node = ros.node('options')
    parameters = Parameters(node, Options, configured=lambda: configured[0])
    assert node.describe_parameter('model').additional_constraints == (
        'read when the node is configured'
    )
    assert set_one(node, 'model', 'large').successful
    configured[0] = True
    result = set_one(node, 'model', 'small')
    assert not result.successful
    assert result.reason == (
        'parameter model: read when the node is configured; clean it up (`ros2 lifecycle set NODE '
        'cleanup`), set it, and configure it again'
    )
    assert parameters.value.model == 'large'
    configured[0] = False
    assert set_one(node, 'model', 'small').successful


def test_a_silent_room_without_own_sound_is_refused():
    from quiet_nav.nodes.simulated_robot import SimulatedRobotParameters

    with pytest.raises(QuietNavError, match='nothing is left to hear by; set own_sound'):
        SimulatedRobotParameters(silent_room=True)
    assert SimulatedRobotParameters(silent_room=True, own_sound='10').silent_room
