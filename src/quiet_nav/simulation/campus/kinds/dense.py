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

"""A grid of places, eight headings each (SFS-Dense)."""

from __future__ import annotations

import numpy as np

from quiet_nav.geometry import Pose2D, wrap_angle
from quiet_nav.quiet_campus.folders import SUBSETS
from quiet_nav.simulation.campus.kinds.clip import ClipKind
from quiet_nav.simulation.campus.request import CampusRequest, Place
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom

DENSE_LENGTH_S = 5.0
CELL_M, HEADINGS = 1.5, 8


class DenseKind(ClipKind):
    """The paper's dense recordings."""

    NAME = 'dense'
    SUBSET = SUBSETS['dense']
    OPTIONS = ('directional',)

    def places(
        self,
        room: AcousticRoom,
        rng: np.random.Generator,
        seed: int,
        request: CampusRequest,
        reach_m: float,
    ) -> list[Place]:
        """Draw a place in each cell of the grid, and its headings."""
        low, high = np.min(room.footprint, axis=0), np.max(room.footprint, axis=0)
        columns, rows = (int(n) for n in np.maximum((high - low) // CELL_M, 1))
        offset = low + (high - low - CELL_M * np.array([columns, rows])) / 2
        turn, height = rng.uniform(0, 2 * np.pi / HEADINGS), float(rng.uniform(0.2, 1.2))
        places: list[Place] = []
        start = 0.0
        for cell in range(columns * rows):
            corner = offset + CELL_M * np.array([cell % columns, cell // columns])
            x, y = corner + rng.uniform(0.2, CELL_M - 0.2, 2)
            if not room.contains(np.array([x, y]), max(0.2, reach_m + 0.01)):
                continue
            for heading in range(HEADINGS):
                start += 10.0
                yaw = wrap_angle(turn + 2 * np.pi * heading / HEADINGS)
                places.append(
                    Place(
                        f'clip-{len(places):03d}',
                        Pose2D(float(x), float(y), yaw),
                        height,
                        start,
                        DENSE_LENGTH_S,
                        notes={'cell': [cell % columns, cell // columns]},
                    )
                )
        return places


KIND = DenseKind()
