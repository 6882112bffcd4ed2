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

from dataclasses import dataclass

import pytest
from rclpy.parameter import Parameter

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.parameters import parameter, Parameters


@dataclass(frozen=True)
class Options:
    rate_hz: float = parameter(2.0, 'readings a second', minimum=0.1, maximum=10.0)
    threads: int = parameter(2, 'threads', minimum=1, maximum=64, read_only=True)
    mode: str = parameter('fast', 'what to prefer', choices=('fast', 'exact'))
    names: tuple[str, ...] = parameter((), 'names to look for')
    low: float = parameter(0.1, 'lower end')
    high: float = parameter(0.9, 'upper end')

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


@pytest.mark.parametrize(
    'overrides, said',
    [
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
