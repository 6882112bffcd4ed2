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

"""Procedural pictures of surfaces: paint, brick, wood, tiles, carpet, doors, windows, clutter."""

from __future__ import annotations

from collections.abc import Sequence
import colorsys
from dataclasses import dataclass
import math

import numpy as np

from quiet_nav.simulation.rooms.plan import Panel

#: Linear reflectance of a picture: float32, shape (h, w, 3), 0 to 1.
Picture = np.ndarray


def wall_color(rng: np.random.Generator) -> np.ndarray:
    """Draw a wall's color, mostly off-white, sometimes a tint. Shape (3,)."""
    strong = rng.random() < 0.25
    hue = rng.uniform(0.0, 1.0) if strong else rng.uniform(0.06, 0.16)
    saturation = rng.uniform(0.15, 0.45) if strong else rng.uniform(0.0, 0.18)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.45, 0.85)))


def furniture_color(material: str, rng: np.random.Generator) -> np.ndarray:
    """Draw the color of a piece of furniture. Shape (3,)."""
    if material == 'wood':
        return np.array(
            colorsys.hsv_to_rgb(
                rng.uniform(0.05, 0.12), rng.uniform(0.2, 0.65), rng.uniform(0.15, 0.7)
            )
        )
    return np.array(
        colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.08, 0.6))
    )


def upright(
    material: str,
    size: tuple[float, float],
    texel: float,
    color: np.ndarray,
    rng: np.random.Generator,
) -> Picture:
    """Return a wall or a side of furniture, ``size`` meters wide and high, of a material."""
    shape = _shape(size, texel)
    base = np.broadcast_to(color.astype(np.float32), (*shape, 3)).copy()
    if material in ('brick', 'concrete'):
        return np.clip(base * _bricks(shape, texel, rng)[..., None], 0.0, 1.0)
    if material == 'wood':
        return np.clip(base * _planks(shape, texel, rng.uniform(0.08, 0.4), rng)[..., None], 0, 1)
    roughness = 0.10 if material in ('carpet', 'curtain') else 0.04
    patches = 1.0 + 0.05 * _smooth(shape, 0.6 / texel, rng) + 0.02 * _smooth(shape, 4.0, rng)
    grain = 1.0 + roughness * rng.standard_normal(shape, dtype=np.float32)
    return np.clip(base * (patches * grain)[..., None], 0.0, 1.0)


def level(
    material: str,
    size: tuple[float, float],
    texel: float,
    what: str,
    rng: np.random.Generator,
) -> Picture:
    """Return a floor or a ceiling of a material, ``size`` meters along x and y."""
    shape = _shape(size, texel)
    if what == 'ceiling':
        color = np.array([1.0, 0.99, 0.96]) * rng.uniform(0.6, 0.85)
        pattern = 1.0 + 0.03 * rng.standard_normal(shape, dtype=np.float32)
        if material == 'acoustic_tile':
            pattern *= _joints(shape, 0.6 / texel, 0.62, rng)
    elif material == 'parquet' or material == 'wood':
        color = np.array(
            colorsys.hsv_to_rgb(
                rng.uniform(0.05, 0.11), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.6)
            )
        )
        pattern = _planks(shape, texel, rng.uniform(0.07, 0.16), rng, shade=0.18)
    else:
        color = np.array(
            colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.02, 0.35), rng.uniform(0.12, 0.55))
        )
        rough = 0.22 if material == 'carpet' else 0.07
        pattern = 1.0 + rough * rng.standard_normal(shape, dtype=np.float32)
        pattern += 0.06 * _smooth(shape, 0.4 / texel, rng)
        if material != 'carpet' and rng.random() < 0.6:
            pattern *= _joints(shape, rng.choice([0.33, 0.5, 0.6]) / texel, 0.8, rng)
    return np.clip(color.astype(np.float32) * pattern[..., None], 0.0, 1.0).astype(np.float32)


