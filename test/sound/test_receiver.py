"""What a subscriber makes of audio that is right, wrong and changing."""

import itertools

import numpy as np
import pytest

from quiet_nav.sound.pcm import encode_pcm
from quiet_nav.sound.receiver import AudioReceiver

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000
INFO = (1, 16_000, 'S16LE', 'wave')


#: No microphone says the same twice: every noise has a seed of its own.
_SEEDS = itertools.count()


def noise(seconds, rate=16_000, channels=1):
    rng = np.random.default_rng(next(_SEEDS))
    return 0.02 * rng.standard_normal((round(seconds * rate), channels))


def send(receiver, frames, start_ns=T0, rate=16_000, sample_format='S16LE', size=160):
    for i in range(0, len(frames), size):
        data = encode_pcm(frames[i : i + size], sample_format)
        receiver.on_audio(data, start_ns + i * S // rate)


def texts(receiver):
    return [event.text for event in receiver.take_events()]


def test_info_and_chunks_make_windows():
    receiver = AudioReceiver()
    assert receiver.fault == 'no audio received yet'
    receiver.on_info(*INFO)
    send(receiver, noise(4))
    assert receiver.fault == ''
    assert receiver.stream.latest().valid
    assert texts(receiver) == []


def test_chunks_before_the_info_wait_for_it():
    receiver = AudioReceiver()
    send(receiver, noise(2))
    assert 'audio_info' in receiver.fault
    receiver.on_info(*INFO)
    send(receiver, noise(2), T0 + 2 * S)
    window = receiver.stream.latest()
    assert window.valid and window.end_ns == T0 + 4 * S


def test_chunks_wait_no_longer_than_ten_seconds():
    receiver = AudioReceiver()
    send(receiver, noise(60), size=1600)
    assert len(receiver._waiting) <= 101


@pytest.mark.parametrize(
    'info, word',
    [
        ((1, 16_000, 'S16LE', 'mp3'), 'format:=wave'),
        ((1, 16_000, 'S16BE', 'wave'), "'S16BE' is not known"),
        ((0, 16_000, 'S16LE', 'wave'), '0 audio channels'),
        ((12, 16_000, 'S16LE', 'wave'), '12 audio channels'),
        ((1, 0, 'S16LE', 'wave'), '0 Hz'),
    ],
)
def test_infos_that_cannot_be_used_are_errors_until_mended(info, word):
    receiver = AudioReceiver()
    receiver.on_info(*INFO)
    send(receiver, noise(4))
    receiver.on_info(*info)
    receiver.on_info(*info)
    send(receiver, noise(1), T0 + 4 * S)
    assert word in receiver.fault
    assert receiver.stream is None
    (event,) = receiver.take_events()
    assert event.error and word in event.text
    receiver.on_info(*INFO)
    send(receiver, noise(4), T0 + 9 * S)
    assert receiver.fault == '' and receiver.stream.latest().valid
    assert texts(receiver) == ['audio is right again: 1 x S16LE at 16000 Hz']


def test_repeated_infos_change_nothing():
    receiver = AudioReceiver()
    for part in range(4):
        receiver.on_info(*INFO)
        send(receiver, noise(1), T0 + part * S)
    assert receiver.stream.latest().valid
    assert texts(receiver) == []


@pytest.mark.parametrize('new', [(1, 48_000, 'S16LE'), (2, 16_000, 'S16LE'), (1, 16_000, 'F32LE')])
def test_changing_format_starts_afresh_and_says_so(new):
    receiver = AudioReceiver()
    receiver.on_info(*INFO)
    send(receiver, noise(4))
    channels, rate, sample_format = new
    receiver.on_info(*new, 'wave')
    assert not receiver.stream.latest().valid
    send(receiver, noise(3.5, rate, channels), T0 + 4 * S, rate, sample_format, rate // 100)
    window = receiver.stream.latest(channels - 1)
    assert window.valid and window.start_ns >= T0 + 4 * S
    assert any('audio changed from 1 x S16LE at 16000 Hz to' in text for text in texts(receiver))


def test_a_restarted_publisher_goes_on_after_the_gap():
    receiver = AudioReceiver()
    receiver.on_info(*INFO)
    send(receiver, noise(4))
    receiver.on_info(*INFO)
    send(receiver, noise(2), T0 + 9 * S)
    assert 'gap of 5.0 s' in receiver.stream.latest().reason
    send(receiver, noise(2), T0 + 11 * S)
    assert receiver.stream.latest().valid
    assert any('gap of 5.0 s' in text for text in texts(receiver))


def test_bytes_that_do_not_fill_frames_are_named_once():
    receiver = AudioReceiver()
    receiver.on_info(2, 16_000, 'S16LE', 'wave')
    for number in range(5):
        receiver.on_audio(bytes(641), T0 + number * S // 100)
    assert texts(receiver) == [
        '641 bytes do not fill frames of 4 bytes (2 x S16LE at 16000 Hz): '
        'the rest is joined to the next chunk; is audio_info right?'
    ]


def test_nan_in_float_audio_is_named_and_spoils_the_window():
    receiver = AudioReceiver()
    receiver.on_info(1, 16_000, 'F32LE', 'wave')
    sound = noise(4)
    sound[50_000] = np.nan
    send(receiver, sound, sample_format='F32LE')
    assert receiver.stream.latest().reason == '1 samples are not finite numbers'
    (text,) = texts(receiver)
    assert 'not finite' in text


def test_time_running_backwards_is_named():
    receiver = AudioReceiver()
    receiver.on_info(*INFO)
    send(receiver, noise(4))
    send(receiver, noise(1), T0 - 10 * S)
    assert any('stamps running backwards by 14.0 s' in text for text in texts(receiver))


def test_wrong_declaration_never_makes_a_valid_window():
    receiver = AudioReceiver()
    receiver.on_info(1, 16_000, 'S16LE', 'wave')
    send(receiver, noise(8, 48_000), rate=48_000, size=480)
    assert not receiver.stream.latest().valid


def test_empty_messages_do_no_harm():
    receiver = AudioReceiver()
    receiver.on_info(*INFO)
    send(receiver, noise(2))
    receiver.on_audio(b'', T0 + 2 * S)
    send(receiver, noise(2), T0 + 2 * S)
    assert receiver.stream.latest().valid


def test_messages_of_other_types_are_an_error_until_an_info_comes():
    receiver = AudioReceiver()
    receiver.on_foreign('another audio_common')
    receiver.on_foreign('another audio_common')
    assert receiver.fault == 'another audio_common'
    assert texts(receiver) == ['another audio_common']
    receiver.on_foreign('')
    assert receiver.fault == 'no audio received yet'
    receiver.on_foreign('another audio_common')
    receiver.on_info(*INFO)
    assert receiver.fault == '' and receiver.stream is not None


def test_sound_that_waits_with_stamps_that_stand_still_is_bounded():
    receiver = AudioReceiver()
    for _ in range(3000):
        receiver.on_audio(bytes(10_000), T0)
    assert sum(len(data) for data, _ in receiver._waiting) <= 16_000_000
    receiver.on_info(*INFO)
    assert receiver.stream is not None


def test_a_driver_that_is_frozen_gives_no_valid_window():
    receiver = AudioReceiver()
    receiver.on_info(*INFO)
    chunk = noise(0.02)
    for i in range(200):
        send(receiver, chunk, T0 + i * S // 50, size=320)
    window = receiver.stream.latest()
    assert not window.valid and 'the same sound came again' in window.reason
    send(receiver, noise(3.2), T0 + 4 * S)
    assert receiver.stream.latest().valid, 'a driver that has come back is heard again'


def test_a_second_microphone_is_told_by_one_cause():
    receiver = AudioReceiver()
    receiver.on_info(*INFO)
    sound = noise(14.0)
    for i in range(0, len(sound), 160):
        data = encode_pcm(sound[i : i + 160], 'S16LE')
        for late_ns in (0, S // 4):
            receiver.on_audio(data, T0 + i * S // 16_000 + late_ns)
    causes = [event.cause for event in receiver.take_events()]
    assert causes and all(causes) and len(set(causes)) <= 5
