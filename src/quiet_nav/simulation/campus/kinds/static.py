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

"""Places that face their nearest wall, near and far in turns (SFS-Static)."""

from __future__ import annotations

import numpy as np

from quiet_nav.quiet_campus.annotation import Annotation
from quiet_nav.quiet_campus.folders import SUBSETS
from quiet_nav.simulation.campus.drawing import BETWEEN_M, facing_nearest, FAR_M, NEAR_M
from quiet_nav.simulation.campus.kinds.clip import ClipKind
from quiet_nav.simulation.campus.request import CampusRequest, Place
from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom

STATIC_LENGTH_S = 10.0


class StaticKind(ClipKind):
    """The paper's static recordings."""

    NAME = 'static'
    SUBSET = SUBSETS['static']

    def places(
        self,
        room: AcousticRoom,
        rng: np.random.Generator,
        seed: int,
        request: CampusRequest,
        reach_m: float,
    ) -> list[Place]:
        """
        Draw 16 to 30 places; every other one is near.

        Except in plain rooms a third of the places lie where the official lists have a gap.
        """
        tables = (NEAR_M, FAR_M) if request.plain else (NEAR_M, FAR_M, NEAR_M, BETWEEN_M)
        count, places = int(rng.integers(16, 31)), []
        start = 0.0
        for i in range(count):
            pose = facing_nearest(room, rng, tables[i % len(tables)])
            start += rng.uniform(20.0, 60.0)
            height = float(rng.uniform(0.2, 1.2))
            places.append(Place(f'clip-{i:03d}', pose, height, round(start, 3), STATIC_LENGTH_S))
        return places

    def is_near(self, said: Annotation) -> bool | None:
        """Near or far; of plain rooms as in the official lists, what lies between left out."""
        if said.near is not None:
            return said.near
        if said.distance_m <= NEAR_M[-1]:
            return True
        return None if said.distance_m < FAR_M[0] - 0.01 else False


KIND = StaticKind()
