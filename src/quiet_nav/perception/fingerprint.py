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

"""The fingerprint: what each ear hears of the robot's standing sound far from any wall."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from quiet_nav.errors import QuietNavError
from quiet_nav.files.json_files import read_json
from quiet_nav.files.schema import checked, Name, Schema
from quiet_nav.files.writing import write_json

#: The newest places that count, and how many there must be.
_MOST_PLACES, _LEAST_PLACES = 32, 3
#: A reading below this calls its place far.
_FAR = 0.2
#: A listen that differs by more, median over bands, is of another sound: a fan changed speed.
_FITS_NEPERS = 0.7

_Level = Annotated[float, Field(ge=-1e3, le=1e3)]
_Spectrum = Annotated[list[_Level], Field(min_length=8, max_length=4096)]


class _File(Schema):
    format: Literal[1]
    rig: Name
    robot: Name
    made_ns: Annotated[int, Field(ge=0)]
    calibrated: bool = False
    frequency_hz: Annotated[
        list[Annotated[float, Field(ge=0, le=1e5)]], Field(min_length=8, max_length=4096)
    ]
    ears: dict[str, Annotated[list[_Spectrum], Field(min_length=1, max_length=_MOST_PLACES)]]


class Fingerprint:
    """
    Median log spectra of a robot's ears over places that readings call far.

    rig, robot: whose it is (``Rig.identity``, the profile's name). frequency_hz (F,): of the bands.
    calibrated: made on purpose, in the open; otherwise learned among walls and ambience.
    """

    def __init__(self, rig: str, robot: str, frequency_hz: np.ndarray) -> None:
        self.rig, self.robot = rig, robot
        self.frequency_hz = np.asarray(frequency_hz, dtype=float)
        self.made_ns = 0
        self.calibrated = False
        self._places: dict[int, list[np.ndarray]] = {}

    def places(self, ear: int) -> int:
        """Return how many places of an ear count."""
        return len(self._places.get(ear, ()))

    def age_s(self, now_ns: int) -> float:
        """Return seconds since it last learned."""
        return (now_ns - self.made_ns) / 1e9

    def get(self, ear: int) -> np.ndarray | None:
        """Return an ear's log power (F,), None before three places were learned."""
        known = self._places.get(ear, [])
        return np.median(known, axis=0) if len(known) >= _LEAST_PLACES else None

    def learn(self, ear: int, spectrum: np.ndarray, probability: float, now_ns: int) -> bool:
        """
        Take the log power (F,) of one place; returns whether the reading there called it far.

        Raises QuietNavError for a spectrum of other bands or that is not finite.
        """
        spectrum = np.asarray(spectrum, dtype=float)
        if spectrum.shape != self.frequency_hz.shape or not np.isfinite(spectrum).all():
            raise QuietNavError(f'fingerprint: expected {len(self.frequency_hz)} finite bands')
        if not probability < _FAR:
            return False
        known = self._places.setdefault(ear, [])
        known.append(spectrum)
        del known[:-_MOST_PLACES]
        self.made_ns = now_ns
        return True

    def fits(self, ear: int, spectrum: np.ndarray) -> bool:
        """Return whether a listen is still of the same standing sound; True before it is known."""
        own = self.get(ear)
        return own is None or float(np.median(np.abs(spectrum - own))) <= _FITS_NEPERS

    def save(self, path: str | Path) -> None:
        """Write it as JSON; QuietNavError where it cannot be, what was there is kept then."""
        ears = {str(k): [p.tolist() for p in v] for k, v in sorted(self._places.items())}
        said = {'format': 1, 'rig': self.rig, 'robot': self.robot, 'made_ns': self.made_ns}
        bands = {'calibrated': self.calibrated, 'frequency_hz': self.frequency_hz.tolist()}
        write_json(path, {**said, **bands, 'ears': ears}, overwrite=True)

    @classmethod
    def load(
        cls, path: str | Path, rig: str, robot: str, frequency_hz: np.ndarray | None = None
    ) -> Fingerprint:
        """
        Read what ``save`` wrote; QuietNavError for another robot's, rig's, bands' or format.

        frequency_hz: of the bands that are wanted, those of the file where None.
        """
        where = f'fingerprint {path}'
        file = checked(_File, read_json(path, where), where)
        for what, found, wanted in (('rig', file.rig, rig), ('robot', file.robot, robot)):
            if found != wanted:
                raise QuietNavError(
                    f'{where}: of {what} {found}, expected {wanted}; make one of this {what}'
                )
        made = cls(rig, robot, np.array(file.frequency_hz))
        wanted_hz = made.frequency_hz if frequency_hz is None else frequency_hz
        if len(wanted_hz) != len(made.frequency_hz) or np.any(
            np.abs(wanted_hz - made.frequency_hz) > 0.1
        ):
            raise QuietNavError(
                f'{where}: of the {len(made.frequency_hz)} bands of another model, expected '
                f'{len(wanted_hz)} from {wanted_hz[0]:.0f} to {wanted_hz[-1]:.0f} Hz; make it again'
            )
        made.made_ns, made.calibrated = file.made_ns, file.calibrated
        for key, known in file.ears.items():
            if not key.isdecimal() or any(len(p) != len(file.frequency_hz) for p in known):
                raise QuietNavError(f'{where}: ear {key} does not fit; make it again')
            made._places[int(key)] = [np.array(p) for p in known]
        return made
