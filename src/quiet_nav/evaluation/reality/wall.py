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

"""A robot's own sound in front of a real wall: the ripple over distance, measured and simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quiet_nav.evaluation.reality.measurements import MeasuredWall
from quiet_nav.perception.interference import MeasuredInterference
from quiet_nav.simulation.rooms.absorption import MATERIALS
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.acoustics import RoomAcoustics
from quiet_nav.sound.air import SPEED_OF_SOUND
from quiet_nav.sound.windows import SAMPLE_RATE

#: The e-puck2's microphones in its own axes, in meters, as the set gives them; the loudspeaker in
#: its middle and the heights are assumed.
MICS_M = ((-0.033, -0.003), (0.026, -0.002), (-0.003, 0.029), (-0.003, -0.033))
_HEIGHT_M = 0.035
#: The office, about; the wall that the robot faces is the one at x = 0.
_OFFICE_M = (7.0, 9.0, 2.8)
#: Where ripple is said: its depth falls as one over the distance.
DEPTH_AT_M = 0.3
RANGES_HZ = ((1000.0, 2000.0), (2000.0, 3500.0), (3500.0, 5500.0))
_OFFSETS_M = np.linspace(-0.1, 0.1, 201)
_TIMES = 500
#: In the harder figure, no reference is nearer than this to the distance asked.
APART_M = 0.1


@dataclass(frozen=True)
class Ripple:
    """
    Ripple over distance of every note and microphone, of what is measured or simulated.

    depth (F, M): half of its swing at DEPTH_AT_M as a share of the mean level. phase (F, M):
    radians of its cosine at the distance told, the way of the microphone's offset taken out.
    offset_m (M,): added to the distance told. kept (F, M): share of the variance over distance that
    the ripple is.
    """

    depth: np.ndarray
    phase: np.ndarray
    offset_m: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class WallReport:
    """
    Ripple measured and simulated, and how well it tells the distance.

    depth_by: median depth in RANGES_HZ and, of the lowest range, on the near and the far half of
    the distances.
    """

    wall: MeasuredWall
    measured: Ripple
    simulated: Ripple
    depth: dict[str, tuple[float, float, float]]
    phase_spread_rad: dict[str, tuple[float, float, float]]
    depth_slope_db_per_octave: dict[str, tuple[float, float, float]]
    distance_error_m: tuple[float, float]
    distance_error_apart_m: tuple[float, float]
    depth_by: dict[str, list[float]]


def wall_report(wall: MeasuredWall, seed: int = 0) -> WallReport:
    """
    Return the ripple of a robot's own notes at a wall, measured and with the same geometry.

    The wall's material is not known: glass, as the set says it is, from our list of materials.
    Intervals (value, low, high) are bootstrapped over notes.
    """
    simulated = _simulated(wall)
    ripples = {
        'measured': ripple(wall.distance_m, wall.frequency_hz, wall.magnitude),
        'simulated': ripple(wall.distance_m, wall.frequency_hz, simulated),
    }
    notes = len(wall.frequency_hz)
    rng = np.random.default_rng(seed)
    draws = [rng.integers(notes, size=notes) for _ in range(_TIMES)]

    def figure(of) -> dict[str, tuple[float, float, float]]:  # type: ignore[no-untyped-def]
        found = {}
        for name, r in ripples.items():
            drawn = [of(r, rows) for rows in draws]
            low, high = np.percentile(drawn, (2.5, 97.5))
            found[name] = (float(of(r, np.arange(notes))), float(low), float(high))
        return found

    octaves = np.log2(wall.frequency_hz / wall.frequency_hz[0])

    def slope(r: Ripple, rows: np.ndarray) -> float:
        level = 20.0 * np.log10(np.maximum(r.depth[rows], 1e-6)).mean(axis=1)
        return float(np.polyfit(octaves[rows], level, 1)[0])

    errors, apart = distance_errors(wall), distance_errors(wall, APART_M)
    return WallReport(
        wall=wall,
        measured=ripples['measured'],
        simulated=ripples['simulated'],
        depth=figure(lambda r, rows: float(np.median(r.depth[rows]))),
        phase_spread_rad=figure(lambda r, rows: _spread(r.phase[rows])),
        depth_slope_db_per_octave=figure(slope),
        distance_error_m=(float(np.median(errors)), float(np.percentile(errors, 90))),
        distance_error_apart_m=(float(np.median(apart)), float(np.percentile(apart, 90))),
        depth_by={
            name: _depth_by(wall, magnitude)
            for name, magnitude in (('measured', wall.magnitude), ('simulated', simulated))
        },
    )


def _depth_by(wall: MeasuredWall, magnitude: np.ndarray) -> list[float]:
    inside = [(wall.frequency_hz >= low) & (wall.frequency_hz < high) for low, high in RANGES_HZ]
    whole = ripple(wall.distance_m, wall.frequency_hz, magnitude).depth
    middle = len(wall.distance_m) // 2
    halves = [
        ripple(wall.distance_m[part], wall.frequency_hz[inside[0]], magnitude[part][:, inside[0]])
        for part in (slice(None, middle), slice(middle, None))
    ]
    depths = [*(whole[rows] for rows in inside), *(half.depth for half in halves)]
    return [float(np.median(depth)) for depth in depths]


def ripple(distance_m: np.ndarray, frequency_hz: np.ndarray, magnitude: np.ndarray) -> Ripple:
    """
    Return the interference over distance, ``(a cos + b sin)(4 pi f (d + offset) / c) / d``.

    magnitude (D, F, M): relative to its mean over distance for each note and microphone. The
    offset of a microphone is the one at which its phases agree best over frequency.
    """
    notes, mics = magnitude.shape[1:]
    factors = np.zeros((notes, mics), complex)
    kept = np.zeros((notes, mics))
    for note, mic in np.ndindex(notes, mics):
        factors[note, mic], kept[note, mic] = _fit(
            distance_m, frequency_hz[note], magnitude[:, note, mic]
        )
    k = 4.0 * np.pi * frequency_hz[:, None] / SPEED_OF_SOUND
    phases = np.angle(factors)
    offset = np.zeros(mics)
    for mic in range(mics):
        weight = np.abs(factors[:, mic])
        turned = np.exp(1j * (phases[:, mic, None] - k * _OFFSETS_M[None, :]))
        offset[mic] = _OFFSETS_M[int(np.argmax(np.abs((weight[:, None] * turned).sum(axis=0))))]
    phase = np.angle(np.exp(1j * (phases - k * offset[None, :])))
    return Ripple(np.abs(factors) / DEPTH_AT_M, phase, offset, kept)


def _fit(
    distance_m: np.ndarray, frequency_hz: float, magnitude: np.ndarray
) -> tuple[complex, float]:
    """Return amplitude and phase of the ripple as a complex factor, and the share it explains."""
    there = np.isfinite(magnitude)
    d, level = distance_m[there], magnitude[there]
    level = level / level.mean()
    model = _ripple_model(d, frequency_hz)
    solution, *_ = np.linalg.lstsq(model, level, rcond=None)
    left = level - model @ solution
    kept = 1.0 - left.var() / level.var() if level.var() > 0 else 0.0
    return complex(solution[1], -solution[2]), float(kept)


def _ripple_model(distance_m: np.ndarray, frequency_hz: float) -> np.ndarray:
    angle = 4.0 * np.pi * frequency_hz * distance_m / SPEED_OF_SOUND
    return np.column_stack(
        [np.ones_like(distance_m), np.cos(angle) / distance_m, np.sin(angle) / distance_m]
    )


def distance_errors(wall: MeasuredWall, gap_m: float = 0.0) -> np.ndarray:
    """
    Return for every distance by how much it is missed by a fit on all the others, m.

    gap_m: distances that lie within so much of the one asked are left out of the fit, too.
    """
    grid = np.arange(0.10, 0.70, 0.002)
    errors = []
    for distance, heard in zip(wall.distance_m, wall.magnitude, strict=True):
        rows = np.abs(wall.distance_m - distance) > gap_m + 1e-6
        total = np.zeros(len(grid))
        for mic in range(wall.magnitude.shape[2]):
            fitted = MeasuredInterference.fit(
                wall.distance_m[rows], wall.frequency_hz, wall.magnitude[rows][:, :, mic]
            )
            total += fitted.log_likelihood(heard[:, mic], grid)
        errors.append(abs(grid[int(np.argmax(total))] - distance))
    return np.array(errors)


def _spread(phase: np.ndarray) -> float:
    """Circular standard deviation over notes around each microphone's mean phase, radians."""
    strength = np.abs(np.exp(1j * phase).mean(axis=0))
    return float(np.sqrt(-2.0 * np.log(np.clip(strength, 1e-6, 1.0))).mean())


