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
"""What a model is told of the robot's own sound: each ear's own mean, and its fingerprint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, TensorProto
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.bands import BANDS
from quiet_nav.perception.context import FRAMES, SLOTS
from quiet_nav.perception.detector import HeardWindow, NearWallDetector
from quiet_nav.perception.fingerprint import Fingerprint
from quiet_nav.perception.interference import OwnSoundPlaces
from quiet_nav.perception.model_file import FINGERPRINT, NEAREST, OWN_REFERENCE
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.reference import RoomReference
from quiet_nav.perception.rig import Ear, Rig
from quiet_nav.perception.standing_sound import band_frequencies_hz, StandingSound
from quiet_nav.sound.windows import Window, WINDOW_SAMPLES

EARS = (Ear(0, 0.0, 0.15, 0.2, Side.LEFT), Ear(1, 0.0, -0.15, 0.2, Side.RIGHT))
RIG = Rig('pair', EARS)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Write a model that hears how loud a window is at most: that is its spectrum, in every band.

    It says 1/2 where there is a fingerprint, and a tenth of the ear's own mean besides.
    """
    names = ('reference', 'other_ears', NEAREST, OWN_REFERENCE, FINGERPRINT)
    metadata = ModelMetadata('context', WINDOW_SAMPLES, contexts=names)
    bins = metadata.bins.count
    nodes = [
        helper.make_node('ReduceMax', ['waveform', 'last'], ['peak'], keepdims=1),
        helper.make_node('Mul', ['reference', 'zero'], ['nothing']),
        helper.make_node('Add', ['nothing', 'peak'], ['spectrum']),
        helper.make_node('ReduceMean', ['own_reference', 'last'], ['own'], keepdims=1),
        helper.make_node('Mul', ['own', 'tenth'], ['share']),
        helper.make_node('Unsqueeze', ['has_fingerprint', 'last'], ['column']),
        helper.make_node('Mul', ['column', 'half'], ['printed']),
        helper.make_node('Add', ['share', 'printed'], ['said']),
        helper.make_node('ReduceSum', ['clip_weights', 'last'], ['runs'], keepdims=0),
        helper.make_node('Mul', ['said', 'runs'], ['probability']),
        helper.make_node('Unsqueeze', ['probability', 'last'], ['deep']),
        helper.make_node('Mul', ['deep', 'zero'], ['flat']),
        helper.make_node('Add', ['flat', 'even'], ['distance_probabilities']),
        helper.make_node('Mul', ['has_reference', 'zero'], ['transient']),
    ]
    constants = {
        'last': np.array([-1]),
        'zero': np.float32(0.0),
        'half': np.float32(0.5),
        'tenth': np.float32(0.1),
        'even': np.full(bins, 1 / bins, np.float32),
    }
    inputs = {
        'waveform': ['n', WINDOW_SAMPLES],
        'clip_weights': ['runs', FRAMES],
        'reference': ['n', BANDS],
        'own_reference': ['n', BANDS],
        'has_reference': ['n'],
        'fingerprint': ['n', len(band_frequencies_hz())],
        'has_fingerprint': ['n'],
        'others': ['n', len(SLOTS)],
        'simultaneous': ['n', len(SLOTS)],
        NEAREST: ['n'],
    }
    outputs = {
        'probability': ['n', 'runs'],
        'distance_probabilities': ['n', 'runs', bins],
        'spectrum': ['n', BANDS],
        'transient': ['n'],
    }
    whole = {'others': TensorProto.INT64}
    made = helper.make_model(
        helper.make_graph(
            nodes,
            'loudest',
            [
                helper.make_tensor_value_info(name, whole.get(name, TensorProto.FLOAT), shape)
                for name, shape in inputs.items()
            ],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
        ),
        opset_imports=[helper.make_opsetid('', 18)],
        ir_version=9,
    )
    for key, value in metadata.to_strings().items():
        entry = made.metadata_props.add()
        entry.key, entry.value = key, value
    path = tmp_path_factory.mktemp('model') / 'loudest.onnx'
    onnx.save(made, str(path))
    return path


@pytest.fixture(scope='module')
def detector(model: Path) -> NearWallDetector:
    return NearWallDetector.load(model, 1, 2)


def listen(peaks: tuple[float, float], at_s: float) -> list[HeardWindow]:
    rng = np.random.default_rng(0)
    heard = []
    for ear, peak in zip(EARS, peaks, strict=True):
        noise = rng.uniform(-0.05, 0.05, WINDOW_SAMPLES).astype(np.float32)
        noise[1000] = peak
        window = Window.from_samples(noise, round(at_s * 1e9), ear.channel)
        heard.append(HeardWindow(window, ear.side, ear.side.yaw_rad, ear.channel))
    return heard


def standing(known: bool) -> StandingSound:
    fingerprint = Fingerprint(RIG.identity, 'some', band_frequencies_hz())
    for _ in range(4 if known else 0):
        for ear in EARS:
            fingerprint.learn(ear.channel, np.zeros(len(band_frequencies_hz())), 0.0, 1)
    places = OwnSoundPlaces('some', np.zeros((1, 3)), np.zeros(1))
    return StandingSound(RIG, places, fingerprint)


@pytest.mark.parametrize(
    ('own', 'said'), [(None, 0.0), (standing(False), 0.0), (standing(True), 0.5)]
)
def test_a_fingerprint_is_given_to_the_model_once_it_is_known(detector, own, said):
    readings = detector.session(standing=own).read(listen((0.2, 0.4), 0.0))
    assert [r.probability for r in readings] == pytest.approx([said, said])


def test_each_ear_is_told_its_own_mean_beside_the_one_that_all_share(detector):
    session = detector.session()
    first = session.read(listen((0.2, 0.4), 0.0))
    assert [r.probability for r in first] == [0.0, 0.0]
    session.reference.leave()
    later = session.read(listen((0.3, 0.9), 10.0))
    assert [r.probability for r in later] == pytest.approx([0.02, 0.04])
    # Of what was heard at other places alone.
    assert session.reference.own(0)[0] == pytest.approx(0.2)


def test_a_reference_of_another_models_bands_is_refused(detector):
    reference = RoomReference()
    reference.hear(0, np.zeros(160))
    with pytest.raises(QuietNavError, match='reference of 160 bands, loudest'):
        detector.session(reference=reference)
