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

"""The clock of control, on two clocks of the test's."""

import pytest

from quiet_nav.navigation.control_clock import Clocks, ControlClock, STANDS_S

S = 10**9
EPOCH = 1_700_000_000 * S


def ticked(clock, steady_s, ros_s):
    return clock.update(Clocks(round(steady_s * S), EPOCH + round(ros_s * S)))


@pytest.mark.parametrize(('set_s', 'said'), [(-20.0, 'back by 20 s'), (3600.0, 'forward by 3600')])
def test_a_clock_that_is_set_is_named_and_control_goes_on(set_s, said):
    clock = ControlClock()
    begun = ticked(clock, 5.0, 0.0)
    assert ticked(clock, 5.05, 0.05) - begun == 50_000_000
    assert clock.jump == ''
    assert ticked(clock, 5.1, 0.1 + set_s) - begun == 100_000_000, 'control is not steady'
    assert said in clock.jump
    clock.begin()
    assert clock.jump == ''


def test_a_clock_that_is_slewed_is_followed_by_stamps_without_a_word():
    clock = ControlClock()
    ticked(clock, 0.0, 0.0)
    for i in range(1, 2000):
        ticked(clock, 0.05 * i, 0.05 * i * 1.001)
    assert clock.jump == ''
    now_ros_ns = EPOCH + round(0.05 * 1999 * 1.001 * S)
    assert clock.of_stamp(now_ros_ns) == pytest.approx(clock.now_ns, abs=1000)


def test_simulated_time_is_the_time_of_control_and_stands_where_it_stands():
    clock = ControlClock(simulated=True)
    for i in range(10):
        assert ticked(clock, 0.02 * i, i) == EPOCH + i * S
    assert not clock.stands(round(0.3 * S))
    assert 'stood still' in clock.stands(round((0.18 + STANDS_S + 0.01) * S))
    assert clock.jump == ''


def test_simulated_time_of_a_slow_simulation_stands_after_four_of_its_periods():
    clock = ControlClock(simulated=True)
    for i in range(10):
        ticked(clock, 0.5 * i, 0.01 * i)
    assert not clock.stands(round((4.5 + 1.9) * S))
    assert clock.stands(round((4.5 + 2.1) * S))


@pytest.mark.parametrize(
    ('next_s', 'said'), [(3.0, 'went back by 2 s'), (5.0, ''), (60.0, 'jumped ahead by 55 s')]
)
def test_simulated_time_that_jumps_is_named(next_s, said):
    clock = ControlClock(simulated=True)
    ticked(clock, 0.0, 5.0)
    ticked(clock, 0.05, next_s)
    assert said in clock.jump if said else clock.jump == ''


def test_the_first_clock_message_of_a_simulation_is_no_jump():
    clock = ControlClock(simulated=True)
    clock.update(Clocks(0, 0))
    clock.update(Clocks(S, EPOCH))
    assert clock.jump == ''
