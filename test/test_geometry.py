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
