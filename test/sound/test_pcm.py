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

"""PCM of every format, cut anywhere, comes back sample for sample."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import soundfile

from quiet_nav.errors import QuietNavError
from quiet_nav.sound.pcm import (
    decode_pcm,
    encode_pcm,
    parse_format,
    PcmDecoder,
    PcmFormat,
    SAMPLE_BYTES,
)

STEP = {'S16LE': 2.0**-15, 'S24LE': 2.0**-23, 'S32LE': 2.0**-31, 'F32LE': 2.0**-24}


@settings(max_examples=60, deadline=None)
@given(
    sample_format=st.sampled_from(sorted(SAMPLE_BYTES)),
    channels=st.integers(1, 8),
    cuts=st.lists(st.integers(0, 37), max_size=60),
    seed=st.integers(0, 2**16),
)
def test_any_cutting_gives_the_same_samples(sample_format, channels, cuts, seed):
    x = np.random.default_rng(seed).uniform(-1, 0.999, (50, channels)).astype(np.float32)
    data = encode_pcm(x, sample_format)
    decoder = PcmDecoder(PcmFormat(sample_format, channels, 16_000))
    pieces, at = [], 0
    for cut in [*cuts, len(data)]:
        pieces.append(decoder.decode(data[at : at + cut]))
        at += cut
    pieces.append(decoder.decode(data[at:]))
    y = np.concatenate(pieces)
    assert y.shape == x.shape
    assert np.abs(y - x).max() <= STEP[sample_format]
    assert decoder.pending_bytes == 0


@pytest.mark.parametrize(
    'sample_format, data, expected',
    [
        ('S16LE', b'\x00\x80\xff\x7f\x01\x00', [-1.0, 32767 / 32768, 1 / 32768]),
        ('S24LE', b'\x00\x00\x80\xff\xff\x7f\x01\x00\x00', [-1.0, 1 - 2.0**-23, 2.0**-23]),
        ('S32LE', b'\x00\x00\x00\x80\x00\x00\x00\x40', [-1.0, 0.5]),
        ('F32LE', b'\x00\x00\x80\x3f\x00\x00\x00\xbf', [1.0, -0.5]),
    ],
)
def test_known_bytes_have_known_values(sample_format, data, expected):
    samples = decode_pcm(data, PcmFormat(sample_format, 1, 16_000))
    assert samples[:, 0].tolist() == expected


def test_channels_are_interleaved():
    data = np.array([[1, 2, 3], [4, 5, 6]], '<i2').tobytes()
    samples = decode_pcm(data, PcmFormat('S16LE', 3, 16_000)) * 32768
    assert samples.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize('sample_format', ['S16LE', 'S24LE'])
def test_encoding_what_was_decoded_gives_the_same_bytes(sample_format):
    data = np.random.default_rng(1).integers(0, 256, 6000, np.uint8).tobytes()
    samples = decode_pcm(data, PcmFormat(sample_format, 2, 48_000))
    assert encode_pcm(samples, sample_format) == data


@pytest.mark.parametrize('subtype, name', [('PCM_16', 'S16LE'), ('PCM_24', 'S24LE')])
def test_encoding_equals_what_libsndfile_writes(tmp_path, subtype, name):
    x = np.random.default_rng(2).uniform(-0.9, 0.9, 500)
    soundfile.write(tmp_path / 'x.raw', x, 16_000, subtype, 'LITTLE', 'RAW')
    ours = decode_pcm(encode_pcm(x, name), PcmFormat(name, 1, 16_000))
    theirs = decode_pcm((tmp_path / 'x.raw').read_bytes(), PcmFormat(name, 1, 16_000))
    assert np.abs(ours - theirs).max() <= STEP[name]


def test_encoding_limits_to_the_range():
    samples = decode_pcm(encode_pcm(np.array([2.0, -2.0]), 'S16LE'), PcmFormat('S16LE', 1, 8_000))
    assert samples[:, 0].tolist() == [32767 / 32768, -1.0]


def test_integers_are_encoded_bit_for_bit():
    x = np.random.default_rng(3).integers(-(2**15), 2**15, 1000).astype(np.int16)
    assert encode_pcm(x, 'S16LE') == x.astype('<i2').tobytes()
    wide = x.astype(np.int32) << 16
    assert encode_pcm(wide, 'S16LE') == x.astype('<i2').tobytes()
    assert encode_pcm(wide, 'S32LE') == wide.astype('<i4').tobytes()
    assert np.frombuffer(encode_pcm(x, 'F32LE'), '<f4') * 32768 == pytest.approx(x)


def test_begun_frame_can_be_dropped():
    decoder = PcmDecoder(PcmFormat('S16LE', 2, 16_000))
    assert len(decoder.decode(b'\x01\x00\x02')) == 0
    assert decoder.drop_pending() == 3
    assert decoder.decode(b'\x00\x40\x00\x20').tolist() == [[0.5, 0.25]]


@pytest.mark.parametrize(
    'arguments, word',
    [
        (('S16BE', 1, 16_000), 'S16LE, S24LE, S32LE, F32LE'),
        (('', 1, 16_000), 'sample format'),
        (('S16LE', 0, 16_000), '0 audio channels'),
        (('S16LE', 9, 16_000), '1 to 8'),
        (('S16LE', 1, 0), '0 Hz'),
        (('S16LE', 1, 2_000_000), 'sample_rate'),
    ],
)
def test_formats_that_cannot_be_decoded_are_refused(arguments, word):
    with pytest.raises(QuietNavError, match=word):
        PcmFormat(*arguments)


def test_bytes_that_fill_no_frame_are_refused_where_nothing_follows():
    with pytest.raises(QuietNavError, match='7 bytes do not fill frames of 4'):
        decode_pcm(bytes(7), PcmFormat('S16LE', 2, 16_000))
    with pytest.raises(QuietNavError, match='U8'):
        encode_pcm(np.zeros(3), 'U8')


@pytest.mark.parametrize('text', ['S16LE', 'S16LE,one,16000', 'MP3,1,16000', 'S16LE,0,16000'])
def test_formats_that_cannot_be_are_refused(text):
    with pytest.raises(QuietNavError, match=r'S16LE,1,16000|not known|0 audio channels'):
        parse_format(text)
