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

"""The measured room simulated: absorption and heights fitted, images beside waves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from quiet_nav.evaluation.reality.measurements import MeasuredRoom
from quiet_nav.evaluation.reality.spectra import (
    band_correlation,
    BANDS_HZ,
    decay_times,
    interval,
    OCTAVES_HZ,
    relative,
    third_octave_levels,
    third_octave_spread,
    THIRDS_HZ,
)
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.rooms.plan import Material, Plan, shoebox
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.simulation.sound.waves.hybrid import HybridAcoustics, SolvedPlaces
from quiet_nav.simulation.sound.waves.solver import WaveSettings, WaveSolver
from quiet_nav.sound.windows import SAMPLE_RATE

#: Heights in meters of the microphone and of the sources on circles that are tried.
MIC_HEIGHTS_M = (1.2, 1.4, 1.6)
SOURCE_HEIGHTS_M = (1.0, 1.2, 1.4, 1.6)
#: By how much the plan of microphone and sources is moved along the room: it is given to 0.1 m.
SHIFTS_M = (0.0, -0.1, 0.1)
#: Absorption is fitted in so many turns, images of this order at a time.
_TURNS = 4
_FIT_ORDER = 30
_LENGTH_S = 0.6

#: Heights of microphone and sources, and the plan's shift along the room, in meters.
Fit = tuple[float, float, float]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval over places."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f'{self.value:.2f} ({self.low:.2f} to {self.high:.2f})'


@dataclass(frozen=True)
class RoomReport:
    """
    The measured room, image sources and waves, by what ``engine`` each list's keys name.

    absorption (7,): of every surface; fits: heights and shift fitted on each half of the
    places; engines that end in '+' have the shift. decay_s: by octave; spread_db: by
    third octave; correlation: by band.
    """

    absorption: dict[str, tuple[float, ...]]
    fits: dict[str, list[Fit]]
    decay_s: dict[str, list[Figure]]
    spread_db: dict[str, list[Figure]]
    correlation: dict[str, list[Figure]]
    examples: dict[str, np.ndarray]
    frequency_hz: np.ndarray


def room_report(room: MeasuredRoom, seed: int = 0, progress: Progress | None = None) -> RoomReport:
    """
    Return how near the simulator comes to a measured room, by images and by waves.

    The same absorption on every surface, fitted per octave so that the decay times agree. Heights
    are not given: those of each half of the places come from the other half. So does, for the
    engines named with a '+', where along the room the plan lies, within the 0.1 m that it is
    given to.
    """
    tell = progress or (lambda text: None)
    rows = np.flatnonzero(room.circles)
    measured = room.responses[rows]
    tell('absorption by image sources')
    by_images = _fit_absorption(room, tell, waves=False)
    tell('absorption by waves')
    by_waves = _fit_absorption(room, tell, waves=True)
    absorption = {'images': by_images, 'waves': by_waves}
    frequency, levels = third_octave_levels(measured)
    wanted = relative(levels)
    halves = _halves(len(rows), seed)
    simulated: dict[str, np.ndarray] = {}
    fits: dict[str, list[Fit]] = {}
    predicted: dict[str, np.ndarray] = {}
    for engine in ('images', 'waves'):
        found: dict[Fit, np.ndarray] = {}
        for shift in SHIFTS_M:
            for mic in MIC_HEIGHTS_M:
                tell(f'{engine}: microphone at {mic:g} m, plan moved by {shift:g} m')
                moved = _moved(room, shift)
                found |= _simulate(moved, rows, absorption[engine], mic, shift, engine == 'waves')
        spectra = {fit: relative(third_octave_levels(heard)[1]) for fit, heard in found.items()}
        for name, allowed in ((engine, SHIFTS_M[:1]), (f'{engine}+', SHIFTS_M)):
            fits[name] = []
            told = np.zeros_like(wanted)
            chosen = np.zeros((len(rows), round(_LENGTH_S * SAMPLE_RATE)), np.float32)
            for fitted, judged in (halves, halves[::-1]):
                likeness = {
                    fit: _likeness(spectra[fit], wanted, frequency, fitted)
                    for fit in found
                    if fit[2] in allowed
                }
                best = max(likeness, key=likeness.__getitem__)
                fits[name].append(best)
                told[judged] = spectra[best][judged]
                chosen[judged] = found[best][judged]
            predicted[name] = told
            if name == engine:
                simulated[engine] = chosen
    compared = {'measured': measured, **simulated}
    return RoomReport(
        absorption,
        fits,
        {
            name: [_figure(_median_decay(found, f), len(found), seed) for f in OCTAVES_HZ]
            for name, found in compared.items()
        },
        {
            name: _figures(third_octave_spread(found), len(found), seed)
            for name, found in compared.items()
        },
        {
            name: [
                _figure(band_correlation(told, wanted, frequency, band), len(rows), seed)
                for band in BANDS_HZ
            ]
            for name, told in predicted.items()
        },
        {'measured': wanted[:3], **{name: told[:3] for name, told in predicted.items()}},
        frequency,
    )


def _moved(room: MeasuredRoom, shift: float) -> MeasuredRoom:
    way = np.array([shift, 0.0])
    return replace(room, receiver_m=room.receiver_m + way, sources_m=room.sources_m + way)


def _halves(places: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(places)
    return np.sort(order[: places // 2]), np.sort(order[places // 2 :])


def _likeness(
    told: np.ndarray, wanted: np.ndarray, frequency: np.ndarray, rows: np.ndarray
) -> float:
    """How well relative spectra agree on some places in the three bands that waves give."""
    return sum(band_correlation(told, wanted, frequency, band)(rows) for band in BANDS_HZ[:3])


def _median_decay(responses: np.ndarray, center_hz: float) -> Callable[[np.ndarray], float]:
    times = decay_times(responses, center_hz)
    return lambda rows: float(np.nanmedian(times[rows]))


def _figure(of: Callable[[np.ndarray], float], places: int, seed: int) -> Figure:
    return Figure(*(float(v) for v in interval(of, places, seed)))


def _figures(of: Callable[[np.ndarray], np.ndarray], places: int, seed: int) -> list[Figure]:
    value, low, high = interval(of, places, seed)
    return [Figure(float(v), float(a), float(b)) for v, a, b in zip(value, low, high, strict=True)]


def _fit_absorption(room: MeasuredRoom, tell: Progress, waves: bool) -> tuple[float, ...]:
    """Return the absorption of all surfaces by octave that gives the measured decay times."""
    rows = np.flatnonzero(room.circles)[::3]
    wanted = np.array(
        [float(np.nanmedian(decay_times(room.responses[rows], f))) for f in OCTAVES_HZ]
    )
    size = room.room_m
    area = 2.0 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    alpha = 1.0 - np.exp(-0.161 * float(np.prod(size)) / (area * wanted))
    low_bands = sum(f < 700.0 for f in OCTAVES_HZ)
    for turn in range(_TURNS):
        tell(f'absorption {"by waves" if waves else "by images"}: turn {turn + 1} of {_TURNS}')
        absorption = _all_bands(alpha)
        mic = np.array([*room.receiver_m, 1.3])
        places = np.column_stack([room.sources_m[rows], np.full(len(rows), 1.3)])
        if waves:
            found = _by_waves(room, absorption, mic, places)
        else:
            found = _by_images(_room(room, absorption, _FIT_ORDER), mic, places)
        told = np.array([float(np.nanmedian(decay_times(found, f))) for f in OCTAVES_HZ])
        change = np.where(np.isfinite(told), told / wanted, 1.0)
        if waves:
            # Above the crossover the images' tail decays as the absorption of all walls says.
            change[low_bands:] = np.clip(change[low_bands:], 0.7, 1.4)
        alpha = np.clip(1.0 - (1.0 - alpha) ** change, 0.005, 0.9)
    return _all_bands(alpha)


def _all_bands(alpha: np.ndarray) -> tuple[float, ...]:
    return (*(round(float(a), 4) for a in alpha), round(float(alpha[-1]), 4))


def _room(room: MeasuredRoom, absorption: tuple[float, ...], order: int = 20) -> AcousticRoom:
    x, y, z = (float(v) for v in room.room_m)
    made = AcousticRoom.shoebox(x, y, z, absorption, absorption, absorption)
    return replace(made, order=order)


def _plan(room: MeasuredRoom, absorption: tuple[float, ...]) -> Plan:
    x, y, z = (float(v) for v in room.room_m)
    surface = Material('fitted', absorption)
    return shoebox('measured room', (x, y, z), surface, surface, surface)


def _of_length(responses: np.ndarray) -> np.ndarray:
    """Responses (n, samples) as long as the measured ones are."""
    count = round(_LENGTH_S * SAMPLE_RATE)
    return np.pad(responses[:, :count], ((0, 0), (0, max(count - responses.shape[1], 0))))


def _by_images(made: AcousticRoom, mic: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Responses (n, samples) between a microphone and places; either may be the source."""
    acoustics = RoomAcoustics(made, mic[None])
    return _of_length(acoustics.impulse_responses(places)[:, 0])


