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

"""Profiles of video streams as realsense2_camera writes them: which are offered, which to take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
import re

from quiet_nav.errors import QuietNavError

_WRITTEN = re.compile(r'\s*(\d{1,5})\s*[x,]\s*(\d{1,5})\s*[x,]\s*(\d{1,4})\s*', re.IGNORECASE)
#: What is taken where nothing is asked for: as many pixels as the image detector reads, and as few
#: images a second as serve it.
_USUAL_PIXELS, _FEWEST_FPS = 640 * 480, 5


@dataclass(frozen=True, order=True)
class Profile:
    """Size in pixels and images a second of a stream."""

    width: int
    height: int
    fps: int

    def __str__(self) -> str:
        return f'{self.width}x{self.height}x{self.fps}'

    @staticmethod
    def parse(text: str, what: str) -> Profile | None:
        """
        Return the profile written as realsense2_camera does, 640x480x6 or 640,480,6.

        None where nothing is asked for: '' or all zeros. Raises QuietNavError naming ``what``.
        """
        if not text.strip():
            return None
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise QuietNavError(
                f'{what} {text!r}: expected WIDTHxHEIGHTxFPS, such as 640x480x6, or nothing'
            )
        numbers = [int(number) for number in found.groups()]
        return Profile(*numbers) if any(numbers) else None


def chosen(wanted: Profile | None, offered: Iterable[Profile], what: str, whose: str) -> Profile:
    """
    Return the profile asked for, or of those offered the one nearest to 640x480 at 5 or 6 Hz.

    Raises QuietNavError listing what is offered, where the wanted one is not or nothing is.
    """
    there = sorted(set(offered))
    if not there:
        raise QuietNavError(f'{what}: {whose} has no such stream; switch it off')
    if wanted is None:
        return min(there, key=_unusual)
    if wanted not in there:
        listed = ', '.join(map(str, there))
        raise QuietNavError(f'{what} {wanted}: {whose} does not offer it; it offers {listed}')
    return wanted


def _unusual(profile: Profile) -> tuple[int, bool, int]:
    pixels = abs(profile.width * profile.height - _USUAL_PIXELS)
    return pixels, profile.fps < _FEWEST_FPS, profile.fps