def _simulated(wall: MeasuredWall) -> np.ndarray:
    """Return magnitudes (D, F, M) of the same notes at the same distances, by image sources."""
    plaster, glass = MATERIALS['plaster'], MATERIALS['glass']
    room = AcousticRoom.shoebox(
        *_OFFICE_M,
        walls=(plaster, plaster, plaster, glass),
        floor=MATERIALS['linoleum'],
        ceiling=MATERIALS['acoustic_tile'],
        order=8,
    )
    mics = np.array(MICS_M)[: wall.magnitude.shape[2]]
    out = np.zeros_like(wall.magnitude)
    for row, distance in enumerate(wall.distance_m):
        middle = np.array([distance, _OFFICE_M[1] / 2.0 - 0.4])
        # The robot faces the wall, so its x axis points to -x of the room.
        places = np.column_stack([middle - mics, np.full(len(mics), _HEIGHT_M)])
        acoustics = RoomAcoustics(room, np.array([[*middle, _HEIGHT_M]]))
        heard = acoustics.impulse_responses(places)[:, 0]
        time = np.arange(heard.shape[1]) / SAMPLE_RATE
        turns = np.exp(-2j * np.pi * np.outer(time, wall.frequency_hz))
        out[row] = np.abs(heard @ turns).T
    return out
