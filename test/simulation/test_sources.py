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

"""Sources, distractors and recordings: their spectra, levels and course over time."""

import numpy as np
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.sound.ambient_kinds import AMBIENT_KINDS
from quiet_nav.simulation.sound.clips import list_clips, load_clip
from quiet_nav.simulation.sound.distractors import Event, EVENT_KINDS, event_samples
from quiet_nav.simulation.sound.sources import (
    Drift,
    Schedule,
    Source,
    source_samples,
    source_spectrum,
)
from quiet_nav.sound.windows import SAMPLE_RATE
from quiet_nav.streams import stream_key, white_noise

HERE = (1.0, 1.0, 1.0)


def level_db(samples):
    return 20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def band_level(samples, low, high):
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return 10 * np.log10(power[(frequency >= low) & (frequency < high)].sum())


def test_noise_is_the_same_wherever_reading_begins():
    key = stream_key(3, 'noise', 1)
    whole = white_noise(key, -5000, 30_000)
    assert np.array_equal(white_noise(key, 3000, 10_000), whole[8000:18_000])
    assert level_db(whole) == pytest.approx(0.0, abs=0.1)
    other = white_noise(stream_key(3, 'noise', 2), -5000, 30_000)
    assert abs(np.corrcoef(whole, other)[0, 1]) < 0.03


def test_a_source_goes_on_seamlessly_from_interval_to_interval():
    source = Source(
        'machine',
        HERE,
        2,
        slope=1.2,
        drifting_db=(1.0, -1.0) * 4 + (1.0,),
        hum_hz=49.7,
        hum_amplitudes=(0.5, 0.2),
        hum_phases_rad=(0.1, 0.2),
        gain_db=Drift((2.0,), (9.0,), (0.3,)),
        spectral=Drift((0.8,), (7.0,), (0.0,)),
    )
    whole = source_samples(source, 5, 10_000, 40_000)
    parts = [source_samples(source, 5, 10_000 + 8_000 * i, 8_000) for i in range(5)]
    # Slow gains are interpolated within each call, so equality is to -60 dB, not to the bit.
    assert np.abs(np.concatenate(parts) - whole).max() < 1e-3 * np.abs(whole).max()


@pytest.mark.parametrize('slope', [0.5, 1.5, 2.5])
def test_power_falls_by_the_slope(slope):
    samples = source_samples(Source('window', HERE, 1, slope=slope), 9, 0, 320_000)
    fall = band_level(samples, 200, 400) - band_level(samples, 1600, 3200)
    # Three octaves up: a constant-Q band gains 3 dB an octave of width and loses 3 * slope.
    assert fall == pytest.approx(3 * 10 * np.log10(2) * (slope - 1), abs=0.6)
    assert level_db(samples) == pytest.approx(0.0, abs=0.6)


def test_hum_sits_on_its_harmonics():
    source = Source(
        'machine', HERE, 1, hum_hz=100.0, hum_amplitudes=(2.0, 0, 1.0), hum_phases_rad=(0, 0, 0)
    )
    samples = source_samples(source, 1, 0, 160_000)
    assert band_level(samples, 99, 101) > band_level(samples, 110, 112) + 25
    assert band_level(samples, 299, 301) > band_level(samples, 310, 312) + 25
    assert band_level(samples, 99, 101) - band_level(samples, 299, 301) == pytest.approx(6, abs=0.5)


def test_level_drift_and_schedule_are_what_they_say():
    quiet = Source('machine', HERE, 1, level_db=-12.0)
    assert level_db(source_samples(quiet, 2, 0, 160_000)) == pytest.approx(-12.0, abs=0.5)
    slow = Source('machine', HERE, 1, gain_db=Drift((6.0,), (40.0,), (0.0,)))
    up = source_samples(slow, 2, int(9.5 * SAMPLE_RATE), SAMPLE_RATE)
    down = source_samples(slow, 2, int(29.5 * SAMPLE_RATE), SAMPLE_RATE)
    assert level_db(up) - level_db(down) == pytest.approx(12.0, abs=1.5)
    fan = Source('wall_vent', HERE, 1, schedule=Schedule(on_s=10.0, off_s=5.0, ramp_s=0.5))
    assert level_db(source_samples(fan, 2, 5 * SAMPLE_RATE, SAMPLE_RATE)) > -3
    assert np.abs(source_samples(fan, 2, 11 * SAMPLE_RATE, 3 * SAMPLE_RATE)).max() == 0.0
    assert level_db(source_samples(fan, 2, 17 * SAMPLE_RATE, SAMPLE_RATE)) > -3


def test_expected_spectrum_is_the_measured_one():
    source = Source(
        'machine', HERE, 1, slope=1.0, equalizer_db=(0, 0, 3, 6, 0, -3, 0, 0, 0), hum_hz=120.0,
        hum_amplitudes=(1.0,), hum_phases_rad=(0.0,),
    )  # fmt: skip
    samples = source_samples(source, 4, 0, 320_000)
    frequency = np.linspace(0, 8000, 8193)
    expected = source_spectrum(source, frequency)
    total = band_level(samples, 0, 8000)
    for low, high in ((90, 180), (180, 360), (720, 1440), (2880, 5760)):
        inside = (frequency >= low) & (frequency < high)
        share = 10 * np.log10(expected[inside].sum())
        assert band_level(samples, low, high) - total == pytest.approx(share, abs=0.7)


