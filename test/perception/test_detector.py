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

"""The detector: readings of any rig, the same from the same inputs, none from bad windows."""

import dataclasses
import json
import math

from loudness_model import write_model as write_clip_model
import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Side
from quiet_nav.perception.detector import HeardWindow, NearWallDetector
from quiet_nav.perception.model_metadata import ModelMetadata
from quiet_nav.perception.readings import Context, parse_context, parse_question, Question
from quiet_nav.resources import shared_folders
from quiet_nav.sound.windows import clip_batch, clip_starts, Window

S = 1_000_000_000
BOTH = Context.REFERENCE | Context.OTHER_EARS


def shipped():
    return next((f / 'near_wall.onnx' for f in shared_folders('models')), None)


@pytest.fixture(scope='module', params=['test model', 'shipped model'])
def detector(request) -> NearWallDetector:
    if request.param == 'test model':
        return NearWallDetector.load(request.getfixturevalue('context_model'), threads=1)
    path = shipped()
    if path is None or not path.is_file():
        pytest.skip('models/near_wall.onnx is not there')
    return NearWallDetector.load(path, threads=1)


def noise(seed: int, tilt: float = 0.9) -> np.ndarray:
    """Noise of a room's kind: most of it in the bass, another color for each seed."""
    rng = np.random.default_rng(seed)
    white = np.fft.rfft(rng.standard_normal(48_000))
    f = np.maximum(np.arange(len(white)) / 3.0, 20.0)
    color = f**-tilt * np.exp(0.8 * np.interp(f, np.arange(0, 8001, 100), rng.standard_normal(81)))
    sound = np.fft.irfft(white * color)
    return (0.01 * sound / sound.std()).astype(np.float32)


def heard(seed: int, side: Side, start_ns: int = 0, ear: int | None = None) -> HeardWindow:
    window = Window.from_samples(noise(seed), start_ns)
    return HeardWindow(window, side, side.yaw_rad, int(side) if ear is None else ear)


SIDES = (Side.LEFT, Side.RIGHT, Side.FRONT)


@pytest.mark.slow
@pytest.mark.parametrize('ears', [1, 2, 3])
def test_every_ear_of_a_rig_gets_a_reading(detector, ears):
    asked = [heard(i, side, 7 * S) for i, side in enumerate(SIDES[:ears])]
    readings = detector.session().read(asked)
    assert [r.side for r in readings] == list(SIDES[:ears])
    for reading in readings:
        assert reading.valid and 0.0 <= reading.probability <= 1.0 and reading.spread >= 0.0
        assert (reading.start_ns, reading.end_ns, reading.clips) == (7 * S, 10 * S, 20)
        assert sum(reading.distance_probabilities) == pytest.approx(1.0, abs=1e-5)
        assert reading.context == (Context.OTHER_EARS if ears > 1 else Context.ALONE)


def test_same_inputs_give_the_same_answers(detector):
    def run():
        session = detector.session(seed=4)
        return [
            session.read([heard(10 * i, Side.LEFT, i * S), heard(10 * i + 1, Side.RIGHT, i * S)])
            for i in range(5)
        ]

    assert run() == run()


def test_reading_of_an_ear_changes_with_its_context(detector):
    left, right = heard(1, Side.LEFT), heard(2, Side.RIGHT)
    alone = detector.session().read([left])[0]
    pair = detector.session().read([left, right])[0]
    other = detector.session().read([left, heard(3, Side.RIGHT)])[0]
    assert len({alone.probability, pair.probability, other.probability}) == 3
    forbidden = detector.session(Context.REFERENCE).read([left, right])[0]
    assert forbidden.context == Context.ALONE
    assert forbidden.probability == pytest.approx(alone.probability, abs=1e-6)


def test_the_question_changes_the_reading_of_a_model_that_is_told_it(context_model):
    detector = NearWallDetector.load(context_model, threads=1)
    asked = [heard(1, Side.FRONT)]
    said = [detector.session(question=q).read(asked)[0].probability for q in Question]
    assert said[0] != said[1]
    assert detector.session().read(asked)[0].probability == said[Question.DIRECTION]
    for text, question in zip(('direction', 'nearest'), Question, strict=True):
        assert parse_question(text) == question
    with pytest.raises(QuietNavError, match='direction, nearest'):
        parse_question('both')


