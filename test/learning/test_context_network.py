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

"""The context network: its front end against SciPy, its examples, training and export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal

torch = pytest.importorskip('torch', reason='learning needs torch')

from robots import ear_sound, write_robots  # noqa: E402

from quiet_nav.errors import QuietNavError  # noqa: E402
from quiet_nav.geometry import Side  # noqa: E402
from quiet_nav.learning.detectors.context.data import context_datasets, Options, warped_bands  # noqa: E402
from quiet_nav.learning.detectors.context.deploy import deploy_context  # noqa: E402
from quiet_nav.learning.detectors.context.frontend import (  # noqa: E402
    coherence,
    Comparison,
    cross_power,
    FramePower,
    transient,
)
from quiet_nav.learning.detectors.context.kind import build  # noqa: E402
from quiet_nav.learning.detectors.context.network import INPUTS  # noqa: E402
from quiet_nav.learning.recipe import recipe_from_dict  # noqa: E402
from quiet_nav.learning.training import train  # noqa: E402
from quiet_nav.perception.context import (  # noqa: E402
    BANDS,
    FINE_BINS,
    FRAME_SAMPLES,
    FRAMES,
    HOP_SAMPLES,
)
from quiet_nav.perception.detector import HeardWindow, NearWallDetector  # noqa: E402
from quiet_nav.perception.distance_bins import STANDARD_BINS  # noqa: E402
from quiet_nav.perception.readings import Context  # noqa: E402
from quiet_nav.quiet_campus.lists import load_splits  # noqa: E402
from quiet_nav.sound.windows import SAMPLE_RATE as RATE  # noqa: E402
from quiet_nav.sound.windows import Window  # noqa: E402

RECIPE = {
    'name': 'tiny',
    'network': {'kind': 'context', 'width': 0.1, 'options': {'drop_others': 0.0}},
    'optim': {'name': 'adamw', 'learning_rate': 3e-3, 'epochs': 4, 'batch_size': 64},
    'data': {'repeat': 4},
}


SLOW_FIXTURES = ('robots', 'context_model')


@pytest.fixture(scope='module')
def robots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_robots(tmp_path_factory.mktemp('robots'))


def test_frame_power_is_scipys_periodogram_in_bands() -> None:
    noise = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    found = FramePower()(torch.from_numpy(noise[None]))[0].numpy()
    frames = np.lib.stride_tricks.sliding_window_view(noise, FRAME_SAMPLES)[::HOP_SAMPLES]
    window = scipy.signal.get_window('hann', FRAME_SAMPLES)
    power = np.abs(np.fft.rfft(frames * window, axis=1) / window.sum()) ** 2
    coarse = power[:, FINE_BINS + 1 : FINE_BINS + 257].reshape(FRAMES, 32, 8).mean(-1)
    assert found.shape == (FRAMES, BANDS)
    np.testing.assert_allclose(found[:, :FINE_BINS], power[:, 1 : FINE_BINS + 1], rtol=2e-3)
    np.testing.assert_allclose(found[:, FINE_BINS:], coarse, rtol=2e-3)


def test_coherence_is_scipys_with_the_sign_of_the_ear_that_hears_first() -> None:
    rng = np.random.default_rng(4)
    noise = rng.standard_normal(3 * RATE + 5)
    late = noise[:-5] + 0.7 * rng.standard_normal(3 * RATE)
    both = np.stack([noise[5:], late])
    front = FramePower()
    cos, sin = front.parts(torch.from_numpy(both.astype(np.float32)))
    power = front(torch.from_numpy(both.astype(np.float32))).mean(1)
    cross = cross_power((cos[0], sin[0]), (cos[1], sin[1])).mean(0)
    found = coherence(cross, power[0], power[1]).numpy()
    same = {'nperseg': FRAME_SAMPLES, 'noverlap': FRAME_SAMPLES - HOP_SAMPLES, 'detrend': False}
    _, across = scipy.signal.csd(*both, RATE, 'hann', **same)
    _, powers = scipy.signal.welch(both, RATE, 'hann', **same)
    expected = across.conj() / np.sqrt(powers[0] * powers[1])
    fine = expected[1 : FINE_BINS + 1]
    np.testing.assert_allclose(found[:, :FINE_BINS], [fine.real, fine.imag], atol=2e-3)
    # Five samples late: 0.98 rad at 500 Hz, where the first ear is ahead.
    assert found[1, 63] / found[0, 63] == pytest.approx(np.tan(0.98), rel=0.2)
    assert np.abs(found).max() < 1.0


def test_transient_tells_a_burst_from_steady_noise() -> None:
    noise = 0.01 * np.random.default_rng(1).standard_normal((2, 3 * RATE)).astype(np.float32)
    noise[1, RATE : RATE + RATE // 3] *= 10.0
    steady, burst = transient(FramePower()(torch.from_numpy(noise))).tolist()
    assert abs(steady) < 0.1
    assert burst > 0.8


def test_what_all_ears_and_the_reference_share_cancels() -> None:
    rng = np.random.default_rng(2)
    compare = Comparison().eval()

    def given(shift: np.ndarray) -> torch.Tensor:
        spectra = [
            rng0.normal(-8, 1, s) + shift for s in ((4, BANDS), (4, 3, BANDS), (4, 3, BANDS))
        ]
        reference = rng0.normal(-8, 1, (4, BANDS)) + shift
        flags = [np.ones(4), np.ones((4, 3)), np.ones((4, 3)), np.zeros(4)]
        steady = np.zeros((4, BANDS))
        parts = (spectra[0], steady, reference, flags[0], spectra[1], spectra[2], *flags[1:])
        parts += (np.zeros((4, 3, 2, BANDS)),)
        return compare(*(torch.tensor(p, dtype=torch.float32) for p in parts))

    rng0 = np.random.default_rng(5)
    plain = given(np.zeros(BANDS))
    rng0 = np.random.default_rng(5)
    colored = given(rng.normal(0, 2, BANDS))
    np.testing.assert_allclose(plain[:, 1:], colored[:, 1:], atol=1e-4)
    assert not np.allclose(plain[:, 0], colored[:, 0], atol=0.1)


def test_contexts_that_are_absent_are_not_seen() -> None:
    compare = Comparison().eval()
    zeros, ones = torch.zeros(2), torch.zeros(2, 3)

    def given(noise: float) -> torch.Tensor:
        spectrum = torch.linspace(-9, -7, BANDS).expand(2, -1)
        others = noise * torch.randn(2, 3, BANDS)
        reference = noise * torch.randn(2, BANDS)
        spectra = (spectrum, spectrum * 0, reference, zeros, others, others)
        return compare(*spectra, ones, ones, zeros, torch.zeros(2, 3, 2, BANDS))

    torch.manual_seed(0)
    np.testing.assert_array_equal(given(0.0), given(5.0))


@pytest.mark.slow
def test_examples_follow_seed_epoch_and_index_alone(robots: Path) -> None:
    recipe = recipe_from_dict(RECIPE)
    first, val = context_datasets(robots, recipe)
    again, _ = context_datasets(robots, recipe)
    for name, value in first[(3, 2)].items():
        np.testing.assert_array_equal(value, again[(3, 2)][name])
    assert not np.array_equal(first[(3, 2)]['spectrum'], first[(4, 2)]['spectrum'])
    assert len(val) >= 1
    batch = first[(0, 0)]
    assert set(batch) == {*INPUTS, 'near', 'distance_bin'}
    assert batch['near'].mean() == pytest.approx(0.3, abs=0.2)
    assert set(batch['distance_bin'].tolist()) <= {2, 10}
    # Labels agree with the spectra: near ears are louder than the reference in the low half.
    known = batch['has_reference'] > 0
    change = (batch['spectrum'] - batch['reference'])[known][:, :60].mean(1)
    near = batch['near'][known] > 0.5
    assert change[near].mean() > change[~near].mean() + 0.3


def test_a_pair_has_an_opposite_ear_alone_and_a_single_ear_hears_it_later(robots: Path) -> None:
    recipe = recipe_from_dict(RECIPE)
    data, _ = context_datasets(robots, recipe)
    keep = {'drop_others': 0.0, 'drop_ahead': 0.0}
    pair = data.draw(0, replace(data.options, rigs=(0.0, 1.0, 0.0), **keep))
    assert pair['has_other'].mean(0).tolist() == [1.0, 0.0, 0.0]
    assert pair['simultaneous'].mean(0).tolist() == [1.0, 0.0, 0.0]
    single = data.draw(0, replace(data.options, rigs=(1.0, 0.0, 0.0), **keep))
    assert single['has_other'][:, 0].mean() > 0.5
    assert single['simultaneous'].sum() == 0.0
    alone = data.draw(0, replace(data.options, drop_others=1.0, drop_reference=1.0))
    for name in ('has_other', 'has_reference', 'reference', 'others', 'other_references'):
        assert float(alone[name].abs().sum()) == 0.0, name


def test_coherence_is_given_where_ears_hear_at_once_and_the_recipe_says_so(robots: Path) -> None:
    data, _ = context_datasets(robots, recipe_from_dict(RECIPE))
    assert not data.draw(0, data.options)['coherences'].any()
    keep = replace(data.options, rigs=(0.0, 1.0, 0.0), drop_others=0.0, coherence=1.0)
    pair = data.draw(0, replace(keep, delay_us=0.0))['coherences']
    assert pair[:, 0].abs().amax((1, 2)).min() > 0.1
    assert not pair[:, 1:].any()
    # Of two ears each sees what the other sees with the other sign of the phase.
    store, picked = data.stores[0], np.array([0, 0])
    at, whole = np.array([0, 1]), np.array([3, 3])
    seen = store._coherence(picked, picked, picked, at, at[::-1], whole, np.zeros(2))
    np.testing.assert_allclose(seen[0, 0], seen[1, 0])
    np.testing.assert_allclose(seen[0, 1], -seen[1, 1])
    late = store._coherence(picked, picked, picked, at, at[::-1], whole, np.full(2, 20e-6))
    np.testing.assert_allclose(np.hypot(*late[0]), np.hypot(*seen[0]), atol=1e-6)
    assert np.abs(late[0] - seen[0]).max() > 0.01
    single = replace(data.options, rigs=(1.0, 0.0, 0.0), drop_others=0.0, coherence=1.0)
    assert not data.draw(0, single)['coherences'].any()


@pytest.mark.slow
def test_examples_say_which_wall_is_asked_about(robots: Path, campus: Path) -> None:
    recipe = recipe_from_dict(RECIPE)
    assert not context_datasets(robots, recipe)[0][(0, 0)]['nearest'].any()
    assert context_datasets(campus.parent, recipe)[0][(0, 0)]['nearest'].all()


def test_a_scene_that_grows_moves_its_walls_away_and_its_sounds_down(robots: Path) -> None:
    still = warped_bands(np.zeros(1))[0]
    np.testing.assert_array_equal(still, np.arange(BANDS))
    grown = warped_bands(np.array([0.1]))[0]
    assert grown[50] == round(51 * 1.1) - 1 and grown[:FINE_BINS].max() == FINE_BINS - 1
    assert grown[FINE_BINS:].min() > FINE_BINS
    data, _ = context_datasets(robots, recipe_from_dict(RECIPE))
    plain, warped = (data.draw(0, replace(data.options, warp=w)) for w in (0.0, 0.4))
    # Walls at 0.35 m come as near as 0.21 m and go as far as 0.49 m; those at 1.3 m to 1.82 m.
    assert set(plain['distance_bin'].tolist()) <= {2, 10}
    assert len(set(warped['distance_bin'].tolist())) > 4
    assert (warped['near'][warped['distance_bin'] < 4] == 1.0).all()
    assert (warped['near'][warped['distance_bin'] > 4] == 0.0).all()


def test_the_ear_in_front_is_asked_as_often_as_the_recipe_says(robots: Path) -> None:
    data, _ = context_datasets(robots, recipe_from_dict(RECIPE))
    keep = replace(data.options, rigs=(0.0, 0.0, 1.0), drop_others=0.0, drop_ahead=0.0)
    # The ear in front has one at each side and none opposite.
    front = data.draw(0, replace(keep, ahead=1.0))['has_other'].mean(0).tolist()
    assert front == [0.0, 1.0, 1.0]
    assert data.draw(0, replace(keep, ahead=0.0))['has_other'][:, 0].all()


def test_a_second_look_of_the_whole_rig_fills_what_no_ear_faced_from_later(robots: Path) -> None:
    data, _ = context_datasets(robots, recipe_from_dict(RECIPE))
    keep = replace(data.options, rigs=(0.0, 0.0, 1.0), drop_others=0.0, drop_ahead=0.0, ahead=1.0)
    once, looked = (data.draw(0, replace(keep, look=share)) for share in (0.0, 1.0))
    assert once['has_other'].mean(0).tolist() == [0.0, 1.0, 1.0]
    assert looked['has_other'].all()
    # The front ear itself heard the back; the ears at the sides heard at the same moment.
    assert looked['simultaneous'].mean(0).tolist() == [0.0, 1.0, 1.0]
    sides = data.draw(0, replace(keep, ahead=0.0, look=1.0))
    assert sides['has_other'].all()
    assert sides['simultaneous'].sum(1).tolist() == [2.0] * len(sides['near'])


@pytest.mark.slow
def test_a_recipe_may_train_on_the_test_rooms_and_never_on_those_of_validation(
    robots: Path,
) -> None:
    rooms = {}
    for name in (False, True):
        recipe = recipe_from_dict({**RECIPE, 'data': {'repeat': 4, 'test_rooms': name}})
        rooms[name] = context_datasets(robots, recipe)
    (train_set, val), (more, same) = rooms[False], rooms[True]
    tested = len({row.room for row in load_splits(robots, 'SFS-Robot').test})
    assert len(more.stores[0].count) == len(train_set.stores[0].count) + tested
    assert len(val.stores[0].count) == len(same.stores[0].count)


def test_a_recipe_with_an_unknown_option_is_refused(robots: Path) -> None:
    recipe = recipe_from_dict({**RECIPE, 'network': {'kind': 'context', 'options': {'gane': 1}}})
    with pytest.raises(QuietNavError, match='unknown key gane'):
        Options.of(recipe)


@pytest.mark.slow
def test_training_learns_and_the_exported_file_reads_alike(robots: Path, tmp_path: Path) -> None:
    recipe = recipe_from_dict(RECIPE)
    result = train(recipe, robots, tmp_path / 'run', progress=False)
    assert result.val_ap > 0.9
    from quiet_nav.learning.checkpoints import load_checkpoint

    network, kept, _ = load_checkpoint(result.best)
    assert kept == recipe
    outcome = deploy_context(network, recipe, tmp_path / 'm.onnx', robots)
    assert outcome.difference < 1e-4
    assert all(0.0 < t < 50.0 for t in outcome.calibration.temperature)
    rng = np.random.default_rng(9)
    color = np.exp(rng.normal(0, 0.7, 60))
    detector = NearWallDetector.load(tmp_path / 'm.onnx')
    # How often each distance occurred in the validation rooms, not what other rooms had.
    assert detector.model.metadata.distance_prior != STANDARD_BINS.prior
    assert len(detector.model.metadata.bins.prior) == STANDARD_BINS.count
    session = detector.session()
    heard = [
        HeardWindow(Window.from_samples(ear_sound(rng, color, near)), side, side.yaw_rad, i)
        for i, (side, near) in enumerate(((Side.LEFT, True), (Side.RIGHT, False)))
    ]
    left, right = session.read(heard)
    assert left.context == Context.OTHER_EARS
    assert left.probability > right.probability
    assert sum(left.distance_probabilities) == pytest.approx(1.0, abs=1e-5)


def test_a_campus_of_single_microphones_gives_examples_without_others(campus: Path) -> None:
    data, _ = context_datasets(campus.parent, recipe_from_dict(RECIPE))
    batch = data[(0, 0)]
    assert float(batch['has_other'].sum()) == 0.0
    assert 0.4 < float(batch['has_reference'].mean()) < 1.0
    assert torch.isfinite(batch['reference']).all()
    assert build(recipe_from_dict(RECIPE).network).from_batch(batch).near.shape == (64,)