@pytest.mark.parametrize('kind', EVENT_KINDS)
def test_distractors_are_short_loud_and_repeatable(kind):
    event = Event(kind, HERE, 0.0, 7)
    samples = event_samples(event, 3)
    assert 0.1 * SAMPLE_RATE < len(samples) < 6 * SAMPLE_RATE
    assert level_db(samples) == pytest.approx(0.0, abs=0.01)
    assert np.array_equal(samples, event_samples(event, 3))
    assert not np.array_equal(samples[:1000], event_samples(Event(kind, HERE, 0.0, 8), 3)[:1000])


@pytest.fixture
def sounds(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(2 * 44_100) * 0.05
    noise[:10_000] = 0.0
    soundfile.write(tmp_path / 'ambient-rain-1.ogg', noise, 44_100)
    soundfile.write(tmp_path / 'event-dog-1.wav', noise[:30_000], 44_100)
    (tmp_path / 'README.md').write_text('ambient-clock.ogg')
    return tmp_path


def test_a_recording_becomes_an_endless_source(sounds):
    assert list_clips(sounds, 'ambient-') == ['ambient-rain-1.ogg']
    clip = load_clip(str(sounds / 'ambient-rain-1.ogg'))
    assert len(clip) == pytest.approx((2 * 44_100 - 10_000) / 44_100 * SAMPLE_RATE, rel=0.03)
    source = Source('window', HERE, 1, recording='ambient-rain-1.ogg')
    whole = source_samples(source, 1, 0, 10 * SAMPLE_RATE, str(sounds))
    part = source_samples(source, 1, 4 * SAMPLE_RATE, SAMPLE_RATE, str(sounds))
    assert part == pytest.approx(whole[4 * SAMPLE_RATE :][:SAMPLE_RATE], abs=1e-5)
    seconds = [level_db(s) for s in np.split(whole, 10)]
    assert max(seconds) - min(seconds) < 1.5


def test_missing_and_broken_recordings_are_one_clear_error(sounds):
    with pytest.raises(QuietNavError, match='not there'):
        list_clips(sounds / 'nowhere', 'ambient-')
    (sounds / 'ambient-broken.wav').write_bytes(b'RIFFnothing')
    with pytest.raises(QuietNavError, match='no readable audio'):
        load_clip(str(sounds / 'ambient-broken.wav'))
    soundfile.write(sounds / 'ambient-still.wav', np.zeros(44_100), 44_100)
    with pytest.raises(QuietNavError, match='silent'):
        load_clip(str(sounds / 'ambient-still.wav'))


def test_esc_50_is_taken_as_published(tmp_path):
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'audio').mkdir()
    rows = ['filename,fold,target,category,esc10,src_file,take']
    rows += ['1-a.wav,1,0,dog,True,1,A', '1-b.wav,1,10,rain,True,1,A']
    rows += ['1-c.wav,1,24,coughing,False,1,A', '1-d.wav,1,21,sneezing,True,1,A']
    (tmp_path / 'meta' / 'esc50.csv').write_text('\n'.join(rows) + '\n')
    noise = 0.1 * np.random.default_rng(1).standard_normal(44_100)
    for name in 'abcd':
        soundfile.write(tmp_path / 'audio' / f'1-{name}.wav', noise, 44_100)
    assert list_clips(tmp_path, 'ambient-') == ['audio/1-b.wav']
    assert list_clips(tmp_path, 'event-sneeze') == ['audio/1-d.wav']
    assert len(list_clips(tmp_path, 'event-')) == 3
    source = Source('window', HERE, 1, recording='audio/1-b.wav')
    assert level_db(source_samples(source, 1, 0, 8000, str(tmp_path))) > -10


def test_a_list_that_is_not_esc_50s_is_one_clear_error(tmp_path):
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'meta' / 'esc50.csv').write_text('file,kind\na,b\n')
    with pytest.raises(QuietNavError, match='columns category, filename expected'):
        list_clips(tmp_path, 'ambient-')


@pytest.mark.parametrize('kind', AMBIENT_KINDS)
def test_ambient_kinds_go_on_and_are_drawn_anew(kind):
    source = Source(kind, HERE, 3, level_db=-6.0)
    whole = source_samples(source, 2, 0, 25 * SAMPLE_RATE)
    part = source_samples(source, 2, 21 * SAMPLE_RATE, SAMPLE_RATE)
    assert np.array_equal(part, whole[21 * SAMPLE_RATE :][:SAMPLE_RATE])
    assert level_db(whole) == pytest.approx(-6.0, abs=1.5)
    assert not np.array_equal(part, source_samples(source, 3, 21 * SAMPLE_RATE, SAMPLE_RATE))
    shares = source_spectrum(source, np.linspace(0, 8000, 4097), seed=2)
    assert shares.sum() == pytest.approx(1.0)


def test_there_are_twenty_kinds_of_events_at_least():
    assert len(EVENT_KINDS) >= 20 and len(set(EVENT_KINDS)) == len(EVENT_KINDS)
