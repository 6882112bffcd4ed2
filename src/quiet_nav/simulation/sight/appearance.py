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

"""How a room looks: colors, textures and light drawn at random and baked into one image."""

from __future__ import annotations

from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.simulation.rooms.plan import Furniture, Panel, Plan
from quiet_nav.simulation.sight import textures

#: Meters a texel on walls, floors and furniture; ceilings are seen from farther away.
TEXEL_M = 0.008
CEILING_TEXEL_M = 0.016
#: Light is computed on a grid of this many meters and interpolated.
_LIGHT_GRID_M = 0.2
#: Dark gap between surfaces of the atlas, in texels, so that interpolation does not mix them.
_MARGIN = 2


@dataclass(frozen=True)
class Atlas:
    """
    Every surface of a room as one picture.

    image: uint8, shape (h, w, 3), RGB with a gamma of 2, light included. offset (n, 2) and
    scale (n,), float32: texel of surface i at (u, v) meters is offset[i] + scale[i] * (u, v).
    """

    image: np.ndarray
    offset: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True)
class Lights:
    """Lamps in the ceiling: positions (n, 3) in meters, power each, and light from everywhere."""

    positions: np.ndarray
    power: np.ndarray
    ambient: float


def bake(plan: Plan, rng: np.random.Generator) -> Atlas:
    """Draw colors, textures and lamps for a room and return them as an atlas."""
    lights = draw_lights(plan, rng)
    starts, ends = plan.wall_segments
    paint = textures.wall_color(rng)
    skirting = textures.Skirting.draw(rng)
    pictures = []
    for i, material in enumerate(plan.walls):
        color = paint if rng.random() < 0.75 else textures.wall_color(rng)
        size = (float(plan.wall_lengths[i]), plan.height)
        texels = textures.upright(material.name, size, TEXEL_M, color, rng)
        panels = [panel for panel in plan.panels if panel.wall == i]
        textures.hang_clutter(texels, size, TEXEL_M, panels, rng)
        skirting.paint(texels, TEXEL_M)
        glow = np.zeros(texels.shape[:2], np.float32)
        for panel in panels:
            _paint_panel(texels, glow, panel, plan.height, rng)
        shade = _light_upright(starts[i], ends[i], plan.height, 0.0, plan, lights, texels.shape)
        pictures.append((_expose(texels, shade, glow), (0.0, 0.0), TEXEL_M))
    low, high = plan.corners.min(axis=0), plan.corners.max(axis=0)
    pictures.append(_level(plan, 'floor', low, high, 0.0, lights, rng))
    pictures.append(_level(plan, 'ceiling', low, high, plan.height, lights, rng))
    for box in plan.furniture:
        pictures += _furniture(box, plan, lights, rng)
    return _pack(pictures)


def draw_lights(plan: Plan, rng: np.random.Generator) -> Lights:
    """Draw a grid of ceiling lamps with its spacing, brightness and failures."""
    low, high = plan.corners.min(axis=0), plan.corners.max(axis=0)
    spacing = rng.uniform(1.8, 3.0)
    counts = np.maximum(1, np.round((high - low) / spacing).astype(int))
    axes = [
        low[k] + (np.arange(counts[k]) + 0.5) / counts[k] * (high[k] - low[k]) for k in range(2)
    ]
    grid: np.ndarray = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 2)
    grid = grid[plan.clearance(grid, z=plan.height) > 0.35]
    if not len(grid):
        grid = plan.corners.mean(axis=0)[None]
    power = rng.uniform(0.8, 1.2) * np.where(rng.random(len(grid)) < 0.15, 0.15, 1.0)
    positions = np.column_stack([grid, np.full(len(grid), plan.height - 0.02)])
    return Lights(positions, power, rng.uniform(0.15, 0.45))


