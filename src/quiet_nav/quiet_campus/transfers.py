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
"""Transfers: how loud every source of a room is at every ear, in bands, apart from the sound."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from quiet_nav.errors import QuietNavError
from quiet_nav.files.writing import whole_file

FILE = 'transfers.npz'
#: Ears whose cross power is kept.
PAIRS = ((0, 1), (0, 2), (1, 2))


@dataclass(frozen=True)
class RoomTransfers:
    """
    One room. P poses, two headings (as it is; turned by 180 degrees), E ears, B bands.

    V kinds of sound: noise of each ambient source, its tones, noise of each standing source of the
    robot, its tones. power: mean power of a periodogram's bins in each band, for noise of one unit
    a bin and for tones of unit power in all, float16 (P, 2, V, E, B). cross: of pairs of ears,
    real and imaginary part, float16 (P, 2, V, pairs, 2, B). free: power far from any wall of the
    robot's own, (own, E, B), noise first. scale: what each kind is to be multiplied by, (V,).
    own: how many of V are the robot's. distance_m: in the ear's direction; nearest_m: to the
    nearest wall, both (P, 2, E). bearing_rad: of each ear in base_link at the first heading, (E,).
    """

    power: np.ndarray
    cross: np.ndarray
    free: np.ndarray
    scale: np.ndarray
    own: np.ndarray
    distance_m: np.ndarray
    nearest_m: np.ndarray
    bearing_rad: np.ndarray

    def save(self, path: Path) -> None:
        """Write it; a file that is there already is replaced."""
        with whole_file(path, overwrite=True) as part:
            np.savez(part, **vars(self))

    @classmethod
    def load(cls, path: Path) -> RoomTransfers:
        """Read it; QuietNavError where the file is not what ``save`` wrote."""
        try:
            with np.load(path) as arrays:
                room = cls(**{field.name: arrays[field.name] for field in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise QuietNavError(f'{path}: not the transfers of a room ({error})') from error
        poses, headings, kinds, ears, bands = room.power.shape
        pairs = len([pair for pair in PAIRS if max(pair) < ears])
        if (
            room.cross.shape != (poses, headings, kinds, pairs, 2, bands)
            or room.distance_m.shape != (poses, headings, ears)
            or room.free.shape != (int(room.own), ears, bands)
        ):
            raise QuietNavError(f'{path}: shapes of transfers that do not fit each other')
        return room
