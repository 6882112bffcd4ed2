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


"""What a check of a rig finds, how sure it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
import enum


class Sure(enum.Enum):
    """How far a measure is beyond what healthy recordings show."""

    SURE = 'sure'
    LIKELY = 'likely'
    POSSIBLE = 'possible'


class Kind(enum.Enum):
    """What can be wrong with ears."""

    NO_TAPS = 'no taps'
    SWAPPED = 'swapped'
    UNCLEAR = 'unclear'
    DEAD = 'dead'
    QUIET = 'too quiet'
    CLIPPED = 'clipped'
    AGC = 'gain control'
    SUPPRESSION = 'noise suppression'
    UNSYNCHRONIZED = 'unsynchronized'
    IDENTICAL = 'identical'
    POLARITY = 'polarity'
    DISTANCE = 'distance'
    DC = 'offset'
    HUM = 'hum'


#: What costs readings; all else is said and does not matter today.
SERIOUS = frozenset(
    {
        Kind.NO_TAPS,
        Kind.SWAPPED,
        Kind.UNCLEAR,
        Kind.DEAD,
        Kind.QUIET,
        Kind.AGC,
        Kind.SUPPRESSION,
        Kind.UNSYNCHRONIZED,
        Kind.IDENTICAL,
    }
)


@dataclass(frozen=True)
class Finding:
    """
    One thing that is wrong.

    channels: of the recording. what: what was measured; advice: what to do. serious: whether it
    costs readings. figures: the measures, by name and unit.
    """

    kind: Kind
    channels: tuple[int, ...]
    sure: Sure
    what: str
    advice: str
    serious: bool
    figures: dict[str, float] = field(default_factory=dict)


def finding(
    kind: Kind,
    channels: tuple[int, ...],
    sure: Sure,
    what: str,
    advice: str,
    *,
    serious: bool | None = None,
    **figures: float,
) -> Finding:
    """Return a finding, as serious as its kind is by default."""
    serious = kind in SERIOUS if serious is None else serious
    return Finding(kind, channels, sure, what, advice, serious, figures)
