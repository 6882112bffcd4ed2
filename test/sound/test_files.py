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
    with pytest.raises(QuietNavError, match='No such file'):
        PcmFile(tmp_path / 'missing.wav')
    with pytest.raises(QuietNavError, match='a folder, expected a regular file'):
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


@pytest.mark.parametrize('subtype', ['PCM_16', 'PCM_24'])
def test_flac_that_does_not_say_its_length_is_read_to_its_end(tmp_path, subtype):
    path = write(tmp_path / 'x.flac', subtype)
    whole = b''.join(PcmFile(path).chunks(0.1))
    data = bytearray(path.read_bytes())
    # As ffmpeg writes into a pipe: no number of samples, no checksum.
    data[21] &= 0xF0
    data[22:26], data[26:42] = bytes(4), bytes(16)
    path.write_bytes(data)
    file = PcmFile(path)
    assert file.frames is None and np.isnan(file.duration_s)
    for chunk_s in (0.1, 0.013, 0.5, 1.0):
        assert b''.join(file.chunks(chunk_s)) == whole


@pytest.mark.parametrize('subtype', ['PCM_16', 'PCM_24', 'FLOAT'])
@pytest.mark.parametrize('size', [0, 0xFFFFFFFF])
def test_wav_whose_recorder_lost_power_is_read_to_its_end(tmp_path, subtype, size):
    path = write(tmp_path / 'x.wav', subtype)
    whole = b''.join(PcmFile(path).chunks(0.1))
    data = bytearray(path.read_bytes())
    at = data.index(b'data') + 4
    data[4:8] = data[at : at + 4] = size.to_bytes(4, 'little')
    path.write_bytes(data)
    assert b''.join(PcmFile(path).chunks(0.1)) == whole


def test_wav_that_is_empty_stays_empty(tmp_path):
    path = write(tmp_path / 'x.wav', seconds=0.0)
    with pytest.raises(QuietNavError, match='holds no samples'):
        PcmFile(path)


def test_flac_damaged_in_its_middle_says_where(tmp_path):
    path = write(tmp_path / 'x.flac', 'PCM_16', seconds=4.0)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    path.write_bytes(data)
    with pytest.raises(QuietNavError, match=r'x\.flac: damaged [12]\.\d s after its beginning'):
        list(PcmFile(path).chunks(0.1))


def test_a_pipe_is_no_sound_file(tmp_path):
    import os

    os.mkfifo(tmp_path / 'x.wav')
    with pytest.raises(QuietNavError, match='a pipe'):
        PcmFile(tmp_path / 'x.wav')
