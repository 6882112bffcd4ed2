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

"""What training examples made of the rows of a data set have in common, whatever they read."""

from __future__ import annotations

import math

from quiet_nav.errors import QuietNavError
from quiet_nav.perception.distance_bins import STANDARD_BINS
from quiet_nav.quiet_campus.lists import Row

#: Label of a distance that is not known; the loss leaves it out.
UNKNOWN_BIN = -1


class RowDataset:
    """
    Mixin of data sets whose examples are rows with a near-wall label, each so often an epoch.

    rows: with a label all of them. repeat: how often a row is visited in an epoch.
    """

    rows: list[Row]
    repeat: int

    def __len__(self) -> int:
        return len(self.rows) * self.repeat

    @property
    def positive_weight(self) -> float:
        """Return what a positive weighs in the loss; QuietNavError where a class is missing."""
        positives = sum(bool(row.near) for row in self.rows)
        if positives in (0, len(self.rows)):
            raise QuietNavError(
                f'{positives} of {len(self.rows)} rows are near a wall: both classes are needed'
            )
        return (len(self.rows) - positives) / positives


def distance_bin(distance_m: float) -> int:
    """Return the number of the distance bin, the last for farther, -1 for NaN."""
    if math.isnan(distance_m):
        return UNKNOWN_BIN
    return int(STANDARD_BINS.bin_of(distance_m))