def _by_waves(
    room: MeasuredRoom, absorption: tuple[float, ...], mic: np.ndarray, places: np.ndarray
) -> np.ndarray:
    settings = WaveSettings(length_s=_LENGTH_S)
    solver = WaveSolver(_plan(room, absorption), settings)
    solved = SolvedPlaces(places, solver.responses(mic[None], places), settings.crossover_hz)
    acoustics = HybridAcoustics(_room(room, absorption), mic[None], solved)
    return _of_length(acoustics.impulse_responses(places)[:, 0])


def _simulate(
    room: MeasuredRoom,
    rows: np.ndarray,
    absorption: tuple[float, ...],
    mic_height: float,
    shift: float,
    waves: bool,
) -> dict[Fit, np.ndarray]:
    """Responses (places, samples) for every height of the sources, one run for all of them."""
    mic = np.array([*room.receiver_m, mic_height])
    places = np.concatenate(
        [np.column_stack([room.sources_m[rows], np.full(len(rows), z)]) for z in SOURCE_HEIGHTS_M]
    )
    if waves:
        found = _by_waves(room, absorption, mic, places)
    else:
        found = _by_images(_room(room, absorption), mic, places)
    parts = np.split(found, len(SOURCE_HEIGHTS_M))
    return {(mic_height, z, shift): part for z, part in zip(SOURCE_HEIGHTS_M, parts, strict=True)}


def said(report: RoomReport) -> dict[str, object]:
    """Return the report's figures as JSON has them."""

    def listed(figures: dict[str, list[Figure]]) -> dict[str, list[list[float]]]:
        return {
            name: [[round(v, 3) for v in (f.value, f.low, f.high)] for f in row]
            for name, row in figures.items()
        }

    return {
        'absorption': {name: list(a) for name, a in report.absorption.items()},
        'fits_m': {name: [list(fit) for fit in found] for name, found in report.fits.items()},
        'octaves_hz': list(OCTAVES_HZ),
        'decay_s': listed(report.decay_s),
        'thirds_hz': [round(f, 1) for f in THIRDS_HZ],
        'spread_db': listed(report.spread_db),
        'bands_hz': [list(band) for band in BANDS_HZ],
        'correlation': listed(report.correlation),
    }
