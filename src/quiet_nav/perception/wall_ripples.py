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

"""Walls around a robot as planes, found by the ripples that they make in its own sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
import math

import numpy as np

from quiet_nav.perception.distance_bins import DistanceBins, STANDARD_BINS
from quiet_nav.perception.interference import OwnSoundPlaces, ripple_basis
from quiet_nav.perception.rig import Ear
from quiet_nav.sound.air import SPEED_OF_SOUND

#: Directions and distances from the robot's center at which planes are tried.
_YAWS_RAD = np.arange(24) * math.pi / 12.0
_RANGES_M = np.arange(0.06, 2.6, 0.02)
#: A plane behind an ear, or this near to it, makes no ripple there.
_LEAST_M = 0.02
#: A plane is on a side where its normal is within about 70 degrees of it.
_LEAST_COSINE = 0.35
#: Bodies color each ear's sound in slow waves over frequency: no ripple.
_DIFFERENCE_SMOOTH = 12
#: What is farther out than this is no wall of a side, but may explain what is heard.
_MOST_M = 1.6


@dataclass(frozen=True)
class RippleSettings:
    """How walls are told; tuned on simulated rooms of drawn robots."""

    #: The factor expected of a wall.
    reflection: float = 0.7
    #: How many units of squared ripple that expectation is worth.
    trust: float = 5.0
    #: Bands that count as independent, as a share: neighbors tell the same.
    temper: float = 0.15
    #: Of a wall, against the prior.
    bias_nats: float = 1.0
    #: How much walls of other sides explain away.
    elsewhere: float = 2.0
    #: Slowest cosines over the bands that are no ripple: tilt, body, ambience.
    smooth: int = 3
    #: Power this far above the fingerprint, and not before, is taken for ambience.
    covered_nepers: float = 1.5
    #: A ripple beyond this counts as this: no wall makes more.
    most_nepers: float = 2.0


class WallRipples:
    """
    What planes around a robot would do to the log power at its ears.

    ears: those that were heard at once. Built once for a robot: 3072 planes by (ears, bands).
    """

    def __init__(
        self,
        ears: tuple[Ear, ...],
        own: OwnSoundPlaces,
        frequency_hz: np.ndarray,
        settings: RippleSettings | None = None,
    ) -> None:
        self.ears = ears
        self.settings = settings or RippleSettings()
        self._smooth = _cosines(len(frequency_hz), self.settings.smooth)
        self._atoms = np.concatenate(
            [_ripples(ear, own, frequency_hz, self._smooth) for ear in ears], axis=1
        )
        self._distances = [_distances(ear) for ear in ears]
        self._near = np.minimum.reduce([_away(ear) for ear in ears]) < _MOST_M

    def told(self, over_fingerprint: np.ndarray, bins: DistanceBins = STANDARD_BINS) -> np.ndarray:
        """
        Return the distance distribution of each ear's side, (ears, bins.count).

        over_fingerprint (ears, F): natural log of power less the ears' fingerprints.
        """
        s = self.settings
        trend = over_fingerprint @ self._smooth @ self._smooth.T
        ripple = np.clip(over_fingerprint - trend, -s.most_nepers, s.most_nepers)
        # Where ambience covers the own sound its ripple is shallow: as much as it stands above.
        share = np.exp(-np.clip(trend - s.covered_nepers, 0.0, 5.0))
        ripple = ripple - ripple @ self._smooth @ self._smooth.T
        ripples = self._atoms * share.ravel().astype(np.float32)
        weight, none = self._weights(ripple.ravel(), ripples)
        return np.stack([self._side(weight, none, away, bins) for away in self._distances])

    def _weights(self, ripple: np.ndarray, ripples: np.ndarray) -> tuple[np.ndarray, float]:
        """Return how likely each plane makes what is heard, (planes,), and none; to a factor."""
        s = self.settings
        # Each plane's factor by its prior, in closed form.
        along = ripples @ ripple + s.trust * s.reflection
        whole = np.einsum('ij,ij->i', ripples, ripples) + s.trust
        factor = np.clip(along / whole, 0.0, 1.5)
        change = factor * (2.0 * along - factor * whole) - s.trust * s.reflection**2
        before = float(ripple @ ripple) + 1e-6
        after = np.maximum(before - change, 1e-3 * before)
        nats = 0.5 * s.temper * len(ripple) * np.log(before / after) + s.bias_nats
        top = max(float(nats.max()), 0.0)
        return np.exp(nats - top), math.exp(-top)

    def _side(
        self, weight: np.ndarray, none: float, distance_m: np.ndarray, bins: DistanceBins
    ) -> np.ndarray:
        place = np.asarray(bins.bin_of(distance_m))
        told = np.array(bins.prior_array)
        for k in range(bins.count - 1):
            within = place == k
            if within.any():
                told[k] *= float(weight[within].mean())
        # A wall elsewhere may make the same ripple.
        elsewhere = weight[(distance_m > _MOST_M) & self._near]
        told[-1] *= none + self.settings.elsewhere * float(elsewhere.mean())
        return np.asarray(told / told.sum())


class CommonRipples:
    """
    What planes do to how ears differ.

    What all ears hear alike, the source itself, is taken out, and so are slow waves over frequency
    (the body) and the floor's ripple, whose place is known.
    """

    def __init__(
        self, ears: tuple[Ear, ...], own: OwnSoundPlaces, frequency_hz: np.ndarray
    ) -> None:
        known = [_floor_and_body(ear, own, frequency_hz) for ear in ears]
        self._known, _ = np.linalg.qr(np.concatenate(known, axis=1))
        smooth = _cosines(len(frequency_hz), 1)
        atoms = [_ripples(ear, own, frequency_hz, smooth) for ear in ears]
        self._atoms = self._cleaned(np.stack(atoms, axis=1)).reshape(len(atoms[0]), -1)
        self._size = np.linalg.norm(self._atoms, axis=1)
        self._distance = np.minimum.reduce([_away(ear) for ear in ears])

    def _cleaned(self, spectra: np.ndarray) -> np.ndarray:
        apart = spectra - spectra.mean(axis=-2, keepdims=True)
        return np.asarray(apart - apart @ self._known @ self._known.T)

    def wall(self, spectra: np.ndarray) -> tuple[float, float]:
        """
        Return the distance (m) of the plane within 1 m that explains most, and its ripple.

        spectra (ears, F): natural log of power. The ripple is an RMS in nepers of power.
        """
        apart = np.clip(self._cleaned(spectra), -2.0, 2.0).ravel()
        # A plane that the cleaning has all but taken away would explain anything.
        plain = (self._distance < 1.0) & (self._size > 0.1 * np.median(self._size))
        fit = np.where(plain, self._atoms @ apart / np.maximum(self._size, 1e-6), -1.0)
        best = int(fit.argmax())
        return float(self._distance[best]), float(fit[best]) / math.sqrt(len(apart))


def _floor_and_body(ear: Ear, own: OwnSoundPlaces, frequency_hz: np.ndarray) -> np.ndarray:
    """Return what an ear far from walls hears beside the source: floor and body, (F, columns)."""
    at = np.array([ear.x, ear.y, ear.z])
    columns = [_cosines(len(frequency_hz), _DIFFERENCE_SMOOTH)]
    for place in own.places_m:
        below = place * np.array([1.0, 1.0, -1.0])
        farther = float(np.linalg.norm(below - at) - np.linalg.norm(place - at))
        turns = 2.0 * np.pi * farther / SPEED_OF_SOUND * frequency_hz
        for harmonic in (1, 2):
            columns += [np.cos(harmonic * turns)[:, None], np.sin(harmonic * turns)[:, None]]
    return np.concatenate(columns, axis=1)


def _cosines(bands: int, count: int) -> np.ndarray:
    """Return the slowest cosines over the bands, orthonormal, (bands, count)."""
    at = (np.arange(bands) + 0.5) / bands
    waves = np.cos(math.pi * at[:, None] * np.arange(count))
    return np.asarray(waves / np.linalg.norm(waves, axis=0))


def _normals() -> np.ndarray:
    return np.stack([np.cos(_YAWS_RAD), np.sin(_YAWS_RAD)], axis=1)


def _ripples(
    ear: Ear, own: OwnSoundPlaces, frequency_hz: np.ndarray, smooth: np.ndarray
) -> np.ndarray:
    """Return the log power's change at an ear by each plane, (planes, F), mean 0 over bands."""
    at = np.array([ear.x, ear.y, ear.z])
    shares = own.shares(at)
    count = len(shares)
    found = []
    for yaw, normal in zip(_YAWS_RAD, _normals(), strict=True):
        distance = _RANGES_M - normal @ at[:2]
        basis = ripple_basis(distance, frequency_hz, own.places_m, at, float(yaw))
        ripple = basis[..., :count] @ (count * shares)
        ripple[distance < _LEAST_M] = 0.0
        found.append(ripple - ripple @ smooth @ smooth.T)
    return np.concatenate(found).astype(np.float32)


def _away(ear: Ear) -> np.ndarray:
    """Return how far each plane is from an ear, m, (planes,)."""
    at = np.array([ear.x, ear.y])
    return np.concatenate([_RANGES_M - normal @ at for normal in _normals()])


@lru_cache(maxsize=64)
def _distances(ear: Ear) -> np.ndarray:
    """Return how far each plane is from an ear toward its side, m, (planes,); inf on no side."""
    found = []
    for yaw, normal in zip(_YAWS_RAD, _normals(), strict=True):
        cosine = math.cos(yaw - ear.side.yaw_rad)
        away = _RANGES_M - normal @ np.array([ear.x, ear.y])
        found.append(away / cosine if cosine > _LEAST_COSINE else np.full(len(away), np.inf))
    distance = np.concatenate(found)
    return np.where(distance < _LEAST_M, np.inf, distance)
