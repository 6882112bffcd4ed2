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

"""A room whose low band is solved by waves and whose high band is of images that scatter."""

from __future__ import annotations

from collections.abc import Callable
import math
from typing import Protocol

import numpy as np
from scipy import fft, signal

from quiet_nav.errors import QuietNavError
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.rooms.plan import Plan
from quiet_nav.simulation.sound.acoustics import (
    ImageSources,
    RoomAcoustics,
    rumble_filter,
)
from quiet_nav.simulation.sound.waves.scattering import diffuse_tail, mirror_part
from quiet_nav.simulation.sound.waves.solver import (
    DECIMATION,
    LOW_RATE,
    low_share,
    WaveSettings,
    WaveSolver,
)
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

#: Half the distance over which a cardioid's gradient of pressure is taken, in meters.
_GRADIENT_M = 0.03


class LowBand(Protocol):
    """Responses by waves at the places that they were solved for."""

    @property
    def crossover_hz(self) -> float: ...

    @property
    def samples(self) -> int:
        """Length of responses at LOW_RATE."""

    def at(self, place: np.ndarray) -> np.ndarray:
        """Return responses (S, samples) at a place (3,); QuietNavError where none was solved."""


class SolvedPlaces:
    """The low band at single places."""

    def __init__(self, places: np.ndarray, responses: np.ndarray, crossover_hz: float) -> None:
        """Places (E, 3) in meters; responses (S, E, samples)."""
        self.crossover_hz = crossover_hz
        self._responses = responses
        self._row = {_key(place): n for n, place in enumerate(places)}

    @property
    def samples(self) -> int:
        return int(self._responses.shape[-1])

    def at(self, place: np.ndarray) -> np.ndarray:
        row = self._row.get(_key(place))
        if row is None:
            where = ', '.join(f'{v:.3f}' for v in place)
            raise QuietNavError(f'no waves were solved at ({where}) m; name it before solving')
        return np.asarray(self._responses[:, row])


def _key(place: np.ndarray) -> tuple[int, ...]:
    return tuple(int(v) for v in np.round(np.asarray(place, float) * 1e4))


def places_read(mics: np.ndarray, looks: np.ndarray | None = None) -> np.ndarray:
    """
    Return the places (n, 3) at which pressure must be known to hear at mics (M, 3).

    looks: as of ``RoomAcoustics.render``; a cardioid needs two places.
    """
    mics = np.atleast_2d(np.asarray(mics, float))
    looks = np.zeros_like(mics) if looks is None else np.atleast_2d(looks)
    places = []
    for mic, look in zip(mics, looks, strict=True):
        steps = (-_GRADIENT_M, _GRADIENT_M) if np.any(look) else (0.0,)
        places += [mic + step * look for step in steps]
    return np.array(places)


class HybridAcoustics(RoomAcoustics):
    """A room with fixed sources: by waves below a crossover, by images that scatter above it."""

    def __init__(self, room: AcousticRoom, sources: np.ndarray, low: LowBand) -> None:
        """room: as the images have it; low: responses from the same sources."""
        super().__init__(room, sources)
        self._low = low
        reach_s = self.length / SAMPLE_RATE
        self._tails = [diffuse_tail(room, source, reach_s) for source in self.sources]
        far = max(
            float(np.linalg.norm(tail.images.positions, axis=1).max()) for tail in self._tails
        )
        farthest = far + float(np.linalg.norm(np.max(np.abs(room.footprint), axis=0)))
        self.length = max(
            self.length,
            low.samples * DECIMATION,
            math.ceil(farthest / SPEED_OF_SOUND * SAMPLE_RATE) + 4 * DECIMATION,
        )

    def _images(self, mics: np.ndarray) -> list[list[ImageSources]]:
        return [
            [
                _joined(mirror_part(images), tail.at(self.room, mic))
                for images, tail in zip(seen, self._tails, strict=True)
            ]
            for mic, seen in zip(mics, super()._images(mics), strict=True)
        ]

    def _responses(
        self, mic: np.ndarray, look: np.ndarray, images: list[ImageSources], highpass: bool
    ) -> np.ndarray:
        high = super()._responses(mic, look, images, False)
        size = 2 ** math.ceil(math.log2(2 * self.length))
        frequency = np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
        spectrum = fft.rfft(high, size, axis=-1)
        spectrum *= 1.0 - low_share(frequency, self._low.crossover_hz).astype(np.float32)
        low = self._low_spectrum(mic, look, size // DECIMATION)
        spectrum[:, : low.shape[1]] += DECIMATION * low
        responses = fft.irfft(spectrum, size, axis=-1)[:, : self.length].astype(np.float32)
        if highpass:
            responses = signal.sosfiltfilt(rumble_filter(), responses).astype(np.float32)
        return responses

    def _low_spectrum(self, mic: np.ndarray, look: np.ndarray, size: int) -> np.ndarray:
        """Return the low band's spectra (S, bins) at LOW_RATE of an omni or cardioid microphone."""
        if not np.any(look):
            return np.asarray(fft.rfft(self._low.at(mic), size, axis=-1))
        behind, ahead = (
            fft.rfft(self._low.at(place), size, axis=-1) for place in places_read(mic, look)
        )
        k = 2.0 * np.pi * np.fft.rfftfreq(size, 1.0 / LOW_RATE) / SPEED_OF_SOUND
        slope = (ahead - behind) / (2.0 * _GRADIENT_M)
        flow = np.where(k > 0.1, slope / (1j * np.maximum(k, 0.1)), 0.0)
        return np.asarray(0.5 * (0.5 * (ahead + behind) + flow)).astype(np.complex64)


def _joined(one: ImageSources, other: ImageSources) -> ImageSources:
    return ImageSources(
        *(
            np.concatenate([getattr(one, name), getattr(other, name)])
            for name in ('positions', 'amplitudes', 'orders')
        )
    )


def solve_places(
    plan: Plan,
    sources: np.ndarray,
    places: np.ndarray,
    settings: WaveSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SolvedPlaces:
    """
    Return the low band of a plan from sources (S, 3) to places (E, 3).

    Raises QuietNavError as ``WaveSolver.responses`` does.
    """
    solver = WaveSolver(plan, settings)
    places = np.unique(np.round(np.atleast_2d(places), 4), axis=0)
    responses = solver.responses(sources, places, progress)
    return SolvedPlaces(places, responses, solver.settings.crossover_hz)
