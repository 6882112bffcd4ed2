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


"""Recordings of taps tell whether ears are where the rig says, and hear; healthy ones pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tapped

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.rig import find_rig, load_rig, parse_ear, Rig, rig_as_yaml
from quiet_nav.perception.rig_check.check import check_rig
from quiet_nav.perception.rig_check.findings import Kind, Sure
from quiet_nav.perception.rig_check.script import Script

RATE = tapped.RATE
PAIR = find_rig('pair')
SMALL = find_rig('respeaker_usb_4')


SLOW_FIXTURES = ('healthy', 'small')


@pytest.fixture(scope='module')
def healthy():
    """Taps at the pair in a plain room, (n, 2)."""
    return tapped.plain(PAIR, seed=3)


@pytest.fixture(scope='module')
def small():
    """Taps at an array of 64 mm, its processed and playback channels silent, (n, 6)."""
    sound = tapped.plain(SMALL, seed=4)
    return np.column_stack([sound, np.zeros(len(sound))])


def kinds(result, serious=None):
    """Return the kinds that were found, all of them or the serious ones alone."""
    return {f.kind for f in result.findings if serious in (None, f.serious)}


def only(result, kind):
    """Return the findings of a kind, the only kind that was found."""
    assert kinds(result) == {kind}, [f.what for f in result.findings]
    return list(result.findings)


def changed(sound, channel, values):
    """Return a copy of a recording with another channel."""
    out = sound.copy()
    out[:, channel] = values
    return out


def test_healthy_ears_pass_with_every_tap_found(healthy):
    result = check_rig(healthy, RATE, PAIR)
    assert result.findings == () and not result.serious
    assert result.judged and result.rig == PAIR
    assert result.taps == (6, 6)


def test_an_array_of_64_mm_is_told_apart(small):
    result = check_rig(small, RATE, SMALL)
    assert result.judged and not result.serious
    turned = replace(SMALL, ears=tuple(
        replace(ear, channel=1 + ear.channel % 4) for ear in SMALL.ears
    ))  # fmt: skip
    result = check_rig(small, RATE, turned)
    assert Kind.SWAPPED in kinds(result)
    assert [e.channel for e in result.rig.ears] == [e.channel for e in SMALL.ears]


def test_channels_of_a_new_rig_are_found(small):
    ears = tuple(replace(ear, channel=k) for k, ear in enumerate(SMALL.ears))
    result = check_rig(small, RATE, Rig('mine', ears), known=False)
    assert result.judged and Kind.SWAPPED not in kinds(result)
    assert [e.channel for e in result.rig.ears] == [e.channel for e in SMALL.ears]


def test_more_ears_than_channels_that_hear_are_said(healthy):
    three = find_rig('trio')
    sound = np.column_stack([healthy, np.zeros(len(healthy))])
    count = round(Script(3).duration_s * RATE)
    longer = np.concatenate([sound, sound[-RATE:].repeat(9, axis=0)])[:count]
    result = check_rig(longer, RATE, three, known=False)
    assert kinds(result, serious=True) & {Kind.DEAD, Kind.NO_TAPS}
    assert not result.judged


def test_swapped_channels_are_found_and_the_rig_mended(healthy):
    result = check_rig(healthy[:, ::-1], RATE, PAIR)
    (found,) = only(result, Kind.SWAPPED)
    assert found.sure is Sure.SURE and found.serious
    assert 'LEFT is channel 1 and not 0' in found.what
    assert [ear.channel for ear in result.rig.ears] == [1, 0]
    assert not check_rig(healthy[:, ::-1], RATE, result.rig).findings


def test_unequal_gains_swap_nothing(healthy):
    assert check_rig(healthy * [1.0, 0.2], RATE, PAIR).rig == PAIR
    assert Kind.SWAPPED in kinds(check_rig(healthy[:, ::-1] * [1.0, 0.2], RATE, PAIR))


@pytest.mark.parametrize('own_noise', [0.0, 3e-4])
def test_a_dead_channel_is_found(healthy, own_noise):
    noise = own_noise * np.random.default_rng(0).standard_normal(len(healthy))
    result = check_rig(changed(healthy, 1, noise), RATE, PAIR)
    dead = next(f for f in result.findings if f.kind is Kind.DEAD)
    assert dead.channels == (1,) and dead.sure is Sure.SURE
    assert 'RIGHT' in dead.what and not result.judged


def test_a_recording_without_taps_is_not_called_good(healthy):
    quiet = healthy[: 4 * RATE]
    sound = np.concatenate([quiet] * 7)
    result = check_rig(sound, RATE, PAIR)
    assert Kind.NO_TAPS in kinds(result, serious=True)
    assert not result.judged


def test_an_ear_that_nobody_tapped_is_named(healthy):
    sound = healthy.copy()
    for slot in Script(2).slots:
        if slot.ear == 1:
            begin, end = round(slot.start_s * RATE), round((slot.end_s + 0.1) * RATE)
            sound[begin:end] = healthy[RATE : RATE + end - begin]
    found = next(f for f in check_rig(sound, RATE, PAIR).findings if f.kind is Kind.NO_TAPS)
    assert 'RIGHT' in found.what and 'LEFT' not in found.what


def test_clipping_in_taps_is_a_note_and_without_taps_serious(healthy):
    clipped = np.clip(2.0 / np.abs(healthy).max() * healthy, -1, 1)
    (found, *_) = only(check_rig(clipped, RATE, PAIR), Kind.CLIPPED)
    assert not found.serious
    loud = check_rig(np.clip(400 * healthy, -1, 1), RATE, PAIR)
    assert any(f.kind is Kind.CLIPPED and f.serious for f in loud.findings)


def test_a_top_that_is_flat_below_full_scale_is_clipping_too(healthy):
    top = 0.3 * np.abs(healthy).max()
    assert Kind.CLIPPED in kinds(check_rig(np.clip(healthy, -top, top), RATE, PAIR))


@pytest.mark.parametrize('release_s', [0.5, 1.0, 4.0])
def test_gain_control_is_found_by_noise_that_dips_after_taps(healthy, release_s):
    result = check_rig(tapped.agc(healthy, release_s), RATE, PAIR, device='USB Audio (hw:2,0)')
    found = [f for f in result.findings if f.kind is Kind.AGC]
    assert {f.channels for f in found} == {(0,), (1,)}
    assert all(f.serious for f in found)
    assert "amixer -c 2 sset 'Auto Gain Control' off" in found[0].advice


def test_noise_that_stops_is_no_gain_control(healthy):
    fan = 10 ** (-40 / 20) * np.random.default_rng(1).standard_normal(healthy.shape)
    fan[len(fan) // 2 :] = 0.0
    result = check_rig(healthy + fan, RATE, PAIR)
    assert all(not f.serious and f.sure is Sure.POSSIBLE for f in result.findings)


def test_noise_that_is_off_while_taps_are_made_is_no_gain_control(healthy):
    fan = 10 ** (-40 / 20) * np.random.default_rng(1).standard_normal(healthy.shape)
    fan[6 * RATE : 22 * RATE] = 0.0
    assert Kind.AGC not in kinds(check_rig(healthy + fan, RATE, PAIR))


@pytest.mark.parametrize(
    'remove',
    [
        tapped.gated,
        lambda x: tapped.gated(x, -80.0),
        tapped.spectrally_suppressed,
        lambda x: np.round(tapped.gated(x, -200.0), 4),
    ],
    ids=['gate', 'closed gate', 'spectral', 'zeros'],
)
def test_noise_suppression_is_found(healthy, remove):
    result = check_rig(remove(healthy), RATE, PAIR)
    found = [f for f in result.findings if f.kind is Kind.SUPPRESSION]
    assert {f.channels for f in found} == {(0,), (1,)}
    assert all(f.serious for f in found)


def test_a_quiet_room_is_no_suppression_and_no_gain_control():
    quiet = tapped.plain(PAIR, 5, room_dbfs=-68.0, noise_dbfs=-72.0)
    result = check_rig(quiet, RATE, PAIR)
    assert not kinds(result) & {Kind.SUPPRESSION, Kind.AGC}
    faint = np.round(quiet * 0.03 * 32768) / 32768
    found = kinds(check_rig(faint, RATE, PAIR))
    assert Kind.QUIET in found and not found & {Kind.SUPPRESSION, Kind.AGC}


@pytest.mark.parametrize(
    'offset_s, drift_ppm', [(0.02, 0.0), (-0.02, 0.0), (0.0, 40.0), (0.2, -30.0)]
)
def test_a_second_clock_is_found(healthy, offset_s, drift_ppm):
    other = tapped.other_clock(healthy[:, 1].astype(float), offset_s, drift_ppm)
    result = check_rig(changed(healthy, 1, other), RATE, PAIR)
    (found,) = only(result, Kind.UNSYNCHRONIZED)
    middle_s = Script(2).duration_s / 2
    expected_ms = 1e3 * (offset_s + drift_ppm * 1e-6 * middle_s)
    assert found.figures['offset_ms'] == pytest.approx(expected_ms, abs=0.3)
    assert found.figures['drift_ppm'] == pytest.approx(drift_ppm, abs=4.0)
    assert result.rig == PAIR


def test_one_microphone_written_twice_is_found(healthy):
    (found,) = only(check_rig(changed(healthy, 1, 0.7 * healthy[:, 0]), RATE, PAIR), Kind.IDENTICAL)
    assert found.channels == (0, 1) and found.serious


def test_an_inverted_channel_is_a_note(healthy):
    (found,) = only(check_rig(healthy * [1.0, -1.0], RATE, PAIR), Kind.POLARITY)
    assert not found.serious and found.figures['coherence'] < -0.5


def test_the_odd_one_of_three_inverted_channels_is_named(small):
    signs = np.where(np.arange(small.shape[1]) == 3, -1.0, 1.0)
    (found,) = only(check_rig(small * signs, RATE, SMALL), Kind.POLARITY)
    assert found.channels == (3,)


def test_a_constant_part_is_a_note(healthy):
    found = only(check_rig(healthy + np.array([0.0, 0.05]), RATE, PAIR), Kind.DC)
    assert [(f.channels, f.serious) for f in found] == [((1,), False)]


@pytest.mark.parametrize('mains_hz', [50.0, 60.0])
def test_hum_in_one_channel_is_found_with_its_mains(healthy, mains_hz):
    (found,) = only(check_rig(tapped.hummed(healthy, mains_hz, -35.0, 1), RATE, PAIR), Kind.HUM)
    assert found.channels == (1,) and f'{mains_hz:.0f} Hz' in found.what


def test_hum_that_all_ears_hear_is_the_rooms(healthy):
    both = tapped.hummed(tapped.hummed(healthy, 50.0, -35.0, 0), 50.0, -35.0, 1)
    assert Kind.HUM not in kinds(check_rig(both, RATE, PAIR))


def test_ears_farther_apart_than_the_rig_says_are_found(healthy):
    near = replace(PAIR, ears=tuple(replace(ear, y=ear.y / 5) for ear in PAIR.ears))
    (found,) = only(check_rig(healthy, RATE, near), Kind.DISTANCE)
    assert found.figures['heard_m'] == pytest.approx(0.30, abs=0.06)


@pytest.mark.parametrize(
    'sound, said',
    [
        (np.zeros((5 * RATE, 2)), r'lasts 5.0 s, the script for 2 ears takes 27 s'),
        (np.zeros((30 * RATE, 1)), 'has 1 channels, rig pair asks for channel 1'),
        (np.full((30 * RATE, 2), np.nan), 'NaN or infinity'),
    ],
)
def test_recordings_that_cannot_be_judged_say_why(sound, said):
    with pytest.raises(QuietNavError, match=said):
        check_rig(sound, RATE, PAIR)


def test_silence_is_dead_and_not_an_error():
    assert Kind.DEAD in kinds(check_rig(np.zeros((30 * RATE, 2)), RATE, PAIR))


@pytest.mark.slow
@pytest.mark.parametrize('rig, seed', [('pair', 0), ('pair', 7), ('respeaker_usb_4', 1)])
def test_healthy_ears_in_simulated_rooms_with_own_sound_pass(rig, seed):
    used = find_rig(rig)
    result = check_rig(np.clip(tapped.in_room(used, seed), -1, 1), RATE, used)
    assert not result.serious, [f.what for f in result.findings]
    assert result.judged


def test_a_rig_file_reads_back_as_it_was_written(tmp_path):
    rig = Rig('my "own": robot', tuple(
        parse_ear(text, k) for k, text in enumerate(('LEFT=0,0.032,0.25', 'front = 0.1, 0, 0.2'))
    ))  # fmt: skip
    (tmp_path / 'rig.yaml').write_text(rig_as_yaml(rig, ['written by a test']))
    assert load_rig(tmp_path / 'rig.yaml') == rig


@pytest.mark.parametrize('text', ['LEFT', 'LEFT=1,2', 'UP=0,0,0', 'LEFT=0,0,x', 'LEFT=0,0,99'])
def test_ears_that_are_none_are_one_line(text):
    with pytest.raises(QuietNavError, match=r'^ear ') as found:
        parse_ear(text, 0)
    assert '\n' not in str(found.value)
