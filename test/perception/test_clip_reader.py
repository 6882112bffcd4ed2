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

"""Windows read clip by clip: what is asked about, what is known already, what is returned."""

import numpy as np
import pytest

from quiet_nav.perception.clip_reader import ClipReader
from quiet_nav.sound.windows import clip_batch, clip_starts, Window, WINDOW_SAMPLES

HALF_S = 8_000


class Network:
    """Says the mean of a clip's squares and a distance of two bins; counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, feeds):
        clips = feeds['waveform']
        self.asked.append(len(clips))
        near = np.square(clips).mean(axis=1)
        return [near, np.stack([near, 1.0 - near], axis=1)]


def sound(seconds=10, seed=0):
    rng = np.random.default_rng(seed)
    return (0.3 * rng.standard_normal(seconds * 16_000)).astype(np.float32)


def window(samples, first, offset_ns=1_700_000_000_000_000_000):
    return Window.from_samples(samples[first : first + WINDOW_SAMPLES], offset_ns + first * 62_500)


def alone(one):
    clips = clip_batch(one.samples, clip_starts(WINDOW_SAMPLES, start_ns=one.start_ns))
    return Network()({'waveform': clips})


def test_window_half_a_second_later_asks_about_five_clips_of_twenty():
    network, heard = Network(), sound()
    reader = ClipReader(network, 20)
    for at in range(8):
        one = window(heard, at * HALF_S)
        near, distance = alone(one)
        (found,) = reader.read([one], ['left'])
        assert np.array_equal(found.near, near)
        assert np.array_equal(found.distance, distance)
    assert network.asked == [20, *[5] * 7]


def test_both_ears_are_asked_about_in_one_run_and_kept_apart():
    network, left, right = Network(), sound(seed=1), sound(seed=2)
    reader = ClipReader(network, 20)
    for at in (0, HALF_S):
        pair = [window(left, at), window(right, at)]
        found = reader.read(pair, ['left', 'right'])
        for one, read in zip(pair, found, strict=True):
            assert np.array_equal(read.near, alone(one)[0])
    assert network.asked == [40, 10]


def test_other_sound_at_the_same_time_is_asked_about_anew():
    network = Network()
    reader = ClipReader(network, 20)
    reader.read([window(sound(seed=1), 0)], ['left'])
    other = window(sound(seed=2), 0)
    (found,) = reader.read([other], ['left'])
    assert network.asked == [20, 20]
    assert np.array_equal(found.near, alone(other)[0])


def test_earlier_window_of_the_same_ear_stays_known_while_it_is_asked_about():
    network, heard = Network(), sound()
    reader = ClipReader(network, 20)
    earlier = window(heard, 0)
    for at in (48_000, 56_000):
        reader.read([earlier, window(heard, at)], ['front', 'front'])
    assert network.asked == [40, 5]


def test_clips_drawn_at_random_are_all_asked_about():
    network, heard = Network(), sound()
    reader = ClipReader(network, 20, np.random.default_rng(3))
    for at in (0, HALF_S):
        reader.read([window(heard, at)], ['left'])
    assert network.asked == [20, 20]


@pytest.mark.parametrize('clips', [1, 7, 100])
def test_any_number_of_clips_is_returned(clips):
    (found,) = ClipReader(Network(), clips).read([window(sound(), 0)], ['left'])
    assert found.near.shape == (clips,)
    assert found.distance.shape == (clips, 2)


def test_network_without_distance_gives_none():
    reader = ClipReader(lambda feeds: [np.zeros(len(feeds['waveform']))], 20)
    (found,) = reader.read([window(sound(), 0)], ['left'])
    assert found.distance.shape == (20, 0)
