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

"""Fixtures of the wall follower's tests: a namespace, the bench around it, the node itself."""

import itertools

import pytest

_numbers = itertools.count()


@pytest.fixture
def space():
    """Return a namespace of its own a test: killed nodes of tests before linger in discovery."""
    return f'/t{next(_numbers)}'


@pytest.fixture
def bench(ros, space, stalls):
    from follower_bench import Bench

    return Bench(ros, space, stalls)


@pytest.fixture
def follower(node_process, space):
    from follower_bench import QUICK

    # The bench's heart beats from the process of the tests, which does much beside.
    return node_process('wall_follower', {**QUICK, 'beat_timeout_s': 1.0}, '-r', f'__ns:={space}')


@pytest.fixture
def patient(node_process, space):
    """Start a follower for which a machine that stands half a second has lost no sensor."""
    from follower_bench import QUICK

    settings = {**QUICK, 'sensor_timeout_s': 5.0, 'beat_timeout_s': 5.0}
    return node_process('wall_follower', settings, '-r', f'__ns:={space}')