def test_model_of_one_question_is_served_and_one_that_hides_its_question_refused(
    tmp_path, context_model
):
    hidden = change(context_model, tmp_path / 'a.onnx', contexts=['reference', 'other_ears'])
    assert 'takes waveform, ' in refused(hidden) and 'nearest' in refused(hidden)
    path = without_question(context_model, tmp_path / 'b.onnx')
    assert 'which takes waveform' in refused(path)
    older = change(path, tmp_path / 'c.onnx', contexts=['reference', 'other_ears'])
    detector = NearWallDetector.load(older, threads=1)
    both = [detector.session(question=q).read([heard(1, Side.FRONT)]) for q in Question]
    assert both[0][0].valid and both[0] == both[1]


def without_question(model_path, out):
    """Copy a model whose question is a constant instead of an input."""
    onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: learn)')
    model = onnx.load(str(model_path))
    (asked,) = (item for item in model.graph.input if item.name == 'nearest')
    model.graph.input.remove(asked)
    # One window is read: one zero.
    zero = onnx.numpy_helper.from_array(np.zeros(1, np.float32), 'nearest')
    model.graph.initializer.append(zero)
    onnx.save(model, str(out))
    return out


def test_reference_grows_from_place_to_place_and_is_said(detector):
    session = detector.session()
    contexts = [
        session.read([heard(2 * i, Side.LEFT, ear=0), heard(2 * i + 1, Side.RIGHT, ear=1)])[0]
        for i in range(3)
    ]
    assert [r.context for r in contexts] == [Context.OTHER_EARS, BOTH, BOTH]
    assert 1.9 < session.reference.places < 2.0


def test_reference_handed_on_gives_the_same_reading(detector, tmp_path):
    first = detector.session()
    for i in range(6):
        first.read([heard(i, Side.LEFT, ear=0)])
    first.reference.save(tmp_path / 'room.json')
    loaded = type(first.reference).load(tmp_path / 'room.json')
    later = detector.session(reference=loaded)
    asked = [heard(50, Side.LEFT, ear=0)]
    assert later.read(asked) == first.read(asked)


def test_window_that_must_not_teach_is_read_and_teaches_nothing(detector):
    session = detector.session()
    for i in range(4):
        session.read([dataclasses.replace(heard(i, Side.LEFT, ear=0), learn=False)])
    session.reference.leave()
    assert session.reference.places == 0.0
    session.read([heard(0, Side.LEFT, ear=0)])
    session.reference.leave()
    assert session.reference.places == 1.0


def test_clips_drawn_at_random_change_the_spread_alone(detector):
    asked = [heard(1, Side.LEFT)]
    even = detector.session().read(asked)[0]
    drawn = detector.session(seed=1).read(asked)[0]
    again = detector.session(seed=2).read(asked)[0]
    assert even.probability == pytest.approx(drawn.probability, abs=1e-6)
    assert len({even.spread, drawn.spread, again.spread}) == 3


def bad_windows():
    good = noise(0)
    half = good.copy()
    half[20_000] = np.nan
    yield 'not finite', Window.from_samples(half, 6 * S)
    yield 'clipped', Window.from_samples(np.clip(300.0 * good, -1.0, 1.0), 6 * S)
    yield 'silent', Window.from_samples(np.zeros(48_000), 6 * S)
    yield 'only 1.00 s', Window.from_samples(good[:16_000], 8 * S)
    yield 'stale', Window.from_samples(good, 0)
    yield 'future', Window.from_samples(good, 100 * S)
    broken = Window.from_samples(good, 5 * S)
    yield 'gap', dataclasses.replace(broken, valid=False, reason='gap of 0.2 s')


@pytest.mark.parametrize('word, window', list(bad_windows()), ids=lambda v: str(v)[:12])
def test_bad_window_gives_its_reason_and_no_number(detector, word, window):
    session = detector.session()
    good = heard(1, Side.RIGHT, 6 * S)
    bad, fine = session.read([HeardWindow(window, Side.LEFT, math.pi / 2), good], now_ns=9 * S)
    assert not bad.valid and word in bad.reason and math.isnan(bad.probability)
    assert bad.side == Side.LEFT and bad.distance_probabilities == ()
    assert fine.valid and fine.context == Context.ALONE
    assert fine.probability == detector.session().read([good])[0].probability