def _level(
    plan: Plan,
    what: str,
    low: np.ndarray,
    high: np.ndarray,
    z: float,
    lights: Lights,
    rng: np.random.Generator,
) -> tuple[np.ndarray, tuple[float, float], float]:
    texel = CEILING_TEXEL_M if what == 'ceiling' else TEXEL_M
    material = plan.ceiling if what == 'ceiling' else plan.floor
    size = tuple(high - low)
    texels = textures.level(material.name, size, texel, what, rng)
    glow = np.zeros(texels.shape[:2], np.float32)
    if what == 'ceiling':
        _paint_lamps(texels, glow, lights, low, texel, rng)
    shade = _light_level(low, high, z, plan, lights, texels.shape)
    return _expose(texels, shade, glow), (float(low[0]), float(low[1])), texel


def _furniture(
    box: Furniture, plan: Plan, lights: Lights, rng: np.random.Generator
) -> list[tuple[np.ndarray, tuple[float, float], float]]:
    corners = np.asarray(box.footprint)
    ends = np.roll(corners, -1, axis=0)
    color = textures.furniture_color(box.material.name, rng)
    table = box.height < 0.9 and rng.random() < 0.7 and 'sofa' not in box.name
    pictures = []
    for start, end in zip(corners, ends, strict=True):
        size = (float(np.linalg.norm(end - start)), box.height)
        texels = textures.upright(box.material.name, size, TEXEL_M, color, rng)
        textures.front(texels, size, TEXEL_M, table, rng)
        # Sides look outward: the light comes from the right of start to end.
        shade = _light_upright(end, start, box.height, 0.0, plan, lights, texels.shape)
        pictures.append((_expose(texels, shade[:, ::-1], None), (0.0, 0.0), TEXEL_M))
    low, high = corners.min(axis=0), corners.max(axis=0)
    top = textures.upright(box.material.name, tuple(high - low), TEXEL_M, color * 1.1, rng)
    shade = _light_level(low, high, box.height, plan, lights, top.shape)
    pictures.append((_expose(top, shade, None), (float(low[0]), float(low[1])), TEXEL_M))
    return pictures


def _paint_panel(
    texels: np.ndarray, glow: np.ndarray, panel: Panel, height: float, rng: np.random.Generator
) -> None:
    left, right = (round(x / TEXEL_M) for x in (panel.offset, panel.offset + panel.width))
    top = round((height - panel.bottom - panel.height) / TEXEL_M)
    bottom = round((height - panel.bottom) / TEXEL_M)
    part = texels[top:bottom, left:right]
    picture, bright = textures.panel(panel.kind, (part.shape[0], part.shape[1]), TEXEL_M, rng)
    part[:] = picture
    glow[top:bottom, left:right] = bright


def _paint_lamps(
    texels: np.ndarray,
    glow: np.ndarray,
    lights: Lights,
    low: np.ndarray,
    texel: float,
    rng: np.random.Generator,
) -> None:
    half = np.array([rng.uniform(0.15, 0.35), rng.uniform(0.25, 0.65)])
    if rng.random() < 0.5:
        half = half[::-1]
    for position, power in zip(lights.positions, lights.power, strict=True):
        a = np.maximum(0, np.round((position[:2] - half - low) / texel).astype(int))
        b = np.round((position[:2] + half - low) / texel).astype(int)
        texels[a[1] : b[1], a[0] : b[0]] = 0.95
        glow[a[1] : b[1], a[0] : b[0]] = 1.6 * power


