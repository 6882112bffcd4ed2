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
"""The near-wall network: its front end is what it says, and what is withheld changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from robots import write_robots
import torch

from quiet_nav.learning.detectors.context.frontend import coherence, log_power
from quiet_nav.learning.detectors.context.network import ContextVggish
from quiet_nav.learning.detectors.near_wall.data import near_wall_datasets
from quiet_nav.learning.detectors.near_wall.frontend import (
    banded,
    Comparison,
    cross_power,
    FrameSpectra,
    grouped_fingerprint,
    over_own,
)
from quiet_nav.learning.detectors.near_wall.network import (
    Calibration,
    CONTEXTS,
    INPUTS,
    NearWall,
    NearWallProbabilities,
)
from quiet_nav.learning.recipe import recipe_from_dict
from quiet_nav.perception.bands import BANDS, centers_hz, edges_bins, OWN_BANDS
from quiet_nav.perception.context import clip_weights, FRAMES
from quiet_nav.perception.standing_sound import band_frequencies_hz, band_spectrum
from quiet_nav.sound.windows import SAMPLE_RATE, WINDOW_SAMPLES


def noise(seed: int = 0, ears: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((ears, WINDOW_SAMPLES))
    return (0.05 * np.cumsum(white, axis=1) * 0.05 + 0.02 * white).astype(np.float32)


def power_of(samples: np.ndarray) -> np.ndarray:
    """Hann frames by the FFT, unit gain: (frames, 1025)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 2048)[::1024]
    window = np.hanning(2049)[:-1]
    return np.fft.rfft(frames * window / window.sum(), axis=-1)


def test_bands_lie_beside_each_other_and_are_narrow_enough_for_a_wall_at_1_5_m():
    edges = edges_bins()
    assert len(edges) == BANDS + 1 and edges[0] == 1 and edges[-1] == 1018
    width_hz = np.diff(edges) * 7.8125
    assert width_hz[centers_hz() < 1000].max() < 8.0
    # Its ripple repeats every 343 / (2 * 1.5) = 114 Hz.
    assert width_hz[centers_hz() < 3000].max() <= 57.0
    assert centers_hz()[-1] > 7800.0


def test_frames_are_those_of_an_fft():
    samples = noise()
    spectrum = power_of(samples[0])
    with torch.no_grad():
        cosine, sine = FrameSpectra()(torch.from_numpy(samples))
        power = banded(cosine**2 + sine**2)[0].numpy()
    assert power.shape == (FRAMES, BANDS)
    expected = np.abs(spectrum) ** 2
    np.testing.assert_allclose(power[:, :129], expected[:, 1:130], rtol=5e-3, atol=1e-12)
    np.testing.assert_allclose(power[:, 129], expected[:, 130:134].mean(-1), rtol=5e-3)
    np.testing.assert_allclose(power[:, -1], expected[:, 1010:1018].mean(-1), rtol=5e-3)


def test_an_ear_that_hears_later_is_behind_in_phase():
    samples = noise(1)[0]
    late = 3
    pair = np.stack([samples[late:40000], samples[: 40000 - late]])
    with torch.no_grad():
        parts = FrameSpectra()(torch.from_numpy(pair))
        power = banded(parts[0] ** 2 + parts[1] ** 2).mean(1)
        cross = cross_power((parts[0][0], parts[1][0]), (parts[0][1], parts[1][1])).mean(0)
        real, imaginary = coherence(cross, power[0], power[1]).numpy()
    angle = np.angle(real + 1j * imaginary)
    hz = centers_hz()
    heard = (hz > 100.0) & (hz < 700.0)
    expected = 2.0 * np.pi * hz * late / SAMPLE_RATE
    np.testing.assert_allclose(angle[heard], expected[heard], atol=0.05)


def test_a_fingerprint_of_the_window_itself_leaves_nothing_over_it():
    samples = noise(2)
    own = torch.tensor(band_spectrum(samples[0]), dtype=torch.float32)[None]
    with torch.no_grad():
        cosine, sine = FrameSpectra()(torch.from_numpy(samples))
        spectrum = log_power(banded(cosine**2 + sine**2).mean(1))
        over = over_own(spectrum, grouped_fingerprint(own - 2.0 * np.log(1024.0)))
    assert over.shape == (1, BANDS)
    assert float(over.abs().max()) < 0.02
    # A window twice as loud is 6 dB over it wherever the fingerprint says something.
    more = over_own(spectrum + np.log(4.0), grouped_fingerprint(own - 2.0 * np.log(1024.0)))
    np.testing.assert_allclose(more[0, 25:], np.log(4.0), atol=0.02)


