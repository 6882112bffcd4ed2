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

"""PCM bytes to float samples and back: formats, a decoder that carries split frames, an encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quiet_nav.errors import QuietNavError

#: Bytes of one sample of each format understood, named as GStreamer and audio_common name them.
SAMPLE_BYTES = {'S16LE': 2, 'S24LE': 3, 'S32LE': 4, 'F32LE': 4}
MAX_CHANNELS = 8
MIN_RATE, MAX_RATE = 1_000, 768_000


@dataclass(frozen=True)
class PcmFormat:
    """
    Layout of interleaved PCM bytes.

    Raises QuietNavError for a sample format, channel count or rate (Hz) that cannot be decoded.
    """

    sample_format: str
    channels: int
    sample_rate: int

    def __post_init__(self) -> None:
        if self.sample_format not in SAMPLE_BYTES:
            raise QuietNavError(
                f'sample format {self.sample_format!r} is not known; '
                f'set sample_format to one of {", ".join(SAMPLE_BYTES)}'
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise QuietNavError(
                f'{self.channels} audio channels; expected 1 to {MAX_CHANNELS}: '
                'set channels of the publisher to what the microphone has'
            )
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise QuietNavError(
                f'a sample rate of {self.sample_rate} Hz; expected {MIN_RATE} to {MAX_RATE} Hz: '
                'set sample_rate of the publisher'
            )

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return SAMPLE_BYTES[self.sample_format] * self.channels

    def __str__(self) -> str:
        return f'{self.channels} x {self.sample_format} at {self.sample_rate} Hz'


def parse_format(text: str) -> PcmFormat:
    """Return the format that a user writes as sample format, channels, rate: S16LE,1,16000."""
    try:
        sample_format, channels, rate = text.split(',')
        numbers = int(channels), int(rate)
    except ValueError as error:
        raise QuietNavError(
            f'audio format {text!r}: expected sample format, channels and rate, as S16LE,1,16000'
        ) from error
    return PcmFormat(sample_format, *numbers)


class PcmDecoder:
    """Decode a byte stream cut at arbitrary places; a frame's first part waits for the rest."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        self.format = pcm_format
        self._carry = b''

    @property
    def pending_bytes(self) -> int:
        """Bytes of a frame begun but not yet complete."""
        return len(self._carry)

    def decode(self, data: bytes | bytearray | memoryview) -> np.ndarray:
        """
        Return the frames completed by ``data``: float32, shape (frames, channels).

        Full scale is 1.0; S16LE and S24LE convert exactly, S32LE to float32's 24 bits. F32LE is
        passed on as it is, non-finite values included.
        """
        data = memoryview(data).cast('B') if self._carry == b'' else self._carry + bytes(data)
        whole = len(data) - len(data) % self.format.frame_bytes
        self._carry = bytes(data[whole:])
        return decode_pcm(data[:whole], self.format)

    def drop_pending(self) -> int:
        """Forget the begun frame (after lost bytes its rest never comes); return its bytes."""
        dropped, self._carry = len(self._carry), b''
        return dropped


def decode_pcm(data: bytes | memoryview, pcm_format: PcmFormat) -> np.ndarray:
    """
    Decode whole frames to float32 of shape (frames, channels), full scale 1.0.

    Raises QuietNavError where ``data`` does not fill whole frames.
    """
    size = len(data)
    if size % pcm_format.frame_bytes:
        raise QuietNavError(
            f'{size} bytes do not fill frames of {pcm_format.frame_bytes} bytes ({pcm_format})'
        )
    kind = pcm_format.sample_format
    if kind == 'F32LE':
        flat = np.frombuffer(data, '<f4').astype(np.float32)
    elif kind == 'S16LE':
        steps = np.frombuffer(data, '<i2')
        flat = np.multiply(steps, np.float32(2.0**-15), dtype=np.float32)
    else:
        integers = np.frombuffer(data, '<i4') if kind == 'S32LE' else _widen_24(data)
        flat = integers.astype(np.float32) * np.float32(2.0**-31)
    return flat.reshape(-1, pcm_format.channels)


def encode_pcm(samples: np.ndarray, sample_format: str) -> bytes:
    """
    Encode samples of shape (frames,) or (frames, channels) as interleaved PCM bytes.

    Floats have full scale 1.0, are rounded to the nearest step and limited to the format's range.
    Integers are taken as left-aligned in their type (int16 or int32), as sound files are read:
    converting S16 to S16 or S24 in int32 to S24 changes no bit.
    Raises QuietNavError for an unknown format.
    """
    if sample_format not in SAMPLE_BYTES:
        raise QuietNavError(
            f'sample format {sample_format!r} is not known; one of {", ".join(SAMPLE_BYTES)}'
        )
    samples = np.asarray(samples)
    if sample_format == 'F32LE':
        scale = 1.0 if samples.dtype.kind == 'f' else 2.0 ** -(8 * samples.dtype.itemsize - 1)
        return (samples * scale).astype('<f4').tobytes()
    bits = 8 * SAMPLE_BYTES[sample_format]
    if samples.dtype.kind == 'f':
        top = 2.0 ** (bits - 1)
        steps = np.clip(np.rint(samples.astype(np.float64) * top), -top, top - 1)
        integers = steps.astype(np.int64)
    else:
        shift = 8 * samples.dtype.itemsize - bits
        wide = samples.astype(np.int64)
        integers = wide >> shift if shift >= 0 else wide << -shift
    if sample_format == 'S24LE':
        wide = integers.astype('<i4', order='C').reshape(-1)
        return wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return integers.astype('<i2' if sample_format == 'S16LE' else '<i4').tobytes()


def _widen_24(data: bytes | memoryview) -> np.ndarray:
    """Return packed 24-bit samples in the upper three bytes of int32."""
    packed = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(packed), 4), np.uint8)
    wide[:, 1:] = packed
    return wide.view('<i4').reshape(-1)
