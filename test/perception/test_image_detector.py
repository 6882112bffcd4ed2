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

"""The vision detector from file to reading, with a model of two layers in place of a network."""

import math

import numpy as np
import pytest

pytest.importorskip('onnx')

from brightness_model import room, write_model

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.detector import NearWallDetector
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import Modality
from quiet_nav.perception.sight.image_detector import ImageDetector, LookedImage


@pytest.fixture
def detector(tmp_path):
    return ImageDetector.load(write_model(tmp_path / 'v.onnx'), threads=1)


def test_each_image_gives_a_reading_of_its_side_and_time(detector):
    left, right = room(80, 1), room(150, 2, (90, 200, 3))
    readings = detector.read([LookedImage(left, Side.LEFT, 10), LookedImage(right, Side.RIGHT, 20)])
    assert [r.side for r in readings] == [Side.LEFT, Side.RIGHT]
    assert [(r.start_ns, r.end_ns) for r in readings] == [(10, 10), (20, 20)]
    for reading, pixels in zip(readings, (left, right), strict=True):
        assert reading.valid and reading.modality == Modality.VISION and reading.clips == 1
        assert reading.probability == pytest.approx(pixels.mean() / 255, abs=1e-4)
        assert sum(reading.distance_probabilities) == pytest.approx(1.0, abs=1e-5)


def test_an_image_that_must_not_be_used_says_why_and_spares_the_others(detector):
    black = np.zeros((120, 160, 3), np.uint8)
    dark, good, told = detector.read(
        [
            LookedImage(black, Side.LEFT, 10),
            LookedImage(room(100), Side.FRONT, 20),
            LookedImage(room(100, 5), Side.RIGHT, 30, fault='encoding 16UC1'),
        ]
    )
    assert not dark.valid and dark.reason.startswith('too dark')
    assert dark.modality == Modality.VISION and math.isnan(dark.probability)
    assert good.valid
    assert (told.valid, told.reason) == (False, 'encoding 16UC1')


def test_camera_that_turned_and_saw_the_same_is_frozen(detector):
    image = room(100)
    readings = detector.read(
        [LookedImage(image, Side.LEFT, 10), LookedImage(image.copy(), Side.RIGHT, 20)]
    )
    assert [r.valid for r in readings] == [False, False]
    assert 'frozen' in readings[0].reason and 'RIGHT' in readings[0].reason


def test_stale_image_is_refused_only_where_the_time_is_known(detector):
    looked = [LookedImage(room(100), Side.LEFT, 0)]
    assert detector.read(looked)[0].valid
    assert 'stale' in detector.read(looked, now_ns=3 * 10**9)[0].reason


def test_models_of_sound_and_of_sight_are_not_confused(tmp_path):
    path = write_model(tmp_path / 'v.onnx')
    with pytest.raises(QuietNavError, match='modality vision, expected audio'):
        NearWallDetector.load(path)
    odd = write_model(tmp_path / 'o.onnx', ModelMetadata('resnet', modality='audio'))
    with pytest.raises(QuietNavError, match='modality audio, expected vision'):
        ImageDetector.load(odd)
    other = write_model(tmp_path / 'n.onnx', ModelMetadata('vggish', modality='vision'))
    with pytest.raises(QuietNavError, match='takes image; its metadata say vggish'):
        ImageDetector.load(other)