def _light_upright(
    start: np.ndarray,
    end: np.ndarray,
    height: float,
    bottom: float,
    plan: Plan,
    lights: Lights,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Return the light on a wall whose lit side is on the left of start to end, by texel."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    normal = np.array([-along[1], along[0], 0.0])
    across = np.linspace(0.0, length, max(2, math.ceil(length / _LIGHT_GRID_M)))
    up = np.linspace(bottom + height, bottom, max(2, math.ceil(height / _LIGHT_GRID_M)))
    flat = start + across[None, :, None] * along
    points = np.concatenate(
        [
            np.broadcast_to(flat, (len(up), len(across), 2)),
            np.broadcast_to(up[:, None, None], (len(up), len(across), 1)),
        ],
        axis=2,
    )
    edge = np.minimum(across, length - across)[None, :]
    floor = (up - 0.0)[:, None]
    ceiling = (plan.height - up)[:, None]
    return _spread(_light(points, normal, lights) * _corners(edge, floor, ceiling), shape)


def _light_level(
    low: np.ndarray,
    high: np.ndarray,
    z: float,
    plan: Plan,
    lights: Lights,
    shape: tuple[int, ...],
) -> np.ndarray:
    counts = np.maximum(2, np.ceil((high - low) / _LIGHT_GRID_M).astype(int))
    x, y = (np.linspace(low[k], high[k], counts[k]) for k in range(2))
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None], np.float64(z)), axis=2)
    up = z < plan.height
    edge = plan.wall_distance(points[..., :2])
    if z == 0.0:
        for box in plan.furniture:
            # Furniture shades the floor under and beside it.
            inner = Plan('', box.footprint, 1.0, (), plan.floor, plan.ceiling)
            beside = np.where(
                inner.inside(points[..., :2]), 0.0, inner.wall_distance(points[..., :2])
            )
            edge = np.minimum(edge, beside + 0.05)
    light = _light(points, np.array([0.0, 0.0, 1.0 if up else -1.0]), lights)
    if not up:
        light = light + 0.5 * lights.ambient + 0.15
    return _spread(light * _corners(edge, np.inf, np.inf), shape)


def _light(points: np.ndarray, normal: np.ndarray, lights: Lights) -> np.ndarray:
    """Return ambient light and what the lamps add to surfaces at points (..., 3)."""
    total = np.full(points.shape[:-1], lights.ambient)
    for position, power in zip(lights.positions, lights.power, strict=True):
        toward = position - points
        square = np.sum(toward * toward, axis=-1) + 0.25
        distance = np.sqrt(square)
        received = np.maximum(toward @ normal / distance, 0.0)
        sent = np.maximum(toward[..., 2] / distance, 0.0)
        total += 1.3 * power * received * (0.3 + 0.7 * sent) / square
    return total


def _corners(*distances: np.ndarray | float) -> np.ndarray:
    """Return how much darker it is near edges, where less of the room is seen."""
    dark: np.ndarray = np.ones(())
    for distance in distances:
        dark = dark * (1.0 - 0.35 * np.exp(-np.asarray(distance) / 0.18))
    return dark


def _spread(light: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    import cv2

    return cv2.resize(light.astype(np.float32), (shape[1], shape[0]))


def _expose(texels: np.ndarray, shade: np.ndarray, glow: np.ndarray | None) -> np.ndarray:
    light = shade if glow is None else np.where(glow > 0.0, glow, shade)
    return np.sqrt(np.clip(texels * light[..., None], 0.0, 1.0))


def _pack(pictures: list[tuple[np.ndarray, tuple[float, float], float]]) -> Atlas:
    # Tallest first, side by side in rows as wide as the widest surface.
    width = max(picture.shape[1] for picture, _, _ in pictures) + 2 * _MARGIN
    order = sorted(range(len(pictures)), key=lambda i: -pictures[i][0].shape[0])
    corner = np.zeros((len(pictures), 2), int)
    x = y = row = 0
    for i in order:
        h, w = np.array(pictures[i][0].shape[:2]) + 2 * _MARGIN
        if x + w > width:
            x, y, row = 0, y + row, 0
        corner[i] = x + _MARGIN, y + _MARGIN
        x, row = x + w, max(row, h)
    image = np.zeros((y + row, width, 3), np.uint8)
    offset, scale = np.empty((len(pictures), 2)), np.empty(len(pictures))
    for i, (picture, origin, texel) in enumerate(pictures):
        (x0, y0), (h, w) = corner[i], picture.shape[:2]
        texels = np.round(255.0 * picture).astype(np.uint8)
        edged = np.pad(texels, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode='edge')
        image[y0 - _MARGIN : y0 + h + _MARGIN, x0 - _MARGIN : x0 + w + _MARGIN] = edged
        offset[i] = corner[i] - 0.5 - np.array(origin) / texel
        scale[i] = 1.0 / texel
    return Atlas(image, offset.astype(np.float32), scale.astype(np.float32))
