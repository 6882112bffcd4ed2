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

"""How readings are shown: colors, fans, labels, ranges and the overlay on the camera image."""

import math

import numpy as np
import pytest

from quiet_nav.geometry import Side
from quiet_nav.perception.display.display import (
    colors,
    fan,
    is_near,
    PROBABILITY_MAP,
    range_m,
)
from quiet_nav.perception.display.overlay import (
    CLEAR_COLOR,
    NEAR_COLOR,
    ProbabilityStrip,
    RIGHT_COLOR,
    WRONG_COLOR,
)
from quiet_nav.perception.readings import NearWallReading

S = 1_000_000_000


def heard(p, side=Side.LEFT, end_ns=3 * S):
    return NearWallReading(side, p, end_ns - 3 * S, end_ns)


def deaf(side=Side.LEFT):
    return NearWallReading.invalid(side, 0, 3 * S, 'clipped')


def test_colors_are_those_of_the_figures():
    matplotlib = pytest.importorskip('matplotlib')
    p = np.linspace(0.0, 1.0, 101)
    assert np.abs(colors(p) - matplotlib.colormaps[PROBABILITY_MAP](p)[:, :3]).max() < 0.03


def test_colors_grow_lighter_evenly_with_probability():
    # Relative luminance: what is left in gray print and to an eye that sees no hue.
    linear = np.where(
        (rgb := colors(np.linspace(0.0, 1.0, 50))) <= 0.04045,
        rgb / 12.92,
        ((rgb + 0.055) / 1.055) ** 2.4,
    )
    lightness = np.cbrt(linear @ [0.2126, 0.7152, 0.0722])
    steps = np.diff(lightness)
    assert steps.min() > 0.0
    assert steps.max() < 3.0 * steps.min()


def test_unknown_probability_is_gray():
    r, g, b = colors(np.array(np.nan))
    assert r == g == b


def test_fan_is_as_long_as_the_probability_says():
    for p, length in ((0.0, 0.1), (0.5, 0.3), (1.0, 0.5)):
        corners = np.array(fan(heard(p)).triangles)
        assert np.hypot(*corners.T).max() == pytest.approx(length)


def test_fan_looks_along_x_and_opens_sixty_degrees():
    corners = np.array(fan(heard(1.0), segments=4).triangles)
    assert corners.shape == (12, 2)
    angles = np.arctan2(corners[:, 1], corners[:, 0])
    assert angles.min() == pytest.approx(-math.pi / 6.0)
    assert angles.max() == pytest.approx(math.pi / 6.0)
    for apex, a, b in corners.reshape(-1, 3, 2):
        assert tuple(apex) == (0.0, 0.0)
        assert a[0] * b[1] - a[1] * b[0] > 0.0, 'seen from above it must face up'


def test_valid_reading_shows_its_number_and_invalid_one_its_reason_dimmed():
    good, bad = fan(heard(0.874)), fan(deaf())
    assert good.label == '0.87'
    assert 'clipped' in bad.label
    assert bad.alpha < 0.5 < good.alpha
    assert bad.color[0] == bad.color[1] == bad.color[2]


@pytest.mark.parametrize(
    ('reading', 'still', 'meters'),
    [
        (heard(0.9), True, 0.5),
        (heard(0.5), None, 0.5),
        (heard(0.49), True, 1.0),
        (heard(0.9), False, None),
        (deaf(), True, None),
        (deaf(), None, None),
    ],
)
def test_range_is_finite_near_or_clear_and_silent_otherwise(reading, still, meters):
    assert range_m(reading, still) == meters


def test_invalid_reading_is_never_near():
    assert not is_near(deaf())
    assert is_near(heard(0.8)) and not is_near(heard(0.8), threshold=0.9)


def test_overlay_draws_the_newest_at_the_right_and_keeps_the_rest_of_the_image():
    strip = ProbabilityStrip(length=4)
    image = np.full((96, 203, 3), 77, np.uint8)
    strip.add(heard(0.0))
    strip.add(heard(0.4))
    drawn = strip.draw(image)
    assert image.max() == 77, 'the camera image itself stays as it is'
    # Rows of 8 pixels: a strip and the legend; the number before the strip takes 43.
    # The border is two pixels wide.
    assert (drawn[2:80, 2:-2] == 77).all()
    expected = np.round(255 * colors(np.array([np.nan, np.nan, 0.0, 0.4])))
    expected[:2] = 0
    for column in range(4):
        begin = 43 + 40 * column
        assert (drawn[80:87, begin : begin + 38] == expected[column]).all()


