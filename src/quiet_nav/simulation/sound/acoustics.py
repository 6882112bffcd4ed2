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

"""Room impulse responses by image sources, and what microphones hear of given source signals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
import functools
import math
from types import ModuleType

import numpy as np
from scipy import fft, signal

from quiet_nav.errors import QuietNavError
from quiet_nav.extras import how_to_get
from quiet_nav.simulation.rooms.absorption import BANDS_HZ
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.images import (
    ImageSources as ImageSources,
)
from quiet_nav.simulation.sound.patch_images import with_patches
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

#: A wavefront that travels d meters arrives at sample LATENCY + d / 343 * 16000: half the length
#: of the fractional delay filter, as in pyroomacoustics.
LATENCY = 40
_TAPS = 2 * LATENCY + 1
_TABLE_STEPS = 20
#: More microphones than a robot has are not asked twice from the same place.
_KEPT_MICS = 8


class RoomAcoustics:
    """
    A room with fixed sources: impulse responses to, and sound at, any microphones.

    room: what the walls are. sources: positions (S, 3) in meters.
    Raises QuietNavError where a source or a microphone is outside the room.
    Image sources follow Allen and Berkley (1979) by way of pyroomacoustics, whose impulse
    responses these equal; see benchmarks/bench_rooms.py.
    """

    def __init__(self, room: AcousticRoom, sources: np.ndarray) -> None:
        self.room = room
        self.sources = np.atleast_2d(np.asarray(sources, float))
        room.require_inside(self.sources, 'source')
        self._shoebox = _shoebox_images(room, self.sources) if room.is_shoebox else None
        extent = np.ptp(np.asarray(room.footprint), axis=0)
        if self._shoebox is not None:
            low = np.append(np.min(room.footprint, axis=0), 0.0)
            high = low + np.append(extent, room.height)
            reach = max(
                float(
                    np.linalg.norm(
                        np.maximum(abs(i.positions - low), abs(i.positions - high)), axis=1
                    ).max()
                )
                for i in self._shoebox
            )
        else:
            reach = (room.order + 1) * float(np.linalg.norm([*extent, room.height]))
        self.length = int(reach / SPEED_OF_SOUND * SAMPLE_RATE) + _TAPS + 2
        self._air = np.asarray(room.air, np.float64)
        self._standing: tuple[tuple, list[np.ndarray]] = (), []

    @property
    def history(self) -> int:
        """How many samples of every source before the first output ``render`` needs."""
        return self.length - 1

    def impulse_responses(
        self, mics: np.ndarray, looks: np.ndarray | None = None, highpass: bool = False
    ) -> np.ndarray:
        """
        Return impulse responses, float32, shape (M, S, ``length``), 16 kHz.

        mics: positions (M, 3) in meters. looks: (M, 3) unit vectors where a microphone is a
        cardioid, zeros where it is omnidirectional; None for omnidirectional ones alone.
        highpass: with the zero-phase 10 Hz high-pass that ``render`` and pyroomacoustics apply.
        A point source of amplitude 1 gives 1/r at r meters; see LATENCY for arrival times.
        """
        mics, looks = self._check(mics, looks)
        out = np.empty((len(mics), len(self.sources), self.length), np.float32)
        for m, images in enumerate(self._images(mics)):
            out[m] = self._responses(mics[m], looks[m], images, highpass)
        return out

    def render(
        self, mics: np.ndarray, signals: np.ndarray, looks: np.ndarray | None = None
    ) -> np.ndarray:
        """
        Return what each microphone hears, float32, shape (M, T).

        signals: (S, history + T) samples of every source; the first ``history`` ones lie before
        the first output, so that reverberation is complete from the start.
        mics, looks: as in ``impulse_responses``.
        """
        mics, looks = self._check(mics, looks)
        signals = np.atleast_2d(np.asarray(signals, np.float32))
        samples = signals.shape[1] - self.history
        if len(signals) != len(self.sources) or samples < 1:
            raise QuietNavError(
                f'signals of shape {signals.shape}; expected '
                f'({len(self.sources)}, {self.history} + T)'
            )
        plan = block_plan(self.length, samples, len(self.sources))
        return overlap_save(signals, self._transfer(mics, looks, plan[0]), len(mics), plan)

    def _check(self, mics: np.ndarray, looks: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        mics = np.atleast_2d(np.asarray(mics, float))
        self.room.require_inside(mics, 'microphone')
        looks = np.zeros_like(mics) if looks is None else np.atleast_2d(np.asarray(looks, float))
        if looks.shape != mics.shape:
            raise QuietNavError(f'{looks.shape} directions for {mics.shape} microphones')
        return mics, looks

    def _images(self, mics: np.ndarray) -> list[list[ImageSources]]:
        if self._shoebox is not None:
            seen = [self._shoebox] * len(mics)
        else:
            seen = _prism_images(self.room, self.sources, mics)
        if not self.room.patches:
            return seen
        return [
            [
                with_patches(self.room, image, source, mic)
                for image, source in zip(images, self.sources, strict=True)
            ]
            for images, mic in zip(seen, mics, strict=True)
        ]

    def _transfer(self, mics: np.ndarray, looks: np.ndarray, size: int) -> Iterator[np.ndarray]:
        """Spectra (S, bins) to each microphone; a rig's are kept for as long as it stands."""
        key = (size, mics.tobytes(), looks.tobytes())
        if self._standing[0] == key:
            yield from self._standing[1]
            return
        kept = []
        for m, images in enumerate(self._images(mics)):
            spectra = fft.rfft(self._responses(mics[m], looks[m], images, True), size, axis=-1)
            if len(mics) <= _KEPT_MICS:
                kept.append(spectra)
            yield spectra
        if kept:
            self._standing = key, kept

    def _responses(
        self, mic: np.ndarray, look: np.ndarray, images: list[ImageSources], highpass: bool
    ) -> np.ndarray:
        return responses_of(images, mic, look, self._air, self.length, highpass)