def panel(
    kind: str, shape: tuple[int, int], texel: float, rng: np.random.Generator
) -> tuple[Picture, np.ndarray | float]:
    """Return a door, window or board of a shape in texels, and the light it gives by itself."""
    h, w = shape
    frame = max(1, round(0.06 / texel))
    if kind == 'door':
        color = furniture_color('wood' if rng.random() < 0.6 else 'paint', rng)
        picture = np.clip(
            color.astype(np.float32) * _planks(shape, texel, 2.0, rng)[..., None], 0.0, 1.0
        )
        _frame(picture, frame, rng.uniform(0.15, 0.8))
        y, x = round(0.48 * h), w - 3 * frame if rng.random() < 0.5 else frame * 2
        picture[y : y + max(2, round(0.03 / texel)), x : x + round(0.12 / texel)] = 0.65
        return picture, 0.0
    if kind == 'window':
        return _window(shape, frame, rng)
    color = rng.choice([0.85, 0.05, 0.12])
    tint = np.array([0.9, 1.0, 0.9] if color < 0.2 else [1.0, 1.0, 1.0])
    picture = np.broadcast_to((color * tint).astype(np.float32), (h, w, 3)).copy()
    for _ in range(int(rng.integers(0, 14))):
        y, x = int(rng.integers(2, h - 2)), int(rng.integers(0, max(1, w - 10)))
        picture[y : y + 2, x : x + int(rng.integers(8, max(9, w // 3)))] = 0.9 - color
    _frame(picture, max(1, frame // 2), 0.45)
    return picture, 0.0


def hang_clutter(
    texels: Picture,
    size: tuple[float, float],
    texel: float,
    panels: Sequence[Panel],
    rng: np.random.Generator,
) -> None:
    """Hang posters, notices, sockets and cable ducts on a wall, clear of doors and windows."""
    taken = [(p.offset - 0.1, p.offset + p.width + 0.1) for p in panels]

    def put(x: float, top: float, width: float, height: float, color: np.ndarray) -> bool:
        clear = all(x + width < left or x > right for left, right in taken)
        if clear:
            rows = slice(round((size[1] - top) / texel), round((size[1] - top + height) / texel))
            texels[rows, round(x / texel) : round((x + width) / texel)] = color
        return clear

    for _ in range(rng.poisson(0.25 * size[0])):
        width, height = rng.uniform(0.2, 0.9), rng.uniform(0.2, 0.9)
        x, top = rng.uniform(0.05, max(0.06, size[0] - 1.0)), rng.uniform(1.1, 2.1)
        color = np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.0, 0.8), rng.random()))
        if put(x, top, width, height, np.full(3, rng.choice([0.05, 0.6, 0.9]))):
            put(x + 0.03, top - 0.03, width - 0.06, height - 0.06, color)
    for _ in range(rng.poisson(0.4 * size[0])):
        put(
            rng.uniform(0.0, size[0] - 0.1),
            rng.choice([0.35, 0.35, 1.15]),
            0.09,
            0.09,
            np.full(3, 0.9),
        )
    if rng.random() < 0.2:
        put(0.0, rng.uniform(0.3, 1.1), size[0], 0.08, np.full(3, rng.uniform(0.4, 0.85)))
    if rng.random() < 0.15:
        texels[round((size[1] - 1.2) / texel) :] *= rng.uniform(0.4, 0.8)


@dataclass(frozen=True)
class Skirting:
    """The strip at the foot of the walls; height 0 where a room has none."""

    height_m: float
    color: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Skirting:
        height = rng.uniform(0.05, 0.14) if rng.random() < 0.8 else 0.0
        gray = rng.uniform(0.03, 0.8)
        return cls(height, gray * np.array([1.0, rng.uniform(0.8, 1.0), rng.uniform(0.6, 1.0)]))

    def paint(self, texels: Picture, texel: float) -> None:
        rows = round(self.height_m / texel)
        if rows:
            texels[-rows:] = self.color
            texels[-rows] *= 0.5


def front(
    texels: Picture,
    size: tuple[float, float],
    texel: float,
    table: bool,
    rng: np.random.Generator,
) -> None:
    """Turn a plain side into a table with dark space under it, or into drawers and doors."""
    h, w = texels.shape[:2]
    if table:
        leg, plate = max(2, round(0.05 / texel)), max(2, round(0.04 / texel))
        texels[plate:, leg : w - leg] *= 0.12
        return
    columns = max(1, round(size[0] / rng.uniform(0.4, 0.9)))
    rows = max(1, round(size[1] / rng.uniform(0.3, 1.0)))
    for k in range(columns + 1):
        x = min(w - 1, round(k * w / columns))
        texels[:, max(0, x - 1) : x + 1] *= 0.45
    for k in range(rows + 1):
        y = min(h - 1, round(k * h / rows))
        texels[max(0, y - 1) : y + 1] *= 0.45


def detail_tile(rng: np.random.Generator, size: int = 512) -> np.ndarray:
    """Return fine roughness, uint8 around 128, that repeats seamlessly; shape (size, size)."""
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    tile = np.fft.irfft2(spectrum / (0.01 + np.hypot(fx, fy)), s=(size, size))
    return np.clip(128.0 + 30.0 * tile / tile.std(), 0, 255).astype(np.uint8)


def _window(
    shape: tuple[int, int], frame: int, rng: np.random.Generator
) -> tuple[Picture, np.ndarray]:
    h, w = shape
    height = np.linspace(0.0, 1.0, h, dtype=np.float32)[:, None]
    sky = np.array([0.75, 0.85, 1.0]) * rng.uniform(0.5, 1.0)
    ground = np.array(colorsys.hsv_to_rgb(rng.uniform(0.08, 0.4), 0.4, rng.uniform(0.1, 0.4)))
    horizon = rng.uniform(0.3, 0.9) + 0.06 * _smooth((1, w), 0.1 * w + 2.0, rng)
    above = (height < horizon)[..., None]
    picture = np.where(above, sky, ground).astype(np.float32)
    if rng.random() < 0.4:
        lowered = round(h * rng.uniform(0.2, 1.0))
        slats = 0.55 + 0.25 * (np.arange(lowered) % 6 < 4)
        picture[:lowered] = slats[:, None, None]
    bright = np.full(shape, rng.uniform(0.5, 1.5), np.float32)
    _frame(picture, frame, rng.uniform(0.3, 0.9))
    middle = w // 2
    picture[:, middle - frame // 2 : middle + frame // 2 + 1] = picture[0, 0]
    bright[:frame] = bright[-frame:] = 0.0
    bright[:, :frame] = bright[:, -frame:] = 0.0
    bright[:, middle - frame // 2 : middle + frame // 2 + 1] = 0.0
    return picture, bright


def _frame(picture: Picture, width: int, gray: float) -> None:
    picture[:width] = picture[-width:] = gray
    picture[:, :width] = picture[:, -width:] = gray
    picture[-width:] *= 0.8


def _bricks(shape: tuple[int, int], texel: float, rng: np.random.Generator) -> np.ndarray:
    height, length = rng.uniform(0.08, 0.22), rng.uniform(0.25, 0.5)
    y, x = np.arange(shape[0])[:, None] * texel, np.arange(shape[1])[None] * texel
    row = np.floor(y / height).astype(int)
    shifted = x + 0.5 * length * (row % 2)
    column = np.floor(shifted / length).astype(int)
    joint = np.minimum(y % height, shifted % length) < max(0.009, texel)
    shades = 1.0 + 0.06 * rng.standard_normal((row.max() + 1, column.max() + 1))
    grain = 0.04 * rng.standard_normal(shape, dtype=np.float32)
    return (np.where(joint, rng.uniform(0.7, 0.95), shades[row, column]) + grain).astype(np.float32)


def _planks(
    shape: tuple[int, int],
    texel: float,
    width: float,
    rng: np.random.Generator,
    shade: float = 0.08,
) -> np.ndarray:
    x = np.arange(shape[1]) * texel
    plank = np.floor(x / width).astype(int)
    shades = 1.0 + shade * rng.standard_normal(plank.max() + 1)
    stretched = _smooth((max(2, shape[0] // 24), shape[1]), 1.5, rng)
    grain = np.repeat(stretched, math.ceil(shape[0] / len(stretched)), axis=0)[: shape[0]]
    joint = np.where(x % width < max(0.004, texel), 0.6, 1.0)
    return ((shades[plank] * joint)[None] * (1.0 + 0.08 * grain)).astype(np.float32)


def _joints(
    shape: tuple[int, int], tile: float, depth: float, rng: np.random.Generator
) -> np.ndarray:
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    shades = 1.0 + 0.03 * rng.standard_normal((int(shape[0] / tile) + 1, int(shape[1] / tile) + 1))
    joint = (y % tile < 1.5) | (x % tile < 1.5)
    each = shades[(y / tile).astype(int), (x / tile).astype(int)]
    return np.where(joint, depth, each).astype(np.float32)


def _smooth(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> np.ndarray:
    """Return noise of about unit variance that changes over ``scale`` texels."""
    import cv2

    coarse = [max(2, math.ceil(n / scale) + 1) for n in shape]
    noise = rng.standard_normal(coarse).astype(np.float32)
    return cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _shape(size: tuple[float, float], texel: float) -> tuple[int, int]:
    return max(2, math.ceil(size[1] / texel)), max(2, math.ceil(size[0] / texel))
