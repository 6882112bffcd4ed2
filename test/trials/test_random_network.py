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

"""The random baseline: a network of random weights that hears, and a robot that turns to listen."""

from dataclasses import replace

import numpy as np
import pytest

from quiet_nav.geometry import Side
from quiet_nav.perception.detector import HeardWindow
from quiet_nav.perception.rig import find_rig
from quiet_nav.simulation.robot.drive import RobotSettings, SimulatedRobot
from quiet_nav.sound.windows import Window, WINDOW_SAMPLES
from quiet_nav.trials.protocol import run_trial, TrialRequest
from quiet_nav.trials.random_network import RandomNetwork
from quiet_nav.trials.sweep import Sweep


def windows(count, seed=0):
    rng = np.random.default_rng(seed)
    color = np.exp(0.4 * np.cumsum(rng.standard_normal((count, 400)), axis=1) / 5)
    noise = rng.standard_normal((count, WINDOW_SAMPLES))
    pairs = zip(noise, color, strict=True)
    sound = [np.convolve(n, np.fft.irfft(c)[:200], 'same') for n, c in pairs]
    return [Window.from_samples(0.01 * s / s.std(), 0, 0) for s in sound]


def said(network, heard):
    read = network.read([HeardWindow(window, Side.LEFT, 0.0) for window in heard])
    return np.array([reading.probability for reading in read])


def test_the_same_sound_and_weights_say_the_same_and_other_weights_something_else():
    heard = windows(2)
    first = said(RandomNetwork(np.random.default_rng(1)), heard)
    assert np.array_equal(first, said(RandomNetwork(np.random.default_rng(1)), heard))
    assert not np.allclose(first, said(RandomNetwork(np.random.default_rng(2)), heard), atol=0.01)


@pytest.mark.slow
def test_what_it_says_depends_on_what_it_hears_and_is_a_probability():
    heard = windows(4)
    p = np.array([said(RandomNetwork(np.random.default_rng(seed)), heard) for seed in range(6)])
    assert ((p > 0.0) & (p < 1.0)).all()
    assert np.median(np.ptp(p, axis=1)) > 0.02
    # Neither near nor far is favored over many networks.
    assert 0.2 < p.mean() < 0.8


def test_a_window_that_may_not_be_used_gives_no_reading():
    silent = Window.from_samples(np.zeros(WINDOW_SAMPLES), 0, 0)
    (reading,) = RandomNetwork(np.random.default_rng(0)).read([HeardWindow(silent, Side.LEFT, 0.0)])
    assert not reading.valid
    assert 'silent' in reading.reason


REQUEST = TrialRequest(
    'classroom', 'random', find_rig('single'), 'ideal', 4, 3, robot=RobotSettings.perfect(),
    max_duration_s=40.0,
)  # fmt: skip


def headings_at_rest(request, monkeypatch):
    """Return how far the robot had turned, in degrees, wherever it listened."""
    turned = []
    from quiet_nav.trials import protocol

    listen = protocol._Drive._listen

    def watched(drive, fresh):
        turned.append(round(np.degrees(drive._robot.state.pose.yaw)))
        listen(drive, fresh)

    monkeypatch.setattr(protocol._Drive, '_listen', watched)
    return run_trial(request), turned


def test_random_turns_to_listen_and_straight_never_does(monkeypatch):
    result, turned = headings_at_rest(REQUEST, monkeypatch)
    assert result.listened
    assert max(turned) - min(turned) > 150
    angular = []
    command = SimulatedRobot.command

    def watched(robot, linear, turn):
        angular.append(abs(turn))
        command(robot, linear, turn)

    monkeypatch.setattr(SimulatedRobot, 'command', watched)
    straight, turned = headings_at_rest(replace(REQUEST, policy='straight'), monkeypatch)
    assert (turned, straight.listened, straight.detector) == ([], (), '')
    assert max(angular) < 0.02


def test_random_hears_a_network_of_random_weights_in_trials_by_ear(monkeypatch):
    from quiet_nav.trials import random_network

    heard = []
    read = random_network.RandomNetwork.read

    def watched(network, windows):
        heard.append(read(network, windows))
        return heard[-1]

    monkeypatch.setattr(random_network.RandomNetwork, 'read', watched)
    (request,) = Sweep(policies=('random',), trials=1, seeds=(3,)).requests()
    result = run_trial(replace(request, max_duration_s=12.0))
    assert result.detector == 'random-weights'
    told = {round(reading.probability, 12) for listen in heard for reading in listen}
    used = {round(p, 12) for at in result.listened for p in at.probabilities if p == p}
    assert used and used <= told