def test_overlay_has_a_strip_a_side_front_above_left_above_right():
    strip = ProbabilityStrip(length=1)
    for side, p in ((Side.RIGHT, 0.1), (Side.FRONT, 0.2), (Side.LEFT, 0.3)):
        strip.add(heard(p, side))
    drawn = strip.draw(np.zeros((96, 200, 3), np.uint8))
    assert strip.sides == (Side.FRONT, Side.LEFT, Side.RIGHT)
    for row, p in ((64, 0.2), (72, 0.3), (80, 0.1)):
        assert (drawn[row : row + 7, 43:-2] == np.round(255 * colors(np.array(p)))).all()


def test_overlay_says_its_numbers_in_letters_that_are_legible_where_rviz_shows_it():
    strip = ProbabilityStrip()
    strip.add(heard(0.1))
    without = strip.draw(np.zeros((480, 640, 3), np.uint8))[400:440, :200]
    # White on black, and at the 0.56 of its size that RViz's panel has still 11 pixels high.
    rows = np.flatnonzero((without.min(axis=2) > 200).any(axis=1))
    assert 0.56 * (rows[-1] - rows[0] + 1) >= 11
    strip.add(heard(0.3))
    assert (strip.draw(np.zeros((480, 640, 3), np.uint8))[400:440, :200] != without).any()


def test_overlay_says_below_its_strips_what_their_colors_mean():
    strip = ProbabilityStrip()
    strip.add(heard(0.1))
    legend = strip.draw(np.zeros((480, 640, 3), np.uint8))[440:]
    bar = legend[20, (legend[20].max(axis=1) > 0) & (legend[20].min(axis=1) < 200)]
    for p in (0.0, 0.5, 1.0):
        wanted = 255 * colors(np.array(p))
        assert np.abs(bar - wanted).sum(axis=1).min() < 12


def test_strips_without_a_camera_are_the_same_rows():
    strip = ProbabilityStrip()
    strip.add(heard(0.1))
    strip.add(heard(0.2, Side.RIGHT))
    alone = strip.alone()
    assert alone.shape == (120, 640, 3)
    drawn = strip.draw(np.zeros((480, 640, 3), np.uint8))[360:]
    # Borders are as wide as their images allow: 2 and 8 pixels.
    assert np.array_equal(alone[2:-8, 8:-8], drawn[2:-8, 8:-8])


def test_overlay_has_an_orange_border_while_a_wall_is_near_and_else_a_green_one():
    strip = ProbabilityStrip()
    image = np.zeros((120, 160, 3), np.uint8)
    strip.add(heard(0.9))
    assert (strip.draw(image)[0] == NEAR_COLOR).all()
    assert (strip.draw(image)[:, -1] == NEAR_COLOR).all()
    strip.add(heard(0.1))
    assert (strip.draw(image)[0] == CLEAR_COLOR).all()
    strip.add(deaf())
    assert not strip.near


def test_overlay_has_a_blue_border_where_the_front_is_right_and_a_red_one_where_it_is_wrong():
    strip = ProbabilityStrip()
    image = np.zeros((120, 160, 3), np.uint8)

    def border(p, distance_m, seen_ns=3 * S, side=Side.FRONT):
        strip.add(heard(p, side))
        strip.saw(distance_m, seen_ns)
        return tuple(strip.draw(image)[0, 80])

    assert border(0.9, 0.4) == border(0.1, 0.6) == border(0.1, math.inf) == RIGHT_COLOR
    assert border(0.9, 0.6) == border(0.1, 0.4) == WRONG_COLOR
    # The other sides are not what the camera sees, and a second is long ago.
    assert border(0.9, 0.4, side=Side.LEFT) == WRONG_COLOR
    assert border(0.1, 0.4, seen_ns=5 * S) == border(0.1, math.nan) == NEAR_COLOR
    strip.add(heard(0.1))
    assert tuple(strip.draw(image)[0, 80]) == CLEAR_COLOR
    strip.add(deaf(Side.FRONT))
    strip.saw(0.4, 3 * S)
    assert strip.right is None


def test_overlay_forgets_what_is_older_than_the_strip():
    strip = ProbabilityStrip(length=3)
    for p in np.linspace(0.0, 0.4, 1000):
        strip.add(heard(p))
    drawn = strip.draw(np.zeros((48, 44, 3), np.uint8))
    newest = np.round(255 * colors(np.linspace(0.0, 0.4, 1000)[-3:]))
    # The text before the strip takes half of so narrow an image.
    assert np.array_equal(np.unique(drawn[40, 22:-2], axis=0), np.unique(newest, axis=0))
