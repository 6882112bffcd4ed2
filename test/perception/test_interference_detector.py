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

import numpy as np
import pytest

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.detector import HeardWindow
from quiet_nav.perception.display.display import caption
from quiet_nav.perception.display.markers import ReadingMarkers
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.perception.interference import load_places, ripple_basis
from quiet_nav.perception.interference_detector import InterferenceDetector, load_detector
from quiet_nav.perception.readings import Context, HearsBy, Question
from quiet_nav.perception.rig import find_rig
from quiet_nav.perception.standing_sound import band_spectrum, Noted, StandingSound
from quiet_nav.sound.windows import SAMPLE_RATE, Window, WINDOW_SAMPLES

RIG = find_rig('pair')


def sound(ear: int, distance_m: float | None, seed: int) -> np.ndarray:
    """Return 3 s of a fan at an ear, its power rippled by a wall on the left."""
    rng = np.random.default_rng([seed, ear])
    spectrum = np.fft.rfft(rng.standard_normal(WINDOW_SAMPLES))
    if distance_m is not None:
        of = RIG.ears[ear]
        hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1.0 / SAMPLE_RATE)
        away = distance_m + (RIG.ears[0].y - of.y)
        at = np.array([of.x, of.y, of.z])
        places = load_places('fan').places_m
        basis = ripple_basis(np.array([away]), hz, places, at, Side.LEFT.yaw_rad)
        spectrum *= np.exp(0.4 * basis[0, :, 0])
    return (0.02 * np.fft.irfft(spectrum)).astype(np.float32)


def known(rig=RIG) -> StandingSound:
    standing = StandingSound.of(rig, 'fan')
    standing.begin_calibration(4)
    for i in range(4):
        time_ns = i * 3_000_000_000
        standing.note(
            [Noted(e, band_spectrum(sound(e, None, i)), 0.0, time_ns, None, True) for e in (0, 1)]
        )
    return standing


def listen(distance_m: float | None, seed: int = 9) -> list[HeardWindow]:
    return [
        HeardWindow(
            Window.from_samples(sound(i, distance_m, seed), 0, ear.channel),
            ear.side,
            ear.yaw_rad,
            ear.channel,
            pose=Pose2D(),
        )
        for i, ear in enumerate(RIG.ears)
    ]


def test_wall_is_told_without_a_model_and_on_its_side():
    session = load_detector('interference').session(standing=known())
    left, right = session.read(listen(0.3))
    assert left.side == Side.LEFT and left.probability > 0.8
    assert right.probability < 0.2
    assert left.median_distance_m == pytest.approx(0.3, abs=0.06)
    assert left.context == Context.OTHER_EARS
    assert left.hears_by == HearsBy.OWN_SOUND
    far = session.read(listen(None))
    assert max(reading.probability for reading in far) < STANDARD_BINS.near_prior


def test_reading_without_a_fingerprint_says_what_was_known_before():
    session = InterferenceDetector().session(standing=StandingSound.of(RIG, 'fan'))
    for reading in session.read(listen(0.3)):
        assert reading.valid
        assert reading.bins.information_nats(reading.distance_probabilities) == pytest.approx(0.0)
        assert reading.hears_by == HearsBy.UNKNOWN


def test_reading_in_ambience_that_drowns_the_robot_says_what_was_known_before():
    heard = listen(0.3)
    noise = np.random.default_rng(3).normal(0.0, 0.2, (2, WINDOW_SAMPLES)).astype(np.float32)
    drowned = [
        HeardWindow(
            Window.from_samples(h.window.samples + noise[i], 0, h.ear), h.side, h.bearing_rad, h.ear
        )
        for i, h in enumerate(heard)
    ]
    for reading in InterferenceDetector().session(standing=known()).read(drowned):
        assert reading.hears_by == HearsBy.AMBIENCE
        assert reading.bins.information_nats(reading.distance_probabilities) == pytest.approx(0.0)


def test_clipped_ear_gives_no_reading_and_the_other_one_still_does():
    heard = listen(0.3)
    loud = Window.from_samples(np.clip(80.0 * heard[1].window.samples, -1.0, 1.0), 0, 1)
    session = InterferenceDetector().session(standing=known())
    left, right = session.read([heard[0], HeardWindow(loud, Side.RIGHT, -1.57, 1)])
    assert left.valid and left.context == Context.ALONE
    assert not right.valid and 'clipped' in right.reason


def test_robot_must_be_named_and_the_nearest_wall_is_no_question_for_it():
    with pytest.raises(QuietNavError, match='whose own sound'):
        load_detector('interference').session()
    with pytest.raises(QuietNavError, match='direction'):
        InterferenceDetector().session(question=Question.NEAREST, standing=known())


def test_markers_and_captions_say_which_sound_a_reading_lives_by():
    reading = InterferenceDetector().session(standing=known()).read(listen(0.3))[0]
    assert caption(reading).endswith(', own sound')
    texts = [marker.text for marker in ReadingMarkers(RIG).live(reading) if marker.text]
    assert 'own sound' in texts
