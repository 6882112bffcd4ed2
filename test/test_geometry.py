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

"""Angles: directions apart, over the seam at 180 degrees too."""

import math

import numpy as np
import pytest

from quiet_nav.geometry import angle_between


@pytest.mark.parametrize(
    ('one', 'other', 'apart'),
    [(0, 0, 0), (10, -10, 20), (170, -170, 20), (-170, 170, 20), (0, 180, 180), (725, 0, 5)],
)
def test_directions_are_apart_by_the_shorter_turn(one, other, apart):
    found = angle_between(math.radians(one), math.radians(other))
    assert found == pytest.approx(math.radians(apart))


def test_arrays_of_directions_broadcast():
    found = angle_between(np.radians([0.0, 90.0, 270.0]), math.radians(-90.0))
    assert found == pytest.approx(np.radians([90.0, 180.0, 0.0]))