def responses_of(
    images: list[ImageSources],
    mic: np.ndarray,
    look: np.ndarray,
    air: np.ndarray,
    length: int,
    highpass: bool,
    colors: np.ndarray | None = None,
) -> np.ndarray:
    """
    Return impulse responses of sources to one microphone, float32, (len(images), length).

    mic, look: (3,), as in ``RoomAcoustics.impulse_responses``. air: energy lost a meter, (bands,).
    colors: magnitude (len(images), ``response_bins``) that each response is filtered by, too.
    """
    size, bank = _octave_bank(length)
    bands = np.zeros((len(images), len(BANDS_HZ), length), np.float32)
    accumulate = _kernel()
    ends = [
        2 * LATENCY
        + 2
        + math.ceil(
            accumulate(
                image.positions,
                image.amplitudes,
                mic,
                look,
                air,
                SAMPLE_RATE / SPEED_OF_SOUND,
                _sinc_table(),
                band,
            )
        )
        for image, band in zip(images, bands, strict=True)
    ]
    spectrum = np.einsum('sbf,bf->sf', fft.rfft(bands, size, axis=-1), bank)
    if colors is not None:
        spectrum = spectrum * colors
    responses = fft.irfft(spectrum, size, axis=-1)[:, :length]
    for response, end in zip(responses, ends, strict=True):
        response[end:] = 0.0
        if highpass:
            response[:end] = signal.sosfiltfilt(rumble_filter(), response[:end])
    return responses


def response_bins(length: int) -> np.ndarray:
    """Return the frequencies in Hz that ``responses_of`` takes colors at."""
    return np.fft.rfftfreq(_octave_bank(length)[0], 1.0 / SAMPLE_RATE)


def overlap_save(
    signals: np.ndarray,
    transfer: Iterable[np.ndarray],
    mics: int,
    plan: tuple[int, int, int],
) -> np.ndarray:
    """
    Return what each of so many microphones hears, float32, (mics, T).

    signals: (S, history + T). transfer: spectra (S, bins) to each microphone. plan: as
    ``block_plan`` gives it for T samples.
    """
    size, step, blocks = plan
    history = size - step
    samples = signals.shape[1] - history
    padded = np.zeros((len(signals), (blocks - 1) * step + size), np.float32)
    padded[:, : signals.shape[1]] = signals[:, : padded.shape[1]]
    framed = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::step]
    spectra = fft.rfft(framed, axis=-1)
    out = np.empty((mics, samples), np.float32)
    for m, responses in enumerate(transfer):
        heard = fft.irfft((spectra * responses[:, None, :]).sum(0), size, axis=-1)
        out[m] = heard[:, history : history + step].reshape(-1)[:samples]
    return out


def _shoebox_images(room: AcousticRoom, sources: np.ndarray) -> list[ImageSources]:
    pra = _pyroomacoustics()
    low = np.min(room.footprint, axis=0)
    size = np.ptp(np.asarray(room.footprint), axis=0)
    names = ('south', 'east', 'north', 'west')
    materials = {name: _pra_material(wall) for name, wall in zip(names, room.walls, strict=True)}
    materials |= {'floor': _pra_material(room.floor), 'ceiling': _pra_material(room.ceiling)}
    engine = pra.ShoeBox(
        [*size, room.height], fs=SAMPLE_RATE, materials=materials, max_order=room.order
    ).room_engine
    origin = np.array([*low, 0.0])
    images = []
    for source in sources:
        engine.image_source_model((source - origin).astype(np.float32))
        images.append(_images_of(engine.sources.T + origin, engine.attenuations.T, engine.orders))
    return images


def _prism_images(
    room: AcousticRoom, sources: np.ndarray, mics: np.ndarray
) -> list[list[ImageSources]]:
    """
    Image sources that each microphone sees: [mic][source].

    A path in a prism is a path in its footprint and, independently, one between floor and
    ceiling, so visibility is traced in the plane only.
    """
    pra = _pyroomacoustics()
    engine = pra.Room.from_corners(
        np.asarray(room.footprint, float).T,
        fs=SAMPLE_RATE,
        max_order=room.order,
        materials=[_pra_material(wall) for wall in room.walls],
    ).room_engine
    for mic in mics:
        engine.add_mic(mic[:2].astype(np.float32))
    seen: list[list[ImageSources]] = [[] for _ in mics]
    for source in sources:
        # A path exactly through a corner would be found twice, once for each wall.
        aside = source[:2] + np.array([0.09e-3, 0.13e-3])
        engine.image_source_model(aside.astype(np.float32))
        visible = np.array(engine.visible_mics, bool)
        plane = _images_of(engine.sources.T, engine.attenuations.T, engine.orders)
        for m in range(len(mics)):
            seen[m].append(_extrude(plane, visible[m], room, float(source[2])))
    return seen


