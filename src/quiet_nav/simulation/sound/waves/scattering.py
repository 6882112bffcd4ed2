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

"""Walls that scatter: what mirror images lose, and the diffuse tail in which it comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quiet_nav.simulation.rooms.acoustic_room import AcousticRoom
from quiet_nav.simulation.sound.acoustics import ImageSources
from quiet_nav.sound.air import SPEED_OF_SOUND

#: Share of the reflected energy that a surface scatters, per band of ``BANDS_HZ``: that of plain
#: walls with frames, shelves and people in front of them, rising with frequency. An assumption.
SCATTERING = (0.03, 0.05, 0.08, 0.12, 0.18, 0.25, 0.32)
_WAVES = 400


@dataclass(frozen=True)
class DiffuseTail:
    """
    Waves from everywhere, each with its reflections: as image sources, and at which wall.

    walls (n,): -1 where a wave arrives directly, the wall's index where it was just reflected, the
    number of walls for the floor and one more for the ceiling.
    """

    images: ImageSources
    walls: np.ndarray

    def at(self, room: AcousticRoom, mic: np.ndarray) -> ImageSources:
        """Return what of the tail is heard at mic (3,): reflections of walls in front of it."""
        corners = np.asarray(room.footprint)
        along = np.roll(corners, -1, axis=0) - corners
        share = ((mic[:2] - corners) * along).sum(axis=1) / (along**2).sum(axis=1)
        inside = along[:, 0] * (mic[1] - corners[:, 1]) > along[:, 1] * (mic[0] - corners[:, 0])
        facing = np.append((share >= 0.0) & (share <= 1.0) & inside, [True, True, True])
        kept = facing[self.walls]
        return ImageSources(
            np.ascontiguousarray(self.images.positions[kept]),
            np.ascontiguousarray(self.images.amplitudes[kept]),
            self.images.orders[kept],
        )


def mirror_part(images: ImageSources, scattering: tuple[float, ...] = SCATTERING) -> ImageSources:
    """Return image sources less what each of their reflections scatters."""
    kept = np.sqrt(1.0 - np.asarray(scattering)) ** images.orders[:, None]
    return replace(images, amplitudes=(images.amplitudes * kept).astype(np.float32))


def diffuse_tail(
    room: AcousticRoom,
    source: np.ndarray,
    length_s: float,
    scattering: tuple[float, ...] = SCATTERING,
) -> DiffuseTail:
    """
    Return what comes back of the sound that a source's mirror images lose by scattering.

    Mirror images decay by absorption and scattering, all sound by absorption alone; the difference
    is diffuse. It arrives as plane-like waves from random directions, stratified over time to
    ``length_s``, the same for the same source, and is reflected by the walls that it goes toward:
    near a wall it interferes with its reflection as all sound does.
    """
    place = np.round(np.asarray(source, float) * 1e4).astype(np.int64)
    rng = np.random.default_rng(
        np.random.SeedSequence([0x5CA7, *(int(v) & 0xFFFFFF for v in place)])
    )
    corners = np.asarray(room.footprint)
    low, high = np.append(corners.min(axis=0), 0.0), np.append(corners.max(axis=0), room.height)
    center, radius = (low + high) / 2.0, float(np.linalg.norm(high - low)) / 2.0
    first_s = 1.05 * radius / SPEED_OF_SOUND
    edges = np.linspace(first_s, max(length_s, 1.5 * first_s), _WAVES + 1)
    time_s = rng.uniform(edges[:-1], edges[1:])
    direction = rng.normal(size=(_WAVES, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = time_s * SPEED_OF_SOUND

    area = np.array([s for s, _ in room.surfaces])
    alpha = np.minimum(np.array([a for _, a in room.surfaces]), 0.99)
    hits_a_s = SPEED_OF_SOUND * area.sum() / (4.0 * room.volume)
    absorbed = -hits_a_s * np.log1p(-(area[:, None] * alpha).sum(0) / area.sum())
    scattered = -hits_a_s * np.log1p(-np.asarray(scattering))
    decay = np.exp(-time_s[:, None] * absorbed)
    density = decay * -np.expm1(-time_s[:, None] * scattered)
    energy = 4.0 * np.pi * SPEED_OF_SOUND / room.volume * density * np.diff(edges)[:, None]

    begin, end = corners, np.roll(corners, -1, axis=0)
    along = (end - begin) / np.linalg.norm(end - begin, axis=1, keepdims=True)
    normals = np.column_stack([along[:, 1], -along[:, 0], np.zeros(len(along))])
    normals = np.vstack([normals, [[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]])
    on = np.vstack(
        [np.column_stack([begin, np.zeros(len(begin))]), [[0.0, 0.0, 0.0], [0.0, 0.0, room.height]]]
    )
    toward = -(direction @ normals.T) > 0.0
    # room.surfaces has floor and ceiling last, as the normals.
    kept = (1.0 - alpha) * (1.0 - np.asarray(scattering))
    total = 1.0 + (toward[:, :, None] * kept).sum(axis=1)
    sign = rng.choice([-1.0, 1.0], _WAVES)[:, None]
    amplitude = sign * distance[:, None] * np.sqrt(energy / total)
    position = center + direction * distance[:, None]
    positions, amplitudes, walls = [position], [amplitude], [np.full(_WAVES, -1)]
    for wall, normal in enumerate(normals):
        rows = toward[:, wall]
        away = ((position[rows] - on[wall]) @ normal)[:, None]
        positions.append(position[rows] - 2.0 * away * normal)
        amplitudes.append(amplitude[rows] * np.sqrt(kept[wall]))
        walls.append(np.full(int(rows.sum()), wall))
    images = ImageSources(
        np.concatenate(positions),
        np.concatenate(amplitudes).astype(np.float32),
        np.zeros(sum(len(w) for w in walls), np.int64),
    )
    return DiffuseTail(images, np.concatenate(walls))
