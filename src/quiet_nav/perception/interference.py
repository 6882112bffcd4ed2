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

"""How a wall shows in a robot's own sound: ripple over its fingerprint, as likelihoods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field

from quiet_nav import resources
from quiet_nav.errors import QuietNavError
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.files.yaml_files import read_yaml
from quiet_nav.geometry import Side
from quiet_nav.perception.rig import Ear
from quiet_nav.sound.air import SPEED_OF_SOUND

OWN_SOUND = resources.Kind('robot profile', 'config/robots', '.sound.yaml')
#: Standard deviation that reflection factors have before anything is heard.
_FACTOR = 0.7
#: No band is heard better than this, standard deviation in nepers of power; counts as some bands.
_NOISE_NEPERS, _NOISE_BANDS = 0.05, 4.0
#: A misfit larger than this many standard deviations says no more than that.
_MOST_MISFIT = 3.0

_Meters = Annotated[float, Field(ge=-10.0, le=10.0)]


class _SourceFile(Schema):
    model_config = ConfigDict(**{**Schema.model_config, 'extra': 'ignore'})

    position: tuple[_Meters, _Meters, _Meters]
    standing_db: float | tuple[float, float] | None = None


class _ProfileFile(Schema):
    model_config = ConfigDict(**{**Schema.model_config, 'extra': 'ignore'})

    name: Name
    sources: tuple[_SourceFile, ...] = ()


@dataclass(frozen=True)
class OwnSoundPlaces:
    """
    Where a robot sounds while it stands: its name and places (S, 3) in base_link, m.

    levels_db (S,): of each source at 1 m; what counts is how they differ.
    """

    robot: str
    places_m: np.ndarray
    levels_db: np.ndarray

    def shares(self, ear_m: np.ndarray) -> np.ndarray:
        """Return each source's share of the power that an ear at (3,) hears directly, (S,)."""
        apart = np.maximum(np.linalg.norm(self.places_m - ear_m, axis=1), 0.01)
        power = 10.0 ** ((self.levels_db - self.levels_db.max()) / 10.0) / apart**2
        return np.asarray(power / power.sum())


def load_places(name: str | Path) -> OwnSoundPlaces:
    """
    Read the places of the standing sources of a robot profile, by its name or its YAML file.

    Raises QuietNavError where there is no such profile or nothing of the robot sounds.
    """
    path = resources.find(OWN_SOUND, name)
    where = f'robot profile {path}'
    file = checked(_ProfileFile, read_yaml(path, where), where)
    standing = [source for source in file.sources if source.standing_db is not None]
    if not standing:
        raise QuietNavError(
            f'{where}: no source with standing_db; a robot silent while it stands hears no wall '
            'by its own sound'
        )
    places = np.array([source.position for source in standing], dtype=float)
    levels = np.array([float(np.mean(source.standing_db or 0.0)) for source in standing])
    return OwnSoundPlaces(file.name, places, levels)


def ripple_basis(
    distance_m: np.ndarray,
    frequency_hz: np.ndarray,
    places_m: np.ndarray,
    ear_m: np.ndarray,
    yaw_rad: float,
) -> np.ndarray:
    """
    Return how a wall's reflection changes log power: shape (D, F, 2 S), nepers.

    distance_m (D,): from the ear to a wall that it faces in ``yaw_rad``. places_m (S, 3), ear_m
    (3,): in base_link. Cosines of the sources first, then their sines, each for a reflection
    factor of one, by images: twice the ratio of the paths. D outside the robot are for the caller
    to leave out.
    """
    normal = np.array([np.cos(yaw_rad), np.sin(yaw_rad), 0.0])
    apart = places_m - ear_m
    direct = np.maximum(np.linalg.norm(apart, axis=1), 0.01)
    along = apart @ normal
    # The image of a source lies as far behind the wall as the source before it.
    beyond = 2.0 * (distance_m[:, None] - along)
    image = apart[None] + beyond[..., None] * normal
    reflected = np.maximum(np.linalg.norm(image, axis=2), 0.01)
    depth = 2.0 * direct / reflected / len(places_m)
    turns = 2.0 * np.pi * (reflected - direct) / SPEED_OF_SOUND
    angle = turns[:, None, :] * np.asarray(frequency_hz)[None, :, None]
    return np.concatenate([depth[:, None] * np.cos(angle), depth[:, None] * np.sin(angle)], axis=2)