def _extrude(
    plane: ImageSources, visible: np.ndarray, room: AcousticRoom, z: float
) -> ImageSources:
    height, vertical, bounces = vertical_images(room, z)
    kept = np.flatnonzero(visible)
    i, v = np.nonzero(plane.orders[kept, None] + bounces <= room.order)
    i = kept[i]
    positions = np.column_stack([plane.positions[i, :2], height[v]])
    return _images_of(positions, plane.amplitudes[i] * vertical[v], plane.orders[i] + bounces[v])


def vertical_images(room: AcousticRoom, z: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return heights (n,) in m, amplitudes (n, bands) and orders (n,) between floor and ceiling."""
    index = np.arange(-room.order, room.order + 1)
    bounces = np.abs(index)
    height = index * room.height + np.where(bounces % 2 == 1, room.height - z, z)
    upper = np.where(index > 0, (bounces + 1) // 2, bounces // 2)
    floor, ceiling = (np.sqrt(1.0 - np.asarray(a)) for a in (room.floor, room.ceiling))
    vertical = ceiling ** upper[:, None] * floor ** (bounces - upper)[:, None]
    return height, vertical, bounces


def _images_of(positions: np.ndarray, amplitudes: np.ndarray, orders: np.ndarray) -> ImageSources:
    return ImageSources(
        np.array(positions, np.float64, order='C'),
        np.array(amplitudes, np.float32, order='C'),
        np.array(orders, np.int64),
    )


def _pra_material(coefficients: tuple[float, ...]) -> object:
    return _pyroomacoustics().Material(
        {'coeffs': list(coefficients), 'center_freqs': list(BANDS_HZ)}
    )


def _pyroomacoustics() -> ModuleType:
    try:
        import pyroomacoustics
    except ImportError as error:
        raise QuietNavError(
            f'room acoustics need a library: {how_to_get("pyroomacoustics")}'
        ) from error
    return pyroomacoustics


@functools.cache
def _sinc_table() -> np.ndarray:
    """Windowed-sinc taps by fraction of a sample, (steps + 1, taps), as pyroomacoustics has."""
    step, tap = np.arange(_TABLE_STEPS + 1)[:, None], np.arange(_TAPS)
    table = np.sinc(tap - LATENCY - 1 + step / _TABLE_STEPS) * np.hanning(_TAPS)
    return table.astype(np.float32)


@functools.lru_cache(maxsize=8)
def _octave_bank(length: int) -> tuple[int, np.ndarray]:
    """
    Return an FFT size and the power-complementary octave windows on its bins (bands, bins).

    The bands are those of Antoni (2010), cross-faded linearly in power over a quarter octave,
    which is what pyroomacoustics applies to each band of an impulse response.
    """
    size = 2 ** int(np.ceil(np.log2(2 * length)))
    frequency = np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
    bank = np.zeros((len(BANDS_HZ), len(frequency)), np.float32)
    below = np.ones_like(frequency)
    for band, center in enumerate(BANDS_HZ[1:], 1):
        edge = center / np.sqrt(2.0)
        half = 0.5 * (center * np.sqrt(2.0) - center)
        angle = np.pi / 4 * (np.clip((frequency - edge) / half, -1, 1) + 1)
        rising = np.sin(angle) ** 2
        bank[band - 1] = below * (1 - rising)
        below = rising
    bank[-1] = below
    return size, bank


@functools.lru_cache(maxsize=64)
def block_plan(length: int, samples: int, sources: int) -> tuple[int, int, int]:
    """
    Return FFT size, outputs a block and blocks for overlap-save at the least work.

    length: of the responses. The size less the outputs is the history that they need.
    """
    best: tuple[float, int, int, int] = (math.inf, 0, 0, 0)
    for size in (
        fft.next_fast_len(length - 1 + int(np.ceil(samples / n)), real=True) for n in range(1, 17)
    ):
        step = size - length + 1
        blocks = -(-samples // step)
        work = (blocks + sources) * size * np.log2(size)
        if work < best[0]:
            best = (work, size, step, blocks)
    return best[1:]


@functools.cache
def rumble_filter() -> np.ndarray:
    """Second-order sections against the false pressure at 0 Hz that image sources add up to."""
    return signal.butter(2, 10.0, 'highpass', fs=SAMPLE_RATE, output='sos')


@functools.cache
def _kernel() -> Callable[..., float]:
    """Compile the one loop that NumPy cannot batch: delayed, damped copies into seven bands."""
    from quiet_nav.simulation.sound import image_kernel

    return image_kernel.accumulate
