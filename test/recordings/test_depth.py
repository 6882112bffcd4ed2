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

"""Depth images as distances to the wall ahead."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.recordings.depth import (
    decode_depth,
    DepthTrack,
    image_wall_distance,
    parse_depth_mean,
    WallDistance,
)


def image(pixels, encoding='16UC1', pad=0, big=False):
    kind = pixels.dtype.newbyteorder('>' if big else '<')
    rows = pixels.astype(kind).view(np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, pad)))
    return SimpleNamespace(
        encoding=encoding,
        height=pixels.shape[0],
        width=pixels.shape[1],
        step=rows.shape[1],
        data=rows.tobytes(),
        is_bigendian=big,
    )


def test_only_the_central_320_by_240_pixels_count():
    pixels = np.full((480, 640), 9000, np.uint16)
    pixels[120:360, 160:480] = 700
    found = image_wall_distance(image(pixels))
    assert found.distance_m == pytest.approx(0.7) and found.valid_share == 1.0
    pixels[120, 160] = 9000
    assert image_wall_distance(image(pixels)).distance_m == pytest.approx(0.7 + 8.3 / 76800)


def test_pixels_without_a_reading_are_left_out_of_the_mean():
    pixels = np.full((480, 640), 500, np.uint16)
    pixels[:, ::2] = 0
    found = image_wall_distance(image(pixels))
    assert found.distance_m == pytest.approx(0.5) and found.valid_share == 0.5


@pytest.mark.parametrize('read', [1.0, 0.5, 0.05])
def test_the_authors_mean_counts_pixels_without_a_reading_as_zero(read):
    rng = np.random.default_rng(0)
    pixels = rng.integers(400, 900, (480, 640)).astype(np.uint16)
    pixels[rng.uniform(size=pixels.shape) > read] = 0
    # As their read_depth: NumPy's mean over the central half of both axes.
    expected = np.mean(pixels[120:360, 160:480]) / 1000
    found = image_wall_distance(image(pixels), mean='authors')
    assert found.valid and found.distance_m == pytest.approx(expected, rel=1e-9)
    in_meters = np.where(pixels > 0, pixels / 1000, np.nan).astype(np.float32)
    found = image_wall_distance(image(in_meters, '32FC1'), mean='authors')
    assert found.distance_m == pytest.approx(expected, rel=1e-5)


def test_an_image_without_any_reading_has_no_distance_by_the_authors_mean_either():
    found = image_wall_distance(image(np.zeros((480, 640), np.uint16)), mean='authors')
    assert math.isnan(found.distance_m) and not found.valid


def test_other_depth_means_are_refused():
    with pytest.raises(QuietNavError, match="'zeros'; expected valid or authors"):
        parse_depth_mean('zeros')


def test_meters_as_floats_with_nan_for_no_reading():
    pixels = np.full((240, 320), 1.25, np.float32)
    pixels[:100] = np.nan
    found = image_wall_distance(image(pixels, '32FC1'))
    assert found.distance_m == pytest.approx(1.25) and found.valid


def test_too_few_valid_pixels_are_said():
    pixels = np.zeros((480, 640), np.uint16)
    found = image_wall_distance(image(pixels))
    assert math.isnan(found.distance_m) and '0 % of the central 320x240 pixels' in found.reason
    pixels[120:140, 160:480] = 400
    assert not image_wall_distance(image(pixels)).valid
    assert image_wall_distance(image(pixels), least_valid=0.05).distance_m == pytest.approx(0.4)


@pytest.mark.parametrize(
    ('encoding', 'kind', 'value', 'sent'),
    [('32FC1', np.float32, 850.0, 'millimeters'), ('16UC1', np.uint16, 2, 'meters')],
)
def test_depth_in_units_that_its_encoding_does_not_have_is_no_distance(encoding, kind, value, sent):
    found = image_wall_distance(image(np.full((240, 320), value, kind), encoding))
    assert math.isnan(found.distance_m) and not found.valid and found.valid_share == 1.0
    assert f'does the camera send {sent}? It should send 16UC1' in found.reason


def test_padded_rows_and_byte_order_are_understood():
    pixels = np.arange(6, dtype=np.uint16).reshape(2, 3)
    for options in ({'pad': 4}, {'big': True}):
        sent = image(pixels, **options)
        found, unit = decode_depth(sent)
        assert unit == 1e-3 and np.array_equal(found, pixels)


def test_other_images_are_refused():
    pixels = np.zeros((2, 3), np.uint16)
    with pytest.raises(QuietNavError, match="'rgb8'; expected one of 16UC1"):
        image_wall_distance(image(pixels, 'rgb8'))
    sent = image(pixels)
    sent.data = sent.data[:-1]
    with pytest.raises(QuietNavError, match='not whole: 3 x 2 pixels of 2 bytes with 11 bytes'):
        image_wall_distance(sent)


def test_track_keeps_distances_in_order_of_time():
    track = DepthTrack()
    for time_ns, meters in ((3, 0.3), (1, 0.1), (2, math.nan)):
        track.add(time_ns, WallDistance(meters, 0.0, '' if meters == meters else 'too few'))
    assert track.times_ns.tolist() == [1, 3] and track.distances_m.tolist() == [0.1, 0.3]
    assert track.images == 3 and track.last_reason == 'too few'
