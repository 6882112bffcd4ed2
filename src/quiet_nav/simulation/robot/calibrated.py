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

"""A simulated robot's fingerprint, made far from any wall as calibrating makes a real one's."""

from __future__ import annotations

from quiet_nav.perception.rig import Rig
from quiet_nav.perception.standing_sound import band_spectrum, Noted, StandingSound
from quiet_nav.simulation.sound.hearing import Hearing
from quiet_nav.sound.windows import WINDOW_SAMPLES

#: Windows of 3 s that the fingerprint is made of.
_WINDOWS = 4


def calibrated(hearing: Hearing, rig: Rig, profile: str) -> StandingSound | None:
    """
    Return the standing sound of the robot that is heard, None where it has none.

    profile: its name or file. The windows are of the scene's first seconds, everything on.
    """
    own = hearing.scene.own
    sounds = own is not None and any(source.standing_db is not None for source in own.sources)
    if not sounds or not profile:
        return None
    heard = hearing.fingerprint(rig, 0, _WINDOWS * WINDOW_SAMPLES)
    standing = StandingSound.of(rig, profile)
    standing.begin_calibration(_WINDOWS)
    for i in range(_WINDOWS):
        part = slice(i * WINDOW_SAMPLES, (i + 1) * WINDOW_SAMPLES)
        standing.note(
            [
                Noted(ear.channel, band_spectrum(row[part]), 0.0, i * 3_000_000_000, None, True)
                for ear, row in zip(rig.ears, heard, strict=True)
            ]
        )
    return standing
