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

"""Velocities, accelerations, rest and jumps against cases worked by hand."""

import math

from hypothesis import given
from hypothesis import strategies as st
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.navigation.limits import SafetyLimits, STOP, Twist2D

LIMITS = SafetyLimits(
    max_linear_mps=0.2,
    max_angular_rps=1.0,
    max_linear_accel_mps2=0.5,
    max_angular_accel_rps2=2.0,
    jump_margin_m=0.1,
    jump_margin_rad=0.3,
)
numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(numbers, numbers, numbers, numbers, st.floats(0.0, 10.0))
def test_no_command_is_ever_faster_than_the_limits(v, w, last_v, last_w, dt):
    out = LIMITS.bound(
        Twist2D(v, w),
        Twist2D(last_v if math.isfinite(last_v) else 0.0, last_w if math.isfinite(last_w) else 0.0),
        dt,
    )
    assert abs(out.linear_mps) <= 0.2
    assert abs(out.angular_rps) <= 1.0


def test_acceleration_is_limited_both_ways():
    assert LIMITS.bound(Twist2D(0.2, 1.0), STOP, 0.1) == Twist2D(0.05, 0.2)
    slowed = LIMITS.bound(STOP, Twist2D(0.2, -1.0), 0.1)
    assert slowed.linear_mps == pytest.approx(0.15)
    assert slowed.angular_rps == pytest.approx(-0.8)


def test_a_velocity_that_is_not_finite_stops_its_axis():
    assert LIMITS.bound(Twist2D(math.nan, 0.1), Twist2D(0.2, 0.1), 0.1) == Twist2D(0.0, 0.1)


@pytest.mark.parametrize(
    ('twist', 'rest'),
    [
        (STOP, True),
        (Twist2D(0.005, 0.01), True),
        (Twist2D(0.02, 0.0), False),
        (Twist2D(0.0, -0.05), False),
        (Twist2D(math.nan, 0.0), False),
    ],
)
def test_rest_is_judged_by_the_measured_twist(twist, rest):
    assert LIMITS.at_rest(twist) is rest


@pytest.mark.parametrize(
    ('after', 'dt', 'jump'),
    [
        (Pose2D(0.11, 0.0, 0.0), 0.1, False),
        (Pose2D(0.13, 0.0, 0.0), 0.1, True),
        (Pose2D(0.13, 0.0, 0.0), 1.0, False),
        (Pose2D(0.0, 0.0, 0.5), 0.1, True),
        (Pose2D(0.0, 0.0, 0.35), 0.1, False),
        (Pose2D(math.nan, 0.0, 0.0), 0.1, True),
    ],
)
def test_odometry_that_outruns_the_robot_has_jumped(after, dt, jump):
    assert LIMITS.jumped(Pose2D(), after, dt) is jump


@pytest.mark.parametrize('bad', [0.0, -1.0, math.nan, math.inf])
def test_limits_must_be_positive(bad):
    with pytest.raises(QuietNavError, match='max_linear_mps'):
        SafetyLimits(max_linear_mps=bad)
