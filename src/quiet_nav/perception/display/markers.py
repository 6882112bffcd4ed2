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

"""Which markers show a reading, as plain numbers: for messages of a live node and of a bag."""

from __future__ import annotations

from dataclasses import dataclass, replace
import itertools
import math

from quiet_nav.geometry import Pose2D, Side
from quiet_nav.perception.display.display import Fan, fan, FAN_LIFETIME_S, Trace
from quiet_nav.perception.readings import Modality, NearWallReading
from quiet_nav.perception.rig import Ear, Rig

_TEXT_M, _REASON_M, _LIVES_BY_M = 0.12, 0.07, 0.06
_TEXT_ABOVE_M = 0.05
#: Dark, below fans and numbers, so that both stand out from any floor and map.
_BACKING = (0.07, 0.07, 0.07)
_RIM, _BELOW_M = 1.08, 0.004


@dataclass(frozen=True)
class ShownMarker:
    """
    A visualization_msgs/Marker in the base frame: triangles, or a text facing the viewer.

    place, z: in meters. triangles: corners in the marker's own plane, three a triangle. text_m:
    height of the text's letters, 0 where there are triangles instead.
    """

    namespace: str
    number: int
    time_ns: int
    lifetime_s: float
    place: Pose2D
    z: float
    color: tuple[float, float, float]
    alpha: float
    frame_locked: bool = True
    triangles: tuple[tuple[float, float], ...] = ()
    text: str = ''
    text_m: float = 0.0


class ReadingMarkers:
    """Markers of a rig's readings: a fan at the ear with its number, and what is left behind."""

    def __init__(self, rig: Rig) -> None:
        self._ears = {ear.side: ear for ear in reversed(rig.ears)}
        self._eyes: dict[Side, Ear] = {}
        self._trace = Trace()

    def put(self, eye: Ear) -> None:
        """Set where the camera that looks to a side is."""
        self._eyes[eye.side] = eye

    def ear_of(self, reading: NearWallReading) -> Ear:
        """Return the ear or camera of a reading; at the robot's center where it has no place."""
        ear = self._ears.get(reading.side) or Ear(0, 0.0, 0.0, 0.0, reading.side)
        return self._eyes.get(reading.side, ear) if reading.modality == Modality.VISION else ear

    def live(self, reading: NearWallReading) -> list[ShownMarker]:
        """Return the fan at the ear and its label, on dark backing; they go with the robot."""
        ear, drawn = self.ear_of(reading), fan(reading)
        place = Pose2D(ear.x, ear.y, ear.side.yaw_rad)
        text_at = Pose2D(*place.transform(*drawn.label_at), 0.0)
        number, time_ns = int(reading.side), reading.end_ns
        text = ShownMarker(
            'probability',
            number,
            time_ns,
            lifetime_s=FAN_LIFETIME_S,
            place=text_at,
            z=ear.z + _TEXT_ABOVE_M,
            color=(1.0, 1.0, 1.0),
            alpha=1.0 if reading.valid else 0.6,
            text=drawn.label,
            text_m=_TEXT_M if reading.valid else _REASON_M,
        )
        sector = _sector(
            'near_wall',
            drawn,
            alpha=drawn.alpha,
            place=place,
            z=ear.z,
            lifetime_s=FAN_LIFETIME_S,
            number=number,
            time_ns=time_ns,
        )
        backing = replace(
            sector,
            namespace='outline',
            color=_BACKING,
            z=ear.z - _BELOW_M,
            triangles=tuple((_RIM * x, _RIM * y) for x, y in drawn.triangles),
        )
        plate = replace(
            backing,
            namespace='plate',
            alpha=text.alpha,
            place=text_at,
            z=text.z - _BELOW_M,
            triangles=_disc(1.2 * text.text_m),
        )
        return [backing, sector, plate, text, *self._lives_by(reading, text)]

    def _lives_by(self, reading: NearWallReading, text: ShownMarker) -> list[ShownMarker]:
        """Return the words for the sound that a reading lives by, below its number; or none."""
        if not (reading.valid and reading.hears_by):
            return []
        below = replace(
            text,
            namespace='hears_by',
            text=str(reading.hears_by),
            text_m=_LIVES_BY_M,
            z=text.z - _TEXT_M,
        )
        return [below]

    def left_behind(self, reading: NearWallReading, still: bool | None) -> list[ShownMarker]:
        """
        Return the fan that stays where the robot was, as sheets that expire one by one.

        Nothing of readings that are not valid or in whose window the robot moved.
        """
        if not reading.valid or still is False:
            return []
        ear, drawn = self.ear_of(reading), fan(reading)
        place = Pose2D(ear.x, ear.y, ear.side.yaw_rad)
        return [
            _sector(
                f'trace/{reading.side.name.lower()}',
                drawn,
                alpha=sheet.alpha,
                place=place,
                z=sheet.z,
                lifetime_s=sheet.lifetime_s,
                number=sheet.number,
                time_ns=reading.end_ns,
                frame_locked=False,
            )
            for sheet in self._trace.leave(reading)
        ]


def _disc(radius_m: float, segments: int = 16) -> tuple[tuple[float, float], ...]:
    """Return the triangles of a disc: round, as a text turns with the viewer."""
    angles = [2.0 * math.pi * i / segments for i in range(segments + 1)]
    rim = [(radius_m * math.cos(a), radius_m * math.sin(a)) for a in angles]
    return tuple(c for a, b in itertools.pairwise(rim) for c in ((0.0, 0.0), a, b))


def _sector(
    namespace: str,
    drawn: Fan,
    *,
    alpha: float,
    place: Pose2D,
    z: float,
    lifetime_s: float,
    number: int,
    time_ns: int,
    frame_locked: bool = True,
) -> ShownMarker:
    return ShownMarker(
        namespace,
        number,
        time_ns,
        lifetime_s=lifetime_s,
        place=place,
        z=z,
        color=drawn.color,
        alpha=alpha,
        frame_locked=frame_locked,
        triangles=drawn.triangles,
    )