def batch_of(seed: int, count: int = 3) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    shapes = {
        'fingerprint': (OWN_BANDS,),
        'other_fingerprints': (3, OWN_BANDS),
        'coherences': (3, 2, BANDS),
        **dict.fromkeys(('others', 'other_references', 'other_own_references'), (3, BANDS)),
        **dict.fromkeys(('spectrum', 'steadiness', 'reference', 'own_reference'), (BANDS,)),
        **dict.fromkeys(('has_other', 'simultaneous'), (3,)),
        **dict.fromkeys(('has_reference', 'has_fingerprint', 'nearest'), ()),
    }
    return {
        name: torch.tensor(
            np.ones((count, *shapes[name]))
            if name.startswith(('has', 'sim'))
            else rng.normal(-9.0, 1.0, (count, *shapes[name])) * (name != 'nearest'),
            dtype=torch.float32,
        )
        for name in INPUTS
    }


def test_what_sounds_and_how_loud_cancels_in_every_difference():
    compare = Comparison().eval()
    batch = batch_of(0)
    color = torch.tensor(np.random.default_rng(1).normal(0.0, 2.0, BANDS), dtype=torch.float32)
    louder = dict(batch)
    for name in ('spectrum', 'reference', 'own_reference', 'others', 'other_references',
                 'other_own_references'):  # fmt: skip
        louder[name] = batch[name] + color
    with torch.no_grad():
        before, after = (compare(*(b[n] for n in INPUTS)) for b in (batch, louder))
    assert before.shape == (3, Comparison.channels, BANDS)
    differences = [1, 2, *range(6, 15)]
    np.testing.assert_allclose(before[:, differences], after[:, differences], atol=1e-4)


@pytest.mark.parametrize(
    ('flag', 'withheld'),
    [
        ('has_fingerprint', ('fingerprint', 'other_fingerprints')),
        ('has_reference', ('reference', 'own_reference')),
        ('has_other', ('others', 'other_references', 'other_own_references')),
    ],
)
def test_what_is_withheld_changes_nothing(flag, withheld):
    torch.manual_seed(0)
    network = NearWall(0.125).eval()
    batch = batch_of(3)
    batch[flag] = torch.zeros_like(batch[flag])
    if flag == 'has_other':
        batch['coherences'] = torch.zeros_like(batch['coherences'])
    other = {**batch, **{name: batch[name] + 1.5 for name in withheld}}
    with torch.no_grad():
        one, two = network.from_batch(batch), network.from_batch(other)
    assert torch.equal(one.near, two.near)


def test_a_network_of_ambience_alone_serves_as_a_beginning():
    torch.manual_seed(0)
    older = ContextVggish(0.125)
    network = NearWall(0.125)
    weights = network.upgraded(older.state_dict())
    network.load_state_dict(weights)
    first = weights['features.0.weight']
    # What it never had begins without a say.
    assert not first[:, [2, 3, *range(12, 18), 19]].any()
    assert torch.equal(first[:, [0, 1, 4, 5]], older.state_dict()['features.0.weight'][:, :4])
    own = network.state_dict()
    assert network.upgraded(own) is own


@pytest.mark.slow
def test_recordings_train_it_too_without_a_fingerprint(tmp_path):
    options = {'dropout': 0.1, 'drop_reference': 0.0, 'drop_others': 0.0}
    recipe = recipe_from_dict(
        {
            'name': 'small',
            'network': {'kind': 'near_wall', 'width': 0.125, 'options': options},
            'optim': {'batch_size': 8},
        },
        'test',
    )
    train, _ = near_wall_datasets(write_robots(tmp_path), recipe)
    batch = train[0]
    assert batch['spectrum'].shape == (8, BANDS)
    assert batch['has_reference'].all() and not batch['has_fingerprint'].any()
    # A mean of an ear's own differs from that of all ears by more than a gain.
    apart = batch['own_reference'] - batch['reference']
    assert float(apart.std(dim=1).max()) > 0.01
    assert torch.isfinite(NearWall(0.125).from_batch(batch).near).all()


@pytest.mark.slow
def test_the_graph_gives_what_the_network_gives_of_the_same_window():
    torch.manual_seed(0)
    network = NearWall(0.125)
    with torch.no_grad():
        network.head[-1].bias[0] = 1.0
    calibration = Calibration(tuple(1.0 + 0.1 * n for n in range(CONTEXTS)))
    graph = NearWallProbabilities(network, calibration).eval()
    samples = torch.from_numpy(noise(4, 2))
    weights = torch.from_numpy(clip_weights(2))
    nothing = torch.zeros(2)
    spectra = torch.full((2, BANDS), -9.0)
    prints = torch.full((2, len(band_frequencies_hz())), 4.0)
    others = torch.tensor([[1, -1, -1], [0, -1, -1]])
    at_once = torch.tensor([[1.0, 0.0, 0.0]] * 2)

    def run(has_print: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            found = graph(samples, weights, spectra, spectra, nothing, values, has_print, others,
                          at_once, nothing)  # fmt: skip
        assert found[0].shape == (2, 3) and found[2].shape == (2, BANDS)
        return found[0]

    without = run(nothing, prints)
    assert torch.equal(without, run(nothing, prints + 1.0))
    assert not torch.allclose(without, run(torch.ones(2), prints))