def change(model_path, out, **changes):
    """Copy a model with other metadata; None leaves a key out."""
    onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: learn)')
    model = onnx.load(str(model_path))
    entries = {p.key: p.value for p in model.metadata_props}
    for key, value in changes.items():
        entries.pop(f'quiet_nav.{key}')
        if value is not None:
            entries[f'quiet_nav.{key}'] = json.dumps(value)
    del model.metadata_props[:]
    for key, value in entries.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(out))
    return out


def refused(path) -> str:
    with pytest.raises(QuietNavError) as found:
        NearWallDetector.load(path)
    assert '\n' not in str(found.value) and str(path) in str(found.value)
    return str(found.value)


def test_missing_empty_corrupt_and_foreign_files_are_refused(tmp_path, context_model):
    assert 'No such file' in refused(tmp_path / 'none.onnx')
    for name, data in (
        ('empty.onnx', b''),
        ('text.onnx', b'not a model\n' * 100),
        ('cut.onnx', context_model.read_bytes()[:20_000]),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        assert 'corrupt or not ONNX' in refused(path) or 'no metadata' in refused(path)


@pytest.mark.parametrize(
    'changes, said',
    [
        ({'format': None}, 'no metadata of quiet_nav format 1'),
        ({'format': '9'}, "found '9'"),
        ({'near_wall_m': None}, 'metadata lack near_wall_m'),
        ({'sample_rate': 8000}, 'sample rate 8000 Hz, expected 16000'),
        ({'sample_rate': 'fast'}, "sample_rate: should be a whole number, found 'fast'"),
        ({'near_wall_m': 1.0}, 'near wall at 1.0 m, expected 0.5'),
        ({'distance_edges_m': [0.5, 1.0]}, 'gives distance_probabilities as'),
        ({'distance_edges_m': [1.0, 0.5]}, 'ascend from above 0'),
        ({'distance_edges_m': ['near']}, 'distance_edges_m'),
        ({'distance_prior': [0.5, 0.5]}, 'expected 12 shares'),
        ({'modality': 'vision'}, 'modality vision, expected audio'),
        ({'kind': 'image'}, "kind 'image' is unknown here"),
        ({'kind': 'vggish'}, 'its metadata say vggish, which takes waveform'),
    ],
)
def test_metadata_missing_or_contradicting_are_refused(tmp_path, context_model, changes, said):
    assert said in refused(change(context_model, tmp_path / 'other.onnx', **changes))


def test_model_with_other_inputs_is_refused(tmp_path):
    helper = pytest.importorskip('onnx', reason='onnx is not installed (extra: learn)').helper
    import onnx

    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node('Identity', ['spectrogram'], ['probability'])],
        'other',
        [value('spectrogram', onnx.TensorProto.FLOAT, ['n', 64])],
        [value('probability', onnx.TensorProto.FLOAT, ['n', 64])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    for key, text in ModelMetadata('context').to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    path = tmp_path / 'other.onnx'
    onnx.save(model, str(path))
    assert 'takes spectrogram' in refused(path)


def test_no_clips_are_refused(context_model):
    with pytest.raises(QuietNavError, match='expected at least 1'):
        NearWallDetector.load(context_model, clips=0)


def test_contexts_are_named_alike_everywhere():
    for text in ('alone', 'reference', 'other_ears', 'both'):
        assert parse_context(text).text == text
    with pytest.raises(QuietNavError, match='alone, reference, other_ears, both'):
        parse_context('nothing')


def saying(path, probability, distance):
    """Write a model of whole windows that always says the same, whatever its shape."""
    onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: learn)')
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    said = {'probability': probability, 'distance_probabilities': distance, 'spread': 0.0}
    nodes = [
        helper.make_node('ReduceMean', ['waveform', 'axis'], ['mean'], keepdims=0),
        helper.make_node('Mul', ['mean', 'zero'], ['nothing']),
        helper.make_node('Unsqueeze', ['nothing', 'axis'], ['column']),
    ]
    for name in said:
        start = 'column' if np.ndim(said[name]) else 'nothing'
        nodes.append(helper.make_node('Add', [start, f'{name}_said'], [name]))
    constants = {'axis': np.array([1]), 'zero': np.float32(0.0)}
    constants |= {f'{name}_said': np.float32(value) for name, value in said.items()}
    graph = helper.make_graph(
        nodes,
        'same',
        [helper.make_tensor_value_info('waveform', real, ['n', 48_000])],
        [helper.make_tensor_value_info(name, real, None) for name in said],
        [onnx.numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    for key, text in ModelMetadata('window', 48_000).to_strings().items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    onnx.save(model, str(path))
    return path


EVEN = np.full(12, 1 / 12)


@pytest.mark.parametrize(
    ('probability', 'distance', 'said'),
    [
        (0.7, EVEN, ''),
        (7.5, EVEN, 'the model gave 7.5 as a probability'),
        (-3.0, EVEN, 'the model gave -3 as a probability'),
        (np.nan, EVEN, 'the model gave NaN'),
        (0.7, 2 * EVEN, 'the model gave no distribution'),
        (0.7, -EVEN, 'the model gave no distribution'),
        (0.7, np.full(12, np.nan), 'the model gave no distribution'),
    ],
)
def test_numbers_that_are_no_probabilities_are_no_readings(tmp_path, probability, distance, said):
    path = saying(tmp_path / 'model.onnx', probability, distance)
    (reading,) = NearWallDetector.load(path).session().read([heard(1, Side.LEFT)])
    assert reading.valid == (not said) and reading.reason.startswith(said)
    if said:
        assert math.isnan(reading.probability) and reading.distance_probabilities == ()


@pytest.mark.parametrize(
    ('probability', 'distance', 'said'),
    [
        (
            0.7,
            EVEN[:11],
            r'distance_probabilities .*\(1, 11\), expected float32 of \(1, 12\)',
        ),
        (np.full(1, 0.7), EVEN, r'gives probability as float32 of shape \(1, 1\), expected'),
    ],
)
def test_models_whose_outputs_have_other_shapes_are_refused(tmp_path, probability, distance, said):
    with pytest.raises(QuietNavError, match=said):
        NearWallDetector.load(saying(tmp_path / 'model.onnx', probability, distance))


def test_models_for_a_newer_onnx_say_what_to_update(tmp_path, context_model):
    onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: learn)')
    model = onnx.load(str(context_model))
    model.ir_version = 99
    onnx.save(model, str(tmp_path / 'new.onnx'))
    assert 'update onnxruntime' in refused(tmp_path / 'new.onnx')


def test_model_of_clips_answers_with_their_mean_and_deviation(tmp_path):
    detector = NearWallDetector.load(write_clip_model(tmp_path / 'a.onnx', full=0.1), threads=1)
    one = heard(1, Side.LEFT, 3 * S)
    (reading,) = detector.session().read([one])
    starts = clip_starts(48_000, 20, start_ns=3 * S)
    clips = clip_batch(one.window.samples, starts)
    near = np.square(clips.astype(float)).mean(axis=1) / 0.1
    assert reading.probability == pytest.approx(near.mean(), rel=1e-5)
    assert reading.spread == pytest.approx(near.std(), rel=1e-3)
    assert (reading.clips, reading.context) == (20, Context.ALONE)
    drawn = detector.session(seed=3).read([one])[0]
    assert drawn.probability != reading.probability
    assert drawn == detector.session(seed=3).read([one])[0]


def test_model_that_slides_over_the_window_says_in_how_many_steps(tmp_path):
    path = write_clip_model(tmp_path / 'a.onnx', 'window', full=0.1)
    for clips in (5, 20):
        (reading,) = NearWallDetector.load(path, 1, clips).session().read([heard(1, Side.LEFT)])
        assert reading.clips == 13


def test_a_model_that_memory_does_not_suffice_for_is_not_called_corrupt(context_model, monkeypatch):
    def short(*_, **__):
        raise RuntimeError('Load model failed: std::bad_alloc')

    monkeypatch.setattr('onnxruntime.InferenceSession', short)
    said = refused(context_model)
    assert 'no memory is left: close other programs' in said and 'corrupt' not in said