def log_likelihood(
    over_fingerprint: np.ndarray,
    frequency_hz: np.ndarray,
    distance_m: np.ndarray,
    places_m: np.ndarray,
    ear: Ear,
    side: Side | None = None,
) -> np.ndarray:
    """
    Return the log likelihood of a wall at each distance over that of no wall, shape (D,).

    over_fingerprint (F,): natural log of power less the ear's fingerprint, NaN where unknown.
    distance_m (D,): from the ear to the wall. side: that the wall stands on, the ear's own by
    default. The level, the reflection factors (normal around 0) and the noise are integrated out,
    so nothing is fitted beforehand. Raises QuietNavError where fewer than 8 bands are known.
    """
    heard = np.asarray(over_fingerprint, dtype=float)
    known = np.isfinite(heard)
    if np.count_nonzero(known) < 8:
        raise QuietNavError(
            f'interference: {np.count_nonzero(known)} bands known; expected 8 or more'
        )
    yaw = (ear.side if side is None else side).yaw_rad
    basis = ripple_basis(
        np.asarray(distance_m, dtype=float),
        np.asarray(frequency_hz)[known],
        np.atleast_2d(places_m),
        np.array([ear.x, ear.y, ear.z]),
        yaw,
    )
    level = heard[known] - heard[known].mean()
    basis = (basis - basis.mean(axis=1, keepdims=True)) * _FACTOR
    bands = len(level)
    # Factors in units of the noise's own deviation, noise with an inverse gamma before it:
    # Bayesian linear regression in closed form.
    scale = max(float(np.std(level)), _NOISE_NEPERS) ** 2
    inner = basis.transpose(0, 2, 1) @ basis / scale
    inner += np.eye(basis.shape[2])
    projected = basis.transpose(0, 2, 1) @ level / scale
    solved = np.linalg.solve(inner, projected[..., None])[..., 0]
    prior = _NOISE_BANDS * _NOISE_NEPERS**2 / scale
    whole = float(level @ level) / scale
    left = np.maximum(whole - np.sum(projected * solved, axis=1), 0.0)
    determinant = np.linalg.slogdet(inner)[1]
    shape = 0.5 * (bands - 1 + _NOISE_BANDS)
    return np.asarray(-0.5 * determinant - shape * (np.log(prior + left) - np.log(prior + whole)))


@dataclass(frozen=True)
class MeasuredInterference:
    """
    The ripple over distance of an ear that was measured before a wall at known distances.

    factors (F, 3): level, cosine and sine of ``a + (b cos + c sin)(4 pi f d / c) / d``. spread
    (F,): standard deviation of what is left. For own sounds close to the ear, whose body and place
    are not known well.
    """

    frequency_hz: np.ndarray
    factors: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(
        cls, distance_m: np.ndarray, frequency_hz: np.ndarray, magnitude: np.ndarray
    ) -> MeasuredInterference:
        """
        Fit what was heard, magnitude (D, F), NaN where missing, by least squares.

        Bands with fewer than 5 known distances say nothing (NaN). Raises QuietNavError for
        fewer than 5 distances.
        """
        if len(distance_m) < 5:
            raise QuietNavError(
                f'interference: {len(distance_m)} distances measured; expected 5 or more'
            )
        factors = np.full((len(frequency_hz), 3), np.nan)
        spread = np.full(len(frequency_hz), np.nan)
        for band, hz in enumerate(frequency_hz):
            there = np.isfinite(magnitude[:, band])
            if np.count_nonzero(there) < 5:
                continue
            model = _over_distance(distance_m[there], float(hz))
            factors[band], *_ = np.linalg.lstsq(model, magnitude[there, band], rcond=None)
            left = magnitude[there, band] - model @ factors[band]
            spread[band] = left.std() + 1e-9
        return cls(np.asarray(frequency_hz), factors, spread)

    def log_likelihood(self, magnitude: np.ndarray, distance_m: np.ndarray) -> np.ndarray:
        """Return the log likelihood (D,), up to a constant, of magnitudes (F,) at distances."""
        told = np.stack(
            [
                _over_distance(distance_m, float(hz)) @ factors
                for hz, factors in zip(self.frequency_hz, self.factors, strict=True)
            ],
            axis=1,
        )
        misfit = (magnitude - told) / self.spread
        return np.asarray(-0.5 * np.nansum(np.minimum(misfit**2, _MOST_MISFIT**2), axis=1))


def _over_distance(distance_m: np.ndarray, frequency_hz: float) -> np.ndarray:
    angle = 4.0 * np.pi * frequency_hz * distance_m / SPEED_OF_SOUND
    return np.column_stack(
        [np.ones_like(distance_m), np.cos(angle) / distance_m, np.sin(angle) / distance_m]
    )
