"""Sound files as PCM, bit for bit, and files that are none."""

import itertools

import numpy as np
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.files import PcmFile
from quiet_nav.sound.pcm import decode_pcm


def write(path, subtype=None, seconds=0.5, channels=2, **options):
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.9, 0.9, (round(seconds * 16_000), channels))
    soundfile.write(path, samples, 16_000, subtype, **options)
    return path


@pytest.mark.parametrize(
    'name, subtype, sample_format, exact',
    [
        ('x.wav', 'PCM_16', 'S16LE', 2**15),
        ('x.flac', 'PCM_24', 'S24LE', 2**23),
        ('x.flac', 'PCM_16', 'S16LE', 2**15),
        ('x.wav', 'PCM_U8', 'F32LE', 2**23),
        ('x.wav', 'FLOAT', 'F32LE', 2**23),
        ('x.ogg', 'VORBIS', 'F32LE', 2**23),
    ],
)
def test_samples_are_those_of_the_file(tmp_path, name, subtype, sample_format, exact):
    path = write(tmp_path / name, subtype)
    file = PcmFile(path)
    assert file.format.sample_format == sample_format
    data = b''.join(file.chunks(0.013))
    samples = decode_pcm(data, file.format)
    expected, _ = soundfile.read(path, dtype='float64')
    assert samples.shape == expected.shape
    assert np.abs(samples - expected).max() < 0.5 / exact
    assert file.duration_s == 0.5


def test_chunks_are_of_the_length_asked(tmp_path):
    file = PcmFile(write(tmp_path / 'x.wav', seconds=0.05, channels=1))
    assert [len(chunk) for chunk in file.chunks(0.02)] == [640, 640, 320]


def test_looped_file_begins_again(tmp_path):
    file = PcmFile(write(tmp_path / 'x.wav', seconds=0.05))
    once = b''.join(file.chunks(0.02))
    looped = b''.join(itertools.islice(file.chunks(0.02, loop=True), 9))
    assert looped == once * 3


def test_another_sample_format_can_be_asked_for(tmp_path):
    path = write(tmp_path / 'x.wav', 'PCM_24')
    file = PcmFile(path, 'S16LE')
    expected = soundfile.read(path, dtype='int16')[0]
    assert b''.join(file.chunks(1.0)) == expected.astype('<i2').tobytes()
    with pytest.raises(QuietNavError, match="'MULAW' is not known"):
        PcmFile(path, 'MULAW')


def test_what_is_no_audio_is_refused(tmp_path):
    text = tmp_path / 'notes.wav'
    text.write_text('no sound here')
    with pytest.raises(QuietNavError, match='not audio that can be read; expected one of FLAC'):
        PcmFile(text)
    with pytest.raises(QuietNavError, match='there is no such file'):
        PcmFile(tmp_path / 'missing.wav')
    with pytest.raises(QuietNavError, match='not audio'):
        PcmFile(tmp_path)
    with pytest.raises(QuietNavError, match='no samples'):
        PcmFile(write(tmp_path / 'empty.wav', seconds=0))
    with pytest.raises(QuietNavError, match='9 audio channels'):
        PcmFile(write(tmp_path / 'nine.wav', channels=9))


def test_a_damaged_file_says_so_while_it_is_read(tmp_path):
    path = write(tmp_path / 'x.flac', seconds=3.0)
    whole = path.read_bytes()
    file = PcmFile(path)
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(QuietNavError, match='damaged'):
        b''.join(file.chunks(0.02))
