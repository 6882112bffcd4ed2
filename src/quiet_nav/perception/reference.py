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

"""The room's reference: a running mean log spectrum of every ear, learned while listening."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, StringConstraints

from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Schema
from quiet_nav.files.writing import write_json
from quiet_nav.perception.bands import BANDS as OWN_SOUND_BANDS
from quiet_nav.perception.context import BANDS, FINE_BINS

_DB_PER_NEPER = 10.0 / np.log(10.0)


@dataclass(frozen=True)
class ReferenceSettings:
    """How the reference is built."""

    #: After so many further places a place counts half: rooms change slowly.
    half_life: float = 20.0
    #: Two windows are of different places where their fine bands differ by more, RMS in nepers (the
    #: estimate's own noise gives 0.3).
    novelty: float = 0.45
    #: Windows whose bursts exceed this are refused: steps, doors, speech.
    max_transient: float = 0.5
    #: Windows that differ by more from the reference so far, median over bands, are refused ...
    max_jump_db: float = 8.0
    #: ... unless so many new places in a row do: then the room has changed and the reference starts
    #: again.
    patience: int = 3


#: Bands of the spectra that models give: those of before, and those that hear an own sound, too.
_COUNTS = (BANDS, OWN_SOUND_BANDS)
_Level = Annotated[float, Field(ge=-1e6, le=1e6)]
_Bands = Annotated[list[_Level], Field(min_length=min(_COUNTS), max_length=max(_COUNTS))]


class _EarFile(Schema):
    weight: float = Field(ge=0, le=1e6)
    total: _Bands
    here: _Bands | None


class _ReferenceFile(Schema):
    format: Literal[1]
    ears: dict[Annotated[str, StringConstraints(pattern=r'^[0-9]{1,3}$')], _EarFile]


@dataclass
class _Ear:
    """What one ear has heard: decayed sum and weight of places, and the place it is at."""

    total: np.ndarray
    weight: float = 0.0
    here: np.ndarray | None = None
    strange: int = 0


class RoomReference:
    """
    Mean log spectra per ear; all ears share what they heard but keep a gain of their own.

    The place where the robot is counts only once it has left it: a reference that held it would
    take away what is to be heard. An ear that follows a wall hears nothing but near walls, and its
    own mean would hide them: so the mean is taken over all ears, and each differs from it by a
    gain alone, measured above 1 kHz, where walls matter little.
    """

    def __init__(self, settings: ReferenceSettings | None = None) -> None:
        self.settings = settings or ReferenceSettings()
        self._ears: dict[int, _Ear] = {}
        self.refused = 0

    @property
    def places(self) -> float:
        """How many places count, forgotten ones by what they still count; the ear with most."""
        return max((ear.weight for ear in self._ears.values()), default=0.0)

    @property
    def bands(self) -> int | None:
        """How many bands its spectra have, None before anything was heard."""
        return next((len(ear.total) for ear in self._ears.values()), None)

    def reset(self) -> None:
        """Forget the room."""
        self._ears.clear()

    def get(self, ear: int, ears: Collection[int] | None = None) -> np.ndarray | None:
        """
        Return the reference of an ear, (bands,), natural log of power; None where there is none.

        ears: whose means are shared, all that were heard by default.
        """
        if ear not in self._ears or self._ears[ear].weight == 0.0:
            return None
        keys = [
            key
            for key in sorted(self._ears)
            if self._ears[key].weight > 0.0 and (ears is None or key in ears or key == ear)
        ]
        means = np.stack([self._ears[key].total / self._ears[key].weight for key in keys])
        weights = np.array([self._ears[key].weight for key in keys])
        return shared_reference(means, weights)[keys.index(ear)]

    def own(self, ear: int) -> np.ndarray:
        """
        Return the mean of what an ear itself heard, (bands,), of one that ``get`` knows.

        With all that is its own, the robot's sound, too; a wall that it follows is in it.
        """
        state = self._ears[ear]
        return state.total / state.weight

    def hear(self, ear: int, spectrum: np.ndarray, transient: float = 0.0) -> str:
        """
        Tell what an ear hears now; the place it was at before counts from then on.

        spectrum: natural log of power, (bands,), as many as the first one had, the lowest 128 of
        them fine. transient: of the window, as the detector gives it.
        Returns 'same place', 'new place', or why the window was refused.
        """
        spectrum = np.asarray(spectrum, float)
        counts = _COUNTS if self.bands is None else (self.bands,)
        bands = spectrum.size
        if spectrum.shape not in [(n,) for n in counts] or not np.all(np.isfinite(spectrum)):
            raise QuietNavError(f'reference: expected {" or ".join(map(str, counts))} finite bands')
        state = self._ears.setdefault(ear, _Ear(np.zeros(bands)))
        if transient > self.settings.max_transient:
            self.refused += 1
            return f'burst of sound ({transient:.2f}, at most {self.settings.max_transient:.2f})'
        if state.here is not None:
            apart = (spectrum - state.here)[:FINE_BINS]
            if float(np.sqrt(np.mean((apart - apart.mean()) ** 2))) < self.settings.novelty:
                state.here, state.strange = spectrum, 0
                return 'same place'
        if state.weight > 0.0:
            jump_db = _DB_PER_NEPER * float(
                np.median(np.abs(spectrum - state.total / state.weight))
            )
            state.strange = state.strange + 1 if jump_db > self.settings.max_jump_db else 0
            if 0 < state.strange < self.settings.patience:
                self.refused += 1
                return f'{jump_db:.1f} dB from the room so far'
            if state.strange:
                self._ears[ear] = _Ear(np.zeros(bands), here=spectrum)
                return 'new place'
        self._leave(state)
        state.here = spectrum
        return 'new place'

    def leave(self) -> None:
        """Let the places where the ears are count: the robot is known to have left them."""
        for state in self._ears.values():
            self._leave(state)

    def _leave(self, state: _Ear) -> None:
        if state.here is not None:
            keep = 0.5 ** (1.0 / self.settings.half_life)
            state.total = keep * state.total + state.here
            state.weight = keep * state.weight + 1.0
            state.here = None

    def save(self, path: str | Path) -> None:
        """
        Write the reference as JSON, so that a replay can go on from it.

        Raises QuietNavError where the file cannot be written; what it held before is kept then.
        """
        ears = {
            str(key): {
                'weight': state.weight,
                'total': [float(v) for v in state.total],
                'here': None if state.here is None else [float(v) for v in state.here],
            }
            for key, state in sorted(self._ears.items())
        }
        write_json(path, {'format': 1, 'ears': ears}, overwrite=True)

    @classmethod
    def load(cls, path: str | Path, settings: ReferenceSettings | None = None) -> RoomReference:
        """Read what ``save`` wrote; QuietNavError where the file is not that."""
        reference, where = cls(settings), f'reference {path}'
        try:
            file = checked(_ReferenceFile, read_json(path, where), where)
        except QuietNavError as error:
            raise QuietNavError(f'{error}: not a reference saved by quiet_nav') from error
        for key, ear in file.ears.items():
            here = None if ear.here is None else np.array(ear.here)
            reference._ears[int(key)] = _Ear(np.array(ear.total), ear.weight, here)
        lengths = {len(e.total) for e in reference._ears.values()}
        lengths |= {len(e.here) for e in reference._ears.values() if e.here is not None}
        if len(lengths) > 1 or not lengths <= set(_COUNTS):
            raise QuietNavError(
                f'{where}: spectra of {sorted(lengths)} bands: not a reference saved by quiet_nav'
            )
        return reference


def shared_reference(means: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """
    Return every ear's reference from the means of all: shape (..., E, bands) in and out.

    The weighted mean over ears of the spectra without their gains, plus each ear's gain: its
    difference from the mean of all, averaged over the bands above 1 kHz. weights: (..., E).
    """
    share = weights / np.maximum(weights.sum(-1, keepdims=True), 1e-9)
    center = (share[..., None] * means).sum(-2, keepdims=True)
    gains = (means - center)[..., FINE_BINS:].mean(-1, keepdims=True)
    return (share[..., None] * (means - gains)).sum(-2, keepdims=True) + gains
